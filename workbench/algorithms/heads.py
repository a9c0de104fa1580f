"""What methods share whose inner steps move a head on features that stay as they are."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

from torch import Tensor

from workbench.algorithms.base import Context, Meta, OnFeatures
from workbench.algorithms.derivatives import grad
from workbench.algorithms.inner import AnyInnerLoop, Fast, begin, descend
from workbench.backbones.base import Params, only
from workbench.tasks.base import Examples


class HeadOnFeatures(NamedTuple):
    """The adapting head, and the support set's features, which no inner step changes."""

    head: Fast
    features: Tensor


H = TypeVar("H", bound=AnyInnerLoop)


class HeadLearner(OnFeatures[H], Generic[H]):
    """A method whose inner steps descend from a learned head, the part `head` of its network.

    Attributes:
        is_first_order: Whether the outer loop takes the inner gradients for constants.
    """

    is_first_order: bool = False

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

        gradient = grad(loss, constant=self.is_first_order)(state.head.params)
        return state._replace(head=descend(self.config.inner_optimizer, state.head, gradient, self.config.inner_lr))

    def respond(self, meta: Meta, state: HeadOnFeatures, features: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The adapted head."""
        return self.network.part("head", state.head.params, features)
