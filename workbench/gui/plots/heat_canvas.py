"""A widget that draws a table of numbers: a map of colours, or bars or a line where it has one row or one column."""

from __future__ import annotations

from html import escape
from typing import ClassVar

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QLabel, QWidget

from workbench.exports.heat import Heat
from workbench.gui.plots.axis import NumberAxis
from workbench.gui.plots.heat_colors import COLORS, bar_color, colors
from workbench.gui.plots.names_axis import NameAxis
from workbench.gui.plots.style import brush, font, pen
from workbench.gui.plots.surface import LEFT_WIDTH, Surface, color_axis, label_axis
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme

STRIP_WIDTH = 14
SCALE_WIDTH = 66
LARGEST_NAME = 190
BAR = 0.7


class HeatCanvas(Surface):
    """A table on the screen.

    Attributes:
        heat: What is drawn.
        cell: Row and column that are read; None where none is.
    """

    reading_keys: ClassVar = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0),
                              Qt.Key.Key_Down: (1, 0)}

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__({side: NameAxis(side) for side in ("left", "bottom")}, parent)
        self.heat = Heat("")
        self.cell: tuple[int, int] | None = None
        self._image = pg.ImageItem(axisOrder="row-major")
        self._bars = pg.BarGraphItem(x=[], y=[], width=BAR, height=[])
        self._curve = pg.PlotCurveItem(connect="finite")
        self._zero = pg.InfiniteLine(pos=0)
        self._cross = [pg.InfiniteLine(angle=angle) for angle in (90, 0)]
        self._frames = [pg.PlotCurveItem() for _ in range(2)]
        self._strip = pg.ViewBox(enableMenu=False, enableMouse=False, defaultPadding=0.0)
        self._strip_image = pg.ImageItem(axisOrder="row-major")
        self._scale = NumberAxis("right")
        self._readout = named(QLabel(self), "readout")
        self._prepare()
        self.leave()
        self._begin(theme)

    def _prepare(self) -> None:
        for axis in self._axes.values():
            axis.setZValue(-1000)  # The grid lies behind the bars.
        for z, item in enumerate((self._image, self._bars, self._curve, self._zero, *self._cross, *self._frames)):
            item.setZValue(z)
            self._plot.addItem(item, ignoreBounds=True)
        self._strip.setFixedWidth(STRIP_WIDTH)
        self._strip.addItem(self._strip_image, ignoreBounds=True)
        self._scale.linkToView(self._strip)
        self._scale.setWidth(SCALE_WIDTH)
        self._plot.layout.addItem(self._strip, 2, 3)
        self._plot.layout.addItem(self._scale, 2, 4)
        self._plot.layout.setColumnSpacing(2, 12)
        self._readout.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._readout.setTextFormat(Qt.TextFormat.RichText)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours, and draw the table again in them."""
        super().set_theme(theme)
        self._theme = theme
        color_axis(self._scale, theme)
        self._strip.setBorder(pen(theme.line, 1))
        self._zero.setPen(pen(theme.muted, 1))
        for line in self._cross:
            line.setPen(pen(theme.muted, 1, Qt.PenStyle.DotLine))
        for frame, (color, width) in zip(self._frames, ((theme.canvas, 4), (theme.text, 2)), strict=True):
            frame.setPen(pen(color, width))
        self._readout.setFont(font(-1))
        self.draw(self.heat)

    def draw(self, heat: Heat) -> None:
        """Draw a table, keeping the view where a person has moved it, and the cell that is read."""
        if (heat.title, heat.values.shape) != (self.heat.title, self.heat.values.shape):
            self._is_moved, self.cell = False, None
        self.heat = heat
        form = heat.form if not heat.is_empty else None
        for item, shown in ((self._image, form == "map"), (self._bars, form in ("bars across", "bars up")),
                            (self._curve, form == "line"), (self._zero, form != "map"),
                            (self._strip, form == "map"), (self._scale, form == "map")):
            item.setVisible(shown)
        if form is None:
            return
        if form == "map":
            self._draw_map(heat)
        elif form == "line":
            self._curve.setData(np.arange(heat.values.size) + 0.5, heat.values.reshape(-1), antialias=True,
                                pen=pen(bar_color(self._theme, is_below=False), 2))
        else:
            self._draw_bars(heat)
        self._zero.setAngle(90 if form == "bars across" else 0)
        self._label_axes()
        self._view.invertY(form in ("map", "bars across"))
        if not self._is_moved:
            self._show_everything()
        self._read()
        self._place()

    def _draw_map(self, heat: Heat) -> None:
        rows, columns = heat.values.shape
        self._image.setImage(colors(heat.values, heat.limits, self._theme), autoLevels=False)
        self._image.setRect(QRectF(0, 0, columns, rows))
        low, high = heat.limits
        ramp = np.linspace(low, high, COLORS)[:, None]
        self._strip_image.setImage(colors(ramp, heat.limits, self._theme), autoLevels=False)
        self._strip_image.setRect(QRectF(0, low, 1, high - low))
        self._strip.setRange(xRange=(0, 1), yRange=(low, high), padding=0, disableAutoRange=True)

    def _draw_bars(self, heat: Heat) -> None:
        values = heat.values.reshape(-1)
        places = np.arange(len(values)) + 0.5
        lengths = np.where(np.isfinite(values), values, 0.0)
        brushes = [brush(bar_color(self._theme, is_below=bool(value < 0))) for value in lengths]
        side = {"x0": np.zeros(len(values)), "y": places, "width": lengths, "height": BAR}
        up = {"x": places, "y0": np.zeros(len(values)), "width": BAR, "height": lengths}
        others = dict.fromkeys(("x", "x0", "y", "y0"))
        self._bars.setOpts(**{**others, **(side if heat.form == "bars across" else up)}, brushes=brushes,
                           pen=pg.mkPen(None))

    def _label_axes(self) -> None:
        heat, form = self.heat, self.heat.form
        rows, columns = heat.values.shape
        left, bottom = self._axes["left"], self._axes["bottom"]
        left.names = heat.row_names if form in ("map", "bars across") else None
        bottom.names = None if form == "bars across" else heat.column_names
        left.count, bottom.count = rows, columns
        words = {"left": heat.rows if left.names is not None else heat.values_label,
                 "bottom": heat.columns if bottom.names is not None else heat.values_label}
        if form == "line" and columns == 1:
            bottom.names, bottom.count, words["bottom"] = heat.row_names, rows, heat.rows
        for axis, room in ((left, self._view.height()), (bottom, self._view.width()), (self._scale,
                                                                                       self._view.height())):
            label_axis(axis, words.get(axis.orientation, heat.values_label), room)
        self._axes["left"].setGrid(120 if left.names is None else False)
        self._axes["bottom"].setGrid(120 if bottom.names is None else False)
        metrics = QFontMetrics(font(-1))
        left.room = left.widest(min(LARGEST_NAME, max(self.width() // 3, 40)))
        left.setWidth(LEFT_WIDTH if left.names is None else left.room + metrics.height() + 16)
        for axis in (left, bottom):
            axis.picture = None
            axis.update()

    def _extent(self) -> QRectF:
        """What shows everything: x, y, width and height."""
        heat = self.heat
        rows, columns = heat.values.shape
        low, high = min(heat.limits[0], 0.0), max(heat.limits[1], 0.0)
        span = 1.06 * (high - low)
        low = low - 0.06 * (high - low) if low < 0 else low
        if heat.form == "map":
            return QRectF(0, 0, columns, rows)
        if heat.form == "bars across":
            return QRectF(low, 0, span, rows)
        return QRectF(0, low, heat.values.size, span)

    def _show_everything(self) -> None:
        if self.heat.is_empty:
            return
        box = self._extent()
        self._view.setLimits(xMin=box.left(), xMax=box.right(), yMin=box.top(), yMax=box.bottom())
        self._view.setRange(box, padding=0, disableAutoRange=True)

    def _place(self, *_: object) -> None:
        """Put what lies over the plot where it belongs."""
        super()._place()
        if self.cell is not None:
            self._place_readout(self.cell)

    def _lay_out(self) -> None:
        """Shorten names for the new width."""
        if not self.heat.is_empty:
            self._label_axes()

    def read_at(self, position: QPointF) -> None:
        """Read the number at a point of the widget."""
        scene = self.mapToScene(position.toPoint())
        if self.heat.is_empty or not self._view.sceneBoundingRect().contains(scene):
            self.leave()
            return
        point = self._view.mapSceneToView(scene)
        rows, columns = self.heat.values.shape
        across, down = (point.x(), point.y()) if self.heat.form != "line" or columns > 1 else (0.0, point.x())
        self.cell = (int(np.clip(down, 0, rows - 1)) if rows > 1 else 0,
                     int(np.clip(across, 0, columns - 1)) if columns > 1 else 0)
        self._read()

    def leave(self) -> None:
        """Put the crosshair away."""
        self.cell = None
        self._read()

    def _read(self) -> None:
        """Say what the cell holds, and mark it."""
        for item in (*self._cross, *self._frames):
            item.setVisible(self.cell is not None)
        self._readout.setVisible(self.cell is not None)
        if self.cell is None:
            return
        row, column = self.cell
        heat = self.heat
        places = [(heat.rows, heat.row_name(row), heat.values.shape[0] > 1 or bool(heat.row_names)),
                  (heat.columns, heat.column_name(column), heat.values.shape[1] > 1 or bool(heat.column_names))]
        lines = "".join(f"<tr><td>{escape(axis)}&nbsp;&nbsp;</td><td>{escape(name)}</td></tr>"
                        for axis, name, is_said in places if is_said)
        self._readout.setText(f"<b>{heat.values[row, column]:,.4g}</b> {escape(heat.values_label)}"
                              f"<table cellspacing=0>{lines}</table>")
        self._readout.adjustSize()
        box = self._cell_box(row, column)
        xs = np.array([box.left(), box.right(), box.right(), box.left(), box.left()])
        ys = np.array([box.top(), box.top(), box.bottom(), box.bottom(), box.top()])
        for frame in self._frames:
            frame.setData(xs, ys)
            frame.setVisible(heat.form == "map")
        self._cross[0].setPos(box.center().x())
        self._cross[1].setPos(box.center().y())
        for line in self._cross:
            line.setVisible(heat.form != "map")
        self._place_readout(self.cell)

    def _cell_box(self, row: int, column: int) -> QRectF:
        """A cell of a map, or the end of a bar as a box without size."""
        heat = self.heat
        if heat.form == "map":
            return QRectF(column, row, 1, 1)
        value = float(np.nan_to_num(heat.values[row, column]))
        place = max(row, column) + 0.5
        return QRectF(value, place, 0, 0) if heat.form == "bars across" else QRectF(place, value, 0, 0)

    def _place_readout(self, cell: tuple[int, int]) -> None:
        """Beside the cell, on the side where there is room."""
        box = self._cell_box(*cell)
        first, last = (self.mapFromScene(self._view.mapViewToScene(corner))
                       for corner in (box.topLeft(), box.bottomRight()))
        size = self._readout.size()
        left = last.x() + 10
        if left + size.width() > self.width():
            left = max(first.x() - 10 - size.width(), 2)
        top = min(max(first.y() - size.height() - 8, 2), max(self.height() - size.height() - 2, 2))
        self._readout.move(left, top)
        self._readout.raise_()

    @property
    def readout_text(self) -> str:
        """What the crosshair says; empty where it is not shown."""
        return "" if self._readout.isHidden() else self._readout.text()

    def step_reading(self, down: int, right: int) -> None:
        """Read a cell further down or to the right; the first one where none was read."""
        if self.heat.is_empty:
            return
        row, column = self.cell or (-max(down, 0), -max(right, 0))
        if self.heat.values.shape[1] == 1 and right:
            down, right = (right, 0) if self.heat.form == "line" else (0, 0)
        self.cell = (int(np.clip(row + down, 0, self.heat.values.shape[0] - 1)),
                     int(np.clip(column + right, 0, self.heat.values.shape[1] - 1)))
        self._read()
