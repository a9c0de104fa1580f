"""Parts of a batch that threads share, each going on with the next as soon as it is free."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from workbench.engine.executors.gradients import MetaGradient, Sum


class Shares:
    """Hands parts out, and adds up what comes of them in their order, so that no number depends on who is faster.

    What comes of a part waits for the parts before it. Nothing more is handed out while so many are not added yet,
    while somebody holds it, nor once a thread has failed.

    Args:
        parts: What there is to do.
        most: So many may be under way or wait.

    Attributes:
        has_failed: Whether a thread has, so that nothing more is to be done.
        total: What was added.
    """

    def __init__(self, parts: Sequence[slice], most: int) -> None:
        self._parts = parts
        self._most = most
        self._handed_out = 0
        self._is_held = False
        self.has_failed = False
        self._changed = threading.Condition()
        self._waiting: dict[int, MetaGradient] = {}
        self._added = 0
        self.total = Sum()

    def left(self) -> Iterator[tuple[int, slice]]:
        """Parts for one thread, with their numbers, until there are none left."""
        while True:
            with self._changed:
                self._changed.wait_for(self._may_go_on)
                number = self._handed_out
                if self.has_failed or number == len(self._parts):
                    return
                self._handed_out += 1
            yield number, self._parts[number]

    def _may_go_on(self) -> bool:
        is_over = self.has_failed or self._handed_out == len(self._parts)
        return is_over or (self._handed_out - self._added < self._most and not self._is_held)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block in which nothing is handed out; nor is anything after it where it fails."""
        with self._changed:
            self._is_held = True
        try:
            yield
        except BaseException:
            self.fail()
            raise
        finally:
            with self._changed:
                self._is_held = False
                self._changed.notify_all()

    def put(self, number: int, found: MetaGradient) -> None:
        """Take what came of a part; numbers after those of the parts are for what is done beside them."""
        with self._changed:
            self._waiting[number] = found
            while self._added in self._waiting:
                self.total.add(self._waiting.pop(self._added))
                self._added += 1
            self._changed.notify_all()

    def fail(self) -> None:
        """Hand nothing more out, and let nobody wait for this thread."""
        with self._changed:
            self.has_failed = True
            self._changed.notify_all()
