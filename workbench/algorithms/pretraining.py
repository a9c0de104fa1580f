"""What methods share that learn from examples of all training classes at once, as ordinary training does."""

from __future__ import annotations

from typing import Generic, TypeVar

from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Context, Meta
from workbench.backbones.base import Backbone, Network
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import picked
from workbench.tasks.base import Spec


class OverExamples(Choice):
    """The fields of every method that has a stage over examples."""

    example_batch: int = field(64, label="Examples", unit="examples", help="Examples in one portion of a meta-batch "
                               "while all training classes are told apart.", ge=2, le=100_000, log=True)


E = TypeVar("E", bound=OverExamples)


class WithClassifier(nn.Module):
    """A backbone, and what tells all training classes apart or answers for all functions at once.

    Its parameters are named `backbone.*` and `classifier.*`.
    """

    def __init__(self, backbone: Backbone, classifier: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Outputs of the classifier for inputs [n, *input_shape]."""
        outputs: Tensor = self.classifier(self.backbone(inputs, reference))
        return outputs


class ExampleLearner(Algorithm[E], Generic[E]):
    """A method with a stage over examples, answered by a classifier on the backbone."""

    def __init__(self, config: E, network: Network, spec: Spec) -> None:
        super().__init__(config, network, spec)
        self.example_batch = config.example_batch

    @classmethod
    def build(cls, config: E, backbone: Backbone, spec: Spec) -> nn.Module:  # noqa: ARG003 - for methods with more
        """The backbone and a linear classifier."""
        return WithClassifier(backbone, nn.Linear(backbone.width, answers_in_all(spec)))

    def predict_examples(self, meta: Meta, inputs: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The classifier on the features of the inputs."""
        return self.network.part("classifier", meta.params, self.network.part("backbone", meta.params, inputs))


_SHAPE = ("ways", "shots", "queries")


def without_training_tasks(title: str, experiment: Experiment) -> dict[str, str]:
    """Fields of the training tasks of a method that never sees one, each with the reason."""
    reason = f"{title} is trained on examples of all training classes at once, and on no tasks"
    return {} if _comes_in_tasks(experiment) else {f"training.{name}": reason for name in _SHAPE}


def without_test_tasks(title: str, experiment: Experiment) -> dict[str, str]:
    """Fields of the tasks of a method that is never tested on one, each with the reason."""
    reason = f"{title} is tested on other examples of its training classes, and on no tasks"
    return {} if _comes_in_tasks(experiment) else {f"task.{name}": reason for name in _SHAPE}


def _comes_in_tasks(experiment: Experiment) -> bool:
    """Whether the data are a family of functions, whose examples too are sampled by tasks."""
    return "classification" not in picked(experiment, "dataset").task_kinds


def answers_in_all(spec: Spec) -> int:
    """Outputs of a classifier of all training classes, or of a regressor of all functions."""
    return spec.classes if spec.kind == "classification" else spec.outputs
