"""Where memory runs out: fewer tasks are run at once, and the run goes on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from workbench.engine.memory import allocator
from workbench.engine.words import is_out_of_memory


def parts(tasks: int, size: int, spare: int = 0) -> Iterator[slice]:
    """The parts that some tasks are run in, one after another.

    Args:
        tasks: How many there are.
        size: Of a part.
        spare: So many more the last part may have, rather than that they are a part of their own.
    """
    done = 0
    while done < tasks:
        part = slice(done, tasks if tasks - done <= size + spare else done + size)
        yield part
        done = part.stop


class Chunks:
    """The same parts, but smaller ones from where memory ran out.

    Args:
        tasks, size, spare: As for `parts`.
        told: Called with the new size, and the one that was too large.
    """

    def __init__(self, tasks: int, size: int, told: Callable[[int, int], None], *, spare: int = 0) -> None:
        self._tasks = tasks
        self._size = size
        self._spare = spare
        self._told = told
        self._done = 0
        self._too_many = 0

    def __iter__(self) -> Iterator[slice]:
        """One part after another; a part that did not fit is followed by its first half."""
        while self._done < self._tasks:
            if self._too_many:
                give_back()  # by now the error is gone, which held what its block had in memory
                self._told(self._size, self._too_many)
                self._too_many = 0
            part = next(parts(self._tasks - self._done, self._size, self._spare))
            yield slice(self._done, self._done + part.stop)

    @contextmanager
    def fitting(self, part: slice) -> Iterator[None]:
        """A block that runs a part; where memory runs out in it nothing is done, unless it was a single task."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            tasks = part.stop - part.start
            if tasks == 1 or not is_out_of_memory(error):
                raise
            self._size, self._spare, self._too_many = tasks // 2, 0, tasks
        else:
            self._done = part.stop


def give_back() -> None:
    """Return to the system what torch and the C library keep of freed memory."""
    gc.collect()
    allocator.trim()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
