"""Puts what was trained to use: picks a folder of a new task, has it predicted beside the window, saves the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.exports.learner import LearnerError, of_run
from workbench.exports.predictions import USUAL_NAME, Predictions, fitting_task, predict, write_predictions
from workbench.gui.desk import RunDesk
from workbench.gui.form.scan import is_ink
from workbench.gui.jobs import Done, Jobs
from workbench.gui.predict_dialog import PredictDialog
from workbench.gui.run_rows import RESULT, text
from workbench.gui.theme import Theme
from workbench.runs.files import RunFileError
from workbench.runs.store import Run
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.preview import Example, query_pictures

_PREDICT, _SAVE = "predict", "save predictions"
_MOST_TRIED = 12


@dataclass(frozen=True)
class Predicted:
    """Predictions, and a picture of each query or none at all, which may be light ink on black.

    Attributes:
        run_id: Whose learner predicts.
        passed_over: Why the run that was wanted does not; empty where it does.
    """

    run_id: str
    passed_over: str
    predictions: Predictions
    pictures: tuple[Example, ...]
    is_ink: bool


def predicted(folder: Path, wanted: Run, others: Sequence[Run] = ()) -> Predicted:
    """Adapt the best learner of a run to a folder of a new task, or of the first of others that it fits.

    Raises:
        RunFileError, DataError, LearnerError: What keeps the run that was wanted from it, and no other can.
    """
    refusal: ValueError | None = None
    for run in (wanted, *others):
        try:
            learner = of_run(run).on_this_machine()
            spec, task = fitting_task(learner, folder)
        except (RunFileError, DataError, LearnerError) as error:
            refusal = refusal or error
            continue
        pictures = query_pictures(task, spec)
        plain = tuple(one.values.transpose(1, 2, 0) for one in pictures if one.kind == "picture")
        return Predicted(run.id, str(refusal or ""), predict(learner, spec, task), pictures,
                         is_ink=bool(plain) and is_ink(plain))
    raise refusal or LearnerError(f"{folder} was given to no run")


class PredictDesk(QObject):
    """Keeps the predictions true while they are open.

    Attributes:
        dialog: What shows them; None while it is closed.

    Signals:
        said(str, str): Something to tell, and its tone.
    """

    said = Signal(str, str)

    def __init__(self, desk: RunDesk, jobs: Jobs, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._desk, self._jobs, self._theme, self._window = desk, jobs, theme, window
        self.dialog: PredictDialog | None = None
        self._folder = Path()
        self._run_id = ""
        jobs.job_ended.connect(self._job_ended)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        if self.dialog is not None:
            self.dialog.set_theme(theme)

    def _able(self) -> list[str]:
        """The runs that have learned something, the newest first."""
        return [row.run.id for row in self._desk.model.rows() if row.run.best.exists()]

    @Slot()
    def ask_for_folder(self) -> None:
        """Let the person pick the folder of a new task, for the run that is looked at."""
        self._ask(self._desk.focused)

    @Slot()
    def _ask_for_other(self) -> None:
        """The same for the run that the predictions are of."""
        self._ask(self._run_id)

    def _ask(self, run_id: str) -> None:
        begin = str(self._folder if self._folder.name else Path.home())
        folder = QFileDialog.getExistingDirectory(self._window, "Open a new task", begin)
        if folder:
            self.open_folder(Path(folder), run_id)

    @Slot(object)
    def open_folder(self, folder: Path, run_id: str = "") -> None:
        """Predict a new task with a run; without one by the run that is looked at, or by the newest that can."""
        able = self._able()
        if not able:
            self.said.emit(f"{folder} is a single new task, which is not enough to train on. Train on a folder of many "
                           "such tasks or classes first; then “Run ▸ Predict a new task…” predicts it", "warn")
            return
        wanted = run_id or self._desk.focused
        self._folder = folder
        first, *others = [wanted, *able] if wanted in able else able
        self._predict(first, [] if run_id else others[:_MOST_TRIED])

    @Slot(str)
    def _predict(self, run_id: str, others: Sequence[str] = ()) -> None:
        """Predict with a run, or with the first of others where that does not fit."""
        runs = [row.run for one in (run_id, *others) if (row := self._desk.model.row(one)) is not None]
        if not runs or runs[0].id != run_id:  # it was deleted while the window was open
            return
        self._run_id = run_id
        self._show().show_busy(run_id, self._able(), self._folder)
        self._jobs.start(_PREDICT, partial(predicted, self._folder, runs[0], runs[1:]))

    def _show(self) -> PredictDialog:
        """The window, in front."""
        if self.dialog is None:
            self.dialog = PredictDialog(self._theme, self._window)
            self.dialog.run_picked.connect(self._predict)
            self.dialog.folder_wanted.connect(self._ask_for_other)
            self.dialog.saving_wanted.connect(self._ask_for_file)
            self.dialog.finished.connect(self._closed)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()
        return self.dialog

    @Slot()
    def _ask_for_file(self) -> None:
        """Let the person say where the table goes; beside the pictures where nothing else is said."""
        name, _ = QFileDialog.getSaveFileName(self._window, "Save predictions", str(self._folder / USUAL_NAME),
                                              "Tables (*.csv)")
        if name:
            self.save_to(Path(name))

    def save_to(self, path: Path) -> None:
        """Save what is shown as this file."""
        if self.dialog is not None and self.dialog.predictions is not None:
            self._jobs.start(_SAVE, partial(_written, self.dialog.predictions, path))

    @Slot(object)
    def _job_ended(self, done: Done) -> None:
        if done.key == _SAVE:
            self._saved(done)
        elif done.key != _PREDICT or self.dialog is None:
            return
        elif done.error:
            self.dialog.show_failure(done.error)
        else:
            self._show_predicted(self.dialog, done.result)

    def _show_predicted(self, dialog: PredictDialog, found: Predicted) -> None:
        row = self._desk.model.row(found.run_id)
        result = text(row, RESULT) if row is not None and row.summary.mean is not None else ""
        notes = [f"{self._run_id} was passed over: {found.passed_over}"] if found.passed_over else []
        self._run_id = found.run_id
        dialog.runs.setCurrentText(found.run_id)
        dialog.show_predictions(found.predictions, found.pictures, is_ink=found.is_ink, notes=notes,
                                result=f"On its test tasks this run reached {result}." if result else "")

    def _saved(self, done: Done) -> None:
        """Say where they are, or why they are not, in the log too: the dialog may be gone."""
        if done.error:
            self.said.emit(f"The predictions were not saved: {done.error}", "bad")
        else:
            self.said.emit(f"The predictions are in {done.result}", "muted")
        if self.dialog is None:
            return
        if done.error:
            self.dialog.show_unsaved(done.error)
        else:
            self.dialog.show_saved(done.result)

    @Slot()
    def _closed(self) -> None:
        self._jobs.forget(_PREDICT)
        self.dialog = None


def _written(predictions: Predictions, path: Path) -> Path:
    write_predictions(predictions, path)
    return path
