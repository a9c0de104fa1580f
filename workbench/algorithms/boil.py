"""Body only update in the inner loop: the head stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from workbench.algorithms.base import Algorithm, Context, Meta
from workbench.algorithms.derivatives import grad
from workbench.algorithms.inner import AnyInnerLoop, Fast, begin, descend
from workbench.backbones.base import Params
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples


class BOILConfig(AnyInnerLoop):
    """The inner loop of BOIL."""

    name: Literal["boil"] = "boil"
    inner_steps: int = field(1, label="Inner steps", help="Gradient steps on the body in training.", ge=1, le=100,
                             source="Oh et al. 2021")
    inner_lr: float = field(0.5, label="Inner rate", help="Learning rate of the body's inner steps, on the mean loss; "
                            "the head's is zero.", gt=0, le=1000, log=True, source="Oh et al. 2021")


class BOIL(Algorithm[BOILConfig]):
    """MAML whose inner loop adapts the body and leaves the head alone. The features of a new task must move to where
    the head expects its classes, so representations change rather than being reused. The head is learned by the
    outer loop only.

    **Update rule.** Inner: θ_{s+1} = θ_s - α ∇_θ L_support(w, f_θ_s) for the body θ. Outer: min over (θ, w) of the mean
    L_query(w, f_θ_S), second derivatives included.

    **Source.** Oh, Yoo, Kim and Yun 2021.

    **Try.** ANIL and MAML with the same settings beside it: the three differ only in what adapts.

    **Goes wrong.** One large step is what it was made for: with a small inner rate the features never reach the head's
    classes. Without any inner step it is at chance, whatever it has learned.
    """

    Config = BOILConfig
    title = "BOIL"
    source = "Oh 2021"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """The paper's rate for pictures, and MAML's for functions, whose loss is not bounded by a number of classes."""
        if kind == "regression":
            return {"algorithm.inner_lr": 0.01}
        return {"algorithm.inner_lr": 0.5, "training.meta_batch": 8, "training.outer_lr": 0.003}

    def inner_loop(self) -> dict[str, Any]:
        """On the body."""
        return {"adapts": "all weights but those of the head", **super().inner_loop()}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """The learned body."""
        body = {name: value for name, value in meta.params.items() if not name.startswith("head.")}
        return begin(self.config.inner_optimizer, body)

    def step(self, meta: Meta, state: Fast, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """One gradient step of the body."""
        def loss(body: Params) -> Tensor:
            return self.loss(self.network(meta.params | body, support.inputs), support.targets)

        return descend(self.config.inner_optimizer, state, grad(loss)(state.params), self.config.inner_lr)

    def predict(self, meta: Meta, state: Fast, inputs: Tensor, ctx: Context) -> Tensor:
        """The learned head on the adapted body."""
        return self.network(meta.params | state.params, inputs, ctx.reference)
