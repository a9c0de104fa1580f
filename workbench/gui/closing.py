"""What happens to a run that is under way when the window is to go."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QApplication, QWidget

from workbench.gui.background import BackgroundSign, has_tray
from workbench.gui.controller import TrainingController
from workbench.gui.dialogs import Answer, Question
from workbench.gui.way_back import Door
from workbench.runs.history import History

_STOP = Answer("stop", "Stop and keep", "A checkpoint is written at the step at hand; the run can be resumed.",
               is_primary=True)
_HIDE = Answer("background", "Finish in the background", "The window goes, the training goes on, and the program ends "
                                                         "with it.")
_MINIMIZE = Answer("background", "Finish in the background", "The window is minimized, the training goes on, and the "
                                                             "program ends with it unless you open the window again.")
_STAY = Answer("stay", "Stay", "Nothing changes.")
_BACK = "After “Finish in the background”, {} or starting the program again brings the window back."


class Closing(QObject):
    """Asks before a window with a run under way goes, and sees to the answer.

    Attributes:
        mode: What was decided: nothing yet, to leave when the run has stopped, or to leave when it has finished.
        is_away: Whether the person has sent the window away, so that nothing of it changes any more.

    Signals:
        leave_requested(): Nothing is under way any more; the window may go.
        sent_away(): The window is about to go into the background.
        said(str, str): Something to tell, and its tone.
    """

    leave_requested = Signal()
    sent_away = Signal()
    said = Signal(str, str)

    def __init__(self, controller: TrainingController, window: QWidget) -> None:
        super().__init__(window)
        self.mode: Literal["", "stopping", "background"] = ""
        self.is_away = False
        self._controller, self._window = controller, window
        self._door = Door(self)
        self._door.knocked.connect(self.come_back)
        self._question: Question | None = None
        self._sign: BackgroundSign | None = None
        controller.run_ended.connect(self._run_ended)
        window.installEventFilter(self)

    def may_close(self) -> bool:
        """Whether the window may go now; where not, the person is asked."""
        if not self._controller.is_training:
            return True
        if self._question is None and self.mode != "stopping":
            self._ask()
        return False

    def _ask(self) -> None:
        if self.mode == "background":
            self.come_back()  # a question of a minimized window would not be seen
        run = self._controller.run
        name = run.id if run is not None else "A run"
        way, answer = (("its sign in the tray", _HIDE) if has_tray() else ("opening the minimized window", _MINIMIZE))
        self._question = Question("closeQuestion", f"{name} is being trained", "It goes on until you have answered. "
                                  f"Whatever you choose, no step is lost.\n\n{_BACK.format(way)}",
                                  (_STOP, answer, _STAY), self._window)
        self._question.answered.connect(self._answered)
        self._question.open()

    @Slot(str)
    def _answered(self, answer: str) -> None:
        self._question = None
        if answer == "stay":
            return
        if not self._controller.is_training:
            self.leave_requested.emit()
        elif answer == "stop":
            self.stop_and_leave()
        else:
            self._go_into_background()

    @Slot()
    def stop_and_leave(self) -> None:
        """Stop and keep, and leave when that is done, whatever is being asked."""
        self.mode = "stopping"
        self._door.close()
        self._take_question_back()
        if not self._controller.is_training:
            self.leave_requested.emit()
            return
        self._controller.stop()
        self.said.emit("Stopping; the window goes when everything is on the disk", "")

    def _take_question_back(self) -> None:
        if self._question is not None:
            self._question.answered.disconnect(self._answered)
            self._question.reject()
            self._question = None

    def _go_into_background(self) -> None:
        self.mode = "background"
        self.sent_away.emit()
        self.is_away = True
        self._controller.resume()  # a run that waits would never finish
        run = self._controller.run
        self._door.open(run.id if run is not None else "a run")
        if not has_tray():
            self._window.showMinimized()  # nothing else would lead back to it
            return
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.setQuitOnLastWindowClosed(False)
        if self._sign is None:
            self._sign = BackgroundSign(self._window)
            self._sign.window_requested.connect(self.come_back)
            self._sign.stop_requested.connect(self.stop_and_leave)
        self._window.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A minimized window that is opened again stays."""
        if (event.type() == QEvent.Type.WindowStateChange and watched is self._window and self.mode == "background"
                and not self._window.isMinimized()):
            self.come_back()
        return super().eventFilter(watched, event)

    @Slot()
    def come_back(self) -> None:
        """Show the window again."""
        self.is_away = False
        self._door.close()
        if self.mode == "background":
            self.mode = ""
            app = QApplication.instance()
            if isinstance(app, QApplication):
                app.setQuitOnLastWindowClosed(True)
        self._window.setWindowState(self._window.windowState() & ~Qt.WindowState.WindowMinimized)
        self._window.show()
        self._window.raise_()
        self._window.activateWindow()

    def shut(self) -> None:
        """Listen to nobody any more."""
        self._door.close()

    def show_progress(self, run_id: str, history: History) -> None:
        """Say at the tray how far the run is."""
        if self._sign is not None and history.started is not None:
            rest = ", testing" if self._controller.is_testing else ""
            self._sign.say(f"{run_id}: {history.step:,} of {history.started.iterations:,}{rest}")

    @Slot(str)
    def _run_ended(self, run_id: str) -> None:
        if self._question is not None:
            return
        if self._sign is not None and self.mode == "background":
            self._sign.announce("Training has ended", run_id)
        if self.mode:
            self.leave_requested.emit()
