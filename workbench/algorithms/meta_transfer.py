"""Meta-transfer learning: pretrain, freeze, and learn to scale and shift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from workbench.algorithms.base import Context, Drawing, Meta, Stage
from workbench.algorithms.heads import HeadLearner, HeadOnFeatures
from workbench.algorithms.inner import AnyInnerLoop
from workbench.algorithms.pretraining import ExampleLearner, OverExamples, WithClassifier, answers_in_all
from workbench.backbones.base import Backbone, Network, Params
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind, picked
from workbench.tasks.base import Spec, Task

SCALE, SHIFT = "scale/", "shift/"


class MetaTransferConfig(OverExamples, AnyInnerLoop):
    """Pretraining, the inner loop of the head, and the outer rate of scale and shift."""

    name: Literal["meta_transfer"] = "meta_transfer"
    pretraining: float = field(0.5, label="Pretraining", help="Share of the iterations that tell all training classes "
                               "apart, before the backbone is frozen.", ge=0, lt=1)
    inner_steps: int = field(50, label="Inner steps", help="Gradient steps on the head in training; the features are "
                             "computed once.", ge=1, le=1000, source="Sun et al. 2019, PyTorch code's default")
    inner_lr: float = field(0.01, label="Inner rate", help="Learning rate of the head, on the mean loss.", gt=0,
                            le=1000, log=True, source="Sun et al. 2019, PyTorch code")
    test_steps: int | None = field(100, label="Inner steps, testing", help="Gradient steps on the head in validation "
                                   "and testing; empty for those of training.", ge=1, le=1000, advanced=True,
                                   source="Sun et al. 2019, TensorFlow code")
    order: Literal[1, 2] = field(2, label="Order", help="2 differentiates through the steps of the head, as the "
                                 "paper's equations and its TensorFlow code do; 1 leaves their second derivatives out, "
                                 "as its PyTorch code does.",
                                 choices={"1": "1 (first order)", "2": "2 (exact)"})
    scale_rate: float = field(0.1, label="Rate of scale and shift", help="What the outer rate is multiplied with for "
                              "scale and shift; the head's initialization takes the whole rate.", gt=0, le=100,
                              log=True, source="Sun et al. 2019, PyTorch code: 1e-4 beside 1e-3")
    hard_tasks: bool = field(True, label="Hard tasks", help="Every other meta-batch has in each task a class that was "
                             "answered worst in the one before; for classification.", source="Sun et al. 2019, 4")


class Transfer(WithClassifier):
    """A backbone with a classifier of all training classes, and a head for one task."""

    def __init__(self, backbone: Backbone, spec: Spec) -> None:
        super().__init__(backbone, nn.Linear(backbone.width, answers_in_all(spec)))
        self.head = nn.Linear(backbone.width, spec.outputs)


class MetaTransfer(HeadLearner[MetaTransferConfig], ExampleLearner[MetaTransferConfig]):
    """Pretrains the backbone to tell all training classes apart, and freezes it. Then a scale for every kernel, a shift
    for every bias and the initialization of the head are meta-learned, while each task adapts the head alone. Training
    comes back to the classes that went worst, as one practises what one cannot do yet.

    **Update rule.** Features: W ⊙ Φ1 and b + Φ2 in place of W and b, with Φ1 = 1 and Φ2 = 0 to begin with. Inner:
    w_{s+1} = w_s - α ∇_w L_support(w_s, Φ). Outer: (Φ1, Φ2) ← (Φ1, Φ2) - β_Φ ∇ L_query(w_S, Φ) and w ← w - β_w ∇_w
    L_query(w_S, Φ).

    **Source.** Sun, Liu, Chua and Schiele 2019, section 4; Φ1 has one number for each of the [out, in] kernels as in
    the paper's PyTorch code, and one for each unit of a linear layer. Scale and shift of a normalization are modulated
    alike. Paper and TensorFlow code differentiate through the inner steps, the PyTorch code does not. The paper draws
    whole tasks from the classes that failed, and its published code has no hard tasks; here every hard task has one of
    these classes beside others.

    **Try.** A longer pretraining with more classes; the switch for hard tasks; order 1 where time is short.

    **Goes wrong.** After too short a pretraining there is little to transfer, and so few numbers cannot make up for it.
    A shift before batch normalization has no effect, because the mean is taken out again.
    """

    Config = MetaTransferConfig
    title = "Meta-transfer"
    source = "Sun 2019"

    def __init__(self, config: MetaTransferConfig, network: Network, spec: Spec) -> None:
        super().__init__(config, network, spec)
        self.is_first_order = config.order == 1
        self.draws_hard_tasks = config.hard_tasks and spec.kind == "classification"
        self._names = tuple(name for name, _ in network.module.named_parameters() if name.startswith("backbone."))

    @staticmethod
    def _modulator(name: str) -> str:
        """What changes a parameter of the backbone: a bias is shifted, everything else is scaled."""
        return SHIFT if name.endswith("bias") else SCALE

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A fifth of the code's 100 steps at five times its rate, taken for many tasks at once, and scale and shift as
        fast as the head, for minutes rather than hours, most of which go to pretraining; on functions, whose mean says
        little, a short one."""
        if kind == "regression":
            return {"algorithm.inner_lr": 0.02, "algorithm.inner_steps": 10, "algorithm.test_steps": 10,
                    "algorithm.scale_rate": 1.0, "algorithm.pretraining": 0.1, "training.outer_lr": 5e-3}
        return {"algorithm.inner_lr": 0.05, "algorithm.inner_steps": 20, "algorithm.test_steps": 20,
                "algorithm.example_batch": 16, "algorithm.scale_rate": 1.0, "algorithm.pretraining": 0.8,
                "training.meta_batch": 8,
                "training.executor": "vectorized", "training.outer_lr": 5e-3, "training.validation_tasks": 100}

    @classmethod
    def idle(cls, config: MetaTransferConfig, experiment: Experiment) -> Mapping[str, str]:
        """Hard tasks where there are no classes, and portions of examples where nothing is pretrained."""
        reasons, dataset = {}, picked(experiment, "dataset")
        if "classification" not in dataset.task_kinds:
            reasons["algorithm.hard_tasks"] = f"{dataset.title} is regression: no class can be answered worst"
        if not config.pretraining:
            reasons["algorithm.example_batch"] = "nothing is pretrained (algorithm.pretraining is 0)"
        return reasons

    @classmethod
    def build(cls, config: MetaTransferConfig, backbone: Backbone, spec: Spec) -> nn.Module:  # noqa: ARG003
        """Backbone, classifier and head."""
        return Transfer(backbone, spec)

    def init(self, generator: torch.Generator) -> Meta:
        """The network, with scales of one and shifts of zero beside it."""
        meta = super().init(generator)
        extra = {}
        for name in self._names:
            value = meta.params[name]
            if self._modulator(name) == SHIFT:
                extra[SHIFT + name] = torch.zeros_like(value)
            else:
                # A kernel [out, in, height, width] has a scale of its own; a linear layer one for each unit.
                shape = value.shape[:2] if value.dim() > 2 else value.shape[:1]
                extra[SCALE + name] = value.new_ones(*shape, *[1] * (value.dim() - len(shape)))
        return meta._replace(params=meta.params | extra)

    @classmethod
    def keeps_no_steps(cls, config: MetaTransferConfig) -> str:
        """First order keeps nothing of a step."""
        return "takes its inner gradients for constants, so that nothing of a step is kept" if config.order == 1 else ""

    def stage(self, progress: float) -> Stage:
        """Examples first, then tasks."""
        return "examples" if progress < self.config.pretraining else "tasks"

    def outer_rate(self, name: str, stage: Stage) -> float:
        """Pretraining moves backbone and classifier; meta-learning moves the head, and scale and shift more slowly."""
        if stage == "examples":
            return 1.0 if name.startswith(("backbone.", "classifier.")) else 0.0
        if name.startswith("head."):
            return 1.0
        return self.config.scale_rate if name.startswith((SCALE, SHIFT)) else 0.0

    def features(self, params: Params, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Features [n, width] of the scaled and shifted backbone."""
        changed = {name: params[name] + params[SHIFT + name] if self._modulator(name) == SHIFT
                   else params[name] * params[SCALE + name] for name in self._names}
        return self.network.part("backbone", changed, inputs, reference)

    def drawings(self) -> dict[str, Drawing]:
        """How far every scale and shift has moved."""
        rows = tuple(f"{self._modulator(name).rstrip('/')} of {name.removeprefix('backbone.')}" for name in self._names)
        return {"transfer": Drawing(
            "Learned scale and shift", "How far the frozen layers are changed to serve few-shot tasks, from the end of "
            "the pretraining on: the distance of scales from one and of shifts from zero.", "parameters",
            "over their entries", "distance",
            rows, ("mean", "largest"), per_task=False)}

    def draw(self, meta: Meta, state: HeadOnFeatures, task: Task, ctx: Context) -> Params:  # noqa: ARG002
        """Mean and largest distance [parameters, 2]."""
        rows = []
        for name in self._names:
            kind = self._modulator(name)
            distance = (meta.params[kind + name] - (1.0 if kind == SCALE else 0.0)).abs()
            rows.append(torch.stack([distance.mean(), distance.amax()]))
        return {"transfer": torch.stack(rows)}
