"""How a batch of tasks is run: at once over a task axis, in two ways, task by task on threads, or a portion at once on
each thread.

All give the same numbers.
"""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm, Aux, Context, Meta, Stage
from workbench.backbones.base import Params
from workbench.backbones.convolution import Convolution
from workbench.backbones.mapping import laid_out
from workbench.engine.gradients import Gradient, joined, together
from workbench.engine.memory import parts
from workbench.tasks.base import Examples, Task, TaskBatch

# The largest portion may be so much larger than the mean; it is waited for.
_UNEVEN = 1.1

R = TypeVar("R")
TaskFunction = Callable[[Algorithm[Any], Meta, Task, Context], Any]
"""A pure function of one task that returns a tree of tensors."""


@dataclass(frozen=True)
class Setting:
    """What is the same for every task of a batch: the static part of `Context`."""

    steps: int
    ways: int
    training: bool
    inductive: bool
    progress: float
    stage: Stage = "tasks"
    recompute: bool = False

    def context(self, task: Task, key: Tensor) -> Context:
        """The context of one task."""
        return Context(steps=self.steps, ways=self.ways, training=self.training,
                       reference=task.support.inputs if self.inductive else None, progress=self.progress, key=key,
                       stage=self.stage, recompute=self.recompute)


class Halves(NamedTuple):
    """A meta-gradient in two halves, which two threads may do.

    Attributes:
        first: What the second is given.
        second: The meta-gradient.
    """

    first: Callable[[], list[Tensor]]
    second: Callable[[list[Tensor]], Gradient]


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """A block in which torch computes on so many threads for this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Executor(ABC):
    """Runs pure functions of one task over batches of them.

    Args:
        algorithm: What the functions are given.
        threads: Compute threads.
    """

    name: str
    is_pooled: bool = False
    """Whether it shares tasks out to threads that compute on one core each."""
    has_task_axis: bool = True
    """Whether it runs many tasks at once, which switches are for."""

    def __init__(self, algorithm: Algorithm[Any], threads: int) -> None:
        self.algorithm = algorithm
        self.threads = threads
        self._said: list[str] = []

    @property
    def threads_of_caller(self) -> int:
        """Compute threads that whoever calls it is to have: its own, unless those are each a thread of the pool."""
        return 1 if self.is_pooled else self.threads

    def spare(self, chunk: int) -> int:  # noqa: ARG002 - only some have use for more
        """So many tasks more than a chunk has may be in the last of a meta-batch, rather than in one of their own."""
        return 0

    @abstractmethod
    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """Apply a function to every task without keeping a graph; results are stacked along a new first axis."""

    @abstractmethod
    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Gradient:
        """Meta-gradient of a batch, summed over its tasks."""

    def in_chunks(self, size: int, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Gradient:
        """The same of a batch of any size, so many tasks at once."""
        return together(self.gradient(meta, batch.part(part.start, part.stop), keys[part], setting)
                        for part in parts(len(batch), size, self.spare(size)))

    def say(self, sentence: str) -> None:
        """Keep something that the person should know until somebody asks for news."""
        self._said.append(sentence)

    def news(self) -> list[str]:
        """What the person should know and was not told yet."""
        told, self._said = self._said, []
        return told

    def close(self) -> None:  # noqa: B027 - only some have something to give back
        """Give the threads back."""


class Vectorized(Executor):
    """All tasks at once, by mapping over the task axis."""

    name = "vectorized"

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        with torch.no_grad():
            return self._mapped(function, meta, batch, keys, setting)

    def _mapped(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        def one(own: Meta, support: Examples, query: Examples, key: Tensor) -> Any:
            task = Task(support, query)
            return function(self.algorithm, own, task, setting.context(task, key))

        # Every task has meta-parameters of its own, all at one place in memory: what differentiates a task needs them.
        own = Meta(*({name: laid_out(value).expand(len(batch), *value.shape) for name, value in table.items()}
                     for table in meta))
        return vmap(one)(own, batch.support, batch.query, keys)

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Gradient:
        """See Executor."""
        if _is_usual(self.algorithm):
            params = _leaves(meta)
            with torch.enable_grad():
                losses, aux = self._mapped(_meta_loss, meta._replace(params=params), batch, keys, setting)
                loss = losses.sum()
            return Gradient(*_pulled_back(loss, aux, params))
        gradients, aux = self.map(_meta_gradient, meta, batch, keys, setting)
        return Gradient({name: value.sum(0).contiguous() for name, value in gradients.items()}, aux)


class Columns(Vectorized):
    """All tasks at once, and every convolution as one batched matrix product of the columns of its inputs; but an
    ordinary convolution in the first inner step, where maps lie in order.
    """

    name = "columns"

    def __init__(self, algorithm: Algorithm[Any], threads: int) -> None:
        super().__init__(copy.deepcopy(algorithm), threads)
        for module in self.algorithm.network.module.modules():
            if isinstance(module, Convolution):
                module.by_columns = True


class Pooled(Executor):
    """Runs parts of a batch on several threads, one compute thread each.

    What the parts give is put together in their order, so that a sum does not depend on which thread is faster.

    Attributes:
        takes_part: Whether the calling thread is one of them, and does the first part itself.
    """

    is_pooled = True
    takes_part: bool = False

    def __init__(self, algorithm: Algorithm[Any], threads: int) -> None:
        super().__init__(algorithm, threads)
        # While it computes an algorithm cannot be copied; this one never does.
        self._copied = copy.deepcopy(algorithm)
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(max(1, threads - self.takes_part), "tasks", initializer=self._prepare)

    def _prepare(self) -> None:
        torch.get_num_threads()  # a thread takes over what any other has set when torch first looks, and not before
        torch.set_num_threads(1)
        self._local.algorithm = copy.deepcopy(self._copied)

    def _each(self, one: Callable[[Algorithm[Any], Any], R], parts: Sequence[Any]) -> Generator[R]:
        """What a function of a thread's own algorithm gives for every part, in their order; whoever wants no more of
        it closes it.
        """
        def run(part: Any) -> R:
            return one(self._local.algorithm, part)

        own = parts[:1] if self.takes_part else []
        jobs: deque[Future[R]] = deque()
        try:
            jobs.extend(self._pool.submit(run, part) for part in parts[len(own):])
            with on_threads(1):
                found = [one(self.algorithm, part) for part in own]
            yield from found
            while jobs:  # what was taken of the other threads is held no longer
                yield jobs.popleft().result()
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

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        return joined(torch.stack, list(self._tasks(function, meta, batch, keys, setting)))

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Gradient:
        """See Executor."""
        def alone(gradient: Params, aux: Aux) -> Gradient:
            return Gradient(gradient, pytree.tree_map(lambda value: value[None], aux))

        with closing(self._tasks(_meta_gradient, meta, batch, keys, setting)) as tasks:
            return together(alone(*found) for found in tasks)

    def _tasks(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting
               ) -> Generator[Any]:
        def one(algorithm: Algorithm[Any], index: int) -> Any:
            task = batch.task(index)
            with torch.no_grad():
                return function(algorithm, meta, task, setting.context(task, keys[index]))

        return self._each(one, range(len(batch)))


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
    sooner: Callable[[Meta, TaskBatch, Tensor, Setting], Gradient | None] | None = None
    goes_in_halves: bool = False
    halves: Callable[[Meta, TaskBatch, Tensor, Setting], Halves | None] | None = None

    def spare(self, chunk: int) -> int:
        """See Executor; none where memory has room for fewer than one task on each thread."""
        return self.threads // 2 if self.goes_in_halves and chunk >= self.threads else 0

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        def one(algorithm: Algorithm[Any], part: slice) -> Any:
            return Vectorized(algorithm, 1).map(function, meta, batch.part(part.start, part.stop), keys[part], setting)

        return joined(torch.cat, self._portions(one, len(batch)))

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Gradient:
        """See Executor."""
        def given(part: slice) -> tuple[Meta, TaskBatch, Tensor, Setting]:
            return meta, batch.part(part.start, part.stop), keys[part], setting

        def one(algorithm: Algorithm[Any], part: slice) -> Gradient:
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
        return together(found)

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

    def _in_relay(self, one: Callable[[Algorithm[Any], slice], Gradient], portions: list[slice], relays: list[_Relay]
                  ) -> list[Gradient]:
        """The gradients of the portion of each thread, and of tasks that two threads do each."""
        def run(algorithm: Algorithm[Any], thread: int) -> tuple[Gradient, Gradient | None]:
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

    def __init__(self, halves: Halves | None, whole: Callable[[Algorithm[Any]], Gradient]) -> None:
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

    def end(self, algorithm: Algorithm[Any]) -> Gradient:
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


def _meta_gradient(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
    return algorithm.meta_gradient(meta, task, ctx)


def _meta_loss(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[Tensor, Aux]:
    return algorithm.meta_loss(meta, task, ctx)


def _is_usual(algorithm: Algorithm[Any]) -> bool:
    """Whether the meta-gradient is that of the meta-loss."""
    return type(algorithm).meta_gradient is Algorithm.meta_gradient


def _leaves(meta: Meta) -> Params:
    return {name: value.detach().requires_grad_() for name, value in meta.params.items()}


def _pulled_back(loss: Tensor, aux: Aux, params: Params) -> tuple[Params, Aux]:
    """The gradient of a loss with respect to its leaves, and what was reported beside it without its graph."""
    gradient = torch.autograd.grad(loss, list(params.values()), materialize_grads=True)
    total = {name: value.contiguous() for name, value in zip(params, gradient, strict=True)}
    return total, pytree.tree_map(torch.Tensor.detach, aux)


EXECUTORS: dict[str, type[Executor]] = {kind.name: kind for kind in (Vectorized, Columns, Threads, Portions)}
