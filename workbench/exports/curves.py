"""Arithmetic on long curves: smoothing that grows with a run, and thinning that keeps every extreme."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from workbench.engine.events import Curve
from workbench.runs.history import Series as Growing

_BLOCK = 32


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

    def extend(self, values: Curve, turns: Sequence[int] = ()) -> Curve:
        """The smoothed curve of everything so far.

        Args:
            values: The whole curve and not only its new part.
            turns: Indices at which the numbers begin to mean something else, so that smoothing starts anew.
        """
        done = len(self._smoothed.values)
        if len(values) < done:
            self._smoothed, self._sums, done = Growing(), np.zeros(2), 0
        ends = [done, *(turn for turn in turns if done <= turn < len(values)), len(values)]
        for begin, end in pairwise(ends):
            if begin in turns:
                self._sums = np.zeros(2)
            if end > begin:
                self._smoothed.extend(self._continued(values[begin:end]))
        return self._smoothed.values

    def _continued(self, values: Curve) -> Curve:
        """Weighted sums of values and of ones, going on from the last sums."""
        is_finite = np.isfinite(values)
        sums = _decaying_sums(np.stack([np.where(is_finite, values, 0.0), is_finite]), self.weight, self._sums)
        self._sums = sums[:, -1].copy()
        smooth = np.full(len(values), np.nan)
        np.divide(sums[0], sums[1], out=smooth, where=sums[1] > 0)
        return smooth * self.scale


def _decaying_sums(values: Curve, weight: float, before: Curve) -> Curve:
    """y₀ = w before + x₀, yₜ = w yₜ₋₁ + xₜ, for rows of values [rows, n].

    Within blocks it is a product with a small matrix; what each block hands to the next follows the same rule with
    wᵇˡᵒᶜᵏ, so that there is no loop over numbers.
    """
    rows, length = values.shape
    count = -(-length // _BLOCK)
    padded = np.zeros((rows, count * _BLOCK))
    padded[:, :length] = values
    inside = (padded.reshape(-1, _BLOCK) @ _kernel(weight)).reshape(rows, count, _BLOCK)
    handed = before[:, None]
    if count > 1:
        handed = np.concatenate([handed, _decaying_sums(inside[:, :-1, -1], weight**_BLOCK, before)], 1)
    inside += handed[..., None] * weight ** np.arange(1.0, _BLOCK + 1)
    return np.asarray(inside.reshape(rows, -1)[:, :length])


@lru_cache(64)
def _kernel(weight: float) -> Curve:
    """What a value adds to the sums of its block from its own place on, [value, sum]."""
    lag = np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK))
    return np.ascontiguousarray(np.where(lag >= 0, weight ** np.maximum(lag, 0.0), 0.0).T)


def smoothed(values: Curve, weight: float) -> Curve:
    """A curve smoothed at once; see `Smoother`."""
    return Smoother(weight).extend(values)


class Smoothers:
    """Smoothed curves of any number of runs at one weight, forgotten with their runs."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Growing, Smoother] = WeakKeyDictionary()

    def curve(self, series: Growing, weight: float, scale: float = 1.0, turns: Sequence[int] = ()) -> Curve:
        """The smoothed curve of a run's series, anew from every turn; the same memory where the run did not grow."""
        smoother = self._known.get(series)
        if smoother is None or (smoother.weight, smoother.scale) != (weight, scale):
            smoother = self._known[series] = Smoother(weight, scale)
        return smoother.extend(series.values, turns)


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
    if one.__array_interface__["data"] == other.__array_interface__["data"]:
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
    ys = np.stack([np.fmin.reduce(body, 1), np.fmax.reduce(body, 1)], 1)
    # Within a bucket a falling curve comes from above: without this a smooth one would look like a saw.
    is_falling = body[:, 0] > body[:, -1]
    ys[is_falling] = ys[is_falling, ::-1]
    ys = ys.reshape(-1)
    xs = np.stack([x[start:whole:width], x[start + width // 2 : whole : width]], 1).reshape(-1)
    if len(rest):
        extremes = sorted([np.fmin.reduce(rest), np.fmax.reduce(rest)], reverse=bool(rest[0] > rest[-1]))
        xs, ys = np.append(xs, x[[whole, stop - 1]]), np.append(ys, extremes)
    return xs, ys


def evenly(count: int, wanted: int) -> NDArray[np.int64]:
    """Up to `wanted` indices below `count`, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64)) if count else np.arange(0)
