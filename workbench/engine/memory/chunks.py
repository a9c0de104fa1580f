"""Where memory runs out: fewer tasks are run at once, and the run goes on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workbench.engine import devices
from workbench.engine.memory import allocator
from workbench.engine.words import is_out_of_memory


def parts(tasks: int, size: int) -> Iterator[slice]:
    """Parts of some tasks, each of so many, the last of what is left."""
    return (slice(begin, min(begin + size, tasks)) for begin in range(0, tasks, size))


class Chunks:
    """Parts that some tasks are run in, while fewer tasks are run at once from where memory ran out.

    Args:
        tasks: How many there are.
        size: So many are run at once.
        told: Called with the new size, and the one that was too large.
        is_whole: Whether one part has all of them, of which somebody else runs so many at once.
    """

    def __init__(self, tasks: int, size: int, told: Callable[[int, int], None], *, is_whole: bool = False) -> None:
        self._tasks = tasks
        self._size = size
        self._told = told
        self._is_whole = is_whole
        self._done = 0
        self._too_many = 0

    def __iter__(self) -> Iterator[slice]:
        """One part after another; a part that did not fit is tried again, or its first half where all of it was run at
        once.
        """
        while self._done < self._tasks:
            if self._too_many:
                give_back()  # by now the error is gone, which held what its block had in memory
                self._told(self._size, self._too_many)
                self._too_many = 0
            end = self._tasks if self._is_whole else self._done + self._size
            yield slice(self._done, min(end, self._tasks))

    @contextmanager
    def fitting(self, part: slice) -> Iterator[None]:
        """A block that runs a part; where memory runs out in it nothing is done, unless it was a single task."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            at_once = min(part.stop - part.start, self._size)
            if at_once == 1 or not is_out_of_memory(error):
                raise
            self._size, self._too_many = at_once // 2, at_once
        else:
            self._done = part.stop


def give_back() -> None:
    """Return to the system what torch and the C library keep of freed memory."""
    gc.collect()
    allocator.trim()
    devices.empty_cache()
