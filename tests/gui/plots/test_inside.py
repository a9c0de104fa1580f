"""What a method learned, looked at in the window: the drawings of a method from another package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QGuiApplication, QImage, QResizeEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QSlider
from pytestqt.qtbot import QtBot

from tests.gui.plots.helpers import child, colors_in
from tests.gui.plots.histories import history, run
from tests.plugins import install
from workbench.engine.events import Failed
from workbench.engine.trainer import train
from workbench.experiment import registry
from workbench.experiment.resolve import resolve, with_settings
from workbench.exports.heat import Heat
from workbench.gui.plots.area import PlotArea
from workbench.gui.plots.card import FigureCard
from workbench.gui.plots.heat import HeatCard
from workbench.gui.plots.heat_canvas import HeatCanvas
from workbench.gui.plots.heat_colors import color_table, colors
from workbench.gui.plots.names_axis import NameAxis, shortened
from workbench.gui.plots.shown import ShownRun
from workbench.gui.plots.style import font
from workbench.gui.theme import DARK, LIGHT, Theme
from workbench.runs.history import History

DRAWINGS = {"Change of parameters": "map", "Similarity": "map", "Distance": "bars across", "Sizes": "bars up",
            "Weights": "line"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> ShownRun:
    """A run of a method that another package brings, trained here."""
    site = tmp_path_factory.mktemp("site")
    install(site, "drawing-maml", "drawing_maml = tests.gui.plots.drawing_maml:DrawingMAML")
    sys.path.insert(0, str(site))
    registry.found.cache_clear()
    try:
        experiment = resolve(with_settings({}, [
            "algorithm=drawing_maml", "dataset=sinusoids", "backbone.widths=16,12", "algorithm.inner_steps=2",
            "training.iterations=6", "training.meta_batch=2", "training.validation_tasks=2", "evaluation.tasks=2",
            "evaluation.probe_tasks=2", "training.validate_every=3", "device=cpu"]))
        made = History()
        for event in train(experiment):
            assert not isinstance(event, Failed), event.message
            made.add(event)
    finally:
        sys.path.remove(str(site))
        registry.found.cache_clear()
    return ShownRun("drawing_maml-0001", "drawing_maml-0001", made, 0)


@pytest.fixture
def area(qtbot: QtBot, drawn: ShownRun) -> Iterator[PlotArea]:
    made = PlotArea(LIGHT)
    made.resize(1080, 600)
    qtbot.addWidget(made)
    made.show()
    made.show_runs([drawn], drawn.id)
    made.tabs.setCurrentWidget(made.inside)
    yield made
    made.close()


def choose(area: PlotArea, title: str) -> HeatCanvas:
    child(area, QComboBox, "drawingChoice").setCurrentText(title)
    QApplication.processEvents()
    return child(area, HeatCard, "insideCard").canvas


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("title", DRAWINGS)
def test_every_form_of_drawing_is_drawn_in_every_theme(area: PlotArea, title: str, theme: Theme) -> None:
    canvas = choose(area, title)
    area.set_theme(theme)
    assert canvas.heat.form == DRAWINGS[title]
    card = child(area, HeatCard, "insideCard")
    assert not card.note
    assert card.about
    assert colors_in(card.grab().toImage()) > 20


def test_the_controls_move_the_drawing_over_tasks_inner_steps_and_training(area: PlotArea) -> None:
    canvas = choose(area, "Distance")
    inner, moment = child(area, QSlider, "insideInnerStep"), child(area, QSlider, "insideTrainingMoment")
    last = canvas.heat.values.copy()
    assert last.any()
    child(area, QComboBox, "insideTaskChoice").setCurrentIndex(1)
    assert not np.array_equal(canvas.heat.values, last)
    inner.setValue(0)
    assert not canvas.heat.values.any()
    assert child(area, QLabel, "insideInnerStepWords").text() == "0 of 2"
    inner.setValue(inner.maximum())
    moment.setValue(0)
    assert child(area, QLabel, "insideMomentWords").text() == "iteration 0"
    assert child(area, HeatCard, "insideCard").facts.startswith("task 2 · iteration 0 · inner step 2 of 2")


def test_both_tabs_that_look_at_a_task_look_at_the_same(area: PlotArea) -> None:
    child(area, QComboBox, "insideTaskChoice").setCurrentIndex(1)
    child(area, QSlider, "insideInnerStep").setValue(1)
    area.tabs.setCurrentWidget(area.task)
    assert child(area, QComboBox, "taskChoice").currentIndex() == 1
    slider = child(area, QSlider, "innerStep")
    assert slider.value() == 1
    slider.setValue(0)
    area.tabs.setCurrentWidget(area.inside)
    assert child(area, QSlider, "insideInnerStep").value() == 0


def test_what_is_meta_learned_has_no_choice_of_a_task(area: PlotArea) -> None:
    for title, is_shown in (("Sizes", False), ("Distance", True)):
        choose(area, title)
        assert child(area, QComboBox, "insideTaskChoice").isVisible() is is_shown
        assert child(area, QSlider, "insideInnerStep").isVisible() is is_shown
        assert child(area, QSlider, "insideTrainingMoment").isVisible()


def test_a_run_that_draws_nothing_and_no_run_at_all_say_so(area: PlotArea, drawn: ShownRun) -> None:
    card = child(area, HeatCard, "insideCard")
    plain = run(one=history())
    area.show_runs([plain], plain.id)
    assert "nothing special to draw" in card.note
    assert not child(area, QComboBox, "drawingChoice").isVisible()
    area.show_runs([], None)
    assert "is drawn here" in card.note
    waiting = run(one=History())
    area.show_runs([waiting], waiting.id)
    assert card.note
    area.show_runs([drawn], drawn.id)
    assert not card.note


def test_the_crosshair_reads_a_cell_by_mouse_and_by_keyboard(area: PlotArea, qtbot: QtBot) -> None:
    canvas = choose(area, "Change of parameters")
    view = canvas.getPlotItem().getViewBox()
    canvas.read_at(QPointF(canvas.mapFromScene(view.mapViewToScene(QPointF(2.5, 4.5)))))
    assert canvas.cell == (4, 2)
    assert "head.weight" in canvas.readout_text
    assert f"{canvas.heat.values[4, 2]:,.4g}" in canvas.readout_text
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    assert canvas.cell == (5, 1)
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.readout_text == ""
    for title, key, cell in (("Distance", Qt.Key.Key_Down, (1, 0)), ("Sizes", Qt.Key.Key_Right, (0, 1)),
                             ("Weights", Qt.Key.Key_Right, (0, 1))):
        canvas = choose(area, title)
        canvas.leave()
        qtbot.keyClick(canvas, key)
        qtbot.keyClick(canvas, key)
        assert canvas.cell == cell
        canvas.read_at(QPointF(canvas.mapFromScene(view.mapViewToScene(canvas._cell_box(*cell).center()))))
        assert canvas.cell == cell
        assert f"{canvas.heat.values[cell]:,.4g}" in canvas.readout_text


def test_a_map_is_zoomed_and_reset_and_keeps_the_view_while_training_goes_on(area: PlotArea, qtbot: QtBot) -> None:
    canvas = choose(area, "Similarity")
    view = canvas.getPlotItem().getViewBox()
    whole = view.viewRange()
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    qtbot.keyClick(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(canvas, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    zoomed = view.viewRange()
    assert zoomed[0][1] - zoomed[0][0] < whole[0][1] - whole[0][0]
    assert zoomed[1][1] > whole[1][1] * 0.9
    child(area, QSlider, "insideInnerStep").setValue(0)
    assert view.viewRange() == zoomed
    qtbot.keyClick(canvas, Qt.Key.Key_A)
    assert view.viewRange() == whole


def test_a_drawing_is_saved_as_a_picture_a_drawing_and_numbers(area: PlotArea, tmp_path: Path) -> None:
    choose(area, "Change of parameters")
    saver = child(area, HeatCard, "insideCard").saver
    saver.save_image(tmp_path / "change.png")
    assert colors_in(QImage(str(tmp_path / "change.png"))) > 10
    saver.save_vector(tmp_path / "change.svg")
    assert "head.weight" in (tmp_path / "change.svg").read_text()
    saver.save_data(tmp_path / "change.csv")
    assert (tmp_path / "change.csv").read_text().splitlines()[-1].startswith("head.bias,")
    saver.copy_data()
    assert QGuiApplication.clipboard().text().startswith("layer \\ entry: change,1,2")
    canvas = child(area, HeatCard, "insideCard").canvas
    canvas.menu_asked.emit(canvas.mapToGlobal(canvas.rect().center()))
    menu = QApplication.activePopupWidget()
    assert menu is not None
    assert "saveVector" in {action.objectName() for action in menu.actions()}
    menu.close()


def test_numbers_that_are_none_are_left_clear_and_read_as_such(qtbot: QtBot) -> None:
    card = HeatCard("small", LIGHT)
    qtbot.addWidget(card)
    card.resize(400, 300)
    card.show()
    for values in (np.array([[1.0, np.nan], [np.inf, -2.0]]), np.array([[np.nan, np.inf, -1.0]]),
                   np.full((3, 1), np.nan), np.full((1, 99), np.nan), np.zeros((2, 2)), np.zeros((0, 0))):
        heat = Heat("x", values=values, limits=(-2.0, 2.0), note="nothing")
        card.show_heat(heat)
        card.canvas.step_reading(1, 1)
        assert not card.grab().toImage().isNull()
        assert bool(card.note) == heat.is_empty
    assert colors(np.array([[np.nan, 2.0]]), (-2.0, 2.0), LIGHT)[0, :, 3].tolist() == [0, 255]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("is_signed", [False, True])
def test_colours_go_one_way_in_lightness_so_that_nobody_needs_the_hue(theme: Theme, is_signed: bool) -> None:
    lightness = color_table(theme, is_signed=is_signed)[:, :3] @ np.array([0.2126, 0.7152, 0.0722])
    arms = (lightness[:129], lightness[128:]) if is_signed else (lightness,)
    for arm in arms:
        steps = np.diff(arm)
        assert (steps >= -0.6).all() or (steps <= 0.6).all()
        assert np.ptp(arm) > 90


def test_names_stay_whole_then_are_shortened_then_are_numbers(qtbot: QtBot) -> None:
    metrics = QFontMetrics(font(-1))
    names = [f"backbone.layers.{index}.weight" for index in range(3)]
    whole = metrics.horizontalAdvance(names[0]) + 2
    assert shortened(names, whole, metrics) == names
    short = shortened(names, whole // 2, metrics)
    assert len(set(short)) == 3
    assert all(metrics.horizontalAdvance(name) <= whole // 2 for name in short)
    assert shortened(names, 10, metrics) == []
    axis = NameAxis("bottom")
    axis.names, axis.count = tuple(names), 3
    assert axis.words(2.0 * whole) == (1, names)
    assert axis.words(12.0)[1] == ["1", "2", "3"]
    assert axis.words(3.0)[0] > 1
    axis.names = ("0", "5", "9")
    assert axis.words(3.0)[1] == ["0", "5", "9"]


def test_a_turn_of_training_is_labelled_within_the_plot(qtbot: QtBot) -> None:
    area = PlotArea(LIGHT)
    qtbot.addWidget(area)
    area.resize(1080, 600)
    area.show()
    runs = [run("early", 0, history(300, pretrained=10)), run("late", 1, history(200, pretrained=190))]
    area.show_runs(runs, None)
    QApplication.processEvents()
    canvas = child(area, FigureCard, "metaLossCard").canvas
    items = canvas._turns._items
    assert [turn.label for turn, _, _ in items] == ["examples | tasks"] * 2
    inside = canvas.getPlotItem().getViewBox().sceneBoundingRect().adjusted(-2, -2, 2, 2)
    for _, _, text in items:
        assert inside.contains(text.mapRectToScene(text.boundingRect()))
    area.show_runs([run()], None)
    assert not canvas._turns._items


def test_closing_lays_out_once_more_and_nothing_is_raised(qtbot: QtBot, capsys: pytest.CaptureFixture[str]) -> None:
    card = HeatCard("small", LIGHT)
    qtbot.addWidget(card)
    card.show_heat(Heat("x", values=np.eye(3)))
    card.show()
    card.canvas.close()
    QApplication.sendEvent(card.canvas, QResizeEvent(QSize(50, 50), QSize(60, 60)))
    card.close()
    assert "Error" not in capsys.readouterr().err
