"""Draws that are made a meta-batch ahead, while the device is at work, and their way to the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

T = TypeVar("T")


class Ahead(Generic[T]):
    """Remembers one draw until it is asked for. What is drawn is a pure function of the key, so it is never wrong."""

    def __init__(self) -> None:
        self._drawn: tuple[tuple[Any, ...], T] | None = None

    def draw(self, key: tuple[Any, ...], work: Callable[[], T]) -> None:
        """Draw what will be asked for."""
        self._drawn = key, work()

    def take(self, key: tuple[Any, ...], work: Callable[[], T]) -> T:
        """What was drawn with this key, or else what is drawn now."""
        if self._drawn is None or self._drawn[0] != key:
            return work()
        found = self._drawn[1]
        self._drawn = None
        return found


def placed(values: NDArray[Any] | Tensor, device: torch.device) -> Tensor:
    """Numbers of the host on a device; a CUDA device fetches them when it comes to it, and nobody waits."""
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
