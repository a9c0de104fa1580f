"""How far the host may run ahead of a GPU."""

from __future__ import annotations

from collections import deque

import torch

# One at work, and one that it goes on with.
_MOST = 2


class Pace:
    """Lets few parts of the work wait on a device: whoever pauses or stops waits for all that were queued.

    Args:
        device: Which. Those that compute when they are told to have nothing queued.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._queued: deque[torch.cuda.Event] = deque()

    def queued(self) -> None:
        """Take note of one more part, and wait for those before it while there are too many."""
        if self._device.type != "cuda":
            return
        # Who waits for it sleeps: waiting awake would take a core from others.
        end = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        end.record(torch.cuda.current_stream(self._device))
        self._queued.append(end)
        while len(self._queued) > _MOST:
            self._queued.popleft().synchronize()
