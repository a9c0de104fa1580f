"""What PyTorch's launcher, torchrun, says to each process that it starts; read without importing torch."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

_WITHOUT_NAME = "none"


@dataclass(frozen=True)
class Launch:
    """One process among those that were started together.

    Attributes:
        rank: Its number among all, from 0.
        size: How many there are.
        local_rank, local_size: The same on its machine.
        name: What the launch is called: by --rdzv-id, by a random name of its own, or where it has neither by the
            process that launched it. It stays when processes are started anew.
        restarts: How often the launcher has started them anew after one of them was lost.
        most_restarts: How often it will.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    name: str
    restarts: int
    most_restarts: int

    @property
    def is_last_try(self) -> bool:
        """Whether nothing is started anew where a process is lost now."""
        return self.restarts >= self.most_restarts

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.rank == 0


def launch(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """How this process was started by torchrun; None where it was not."""
    if "TORCHELASTIC_RUN_ID" not in environment:
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    rank, size, local_rank, local_size = (int(environment[name]) for name in names)
    name = environment["TORCHELASTIC_RUN_ID"]
    return Launch(rank, size, local_rank, local_size, _launcher() if name == _WITHOUT_NAME else name,
                  *(int(environment.get(f"TORCHELASTIC_{one}", "0")) for one in ("RESTART_COUNT", "MAX_RESTARTS")))


def _launcher() -> str:
    """The process that started this one, as no other is called."""
    parent = psutil.Process().parent()
    return f"{socket.gethostname()}-{parent.pid}-{parent.create_time():.2f}" if parent else ""
