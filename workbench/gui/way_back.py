"""The way back to a window that trains in the background: starting the program again knocks, and it comes back."""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Iterator

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from workbench import places

CONNECT_MILLISECONDS = 500
ANSWER_MILLISECONDS = 5000
_MOST_WINDOWS = 8
_KNOCK = b"come back"  # who only looks whether anybody listens says nothing


class Door(QObject):
    """Listens, while it is open, for the same person's next start of the program.

    Signals:
        knocked(): The program was started again.
    """

    knocked = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words = ""
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._welcome)

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._server.isListening()

    def open(self, words: str) -> bool:
        """Listen from now on, and answer with these words; whether the system allows it."""
        self._words = words
        # Asked first, for listening would take the name away from another window.
        free = next((name for name in _names() if not _is_answered(name)), "")
        if free and not self.is_open:
            QLocalServer.removeServer(free)  # left over from a program that was killed
            self._server.listen(free)
        return self.is_open

    def close(self) -> None:
        """Listen no longer."""
        self._server.close()

    @Slot()
    def _welcome(self) -> None:
        while (caller := self._server.nextPendingConnection()) is not None:
            caller.disconnected.connect(caller.deleteLater)
            caller.readyRead.connect(self._answer)

    @Slot()
    def _answer(self) -> None:
        caller = self.sender()
        assert isinstance(caller, QLocalSocket)  # noqa: S101 - only callers are connected
        if bytes(caller.readAll().data()) == _KNOCK:
            self.knocked.emit()
            caller.write(self._words.encode())
            caller.flush()  # at once, for the window may have much to do now
            caller.disconnectFromServer()


def knock() -> str:
    """Bring a window back that trains in the background; its words, empty where there is none."""
    for name in _names():
        socket = QLocalSocket()
        socket.connectToServer(name)
        if socket.waitForConnected(CONNECT_MILLISECONDS):
            socket.write(_KNOCK)
            heard = b""
            while socket.waitForReadyRead(ANSWER_MILLISECONDS):
                heard += bytes(socket.readAll().data())
            if heard:
                return heard.decode(errors="replace")
    return ""


def _is_answered(name: str) -> bool:
    socket = QLocalSocket()
    socket.connectToServer(name)
    return socket.waitForConnected(CONNECT_MILLISECONDS)


def _names() -> Iterator[str]:
    """What the doors of this person's windows with these settings are called: one each."""
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    whose = hashlib.sha256(f"{user} {places.settings()}".encode()).hexdigest()[:16]
    for number in range(_MOST_WINDOWS):
        yield f"{places.APP}-{whose}-{number}"
