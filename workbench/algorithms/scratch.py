"""Learning from scratch: the floor below every meta-learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Aux, Context, Meta
from workbench.algorithms.derivatives import grad
from workbench.algorithms.inner import AnyInnerLoop, Fast, begin, descend
from workbench.backbones.base import Params
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Task


class ScratchConfig(AnyInnerLoop):
    """The inner loop, with the defaults of MAML's."""

    name: Literal["scratch"] = "scratch"
    inner_steps: int = field(1, label="Inner steps", help="Steps on the support set; as many as the method that it is "
                             "compared with takes.", ge=1, le=1000)
    inner_lr: float = field(0.4, label="Inner rate", help="Learning rate of the inner steps, on the mean loss.",
                            gt=0, le=1000, log=True)


class Scratch(Algorithm[ScratchConfig]):
    """Takes the inner steps of MAML from a random initialization that is never improved. Nothing is learned over tasks,
    so the meta-loss is a flat line. It is the floor: what a meta-learner is above it, it owes to meta-learning.

    **Update rule.** Inner: θ_{s+1} = θ_s - α ∇ L_support(θ_s) from the random θ_0 of the seed. Outer: none, the
    meta-gradient is zero.

    **Source.** The control that Finn, Abbeel and Levine 2017 and most papers after them compare with, under the same
    budget of inner steps.

    **Try.** The inner steps and the inner rate of the method beside it; then a hundred steps of Adam in testing, to
    see how far a network comes on the support set alone.

    **Goes wrong.** One shot is too little to learn features from, so it is often no better than chance. More
    iterations change nothing but the time that they take.
    """

    Config = ScratchConfig
    title = "From scratch"
    source = ""

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """MAML's inner rates, and a training that is only long enough to see that nothing moves."""
        return {"algorithm.inner_lr": 0.4 if kind == "classification" else 0.01, "training.iterations": 40,
                "training.validate_every": 40}

    @classmethod
    def keeps_no_steps(cls, config: Any) -> str:  # noqa: ARG003
        """Nothing is differentiated through the steps."""
        return "learns nothing over tasks, so that nothing is differentiated through its steps"

    def inner_loop(self) -> dict[str, Any]:
        """On all weights."""
        return {"adapts": "all weights", **super().inner_loop()}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """The random initialization."""
        return begin(self.config.inner_optimizer, meta.params)

    def step(self, meta: Meta, state: Fast, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """One step on the support loss."""
        gradient = grad(self.support_loss(support))(state.params)
        return descend(self.config.inner_optimizer, state, gradient, self.config.inner_lr)

    def predict(self, meta: Meta, state: Fast, inputs: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The network with the fast weights."""
        return self.network(state.params, inputs, ctx.reference)

    def meta_gradient(self, meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
        """Zero, and what the task reports."""
        _, aux = self.meta_loss(meta, task, ctx)
        return {name: torch.zeros_like(value) for name, value in meta.params.items()}, aux
