"""What every way to run a batch of tasks promises, and what it is told beside the tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Aux, Context, Meta, Stage
from workbench.backbones.base import Params
from workbench.engine.executors.gradients import MetaGradient, Running, Sum
from workbench.engine.memory.chunks import parts
from workbench.tasks.base import Task, TaskBatch

TaskFunction = Callable[[Algorithm[Any], Meta, Task, Context], Any]
"""A pure function of one task that returns a tree of tensors."""


class News(NamedTuple):
    """A sentence that the person should know, and whether something is not as it was asked for."""

    sentence: str
    is_warning: bool


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


class Executor(ABC):
    """Runs pure functions of one task over batches of them.

    Args:
        algorithm: What the functions are given.
        threads: Compute threads.
    """

    name: str
    is_pooled: bool = False
    """Whether it shares tasks out to threads that compute on one core each."""
    has_large_tensors: bool = False
    """Whether each of its threads is to hold some, of those of a pool; to be said before they begin."""
    has_task_axis: bool = True
    """Whether it runs many tasks at once, which switches are for."""

    def __init__(self, algorithm: Algorithm[Any], threads: int) -> None:
        self.algorithm = algorithm
        self.threads = threads
        self._said: list[News] = []

    @property
    def threads_of_caller(self) -> int:
        """Compute threads that whoever calls it is to have: its own, unless those are each a thread of the pool."""
        return 1 if self.is_pooled else self.threads

    def under_way(self, size: int, tasks: int) -> list[int]:
        """How many of some tasks, so many of which are run at once, share a task axis, in each group at that time."""
        return [min(size, tasks)]

    @abstractmethod
    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """Apply a function to every task without keeping a graph; results are stacked along a new first axis."""

    @abstractmethod
    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient:
        """Meta-gradient of a batch, summed over its tasks."""

    def in_chunks(self, size: int, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Running:
        """The same of a batch of any size, so many tasks at once."""
        total = Sum()
        for part in parts(len(batch), size):
            total.add(self.gradient(meta, batch.part(part.start, part.stop), keys[part], setting))
            yield
        return total.whole()

    def say(self, sentence: str, *, is_warning: bool = True) -> None:
        """Keep something that the person should know until somebody asks for news."""
        self._said.append(News(sentence, is_warning))

    def news(self) -> list[News]:
        """What the person should know and was not told yet."""
        told, self._said = self._said, []
        return told

    def close(self) -> None:  # noqa: B027 - only some have something to give back
        """Give the threads back."""


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """A block in which torch computes on so many threads for this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def meta_gradient(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
    """The meta-gradient of one task, as a function that is mapped over tasks."""
    return algorithm.meta_gradient(meta, task, ctx)
