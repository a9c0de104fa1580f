"""A classification task as pictures: a row a class, its support, its queries and what is thought of each."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QWidget

from workbench.engine.events import Pixels
from workbench.exports.pictures import ClassRow, Judged, PictureTask
from workbench.gui.plots.style import font
from workbench.gui.theme import Theme

SMALLEST, LARGEST = 32, 104
GAP = 8
NAME_WIDTH = 132
HEADING = 26
TICK = ((-4.0, 0.5), (-1.2, 3.4), (4.2, -3.4))
CROSS = (((-3.4, -3.4), (3.4, 3.4)), ((-3.4, 3.4), (3.4, -3.4)))


class PicturesView(QWidget):
    """The pictures of a task.

    Attributes:
        task: What is shown; None before there is anything.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("pictures")
        self.task: PictureTask | None = None
        self._theme = theme
        self._side = SMALLEST
        self._images: dict[int, tuple[Pixels, QImage]] = {}

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        self.update()

    def show_task(self, task: PictureTask) -> None:
        """Show a task."""
        self.task = task
        if len(self._images) > 1000:
            self._images.clear()
        self.setAccessibleName(task.title)
        self.setAccessibleDescription(". ".join(_spoken(row) for row in task.rows))
        self._fit()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Make the pictures as large as there is room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self.task is None or not self.task.rows:
            return
        text = self._text_height()
        shots, queries = self._columns()
        above = self.parentWidget()
        room = above.height() if above is not None else self.height()
        by_height = (room - HEADING) // len(self.task.rows) - text - GAP
        by_width = (self.width() - NAME_WIDTH - 3 * GAP) // (shots + queries) - GAP
        self._side = max(min(by_height, by_width, LARGEST), SMALLEST)
        self.setMinimumHeight(HEADING + len(self.task.rows) * (self._side + text + GAP))

    def minimumSizeHint(self) -> QSize:
        """Room for the smallest pictures."""
        return QSize(320, 120)

    def _text_height(self) -> int:
        return self.fontMetrics().height()

    def _columns(self) -> tuple[int, int]:
        assert self.task is not None  # noqa: S101 - narrows for the type checker
        return (max((len(row.support) for row in self.task.rows), default=0) or 1,
                max((len(row.queries) for row in self.task.rows), default=0) or 1)

    def _cell(self) -> int:
        """Width of a query with its words."""
        _, queries = self._columns()
        room = self.width() - self._queries_left() - GAP
        return max(min(room // queries, 280), self._side + GAP)

    def _queries_left(self) -> int:
        shots, _ = self._columns()
        most = max((self.width() - NAME_WIDTH) // 2 // (self._side + GAP), 1)
        return NAME_WIDTH + min(shots, most) * (self._side + GAP) + 3 * GAP

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows that are in view."""
        if self.task is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(-1))
        painter.setPen(QColor(self._theme.muted))
        right, count = self._queries_left(), self.task.queries
        for x, words in ((0, "class"), (NAME_WIDTH, "support"), (right, "query: what it is taken for, and how surely")):
            painter.drawText(QRect(x, 0, self.width() - x, HEADING - 6), Qt.AlignmentFlag.AlignVCenter, words)
        if len(self.task.right) > 1:
            counts = " · ".join(str(one) for one in self.task.right)
            painter.drawText(QRect(0, 0, self.width() - GAP, HEADING - 6),
                             Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                             f"right after inner step {self.task.steps[0]} to {self.task.steps[-1]}: {counts}")
        height = self._side + self._text_height() + GAP
        for index, row in enumerate(self.task.rows):
            band = QRect(0, HEADING + index * height, self.width(), height)
            if count and band.intersects(event.rect()):
                self._paint_row(painter, row, band)
        painter.end()

    def _paint_row(self, painter: QPainter, row: ClassRow, band: QRect) -> None:
        painter.setPen(QColor(self._theme.text))
        place = QRect(0, band.y(), NAME_WIDTH - GAP, self._side + self._text_height())
        painter.drawText(place, int(Qt.TextFlag.TextWordWrap), row.name)
        room = (self._queries_left() - NAME_WIDTH - 2 * GAP) // (self._side + GAP)
        for index, pixels in enumerate(row.support[:room]):
            place = QRect(NAME_WIDTH + index * (self._side + GAP), band.y(), self._side, self._side)
            self._paint_picture(painter, pixels, place, self._theme.line, 1)
        if len(row.support) > room:
            painter.setPen(QColor(self._theme.muted))
            painter.drawText(QRect(NAME_WIDTH, band.y() + self._side, 200, self._text_height()), 0,
                             f"and {len(row.support) - room} more")
        for index, judged in enumerate(row.queries):
            self._paint_query(painter, judged, self._queries_left() + index * self._cell(), band.y())

    def _paint_query(self, painter: QPainter, judged: Judged, x: int, y: int) -> None:
        color = {True: self._theme.good, False: self._theme.bad, None: self._theme.muted}[judged.is_right]
        self._paint_picture(painter, judged.pixels, QRect(x, y, self._side, self._side), color, 2)
        line = QRect(x, y + self._side + 2, self._cell() - GAP, self._text_height())
        painter.setPen(QPen(QColor(color), 1.8))
        middle = QPointF(x + 6, line.center().y() + 1)
        if judged.is_right:
            painter.drawPolyline(QPolygonF([middle + QPointF(*point) for point in TICK]))
        elif judged.is_right is False:
            for start, end in CROSS:
                painter.drawLine(middle + QPointF(*start), middle + QPointF(*end))
        share = f"{100 * judged.probability:.0f} %"
        metrics = painter.fontMetrics()
        left = line.x() + 15
        room = line.right() - left - metrics.horizontalAdvance(f" {share}")
        name = metrics.elidedText(judged.predicted, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(QRect(left, line.y(), line.right() - left, line.height()), Qt.AlignmentFlag.AlignVCenter,
                         f"{name} {share}")

    def _paint_picture(self, painter: QPainter, pixels: Pixels, place: QRect, frame: str, width: int) -> None:
        image = self._image(pixels)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, place.width() % image.width() != 0)
        inner = QRectF(place).adjusted(width, width, -width, -width)
        painter.drawImage(inner, image)
        painter.setPen(QPen(QColor(frame), width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        half = width / 2
        painter.drawRoundedRect(QRectF(place).adjusted(half, half, -half, -half), 3, 3)

    def _image(self, pixels: Pixels) -> QImage:
        known = self._images.get(id(pixels))
        if known is None or known[0] is not pixels:
            known = self._images[id(pixels)] = (pixels, as_image(pixels))
        return known[1]


def as_image(pixels: Pixels) -> QImage:
    """A picture [channels, height, width] of one or three channels."""
    channels, height, width = pixels.shape
    if channels == 3:
        flat = np.ascontiguousarray(pixels.transpose(1, 2, 0))
        return QImage(flat.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    flat = np.ascontiguousarray(pixels[0])
    return QImage(flat.tobytes(), width, height, width, QImage.Format.Format_Grayscale8).copy()


def _spoken(row: ClassRow) -> str:
    """A row for people who listen."""
    words = {True: "right", False: "wrong", None: "not known"}
    said = ", ".join(f"taken for {one.predicted} with {100 * one.probability:.0f} %, {words[one.is_right]}"
                     for one in row.queries)
    return f"{row.name}: {said}"
