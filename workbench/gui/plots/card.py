"""A card: a plot with its title, what is shown of it, its legend and its controls."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QIcon, QMouseEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from workbench.exports.figures import Figure
from workbench.gui.plots.canvas import Canvas
from workbench.gui.plots.saving import Saver
from workbench.gui.plots.style import LOOKS, font, series_color, series_dash
from workbench.gui.plots.surface import Surface
from workbench.gui.plots.widgets import ElidedLabel, EmptyNote, Entry, Legend, named
from workbench.gui.theme import Theme


class Card(QFrame):
    """Title left, facts right, a row for legend and controls, and a body or what will appear there.

    Attributes:
        controls: The row that controls are added to.

    Signals:
        maximize_asked: The person wants it to fill the tab, or to go back.
    """

    maximize_asked = Signal()

    def __init__(self, name: str, theme: Theme, body: QWidget, *, has_maximize: bool = True) -> None:
        super().__init__()
        self.setObjectName(name)
        self.theme = theme
        self.body = body
        self._has_row = True
        self._title = named(ElidedLabel(), "title")
        self._title.setFont(font(is_bold=True))
        self._facts = named(ElidedLabel(is_first=True), "facts")
        self._facts.setFont(font(-1))
        self._facts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        # With its parent from the first: shown before it has one, it would be a window of its own for a moment.
        self._maximize = named(QToolButton(self), "maximize", tip="Fill the tab with this plot, or go back "
                                                                  "(double-click on the title)")
        self._maximize.setCheckable(True)
        self._maximize.setIconSize(QSize(12, 12))
        self._maximize.clicked.connect(self.maximize_asked)
        self._maximize.setVisible(has_maximize)
        self.legend = Legend()
        self.controls = QHBoxLayout()
        self._note = EmptyNote()
        self._lay_out(body)
        self.set_theme(theme)

    def _lay_out(self, body: QWidget) -> None:
        self._header = named(QWidget(), "header")
        self._header.installEventFilter(self)
        header = QHBoxLayout(self._header)
        header.setContentsMargins(0, 0, 0, 0)
        header.setSpacing(10)
        header.addWidget(self._title, 1)
        header.addWidget(self._facts)
        header.addWidget(self._maximize)
        self.controls.setSpacing(6)
        self._row = QWidget()
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.legend, 1)
        row.addLayout(self.controls)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 7, 8, 6)
        layout.setSpacing(2)
        layout.addWidget(self._header)
        layout.addWidget(self._row)
        self._stack = QStackedLayout()
        layout.addLayout(self._stack, 1)
        for page in (body, self._note):  # now that the layout is the card's: it shows its first page at once
            self._stack.addWidget(page)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.theme = theme
        self._maximize.setIcon(maximize_icon(theme.muted))

    def set_heading(self, title: str, facts: str, note: str) -> None:
        """Say what is shown; a note stands where the body would be empty."""
        if title != self._title.text():
            self._title.set_words(title)
            self.setAccessibleName(title)
            self._maximize.setAccessibleName(f"Fill the tab: {title}")
        self._facts.set_words(facts)
        if note:
            self._note.say(note)
        self._row.setVisible(not note and self._has_row)  # before the body comes, or it would change its size again
        self._stack.setCurrentIndex(1 if note else 0)

    @property
    def facts(self) -> str:
        """What is shown of it."""
        return self._facts.text()

    @property
    def note(self) -> str:
        """What will appear; empty where something is shown."""
        return self._note.words if self._stack.currentIndex() else ""

    @property
    def painting_seconds(self) -> float:
        """What it took Qt to paint the body the last time; 0 where nobody has looked at the clock."""
        return self.body.painting_seconds if isinstance(self.body, Surface) else 0.0

    def set_row_shown(self, is_shown: bool) -> None:
        """Show or hide the row of legend and controls; there is none where there is nothing to show."""
        self._has_row = is_shown
        self._row.setVisible(is_shown and not self.note)

    def set_maximized(self, is_maximized: bool) -> None:
        """Show whether it fills the tab."""
        self._maximize.setChecked(is_maximized)

    def set_focused(self, is_focused: bool) -> None:
        """Show that the keyboard goes here."""
        self.setProperty("isFocused", is_focused)
        self.style().unpolish(self)
        self.style().polish(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A double click on the header fills the tab."""
        if (watched is self._header and event.type() == QEvent.Type.MouseButtonDblClick
                and isinstance(event, QMouseEvent) and self._maximize.isVisibleTo(self)):
            self.maximize_asked.emit()
            return True
        return super().eventFilter(watched, event)


class FigureCard(Card):
    """A card that draws figures.

    Attributes:
        canvas: What draws them.
    """

    def __init__(self, name: str, theme: Theme, *, has_maximize: bool = True) -> None:
        self.canvas = Canvas(theme)
        super().__init__(name, theme, self.canvas, has_maximize=has_maximize)
        self.canvas.setObjectName(f"{name}Canvas")
        self.saver = Saver(self, lambda: self.canvas.figure)
        self.legend.hidden_changed.connect(self.canvas.set_hidden)
        self.canvas.menu_asked.connect(self._open_menu)
        self.canvas.focus_changed.connect(self.set_focused)
        self._menu = plot_menu(self, self.canvas.reset_view, self.saver)

    def show_figure(self, figure: Figure) -> None:
        """Draw a figure, or say what will appear."""
        is_empty = not any(len(series.x) for series in figure.series)
        self.set_heading(figure.title, "" if is_empty else figure.facts, figure.note if is_empty else "")
        self.legend.set_entries([] if is_empty else entries(figure, self.theme),
                                "" if is_empty else figure.legend_title)
        self.canvas.setAccessibleName(figure.title)
        self.canvas.setAccessibleDescription(f"{figure.y_label} against {figure.x_label}. {figure.facts}. Arrows read "
                                             "the curves, Ctrl and arrows pan, plus and minus zoom, A resets.")
        self.canvas.draw(figure)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours; show the figure again to see them everywhere."""
        super().set_theme(theme)
        self.canvas.set_theme(theme)

    def _open_menu(self, at: QPoint) -> None:
        self._menu.popup(at)


def plot_menu(card: Card, reset_view: Callable[[], None], saver: Saver) -> QMenu:
    """What can be done with a card's plot."""
    menu = named(QMenu(card), "plotMenu")
    for name, words, do in (
            ("resetView", "Reset view", reset_view), ("maximize", "Fill the tab / go back", card.maximize_asked.emit),
            ("", "", None),
            ("copyImage", "Copy image", saver.copy_image),
            ("saveImage", "Save image…", saver.ask_image),
            ("saveVector", "Save as SVG…", saver.ask_vector),
            ("saveData", "Save data as CSV…", saver.ask_data),
            ("copyData", "Copy data", saver.copy_data)):
        if do is None:
            menu.addSeparator()
            continue
        action = QAction(words, menu)
        action.setObjectName(name)
        action.triggered.connect(do)
        menu.addAction(action)
    menu.actions()[0].setText("Reset view\tA")
    return menu


def entries(figure: Figure, theme: Theme) -> list[Entry]:
    """Legend entries of a figure, what is bold first; the boldest series of each speaks for it."""
    found: dict[str, Entry] = {}
    for series in sorted(figure.series, key=lambda one: -LOOKS[one.role].width):
        look = LOOKS[series.role]
        if series.legend and series.legend not in found:
            found[series.legend] = Entry(series.legend, series_color(theme, series), look.width > 0, look.width,
                                         series_dash(theme, series))
    return list(found.values())


def maximize_icon(color: str) -> QIcon:
    """Two corners of a frame."""
    pixmap = QPixmap(24, 24)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setPen(QPen(QColor(color), 1.2))
    painter.drawPolyline([QPoint(7, 2), QPoint(10, 2), QPoint(10, 5)])
    painter.drawPolyline([QPoint(2, 7), QPoint(2, 10), QPoint(5, 10)])
    painter.drawLine(QPoint(10, 2), QPoint(7, 5))
    painter.drawLine(QPoint(2, 10), QPoint(5, 7))
    painter.end()
    return QIcon(pixmap)
