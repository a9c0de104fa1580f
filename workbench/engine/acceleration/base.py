"""What switches on an executor share: meta-gradients from a graph as soon as there is one, and what it holds for."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, NoReturn, cast

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Meta
from workbench.engine import devices
from workbench.engine.executors.base import Executor, Setting, TaskFunction
from workbench.engine.executors.gradients import MetaGradient, Running
from workbench.tasks.base import Examples, TaskBatch

# A meta-batch comes in whole chunks and a rest, in each stage, and in portions of two sizes; who has more shapes than
# that runs the others as usual.
MOST_SHAPES = 4


class AccelerationError(devices.DeviceError):
    """A way to run the meta-step that is not possible here; the message says why and what to do."""


class ChangingError(AccelerationError):
    """The meta-step depends on how much of the training is done, so that no one graph holds it."""


class Moving:
    """Stands for the share of the training that is done while a graph is made; whoever looks at it is refused."""

    def _refuse(self, *_: object) -> NoReturn:
        raise ChangingError("its meta-step changes as the training goes on, so that no one graph holds it")

    __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = __bool__ = __round__ = __format__ = _refuse
    __neg__ = __pos__ = __abs__ = __pow__ = __rpow__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = _refuse
    __eq__ = __ne__ = cast("Any", _refuse)
    __hash__ = object.__hash__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse


def unmoved(setting: Setting) -> Setting:
    """The setting for as long as a graph is made."""
    return replace(setting, progress=cast("float", Moving()))


class Key(NamedTuple):
    """What a graph holds for.

    Attributes:
        setting: What is static; at no progress.
        threads: Compute threads, by which torch chooses its kernels.
        kinds: Shape and kind of numbers of each tensor.
    """

    setting: Setting
    threads: int
    kinds: tuple[tuple[torch.Size, torch.dtype], ...]


class Step(NamedTuple):
    """The arguments of a meta-gradient as a list of tensors, and what is static about them.

    Attributes:
        tensors: Those of (meta, batch, keys).
        tree: How they lie in those.
        setting: What is the same for every task.
    """

    tensors: list[Tensor]
    tree: pytree.TreeSpec
    setting: Setting

    @classmethod
    def of(cls, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Step:
        """The arguments as they are given to an executor, whole in memory: a graph holds for one way to lie there."""
        tensors = [*meta.params.values(), *meta.buffers.values(), *batch.support, *batch.query, keys]
        return cls([one.contiguous() for one in tensors], _tree(tuple(meta.params), tuple(meta.buffers)), setting)

    def key(self) -> Key:
        """What a graph of this step holds for on this thread: everything but the numbers in the tensors."""
        return Key(replace(self.setting, progress=0.0), torch.get_num_threads(),
                   tuple((one.shape, one.dtype) for one in self.tensors))

    def gradient(self, executor: Executor, tensors: list[Tensor]) -> MetaGradient:
        """What an executor gives for other tensors of the same kind."""
        meta, batch, keys = pytree.tree_unflatten(tensors, self.tree)
        return executor.gradient(meta, batch, keys, self.setting)


@cache
def _tree(params: tuple[str, ...], buffers: tuple[str, ...]) -> pytree.TreeSpec:
    """How the arguments of a meta-gradient lie, which is the same at every step and takes long to find out."""
    leaf = torch.empty(0)
    examples = Examples(leaf, leaf)
    return pytree.tree_structure((Meta(dict.fromkeys(params, leaf), dict.fromkeys(buffers, leaf)),
                                  TaskBatch(examples, examples), leaf))


class Accelerated(Executor):
    """An executor whose meta-gradients come from a graph as soon as there is one, and from itself until then.

    Args:
        inner: The executor.
    """

    def __init__(self, inner: Executor) -> None:
        super().__init__(inner.algorithm, inner.threads)
        self.inner = inner
        self.name = inner.name
        self.is_pooled = inner.is_pooled
        self.has_task_axis = inner.has_task_axis

    def under_way(self, size: int, tasks: int) -> list[int]:
        """See Executor."""
        return self.inner.under_way(size, tasks)

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        return self.inner.map(function, meta, batch, keys, setting)

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient:
        """See Executor."""
        # What runs portions of a batch asks for each of them by itself.
        found = None if self.is_pooled else self.graph_gradient(meta, batch, keys, setting)
        return self.inner.gradient(meta, batch, keys, setting) if found is None else found

    def in_chunks(self, size: int, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Running:
        """See Executor."""
        run = self.inner.in_chunks if self.is_pooled else super().in_chunks
        return run(size, meta, batch, keys, setting)

    def graph_gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient | None:
        """The meta-gradient by way of a graph; None where there is none, or not yet."""
        return self.from_graph(Step.of(meta, batch, keys, setting))

    @abstractmethod
    def from_graph(self, step: Step) -> MetaGradient | None:
        """What `graph_gradient` gives for these arguments."""

    def close(self) -> None:
        """See Executor."""
        self.inner.close()
