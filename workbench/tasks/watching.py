"""Lets whoever opens data watch how far it is, and give it up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[int, int], None]
"""Told of (done, of how many); it may raise `GivenUpError`."""

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


class GivenUpError(Exception):
    """The person does not want the data any more."""


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Have a watcher told of everything that is read inside."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell(done: int, total: int) -> None:
    """Say how far it is; raises GivenUpError where nobody waits for it any more."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(done, total)
