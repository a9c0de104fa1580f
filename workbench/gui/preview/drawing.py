"""Draws one example of any kind into a rectangle: pictures, spectrograms, series, rows of numbers, texts, functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from workbench.gui.plots.pictures import as_image
from workbench.gui.theme import Theme
from workbench.tasks.looking.preview import Example

MOST_DEVIATIONS = 2.5
BAR_PIXELS = 4
MARGIN, SMALL = 5, 32
DOT, RING = 3.2, 2.6


class Painter:
    """Draws examples in the colours of a theme, and keeps the images that it has made.

    Args:
        theme: Whose colours.
        is_ink: Whether pictures are light ink on black, to be drawn in the ink of the theme.
    """

    def __init__(self, theme: Theme, *, is_ink: bool = False) -> None:
        self.theme, self.is_ink = theme, is_ink
        self._images: dict[int, tuple[Example, QImage]] = {}

    def paint(self, painter: QPainter, place: QRect, example: Example) -> None:
        """Draw an example, with a frame around it where it is no picture in ink."""
        if example.kind in ("picture", "spectrogram"):
            self._paint_image(painter, place, self._image(example), is_smooth=example.kind == "spectrogram")
        inner = QRectF(place).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        if place.height() < SMALL:
            inner = QRectF(place).adjusted(2, 2, -2, -2)
        if example.kind == "series":
            self._paint_series(painter, inner, example.values)
        elif example.kind == "row":
            self._paint_row(painter, inner, example)
        elif example.kind == "text":
            self._paint_text(painter, place.adjusted(7, 5, -7, -5), example.text)
        elif example.kind == "points":
            paint_points(painter, inner.adjusted(2, 2, -2, -2), self.theme, example.values)
        if not (self.is_ink and example.kind == "picture"):
            round_by = 0 if example.kind in ("picture", "spectrogram") else 4
            painter.setPen(QPen(QColor(self.theme.line), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(place).adjusted(0.5, 0.5, -0.5, -0.5), round_by, round_by)

    def _image(self, example: Example) -> QImage:
        known = self._images.get(id(example))
        if known is None or known[0] is not example:  # an id may be given again to another
            made = (_spectrogram(example.values) if example.kind == "spectrogram"
                    else _inked(example.values, self.theme) if self.is_ink else as_image(example.values))
            known = self._images[id(example)] = (example, made)
        return known[1]

    def _paint_image(self, painter: QPainter, place: QRect, image: QImage, *, is_smooth: bool) -> None:
        is_smooth = is_smooth or place.width() % image.width() != 0
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_smooth)
        painter.drawImage(place, image)

    def _paint_series(self, painter: QPainter, place: QRectF, values: NDArray[Any]) -> None:
        """A line for every channel, on one scale."""
        low, high = _span(values)
        for number, channel in enumerate(values):
            thin = _thinned(channel, max(int(place.width()), 2))
            xs = place.left() + np.linspace(0, 1, len(thin)) * place.width()
            ys = place.bottom() - (np.nan_to_num(thin) - low) / (high - low) * place.height()
            painter.setPen(QPen(QColor(self.theme.series[number % len(self.theme.series)]), 1.3))
            painter.drawPolyline(_polygon(xs, ys))

    def _paint_row(self, painter: QPainter, place: QRectF, example: Example) -> None:
        """A bar for every feature, up or down from its mean, in units of its deviation; a ring where it is missing."""
        scaled = example.scaled if example.scaled is not None else example.values
        pooled = _pooled(scaled, max(int(place.width()) // BAR_PIXELS, 1))
        values = np.clip(np.nan_to_num(pooled), -MOST_DEVIATIONS, MOST_DEVIATIONS)
        step, middle = place.width() / len(values), place.center().y()
        painter.setPen(QPen(QColor(self.theme.line), 1))
        painter.drawLine(QPointF(place.left(), middle), QPointF(place.right(), middle))
        painter.setPen(Qt.PenStyle.NoPen)
        width = max(min(step * 0.72, 14.0), 1.0)
        for number, value in enumerate(values):
            painter.setBrush(QColor(self.theme.series[0 if value >= 0 else 1]))
            length = float(value) / MOST_DEVIATIONS * place.height() / 2
            left = place.left() + (number + 0.5) * step - width / 2
            painter.drawRect(QRectF(left, middle, width, -length).normalized())
        painter.setPen(QPen(QColor(self.theme.muted), 1.2))
        painter.setBrush(QColor(self.theme.canvas))
        for number in np.flatnonzero(np.isnan(pooled)).tolist():
            painter.drawEllipse(QPointF(place.left() + (number + 0.5) * step, middle), *2 * (min(width / 2, RING),))

    def _paint_text(self, painter: QPainter, place: QRect, text: str) -> None:
        """As many words as fit."""
        metrics = painter.fontMetrics()
        painter.setPen(QColor(self.theme.text))
        flags = int(Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        words = " ".join(text.split())
        most = 4 * max(1, place.height() // metrics.height()) * max(1, place.width() // metrics.averageCharWidth())
        if len(words) > most:
            words = words[:most] + "…"
        while len(words) > 12 and metrics.boundingRect(place, flags, words).height() > place.height():
            words = words[: int(0.9 * len(words))].rstrip(" …") + "…"
        painter.drawText(place, flags, words)


def paint_points(painter: QPainter, place: QRectF, theme: Theme, support: NDArray[Any],  # noqa: PLR0917 - of one plot
                 query: NDArray[Any] | None = None, curve: NDArray[Any] | None = None) -> None:
    """A function of one number: points to learn from, points to be judged on, and the function where it is known."""
    parts = [part for part in (support, query, curve) if part is not None and len(part)]
    every = np.concatenate(parts)
    (left, right), (low, high) = (_span(every[:, axis]) for axis in (0, 1))
    zero = place.bottom() - (0 - low) / (high - low) * place.height()
    if low < 0 < high:
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawLine(QPointF(place.left(), zero), QPointF(place.right(), zero))

    dot = min(DOT, max(1.2, 0.06 * place.height()))

    def placed(points: NDArray[Any]) -> QPolygonF:
        return _polygon(place.left() + (points[:, 0] - left) / (right - left) * place.width(),
                        place.bottom() - (points[:, 1] - low) / (high - low) * place.height())

    if curve is not None:
        painter.setPen(QPen(QColor(theme.muted), 1.4))
        painter.drawPolyline(placed(curve))
    if query is not None:
        painter.setPen(QPen(QColor(theme.series[1]), 1.6))
        painter.setBrush(QColor(theme.canvas))
        for point in placed(query).toList():
            painter.drawEllipse(point, dot, dot)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.series[0]))
    for point in placed(support).toList():
        painter.drawEllipse(point, dot, dot)


def _span(values: NDArray[Any]) -> tuple[float, float]:
    """The lowest and the highest of what is finite; never the same."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _polygon(xs: NDArray[Any], ys: NDArray[Any]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)])


def _thinned(values: NDArray[Any], pixels: int) -> NDArray[Any]:
    """A long series with the lowest and the highest value of every pixel, so that no peak is lost."""
    if len(values) <= 2 * pixels:
        return values
    pieces = np.array_split(values, pixels)
    return np.array([value for piece in pieces for value in (piece.min(), piece.max())])


def _pooled(values: NDArray[Any], most: int) -> NDArray[Any]:
    """The features, or of neighbours the one that is farthest from its mean where there are too many to draw."""
    if len(values) <= most:
        return values
    return np.array([piece[np.abs(piece).argmax()] for piece in np.array_split(np.nan_to_num(values), most)])


def _inked(pixels: NDArray[np.uint8], theme: Theme) -> QImage:
    """A picture [1, height, width] of light ink on black, in the ink of the theme on nothing."""
    _, height, width = pixels.shape
    ink = QColor(theme.text)
    drawn = np.empty((height, width, 4), np.uint8)
    drawn[..., :3] = (ink.red(), ink.green(), ink.blue())
    drawn[..., 3] = pixels[0]
    return QImage(drawn.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def _spectrogram(values: NDArray[Any]) -> QImage:
    """A spectrogram [bands, frames] in viridis, low bands at the bottom."""
    low, high = np.percentile(values, (2, 99.5))
    shares = np.clip((values[::-1] - low) / max(float(high - low), 1e-9), 0, 1)
    colors = np.ascontiguousarray(pg.colormap.get("viridis").map(shares, mode="byte"))
    height, width = shares.shape
    return QImage(colors.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
