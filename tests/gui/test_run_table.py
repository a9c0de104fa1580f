"""The table of runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SHORT, tables
from tests.gui.plots.histories import history
from workbench.experiment.resolve import resolve
from workbench.gui.run_pane import RunPane
from workbench.gui.run_rows import NAME, RESULT, STATE, STATES, STEPS, TICK, TIME, titles
from workbench.gui.run_table import RunTableModel
from workbench.gui.theme import DARK, LIGHT
from workbench.runs.store import Run, RunStore
from workbench.runs.summary import Status, Summary


def add(store: RunStore, **summary: object) -> Run:
    """A run on disk that was left in some state."""
    run = store.create(resolve(SHORT))
    run.write_summary(Summary(iterations=40, **summary))  # type: ignore[arg-type]
    return run


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A folder of three runs."""
    made = RunStore(tmp_path / "runs")
    add(made, status="finished", steps=40, seconds=62.0, metric="mse", mean=0.41, ci95=0.03, tasks=8)
    add(made, status="failed", steps=3, message="training diverged")
    add(made, status="stopped", steps=20, metric="accuracy", validation=0.93)
    return made


@pytest.fixture
def model(qtbot: QtBot, store: RunStore) -> RunTableModel:
    """The three runs as a model that a tester watches."""
    made = RunTableModel(LIGHT)
    tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal, made)
    assert tester.model() is made
    made.set_runs(store.runs(), {"maml-sinusoids-0001": 0})
    return made


def text(model: RunTableModel, row: int, column: int) -> str:
    """What a cell shows."""
    return str(model.index(row, column).data())


def test_the_newest_run_stands_on_top(model: RunTableModel) -> None:
    assert [text(model, row, NAME) for row in range(3)] == [f"maml-sinusoids-000{i}" for i in (3, 2, 1)]


def test_results_steps_and_times_are_written_out(model: RunTableModel) -> None:
    assert text(model, 2, RESULT) == "0.410 ± 0.030" or text(model, 2, RESULT) == "0.41 ± 0.03"
    assert text(model, 2, STEPS) == "40"
    assert text(model, 2, TIME) == "1:02"
    assert text(model, 0, RESULT) == "validation 93.0 %"
    assert text(model, 0, STEPS) == "20 / 40"


@pytest.mark.parametrize("status", list(STATES))
def test_a_state_is_an_icon_a_word_and_a_color(qtbot: QtBot, tmp_path: Path, status: Status) -> None:
    store = RunStore(tmp_path / "runs")
    run = add(store, status=status)
    model = RunTableModel(LIGHT)
    model.set_runs([run], {})
    shown = dict.fromkeys(("running", "testing", "paused"), "Interrupted").get(status, STATES[status][1])
    cell = model.index(0, STATE)
    assert cell.data() == shown
    assert not cell.data(Qt.ItemDataRole.DecorationRole).isNull()
    assert isinstance(cell.data(Qt.ItemDataRole.ForegroundRole), QColor)


@pytest.mark.parametrize(("dataset", "data"), [
    ({"name": "table", "path": "/data/minerals"}, "minerals 4w5s"),
    ({"name": "task_tables", "path": "/data/sales.csv"}, "sales.csv"),
    ({"name": "omniglot", "path": "/data/strokes"}, "Omniglot 4w1s"),
    ({"name": "table"}, "Table 4w5s"),
])
def test_own_data_are_called_as_their_file_or_folder(dataset: dict[str, str], data: str) -> None:
    assert titles(resolve({"dataset": dataset, "algorithm": {"name": "maml"}, "task": {"ways": 4}}))[0] == data


def test_why_a_run_failed_is_its_tooltip(model: RunTableModel) -> None:
    assert model.index(1, STATE).data(Qt.ItemDataRole.ToolTipRole) == "training diverged"


def test_a_tick_takes_the_lowest_color_that_no_run_has_had(qtbot: QtBot, model: RunTableModel) -> None:
    with qtbot.waitSignal(model.ticks_changed):
        model.setData(model.index(0, TICK), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert {row.run.id: color for row, color in model.drawn()} == {"maml-sinusoids-0001": 0, "maml-sinusoids-0003": 1}
    model.tick("maml-sinusoids-0001", is_on=False)
    model.tick("maml-sinusoids-0002")
    assert {row.run.id: color for row, color in model.drawn()} == {"maml-sinusoids-0003": 1, "maml-sinusoids-0002": 2}
    model.tick("maml-sinusoids-0001")
    assert model.drawn()[0][1] == 0


def test_a_run_is_drawn_in_the_color_of_the_last_time(model: RunTableModel, store: RunStore) -> None:
    model.set_guest("maml-sinusoids-0003")
    model.tick("maml-sinusoids-0002")
    assert {row.run.id: color for row, color in model.drawn()} == {"maml-sinusoids-0001": 0, "maml-sinusoids-0002": 2,
                                                                   "maml-sinusoids-0003": 1}
    fresh = RunTableModel(LIGHT)
    fresh.set_runs(store.runs(), {}, model.colors)
    for run_id, color in (("maml-sinusoids-0003", 1), ("maml-sinusoids-0002", 2), ("maml-sinusoids-0001", 0)):
        fresh.set_guest(run_id)
        assert [known for _, known in fresh.drawn()] == [color]


def test_more_runs_than_colors_take_what_is_free(qtbot: QtBot, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    for _ in range(len(LIGHT.series) + 2):
        add(store, status="stopped")
    model = RunTableModel(LIGHT)
    model.set_runs(store.runs(), {})
    for run in store.runs():
        model.set_guest(run.id)
        (_, color), = model.drawn()
        assert color < len(LIGHT.series)


def test_a_selected_row_leaves_the_color_of_its_run_alone(model: RunTableModel) -> None:
    icon = model.index(2, NAME).data(Qt.ItemDataRole.DecorationRole)
    selected = icon.pixmap(QSize(16, 16), QIcon.Mode.Selected).toImage()
    assert selected == icon.pixmap(QSize(16, 16), QIcon.Mode.Normal).toImage()
    assert selected.pixelColor(8, 8).name() == LIGHT.series[0].lower()


def test_the_run_that_is_looked_at_is_drawn_without_a_tick(model: RunTableModel) -> None:
    model.set_guest("maml-sinusoids-0003")
    assert [(row.run.id, color) for row, color in model.drawn()] == [("maml-sinusoids-0001", 0),
                                                                     ("maml-sinusoids-0003", 1)]
    model.set_guest("")
    assert len(model.drawn()) == 1


def test_a_swatch_tells_runs_of_one_color_apart(qtbot: QtBot, store: RunStore) -> None:
    model = RunTableModel(LIGHT)
    model.set_runs(store.runs(), {run.id: index * len(LIGHT.series) for index, run in enumerate(store.runs())})
    icons = [model.index(row, NAME).data(Qt.ItemDataRole.DecorationRole) for row in range(3)]
    pictures = [icon.pixmap(48, 48).toImage() for icon in icons]
    assert pictures[0] != pictures[1] != pictures[2] != pictures[0]
    inks = [{picture.pixelColor(x, 24).name() for x in range(48) if picture.pixelColor(x, 24).alpha() == 255}
            for picture in pictures]
    assert inks == [{LIGHT.series[0].lower()}] * 3


def test_runs_come_and_go(model: RunTableModel, store: RunStore) -> None:
    model.add(store.create(resolve(tables(iterations=7))))
    assert text(model, 0, STEPS) == "0 / 7"
    model.remove("maml-sinusoids-0001")
    assert model.rowCount() == 3
    model.refresh("maml-sinusoids-0002")
    model.set_theme(DARK)


def test_a_run_that_gets_on_has_its_numbers_painted_anew_and_the_rest_when_its_state_changes(
        model: RunTableModel) -> None:
    first: list[int] = []
    model.dataChanged.connect(lambda begin, _: first.append(begin.column()))
    run_id = "maml-sinusoids-0003"
    for is_testing in (False, False, True, True):
        model.refresh(run_id, history(), 3.0, is_testing=is_testing)
    assert first == [NAME, RESULT, NAME, RESULT]


def test_a_run_whose_files_are_damaged_is_shown_as_such(model: RunTableModel, store: RunStore) -> None:
    broken = store.runs()[0]
    (broken.folder / "experiment.toml").write_text("[dataset", encoding="utf8")
    fresh = RunTableModel(LIGHT)
    fresh.set_runs(store.runs(), {})
    row = fresh.row(broken.id)
    assert row is not None
    assert "cannot be read" in row.summary.message


@pytest.fixture
def pane(qtbot: QtBot, model: RunTableModel) -> RunPane:
    """The table as it is used."""
    made = RunPane(model)
    qtbot.addWidget(made)
    made.resize(900, 300)
    made.show()
    return made


def test_the_space_bar_ticks_the_run_that_is_looked_at(qtbot: QtBot, pane: RunPane) -> None:
    pane.focus("maml-sinusoids-0002")
    qtbot.keyClick(pane.table, Qt.Key.Key_Space)
    assert [row.run.id for row, _ in pane.model.drawn()] == ["maml-sinusoids-0001", "maml-sinusoids-0002"]


def test_the_return_key_opens_the_menu_of_the_run(qtbot: QtBot, pane: RunPane) -> None:
    pane.focus("maml-sinusoids-0002")
    with qtbot.waitSignal(pane.menu_requested):
        qtbot.keyClick(pane.table, Qt.Key.Key_Return)


def test_rows_sort_by_what_they_mean(pane: RunPane) -> None:
    pane.table.sortByColumn(STEPS, Qt.SortOrder.DescendingOrder)
    model = pane.table.model()
    assert [model.index(row, NAME).data() for row in range(3)] == [f"maml-sinusoids-000{i}" for i in (1, 3, 2)]


def test_the_newest_run_stands_on_top_without_an_arrow_until_a_column_is_sorted(pane: RunPane, store: RunStore) -> None:
    header, model = pane.table.horizontalHeader(), pane.table.model()
    pane.model.add(store.create(resolve(SHORT)))
    assert header.sortIndicatorSection() == -1
    assert [model.index(row, NAME).data()[-1] for row in range(4)] == ["4", "3", "2", "1"]
    pane.table.sortByColumn(NAME, Qt.SortOrder.AscendingOrder)
    assert [model.index(row, NAME).data()[-1] for row in range(4)] == ["1", "2", "3", "4"]
    pane.restore_columns(pane.columns_state())
    assert header.sortIndicatorSection() == NAME


def test_an_empty_table_says_what_will_come_and_offers_to_start(qtbot: QtBot) -> None:
    pane = RunPane(RunTableModel(LIGHT))
    qtbot.addWidget(pane)
    pane.show()
    assert not pane.table.isVisible()
    button = pane.findChild(type(pane).__mro__[1], "empty.start")
    assert button is not None
    with qtbot.waitSignal(pane.start_requested):
        button.click()  # type: ignore[attr-defined]


def test_columns_are_remembered(qtbot: QtBot, pane: RunPane) -> None:
    pane.table.horizontalHeader().resizeSection(STATE, 177)
    state = pane.columns_state()
    pane.reset_columns()
    pane.restore_columns(state)
    assert pane.table.horizontalHeader().sectionSize(STATE) == 177
    pane.restore_columns("no state of Qt's")
