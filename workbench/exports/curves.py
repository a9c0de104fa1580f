"""Arithmetic on long curves: smoothing that grows with a run, and thinning that keeps every extreme."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from workbench.engine.events import Curve
from workbench.runs.history import Series as Growing

_BLOCK = 256


class Smoother:
    """Debiased exponential smoothing of a growing curve; only what is new is computed.

    The smoothed value is Σ wᵏ x₍ₜ₋ₖ₎ / Σ wᵏ over the finite values so far, so that it starts at the first value and
    not at zero, and a step that is not a number leaves the curve where it was.

    Args:
        weight: w in [0, 1): 0 leaves the curve as it is.
        scale: What the smoothed curve is multiplied by.
    """

    def __init__(self, weight: float, scale: float = 1.0) -> None:
        self.weight = weight
        self.scale = scale
        self._smoothed = Growing()
        self._sums: Curve = np.zeros(2)
        lag = np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK))
        self._kernel = np.where(lag >= 0, float(weight) ** np.maximum(lag, 0), 0.0)
        self._decay = float(weight) ** np.arange(1, _BLOCK + 1)

    def extend(self, values: Curve) -> Curve:
        """The smoothed curve of everything so far, `values` being the whole curve and not only its new part."""
        done = len(self._smoothed.values)
        if len(values) < done:
            self._smoothed, self._sums, done = Growing(), np.zeros(2), 0
        if len(values) > done:
            self._smoothed.extend(self._continued(values[done:]))
        return self._smoothed.values

    def _continued(self, values: Curve) -> Curve:
        """Weighted sums of values and of ones over blocks, each block going on from the last sums of the one before."""
        is_finite = np.isfinite(values)
        count = -(-len(values) // _BLOCK)
        padded = np.zeros((2, count * _BLOCK))
        padded[0, : len(values)] = np.where(is_finite, values, 0.0)
        padded[1, : len(values)] = is_finite
        inside = padded.reshape(2, count, _BLOCK) @ self._kernel.T
        carried = np.empty((2, count))
        sums = self._sums
        for block in range(count):
            carried[:, block] = sums
            sums = self._decay[-1] * sums + inside[:, block, -1]
        # Added in place: a block may be long and this runs at every repaint.
        inside += carried[..., None] * self._decay
        totals = inside.reshape(2, -1)[:, : len(values)]
        self._sums = totals[:, -1].copy()
        seen = totals[1] > 0
        smooth = np.full(len(values), np.nan)
        np.divide(totals[0], totals[1], out=smooth, where=seen)
        return smooth * self.scale


def smoothed(values: Curve, weight: float) -> Curve:
    """A curve smoothed at once; see `Smoother`."""
    return Smoother(weight).extend(values)


class Smoothers:
    """Smoothed curves of any number of runs at one weight, forgotten with their runs."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Growing, Smoother] = WeakKeyDictionary()

    def curve(self, series: Growing, weight: float, scale: float = 1.0) -> Curve:
        """The smoothed curve of a run's series; the same memory as before where the run did not grow."""
        smoother = self._known.get(series)
        if smoother is None or (smoother.weight, smoother.scale) != (weight, scale):
            smoother = self._known[series] = Smoother(weight, scale)
        return smoother.extend(series.values)


class _Counted:
    """1, 2, 3, … as far as anybody asked."""

    numbers: Curve = np.arange(1.0, 1025.0)


def iterations(count: int) -> Curve:
    """The numbers of the first steps, 1 to `count`; one memory for all runs."""
    if count > len(_Counted.numbers):
        _Counted.numbers = np.arange(1.0, 2.0 * count + 1)
    return _Counted.numbers[:count]


def is_same(one: Curve, other: Curve) -> bool:
    """Whether two arrays hold the same numbers: the same part of an append-only memory, or few and equal."""
    if len(one) != len(other):
        return False
    if one.ctypes.data == other.ctypes.data:
        return True
    return len(one) <= 1024 and np.array_equal(one, other, equal_nan=True)


def thinned(x: Curve, y: Curve, low: float, high: float, buckets: int) -> tuple[Curve, Curve]:
    """The part of a curve between two x, at most two points a bucket: its least and its greatest value.

    Buckets are powers of two wide and stand on multiples of their width, so that they do not move, and the drawing does
    not shimmer, while a person pans or a run grows. A curve that is short enough is only cut.

    Args:
        x: Increasing, [n].
        y: [n]; what is not a number is passed over.
        low, high: The range to keep; one point beyond either end is kept too, so that lines reach the border.
        buckets: About how many.
    """
    start = max(int(np.searchsorted(x, low)) - 1, 0)
    stop = min(int(np.searchsorted(x, high, side="right")) + 1, len(x))
    if stop - start <= 2 * buckets:
        return x[start:stop], y[start:stop]
    width = 1 << int(np.ceil(np.log2((stop - start) / buckets)))
    start -= start % width
    whole = start + (stop - start) // width * width
    body = y[start:whole].reshape(-1, width)
    rest = y[whole:stop]
    least, greatest = np.fmin.reduce(body, 1), np.fmax.reduce(body, 1)
    left = x[start:whole:width]
    right = x[start + width // 2 : whole : width]
    xs, ys = _interleaved(left, right), _interleaved(least, greatest)
    if len(rest):
        xs = np.append(xs, x[[whole, stop - 1]])
        ys = np.append(ys, [np.fmin.reduce(rest), np.fmax.reduce(rest)])
    return xs, ys


def _interleaved(first: Curve, second: Curve) -> Curve:
    return np.stack([first, second], 1).reshape(-1)


def evenly(count: int, wanted: int) -> NDArray[np.int64]:
    """Up to `wanted` indices below `count`, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64)) if count else np.arange(0)
