"""Counter-based random draws: every number is a hash of (seed, stream, task index, slot), so no draw has a history."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]


def _mix(words: Words) -> Words:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014), which turns counters into white noise."""
    words = (words ^ (words >> np.uint64(30))) * _MIX_A
    words = (words ^ (words >> np.uint64(27))) * _MIX_B
    return words ^ (words >> np.uint64(31))


class Draws:
    """Random numbers of a block of tasks, vectorized over the tasks.

    Args:
        seed: Seed of the experiment.
        stream: Name of the stream; streams share no draw.
        indices: Index of each task in the stream.
    """

    def __init__(self, seed: int, stream: str, indices: Sequence[int]) -> None:
        base = _mix(np.array([(seed << 32) ^ zlib.crc32(stream.encode())], dtype=np.uint64) + _GOLDEN)
        counters = np.asarray(indices, dtype=np.int64).astype(np.uint64)
        self._tasks = _mix(_mix(base + counters * _GOLDEN) + _GOLDEN)
        self._slot = 0

    def _words(self, count: int) -> Words:
        """[tasks, count] fresh 64-bit words; each call uses the next slots."""
        slots = np.arange(self._slot, self._slot + count, dtype=np.uint64) + np.uint64(1)
        self._slot += count
        return _mix(self._tasks[:, None] + slots[None, :] * _GOLDEN)

    def keys(self) -> Integers:
        """[tasks] random signed words, for whatever draws further inside a task."""
        return self._words(1)[:, 0].astype(np.int64)

    def uniform(self, count: int) -> NDArray[np.float64]:
        """[tasks, count] numbers in [0, 1)."""
        return (self._words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def choose(self, population: NDArray[np.int64] | int, count: int, groups: int = 1) -> Integers:
        """Draw without replacement, in random order.

        Args:
            population: Number of things to draw from: one for all, or [tasks, groups].
            count: How many to draw; at most the smallest population.
            groups: Independent draws a task.

        Returns:
            [tasks, groups, count] numbers below the population.
        """
        tasks = len(self._tasks)
        sizes = np.broadcast_to(np.asarray(population, dtype=np.int64), (tasks, groups))
        if count > sizes.min():
            raise ValueError(f"cannot draw {count} of {sizes.min()} without replacement")
        noise = self.uniform(groups * count).reshape(tasks, groups, count)
        # Floyd's algorithm: the cost does not grow with the population, and every subset is equally likely.
        tops = (sizes - count)[..., None] + np.arange(count)
        chosen = (noise * (tops + 1)).astype(np.int64)
        for step in range(1, count):
            taken = (chosen[..., :step] == chosen[..., step, None]).any(-1)
            np.copyto(chosen[..., step], tops[..., step], where=taken)
        order = np.argsort(self._words(groups * count).reshape(tasks, groups, count), axis=-1)
        return np.take_along_axis(chosen, order, axis=-1)
