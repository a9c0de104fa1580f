"""A widget that draws a figure: it keeps its items and follows new numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from workbench.exports.figures import Figure
from workbench.gui.plots.axis import NumberAxis
from workbench.gui.plots.marks import Mark
from workbench.gui.plots.readout import Readout
from workbench.gui.plots.references import References
from workbench.gui.plots.still import Still
from workbench.gui.plots.style import LABEL_ALPHA, font
from workbench.gui.plots.surface import LEFT_WIDTH, Surface, label_axis
from workbench.gui.plots.turns import Turns
from workbench.gui.theme import Theme

CROWD = 12
# As many times what it has to show may a view be wide, and high.
LOOSEST = (1.25, 1.6)
# Of a view that a run outgrew, what is left free on the right for its next steps; of margins, what may be used up.
AHEAD, USED = 0.16, 0.04
Span = tuple[float, float]
NOWHERE: Span = (math.inf, math.inf)


class Canvas(Surface):
    """A figure on the screen.

    Attributes:
        figure: What is drawn.
        hidden: Legend entries that are switched off.
    """

    reading_keys: ClassVar = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1)}

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__({side: NumberAxis(side) for side in ("left", "bottom")}, parent)
        self.figure = Figure("")
        self.hidden: set[str] = set()
        self._marks: dict[str, Mark] = {}
        self._references, self._turns = References(self._plot), Turns(self._plot)
        self._readout = Readout(self)
        self._named: object = None
        self._reach = NOWHERE  # what had to be seen the last time, across
        self._still = Still(self, self._paint_still)
        # What is to be painted is said here: Qt would look for what has changed, item by item, and find the curves,
        # which reach over the whole plot.
        self.setViewportUpdateMode(self.ViewportUpdateMode.NoViewportUpdate)
        self._view.sigStateChanged.connect(self._paint_soon)
        self._view.sigResized.connect(self._paint_soon)
        self._axes["left"].setWidth(LEFT_WIDTH)
        self._axes["left"].setGrid(120)
        self._axes["left"].setZValue(-1000)  # The grid lies behind the curves.
        self._view.sigXRangeChanged.connect(self._refresh)
        self._begin(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours, and draw the figure again in them."""
        super().set_theme(theme)
        self._theme = theme
        self._readout.set_theme(theme)
        self.draw(self.figure)

    def draw(self, figure: Figure) -> None:
        """Draw a figure, keeping the view where a person has moved it."""
        if figure.is_log != self.figure.is_log or figure.x_label != self.figure.x_label:
            self._is_moved = False
        if _kind(figure) != _kind(self.figure):
            self._reach = NOWHERE
        self.figure = figure
        self._label_axes(figure)
        self._marks = self._kept(figure)
        for rank, series in enumerate(figure.series):
            mark = self._marks[series.name]
            mark.set(series, self._theme, is_log=figure.is_log, is_crowded=len(figure.series) > CROWD,
                     bounds=figure.bounds)
            mark.stack(rank / len(figure.series))
            mark.set_shown(series.legend not in self.hidden)
        others = self._references.set(figure, self._theme), self._turns.set(figure, self._theme)
        has_moved = not self._is_moved and self._follow()
        self._refresh()
        self._readout.refresh(figure, self._shown_marks())
        if any(others) or has_moved:
            self._place()
        else:
            self._references.place()  # a curve may have come into the way of a label
        self._paint_soon()

    def _kept(self, figure: Figure) -> dict[str, Mark]:
        """A mark for every series, in their order: its own, or that of one that is gone, for making one takes longer.
        """
        names = {series.name for series in figure.series}
        free = [mark for name, mark in self._marks.items() if name not in names]
        kept = {series.name: self._marks.get(series.name) or (free.pop() if free else Mark(self._plot))
                for series in figure.series}
        for mark in free:
            mark.remove()
        return kept

    def _paint_soon(self, *_: object) -> None:
        self.viewport().update()

    def _label_axes(self, figure: Figure) -> None:
        named = (figure.y_label, figure.x_label, figure.is_whole, figure.is_log, self._view.size(), font(-1))
        if named == self._named:
            return
        self._named = named
        label_axis(self._axes["left"], figure.y_label, self._view.height())
        label_axis(self._axes["bottom"], figure.x_label, self._view.width())
        self._axes["bottom"].is_whole = figure.is_whole
        if self._axes["left"].logMode != figure.is_log:
            self._axes["left"].setLogMode(y=figure.is_log)

    def set_hidden(self, hidden: set[str]) -> None:
        """Switch legend entries off."""
        self.hidden = hidden
        for mark in self._marks.values():
            mark.set_shown(mark.series is not None and mark.series.legend not in hidden)
        if not self._is_moved:
            self._show_everything()
        self._paint_soon()

    def _shown_marks(self) -> list[Mark]:
        return [mark for mark in self._marks.values() if mark.series and mark.series.legend not in self.hidden]

    def _show_everything(self) -> None:
        self._show(*self._extent())

    def _extent(self) -> tuple[Span, Span]:
        return extent(self.figure, self._shown_marks() or self._marks.values())

    def _show(self, across: Span, up: Span) -> None:
        self._view.setRange(xRange=across, yRange=up, padding=0, disableAutoRange=True)

    def _follow(self) -> bool:
        """Show everything, with room to grow, and say whether that took another view: axes take longer than curves."""
        shown, wanted, before = self._view.viewRange(), self._extent(), self._reach
        across, up = (followed((low, high), span, loosest if before != NOWHERE else 1.0) for (low, high), span, loosest
                      in zip(shown, wanted, LOOSEST, strict=True))
        width = wanted[0][1] - wanted[0][0]
        if across == wanted[0] and abs(before[0] - across[0]) < USED * width and before[1] < across[1]:
            across = across[0], across[1] + AHEAD * width
        self._reach = wanted[0] if any(mark.spans[0] for mark in self._marks.values()) else NOWHERE
        has_moved = (across, up) != (tuple(shown[0]), tuple(shown[1]))
        if has_moved:
            self._show(across, up)
        return has_moved

    def _refresh(self, *_: object) -> None:
        low, high = self._view.viewRange()[0]
        pixels = max(int(self._view.width()), 200)
        for mark in self._marks.values():
            mark.show_range(low, high, pixels)

    def _place(self, *_: object) -> None:
        """Put what lies over the plot where it belongs."""
        self._references.place()
        self._turns.place()
        super()._place()

    def _lay_out(self) -> None:
        """Thin for the new width."""
        self._label_axes(self.figure)
        self._refresh()

    def _paint_quickly(self) -> bool:
        """Paint the curves over a picture of the rest, except under the crosshair, which lies over the curves."""
        if self._readout.is_shown:
            return False
        # Axes move only with these; the grid and what is labelled do too.
        shows = (self._theme, font(-1), self._view.viewRange(), self._view.sceneBoundingRect(),
                 self.figure.is_log, *((axis.labelText, axis.is_whole) for axis in self._axes.values()),
                 self._references.state, self._turns.state)
        return self._still.paint(shows, self._paint_curves,
                                 lambda: [*self._references.labels, *self._turns.labels], LABEL_ALPHA / 255)

    def _paint_still(self, painter: QPainter) -> None:
        hidden = [item for mark in self._marks.values() for item in mark.items]
        for item in hidden:
            item.is_left_out = True
        try:
            self.render(painter, QRectF(self.viewport().rect()), self.viewport().rect())
        finally:
            for item in hidden:
                item.is_left_out = False

    def _paint_curves(self, painter: QPainter) -> None:
        marks = [mark for mark in self._marks.values() if mark.series]
        items = [item for mark in marks for item in mark.items if item.isVisible()]
        painter.setClipRect(self._view.mapRectToScene(self._view.rect()))
        painter.setWorldTransform(self._view.childGroup.sceneTransform() * self.viewportTransform(), True)
        for item in sorted(items, key=lambda one: float(one.zValue())):
            painter.save()
            item.paint(painter, None, None)
            painter.restore()
        painter.resetTransform()
        painter.setClipping(False)

    def read_at(self, position: QPointF) -> None:
        """Read the curves at a point of the widget."""
        scene = self.mapToScene(position.toPoint())
        if self._view.sceneBoundingRect().contains(scene):
            point = self._view.mapSceneToView(scene)
            self._readout.show_at(point.x(), point.y(), self.figure, self._shown_marks())
            self._paint_soon()
        else:
            self.leave()

    def step_reading(self, down: int, right: int) -> None:  # noqa: ARG002
        """Read the curves further left or right."""
        self._readout.step(right, self._view.viewRange()[0], self.figure, self._shown_marks())
        self._paint_soon()

    def leave(self) -> None:
        """Put the crosshair away."""
        self._readout.leave()
        self._paint_soon()

    @property
    def pictures_taken(self) -> int:
        """How often what stands still was painted."""
        return self._still.taken

    @property
    def readout_text(self) -> str:
        """What the crosshair says; empty where it is not shown."""
        return self._readout.words()


def _kind(figure: Figure) -> object:
    """What tells whether a figure shows the same as before, only later."""
    return figure.title, figure.x_label, figure.y_label, figure.is_log, [series.name for series in figure.series]


def followed(shown: Span, wanted: Span, loosest: float) -> Span:
    """The view for what has to be seen: the one that is shown while that lies in it and is not lost in it.

    Args:
        shown: The view as it is.
        wanted: What has to be seen, with its margins.
        loosest: How many times as wide as that the view may be.
    """
    low, high = wanted
    width = high - low
    fits = shown[0] <= low + USED * width / 2 and high - USED * width / 2 <= shown[1]
    if fits and shown[1] - shown[0] <= loosest * width:
        return shown
    return wanted


def extent(figure: Figure, shown: Iterable[Mark]) -> tuple[Span, Span]:
    """x and y that show everything, with a margin."""
    xs: list[float] = []
    ys = [reference.value for reference in figure.references if not reference.is_diagonal]
    for mark in shown:
        xs += mark.spans[0]
        ys += mark.spans[1]
    ys = [y for y in ys if np.isfinite(y) and (y > 0 or not figure.is_log)]
    left, right = (min(xs), max(xs)) if xs else (0.0, 1.0)
    low, high = (min(ys), max(ys)) if ys else (0.1, 1.0)
    if figure.is_log:
        low, high = np.log10(low), np.log10(high)
    x_margin, y_margin = (0.035 * (right - left) or 0.5), (0.06 * (high - low) or abs(0.1 * low) or 0.5)
    low, high = low - y_margin, high + y_margin
    if figure.bounds is not None:
        beyond = min(y_margin, 3.0)
        low, high = max(low, figure.bounds[0] - beyond), min(high, figure.bounds[1] + beyond)
    return (left - x_margin, right + x_margin), (float(low), float(high))
