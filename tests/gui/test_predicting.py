"""A new task, opened or dropped, that a run's learner predicts in the window."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SECONDS, SHORT, OpenWindow, drop, press, said
from workbench.experiment.resolve import resolve
from workbench.exports.learner import of_run
from workbench.exports.predictions import Predictions, predict_folder
from workbench.gui.predict_dialog import PredictDialog
from workbench.gui.theme import LIGHT
from workbench.gui.window import MainWindow
from workbench.places import sample_tasks
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunStore

NEW = sample_tasks() / "new_shapes"
ON_SHAPES = {"dataset": {"name": "image_folder", "path": str(sample_tasks() / "shapes")},
             "backbone": {"name": "conv4", "filters": 4}, "algorithm": {"name": "protonet"},
             "training": {"iterations": 2, "meta_batch": 1, "validation_tasks": 2, "executor": "vectorized"},
             "evaluation": {"tasks": 2, "probe_tasks": 1}}


def trained(runs_folder: Path, experiment: dict[str, Any]) -> Run:
    """A run of this experiment, from beginning to end."""
    made = RunStore(runs_folder).create(resolve(experiment))
    for _ in recorded(made):
        pass
    return made


@pytest.fixture
def run(runs_folder: Path) -> Run:
    """A run that was trained for a moment."""
    return trained(runs_folder, ON_SHAPES)


def shown(qtbot: QtBot, window: MainWindow) -> PredictDialog:
    """The predictions, ready."""
    qtbot.waitUntil(lambda: window.predicting.dialog is not None and not window._jobs.is_busy("predict"),
                    timeout=SECONDS)
    assert window.predicting.dialog is not None
    return window.predicting.dialog


def cell(dialog: PredictDialog, row: int, column: int, role: Qt.ItemDataRole = Qt.ItemDataRole.DisplayRole) -> Any:
    """What the table shows there."""
    model = dialog.table.model()
    return model.data(model.index(row, column), role)


def title(dialog: PredictDialog, column: int) -> str:
    """What a column is called."""
    return str(dialog.table.model().headerData(column, Qt.Orientation.Horizontal))


def rows(dialog: PredictDialog) -> int:
    """How many predictions there are."""
    return dialog.table.model().rowCount()


def test_a_new_task_that_is_dropped_is_predicted_and_saved(
        qtbot: QtBot, run: Run, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window()
    before = window.panel.form.draft.values()
    drop(window, NEW)
    dialog = shown(qtbot, window)
    expected = predict_folder(of_run(run), NEW)
    assert [cell(dialog, row, 0) for row in range(rows(dialog))] == list(expected.names)
    assert [cell(dialog, row, 1) for row in range(rows(dialog))] == expected.labels
    assert cell(dialog, 0, 2) == f"{100 * expected.outputs[0].max():.1f} %"
    assert all(cell(dialog, row, 0, Qt.ItemDataRole.DecorationRole) for row in range(rows(dialog)))
    assert said(dialog, "predict.facts").startswith("10 predictions, after adapting to 15 labelled examples of 5 "
                                                    "classes (key, ladder, mushroom, sun, wave). On its test tasks ")
    window.predicting.save_to(tmp_path / "said.csv")
    qtbot.waitUntil(lambda: said(dialog, "predict.saved") == f"Saved as {tmp_path / 'said.csv'}", timeout=SECONDS)
    with (tmp_path / "said.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["predicted"] for row in csv.DictReader(file)] == expected.labels
    assert window.panel.form.draft.values() == before
    dialog.close()


def test_a_file_of_other_contents_is_not_overwritten(
        qtbot: QtBot, run: Run, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window()
    window.predicting.open_folder(NEW, run.id)
    dialog = shown(qtbot, window)
    for text in ("my notes", "lines of\ran older Mac\r"):
        (tmp_path / "notes.csv").write_text(text, encoding="utf8", newline="")
        window.predicting.save_to(tmp_path / "notes.csv")
        qtbot.waitUntil(lambda: "so it is not overwritten" in said(dialog, "predict.saved"), timeout=SECONDS)
        assert (tmp_path / "notes.csv").read_bytes() == text.encode()
        dialog.show_saved(tmp_path)
    window.predicting.save_to(tmp_path / "notes.csv")
    dialog.close()
    qtbot.waitUntil(lambda: "The predictions were not saved: " in window.log.text().splitlines()[-1], timeout=SECONDS)


def test_a_run_without_a_learner_of_its_own_predicts_nothing(qtbot: QtBot, run: Run, open_window: OpenWindow) -> None:
    run.best.unlink()
    window = open_window()
    window.runs.focus(run.id)
    assert window.actions_["export"].isEnabled()
    assert not window.actions_["predict"].isEnabled()
    assert window.actions_["predict"].toolTip() == "The run has learned nothing yet."


def test_ten_thousand_predictions_are_put_into_words_only_where_they_are_in_view(qtbot: QtBot) -> None:
    count, asked = 10_000, []

    class Counting(Predictions):
        def words(self, row: int) -> list[str]:
            asked.append(row)
            return super().words(row)

    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = PredictDialog(LIGHT, parent)
    names = tuple(f"query.csv, line {line}" for line in range(count))
    dialog.show_predictions(Counting(names, ("a", "b"), np.full((count, 2), 0.5), 4, 1, ()), (), is_ink=False)
    dialog.show()
    assert rows(dialog) == count
    assert 0 < len(set(asked)) < 500
    dialog.close()


def test_another_run_is_picked_and_one_that_does_not_fit_says_why(
        qtbot: QtBot, run: Run, open_window: OpenWindow, runs_folder: Path, tmp_path: Path) -> None:
    other = trained(runs_folder, {**ON_SHAPES, "algorithm": {"name": "maml"}})
    three = tmp_path / "three"
    shutil.copytree(NEW, three)
    for name in ("key", "ladder"):
        shutil.rmtree(three / name)
    window = open_window()
    window.predicting.open_folder(three, run.id)
    dialog = shown(qtbot, window)
    assert "of 3 classes" in said(dialog, "predict.facts")
    assert {dialog.runs.itemText(row) for row in range(dialog.runs.count())} == {run.id, other.id}
    dialog.runs.setCurrentText(other.id)
    dialog.runs.activated.emit(dialog.runs.currentIndex())
    shown(qtbot, window)
    assert f"{other.id} tells 5 classes apart and {three} has 3" in dialog._note.words
    assert not dialog.save.isEnabled()
    dialog.close()


def test_a_new_task_with_nothing_trained_says_what_comes_first(qtbot: QtBot, window: MainWindow) -> None:
    drop(window, NEW)
    qtbot.waitUntil(lambda: "Train on a folder of many such tasks" in window.log.text(), timeout=SECONDS)
    assert window.predicting.dialog is None
    assert not window.actions_["predict"].isEnabled()


def test_values_are_predicted_in_the_unit_of_the_table(
        qtbot: QtBot, runs_folder: Path, open_window: OpenWindow) -> None:
    made = trained(runs_folder, {
        "dataset": {"name": "task_tables", "path": str(sample_tasks() / "machines"), "task": "machine"},
        "backbone": {"name": "mlp", "widths": [8]}, "algorithm": {"name": "ridge"},
        "training": {"iterations": 2, "meta_batch": 1, "validation_tasks": 2}, "evaluation": {"tasks": 2}})
    window = open_window()
    window.predicting.open_folder(sample_tasks() / "new_machine", made.id)
    dialog = shown(qtbot, window)
    last = dialog.table.model().columnCount() - 1
    assert title(dialog, last) == "temperature"
    with (sample_tasks() / "new_machine" / "support.csv").open(encoding="utf8", newline="") as file:
        degrees = [float(row["temperature"]) for row in csv.DictReader(file)]
    said_of = [float(cell(dialog, row, last)) for row in range(rows(dialog))]
    assert min(degrees) - 10 < sum(said_of) / len(said_of) < max(degrees) + 10
    dialog.close()


def test_rows_of_a_table_are_named_by_its_id_column(
        qtbot: QtBot, runs_folder: Path, open_window: OpenWindow) -> None:
    made = trained(runs_folder, {
        "dataset": {"name": "table", "path": str(sample_tasks() / "minerals")}, "algorithm": {"name": "protonet"},
        "training": {"iterations": 2, "meta_batch": 1, "validation_tasks": 2}, "evaluation": {"tasks": 2}})
    window = open_window()
    window.predicting.open_folder(sample_tasks() / "new_minerals", made.id)
    dialog = shown(qtbot, window)
    assert [title(dialog, column) for column in range(4)] == ["File", "specimen_id", "Predicted", "Probability"]
    assert cell(dialog, 0, 1) == "MS-4369"
    fonts = [cell(dialog, 0, column, Qt.ItemDataRole.FontRole) for column in range(4)]
    assert [font is not None and font.bold() for font in fonts] == [False, False, True, False]
    dialog.close()


def test_the_menu_predicts_with_the_run_that_is_looked_at(
        qtbot: QtBot, run: Run, open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    window = open_window()
    window.runs.focus(run.id)
    monkeypatch.setattr("workbench.gui.predict_desk.QFileDialog.getExistingDirectory", lambda *_: str(NEW))
    window.actions_["predict"].trigger()
    dialog = shown(qtbot, window)
    assert dialog.runs.currentText() == run.id
    press(dialog, "predict.close")
    assert window.predicting.dialog is None


def test_a_run_that_does_not_fit_is_passed_over_for_one_that_does_and_says_why(
        qtbot: QtBot, run: Run, open_window: OpenWindow, runs_folder: Path) -> None:
    other = trained(runs_folder, SHORT)
    window = open_window()
    window.runs.focus(other.id)
    drop(window, NEW)
    dialog = shown(qtbot, window)
    assert dialog.runs.currentText() == run.id
    assert f"{other.id} was passed over: " in said(dialog, "predict.notices")
    assert "On its test tasks this run reached " in said(dialog, "predict.facts")
    dialog.runs.setCurrentText(other.id)
    dialog.runs.activated.emit(dialog.runs.currentIndex())
    shown(qtbot, window)
    assert dialog.predictions is None
    dialog.close()


def test_of_several_things_that_are_dropped_it_is_said_which_one_was_opened(
        qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    drop(window, sample_tasks() / "shapes", tmp_path)
    assert f"2 things were dropped, and {sample_tasks() / 'shapes'} alone was opened" in window.log.text()
    qtbot.waitUntil(lambda: not window._jobs.is_busy("recognize") and not window._jobs.is_busy("look"), timeout=SECONDS)
