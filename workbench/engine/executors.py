"""How a batch of tasks is run: at once over a task axis, or task by task on threads. Both give the same numbers."""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm, Aux, Context, Meta, Stage
from workbench.backbones.base import Params
from workbench.tasks.base import Examples, Task, TaskBatch

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

    def context(self, task: Task, key: Tensor) -> Context:
        """The context of one task."""
        return Context(steps=self.steps, ways=self.ways, training=self.training,
                       reference=task.support.inputs if self.inductive else None, progress=self.progress, key=key,
                       stage=self.stage)


class Gradient(NamedTuple):
    """Sum of the meta-gradients of some tasks, and what each reported, stacked."""

    total: Params
    aux: Aux


class Executor(ABC):
    """Runs pure functions of one task over batches of them.

    Args:
        algorithm: What the functions are given.
        threads: Compute threads.
    """

    name: str

    def __init__(self, algorithm: Algorithm[Any], threads: int) -> None:
        self.algorithm = algorithm
        self.threads = threads

    @abstractmethod
    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """Apply a function to every task without keeping a graph; results are stacked along a new first axis."""

    @abstractmethod
    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Gradient:
        """Meta-gradient of a batch, summed over its tasks."""

    def close(self) -> None:  # noqa: B027 - only one of the two has something to give back
        """Give the threads back."""


class Vectorized(Executor):
    """All tasks at once, by mapping over the task axis."""

    name = "vectorized"

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        with torch.no_grad():
            return self._mapped(function, meta, batch, keys, setting)

    def _mapped(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        def one(support: Examples, query: Examples, key: Tensor) -> Any:
            task = Task(support, query)
            return function(self.algorithm, meta, task, setting.context(task, key))

        return vmap(one)(batch.support, batch.query, keys)

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Gradient:
        """See Executor."""
        iterates = setting.steps > 0 and setting.stage == "tasks" and not self.algorithm.keeps_features
        if _is_usual(self.algorithm) and not iterates:
            params = _leaves(meta)
            with torch.enable_grad():
                losses, aux = self._mapped(_meta_loss, meta._replace(params=params), batch, keys, setting)
            return Gradient(*_pulled_back(losses.sum(), aux, params))
        # Inner steps through the features differentiate batch normalization twice, which torch does wrongly outside a
        # map (seen in 2.13). Inside, every task has gradients of its own, which are added up afterwards.
        gradients, aux = self.map(_meta_gradient, meta, batch, keys, setting)
        return Gradient({name: value.sum(0) for name, value in gradients.items()}, aux)


class Threads(Executor):
    """Task by task, on as many threads as there are cores, one compute thread each.

    Gradients are added in the order of the tasks, so that the sum depends on neither threads nor chunks.
    """

    name = "threads"

    def __init__(self, algorithm: Algorithm[Any], threads: int) -> None:
        super().__init__(algorithm, threads)
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(threads, "tasks", initializer=self._prepare)

    def _prepare(self) -> None:
        torch.set_num_threads(1)
        self._local.algorithm = copy.deepcopy(self.algorithm)

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        return _stacked(list(self._each(function, meta, batch, keys, setting)))

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Gradient:
        """See Executor."""
        total: Params = {}
        auxes = []
        function = _backward if _is_usual(self.algorithm) else _meta_gradient
        for gradient, aux in self._each(function, meta, batch, keys, setting):
            total = {name: total[name] + value if total else value for name, value in gradient.items()}
            auxes.append(aux)
        return Gradient(total, cast("Aux", _stacked(auxes)))

    def _each(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting
              ) -> Iterator[Any]:
        def one(index: int) -> Any:
            task = batch.task(index)
            with torch.no_grad():
                return function(self._local.algorithm, meta, task, setting.context(task, keys[index]))

        return self._pool.map(one, range(len(batch)))

    def close(self) -> None:
        """Wait for the threads and give them back."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _stacked(results: list[Any]) -> Any:
    """Trees of tensors of one shape as one tree, with an axis for the tasks in front."""
    leaves = [pytree.tree_flatten(result) for result in results]
    columns = zip(*(values for values, _ in leaves), strict=True)
    return pytree.tree_unflatten([torch.stack(column) for column in columns], leaves[0][1])


def _meta_gradient(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
    return algorithm.meta_gradient(meta, task, ctx)


def _meta_loss(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[Tensor, Aux]:
    return algorithm.meta_loss(meta, task, ctx)


def _backward(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
    """What `Algorithm.meta_gradient` gives, by an ordinary backward pass: a sixth faster where nothing is mapped."""
    params = _leaves(meta)
    with torch.enable_grad():
        loss, aux = algorithm.meta_loss(meta._replace(params=params), task, ctx)
    return _pulled_back(loss, aux, params)


def _is_usual(algorithm: Algorithm[Any]) -> bool:
    """Whether the meta-gradient is that of the meta-loss."""
    return type(algorithm).meta_gradient is Algorithm.meta_gradient


def _leaves(meta: Meta) -> Params:
    return {name: value.detach().requires_grad_() for name, value in meta.params.items()}


def _pulled_back(loss: Tensor, aux: Aux, params: Params) -> tuple[Params, Aux]:
    """The gradient of a loss with respect to its leaves, and what was reported beside it without its graph."""
    gradient = torch.autograd.grad(loss, list(params.values()), materialize_grads=True)
    return dict(zip(params, gradient, strict=True)), pytree.tree_map(torch.Tensor.detach, aux)


EXECUTORS: dict[str, type[Executor]] = {kind.name: kind for kind in (Vectorized, Threads)}
