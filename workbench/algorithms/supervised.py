"""Ordinary supervised learning, for comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from workbench.algorithms.base import Context, Meta, Stage
from workbench.algorithms.pretraining import (
    ExampleLearner,
    OverExamples,
    without_test_tasks,
    without_training_tasks,
)
from workbench.experiment.experiment import Experiment
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples


class SupervisedConfig(OverExamples):
    """The batch of ordinary training."""

    name: Literal["supervised"] = "supervised"


class Supervised(ExampleLearner[SupervisedConfig]):
    """Learns no learning: one network tells all classes of the data set apart, or answers for all functions at once. It
    is trained on some examples of every class and tested on others of the same classes. Its number says how hard the
    data are for a network that has seen every class, and is no few-shot result.

    **Update rule.** θ ← θ - β ∇_θ mean over examples (x, y) of L(f_θ(x), y), with y among all classes.

    **Source.** Ordinary empirical risk minimization. Every example is drawn on its own, each class as likely as the
    other, so there are no epochs; batch normalization uses the statistics of the portion at hand in testing too.

    **Try.** The same backbone in a few-shot method beside it; fewer or more examples in a portion.

    **Goes wrong.** It cannot be tested on classes that it has not seen: the data set must hold out examples
    (`dataset.held_out`). On functions drawn afresh all the time, such as sinusoids, the best it can do is their mean.
    """

    Config = SupervisedConfig
    title = "Supervised"
    any_ways = True
    iterates = False
    tested_on = "examples"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """Test on other examples of the same classes; a batch of 128 in two portions, one for each core."""
        batch = {"training.meta_batch": 2, "training.outer_lr": 2e-3, "training.validation_tasks": 50,
                 "evaluation.tasks": 200}
        return batch | {"dataset.held_out": "examples"} if kind == "classification" else batch

    @classmethod
    def idle(cls, config: SupervisedConfig, experiment: Experiment) -> Mapping[str, str]:  # noqa: ARG003
        """The shape of tasks."""
        return without_training_tasks(cls.title, experiment) | without_test_tasks(cls.title, experiment)

    @classmethod
    def refused(cls, config: SupervisedConfig, experiment: Experiment) -> Mapping[str, str]:  # noqa: ARG003
        """To be tested on other classes."""
        if getattr(experiment.dataset, "held_out", "examples") == "examples":
            return {}
        return {"dataset.held_out": f"{cls.title} tells the training classes apart and cannot be tested on others; set "
                "it to examples"}

    def stage(self, progress: float) -> Stage:  # noqa: ARG002
        """Examples from the first step to the last."""
        return "examples"

    def start(self, meta: Meta, support: Examples, ctx: Context) -> dict[str, Tensor]:  # noqa: ARG002
        """Nothing: there is no adapting to a task."""
        return {}

    def predict(self, meta: Meta, state: dict[str, Tensor], inputs: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The network as it was trained."""
        return self.network(meta.params, inputs, ctx.reference)
