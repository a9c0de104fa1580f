"""Opens the program's window."""

from __future__ import annotations

import gc
import importlib
import logging
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

if sys.platform == "win32":
    # There, torch's libraries fail to load once Qt's are in the process (pytorch issue 166628).
    import torch  # noqa: F401

from PySide6.QtCore import QEventLoop, QObject, QSocketNotifier, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication

from workbench import places
from workbench.engine.control import ending_signals
from workbench.gui import settings
from workbench.gui.icons import app_icon
from workbench.gui.style import PINS, ThemeKeeper
from workbench.gui.way_back import knock
from workbench.gui.window import MainWindow

_log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.0005
"""How long Python code goes on where another thread waits. Painting hands over to training dozens of times, and would
wait as long each time before it goes on; Python's own choice is ten times that."""
LOADING_MILLISECONDS = 6000
"""So long after the form is there modules may still be loaded by what looks at the data for the first time. Those that
come later take a tenth of a second more."""


def run_window(runs: Path | None = None) -> int:
    """Show the window until it is closed, or bring back the one that trains in the background.

    Args:
        runs: Folder of runs; None for the one that the window remembers.

    Returns:
        The exit status.
    """
    app = application()
    if trained := knock():
        print(f"The window that trains {trained} in the background was brought back.")
        return 0
    # Modules are no garbage; looking for some among them, again and again as they come, takes half a second in all.
    gc.disable()
    try:
        return _run(app, runs)
    finally:
        gc.enable()


def _run(app: QApplication, runs: Path | None) -> int:
    """Show the window until it is closed; returns the exit status."""
    keeper = ThemeKeeper(app, app)
    pinned = settings.load().theme
    keeper.set_pin(next((pin for pin in PINS if pin == pinned), "system"))
    # Raised amid one of Qt's calls, an interruption would make shiboken drop references that it does not own.
    asked: list[int] = []
    for one in ending_signals():
        signal.signal(one, lambda number, _: asked.append(number))
    sys.setswitchinterval(SWITCH_SECONDS)
    window = MainWindow(keeper, runs, is_furnished=False)
    window.show()
    _load_behind(window)
    if not window.isVisible():  # closed before there was anything in it
        return 0
    window.furnish()
    QTimer.singleShot(LOADING_MILLISECONDS, window, _look_for_garbage)
    mishaps = Mishaps(window)
    mishaps.install()
    window.left.connect(app.quit)
    endings = Endings(window)
    endings.install()
    if asked:
        QTimer.singleShot(0, window.closing.stop_and_leave)
    try:
        return app.exec()
    finally:
        endings.remove()
        mishaps.remove()
        window.desk.controller.wait()


def application() -> QApplication:
    """The one application object."""
    known = QApplication.instance()
    app = known if isinstance(known, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName(places.APP)
    app.setApplicationDisplayName("Meta-Learning Workbench")
    app.setDesktopFileName(places.APP)
    app.setWindowIcon(app_icon())
    app.setStyle("Fusion")
    return app


def _load_behind(window: MainWindow) -> None:
    """Import torch and what needs it on a thread of its own, while the window can be moved and closed.

    Qt's own classes are left to the window's thread.
    """
    failed: list[BaseException] = []

    def load() -> None:
        try:
            for name in ("workbench.runs.recording", "workbench.exports.figures", "workbench.experiment.presets"):
                importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - raised again where somebody sees it
            failed.append(error)

    loading = threading.Thread(target=load, name="loading")
    loading.start()
    loop, look = QEventLoop(), QTimer(window)
    look.timeout.connect(lambda: None if loading.is_alive() else loop.quit())
    look.start(10)
    loop.exec()
    look.stop()
    loading.join()  # the loop ends early where the window is closed
    if failed:
        raise failed[0]


def _look_for_garbage() -> None:
    """From now on, but not among what is there: that would hold up training and window for a tenth of a second."""
    gc.freeze()
    gc.enable()


class Endings(QObject):
    """Lets Ctrl+C in a terminal and the end of the session stop and keep what is trained.

    Python calls who handles a signal only while some of its code runs, and a window that nobody touches runs none: a
    byte that Python writes at every signal has some run.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._told, self._teller = socket.socketpair()
        self._told.setblocking(False)
        self._teller.setblocking(False)  # as Python demands
        self._notifier = QSocketNotifier(self._told.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._wake)

    def install(self) -> None:
        """Handle signals from now on."""
        for one in ending_signals():
            signal.signal(one, self._leave)
        signal.set_wakeup_fd(self._teller.fileno())

    def remove(self) -> None:
        """Be woken no longer; what is handled stays so, for what is trained is about to be kept."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(-1)
        self._told.close()
        self._teller.close()

    def _leave(self, _: int, __: object) -> None:
        QTimer.singleShot(0, self._window.closing.stop_and_leave)

    @Slot()
    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._told.recv(64)


class Mishaps(QObject):
    """Catches errors that nobody else caught, on any thread, and tells of them without stopping anything.

    Signals:
        happened(str, str): A sentence, and where in the code.
    """

    happened = Signal(str, str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._before: tuple[Callable[..., object], Callable[..., object]] = (sys.excepthook, threading.excepthook)
        self.happened.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Catch from now on."""
        sys.excepthook = self._caught
        threading.excepthook = self._caught_in_thread

    def remove(self) -> None:
        """Leave errors to who had them before."""
        sys.excepthook, threading.excepthook = self._before

    def _caught(self, kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, where))
        _log.error("Unexpected: %s", text)
        self.happened.emit(f"{kind.__name__}: {error}", text)

    def _caught_in_thread(self, caught: threading.ExceptHookArgs) -> None:
        if caught.exc_value is not None:
            self._caught(caught.exc_type, caught.exc_value, caught.exc_traceback)

    @Slot(str, str)
    def _tell(self, sentence: str, where: str) -> None:
        self._window.say(f"The program made a mistake ({sentence}). Everything goes on; the log says where.", "bad")
        self._window.log.say(where.rstrip(), "muted")
