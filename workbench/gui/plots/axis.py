"""Axes with few, round, readable numbers."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg

PIXELS_A_NUMBER = {"left": 30, "right": 30, "bottom": 80}
MOST_NUMBERS = 9


class NumberAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """An axis whose numbers stand at 1, 2, 2.5 or 5 times a power of ten, thousands separated.

    Attributes:
        is_whole: Whether there is nothing to read between whole numbers.
    """

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.is_whole = False
        self.enableAutoSIPrefix(False)
        self.setStyle(tickLength=0, autoReduceTextSpace=False, tickTextOffset=6, hideOverlappingLabels=False)

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Places of the numbers; on a logarithmic axis they are exponents."""
        wanted = min(max(size / PIXELS_A_NUMBER[self.orientation], 1.0), MOST_NUMBERS)
        if self.logMode and high - low >= 1:
            return [(1.0, _powers(low, high, wanted))]
        if self.logMode:
            step = round_step((10**high - 10**low) / wanted, is_whole=False)
            places = _multiples(10**low, 10**high, step)
            return [(step, [math.log10(place) for place in places if place > 0])]
        step = round_step((high - low) / wanted, is_whole=self.is_whole)
        return [(step, _multiples(low, high, step))]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: ARG002
        """The numbers in words."""
        if self.logMode:
            return [_short(10**value) for value in values]
        return numbers(values, spacing)


def round_step(least: float, *, is_whole: bool) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is no smaller."""
    if not (least > 0 and math.isfinite(least)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * 0.999)
    if is_whole and step == 2.5:
        step = 5.0
    return max(step, 1.0) if is_whole else step


def numbers(values: list[float], step: float) -> list[str]:
    """Numbers with as many decimals as their step needs; very large and very small ones as powers."""
    largest = max((abs(value) for value in values), default=0.0)
    if largest >= 1e7 or (step and step < 1e-5):
        return [f"{value:.3g}" for value in values]
    decimals = next((count for count in range(6) if abs(round(step, count) - step) < 1e-9), 6)
    return [f"{value + 0.0:,.{decimals}f}" for value in values]


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(place) for place in np.arange(first, last + 1) * step]


def _powers(low: float, high: float, wanted: float) -> list[float]:
    """Exponents of whole powers of ten, with twos and fives between them where there is room."""
    factors = next((choice for choice in ((1, 2, 5), (1, 3), (1,)) if (high - low) * len(choice) <= wanted), (1,))
    every = max(1, math.ceil((high - low) / wanted))
    exponents = range(math.floor(low), math.ceil(high) + 1)
    places = [exponent + math.log10(factor) for exponent in exponents if exponent % every == 0 for factor in factors]
    return [place for place in places if low <= place <= high]


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 and value < 1e6 else f"{value:.3g}"
