"""A picture of what stands still in a plot while its curves grow: canvas, axes, grid, numbers, reference lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QPaintEngine, QPainter, QPixmap
from PySide6.QtWidgets import QGraphicsView


class Still:
    """Keeps the picture until something in it changes.

    Args:
        view: The widget that is painted.
        render: Paints everything in it that stands still.

    Attributes:
        taken: How often it was taken.
    """

    def __init__(self, view: QGraphicsView, render: Callable[[QPainter], None]) -> None:
        self._view, self._render = view, render
        self._shows: object = None
        self._picture = QPixmap()
        self.taken = 0

    def paint(self, shows: object, curves: Callable[[QPainter], None], labels: Callable[[], Sequence[QRectF]],
              opacity: float) -> bool:
        """Paint the widget, and say whether that could be done; not for a printer, a drawing or another scale.

        Args:
            shows: All that the picture depends on; it is taken anew where this differs from the last time.
            curves: Paints what lies over the picture, in pixels of the widget.
            labels: Gives what of the picture lies over the curves, in pixels of the widget.
            opacity: Of these.
        """
        viewport, scale = self._view.viewport(), self._view.devicePixelRatioF()
        painter = QPainter(viewport)
        try:
            engine = painter.paintEngine()
            if (engine is None or engine.type() != QPaintEngine.Type.Raster
                    or abs(painter.deviceTransform().m11() - scale) > 1e-6):
                return False
            if (shows, viewport.size(), scale) != self._shows:
                self._take(scale)
                self._shows = shows, viewport.size(), scale
            painter.drawPixmap(0, 0, self._picture)
            curves(painter)
            painter.setOpacity(opacity)
            for label in labels():
                place = label.toAlignedRect().intersected(viewport.rect())
                painter.drawPixmap(place, self._picture, QRect(place.topLeft() * scale, place.size() * scale))
            return True
        finally:
            painter.end()

    def _take(self, scale: float) -> None:
        self._picture = QPixmap(self._view.viewport().size() * scale)
        self._picture.setDevicePixelRatio(scale)
        painter = QPainter(self._picture)
        self._render(painter)
        painter.end()
        self.taken += 1
