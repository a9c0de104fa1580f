"""Sections of the form that fold, and the rows in them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QFont, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from workbench.gui import icons
from workbench.gui.form.entries import Entry, tooltip
from workbench.gui.style import caption_font, set_tone
from workbench.gui.theme import LIGHT, Theme

_LEAST_LABEL_WIDTH = 110


def label_width(label: QLabel) -> int:
    """Width of the column of labels in the font at hand; longer labels take two lines."""
    return max(_LEAST_LABEL_WIDTH, label.fontMetrics().horizontalAdvance("Normalization") + 8)


class Row(QWidget):
    """A label, its entry, and below them what is wrong.

    Attributes:
        entry: Where the field is typed.
    """

    def __init__(self, entry: Entry, *, is_stacked: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entry = entry
        self._label = QLabel(entry.parameter.label)
        self._label.setBuddy(entry)
        self._label.setToolTip(tooltip(entry.parameter))
        self._label.setWordWrap(not is_stacked)
        self._problem = QLabel()
        self._problem.setObjectName(f"{entry.dotted}.problem")
        self._problem.setWordWrap(True)
        self._problem.setFont(caption_font())
        set_tone(self._problem, "bad")
        self._problem.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        if is_stacked:
            self._label.setFont(caption_font())
            set_tone(self._label, "muted")
            grid.addWidget(self._label, 0, 0)
            grid.addWidget(entry, 1, 0)
            grid.addWidget(self._problem, 2, 0)
        else:
            self._label.setFixedWidth(label_width(self._label))
            grid.addWidget(self._label, 0, 0)
            grid.addWidget(entry, 0, 1)
            grid.addWidget(self._problem, 1, 0, 1, 2)
            grid.setColumnStretch(1, 1)

    def show_problem(self, message: str) -> None:
        """Show what is wrong with the field; empty for nothing."""
        text = f"✕ {self.entry.parameter.label} {message}." if message else ""
        self._problem.setText(text.replace("..", "."))
        self._problem.setVisible(bool(message))
        self.entry.mark(wrong=bool(message))
        self.entry.setAccessibleDescription(text or self.entry.parameter.help)

    def set_idle(self, reason: str) -> None:
        """Grey the row out with a reason, or give it back where there is none."""
        self.entry.set_idle(reason)
        self._label.setEnabled(not reason)
        self._label.setToolTip(f"{reason}." if reason else tooltip(self.entry.parameter))


class FoldButton(QAbstractButton):
    """A line of text with an arrow at its end that opens and closes what is below it."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._theme = LIGHT

    def set_theme(self, theme: Theme) -> None:
        """Draw in the theme's muted ink."""
        self._theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 24, self.fontMetrics().height() + 4)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open and close with the return key as well as with the space bar."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - all of it is painted
        """Text, and the arrow in the right margin."""
        painter = QPainter(self)
        is_lit = self.hasFocus() or self.underMouse()
        color = self._theme.accent if self.hasFocus() else self._theme.text if is_lit else self._theme.muted
        painter.setFont(self.font())
        painter.setPen(QColor(color))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())
        arrow = icons.pixmap("chevron-down" if self.isChecked() else "chevron-right", color, 10,
                             self.devicePixelRatioF())
        painter.drawPixmap(self.width() - 14, (self.height() - 10) // 2, arrow)
        painter.end()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Go dim."""
        super().leaveEvent(event)
        self.update()


class Section(QWidget):
    """A part of the experiment.

    Attributes:
        table: Name of its table.
        rows: Its rows by dotted name.

    Signals:
        folded(): It was opened or closed by the person.
    """

    folded = Signal()

    def __init__(self, table: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = table
        self.rows: dict[str, Row] = {}
        self._theme: Theme | None = None
        self.header = FoldButton(title.upper())
        self.header.setObjectName(f"section.{table}")
        self.header.setAccessibleName(f"{title}, open or close")
        font = caption_font()
        font.setBold(True)
        font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, 0.5)
        self.header.setFont(font)
        self.header.setChecked(True)
        self.header.setToolTip(f"Open or close the fields of {title.lower()}.")
        self._body = QWidget()
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(7)
        self._fields: QWidget | None = None
        self._more: FoldButton | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(7)
        outer.addWidget(self.header)
        outer.addWidget(self._body)
        self.header.toggled.connect(self._body.setVisible)
        self.header.clicked.connect(self.folded)

    def put_on_top(self, widget: QWidget) -> None:
        """Keep a widget above the rows."""
        self._column.insertWidget(0, widget)

    def set_entries(self, entries: list[Entry], *, side_by_side: bool = False) -> None:
        """Replace the rows."""
        was_open = self._more is not None and self._more.isChecked()
        if self._fields is not None:
            self._fields.hide()
            self._fields.deleteLater()
        self._fields = QWidget()
        self._column.addWidget(self._fields)
        self.rows = {entry.dotted: Row(entry, is_stacked=side_by_side or entry.parameter.shape == "path")
                     for entry in entries}
        plain = [row for row in self.rows.values() if not row.entry.parameter.advanced]
        advanced = [row for row in self.rows.values() if row.entry.parameter.advanced]
        layout = QVBoxLayout(self._fields)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(7)
        if side_by_side:
            line = QHBoxLayout()
            line.setSpacing(8)
            for row in plain:
                line.addWidget(row, 1, Qt.AlignmentFlag.AlignTop)
            layout.addLayout(line)
        else:
            for row in plain:
                layout.addWidget(row)
        self._more = self._folded_away(layout, advanced) if advanced else None
        if self._more is not None:
            self._more.setChecked(was_open)
        self._fields.setVisible(bool(entries))

    def _folded_away(self, layout: QVBoxLayout, rows: list[Row]) -> FoldButton:
        more = FoldButton("More")
        more.setObjectName(f"section.{self.table}.more")
        more.setAccessibleName(f"More fields of {self.table}")
        more.setToolTip("Open or close the fields that are seldom changed.")
        more.setFont(caption_font())
        if self._theme is not None:
            more.set_theme(self._theme)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(7)
        for row in rows:
            column.addWidget(row)
        body.hide()
        more.toggled.connect(body.setVisible)
        more.clicked.connect(self.folded)
        layout.addWidget(more)
        layout.addWidget(body)
        return more

    def set_theme(self, theme: Theme) -> None:
        """Draw the arrows for another theme."""
        self._theme = theme
        self.header.set_theme(theme)
        if self._more is not None:
            self._more.set_theme(theme)

    def reveal(self, dotted: str) -> None:
        """Open whatever hides a field."""
        self.header.setChecked(True)
        row = self.rows.get(dotted)
        if row is not None and row.entry.parameter.advanced and self._more is not None:
            self._more.setChecked(True)

    def folds(self) -> dict[str, bool]:
        """What is open, by object name."""
        known = {self.header.objectName(): self.header.isChecked()}
        return known | ({self._more.objectName(): self._more.isChecked()} if self._more is not None else {})

    def restore_folds(self, folds: dict[str, bool]) -> None:
        """Open and close as it was."""
        for button in (self.header, self._more):
            if button is not None and isinstance(is_open := folds.get(button.objectName()), bool):
                button.setChecked(is_open)


def titled_row(label: str, widget: QWidget, tip: str, beside: QWidget | None = None) -> QWidget:
    """A label and a widget in the columns of the form, and perhaps a small one at its end."""
    holder = QWidget()
    line = QHBoxLayout(holder)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(8)
    text = QLabel(label)
    text.setFixedWidth(label_width(text))
    text.setBuddy(widget)
    for one in (text, widget):
        one.setToolTip(tip)
    widget.setAccessibleName(label)
    line.addWidget(text)
    line.addWidget(widget, 1)
    if beside is not None:
        line.addWidget(beside)
    return holder
