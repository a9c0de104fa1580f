"""The tabs of plots: every one in every state and theme, what the Task and Compare tabs show, and what is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QSlider, QToolButton
from pytestqt.qtbot import QtBot

from tests.gui.plots.helpers import TABS, child, colors_in, open_tab
from tests.gui.plots.histories import history, run
from workbench.gui.plots.area import PlotArea
from workbench.gui.plots.card import Card, FigureCard, entries
from workbench.gui.plots.pictures import PicturesView
from workbench.gui.plots.results import ResultsTable
from workbench.gui.plots.shown import ShownRun
from workbench.gui.theme import DARK, LIGHT, Theme
from workbench.runs.history import History

RUNS: dict[str, Callable[[], list[ShownRun]]] = {
    "empty": list,
    "waiting": lambda: [run(one=History())],
    "running": lambda: [run(), run("other", 1)],
    "finished": lambda: [run(one=history(is_finished=True))],
    "regression": lambda: [run(one=history(metric="mse", is_finished=True))],
    "vectors": lambda: [run(one=history(vectors=True))],
    "without_inner_steps": lambda: [run(one=history(inner=0, is_finished=True))],
}


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
    pens = [marks[index]._curve.line_pen for index in range(2 * count + 1)]
    assert {pen.color().name() for pen in pens[::count]} == {theme.series[0].lower()}
    assert len({tuple(pen.dashPattern()) for pen in pens[::count]}) == 3
    assert all(pen.style() == Qt.PenStyle.SolidLine for pen in pens[:count])
    assert len({(entry.color, entry.dash) for entry in entries(card.canvas.figure, theme)}) == len(runs)
    open_tab(area, "Compare")
    table = child(area, ResultsTable, "resultsTable").model()
    pictures = [table.index(row, 0).data(Qt.ItemDataRole.DecorationRole).pixmap(20, 20).toImage()
                for row in range(0, 2 * count + 1, count)]
    assert pictures[0] != pictures[1] != pictures[2] != pictures[0]
