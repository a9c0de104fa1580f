"""A plot in its card, by mouse and keyboard: smoothed, switched, zoomed, read, enlarged and saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QSlider, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.plots.helpers import child, colors_in
from tests.gui.plots.histories import block, history, run
from workbench.gui.plots.area import PlotArea
from workbench.gui.plots.card import Card, FigureCard


def test_the_smoothing_slider_smooths_and_says_how_much(area: PlotArea) -> None:
    area.show_runs([run()], "maml-0001")
    card = child(area, FigureCard, "metaLossCard")
    rough = card.canvas.figure.series[1].y
    slider = child(area, QSlider, "smoothing")
    slider.setValue(slider.maximum())
    assert card.facts == "smoothing 0.999"
    assert np.ptp(card.canvas.figure.series[1].y) < np.ptp(rough)
    slider.setValue(0)
    np.testing.assert_allclose(card.canvas.figure.series[1].y, card.canvas.figure.series[0].y)


def test_the_log_switch_draws_a_logarithmic_axis(area: PlotArea, qtbot: QtBot) -> None:
    area.show_runs([run()], "maml-0001")
    qtbot.mouseClick(child(area, QToolButton, "logAxis"), Qt.MouseButton.LeftButton)
    canvas = child(area, FigureCard, "metaLossCard").canvas
    assert canvas.figure.is_log
    low, high = canvas.getPlotItem().getViewBox().viewRange()[1]
    assert -2 < low < high < 1
    assert colors_in(area.grab().toImage()) > 10


def test_adaptation_shows_the_loss_or_the_metric(area: PlotArea, qtbot: QtBot) -> None:
    area.show_runs([run()], "maml-0001")
    canvas = child(area, FigureCard, "adaptationCard").canvas
    assert canvas.figure.y_label == "query cross-entropy"
    qtbot.mouseClick(child(area, QToolButton, "adaptationMetric"), Qt.MouseButton.LeftButton)
    assert canvas.figure.y_label == "query accuracy, %"
    qtbot.mouseClick(child(area, QToolButton, "adaptationLoss"), Qt.MouseButton.LeftButton)
    assert canvas.figure.y_label == "query cross-entropy"


def test_a_legend_entry_hides_its_curves_and_the_others_fill_the_view(area: PlotArea, qtbot: QtBot) -> None:
    area.show_runs([run("short", 0), run("long", 1, history(400))], "short")
    card = child(area, FigureCard, "metaLossCard")
    wide = card.canvas.getPlotItem().getViewBox().viewRange()[0][1]
    button = next(one for one in card.findChildren(QToolButton, "legendEntry") if one.property("entry") == "long")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert card.canvas.hidden == {"long"}
    assert card.canvas.getPlotItem().getViewBox().viewRange()[0][1] < wide
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert card.canvas.hidden == set()


def test_legend_entries_without_room_are_in_a_menu(area: PlotArea) -> None:
    area.show_runs([run(f"a run with a long name {number}", number) for number in range(12)], None)
    card = child(area, FigureCard, "metaLossCard")
    more = child(card, QToolButton, "legendMore")
    assert more.isVisible()
    more.menu().aboutToShow.emit()
    actions = more.menu().actions()
    assert len(actions) == 12
    actions[11].setChecked(False)
    assert card.canvas.hidden == {"a run with a long name 11"}


def test_new_numbers_leave_a_view_that_a_person_moved_where_it_is(area: PlotArea, qtbot: QtBot) -> None:
    one = run()
    area.show_runs([one], one.id)
    canvas = child(area, FigureCard, "metaLossCard").canvas
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    zoomed = canvas.getPlotItem().getViewBox().viewRange()
    one.history.add(block(201, 400))
    area.tick()
    assert canvas.getPlotItem().getViewBox().viewRange() == zoomed
    assert child(canvas, QToolButton, "resetView").isVisible()
    qtbot.keyClick(canvas, Qt.Key.Key_A)
    assert canvas.getPlotItem().getViewBox().viewRange()[0][1] > 600
    assert not canvas.is_moved


def test_a_double_click_shows_everything_again(area: PlotArea, qtbot: QtBot) -> None:
    area.show_runs([run()], "maml-0001")
    canvas = child(area, FigureCard, "metaLossCard").canvas
    before = canvas.getPlotItem().getViewBox().viewRange()
    qtbot.keyClick(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert canvas.getPlotItem().getViewBox().viewRange() != before
    qtbot.mouseDClick(canvas.viewport(), Qt.MouseButton.LeftButton, pos=canvas.viewport().rect().center())
    assert canvas.getPlotItem().getViewBox().viewRange() == before


def test_the_crosshair_reads_every_curve_by_mouse_and_by_keyboard(area: PlotArea, qtbot: QtBot) -> None:
    area.show_runs([run("one", 0), run("two", 1)], "one")
    canvas = child(area, FigureCard, "metaLossCard").canvas
    canvas.read_at(QPointF(canvas.rect().center()))
    assert "iteration 8" in canvas.readout_text
    assert "one, smoothed" in canvas.readout_text
    assert "two, smoothed" in canvas.readout_text
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert canvas.readout_text == ""
    steps = child(area, FigureCard, "adaptationCard").canvas
    for _ in range(4):
        qtbot.keyClick(steps, Qt.Key.Key_Right)
    assert "inner step 3" in steps.readout_text
    qtbot.keyClick(steps, Qt.Key.Key_Left)
    assert "inner step 2" in steps.readout_text
    qtbot.keyClick(steps, Qt.Key.Key_Escape)
    assert steps.readout_text == ""


def test_a_card_fills_the_tab_and_goes_back(area: PlotArea, qtbot: QtBot) -> None:
    area.show_runs([run()], "maml-0001")
    loss, other = child(area, Card, "metaLossCard"), child(area, Card, "probesCard")
    header = child(loss, QWidget, "header")
    qtbot.mouseDClick(header, Qt.MouseButton.LeftButton)
    assert loss.isVisible()
    assert not other.isVisible()
    qtbot.keyClick(child(loss, QToolButton, "maximize"), Qt.Key.Key_Space)
    assert other.isVisible()


def test_a_plot_is_saved_as_a_picture_a_drawing_and_numbers(area: PlotArea, tmp_path: Path) -> None:
    area.show_runs([run()], "maml-0001")
    saver = child(area, FigureCard, "metaLossCard").saver
    saver.save_image(tmp_path / "loss.png")
    assert colors_in(QImage(str(tmp_path / "loss.png"))) > 10
    saver.save_vector(tmp_path / "loss.svg")
    drawing = (tmp_path / "loss.svg").read_text()
    assert "Meta-loss" in drawing
    assert drawing.count("<p") > 20
    saver.save_data(tmp_path / "loss.csv")
    assert len((tmp_path / "loss.csv").read_text().splitlines()) == 401
    with pytest.raises(OSError, match="choose another folder"):
        saver.save_image(tmp_path / "nowhere" / "loss.png")
    saver.copy_data()
    assert QGuiApplication.clipboard().text().startswith("series,iteration")


def test_the_menu_offers_what_can_be_done_with_a_plot(area: PlotArea) -> None:
    area.show_runs([run()], "maml-0001")
    canvas = child(area, FigureCard, "metaLossCard").canvas
    canvas.menu_asked.emit(canvas.mapToGlobal(canvas.rect().center()))
    menu = QApplication.activePopupWidget()
    assert menu is not None
    assert {"resetView", "copyImage", "saveImage", "saveVector", "saveData"} <= {
        action.objectName() for action in menu.actions()}
    menu.close()
