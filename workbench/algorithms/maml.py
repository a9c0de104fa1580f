"""Model-agnostic meta-learning, second and first order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from workbench.algorithms.base import Algorithm, Context, Meta
from workbench.algorithms.derivatives import grad
from workbench.algorithms.inner import AnyInnerLoop, Fast, begin, descend
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples


class MAMLConfig(AnyInnerLoop):
    """The inner loop of MAML."""

    name: Literal["maml"] = "maml"
    order: Literal[1, 2] = field(2, label="Order", help="2 differentiates through the inner steps, as the paper does; "
                                 "1 leaves their second derivatives out, for about half the time and memory.",
                                 choices={"1": "1 (first order)", "2": "2 (exact)"}, source="Finn et al. 2017, 5.2")
    inner_steps: int = field(1, label="Inner steps", help="Gradient steps on the support set in training.", ge=1,
                             le=100)
    inner_lr: float = field(0.4, label="Inner rate", help="Learning rate of the inner steps, on the mean loss.",
                            gt=0, le=1000, log=True)


class FOMAMLConfig(MAMLConfig):
    """MAML with its order fixed to one."""

    name: Literal["fomaml"] = "fomaml"  # type: ignore[assignment]
    order: Literal[1] = field(1, label="Order", help="First order: second derivatives are left out.",
                              choices={"1": "1 (first order)"}, source="Finn et al. 2017, 5.2")


class MAML(Algorithm[MAMLConfig]):
    """Learns an initialization from which a few gradient steps solve a new task. Every task starts from the same
    weights, takes its inner steps on the support set and is judged on the query set. The outer loop moves the
    initialization so that this judgement gets better, by differentiating through the inner steps.

    **Update rule.** Inner: θ_{s+1} = θ_s - α ∇ L_support(θ_s). Outer: θ ← θ - β ∇_θ mean over tasks of L_query(θ_S).

    **Source.** Finn, Abbeel and Levine 2017, algorithm 2. The paper's code sums the loss over the ways, so its α = 0.4
    at 5 ways is α = 2 on the mean loss that is used here.

    **Try.** More inner steps in testing than in training; order 1 where memory or time is short; an inner rate ten
    times larger or smaller before anything else.

    **Goes wrong.** Too large an inner rate makes the loss after adaptation larger than before it: look at the
    adaptation curves. With many inner steps the meta-gradient explodes: clip its norm, or take fewer.
    """

    Config = MAMLConfig
    title = "MAML"
    source = "Finn 2017"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """The rates that the paper prints, 0.4 for pictures and 0.01 for sinusoids, taken on the mean loss.

        For pictures smaller meta-batches and a larger outer rate than the paper's, which learn more in the same time.
        """
        if kind == "classification":
            return {"algorithm.inner_lr": 0.4, "training.meta_batch": 8, "training.outer_lr": 0.003}
        return {"algorithm.inner_lr": 0.01}

    @classmethod
    def keeps_no_steps(cls, config: MAMLConfig) -> str:
        """First order keeps nothing of a step."""
        return "takes its inner gradients for constants, so that nothing of a step is kept" if config.order == 1 else ""

    def inner_loop(self) -> dict[str, Any]:
        """On all weights."""
        return {"adapts": "all weights", **super().inner_loop()}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """The initialization itself."""
        return begin(self.config.inner_optimizer, meta.params)

    def step(self, meta: Meta, state: Fast, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """One step on the support loss."""
        gradient = grad(self.support_loss(support), constant=self.config.order == 1)(state.params)
        return descend(self.config.inner_optimizer, state, gradient, self.config.inner_lr)

    def predict(self, meta: Meta, state: Fast, inputs: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The network with the fast weights."""
        return self.network(state.params, inputs, ctx.reference)


class FOMAML(MAML):
    """MAML without second derivatives: the gradient at the adapted weights moves the initialization. A step costs about
    half the time and memory of MAML's. With few inner steps the results are close to its own.

    **Update rule.** Inner: θ_{s+1} = θ_s - α ∇ L_support(θ_s). Outer: θ ← θ - β mean over tasks of ∇ L_query at θ_S.

    **Source.** Finn, Abbeel and Levine 2017, section 5.2.

    **Try.** It where MAML is too slow or too large, then MAML for the last per cent.

    **Goes wrong.** With inductive normalization and one shot it learns little, and with many inner steps it drifts away
    from MAML's solution.
    """

    Config = FOMAMLConfig
    title = "First-order MAML"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """As for MAML, but three smaller steps for pictures: after a single one the gradient says too little of how the
        features should change."""
        few = {"algorithm.inner_steps": 3, "algorithm.inner_lr": 0.2} if kind == "classification" else {}
        return {**super().suggest(kind), **few}
