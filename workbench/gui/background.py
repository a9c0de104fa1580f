"""Training on without a window: the sign in the system's tray that stands for it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QMenu, QSystemTrayIcon, QWidget

from workbench.gui.icons import app_icon


def has_tray() -> bool:
    """Whether the system has a tray at this moment."""
    return QSystemTrayIcon.isSystemTrayAvailable()


class BackgroundSign(QObject):
    """Says in the tray that the program is still at work, and offers the way back.

    Signals:
        window_requested(): The person wants the window again.
        stop_requested(): The person wants the run stopped and kept.
    """

    window_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._menu = QMenu(parent)
        self._menu.addAction("Open the window", self.window_requested.emit)
        self._menu.addAction("Stop and keep", self.stop_requested.emit)
        self._tray = QSystemTrayIcon(app_icon(), self)
        self._tray.setContextMenu(self._menu)
        self._tray.activated.connect(self._activated)
        self._tray.show()

    @Slot(QSystemTrayIcon.ActivationReason)
    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self.window_requested.emit()

    def say(self, text: str) -> None:
        """What is being done, for who points at the sign."""
        self._tray.setToolTip(text)

    def announce(self, title: str, text: str) -> None:
        """Tell the person in passing."""
        if QSystemTrayIcon.supportsMessages():
            self._tray.showMessage(title, text, app_icon())
