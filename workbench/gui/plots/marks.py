"""The graphics items of one series, made once and given new numbers ever after."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QBrush, QPainter, QPainterPath, QPen, QTransform

from workbench.engine.events import Curve
from workbench.exports.curves import is_same, thinned
from workbench.exports.figures import Series
from workbench.gui.plots.style import BAND_ALPHA, LOOKS, Dash, brush, pen, point_pen, series_color, series_dash
from workbench.gui.theme import Theme

Item = TypeVar("Item", "Line", "Dots")

# Bold lines this short cost nothing to draw smoothly; longer ones are drawn without antialiasing. So are thin ones that
# go up and down at every step; of those that do not, Qt would leave out pixels.
SMOOTH_POINTS = 400
# A bold line of two pixels cannot show what happens within three.
PIXELS_A_BUCKET = 3
# A line of two pixels is a line of one drawn thrice: Qt's raster engine is many times faster at that, since anything
# wider than one pixel is made a polygon, segment by segment.
STAMPS = ((0, 0), (1, 0), (0, 1))
MARGIN = 0.2
LONG = 4000


class Line(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph is untyped
    """A curve, or what one encloses, that takes the view as its bounds: the view cuts it anyway.

    Neither new numbers nor other bounds are told to the scene: its widget says itself what is to be painted, and it
    keeps no index of what lies where.

    Attributes:
        line_pen: What it is drawn with; None where it is only filled.
        filling: What it encloses is filled with; None where it is only drawn.
        is_smooth: Whether it is drawn with antialiasing.
        is_stamped: Whether it is bold and long.
        is_left_out: Whether a picture is taken in which it must not be.
        dash: How it is broken.
        point_pen: What its points are drawn with; None where they are not marked.
    """

    line_pen: QPen | None = None
    filling: QBrush | None = None
    is_smooth = False
    is_stamped = False
    is_left_out = False
    dash: Dash = ()
    point_pen: QPen | None = None

    def __init__(self) -> None:
        super().__init__()
        self._x = self._y = np.zeros(0)
        self._path: QPainterPath | None = None

    def set_numbers(self, x: Curve, y: Curve) -> None:
        """Take other points, [n] each; where one is not a number there is a gap."""
        self._x, self._y, self._path = x, y, None

    def _drawn(self) -> QPainterPath:
        """Its path, made when it is drawn for the first time."""
        if self._path is None:
            self._path = pg.functions.arrayToQPath(self._x, self._y, connect="finite")
        return self._path

    def paint(self, painter: QPainter, option: Any, widget: Any) -> None:  # noqa: ARG002 - as Qt calls it
        """Draw, and mark the points: an item of its own for those would take longer than all the curves."""
        if self.is_left_out or not len(self._x):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, self.is_smooth)
        if self.filling is not None:
            painter.fillPath(self._drawn(), self.filling)
        if self.line_pen is not None and self.is_stamped:
            self._stamp(painter, self.line_pen)
        elif self.line_pen is not None:
            painter.setPen(self.line_pen)
            painter.drawPath(self._drawn())
        if self.point_pen is not None:
            self._mark_points(painter, self.point_pen)

    def _mark_points(self, painter: QPainter, point_pen: QPen) -> None:
        is_there = np.isfinite(self._y)
        if not is_there.any():
            return
        places = painter.transform().map(pg.functions.arrayToQPolygonF(self._x[is_there], self._y[is_there]))
        painter.save()
        painter.setTransform(QTransform())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(point_pen)
        painter.drawPoints(places)
        painter.restore()

    def _stamp(self, painter: QPainter, bold: QPen) -> None:
        """Draw a long bold line by `STAMPS`."""
        painter.setPen(pen(bold.color().name(), 1, dash=self.dash))
        base, path = painter.transform(), self._drawn()
        for stamp in STAMPS:
            painter.setTransform(base * QTransform.fromTranslate(*stamp))
            painter.drawPath(path)
        painter.setTransform(base)

    def boundingRect(self) -> QRectF:
        """What the view shows."""
        view = self.getViewBox()
        return QRectF() if view is None else QRectF(view.viewRect())


class Dots(pg.ScatterPlotItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """Points without a line.

    Attributes:
        is_left_out: Whether a picture is taken in which they must not be.
    """

    is_left_out = False

    def paint(self, painter: QPainter, option: Any, widget: Any) -> None:
        """Draw."""
        if not self.is_left_out:
            super().paint(painter, option, widget)


class Mark:
    """What draws one series.

    Args:
        plot: Where.

    Attributes:
        series: What was drawn last.
        items: What draws it.
        spans: x and y that must be in view to see it.
    """

    def __init__(self, plot: pg.PlotItem) -> None:
        self.series: Series | None = None
        self._plot = plot
        self._curve = Line()
        self._band: Line | None = None
        self._dots: Dots | None = None
        self._covers = (0.0, 0.0, 0.0)
        self._is_log = False
        self._color = ""
        self._height: tuple[float, float] | None = None
        self._look: object = None
        self._bounds: tuple[float, float] | None = None
        self.spans: tuple[list[float], list[float]] = ([], [])
        self.items: list[Line | Dots] = [self._curve]
        plot.addItem(self._curve, ignoreBounds=True)

    def set(self, series: Series, theme: Theme, *, is_log: bool, is_crowded: bool,
            bounds: tuple[float, float] | None = None) -> None:
        """Take new numbers and colours; `show_range` then draws them. Nothing happens where nothing has changed."""
        before, self.series = self.series, series
        look = (theme, is_log, series.role, series.color, series.place, series.has_markers, is_crowded, bounds,
                series.half_width is None)
        if before is None or look != self._look:
            self._dress(series, theme)
        elif is_same(before.x, series.x) and is_same(before.y, series.y) and _same_width(before, series):
            return
        self._look, self._is_log, self._covers = look, is_log, (0.0, 0.0, 0.0)
        is_bold = LOOKS[series.role].width > 1
        self._curve.is_smooth = not is_crowded and (
            len(series.x) <= SMOOTH_POINTS if is_bold else series.role == "background")
        self._curve.is_stamped = is_bold and not self._curve.is_smooth
        self._bounds = bounds
        self.spans = spans(series, bounds)

    def _dress(self, series: Series, theme: Theme) -> None:
        """Take pens and brushes."""
        look, color = LOOKS[series.role], series_color(theme, series)
        self._color = color
        self._curve.dash = series_dash(theme, series)
        self._curve.line_pen = pen(color, look.width, dash=self._curve.dash) if look.width else None
        if series.half_width is not None:
            self._band = self._band or self._added(Line())
            self._band.filling = brush(color, BAND_ALPHA)
        self._curve.point_pen = point_pen(color, look.marker) if look.width and series.has_markers else None
        if not look.width:
            if self._dots is None:
                self._dots = self._added(Dots(pxMode=True))
            self._dots.setSize(look.marker)
            self._dots.setBrush(brush(color))
            self._dots.setPen(pen(theme.canvas, 1))
        elif self._dots is not None:
            self._dots.setData([], [])

    def stack(self, place: float) -> None:
        """Lie over those of the same role that come before.

        Args:
            place: Among all series, from 0, the first, to less than 1.
        """
        assert self.series is not None  # noqa: S101 - narrows for the type checker
        height = LOOKS[self.series.role].z, place
        if height == self._height:
            return
        self._height = height
        for item in self.items:
            item.setZValue(height[0] + (place - 1 if item is self._band else place) / 2)

    def _added(self, item: Item) -> Item:
        self.items.append(item)
        self._plot.addItem(item, ignoreBounds=True)
        self._height = None
        return item

    def show_range(self, low: float, high: float, pixels: int) -> None:
        """Draw what lies between two x and somewhat beyond, so that panning need not come back each frame."""
        if self.series is None:
            return
        width = high - low
        begin, end, drawn_width = self._covers
        if begin <= low and high <= end and 0.6 < width / drawn_width < 1.7:
            return
        beyond = MARGIN * width
        self._covers = (low - beyond, high + beyond, width)
        series, look = self.series, LOOKS[self.series.role]
        x, y = series.x, series.y
        buckets = int((1 + 2 * MARGIN) * pixels / (PIXELS_A_BUCKET if look.width > 1 else 1))
        most = pixels if look.width > 1 else 2 * pixels  # of points closer than a pixel, Qt leaves some out
        if len(x) > most and series.role != "each":
            x, y = thinned(x, y, low - beyond, high + beyond, buckets)
        if look.width:
            self._curve.set_numbers(x, self._scaled(y))
        elif self._dots is not None:
            self._dots.setData(series.x, self._scaled(series.y))
        if self._band is not None:
            self._draw_band(series)

    def _draw_band(self, series: Series) -> None:
        assert self._band is not None  # noqa: S101 - narrows for the type checker
        if series.half_width is None:
            self._band.set_numbers(np.zeros(0), np.zeros(0))
            return
        # A single point has no width to fill: its interval is a bar.
        self._band.line_pen = pen(self._color, 2) if len(series.x) == 1 else None
        low, high = interval(series, self._bounds)
        edges = np.append(high, low[::-1])
        if self._is_log:
            edges = np.maximum(edges, np.nanmin(series.y[series.y > 0], initial=1e-12) / 10)
        is_there = np.isfinite(edges)  # else each part before a gap would be closed, and filled, by itself
        self._band.set_numbers(np.append(series.x, series.x[::-1])[is_there], self._scaled(edges[is_there]))

    def _scaled(self, y: Curve) -> Curve:
        if not self._is_log:
            return y
        scaled = np.full(len(y), np.nan)
        np.log10(y, out=scaled, where=y > 0)
        return scaled

    def set_shown(self, is_shown: bool) -> None:
        """Show or hide."""
        for item in self.items:
            item.setVisible(is_shown)

    def remove(self) -> None:
        """Take everything off the plot."""
        for item in self.items:
            self._plot.removeItem(item)

    def nearest(self, x: float) -> tuple[float, float, float | None] | None:
        """The point nearest to x, and the half width of its interval; None where there is no number."""
        series = self.series
        if series is None or not len(series.x) or not LOOKS[series.role].is_read:
            return None
        right = int(np.searchsorted(series.x, x))
        left = max(right - 1, 0)
        right = min(right, len(series.x) - 1)
        index = left if abs(series.x[left] - x) <= abs(series.x[right] - x) else right
        if not np.isfinite(series.y[index]):
            return None
        width = None if series.half_width is None else float(series.half_width[index])
        return float(series.x[index]), float(series.y[index]), width


def _same_width(one: Series, other: Series) -> bool:
    if one.half_width is None or other.half_width is None:
        return one.half_width is other.half_width
    return is_same(one.half_width, other.half_width)


def interval(series: Series, bounds: tuple[float, float] | None) -> tuple[Curve, Curve]:
    """Lower and upper edge of the interval around a series, cut where no value can be."""
    width = 0.0 if series.half_width is None else series.half_width
    low, high = series.y - width, series.y + width
    return (low, high) if bounds is None else (np.clip(low, *bounds), np.clip(high, *bounds))


def spans(series: Series, bounds: tuple[float, float] | None = None) -> tuple[list[float], list[float]]:
    """x and y that must be in view: all of them, but where every step is shown, a few wild ones may stick out."""
    x, y = series.x, series.y
    edges = y if series.half_width is None else np.append(*interval(series, bounds))
    edges = edges[np.isfinite(edges)]
    if not len(edges):
        return [], []
    least, greatest = float(edges.min()), float(edges.max())
    if series.role in ("raw", "background"):
        ordered = np.sort(edges[:: max(len(edges) // LONG, 1)])  # many times faster than numpy's own percentiles
        low, high = (float(ordered[round(share * (len(ordered) - 1))]) for share in (0.005, 0.995))
        least, greatest = max(least, 2 * low - high), min(greatest, 2 * high - low)
    # Long curves are sorted; a cloud of points need not be.
    ends = x[[0, -1]] if len(x) > LONG else x
    return [float(ends.min()), float(ends.max())], [least, greatest]
