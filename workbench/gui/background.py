"""Training on without a window: a sign in the system's tray where it has one."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QMenu, QSystemTrayIcon, QWidget

from workbench.gui.icons import app_icon


class BackgroundSign(QObject):
    """Says that the program is still at work, and offers the way back.

    Signals:
        window_requested(): The person wants the window again.
        stop_requested(): The person wants the run stopped and kept.
    """

    window_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._tray: QSystemTrayIcon | None = None
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return
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
        if self._tray is not None:
            self._tray.setToolTip(text)

    def announce(self, title: str, text: str) -> None:
        """Tell the person in passing."""
        if self._tray is not None and QSystemTrayIcon.supportsMessages():
            self._tray.showMessage(title, text, app_icon())

    def close(self) -> None:
        """Take the sign away."""
        if self._tray is not None:
            self._tray.hide()
