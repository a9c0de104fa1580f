"""The contract of every algorithm: pure functions of one task, and the inner loop that runs them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.func import grad_and_value

from workbench.backbones.base import Backbone, Network, Params, WithHead
from workbench.experiment.fields import Choice
from workbench.experiment.registry import Pluggable, Role
from workbench.tasks.base import Examples, Spec, Task

C = TypeVar("C", bound=Choice)
State = Any
"""What an algorithm carries through a task: a dict or NamedTuple of tensors, so that it passes through vmap."""


class Meta(NamedTuple):
    """What is learned over tasks.

    Attributes:
        params: What the outer optimizer moves.
        buffers: What the algorithm itself carries from one meta-batch to the next.
    """

    params: Params
    buffers: Params


class Aux(NamedTuple):
    """What a task reports beside its gradient: scalars, and the buffers as the task would leave them.

    Attributes:
        loss: Query loss after adaptation.
        metric: Query accuracy (a fraction) or mean squared error after adaptation.
        buffers: As in `Meta`; the mean over the meta-batch is carried on.
    """

    loss: Tensor
    metric: Tensor
    buffers: Params


@dataclass(frozen=True)
class Context:
    """What an algorithm may know beside its arguments.

    Attributes:
        steps: Inner steps that will be taken.
        ways: Outputs: classes of the task, or target dimensions.
        training: Whether a meta-gradient is wanted.
        reference: Inputs whose statistics normalize the query, or None for those at hand (transductive).
        progress: Share of the training that is done, 0 to 1.
        key: Scalar int64, the only source of randomness; see `noise`.
        step: The inner step being taken, from 0.
    """

    steps: int
    ways: int
    training: bool
    reference: Tensor | None
    progress: float
    key: Tensor
    step: int = 0


class Algorithm(Pluggable, Generic[C]):
    """A way to learn to learn. It sees one task, and never a file, a device, a batch or an outer loop.

    A subclass lives in a file of its own in this folder, or in another package that names it in the entry point group
    `workbench.algorithms`. It is built from (config, network, spec) and holds no tensor. `start`, `predict` and,
    where it iterates, `step` are all that most methods write; the meta-gradient follows by differentiation.
    """

    role: ClassVar[Role] = "algorithm"

    def __init__(self, config: C, network: Network, spec: Spec) -> None:
        self.config = config
        self.network = network
        self.spec = spec

    @classmethod
    def build(cls, backbone: Backbone, spec: Spec) -> nn.Module:
        """The module whose parameters are meta-learned: the backbone and a linear head."""
        return WithHead(backbone, spec.outputs)

    def init(self, generator: torch.Generator) -> Meta:  # noqa: ARG002 - for methods that draw more than a network
        """The first meta-parameters: those that the seeded module was built with."""
        return Meta({name: value.detach().clone() for name, value in self.network.module.named_parameters()}, {})

    @abstractmethod
    def start(self, meta: Meta, support: Examples, ctx: Context) -> State:
        """The state before the first inner step: fast weights, prototypes, a solved head."""

    def step(self, meta: Meta, state: State, support: Examples, ctx: Context) -> State:  # noqa: ARG002
        """One inner step."""
        return state

    @abstractmethod
    def predict(self, meta: Meta, state: State, inputs: Tensor, ctx: Context) -> Tensor:
        """Logits or values [n, outputs] of inputs [n, *input_shape]."""

    def meta_loss(self, meta: Meta, task: Task, ctx: Context) -> tuple[Tensor, Aux]:
        """What the outer loop minimizes: the query loss after the inner steps."""
        state = adapt(self, meta, task.support, ctx)
        outputs = self.predict(meta, state, task.query.inputs, ctx)
        loss = self.loss(outputs, task.query.targets)
        return loss, Aux(loss.detach(), self.metric(outputs, task.query.targets).detach(), meta.buffers)

    def meta_gradient(self, meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
        """Gradient of `meta_loss` with respect to `meta.params`."""
        def loss(params: Params) -> tuple[Tensor, Aux]:
            return self.meta_loss(meta._replace(params=params), task, ctx)

        gradient, (_, aux) = grad_and_value(loss, has_aux=True)(meta.params)
        return gradient, aux

    def inner_steps(self, training: bool) -> int:
        """Inner steps in training, and in testing."""
        steps = int(getattr(self.config, "inner_steps", 0))
        return steps if training else int(getattr(self.config, "test_steps", None) or steps)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy over examples, or mean squared error over examples and target dimensions."""
        if self.spec.kind == "classification":
            return F.cross_entropy(outputs, targets)
        return F.mse_loss(outputs, targets)

    def metric(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Accuracy as a fraction, or mean squared error."""
        if self.spec.kind == "classification":
            return (outputs.argmax(-1) == targets).to(outputs.dtype).mean()
        return F.mse_loss(outputs, targets)


def adapt(
    algorithm: Algorithm[Any],
    meta: Meta,
    support: Examples,
    ctx: Context,
    watch: Callable[[State], None] | None = None,
) -> State:
    """The inner loop: start, then every step.

    Args:
        algorithm: What adapts.
        meta: Meta-parameters.
        support: What it adapts to.
        ctx: Its `steps` are how many are taken.
        watch: Called with the state before the first step and after every step.

    Returns:
        The adapted state.
    """
    state = algorithm.start(meta, support, ctx)
    for step in range(ctx.steps):
        if watch:
            watch(state)
        state = algorithm.step(meta, state, support, replace(ctx, step=step))
    if watch:
        watch(state)
    return state


def noise(key: Tensor, count: int, salt: int) -> Tensor:
    """[count] uniform numbers in [0, 1), float32, a pure function of (key, salt) that may be mapped over tasks.

    Args:
        key: Scalar int64 of the task.
        count: How many.
        salt: Distinguishes the draws of one task, such as the inner step.
    """
    # Sums and products of int64 wrap round alike on every device, which makes the hash the same everywhere.
    start = (salt * 0x5851F42D4C957F2D + 2**63) % 2**64 - 2**63
    word = key + torch.arange(1, count + 1, device=key.device) * -7046029254386353131 + start
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        word = (word ^ ((word >> shift) & ((1 << (64 - shift)) - 1))) * factor
    word = word ^ ((word >> 31) & ((1 << 33) - 1))
    return ((word >> 40) & ((1 << 24) - 1)).float() * 2.0**-24
