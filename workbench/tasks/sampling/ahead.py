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
        self._end: int | None = None  # where the meta-batch ended that was wanted last

    def draw(self, key: tuple[Any, ...], indices: range, numbers: int, work: Work[T]) -> None:
        """Draw what will be asked for, unless that has been done.

        Where meta-batches follow one another, which they do not where several processes share them out, small tasks are
        drawn for as many as have about `NUMBERS` numbers together.

        Args:
            key: What is drawn.
            indices: The tasks of a meta-batch.
            numbers: About how many numbers a task takes.
            work: Draws them.
        """
        follows, self._end = indices.start == self._end, indices.stop
        if self._known(key, indices) is None:
            batches = max(1, NUMBERS // max(1, numbers * len(indices))) if follows else 1
            together = range(indices.start, indices.start + batches * len(indices))
            self._drawn = key, together, work(together)

    def take(self, key: tuple[Any, ...], indices: Sequence[int], work: Work[T]) -> T:
        """What was drawn of these tasks with this key, or else what is drawn now."""
        known = self._known(key, indices)
        if known is None:
            return work(indices)
        together, values = known
        if indices[-1] == together[-1]:
            self._drawn = None
        if len(indices) == len(together):
            return values
        part = slice(indices[0] - together[0], indices[-1] - together[0] + 1)
        return cast("T", tuple(_own(one[part]) for one in values))

    def _known(self, key: tuple[Any, ...], indices: Sequence[int]) -> tuple[range, T] | None:
        """What was drawn, and of which tasks; None where these are not among them."""
        if self._drawn is None or self._drawn[0] != key or not isinstance(indices, range) or indices.step != 1:
            return None
        _, together, values = self._drawn
        return (together, values) if indices and indices[0] in together and indices[-1] in together else None


def _own(part: NDArray[Any] | Tensor) -> NDArray[Any] | Tensor:
    """A tensor in memory of its own, as when it is drawn alone: a product may round by where its numbers lie."""
    return part.clone() if isinstance(part, Tensor) else part


def placed(values: NDArray[Any] | Tensor, device: torch.device) -> Tensor:
    """Numbers of the host on a device; a CUDA device fetches them when it comes to it, and nobody waits."""
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values)
    if device.type == "cpu":  # asking it to stay where it is takes a while
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
