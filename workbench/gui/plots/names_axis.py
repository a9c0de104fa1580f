"""An axis whose places have names: whole where they fit, else shortened, else only numbered."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics

from workbench.gui.plots.axis import NumberAxis
from workbench.gui.plots.style import font

FEWEST_LETTERS = 5
GAP = 8
ELISIONS = (Qt.TextElideMode.ElideMiddle, Qt.TextElideMode.ElideLeft, Qt.TextElideMode.ElideRight)


class NameAxis(NumberAxis):
    """An axis of cells, cell i lying from i to i + 1 with its name in the middle; or of numbers.

    Attributes:
        names: Of the cells, empty where they are numbered from 1; None for an axis of plain numbers.
        count: How many cells there are.
        room: For an axis on the left, pixels that a name may take.
    """

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.names: tuple[str, ...] | None = None
        self.count = 0
        self.room = 100

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """The middles of the cells that are written to."""
        low, high = min(low, high), max(low, high)
        if self.names is None:
            return super().tickValues(low, high, size)
        every, _ = self.words(size / (high - low) if high > low else 1.0)
        first, last = max(math.ceil(low - 0.5), 0), min(math.floor(high - 0.5), self.count - 1)
        return [(1.0, [index + 0.5 for index in range(first, last + 1) if every == 1 or (index + 1) % every == 0])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """The names."""
        if self.names is None:
            return super().tickStrings(values, scale, spacing)
        view = self.linkedView()
        extent = (view.height() if self.orientation == "left" else view.width()) if view else 0
        span = abs(self.range[1] - self.range[0])
        _, words = self.words(extent / span if span and extent else 1.0)
        return [words[int(value)] if 0 <= value < len(words) else "" for value in values]

    def words(self, pixels: float) -> tuple[int, list[str]]:
        """Every how many-th cell is written to, and what stands at each, where a cell is so many pixels long."""
        metrics = QFontMetrics(font(-1))
        room = self.room if self.orientation == "left" else int(pixels) - GAP
        names = self.names or ()
        if names and (self.orientation != "left" or pixels >= metrics.height()):
            short = shortened(names, room, metrics)
            if short:
                return 1, short
        # Names that are themselves numbers stay what they are when some are left out.
        numbers = list(names) if names and all(name.isdecimal() for name in names) else [
            f"{index + 1:,}" for index in range(self.count)]
        widest = max((metrics.horizontalAdvance(number) for number in numbers[-1:]), default=0) + 3 * GAP
        return every(metrics.height() + 2 if self.orientation == "left" else widest, pixels), numbers

    def widest(self, most: int) -> int:
        """Pixels that its names, or its numbers, take at most."""
        metrics = QFontMetrics(font(-1))
        words = self.names or (f"{self.count:,}",)
        return min(max((metrics.horizontalAdvance(word) for word in words), default=0) + 2, most)


def shortened(names: Sequence[str], room: int, metrics: QFontMetrics) -> list[str]:
    """The names, each in so many pixels and no two alike; none where that cannot be."""
    if max(metrics.horizontalAdvance(name) for name in names) <= room:
        return list(names)
    if room < FEWEST_LETTERS * metrics.averageCharWidth():
        return []
    for mode in ELISIONS:
        short = [metrics.elidedText(name, mode, room) for name in names]
        if len(set(short)) == len(set(names)):
            return short
    return []


def every(needed: float, pixels: float) -> int:
    """1, 2 or 5 times a power of ten: every how many-th cell of so many pixels can have a label that needs more."""
    least = max(needed / max(pixels, 1e-6), 1.0)
    power = int(10 ** math.floor(math.log10(least)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)
