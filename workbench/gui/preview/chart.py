"""How many examples each class has, as bars in the colour of its split."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import ClassVar

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QLabel

from workbench.gui.plots.names_axis import NameAxis
from workbench.gui.plots.style import brush, font, pen
from workbench.gui.plots.surface import LEFT_WIDTH, Surface, label_axis
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme, blend
from workbench.tasks.base import SPLIT_NAMES, Count
from workbench.tasks.looking.preview import sorted_counts
from workbench.words import counted

MOST_NAMED, FEWEST = 20, 8
LARGEST_NAME = 210
BAR, WALL = 0.72, 1.0
WALL_FROM = 150


def split_color(theme: Theme, split: str) -> str:
    """The colour of a split, "#rrggbb"."""
    return theme.series[SPLIT_NAMES.index(split) if split in SPLIT_NAMES else len(SPLIT_NAMES)]


class CountsChart(Surface):
    """Bars across with names for a few classes, a row of bars upwards for many; pointing at one tells which it is.

    Attributes:
        counts: What is drawn, in its order.
        reading: Number of the bar that is read; None where none is.
    """

    reading_keys: ClassVar = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0),
                              Qt.Key.Key_Down: (1, 0)}

    def __init__(self, theme: Theme) -> None:
        super().__init__({side: NameAxis(side) for side in ("left", "bottom")}, None)
        self.counts: tuple[Count, ...] = ()
        self.reading: int | None = None
        self.setObjectName("preview.chart")
        self._bars = pg.BarGraphItem(x=[], y=[], width=BAR, height=[])
        self._mark = pg.BarGraphItem(x=[], y=[], width=BAR, height=[])
        for z, item in enumerate((self._bars, self._mark)):
            item.setZValue(z)
            self._plot.addItem(item, ignoreBounds=True)
        for axis in self._axes.values():
            axis.setZValue(-1000)  # The grid lies behind the bars.
            axis.is_whole = True
        self._readout = named(QLabel(self), "readout")
        self._readout.setTextFormat(Qt.TextFormat.RichText)
        self._readout.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._readout.hide()
        self._begin(theme)

    @property
    def is_across(self) -> bool:
        """Whether there are few enough bars to name them all."""
        return len(self.counts) <= MOST_NAMED

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self._theme = theme
        self._readout.setFont(font(-1))
        self._draw()

    def show_counts(self, counts: Sequence[Count]) -> None:
        """Draw other counts."""
        self.counts, self.reading, self._is_moved = sorted_counts(counts), None, False
        splits = list(dict.fromkeys(one.split for one in self.counts))
        self.setAccessibleName("Examples of each class")
        self.setAccessibleDescription("; ".join(
            f"{split}: {counted(sum(one.split == split for one in self.counts), 'bars')}" for split in splits)
            + ". Arrows read the bars, Ctrl and arrows pan, plus and minus zoom, A resets.")
        self._draw()

    def _draw(self) -> None:
        if not self.counts:
            return
        self._bars.setOpts(**self._boxes(range(len(self.counts))), pen=pg.mkPen(None),
                           brushes=[brush(split_color(self._theme, one.split)) for one in self.counts])
        self._view.invertY(self.is_across)
        self._label_axes()
        if not self._is_moved:
            self._show_everything()
        self._read()

    def _boxes(self, numbers: Sequence[int]) -> dict[str, object]:
        """The bars of these numbers as pyqtgraph takes them."""
        places = np.array(numbers, dtype=float) + 0.5
        lengths = np.array([self.counts[number].examples for number in numbers], dtype=float)
        thick = WALL if len(self.counts) > WALL_FROM else BAR
        others = dict.fromkeys(("x", "x0", "y", "y0"))
        zeros = np.zeros(len(places))
        if self.is_across:
            return {**others, "x0": zeros, "y": places, "width": lengths, "height": thick}
        return {**others, "x": places, "y0": zeros, "width": thick, "height": lengths}

    def _label_axes(self) -> None:
        left, bottom = self._axes["left"], self._axes["bottom"]
        names = tuple(one.name for one in self.counts)
        left.names, bottom.names = (names, None) if self.is_across else (None, None)
        left.count = bottom.count = len(names)
        label_axis(left, "" if self.is_across else "examples", self._view.height())
        label_axis(bottom, "examples" if self.is_across else f"{len(names):,} classes, by split and size",
                   self._view.width())
        left.setGrid(False if self.is_across else 120)
        bottom.setGrid(120 if self.is_across else False)
        left.room = left.widest(min(LARGEST_NAME, max(self.width() // 3, 40)))
        left.setWidth(left.room + 14 if self.is_across else LEFT_WIDTH)
        left.showLabel(not self.is_across)
        for axis in (left, bottom):
            axis.picture = None
            axis.update()

    def _show_everything(self) -> None:
        if not self.counts:
            return
        most = 1.06 * max(1, *(one.examples for one in self.counts))
        # A few bars stand at the top rather than fill the page.
        box = (QRectF(0, 0, most, max(len(self.counts), FEWEST)) if self.is_across else
               QRectF(0, 0, len(self.counts), most))
        self._view.setLimits(xMin=0, xMax=box.right(), yMin=0, yMax=box.bottom())
        self._view.setRange(box, padding=0, disableAutoRange=True)

    def _lay_out(self) -> None:
        """Shorten names for the new width."""
        if self.counts:
            self._label_axes()

    def _place(self, *_: object) -> None:
        """Put what lies over the plot where it belongs."""
        super()._place()
        if self.reading is not None:
            self._place_readout()

    def read_at(self, position: QPointF) -> None:
        """Read the bar at a point of the widget."""
        scene = self.mapToScene(position.toPoint())
        if not self.counts or not self._view.sceneBoundingRect().contains(scene):
            self.leave()
            return
        point = self._view.mapSceneToView(scene)
        along = point.y() if self.is_across else point.x()
        self.reading = int(along) if 0 <= along < len(self.counts) else None
        self._read()

    def step_reading(self, down: int, right: int) -> None:
        """Read the next bar, or the one before; the first where none was read."""
        if self.counts:
            by = down or right
            known = -1 if self.reading is None else self.reading
            self.reading = int(np.clip(known + (by if self.reading is not None else 1), 0, len(self.counts) - 1))
            self._read()

    def leave(self) -> None:
        """Read no bar any more."""
        self.reading = None
        self._read()

    def _read(self) -> None:
        is_read = self.reading is not None
        self._mark.setVisible(is_read)
        self._readout.setVisible(is_read)
        if self.reading is None:
            return
        one = self.counts[self.reading]
        self._mark.setOpts(**self._boxes([self.reading]), pen=pen(self._theme.text, 1),
                           brush=brush(blend(self._theme.text, split_color(self._theme, one.split), 0.25)))
        where = f"<br>{escape(one.split)}" if one.split != one.name else ""
        self._readout.setText(f"<b>{escape(one.name)}</b>{where}<br>{counted(one.examples, 'examples')}")
        self._readout.adjustSize()
        self._place_readout()

    def _place_readout(self) -> None:
        """Beside the bar, inside the widget."""
        assert self.reading is not None  # noqa: S101 - only called while a bar is read
        one = self.counts[self.reading]
        end = (one.examples, self.reading + 0.5) if self.is_across else (self.reading + 0.5, one.examples)
        at = self.mapFromScene(self._view.mapViewToScene(QPointF(*end)))
        size, gap = self._readout.size(), QFontMetrics(font(-1)).height() // 2
        left = at.x() + gap if at.x() + gap + size.width() < self.width() else at.x() - gap - size.width()
        top = min(max(at.y() - size.height() // 2, 2), self.height() - size.height() - 2)
        self._readout.move(max(left, 2), top)
        self._readout.raise_()

    @property
    def readout_text(self) -> str:
        """What is read; empty where nothing is."""
        return "" if self._readout.isHidden() else self._readout.text()
