"""Almost no inner loop: only the head adapts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from torch import Tensor

from workbench.algorithms.base import Context, Meta, OnFeatures
from workbench.algorithms.derivatives import grad
from workbench.algorithms.inner import AnyInnerLoop, Fast, begin, descend
from workbench.backbones.base import Params, only
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples


class ANILConfig(AnyInnerLoop):
    """The inner loop of ANIL."""

    name: Literal["anil"] = "anil"
    inner_steps: int = field(5, label="Inner steps", help="Gradient steps on the head in training. They cost a matrix "
                             "product each, for the features are computed once.", ge=1, le=1000)
    inner_lr: float = field(0.1, label="Inner rate", help="Learning rate of the inner steps, on the mean loss.",
                            gt=0, le=1000, log=True, source="Raghu et al. 2020")


class HeadOnFeatures(NamedTuple):
    """The adapting head, and the support set's features, which no inner step changes."""

    head: Fast
    features: Tensor


class ANIL(OnFeatures[ANILConfig]):
    """MAML whose inner loop adapts the head alone. The features are reused from task to task and learned by the outer
    loop only. They are computed once a task, so an inner step costs no more than a matrix product.

    **Update rule.** Inner: w_{s+1} = w_s - α ∇_w L_support(w_s, f_θ). Outer: min over (θ, w) of the mean L_query(w_S,
    f_θ), second derivatives included.

    **Source.** Raghu, Raghu, Bengio and Vinyals 2020, section 4.

    **Try.** Many inner steps, for they are cheap; the same settings with MAML beside it, to see what adapting the
    features is worth.

    **Goes wrong.** Where tasks need other features than those of training, the head alone cannot make up for it.
    """

    Config = ANILConfig
    title = "ANIL"
    source = "Raghu 2020"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A smaller rate where the loss is not bounded by the number of classes; for pictures small meta-batches."""
        if kind == "classification":
            return {"algorithm.inner_lr": 0.1, "training.meta_batch": 8, "training.outer_lr": 0.003}
        return {"algorithm.inner_lr": 0.02}

    def inner_loop(self) -> dict[str, Any]:
        """On the head."""
        return {"adapts": "the weights of the head", **super().inner_loop()}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> HeadOnFeatures:  # noqa: ARG002
        """The learned head, and the support set's features."""
        return HeadOnFeatures(begin(self.config.inner_optimizer, only(meta.params, "head")),
                              self.features(meta.params, support.inputs))

    def step(self, meta: Meta, state: HeadOnFeatures, support: Examples, ctx: Context) -> HeadOnFeatures:  # noqa: ARG002
        """One gradient step of the head."""
        def loss(head: Params) -> Tensor:
            return self.loss(self.network.part("head", head, state.features), support.targets)

        return state._replace(head=descend(self.config.inner_optimizer, state.head, grad(loss)(state.head.params),
                                           self.config.inner_lr))

    def respond(self, meta: Meta, state: HeadOnFeatures, features: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The adapted head."""
        return self.network.part("head", state.head.params, features)
