"""Baseline++: pretraining and fine-tuning with cosine heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.algorithms.base import Context, noise
from workbench.algorithms.baseline import WEIGHT, Finetuning, FreshHead
from workbench.algorithms.pretraining import WithClassifier
from workbench.backbones.base import Backbone, Params
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Spec

_MANY = 200


class BaselinePlusConfig(FreshHead):
    """How the cosine head is fitted."""

    name: Literal["baseline_pp"] = "baseline_pp"
    scale: float = field(2.0, label="Scale", help="What the cosines are multiplied with before the softmax; five times "
                         "as much among more than 200 classes.", gt=0, le=1000, source="Chen et al. 2019, code")


class CosineHead(nn.Module):
    """Cosines between features and one direction a class, each times a norm of its own and all times one scale.

    The norms are Salimans and Kingma's weight normalization, w = g v / ‖v‖, and begin as those of the directions.

    Args:
        width: Features.
        outputs: Classes.
        scale: The common factor.
    """

    def __init__(self, width: int, outputs: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.direction = nn.Parameter(torch.empty(outputs, width).uniform_(-(width**-0.5), width**-0.5))
        self.norm = nn.Parameter(self.direction.detach().norm(dim=1))

    def forward(self, features: Tensor) -> Tensor:
        """Logits [n, outputs] of features [n, width]."""
        return cosines(self.direction, self.norm, features) * self.scale


def cosines(direction: Tensor, norm: Tensor, features: Tensor) -> Tensor:
    """Cosines [n, outputs] of features with directions, each times the norm of its class."""
    return norm * (F.normalize(features, dim=-1) @ F.normalize(direction, dim=-1).T)


class BaselinePlus(Finetuning[BaselinePlusConfig]):
    """Learns to tell all training classes apart by the angle between features and one direction a class. A new task
    gets a fresh head of the same kind, fitted to its support set on the frozen features. Angles keep the examples of a
    class together, so that one of them says more about the others.

    **Update rule.** p(y = n | x) = softmax over n of s g_n cos(f_θ(x), v_n). Training moves θ and the v_n, g_n of all
    training classes; testing fits fresh v_n, g_n as Baseline fits its head.

    **Source.** Chen, Liu, Kira, Wang and Huang 2019, section 3. The paper's equation has the cosine alone; a norm g_n
    for each class and a scale of two, or of ten above 200 classes, are its code's, and are kept here because pure
    cosines, even doubled, cannot tell a thousand classes apart. As in Baseline, normalization is by the pictures at
    hand rather than by running statistics.

    **Try.** Baseline beside it: the difference is what the angle is worth.

    **Goes wrong.** A scale too small leaves every class nearly as likely as the others, and training slows down.
    """

    Config = BaselinePlusConfig
    title = "Baseline++"
    source = "Chen 2019"
    task_kinds = frozenset({"classification"})

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """Portions of examples as one batch, and a head that is fitted to many tasks at once."""
        return {"training.meta_batch": 2, "training.executor": "vectorized", "training.outer_lr": 2e-3,
                "training.validation_tasks": 100}

    @classmethod
    def build(cls, config: BaselinePlusConfig, backbone: Backbone, spec: Spec) -> nn.Module:
        """The backbone and a cosine classifier."""
        scale = config.scale * (5 if spec.classes > _MANY else 1)
        return WithClassifier(backbone, CosineHead(backbone.width, spec.classes, scale))

    def fresh_head(self, features: Tensor, ctx: Context) -> Params:
        """Directions uniform within one over the root of the width, and their norms."""
        width = features.shape[-1]
        drawn = (2 * noise(ctx.key, ctx.ways * width, WEIGHT) - 1).to(features.dtype) / width**0.5
        direction = drawn.view(ctx.ways, width)
        return {"direction": direction, "norm": direction.norm(dim=1)}

    def run_head(self, head: Params, features: Tensor) -> Tensor:
        """Scaled cosines."""
        scale = self.config.scale * (5 if len(head["norm"]) > _MANY else 1)
        return scale * cosines(head["direction"], head["norm"], features)
