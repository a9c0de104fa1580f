"""Numbers on their way from the device, which nobody waits for while there is something to compute."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.engine.devices import event
from workbench.engine.events import Curve


class Arriving:
    """Tensors that are being copied to the host.

    From a CUDA device they go into page-locked memory behind whatever was queued there, and an event says when they
    are there. Elsewhere they have arrived at once.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._event: torch.cuda.Event | None = None
        if not any(one.is_cuda for one in tensors):
            self._host = [one.cpu() for one in tensors]
            return
        self._host = [torch.empty(one.shape, dtype=one.dtype, pin_memory=True).copy_(one, non_blocking=True)
                      for one in tensors]
        self._event = event(next(one.device for one in tensors if one.is_cuda))

    @property
    def has_arrived(self) -> bool:
        """Whether reading the numbers waits for nothing."""
        return self._event is None or bool(self._event.query())  # type: ignore[no-untyped-call]

    def numbers(self) -> list[Curve]:
        """The tensors' numbers; waits for those that have not arrived."""
        if self._event is not None:
            self._event.synchronize()
        return [one.double().numpy() for one in self._host]
