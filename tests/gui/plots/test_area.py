"""The plots of the window, driven as a person drives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QSlider, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.plots.histories import block, history, run
from workbench.engine.events import Steps
from workbench.exports.figures import meta_loss
from workbench.gui.plots.area import PlotArea
from workbench.gui.plots.card import Card, FigureCard, entries
from workbench.gui.plots.pictures import PicturesView
from workbench.gui.plots.results import ResultsTable
from workbench.gui.plots.rota import GAP, Rota
from workbench.gui.plots.shown import ShownRun
from workbench.gui.theme import DARK, LIGHT, Theme
from workbench.runs.history import History

Found = TypeVar("Found", bound=QWidget)
TABS = ("Live", "Task", "Inside", "Compare")
RUNS: dict[str, Callable[[], list[ShownRun]]] = {
    "empty": list,
    "waiting": lambda: [run(one=History())],
    "running": lambda: [run(), run("other", 1)],
    "finished": lambda: [run(one=history(is_finished=True))],
    "regression": lambda: [run(one=history(metric="mse", is_finished=True))],
    "vectors": lambda: [run(one=history(vectors=True))],
    "without_inner_steps": lambda: [run(one=history(inner=0, is_finished=True))],
}


@pytest.fixture
def area(qtbot: QtBot) -> Iterator[PlotArea]:
    made = PlotArea(LIGHT)
    made.resize(1080, 600)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


def child(area: QWidget, kind: type[Found], name: str) -> Found:
    found = area.findChild(kind, name)
    assert found is not None, f"there is no {kind.__name__} called {name}"
    return found


def open_tab(area: PlotArea, title: str) -> None:
    area.tabs.setCurrentIndex(TABS.index(title))


def colors_in(image: QImage) -> int:
    wide = image.convertToFormat(QImage.Format.Format_RGB32)
    return len(np.unique(np.frombuffer(wide.constBits(), np.uint32)))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("state", RUNS)
def test_every_tab_draws_every_state_in_every_theme(area: PlotArea, tab: str, state: str, theme: Theme) -> None:
    runs = RUNS[state]()
    open_tab(area, tab)
    area.show_runs(runs, runs[0].id if runs else None)
    area.set_theme(theme)
    assert colors_in(area.grab().toImage()) > 10
    for card in area.findChildren(Card):
        if card.isVisible() and state == "empty":
            assert card.note
    if state in ("running", "finished"):
        assert not any(card.note for card in area.findChildren(Card)
                       if card.isVisible() and card.objectName() not in ("testCard", "insideCard"))


def test_every_control_has_a_name_a_tooltip_and_can_be_reached_by_keyboard(area: PlotArea) -> None:
    area.show_runs([run(), run("other", 1)], "other")
    for tab in TABS:
        open_tab(area, tab)
        for kind in (QToolButton, QSlider, QComboBox):
            for control in area.findChildren(kind):
                if not control.isVisible() or control.objectName().startswith(("qt_", "Scroll")):
                    continue
                assert control.objectName(), f"a {kind.__name__} has no name"
                assert control.accessibleName(), f"{control.objectName()} has no accessible name"
                assert control.toolTip(), f"{control.objectName()} has no tooltip"
                assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, f"{control.objectName()} takes no focus"


def test_a_tick_repaints_the_one_plot_whose_numbers_moved(area: PlotArea) -> None:
    one = run()
    area.show_runs([one], one.id)
    one.history.add(block(201, 10))
    stale = [pane for pane in area.live.panes if pane.is_stale()]
    assert len(stale) == 3
    area.tick()
    assert sum(pane.is_stale() for pane in area.live.panes) == 2
    for _ in range(4):
        area.tick()
    assert not any(pane.is_stale() for pane in area.live.panes)
    figure = child(area, FigureCard, "metaLossCard").canvas.figure
    assert len(figure.series[0].x) == 210


def test_hidden_tabs_are_drawn_when_they_are_opened_and_not_before(area: PlotArea) -> None:
    one = run()
    area.show_runs([one], one.id)
    assert area.compare.panes[0].is_stale()
    area.tick()
    assert area.compare.panes[0].is_stale()
    open_tab(area, "Compare")
    assert not area.compare.panes[0].is_stale()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowPane:
    def __init__(self, clock: Clock, cost: float) -> None:
        self.clock, self.cost, self.painted = clock, cost, list[float]()

    name = "slow"

    def is_stale(self) -> bool:
        return True

    painting_seconds = 0.0

    def paint(self) -> None:
        self.painted.append(self.clock.now)
        self.clock.now += self.cost


def test_other_runs_are_painted_one_plot_a_tick_where_ticks_come(area: PlotArea) -> None:
    area.show_runs([run("other", 1)], "other", at_once=False)
    stale = [sum(pane.is_stale() for pane in area.live.panes)]
    while stale[-1]:
        area.tick()
        stale.append(sum(pane.is_stale() for pane in area.live.panes))
    assert stale == [4, 3, 2, 1, 0]


def test_panes_take_turns_and_none_waits_longer_than_half_a_second() -> None:
    clock = Clock()
    panes = [SlowPane(clock, cost) for cost in (0.001, 0.012, 0.012, 0.012)]
    rota = Rota(clock)
    for tick in range(200):
        clock.now = max(clock.now, tick * 0.05)
        rota.turn(panes)
    for pane in panes:
        assert np.diff(pane.painted).max() <= 0.5
        assert np.diff(pane.painted).min() >= GAP - 1e-9
    assert GAP < 0.5


class Paintings(QObject):
    """Counts how often a widget is painted."""

    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - as Qt calls it
        self.count += event.type() == QEvent.Type.Paint
        return False


def test_a_plot_that_follows_its_run_is_painted_once_a_turn(area: PlotArea) -> None:
    shown = run()
    area.show_runs([shown], shown.id)
    for _ in range(3):
        QApplication.processEvents()
    for pane in area.live.panes[:2]:
        viewport = pane.card.canvas.viewport()  # type: ignore[attr-defined]
        paintings = Paintings()
        viewport.installEventFilter(paintings)
        for turn in range(1, 4):
            values = np.linspace(0.5, 0.4, 20)
            shown.history.add(Steps(shown.history.step + 1, values, values, values, values,
                                    shown.history.seconds + 1))
            pane.paint()
            for _ in range(3):
                QApplication.processEvents()
            assert paintings.count == turn
        assert pane.painting_seconds > 0


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


def test_the_inner_step_slider_moves_the_fitted_function(area: PlotArea, qtbot: QtBot) -> None:
    area.show_runs([run(one=history(metric="mse"))], "maml-0001")
    open_tab(area, "Task")
    canvas = child(area, FigureCard, "functionCard").canvas
    slider = child(area, QSlider, "innerStep")
    fitted = {}
    for step in (3, 0):
        slider.setValue(step)
        fitted[step] = next(series.y for series in canvas.figure.series if series.role == "smoothed")
        assert child(area, QLabel, "innerStepWords").text() == f"{step} of 3"
    assert not fitted[0].any()
    assert fitted[3].any()
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert slider.value() == 1


def test_the_training_slider_follows_training_until_it_is_moved(area: PlotArea) -> None:
    one = run(one=history(100))
    area.show_runs([one], one.id)
    open_tab(area, "Task")
    slider, words = child(area, QSlider, "trainingMoment"), child(area, QLabel, "momentWords")
    assert words.text() == "iteration 100, now"
    longer = history(200)
    one.history.probes[:] = longer.probes
    area.tick()
    assert words.text() == "iteration 200, now"
    slider.setValue(0)
    assert words.text() == "iteration 20"
    one.history.probes.append(longer.probes[-1])
    area.tick()
    assert words.text() == "iteration 20"


def test_pictures_are_shown_with_what_they_are_taken_for(area: PlotArea) -> None:
    area.show_runs([run()], "maml-0001")
    open_tab(area, "Task")
    view, card = child(area, PicturesView, "pictures"), child(area, Card, "picturesCard")
    assert view.isVisible()
    assert "10 of 10 right" in card.facts
    assert "character 3: taken for character 3 with 100 %, right" in view.accessibleDescription()
    child(area, QSlider, "innerStep").setValue(0)
    assert "2 of 10 right" in card.facts
    assert "wrong" in view.accessibleDescription()
    child(area, QComboBox, "taskChoice").setCurrentIndex(1)
    assert view.task is not None
    assert view.task.title == "task 1"


def test_compare_draws_against_what_is_chosen_and_sorts_its_table(area: PlotArea) -> None:
    runs = [run("good", 0, history(300, is_finished=True)), run("young", 1, history(100))]
    area.show_runs(runs, None)
    open_tab(area, "Compare")
    child(area, QComboBox, "against").setCurrentIndex(2)
    assert child(area, FigureCard, "comparisonCard").canvas.figure.x_label == "training tasks seen"
    table = child(area, ResultsTable, "resultsTable")
    lines = table.copy_text().splitlines()
    assert lines[1].split("\t") == ["good", "75.0 ± 2.0 %", "75.0 ± 2.0 %", "50.0 ± 3.0 %", "75.0 ± 1.0 %", "1,000",
                                   "300", "0:03"]
    assert lines[2].split("\t")[:2] == ["young", "–"]
    table.sortByColumn(6, Qt.SortOrder.AscendingOrder)
    assert table.copy_text().splitlines()[1].startswith("young")


def test_what_a_person_set_is_kept_and_nonsense_is_passed_over(area: PlotArea, qtbot: QtBot) -> None:
    area.restore_state({"tab": "Compare", "Live": {"smoothing": 0.99, "is_log": True, "quantity": "metric",
                                                  "maximized": "probesCard"}, "Compare": {"against": "seconds"}})
    saved = area.save_state()
    other = PlotArea(DARK)
    qtbot.addWidget(other)
    other.restore_state(saved)
    assert other.save_state() == saved
    assert other.tabs.tabText(other.tabs.currentIndex()) == "Compare"
    assert (other.live.smoothing, other.live.is_log, other.live.maximized) == (0.99, True, "probesCard")
    other.restore_state({"tab": 7, "Live": {"smoothing": "much", "quantity": None, "maximized": 3}, "Compare": []})
    assert other.live.smoothing == 0.99


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_runs_of_one_color_differ_in_their_dash_everywhere(area: PlotArea, theme: Theme) -> None:
    count = len(theme.series)
    runs = [run(f"run {index}", index, history(is_finished=True)) for index in range(2 * count + 1)]
    area.set_theme(theme)
    area.show_runs(runs, None)
    card = child(area, FigureCard, "metaLossCard")
    marks = {series.color: card.canvas._marks[series.name] for series in card.canvas.figure.series
             if series.role == "smoothed"}
    pens = [marks[index]._curve.opts["pen"] for index in range(2 * count + 1)]
    assert {pen.color().name() for pen in pens[::count]} == {theme.series[0].lower()}
    assert len({tuple(pen.dashPattern()) for pen in pens[::count]}) == 3
    assert all(pen.style() == Qt.PenStyle.SolidLine for pen in pens[:count])
    assert len({(entry.color, entry.dash) for entry in entries(card.canvas.figure, theme)}) == len(runs)
    open_tab(area, "Compare")
    table = child(area, ResultsTable, "resultsTable").model()
    pictures = [table.index(row, 0).data(Qt.ItemDataRole.DecorationRole).pixmap(20, 20).toImage()
                for row in range(0, 2 * count + 1, count)]
    assert pictures[0] != pictures[1] != pictures[2] != pictures[0]


class PaintCounter(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        self.count += event.type() == QEvent.Type.Paint
        return False


def test_a_plot_is_repainted_ten_thousand_times(qtbot: QtBot) -> None:
    """PySide6 6.12.0 lost a reference to None at every call without a result and aborted after some dozens."""
    card = FigureCard("small", LIGHT)
    qtbot.addWidget(card)
    card.resize(160, 120)
    counter = PaintCounter()
    card.canvas.viewport().installEventFilter(counter)
    with qtbot.waitExposed(card):
        card.show()
    figure = meta_loss([run(one=history(20))], 0.9)
    card.show_figure(figure)
    for number in range(10_000):
        if number % 20 == 0:
            card.canvas.draw(figure)
        card.canvas.viewport().repaint()
    assert counter.count >= 10_000
