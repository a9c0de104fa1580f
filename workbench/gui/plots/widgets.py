"""Small widgets that cards are made of: words that shorten themselves, a legend, an empty state, switches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QLabel, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from workbench.gui.plots.style import Dash, dashed, font
from workbench.gui.style import set_tone

Widget = TypeVar("Widget", bound=QWidget)
ENTRY_WIDTHS = (170, 130, 100, 76, 60)
ICON_WIDTH = 18
LONGEST_FACTS = 330
_NOTE_MARGIN = 24


def named(widget: Widget, name: str, accessible: str = "", tip: str = "") -> Widget:
    """The widget, with a name for tests and style, one for people who listen, and a tooltip."""
    widget.setObjectName(name)
    if accessible:
        widget.setAccessibleName(accessible)
    if tip:
        widget.setToolTip(tip)
    return widget


def read_label(name: str, tone: str, *, points: float = 0, is_bold: bool = False) -> QLabel:
    """Words of several lines in a tone, which can be copied."""
    made = named(QLabel(), name)
    made.setWordWrap(True)
    made.setFont(font(points, is_bold=is_bold))
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    set_tone(made, tone)
    return made


def plain_button(text: str, name: str, tip: str) -> QPushButton:
    """A button of a dialog that is pressed by itself alone, and not by Return anywhere in the dialog."""
    made = named(QPushButton(text), name, text, tip)
    made.setAutoDefault(False)
    return made


def switch(name: str, text: str, accessible: str, tip: str, *, is_checked: bool = False) -> QToolButton:
    """A small button that stays down."""
    button = named(QToolButton(), name, accessible, tip)
    button.setProperty("role", "switch")
    button.setText(text)
    button.setCheckable(True)
    button.setChecked(is_checked)
    button.setFont(font(-1))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


def lay_out_now(widget: QWidget) -> None:
    """Give a widget room for what it now says; Qt would do so later, and until then draw it in its former width."""
    parent = widget.parentWidget()
    layout = parent.layout() if parent else None
    if layout is not None:
        layout.activate()


class ElidedLabel(QLabel):
    """Words that shorten themselves where there is too little room; the tooltip has them whole.

    Args:
        is_first: Whether others shorten themselves before it does.
    """

    def __init__(self, *, is_first: bool = False) -> None:
        super().__init__()
        self._is_first = is_first
        self._words = ""

    def text(self) -> str:
        """What it says, whole."""
        return self._words

    def minimumSizeHint(self) -> QSize:
        """Any width will do, but what comes first keeps most of its words."""
        whole = super().minimumSizeHint()
        return QSize(min(whole.width(), LONGEST_FACTS) if self._is_first else 40, whole.height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw what fits."""
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        words = self.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), int(self.alignment()), words)
        painter.end()

    def set_words(self, words: str) -> None:
        """Say something else; what is as wide as before, such as the next number, leaves the window's layout alone."""
        if words == self._words:
            return
        metrics = self.fontMetrics()
        is_as_wide = metrics.horizontalAdvance(words) == metrics.horizontalAdvance(self._words)
        self._words = words
        self.setToolTip(words)
        self.setAccessibleName(words)
        if is_as_wide:
            self.update()
        else:
            self.setText(words)
            lay_out_now(self)


class EmptyNote(QWidget):
    """Where there is nothing yet: what will appear."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = named(QLabel(), "emptyNote")
        self._label.setWordWrap(True)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setMaximumWidth(360)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_NOTE_MARGIN, 8, _NOTE_MARGIN, 16)
        layout.addStretch()
        layout.addWidget(self._label, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch()

    @property
    def words(self) -> str:
        """What it says."""
        return self._label.text()

    def say(self, words: str) -> None:
        """Say what will appear."""
        self._label.setText(words)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take other lines."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """A label that wraps inside an alignment takes its narrowest shape unless it is told how large it may be."""
        metrics, words = self._label.fontMetrics(), self.words
        room = max(60, self.width() - 2 * _NOTE_MARGIN)
        width = min(metrics.horizontalAdvance(words) + 8, 340, room)
        box = metrics.boundingRect(QRect(0, 0, width, 1000), int(Qt.TextFlag.TextWordWrap), words)
        self._label.setMinimumSize(width, box.height() + 4)


@dataclass(frozen=True)
class Entry:
    """One entry of a legend.

    Attributes:
        text: Words.
        color: "#rrggbb".
        is_line: Whether it is drawn as a line or a dot.
        width: Of the line.
        dash: How it is broken.
    """

    text: str
    color: str
    is_line: bool = True
    width: int = 2
    dash: Dash = ()


class Legend(QWidget):
    """What each colour means, in one row; an entry shows and hides its curves, those without room are in a menu.

    Attributes:
        hidden: Entries that are switched off.

    Signals:
        hidden_changed: The person switched an entry.
    """

    hidden_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hidden: set[str] = set()
        self._entries: tuple[Entry, ...] = ()
        self._buttons: list[QToolButton] = []
        self._heading = named(QLabel(self), "caption")
        self._heading.setFont(font(-1))
        self._more = named(QToolButton(self), "legendMore", "More legend entries", "More entries of the legend")
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._more.setFont(font(-1))
        self._menu = QMenu(self._more)
        self._menu.aboutToShow.connect(self._fill_menu)
        self._more.setMenu(self._menu)
        self._more.hide()
        self.setAccessibleName("Legend")

    def sizeHint(self) -> QSize:
        """A row."""
        return QSize(60, self.fontMetrics().height() + 8)

    def minimumSizeHint(self) -> QSize:
        """Room for the menu."""
        return QSize(30, self.sizeHint().height())

    def set_entries(self, entries: Sequence[Entry], heading: str = "") -> None:
        """Show these after a word on what they count; buttons are kept where only their look changed."""
        if tuple(entries) == self._entries and heading == self._heading.text():
            return
        self._heading.setText(heading)
        self._heading.setVisible(bool(heading))
        self._heading.adjustSize()
        known, self._entries = self._entries, tuple(entries)
        while len(self._buttons) > len(entries):
            gone = self._buttons.pop()
            gone.hide()  # deletion waits for the event loop, and a picture may be taken before
            gone.deleteLater()
        while len(self._buttons) < len(entries):
            self._buttons.append(self._made())
        for place, (button, entry) in enumerate(zip(self._buttons, entries, strict=True)):
            if known[place:place + 1] == (entry,):
                continue
            button.setProperty("entry", entry.text)
            button.setIcon(entry_icon(entry))
            button.setAccessibleName(f"Show {entry.text}")
            button.setToolTip(f"Show or hide {entry.text}")
            button.setChecked(entry.text not in self.hidden)
        self._arrange()

    def _shortened(self, longest: int) -> list[tuple[str, int]]:
        """Words of each entry where none has more than so many pixels of them, and how wide its button is then."""
        found = []
        for button, entry in zip(self._buttons, self._entries, strict=True):
            metrics = button.fontMetrics()
            # The end of a name, its number, tells more than its beginning.
            side = Qt.TextElideMode.ElideMiddle if longest >= 100 else Qt.TextElideMode.ElideLeft
            words = metrics.elidedText(entry.text, side, longest)
            # Counted here: before it is shown, a button does not know the padding that the style sheet gives it.
            found.append((words, ICON_WIDTH + metrics.horizontalAdvance(words) + 16))
        return found

    def _made(self) -> QToolButton:
        button = named(QToolButton(self), "legendEntry")
        button.setCheckable(True)
        button.setFont(font(-1))
        button.setIconSize(QSize(ICON_WIDTH, 10))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(self._switched)
        return button

    def _switched(self) -> None:
        button = self.sender()
        assert isinstance(button, QToolButton)  # noqa: S101 - narrows for the type checker
        self.set_shown(str(button.property("entry")), button.isChecked())

    def set_shown(self, text: str, is_shown: bool) -> None:
        """Switch an entry."""
        self.hidden = self.hidden - {text} if is_shown else self.hidden | {text}
        for button in self._buttons:
            button.setChecked(button.property("entry") not in self.hidden)
        self.hidden_changed.emit(self.hidden)

    def _fill_menu(self) -> None:
        self._menu.clear()
        for entry in self._entries:
            action = self._menu.addAction(entry_icon(entry), entry.text)
            action.setCheckable(True)
            action.setChecked(entry.text not in self.hidden)
            action.toggled.connect(lambda is_on, text=entry.text: self.set_shown(text, is_on))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show what fits."""
        super().resizeEvent(event)
        self._arrange()

    def _heading_width(self) -> int:
        return self._heading.width() + 4 if self._heading.text() else 0

    def _arrange(self) -> None:
        self._heading.move(0, (self.height() - self._heading.height()) // 2)
        room = self.width() - self._heading_width()
        for longest in ENTRY_WIDTHS:  # shorter words are better than words in a menu
            shortened = self._shortened(longest)
            widths = [width for _, width in shortened]
            if sum(widths) <= room:
                break
        for button, (words, width) in zip(self._buttons, shortened, strict=True):
            button.setText(words)
            button.setFixedSize(width, button.fontMetrics().height() + 4)
        fits = len(widths)
        if sum(widths) > room:
            room -= 48
            fits = next((count for count in range(len(widths), -1, -1) if sum(widths[:count]) <= room), 0)
        x = self._heading_width()
        for index, button in enumerate(self._buttons):
            button.setVisible(index < fits)
            if index < fits:
                button.move(x, (self.height() - button.height()) // 2)
                x += widths[index]
        hidden = len(widths) - fits
        self._more.setVisible(hidden > 0)
        self._more.setText(f"+{hidden}" if fits else f"{hidden} shown ▾")
        self._more.adjustSize()
        self._more.move(x, (self.height() - self._more.height()) // 2)


def entry_icon(entry: Entry) -> QIcon:
    """The line or dot of an entry; hollow where it is switched off, so that colour alone does not tell."""
    return _icon(replace(entry, text=""))


@lru_cache(256)
def _icon(entry: Entry) -> QIcon:
    icon = QIcon()
    for state in (QIcon.State.On, QIcon.State.Off):
        pixmap = QPixmap(2 * ICON_WIDTH, 20)
        pixmap.setDevicePixelRatio(2)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(dashed(QPen(QColor(entry.color), entry.width if entry.is_line else 1.2),
                              entry.dash if state == QIcon.State.On else ()))
        if state == QIcon.State.Off:
            painter.drawEllipse(4, 2, 6, 6)
        elif entry.is_line:
            painter.drawLine(1, 5, 13, 5)
        else:
            painter.setBrush(QColor(entry.color))
            painter.drawEllipse(4, 2, 6, 6)
        painter.end()
        icon.addPixmap(pixmap, QIcon.Mode.Normal, state)
    return icon
