"""Reptile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Aux, Context, Meta, adapt, noise
from workbench.algorithms.derivatives import grad
from workbench.algorithms.inner import AnyInnerLoop, Fast, InnerOptimizer, begin, descend, inner_optimizer
from workbench.backbones.base import Params
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Task


class ReptileConfig(AnyInnerLoop):
    """The inner loop of Reptile."""

    name: Literal["reptile"] = "reptile"
    inner_steps: int = field(5, label="Inner steps", help="Optimizer steps on one task in training.", ge=1, le=1000,
                             source="Nichol et al. 2018, appendix A")
    inner_lr: float = field(1e-3, label="Inner rate", help="Learning rate of the inner steps.", gt=0, le=100, log=True)
    test_steps: int | None = field(50, label="Inner steps, testing", help="Optimizer steps in validation and testing; "
                                   "empty for those of training.", ge=1, le=1000, advanced=True,
                                   source="Nichol et al. 2018, appendix A")
    inner_optimizer: InnerOptimizer = inner_optimizer("adam", source="Nichol et al. 2018")
    inner_batch: int = field(10, label="Inner batch", unit="examples", help="Examples of the task drawn for each inner "
                             "step; the whole support set where it is smaller.", ge=1, le=10_000)


class Reptile(Algorithm[ReptileConfig]):
    """Moves the initialization towards the weights that each task ends at. It needs no second derivatives and no query
    set, only an inner optimizer that walks a few steps on mini-batches of one task. The query set is only watched,
    so training should have more shots than testing.

    **Update rule.** Inner: φ = k optimizer steps on mini-batches of the task, from θ. Outer: θ ← θ + ε mean over tasks
    of (φ - θ), which is an SGD step of rate ε along the meta-gradient θ - φ.

    **Source.** Nichol, Achiam and Schulman 2018, algorithm 1. The paper's code runs tasks one after another through one
    Adam; here the tasks of a meta-batch all start from the same second moments, and the mean of theirs is carried on.
    Every mini-batch is drawn anew from the task, where the code goes through it in a shuffled order.

    **Try.** Ten training shots or more, an outer rate of 1 that falls to zero, and many more inner steps in testing
    than in training.

    **Goes wrong.** With as few training shots as test shots it learns the mean of the tasks and hardly adapts. A loss
    that does not fall in the inner loop says that the inner rate is too small.
    """

    Config = ReptileConfig
    title = "Reptile"
    source = "Nichol 2018"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """SGD of rate one that falls to zero, five tasks, and more shots in training.

        For pictures a few inner steps of SGD on larger mini-batches and Adam outside, which learn faster on a CPU than
        the code's settings, and fewer steps in testing than the code's 50, which take longer than training does. One
        query a class is enough to watch.
        """
        if kind == "classification":
            return {"training.outer_lr": 0.003, "training.meta_batch": 8, "training.shots": 10, "training.queries": 1,
                    "algorithm.inner_optimizer": "sgd", "algorithm.inner_lr": 0.2, "algorithm.inner_steps": 3,
                    "algorithm.inner_batch": 25, "algorithm.test_steps": 10}
        return {"training.optimizer": "sgd", "training.outer_lr": 1.0, "training.schedule": "linear",
                "training.meta_batch": 5, "algorithm.inner_optimizer": "sgd", "algorithm.inner_lr": 0.02,
                "algorithm.inner_steps": 32, "algorithm.test_steps": 32, "training.shots": 20}

    def init(self, generator: torch.Generator) -> Meta:
        """The network's parameters, and what the inner Adam begins with."""
        meta = super().init(generator)
        is_carried = self.config.inner_optimizer == "adam"
        return meta._replace(buffers=begin("adam", meta.params).moments if is_carried else {})

    @classmethod
    def keeps_no_steps(cls, config: Any) -> str:  # noqa: ARG003
        """Nothing is differentiated through the steps."""
        return "moves towards where the steps end, without differentiating through them"

    def inner_loop(self) -> dict[str, Any]:
        """On mini-batches; Adam goes on from the second moments that were carried so far."""
        return {"adapts": "all weights", **super().inner_loop(), "batch": self.config.inner_batch,
                "moments": "begin as under buffers/" if self.config.inner_optimizer == "adam" else "begin at zero"}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """The initialization, and the moments carried so far."""
        if self.config.inner_optimizer == "adam":
            return Fast(meta.params, meta.buffers)
        return begin(self.config.inner_optimizer, meta.params)

    def step(self, meta: Meta, state: Fast, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """One optimizer step on a mini-batch."""
        size = len(support.inputs)
        if self.config.inner_batch < size:
            chosen = noise(ctx.key, size, ctx.step).argsort()[: self.config.inner_batch]
            support = Examples(support.inputs[chosen], support.targets[chosen])

        gradient = grad(self.support_loss(support))(state.params)
        return descend(self.config.inner_optimizer, state, gradient, self.config.inner_lr)

    def predict(self, meta: Meta, state: Fast, inputs: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The network with the fast weights."""
        return self.network(state.params, inputs, ctx.reference)

    def meta_gradient(self, meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
        """θ - φ."""
        state = adapt(self, meta, task.support, ctx)
        outputs = self.predict(meta, state, task.query.inputs, ctx.adapted)
        buffers = state.moments if self.config.inner_optimizer == "adam" else {}
        aux = self.aux(self.loss(outputs, task.query.targets), outputs, task, buffers, ctx)
        return {name: value - state.params[name] for name, value in meta.params.items()}, aux
