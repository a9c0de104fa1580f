"""What can be done with a run in the table."""

from __future__ import annotations

from PySide6.QtCore import QObject, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QWidget

from workbench.experiment.resolve import command_line, to_tables
from workbench.gui.desk import RunDesk
from workbench.gui.dialogs import Answer, Question
from workbench.gui.form.form import ExperimentForm
from workbench.runs.store import Run, RunBusyError


class RunCommands(QObject):
    """Acts on the run that is looked at.

    Signals:
        said(str, str): Something to tell, and its tone.
    """

    said = Signal(str, str)

    def __init__(self, desk: RunDesk, form: ExperimentForm, window: QWidget) -> None:
        super().__init__(window)
        self._desk, self._form, self._window = desk, form, window
        self._asked_for = ""

    @property
    def run(self) -> Run | None:
        """The run that is looked at."""
        row = self._desk.model.row(self._desk.focused)
        return row.run if row is not None else None

    def possible(self) -> dict[str, str]:
        """For each command that cannot be given now, why."""
        row = self._desk.model.row(self._desk.focused)
        if row is None:
            return dict.fromkeys(("resume", "draw", "load_run", "show_folder", "copy_run_command", "export", "delete"),
                                 "Pick a run in the table first.")
        reasons: dict[str, str] = {}
        if row.summary.status in ("running", "paused"):
            reasons |= dict.fromkeys(("resume", "delete"), "The run is being trained.")
        elif row.summary.status == "finished":
            reasons["resume"] = "The run is finished."
        elif self._desk.controller.is_training:
            reasons["resume"] = "Another run is being trained."
        elif not row.run.checkpoints():
            reasons["resume"] = "The run has no checkpoint to go on from."
        if not row.run.checkpoints() and not row.run.best.exists():
            reasons["export"] = "The run has learned nothing yet."
        return reasons

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
