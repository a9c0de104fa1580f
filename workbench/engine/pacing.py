"""How far the host may run ahead of a GPU."""

from __future__ import annotations

from collections import deque

import torch

from workbench.engine.devices import event

# One at work, and one that it goes on with.
_MOST = 2


class Pace:
    """Lets few parts of the work wait on a device: whoever pauses or stops waits for all that were queued.

    Args:
        device: Which; of those that queue, only CUDA's are paced.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._queued: deque[torch.cuda.Event] = deque()

    def queued(self) -> None:
        """Take note of one more part, and wait for those before it while there are too many."""
        if self._device.type != "cuda":
            return
        self._queued.append(event(self._device))
        while len(self._queued) > _MOST:
            self._queued.popleft().synchronize()
