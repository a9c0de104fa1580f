"""What a training sees of the processes that it runs on: which tasks are this one's, and what all found together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from workbench.engine.control import Control
from workbench.engine.executors.gradients import MetaGradient

T = TypeVar("T")


class PeerError(RuntimeError):
    """Another process of this training failed; the message is its sentence, and says which it was."""


class WorldError(ValueError):
    """The processes cannot train together; the message says why and the remedy."""


class LostError(RuntimeError):
    """Another process of this training is gone, without a word."""


@dataclass(frozen=True)
class Share:
    """A part of some tasks that lie one after another.

    Attributes:
        run: Indices of the tasks that this process runs. There is at least one: where there are more processes than
            tasks, some run a task along that others count, and know by it the shapes of what is put together.
        first: Where in the whole it begins.
        count: How many of them count, from the first on.
        total: Tasks in the whole.
    """

    run: range
    first: int
    count: int
    total: int


class World:
    """All processes of a training. This one is alone; `Group` has others beside it.

    Attributes:
        rank: Number of this process.
        size: How many there are.
    """

    rank = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def barrier(self, error: BaseException | None = None) -> None:
        """Wait for all others; raises the error, or `PeerError` where one of the others has one."""
        if error is not None:
            raise error

    def agreed(self, error: Exception) -> Exception:
        """Tell the others of an error, and return the one that all know: it, or one that came before it."""
        try:
            self.barrier(error)
        except LostError:
            raise
        except Exception as known:  # noqa: BLE001 - it is handed back
            return known
        return error

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block that every process goes through; an error in one is an error in all of them."""
        try:
            yield
        except Exception as error:
            self.barrier(error)
            raise
        self.barrier()

    def broadcast(self, value: T | None) -> T:
        """What the first process gives, on every process."""
        assert value is not None  # noqa: S101 - whoever is alone is the first
        return value

    def minimum(self, value: int) -> int:
        """The smallest of the numbers that all processes give, on every process."""
        return value

    def check_alike(self, facts: Mapping[str, Any]) -> None:
        """Raise WorldError where a named fact is another on other processes."""

    def share(self, indices: range) -> Share:
        """The tasks that this process runs; the shares of all differ by one task at most."""
        total = len(indices)
        begin, end = (-(-total * rank // self.size) for rank in (self.rank, self.rank + 1))
        return Share(indices[begin:end] if end > begin else indices[-1:], begin, end - begin, total)

    def combined(self, gradient: MetaGradient, share: Share) -> MetaGradient:  # noqa: ARG002 - alone it is whole
        """The sum of all gradients, and what all tasks reported; buffers as their mean, on a task axis of one."""
        return gradient

    def gathered(self, values: Tensor, share: Share) -> Tensor:  # noqa: ARG002
        """Values [tasks of the share, ...] of all processes, in the order of the tasks."""
        return values

    def control(self, control: Control) -> Control:
        """A control that says stop and pause on every process at the same place."""
        return control

    def device(self, name: str) -> str:
        """The device that this process takes where the experiment names one.

        Raises:
            DeviceError: Several processes would take the same.
        """
        return name


ALONE = World()
