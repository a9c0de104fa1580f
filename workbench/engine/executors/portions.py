"""A portion of a batch on each thread, and tasks that are left over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Meta
from workbench.engine.executors.base import Setting, TaskFunction, on_threads
from workbench.engine.executors.gradients import MetaGradient, joined_trees, summed
from workbench.engine.executors.pooled import Pooled
from workbench.engine.executors.vectorized import Vectorized
from workbench.tasks.base import TaskBatch

# The largest portion may be so much larger than the mean; it is waited for.
_UNEVEN = 1.1

R = TypeVar("R")


class Halves(NamedTuple):
    """A meta-gradient in two halves, which two threads may do.

    Attributes:
        first: What the second is given.
        second: The meta-gradient.
    """

    first: Callable[[], list[Tensor]]
    second: Callable[[list[Tensor]], MetaGradient]


class Portions(Pooled):
    """A portion of the tasks on each thread, at once over a task axis; what is left over is on all threads together.

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

    def spare(self, chunk: int) -> int:
        """See Executor; none where memory has room for fewer than one task on each thread."""
        return self.threads // 2 if self.goes_in_halves and chunk >= self.threads else 0

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        def one(algorithm: Algorithm[Any], part: slice) -> Any:
            return Vectorized(algorithm, 1).map(function, meta, batch.part(part.start, part.stop), keys[part], setting)

        return joined_trees(torch.cat, self._portions(one, len(batch)))

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient:
        """See Executor."""
        def given(part: slice) -> tuple[Meta, TaskBatch, Tensor, Setting]:
            return meta, batch.part(part.start, part.stop), keys[part], setting

        def one(algorithm: Algorithm[Any], part: slice) -> MetaGradient:
            portion = given(part)
            found = self.sooner(*portion) if self.sooner else None
            return Vectorized(algorithm, 1).gradient(*portion) if found is None else found

        tasks, shared = len(batch), _shared(len(batch), self.threads)
        if self.goes_in_halves and shared and _are_for_pairs(tasks - shared, self.threads):
            left = [slice(task, task + 1) for task in range(shared, tasks)]
            with on_threads(1):
                relays = [_Relay(self.halves(*given(part)) if self.halves else None, partial(one, part=part))
                          for part in left]
            found = self._in_relay(one, self._cuts(shared), relays)
        else:
            found = self._portions(one, tasks)
        return summed(found)

    def _portions(self, one: Callable[[Algorithm[Any], slice], R], tasks: int) -> list[R]:
        """What a function gives for the portion of each thread, and for the rest."""
        shared = _shared(tasks, self.threads)
        found = list(self._each(one, self._cuts(shared)))
        if shared < tasks:
            with on_threads(self.threads):
                found.append(one(self.algorithm, slice(shared, tasks)))
        return found

    def _cuts(self, tasks: int) -> list[slice]:
        """The portions of the threads, which are about alike."""
        cuts = [tasks * index // self.threads for index in range(self.threads + 1)]
        return [slice(*cut) for cut in pairwise(cuts)] if tasks else []

    def _in_relay(self, one: Callable[[Algorithm[Any], slice], MetaGradient], portions: list[slice],
                  relays: list[_Relay]) -> list[MetaGradient]:
        """The gradients of the portion of each thread, and of tasks that two threads do each."""
        def run(algorithm: Algorithm[Any], thread: int) -> tuple[MetaGradient, MetaGradient | None]:
            relay, ends = (relays[thread // 2], thread % 2 == 0) if thread < 2 * len(relays) else (None, False)
            if relay and not ends:
                relay.begin()
            own = one(algorithm, portions[thread])
            return own, relay.end(algorithm) if relay and ends else None

        found = list(self._each(run, range(len(portions))))
        return [own for own, _ in found] + [other for _, other in found if other is not None]


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
