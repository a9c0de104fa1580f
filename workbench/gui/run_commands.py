"""What can be done with a run in the table."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.experiment.resolve import command_line, to_tables
from workbench.exports.export import SUFFIX, export_run
from workbench.gui.actions import RUN_MENU, SEPARATOR
from workbench.gui.desk import RunDesk
from workbench.gui.dialogs import Answer, Question
from workbench.gui.form.form import ExperimentForm
from workbench.gui.jobs import Done, Jobs
from workbench.gui.run_rows import Row
from workbench.gui.saving_place import SavingPlace
from workbench.runs.store import Run, RunBusyError

_EXPORT = "export"


class RunCommands(QObject):
    """Acts on the run that is looked at.

    Signals:
        said(str, str): Something to tell, and its tone.
    """

    said = Signal(str, str)

    def __init__(self, desk: RunDesk, form: ExperimentForm, jobs: Jobs, place: SavingPlace, window: QWidget) -> None:
        super().__init__(window)
        self._place = place
        self._desk, self._form, self._jobs, self._window = desk, form, jobs, window
        jobs.job_ended.connect(self._job_ended)
        self._asked_for = ""
        self._seen: tuple[object, bool, bool] = (None, False, False)

    @property
    def run(self) -> Run | None:
        """The run that is looked at."""
        row = self._desk.model.row(self._desk.focused)
        return row.run if row is not None else None

    def possible(self) -> dict[str, str]:
        """For each command that cannot be given now, why."""
        row = self._desk.model.row(self._desk.focused)
        if row is None:
            return dict.fromkeys((name for name in RUN_MENU if name != SEPARATOR), "Pick a run in the table first.")
        reasons: dict[str, str] = {}
        if row.summary.status in ("running", "paused"):
            reasons |= dict.fromkeys(("resume", "delete"), "The run is being trained.")
        elif row.summary.status == "finished":
            reasons["resume"] = "The run is finished."
        elif self._desk.controller.is_training:
            reasons["resume"] = "Another run is being trained."
        elif not self._kept(row)[0]:
            reasons["resume"] = "The run has no checkpoint to go on from."
        if not any(self._kept(row)):
            reasons["export"] = "The run has learned nothing yet."
        if not self._kept(row)[1]:
            reasons["predict"] = "The run has learned nothing yet."
        return reasons

    def _kept(self, row: Row) -> tuple[bool, bool]:
        """Whether a run has a checkpoint, and its best; its folder is looked into only when something has happened."""
        run, summary = row.run, row.summary
        # A run that is trained here takes many steps a second, but says when it keeps a checkpoint.
        is_ours = self._desk.is_trained_here(run.id)
        progress = len(self._desk.controller.history.checkpoints) if is_ours else summary.steps
        now = (run.folder, summary.created, summary.status, is_ours, progress)
        if self._seen[0] != now:
            self._seen = now, bool(run.checkpoints()), run.best.exists()
        return self._seen[1:]

    @Slot()
    def resume(self) -> None:
        """Train the run on from its latest checkpoint."""
        if self.run is None or "resume" in self.possible():
            return
        self._desk.controller.go_on(self.run)

    @Slot()
    def load_run(self) -> None:
        """Fill the form with what was run."""
        if self.run is None:
            return
        try:
            self._form.take(to_tables(self.run.experiment()))
        except (ValueError, OSError) as error:
            self.said.emit(f"{self.run.id} cannot be loaded: {error}", "bad")

    @Slot()
    def show_folder(self) -> None:
        """Open the run's folder where the system opens folders."""
        if self.run is not None and not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.run.folder))):
            self.said.emit(f"The system has nothing to open a folder with; the run is in {self.run.folder}", "warn")

    @Slot()
    def copy_run_command(self) -> None:
        """Copy the command line that does the same again."""
        if self.run is None:
            return
        try:
            command = command_line(self.run.experiment())
        except (ValueError, OSError) as error:
            self.said.emit(f"{self.run.id} cannot be read: {error}", "bad")
            return
        QGuiApplication.clipboard().setText(command)
        self.said.emit(f"Copied: {command}", "muted")

    @Slot()
    def export(self) -> None:
        """Save the learner that the run gave."""
        run = self.run
        if run is None or "export" in self.possible():
            return
        name, _ = QFileDialog.getSaveFileName(self._window, f"Export {run.id}",
                                              self._place.suggest(f"{run.id}{SUFFIX}"), f"Learners (*{SUFFIX})")
        if name:
            self.export_to(run, Path(name).with_suffix(SUFFIX))

    def export_to(self, run: Run, path: Path) -> None:
        """Save the learner of a run as this file."""
        self._place.took(path)
        self.said.emit(f"Exporting {run.id} to {path} …", "muted")
        self._jobs.start(_EXPORT, partial(_exported, run, path))

    @Slot(object)
    def _job_ended(self, done: Done) -> None:
        if done.key == _EXPORT and done.error:
            self.said.emit(f"The export failed: {done.error}", "bad")
        elif done.key == _EXPORT:
            self.said.emit(f"Exported to {done.result}; plain PyTorch can read it", "good")

    @Slot()
    def delete(self) -> None:
        """Ask, and delete the run's folder."""
        if self.run is None or "delete" in self.possible():
            return
        self._asked_for = self.run.id
        question = Question("deleteQuestion", f"Delete {self.run.id}?", f"Its record, its checkpoints and everything "
                            f"else in {self.run.folder} will be gone.",
                            (Answer("delete", "Delete"), Answer("keep", "Keep it")), self._window)
        question.answered.connect(self._delete_answered)
        question.open()

    @Slot(str)
    def _delete_answered(self, answer: str) -> None:
        row = self._desk.model.row(self._asked_for)
        if answer != "delete" or row is None:
            return
        try:
            row.run.delete()
        except (OSError, RunBusyError) as error:
            self.said.emit(f"{row.run.id} cannot be deleted: {error}", "bad")
            return
        self._desk.forget(row.run.id)
        self.said.emit(f"{row.run.id} was deleted", "muted")


def _exported(run: Run, path: Path) -> str:
    """What was written, in words."""
    found = export_run(run, path)["found"]
    return f"{path}, and the network that it found alone to {found['file']} beside it" if found else str(path)
