"""Start, pause, stop and discard, and what is told of a run while it is trained."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench.engine.events import Evaluation, Started
from workbench.gui.chronicle import spoken
from workbench.gui.controller import Refused
from workbench.gui.desk import RunDesk
from workbench.gui.dialogs import Answer, Question
from workbench.gui.form.panel import FormPanel
from workbench.gui.status import StatusBar
from workbench.runs.store import Run


class TrainingCommands(QObject):
    """Trains what the form says.

    Signals:
        began(str): The run of this name is under way.
        changed(): Something else can be done now than before.
        said(str, str): Something to tell, and its tone; what is "muted" or "" belongs into the log alone.
    """

    began = Signal(str)
    changed = Signal()
    said = Signal(str, str)

    def __init__(self, desk: RunDesk, panel: FormPanel, status: StatusBar, window: QWidget) -> None:
        super().__init__(window)
        self._desk, self._panel, self._status, self._window = desk, panel, status, window
        self._controller = desk.controller
        self._noticed: set[tuple[str, str]] = set()
        panel.start_requested.connect(self.start)
        panel.pause_requested.connect(self.pause_or_resume)
        panel.stop_requested.connect(self.stop)
        panel.discard_requested.connect(self.discard)
        desk.progressed.connect(self._show_progress)
        controller = self._controller
        controller.run_started.connect(self._run_started)
        controller.event_arrived.connect(self._event_arrived)
        controller.test_began.connect(self._test_began)
        controller.run_refused.connect(self._run_refused)
        controller.run_discarded.connect(self._run_discarded)
        controller.run_ended.connect(self._run_ended)

    @Slot()
    def start(self) -> None:
        """Train what the form says."""
        form = self._panel.form
        form.check_now()
        if form.experiment is None:
            form.focus_problem()
        elif not self._controller.is_training:
            try:
                self._controller.start(self._desk.store, form.experiment)
            except OSError as error:
                self.said.emit(f"No run can be opened in {self._desk.store.folder} ({error}); pick another folder "
                               "with File, Runs folder", "bad")

    @Slot()
    def pause_or_resume(self) -> None:
        """Let the training wait, or go on."""
        if self._controller.is_paused:
            self._controller.resume()
        else:
            self._controller.pause()
        self.changed.emit()

    @Slot()
    def stop(self) -> None:
        """Stop and keep."""
        self._controller.stop()
        self._show_progress()
        self.changed.emit()

    @Slot()
    def discard(self) -> None:
        """Ask, then stop and delete the run."""
        run = self._controller.run
        if run is None:
            return
        question = Question("discardQuestion", f"Discard {run.id}?", "It is stopped, and its record and checkpoints "
                            "are deleted. It goes on until you have answered.",
                            (Answer("discard", "Discard"), Answer("keep", "Go on training")), self._window)
        question.answered.connect(self._discard_answered)
        question.open()

    @Slot(str)
    def _discard_answered(self, answer: str) -> None:
        if answer == "discard" and self._controller.is_training:
            self._controller.discard()
            self.changed.emit()

    @Slot(object)
    def _run_started(self, run: Run) -> None:
        self._status.show_preparing(run.id)
        self.began.emit(run.id)
        self.said.emit(f"{run.id}: preparing; everything is kept in {run.folder}", "muted")
        self.changed.emit()

    @Slot(object)
    def _event_arrived(self, event: object) -> None:
        run = self._controller.run
        draft = self._panel.form.draft
        lines = [*spoken(event)]
        if isinstance(event, Evaluation) and event.split == "test":
            lines += [(one.words, "" if one.is_better else "warn") for one in self._controller.history.verdicts()]
        for said, tone in lines:
            text = said if tone == "muted" else draft.in_words(said)  # a traceback stays as it is
            is_notice = isinstance(event, Started) and tone == "warn"
            self.said.emit(f"{run.id}: {text}" if run else text, self._once(run, text, tone) if is_notice else tone)
        self._show_progress()
        self.changed.emit()

    def _once(self, run: Run | None, text: str, tone: str) -> str:
        """The tone of a notice: what was said of a dataset before is only a line of the log."""
        key = (repr(run.experiment().dataset) if run is not None else "", text)
        is_known = key in self._noticed
        self._noticed.add(key)
        return "" if is_known else tone

    @Slot(int)
    def _test_began(self, tasks: int) -> None:
        if self._controller.run is not None:
            self.said.emit(f"{self._controller.run.id}: every step is done; testing on {tasks:,} tasks …", "")
        self._show_progress()
        self.changed.emit()

    @Slot()
    def _show_progress(self) -> None:
        if self._controller.run is not None:
            self._status.show_progress(self._controller.run.id, self._controller.history,
                                       is_stopping=self._controller.is_stopping, is_testing=self._controller.is_testing)

    @Slot(object)
    def _run_refused(self, refused: Refused) -> None:
        if refused.kind == "DeviceError":
            field, _, message = refused.message.partition(": ")
            self._panel.form.refuse(field, message)
        self.said.emit(f"It could not be started: {self._panel.form.draft.in_words(refused.message)}", "bad")
        if refused.traceback:
            self.said.emit(refused.traceback.rstrip(), "muted")

    @Slot(str)
    def _run_discarded(self, run_id: str) -> None:
        self.said.emit(f"{run_id} was discarded", "muted")

    @Slot(str)
    def _run_ended(self, _: str) -> None:
        self._status.show_idle()
        self.changed.emit()
