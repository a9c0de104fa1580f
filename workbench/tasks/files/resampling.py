"""Brings series of unequal lengths to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Fit = Literal["resample", "crop"]
Values = NDArray[np.float64]

SHORTEST, LONGEST = 16, 1024


def usual_length(lengths: Sequence[int]) -> int:
    """The median length, at least 16 and at most 1024 steps."""
    return int(np.clip(np.median(lengths), SHORTEST, LONGEST))


def fitted(series: Values, length: int, fit: Fit) -> Values:
    """A series [channels, steps] of `length` steps.

    Resampled, its values stand on the straight lines between its own; cropped, it is cut about its middle, and a
    shorter one holds its first and its last value.
    """
    steps = series.shape[1]
    if steps == length:
        return series
    if fit == "crop":
        places = np.clip(np.arange(length) + (steps - length) // 2, 0, steps - 1)
        return series[:, places]
    where = np.linspace(0, steps - 1, length)
    return np.stack([np.interp(where, np.arange(steps), channel) for channel in series])


def trimmed(series: Values) -> Values:
    """A series [channels, steps] without the steps at its end at which every channel is missing."""
    there = np.flatnonzero(~np.isnan(series).all(0))
    return series[:, : there[-1] + 1] if len(there) else series[:, :0]


def filled(series: Values) -> tuple[Values, int]:
    """A series whose missing values stand on the straight line between their neighbours, and how many there were.

    Raises:
        ValueError: A channel has no value at all.
    """
    missing = np.isnan(series)
    if not missing.any():
        return series, 0
    if missing.all(1).any():
        raise ValueError("a channel has no value at all")
    steps = np.arange(series.shape[1])
    whole = [np.interp(steps, steps[~gap], channel[~gap]) for channel, gap in zip(series, missing, strict=True)]
    return np.stack(whole), int(missing.sum())
