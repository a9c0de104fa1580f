"""Pretrain on all training classes, then fit a fresh linear head: the control beside every number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.algorithms.base import Context, Meta, OnFeatures, Stage, noise
from workbench.algorithms.derivatives import grad
from workbench.algorithms.heads import HeadOnFeatures
from workbench.algorithms.inner import Fast, begin
from workbench.algorithms.pretraining import ExampleLearner, OverExamples, without_training_tasks
from workbench.backbones.base import Params
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples

_SOURCE = "Chen et al. 2019"
# Salts of the fresh head's draws; those of the inner steps are their numbers, from 0.
WEIGHT, BIAS = -1, -2


class FreshHead(OverExamples):
    """How a fresh head is fitted to a task."""

    inner_steps: int = field(100, label="Inner steps", help="Steps of the fresh head in validation and testing; "
                             "training takes none.", ge=1, le=10_000, source=_SOURCE)
    inner_lr: float = field(0.01, label="Inner rate", help="Learning rate of the fresh head.", gt=0, le=100, log=True,
                            source="Chen et al. 2019, code")
    inner_batch: int = field(4, label="Inner batch", unit="examples", help="Examples of the task drawn for each step; "
                             "the whole support set where it is smaller.", ge=1, le=10_000, source=_SOURCE)
    momentum: float = field(0.9, label="Momentum", help="Share of the last step's velocity that is kept.", ge=0, lt=1,
                            source="Chen et al. 2019, code", advanced=True)
    dampening: float = field(0.9, label="Dampening", help="Share of a gradient that does not enter the velocity; as "
                             "large as the momentum, it makes the velocity a mean of gradients.", ge=0, lt=1,
                             source="Chen et al. 2019, code", advanced=True)
    weight_decay: float = field(1e-3, label="Weight decay", help="Pull of the fresh head towards zero.", ge=0, le=1,
                                source="Chen et al. 2019, code", advanced=True)


class BaselineConfig(FreshHead):
    """How the linear head is fitted."""

    name: Literal["baseline"] = "baseline"


B = TypeVar("B", bound=FreshHead)


class Finetuning(OnFeatures[B], ExampleLearner[B], Generic[B]):
    """Pretrains on examples and fits a fresh head to each task; a subclass says what a head is."""

    any_ways = True

    @classmethod
    def idle(cls, config: B, experiment: Experiment) -> Mapping[str, str]:  # noqa: ARG003
        """The shape of training tasks."""
        return without_training_tasks(cls.title, experiment)

    @classmethod
    def keeps_no_steps(cls, config: Any) -> str:  # noqa: ARG003
        """Nothing is differentiated through the steps."""
        return "trains on examples, without inner steps"

    @abstractmethod
    def fresh_head(self, features: Tensor, ctx: Context) -> Params:
        """A head for `ctx.ways` outputs that has learned nothing, drawn from the task's key."""

    @abstractmethod
    def run_head(self, head: Params, features: Tensor) -> Tensor:
        """Outputs [n, ways] of a head."""

    def stage(self, progress: float) -> Stage:  # noqa: ARG002
        """Examples from the first step to the last."""
        return "examples"

    def inner_steps(self, *, training: bool, examples: int) -> int:  # noqa: ARG002
        """The same wherever tasks are adapted to."""
        return self.config.inner_steps

    def inner_loop(self) -> dict[str, Any]:
        """On the fresh head, in mini-batches."""
        return {"adapts": "a fresh head", "optimizer": "sgd", "lr": self.config.inner_lr,
                "momentum": self.config.momentum, "dampening": self.config.dampening,
                "weight_decay": self.config.weight_decay, "batch": self.config.inner_batch}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> HeadOnFeatures:
        """A fresh head at rest, and the support set's features."""
        features = self.features(meta.params, support.inputs)
        return HeadOnFeatures(begin("momentum", self.fresh_head(features, ctx)), features)

    def step(self, meta: Meta, state: HeadOnFeatures, support: Examples, ctx: Context) -> HeadOnFeatures:  # noqa: ARG002
        """One step of torch.optim.SGD on a mini-batch."""
        config, features, targets = self.config, state.features, support.targets
        if config.inner_batch < len(features):
            chosen = noise(ctx.key, len(features), ctx.step).argsort()[: config.inner_batch]
            features, targets = features[chosen], targets[chosen]

        def loss(head: Params) -> Tensor:
            return self.loss(self.run_head(head, features), targets)

        before, velocity = state.head
        gradient = {name: value + config.weight_decay * before[name] for name, value in grad(loss)(before).items()}
        fresh = 1.0 if ctx.step == 0 else 1 - config.dampening  # the first gradient is not dampened
        velocity = {name: config.momentum * velocity[name] + fresh * value for name, value in gradient.items()}
        head = {name: value - config.inner_lr * velocity[name] for name, value in before.items()}
        return HeadOnFeatures(Fast(head, velocity), state.features)

    def respond(self, meta: Meta, state: HeadOnFeatures, features: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The head as it is."""
        return self.run_head(state.head.params, features)


class Baseline(Finetuning[BaselineConfig]):
    """Learns to tell all training classes apart and throws the classifier away. A new task gets a fresh linear head,
    which is fitted to its support set on the frozen features. Nothing is learned about learning, so whatever a
    meta-learner gains over this it gains by meta-learning.

    **Update rule.** Training: θ ← θ - β ∇_θ mean over examples of L(W f_θ(x) + b, y), with y among all training
    classes. Testing: (V, c) fresh; v ← μ v + (1 - τ)(∇ L_batch(V, c) + λ (V, c)); (V, c) ← (V, c) - α v.

    **Source.** Chen, Liu, Kira, Wang and Huang 2019, section 3. The paper speaks of 100 iterations on batches of four;
    its code takes 100 passes over the support set in such batches, and has momentum, dampening and decay. Its features
    are normalized with the running statistics of training; here with those of the pictures at hand, as for every method
    of this program. For regression one regressor answers for all functions at once in training; its hidden features
    carry the fresh head.

    **Try.** It beside every other number; a deeper backbone, with which the paper sees it close the gap.

    **Goes wrong.** The features separate the training classes and owe nothing to others. With tasks drawn from one
    family of functions the joint regressor learns little but their mean, and so do its features.
    """

    Config = BaselineConfig
    title = "Baseline"
    source = "Chen 2019"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """Portions of examples as one batch, and a head that is fitted to many tasks at once."""
        if kind == "regression":
            return {"algorithm.inner_lr": 0.02, "algorithm.inner_batch": 10, "training.meta_batch": 4}
        return {"training.meta_batch": 2, "training.executor": "vectorized", "training.outer_lr": 2e-3,
                "training.validation_tasks": 100}

    def fresh_head(self, features: Tensor, ctx: Context) -> Params:
        """As torch.nn.Linear begins: uniform within one over the root of the width."""
        width = features.shape[-1]
        weight, bias = ((2 * noise(ctx.key, count, salt) - 1).to(features.dtype) / width**0.5
                        for count, salt in ((ctx.ways * width, WEIGHT), (ctx.ways, BIAS)))
        return {"weight": weight.view(ctx.ways, width), "bias": bias}

    def run_head(self, head: Params, features: Tensor) -> Tensor:
        """Linear."""
        return F.linear(features, head["weight"], head["bias"])
