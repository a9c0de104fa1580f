"""Lets whoever waits for data see how far reading them is, and give it up, without every reader knowing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
Watcher = Callable[[int, int], bool]
"""Told how much is done and how much there is in all, 0 where nobody knows; says whether to go on."""
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


class GivenUpError(Exception):
    """Whoever waited for the data does not want them any more."""


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Let this watcher see what is read in this thread meanwhile."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell(done: int = 0, total: int = 0) -> None:
    """Say how far reading is.

    Raises:
        GivenUpError: Nobody wants the data any more.
    """
    watcher = _watcher.get()
    if watcher is not None and not watcher(done, total):
        raise GivenUpError


def watched_alike(read: Callable[[A], B]) -> Callable[[A], B]:
    """The same function for other threads: whoever watches this one sees and stops what it reads in those."""
    watcher = _watcher.get()
    if watcher is None:
        return read

    def read_watched(wanted: A) -> B:
        with watched(watcher):
            return read(wanted)

    return read_watched
