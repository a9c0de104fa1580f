"""The contract of every algorithm: pure functions of one task, and the inner loop that runs them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.algorithms.derivatives import grad_and_value
from workbench.algorithms.recompute import recomputed
from workbench.backbones.base import Backbone, Network, Params, WithHead
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import Pluggable, Role
from workbench.tasks.base import Examples, Spec, Task
from workbench.tasks.sampling.judging import judged

C = TypeVar("C", bound=Choice)
State = Any
"""What an algorithm carries through a task: a dict or NamedTuple of tensors, so that it passes through vmap."""


Stage = Literal["tasks", "examples"]
"""What training is shown: few-shot tasks, or examples of all training classes at once, as in ordinary training."""


class InnerLoop(Choice):
    """The fields of every method that adapts in inner steps; a subclass declares again what has other defaults."""

    inner_steps: int = field(5, label="Inner steps", help="Steps on the support set in training.", ge=1, le=1000)
    inner_lr: float = field(0.1, label="Inner rate", help="Learning rate of the inner steps, on the mean loss.",
                            gt=0, le=1000, log=True)
    test_steps: int | None = field(None, label="Inner steps, testing", help="Steps on the support set in validation "
                                   "and testing; empty for those of training.", ge=1, le=1000, advanced=True)

    def numbers(self) -> dict[str, Any]:
        """What sets the length and direction of an inner step, as `Algorithm.inner_loop` tells it."""
        return {"lr": self.inner_lr}


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
        metric: The query metric after adaptation: mean squared error, or a fraction such as accuracy.
        buffers: As in `Meta`; the mean over the meta-batch is carried on.
        extra: Other tensors by name: `hardest` is the label of the class whose queries were answered worst, reported
            where the method asks for hard tasks.
    """

    loss: Tensor
    metric: Tensor
    buffers: Params
    extra: Params


class Found(NamedTuple):
    """A network that a method chose out of a larger one.

    Attributes:
        structure: What was chosen, as plain values.
        params: The parameters of the chosen network alone.
        inner: Its inner loop, as `Algorithm.inner_loop` tells that of the larger one.
    """

    structure: dict[str, Any]
    params: Params
    inner: dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """A table of numbers that a method learned or computed and that is worth looking at.

    Attributes:
        title: What it is, such as "Learned rates".
        about: One sentence on what to see in it.
        rows, columns: What the two axes are, such as "layer" and "inner step".
        row_names, column_names: A name for each row and column; empty where they are only numbered.
        values: What the numbers are, with their unit.
        per_task: Whether it differs from task to task; else it belongs to what is meta-learned.
    """

    title: str
    about: str
    rows: str
    columns: str
    values: str
    row_names: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()
    per_task: bool = True


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
        step: The inner step being taken, from 0; where something is predicted, the inner steps behind it.
        stage: What training is shown.
        recompute: Whether what happens inside an inner step is computed again in the backward pass rather than kept.
    """

    steps: int
    ways: int
    training: bool
    reference: Tensor | None
    progress: float
    key: Tensor
    step: int = 0
    stage: Stage = "tasks"
    recompute: bool = False

    def at(self, step: int) -> Context:
        """The same at an inner step."""
        return replace(self, step=step)

    @property
    def adapted(self) -> Context:
        """The same after the last inner step."""
        return replace(self, step=self.steps)


class Algorithm(Pluggable, Generic[C]):
    """A way to learn to learn. It sees one task, and never a file, a device, a batch or an outer loop.

    A subclass lives in a file of its own in this folder, or in another package that names it in the entry point group
    `workbench.algorithms`. It is built from (config, network, spec) and holds no tensor. `start`, `predict` and,
    where it iterates, `step` are all that most methods write; the meta-gradient follows by differentiation.

    Attributes:
        keeps_features: Whether no inner step changes the features, so that the backbone sees every input only once.
        example_batch: Examples that one portion of a meta-batch has in the stage over examples.
        draws_hard_tasks: Whether every task of every other meta-batch has a class that was answered worst in the last;
            for classification.
        changes: Whether its meta-step depends on how much of the training is done.
    """

    role: ClassVar[Role] = "algorithm"
    keeps_features: bool = False
    example_batch: int = 32
    draws_hard_tasks: bool = False
    changes: bool = False

    def __init__(self, config: C, network: Network, spec: Spec) -> None:
        self.config = config
        self.network = network
        self.spec = spec

    @classmethod
    def settled(cls, config: C, experiment: Experiment) -> C:  # noqa: ARG003 - for methods that leave something open
        """The config with what a person left open and the shape of the tasks decides."""
        return config

    @classmethod
    def build(cls, config: C, backbone: Backbone, spec: Spec) -> nn.Module:  # noqa: ARG003 - for methods with more
        """The module whose parameters are meta-learned: the backbone and a linear head."""
        return WithHead(backbone, spec.outputs)

    def init(self, generator: torch.Generator) -> Meta:  # noqa: ARG002 - for methods that draw more than a network
        """The first meta-parameters: those that the seeded module was built with.

        A method may add parameters that its module does not have; `Network.own` and `Network.__call__` pass over them.
        """
        return Meta({name: value.detach().clone() for name, value in self.network.module.named_parameters()}, {})

    def stage(self, progress: float) -> Stage:  # noqa: ARG002 - for methods that pretrain
        """What training is shown when this share of it is done."""
        return "tasks"

    def outer_rate(self, name: str, stage: Stage) -> float:  # noqa: ARG002 - for methods that freeze or slow down
        """What the outer learning rate is multiplied with for a parameter; 0 leaves it alone."""
        return 1.0

    @abstractmethod
    def start(self, meta: Meta, support: Examples, ctx: Context) -> State:
        """The state before the first inner step: fast weights, prototypes, a solved head."""

    def step(self, meta: Meta, state: State, support: Examples, ctx: Context) -> State:  # noqa: ARG002
        """One inner step."""
        return state

    @abstractmethod
    def predict(self, meta: Meta, state: State, inputs: Tensor, ctx: Context) -> Tensor:
        """Logits or values [n, outputs] of inputs [n, *input_shape]."""

    def answers(self, meta: Meta, inputs: Tensor, ctx: Context) -> Callable[[State, Context], Tensor]:  # noqa: ARG002
        """What predicts the same inputs after one inner step after another, from (state, context)."""
        return lambda state, now: self.predict(meta, state, inputs, now)

    def predict_examples(self, meta: Meta, inputs: Tensor, ctx: Context) -> Tensor:
        """Logits [n, spec.classes] over all training classes, or values, in the stage over examples."""
        raise NotImplementedError(f"{self.title} has no stage over examples")

    def drawings(self) -> dict[str, Drawing]:
        """What `draw` gives, by name; nothing where there is nothing special to see."""
        return {}

    def draw(self, meta: Meta, state: State, task: Task, ctx: Context) -> Params:  # noqa: ARG002
        """Tables [rows, columns] of the names in `drawings`, after ctx.step inner steps on the task's support."""
        return {}

    def in_order(self, examples: Examples) -> Tensor:
        """Places [n] of a task's examples as drawings show them: class by class, or by their first input."""
        values = examples.targets if self.spec.kind == "classification" else examples.inputs.flatten(1)[:, 0]
        return values.argsort(stable=True)

    @property
    def sorting(self) -> str:
        """How `in_order` sorts, in words."""
        return "class by class" if self.spec.kind == "classification" else "by their first input"

    @property
    def kindred(self) -> str:
        """Support examples that a query should look at, in words."""
        return "the examples of its own class" if self.spec.kind == "classification" else "the points next to it"

    def found(self, meta: Meta) -> Found | None:  # noqa: ARG002 - for methods that search
        """The network that was found, read out of `meta` as it is, before any task; None where nothing is searched."""
        return None

    def meta_loss(self, meta: Meta, task: Task, ctx: Context) -> tuple[Tensor, Aux]:
        """What the outer loop minimizes: the query loss after the inner steps."""
        if ctx.stage == "examples":
            outputs = self.predict_examples(meta, task.query.inputs, ctx)
        else:
            state = adapt(self, meta, task.support, ctx)
            outputs = self.predict(meta, state, task.query.inputs, ctx.adapted)
        loss = self.loss(outputs, task.query.targets)
        return loss, self.aux(loss, outputs, task, meta.buffers, ctx)

    def aux(self, loss: Tensor, outputs: Tensor, task: Task, buffers: Params, ctx: Context) -> Aux:
        """What is reported of a task whose adapted learner answered its queries with `outputs`."""
        extra = {}
        if self.draws_hard_tasks and ctx.stage == "tasks":
            labels = torch.arange(ctx.ways, device=outputs.device)
            of_class = (task.query.targets.unsqueeze(-1) == labels).to(outputs.dtype)
            right = (outputs.argmax(-1) == task.query.targets).to(outputs.dtype)
            extra["hardest"] = (right @ of_class / of_class.sum(0).clamp(min=1)).argmin()
        return Aux(loss.detach(), self.metric(outputs, task.query.targets).detach(), buffers, extra)

    def meta_gradient(self, meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
        """Gradient of `meta_loss` with respect to `meta.params`."""
        def loss(params: Params) -> tuple[Tensor, Aux]:
            return self.meta_loss(meta._replace(params=params), task, ctx)

        gradient, (_, aux) = grad_and_value(loss, has_aux=True)(meta.params)
        return gradient, aux

    def inner_steps(self, *, training: bool, examples: int) -> int:  # noqa: ARG002 - for those that read one by one
        """Inner steps in training and in testing, on a support set of so many examples."""
        if not isinstance(self.config, InnerLoop):
            return 0
        return self.config.inner_steps if training else self.config.test_steps or self.config.inner_steps

    def inner_loop(self) -> dict[str, Any]:
        """Plain values that an export's manifest tells under "inner", beside the steps and the docstring's update rule.

        `adapts` says what a step changes, and `lr` is there exactly where a step has a fixed rate. `optimizer` is "sgd"
        for steps along the negative gradient, whatever their rates; `loss` is None where no step looks at one. All else
        is the method's own.
        """
        return self.config.numbers() if isinstance(self.config, InnerLoop) else {}

    def cost_of_a_step(self) -> float:
        """Multiplications of an inner step beside those of the network, roughly."""
        return 0.0

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy over examples, or mean squared error over examples and target dimensions."""
        if self.spec.kind == "classification":
            return F.cross_entropy(outputs, targets)
        return F.mse_loss(outputs, targets)

    def support_loss(self, support: Examples) -> Callable[[Params], Tensor]:
        """The network's loss on a support set, as a function of its parameters."""
        return lambda params: self.loss(self.network(params, support.inputs), support.targets)

    def metric(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What the tasks are judged by: mean squared error, or accuracy, balanced accuracy or AUROC as a fraction."""
        return judged(self.spec.metric, outputs, targets)


class OnFeatures(Algorithm[C], Generic[C]):
    """A method whose inner steps leave the features alone, so that the backbone sees every input only once.

    `features` and `respond` take the place of `predict`.
    """

    keeps_features = True

    def features(self, params: Params, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Features [n, width] of inputs [n, *input_shape]: those of the backbone."""
        return self.network.part("backbone", params, inputs, reference)

    @abstractmethod
    def respond(self, meta: Meta, state: State, features: Tensor, ctx: Context) -> Tensor:
        """Logits or values [n, outputs] of features [n, width]."""

    def predict(self, meta: Meta, state: State, inputs: Tensor, ctx: Context) -> Tensor:
        """What the state responds to the features of the inputs."""
        return self.answers(meta, inputs, ctx)(state, ctx)

    def answers(self, meta: Meta, inputs: Tensor, ctx: Context) -> Callable[[State, Context], Tensor]:
        """One state after another on features that are computed once."""
        features = self.features(meta.params, inputs, ctx.reference)
        return lambda state, now: self.respond(meta, state, features, now)


def adapt(
    algorithm: Algorithm[Any],
    meta: Meta,
    support: Examples,
    ctx: Context,
    watch: Callable[[State, Context], None] | None = None,
) -> State:
    """The inner loop: start, then every step.

    Args:
        algorithm: What adapts.
        meta: Meta-parameters.
        support: What it adapts to.
        ctx: Its `steps` are how many are taken.
        watch: Called with the state and the context before the first step and after every step.

    Returns:
        The adapted state, which predicts with `ctx.adapted`.
    """
    state = algorithm.start(meta, support, ctx)
    for step in range(ctx.steps):
        if watch:
            watch(state, ctx.at(step))
        state = _stepped(algorithm, meta, state, support, ctx.at(step))
    if watch:
        watch(state, ctx.adapted)
    return state


def _stepped(algorithm: Algorithm[Any], meta: Meta, state: State, support: Examples, ctx: Context) -> State:
    """The state after one inner step."""
    if not ctx.recompute:
        return algorithm.step(meta, state, support, ctx)

    def step(meta: Meta, state: State, support: Examples, key: Tensor, reference: Tensor | None) -> State:
        return algorithm.step(meta, state, support, replace(ctx, key=key, reference=reference))

    return recomputed(step, meta, state, support, ctx.key, ctx.reference)


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
