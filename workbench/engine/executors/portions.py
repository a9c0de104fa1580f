"""Portions of a batch shared by threads, and tasks that are left over."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from itertools import pairwise, starmap
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Meta
from workbench.engine.executors.base import Setting, TaskFunction, on_threads
from workbench.engine.executors.gradients import MetaGradient, Running, Sum, finished, joined_trees
from workbench.engine.executors.pooled import Pooled
from workbench.engine.executors.shares import Shares
from workbench.engine.executors.vectorized import Vectorized
from workbench.engine.memory.chunks import parts
from workbench.tasks.base import TaskBatch

# The largest portion may be so much larger than the mean; it is waited for.
_UNEVEN = 1.1
# So many portions of each thread are under way or wait for those before them.
_WAITING = 2


class Halves(NamedTuple):
    """A meta-gradient in two halves, which two threads may do.

    Attributes:
        first: What the second is given.
        second: The meta-gradient.
    """

    first: Callable[[], list[Tensor]]
    second: Callable[[list[Tensor]], MetaGradient]


class Portions(Pooled):
    """Portions of the tasks, each at once over a task axis on one thread; what is left over is on all threads together.

    Of a meta-gradient that goes in halves two threads share a task that is left over: one of them begins with its first
    half, and the other ends with its second, or with all of it for as long as nobody knows it in halves.

    Attributes:
        sooner: What may know the meta-gradient of a portion by a faster way; None where there is no such way.
        goes_in_halves: Whether a task that is left over is on one thread at a time. It is so from the start where it
            may come in halves later, for a number does not depend on when that is.
        halves: What may know it in halves; None where there are none.
    """

    name = "portions"
    takes_part = True
    sooner: Callable[[Meta, TaskBatch, Tensor, Setting], MetaGradient | None] | None = None
    goes_in_halves: bool = False
    halves: Callable[[Meta, TaskBatch, Tensor, Setting], Halves | None] | None = None
    _at_work: Shares | None = None

    def under_way(self, size: int, tasks: int) -> list[int]:
        """See Executor."""
        shared, relayed = self._divided(size, tasks)
        if not shared:
            return [min(size, tasks)]
        sizes = sorted((part.stop - part.start for part in self._cuts(shared, size)), reverse=True)
        return sizes[: self.threads] + [1] * relayed

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        def one(algorithm: Algorithm[Any], part: slice) -> Any:
            return Vectorized(algorithm, 1).map(function, meta, batch.part(part.start, part.stop), keys[part], setting)

        tasks = len(batch)
        shared = _shared(tasks, self.threads)
        found = list(self._each(one, self._cuts(shared, shared))) if shared else []
        if shared < tasks:
            with on_threads(self.threads):
                found.append(one(self.algorithm, slice(shared, tasks)))
        return joined_trees(torch.cat, found)

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient:
        """See Executor."""
        return finished(self.in_chunks(len(batch), meta, batch, keys, setting))

    def in_chunks(self, size: int, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Running:
        """See Executor; a thread that is done with its portion of a chunk goes on with one of the next."""
        def given(part: slice) -> tuple[Meta, TaskBatch, Tensor, Setting]:
            return meta, batch.part(part.start, part.stop), keys[part], setting

        def one(algorithm: Algorithm[Any], part: slice) -> MetaGradient:
            portion = given(part)
            found = self.sooner(*portion) if self.sooner else None
            return Vectorized(algorithm, 1).gradient(*portion) if found is None else found

        tasks = len(batch)
        shared, relayed = self._divided(size, tasks)
        done = shared + relayed
        with on_threads(1):
            relays = [_Relay(self.halves(*given(part)) if self.halves else None, partial(one, part=part))
                      for part in (slice(task, task + 1) for task in range(shared, done))]
        total = (yield from self._shared_out(one, self._cuts(shared, size), relays)) if shared else Sum()
        for part in parts(tasks - done, size):
            with on_threads(self.threads):
                total.add(one(self.algorithm, slice(done + part.start, done + part.stop)))
            yield
        return total.whole()

    def _divided(self, size: int, tasks: int) -> tuple[int, int]:
        """How many tasks are shared out, and how many of those left over are on two threads each.

        Nothing is shared out where memory has room for fewer than one task on each thread.
        """
        shared = _shared(tasks, self.threads) if size >= min(self.threads, tasks) else 0
        left = tasks - shared
        is_in_halves = self.goes_in_halves and shared > 0 and _are_for_pairs(left, self.threads)
        return shared, left if is_in_halves else 0

    def _cuts(self, tasks: int, size: int) -> list[slice]:
        """Portions of some tasks that are about alike, so many tasks at once or a few less on all threads together."""
        rounds = 1 if tasks <= size else math.ceil(tasks / (size // self.threads * self.threads))
        count = min(rounds * self.threads, tasks)
        return list(starmap(slice, pairwise(tasks * index // count for index in range(count + 1))))

    def _shared_out(self, one: Callable[[Algorithm[Any], slice], MetaGradient], portions: list[slice],
                    relays: list[_Relay]) -> Generator[None, None, Sum]:
        """The sum over portions, each on whichever thread is free, and over tasks that two threads do each."""
        shares = self._at_work = Shares(portions, _WAITING * self.threads)

        def run(algorithm: Algorithm[Any], thread: int) -> Generator[None]:
            relay, ends = (relays[thread // 2], thread % 2 == 0) if thread < 2 * len(relays) else (None, False)
            try:
                if relay and not ends:
                    relay.begin()
                for number, portion in shares.left():
                    shares.put(number, one(algorithm, portion))
                    yield
                if relay and ends and not shares.has_failed:
                    shares.put(len(portions) + thread // 2, relay.end(algorithm))
            except BaseException:
                shares.fail()
                raise

        def run_all(algorithm: Algorithm[Any], thread: int) -> None:
            deque(run(algorithm, thread), maxlen=0)

        try:
            with (self._others(run_all, range(1, self.threads)) as jobs, on_threads(1),
                  closing(run(self.algorithm, 0)) as own):
                for _ in own:
                    with shares.held():
                        yield
                while jobs:
                    jobs.popleft().result()
        finally:
            self._at_work = None
        return shares.total

    def close(self) -> None:
        """See Executor; what somebody has left half done is given up."""
        if self._at_work:
            self._at_work.fail()
        super().close()


class _Relay:
    """A task that one thread begins and another ends, which does all of it where nobody has begun.

    Args:
        halves: The two, if they are known.
        whole: What does all of it, given a thread's algorithm.
    """

    def __init__(self, halves: Halves | None, whole: Callable[[Algorithm[Any]], MetaGradient]) -> None:
        self._halves = halves
        self._whole = whole
        self._begun = threading.Lock()
        self._handed: Future[list[Tensor]] = Future()

    def begin(self) -> None:
        """Do the first half."""
        if self._halves is None or not self._begun.acquire(blocking=False):
            return
        try:
            self._handed.set_result(self._halves.first())
        except BaseException as error:
            self._handed.set_exception(error)  # or the other thread would wait forever
            raise

    def end(self, algorithm: Algorithm[Any]) -> MetaGradient:
        """What it comes to; only a half that is under way is waited for."""
        if self._halves is None or self._begun.acquire(blocking=False):
            return self._whole(algorithm)
        return self._halves.second(self._handed.result())


def _are_for_pairs(left: int, threads: int) -> bool:
    """Whether so many tasks that are left over take less time on two threads each than on all threads together, which
    gain little from one another on so few.
    """
    return threads / 4 < left <= threads / 2


def _shared(tasks: int, threads: int) -> int:
    """How many of some tasks are shared out: all of them where the largest portion is hardly larger than the mean."""
    is_even = -(-tasks // threads) * threads <= _UNEVEN * tasks
    return tasks if is_even else tasks // threads * threads
