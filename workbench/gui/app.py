"""Opens the program's window."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if sys.platform == "win32":
    # There, torch's libraries fail to load once Qt's are in the process (pytorch issue 166628).
    import torch  # noqa: F401

from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QFont, QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QSplashScreen

from workbench import places
from workbench.engine.control import ending_signals
from workbench.gui import settings
from workbench.gui.icons import app_icon
from workbench.gui.style import PINS, ThemeKeeper
from workbench.gui.theme import Theme
from workbench.gui.way_back import knock

if TYPE_CHECKING:
    from workbench.gui.window import MainWindow

_log = logging.getLogger(__name__)

_SPLASH_SECONDS = 0.5


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
    keeper = ThemeKeeper(app, app)
    pinned = settings.load().theme
    keeper.set_pin(next((pin for pin in PINS if pin == pinned), "system"))
    splash = _splash(keeper.theme)
    splash.show()
    _wait_until_painted(app, splash)
    # Torch and every module that needs it take seconds to import: the splash is on the screen meanwhile.
    from workbench.gui.window import MainWindow  # noqa: PLC0415

    # Raised amid one of Qt's calls, an interruption would make shiboken drop references that it does not own.
    asked: list[int] = []
    for one in ending_signals():
        signal.signal(one, lambda number, _: asked.append(number))
    window = MainWindow(keeper, runs)
    mishaps = Mishaps(window)
    mishaps.install()
    window.left.connect(app.quit)
    _leave_on_signals(window)
    if asked:
        QTimer.singleShot(0, window.closing.stop_and_leave)
    window.show()
    splash.finish(window)
    try:
        return app.exec()
    finally:
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


def _splash(theme: Theme) -> QSplashScreen:
    """What is on the screen while torch loads."""
    ratio = QApplication.primaryScreen().devicePixelRatio()
    picture = QPixmap(round(380 * ratio), round(150 * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(QColor(theme.panel))
    painter = QPainter(picture)
    painter.drawPixmap(24, 39, app_icon().pixmap(72, 72))
    painter.setPen(QColor(theme.text))
    font = QFont(painter.font())
    font.setPointSizeF(font.pointSizeF() * 1.3)
    font.setBold(True)
    painter.setFont(font)
    painter.drawText(116, 72, "Meta-Learning Workbench")
    painter.setFont(QFont())
    painter.setPen(QColor(theme.muted))
    painter.drawText(116, 98, "Opening …")
    painter.setPen(QColor(theme.line))
    painter.drawRect(0, 0, 379, 149)
    painter.end()
    return QSplashScreen(picture)


def _wait_until_painted(app: QApplication, splash: QSplashScreen) -> None:
    """Let the window system show the splash, for nothing is painted while modules are imported."""
    handle, since = splash.windowHandle(), time.monotonic()
    while handle is not None and not handle.isExposed() and time.monotonic() - since < _SPLASH_SECONDS:
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
    splash.repaint()
    app.processEvents()


def _leave_on_signals(window: MainWindow) -> None:
    """Let Ctrl+C in a terminal and the end of the session stop and keep what is trained."""
    def leave(_: int, __: object) -> None:
        QTimer.singleShot(0, window.closing.stop_and_leave)

    for one in ending_signals():
        signal.signal(one, leave)
    awake = QTimer(window)  # Python looks at signals only when some of its code runs
    awake.timeout.connect(_nothing)
    awake.start(200)


def _nothing() -> None:
    pass


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
