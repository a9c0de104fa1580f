"""Parts of a batch on several threads; and task by task, which is the plainest way to share it out."""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm, Aux, Meta
from workbench.backbones.base import Params
from workbench.engine.executors.base import Executor, Setting, TaskFunction, meta_gradient, on_threads
from workbench.engine.executors.gradients import MetaGradient, joined_trees, summed
from workbench.engine.memory import allocator
from workbench.tasks.base import TaskBatch

R = TypeVar("R")


class Pooled(Executor):
    """Runs parts of a batch on several threads, one compute thread each.

    What the parts give is put together in their order, so that a sum does not depend on which thread is faster.

    Attributes:
        takes_part: Whether the calling thread is one of them.
    """

    is_pooled = True
    takes_part: bool = False
    _are_begun = False

    def __init__(self, algorithm: Algorithm[Any], threads: int) -> None:
        super().__init__(algorithm, threads)
        # While it computes an algorithm cannot be copied; this one never does.
        self._copied = copy.deepcopy(algorithm)
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(max(1, threads - self.takes_part), "tasks", initializer=self._prepare)

    def _begin_for_large(self) -> None:
        """Have the threads begin, and take their memory from the part that keeps large tensors."""
        self._are_begun = True
        is_over = threading.Event()
        jobs: list[Future[bool]] = []

        def take_place(has_begun: threading.Event) -> bool:
            has_begun.set()
            return is_over.wait()

        try:
            for _ in range(self.threads - self.takes_part):
                has_begun = threading.Event()
                with allocator.in_the_first_part():
                    jobs.append(self._pool.submit(take_place, has_begun))
                    has_begun.wait(allocator.START_SECONDS)
        finally:
            is_over.set()
            wait(jobs)

    def _prepare(self) -> None:
        torch.get_num_threads()  # a thread takes over what any other has set when torch first looks, and not before
        torch.set_num_threads(1)
        self._local.algorithm = copy.deepcopy(self._copied)

    def _each(self, one: Callable[[Algorithm[Any], Any], R], parts: Sequence[Any]) -> Generator[R]:
        """What a function of a thread's own algorithm gives for every part, in their order; whoever wants no more of
        it closes it.
        """
        own = parts[:1] if self.takes_part else []
        with self._others(one, parts[len(own):]) as jobs:
            with on_threads(1):
                found = [one(self.algorithm, part) for part in own]
            yield from found
            while jobs:  # what was taken of the other threads is held no longer
                yield jobs.popleft().result()

    @contextmanager
    def _others(self, one: Callable[[Algorithm[Any], Any], R], parts: Iterable[Any]) -> Iterator[deque[Future[R]]]:
        """A block in which the threads of the pool do some parts, which are not at work any more after it."""
        def run(part: Any) -> R:
            return one(self._local.algorithm, part)

        if self.has_large_tensors and not self._are_begun:
            self._begin_for_large()
        jobs: deque[Future[R]] = deque()
        try:
            jobs.extend(self._pool.submit(run, part) for part in parts)
            yield jobs
        finally:
            # Whoever tries again after an error must not find the others still at work, and their memory taken.
            for job in jobs:
                job.cancel()
            wait(jobs)

    def close(self) -> None:
        """Wait for the threads and give them back."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Threads(Pooled):
    """Task by task. The sum does not depend on how many threads there are."""

    name = "threads"
    has_task_axis = False

    def under_way(self, size: int, tasks: int) -> list[int]:
        """See Executor."""
        return [1] * min(self.threads, size, tasks)

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        return joined_trees(torch.stack, list(self._tasks(function, meta, batch, keys, setting)))

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient:
        """See Executor."""
        def alone(gradient: Params, aux: Aux) -> MetaGradient:
            return MetaGradient(gradient, pytree.tree_map(lambda value: value[None], aux))

        with closing(self._tasks(meta_gradient, meta, batch, keys, setting)) as tasks:
            return summed(alone(*found) for found in tasks)

    def _tasks(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting
               ) -> Generator[Any]:
        def one(algorithm: Algorithm[Any], index: int) -> Any:
            task = batch.task(index)
            with torch.no_grad():
                return function(algorithm, meta, task, setting.context(task, keys[index]))

        return self._each(one, range(len(batch)))
