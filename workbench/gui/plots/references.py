"""Dashed lines to compare with, labelled where they stand."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt

from workbench.exports.figures import Figure, Reference, Series
from workbench.gui.plots.style import LABEL_ALPHA, brush, font, pen
from workbench.gui.theme import Theme

LABEL_HEIGHT = 17
# Of the width of the view, what a label takes.
LABEL_SHARE = 0.35
# What is in no order of x, or faint.
NOT_IN_THE_WAY = ("points", "raw", "each", "faint")


class References:
    """The references of a figure.

    Args:
        plot: Where they are drawn.
    """

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._drawn: tuple[Reference, ...] = ()
        self._lines: list[tuple[float, pg.InfiniteLine, pg.TextItem]] = []
        self._theme: Theme | None = None
        self._is_log = False
        self._series: tuple[Series, ...] = ()
        self._below: set[str] = set()

    def set(self, figure: Figure, theme: Theme) -> bool:
        """Draw those of a figure, and say whether they are others than before."""
        self._series = tuple(one for one in figure.series if one.role not in NOT_IN_THE_WAY)
        if (figure.references, theme, figure.is_log) == (self._drawn, self._theme, self._is_log):
            return False
        for _, line, text in self._lines:
            self._plot.removeItem(line)
            self._plot.removeItem(text)
        self._drawn, self._theme, self._is_log = figure.references, theme, figure.is_log
        self._lines = [self._made(one, theme, is_log=figure.is_log) for one in sorted(
            figure.references, key=lambda reference: reference.value)]
        return True

    def _made(self, reference: Reference, theme: Theme, *, is_log: bool
              ) -> tuple[float, pg.InfiniteLine, pg.TextItem]:
        value = math.log10(max(reference.value, 1e-12)) if is_log else reference.value
        line = pg.InfiniteLine(pos=(value, value), angle=45 if reference.is_diagonal else 0,
                               pen=pen(theme.muted, 1, Qt.PenStyle.DashLine))
        line.setZValue(3)
        text = pg.TextItem(reference.label, color=theme.muted, anchor=(1, 1), fill=brush(theme.canvas, LABEL_ALPHA))
        text.setFont(font(-1))
        text.setZValue(8)
        for item in (line, text):
            self._plot.addItem(item, ignoreBounds=True)
        return value, line, text

    @property
    def state(self) -> object:
        """What tells whether anything of them has changed, once the view is known."""
        return self._drawn, frozenset(self._below)

    @property
    def labels(self) -> list[QRectF]:
        """Where the labels stand, in the scene."""
        return [text.sceneBoundingRect() for _, _, text in self._lines]

    def place(self) -> None:
        """Put the labels at the right border: above their line, or below where that one or the border is too near."""
        (left, right), (low, high) = self._plot.getViewBox().viewRange()
        x = right - 0.01 * (right - left)
        near = (high - low) * LABEL_HEIGHT / max(self._plot.getViewBox().height(), 1)
        above = math.inf
        for (value, line, text) in reversed(self._lines):
            if line.angle == 45:
                edge = min(right, high) - 0.04 * (right - left)
                text.setAnchor((1, 1))
                text.setPos(edge, edge)
                continue
            is_below = self._is_below(text.toPlainText(), value, near, (left, right), (low, min(high, above)))
            text.setAnchor((1, 0 if is_below else 1))
            text.setPos(x, value)
            above = value

    def _is_below(self, label: str, value: float, near: float, across: tuple[float, float],
                  between: tuple[float, float]) -> bool:
        """Whether a label goes below its line: where there is no room above, or curves leave it more room below."""
        if between[1] - value < near:
            return True
        if value - between[0] < near:
            return False
        begin = across[0] + (1 - LABEL_SHARE) * (across[1] - across[0])
        above = below = 0
        for series in self._series:
            y = series.y[np.searchsorted(series.x, begin):np.searchsorted(series.x, across[1], "right")]
            if self._is_log:
                y = np.log10(np.maximum(y, 1e-12))
            above += int(np.count_nonzero((y > value) & (y < value + near)))
            below += int(np.count_nonzero((y < value) & (y > value - near)))
        # A label stays where it is until the other side is clearly better, so that it does not jump while training.
        if label in self._below and below > 2 * above:
            self._below.discard(label)
        elif label not in self._below and above > 2 * below:
            self._below.add(label)
        return label in self._below
