"""All tasks at once over a task axis, in two ways."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm, Aux, Context, Meta
from workbench.backbones.base import Params
from workbench.backbones.convolution import Convolution
from workbench.backbones.mapping import laid_out
from workbench.engine.executors.base import Executor, Setting, TaskFunction, meta_gradient
from workbench.engine.executors.gradients import MetaGradient
from workbench.tasks.base import Examples, Task, TaskBatch


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

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient:
        """See Executor."""
        if _is_usual(self.algorithm):
            params = _leaves(meta)
            with torch.enable_grad():
                losses, aux = self._mapped(_meta_loss, meta._replace(params=params), batch, keys, setting)
                loss = losses.sum()
            return MetaGradient(*_pulled_back(loss, aux, params))
        gradients, aux = self.map(meta_gradient, meta, batch, keys, setting)
        return MetaGradient({name: value.sum(0).contiguous() for name, value in gradients.items()}, aux)


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
