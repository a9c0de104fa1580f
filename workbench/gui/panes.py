"""Small parts that several panes share: empty states and the log."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from workbench.gui.style import set_tone
from workbench.gui.theme import Theme

MOST_LINES = 5000


class EmptyState(QWidget):
    """What stands in a pane that has nothing to show: what will appear, and a button that makes it appear.

    Args:
        title, text: What will appear.
        action: What the button says; empty for none.
        links: Words, and after them other things to do by name, each with what it is called; nothing for none.
        parent: Where it belongs.

    Signals:
        action_requested(): The button was pressed.
        link_followed(str): One of the links was; its name.
    """

    action_requested = Signal()
    link_followed = Signal(str)

    def __init__(self, title: str, text: str, action: str = "", parent: QWidget | None = None, *,
                 links: tuple[str, Mapping[str, str]] = ("", {})) -> None:
        super().__init__(parent)
        self._links: QLabel | None = None
        heading = QLabel(title)
        font = heading.font()
        font.setBold(True)
        heading.setFont(font)
        body = QLabel(text)
        body.setWordWrap(True)
        set_tone(body, "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(6)
        column.addStretch(1)
        for label in (heading, body):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(label)
        if action:
            button = QPushButton(action)
            button.setObjectName(f"empty.{action.lower().replace(' ', '_').rstrip('…')}")
            button.setAccessibleName(action.rstrip("…"))
            button.setToolTip(text)
            button.clicked.connect(self.action_requested)
            column.addSpacing(4)
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        if links[1]:
            column.addSpacing(4)
            column.addWidget(self._linked(*links))
        column.addStretch(1)

    def changeEvent(self, event: QEvent) -> None:
        """Take other colours: links have the one that there was when they were written."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._links is not None:
            text = self._links.text()
            self._links.clear()
            self._links.setText(text)

    def _linked(self, words: str, links: Mapping[str, str]) -> QLabel:
        """The links in a paragraph that the keyboard reaches too."""
        said = " · ".join(f'<a href="{html.escape(name)}">{html.escape(title)}</a>' for name, title in links.items())
        label = QLabel(f"{html.escape(words)} {said}")
        label.setObjectName("empty.links")
        label.setAccessibleName(f"{words} {', '.join(links.values())}")
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.LinksAccessibleByMouse
                                      | Qt.TextInteractionFlag.LinksAccessibleByKeyboard)
        label.linkActivated.connect(self.link_followed)
        self._links = label
        set_tone(label, "muted")
        return label


class LogPane(QWidget):
    """What happened, a line each, with the time of day."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lines: list[tuple[str, str, str]] = []
        self._text = QPlainTextEdit()
        self._text.setObjectName("log")
        self._text.setReadOnly(True)
        self._text.setMaximumBlockCount(MOST_LINES)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setAccessibleName("Log")
        self._text.setToolTip("What happened, the latest last.")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse
                                           | Qt.TextInteractionFlag.TextSelectableByKeyboard)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(EmptyState("Nothing has happened yet", "Starts, results, checkpoints and every problem "
                                         "will be listed here."))
        self._stack.addWidget(self._text)
        self.setFocusProxy(self._text)

    def say(self, text: str, tone: str = "") -> None:
        """Add a line, or several; `tone` is "", muted, good, warn or bad."""
        line = (time.strftime("%H:%M:%S"), text, tone)
        self._lines = [*self._lines[1 - MOST_LINES:], line]
        self._append(*line)
        self._stack.setCurrentIndex(1)

    def text(self) -> str:
        """Everything that was said."""
        return self._text.toPlainText()

    def _append(self, clock: str, text: str, tone: str) -> None:
        color = getattr(self._theme, tone or "text")
        body = html.escape(text).replace("\n", "<br>").replace("  ", "&nbsp;&nbsp;")
        self._text.appendHtml(f'<span style="color:{self._theme.muted}">{clock}</span>&nbsp;&nbsp;'
                              f'<span style="color:{color}">{body}</span>')

    def set_theme(self, theme: Theme) -> None:
        """Write everything in the inks of another theme."""
        self._theme = theme
        self._text.clear()
        for line in self._lines:
            self._append(*line)
