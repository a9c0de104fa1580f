"""What the window shows while torch loads: where everything will be."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from workbench.gui.theme import Theme

FORM_WIDTH, LOWER_HEIGHT = 326, 240
_GAP, _TABS, _STATUS, _CORNER = 12, 32, 22, 8


class Sketch(QWidget):
    """The ground of the form, the outlines of the plots, and a word on what is awaited."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Opening")
        self._theme = theme

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - as Qt calls it
        """Draw it."""
        painter, theme = QPainter(self), self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRectF(self.rect()).adjusted(0, 0, 0, -_STATUS)
        lower = min(LOWER_HEIGHT, round(0.3 * whole.height()))
        form = QRectF(0, 0, FORM_WIDTH, whole.height())
        right = whole.adjusted(FORM_WIDTH + 1, 0, 0, 0)
        plots = right.adjusted(_GAP, _TABS + _GAP, -_GAP, -lower - _GAP)
        painter.fillRect(self.rect(), QColor(theme.window))
        painter.fillRect(form, QColor(theme.panel))
        painter.fillRect(right.adjusted(0, right.height() - lower + _TABS, 0, 0), QColor(theme.canvas))
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.setBrush(QColor(theme.canvas))
        width, height = (plots.width() - _GAP) / 2, (plots.height() - _GAP) / 2
        for number in range(4):
            row, column = divmod(number, 2)
            card = QRectF(plots.left() + column * (width + _GAP), plots.top() + row * (height + _GAP), width, height)
            painter.drawRoundedRect(card, _CORNER, _CORNER)
        painter.setPen(QColor(theme.muted))
        painter.drawText(form, Qt.AlignmentFlag.AlignCenter, "Opening …")
        painter.end()
