"""Short work beside the window: looking at a folder, a download, an export. Training has a thread of its own."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot

from workbench.tasks.files.watching import GivenUpError, watched

_log = logging.getLogger(__name__)
_STACK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Done:
    """What became of a job: its result, or the sentence that it failed with."""

    key: str
    ticket: int
    result: Any = None
    error: str = ""


class Jobs(QObject):
    """Runs functions on one thread in order; of jobs with the same key only the latest one's result counts.

    What reads data tells how far it is and gives up when nobody waits for it any more.

    Signals:
        job_ended(Done): A job ended whose result still counts; emitted in the thread of this object.
    """

    job_ended = Signal(object)
    _arrived = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._pool.setStackSize(_STACK_BYTES)
        self._done: SimpleQueue[Done] = SimpleQueue()
        self._tickets: dict[str, int] = {}
        self._progress: dict[str, tuple[int, int]] = {}
        self._is_closed = False
        self._numbers = count()  # never the same twice: a job that was forgotten may end after a new one has begun
        self._arrived.connect(self._take)

    def start(self, key: str, work: Callable[[], Any]) -> None:
        """Do something, unless all is over; an earlier job of this key that is not done yet has been in vain."""
        if self._is_closed:  # a timer of the window may go off once more, and nobody would be there for the result
            return
        ticket = self._tickets[key] = next(self._numbers)
        self._progress.pop(key, None)
        self._pool.start(_Job(self, key, ticket, work))

    def counts(self, key: str, ticket: int) -> bool:
        """Whether somebody still waits for this job."""
        return self._tickets.get(key) == ticket

    def told(self, key: str, ticket: int, done: int, total: int) -> bool:
        """Take in how far a job is, and say whether it is to go on; called by the job's thread."""
        is_wanted = self.counts(key, ticket)
        if is_wanted and total:
            self._progress[key] = (done, total)
        return is_wanted

    def progress(self, key: str) -> tuple[int, int]:
        """How much of a job is done and how much there is in all; 0 and 0 where nobody knows."""
        return self._progress.get(key, (0, 0))

    def is_busy(self, key: str) -> bool:
        """Whether a job of this key is under way."""
        return key in self._tickets

    def forget(self, key: str) -> None:
        """Wait for jobs of this key no longer; one that is reading data gives up."""
        self._tickets.pop(key, None)
        self._progress.pop(key, None)

    def close(self) -> None:
        """Wait for what is under way, and drop what is not and whatever would come."""
        self._is_closed = True
        self._tickets.clear()
        self._pool.clear()
        self._pool.waitForDone()

    def put(self, done: Done) -> None:
        """Hand a result over; called by the job's thread."""
        self._done.put(done)
        self._arrived.emit()

    @Slot()
    def _take(self) -> None:
        while True:
            try:
                done = self._done.get_nowait()
            except Empty:
                return
            if self.counts(done.key, done.ticket):
                self.forget(done.key)
                self.job_ended.emit(done)


class _Job(QRunnable):
    """One function."""

    def __init__(self, jobs: Jobs, key: str, ticket: int, work: Callable[[], Any]) -> None:
        super().__init__()
        self._jobs, self._key, self._ticket, self._work = jobs, key, ticket, work

    def run(self) -> None:
        """Do it unless it has been in vain already."""
        if not self._jobs.counts(self._key, self._ticket):
            return
        try:
            with watched(partial(self._jobs.told, self._key, self._ticket)):
                done = Done(self._key, self._ticket, self._work())
        except GivenUpError:
            return
        except Exception as error:  # noqa: BLE001 - the person is told, whatever it was
            _log.debug("%s failed: %s", self._key, traceback.format_exc())
            done = Done(self._key, self._ticket, error=str(error) or type(error).__name__)
        self._jobs.put(done)
