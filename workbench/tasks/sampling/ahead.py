"""Draws that are made ahead of the meta-batches that want them, while the device is at work, and their way to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import torch
from numpy.typing import NDArray
from torch import Tensor

NUMBERS = 8192
"""So many may be drawn at once for meta-batches to come: beginning a draw takes longer than drawing a few more."""

T = TypeVar("T", bound=tuple[Any, ...])
Work = Callable[[Sequence[int]], T]
"""Draws tasks by their indices: arrays or tensors with the tasks along their first axis."""


class Ahead(Generic[T]):
    """Remembers draws until they are asked for. A task is a pure function of key and index, so it is never wrong."""

    def __init__(self) -> None:
        self._drawn: tuple[tuple[Any, ...], range, T] | None = None

    def draw(self, key: tuple[Any, ...], indices: range, numbers: int, work: Work[T]) -> None:
        """Draw what will be asked for, unless that has been done; small tasks for several meta-batches at once.

        Args:
            key: What is drawn.
            indices: The tasks of a meta-batch.
            numbers: How many numbers a task takes.
            work: Draws them.
        """
        if self._place(key, indices) is None:
            batches = max(1, NUMBERS // max(1, numbers * len(indices)))
            together = range(indices.start, indices.start + batches * len(indices))
            self._drawn = key, together, work(together)

    def take(self, key: tuple[Any, ...], indices: Sequence[int], work: Work[T]) -> T:
        """What was drawn of these tasks with this key, or else what is drawn now."""
        place = self._place(key, indices)
        if self._drawn is None or place is None:
            return work(indices)
        return cast("T", tuple(values[place] for values in self._drawn[2]))

    def _place(self, key: tuple[Any, ...], indices: Sequence[int]) -> slice | None:
        """Where these tasks are in what was drawn; None where they are not."""
        if self._drawn is None or self._drawn[0] != key or not isinstance(indices, range) or indices.step != 1:
            return None
        together = self._drawn[1]
        if not together.start <= indices.start <= indices.stop <= together.stop:
            return None
        return slice(indices.start - together.start, indices.stop - together.start)


def placed(values: NDArray[Any] | Tensor, device: torch.device) -> Tensor:
    """Numbers of the host on a device; a CUDA device fetches them when it comes to it, and nobody waits."""
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
