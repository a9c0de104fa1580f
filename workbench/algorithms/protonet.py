"""Prototypical networks."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Context, Meta
from workbench.backbones.base import Backbone
from workbench.experiment.fields import Choice, field
from workbench.tasks.base import Examples, Spec


class ProtoNetConfig(Choice):
    """The distance of prototypical networks."""

    name: Literal["protonet"] = "protonet"
    distance: Literal["euclidean", "cosine"] = field(
        "euclidean", label="Distance", help="Squared Euclidean distance is the paper's; cosine similarity is scaled by "
        "ten so that it can become certain.", choices={"euclidean": "Squared Euclidean", "cosine": "Cosine"},
        source="Snell et al. 2017, 2")


class ProtoNet(Algorithm[ProtoNetConfig]):
    """Learns features in which every class lies around the mean of its support examples, its prototype. A query belongs
    to the nearest prototype. Nothing iterates, so a new task costs one pass through the network.

    **Update rule.** c_n = mean of f_θ(x) over the support examples of class n; p(y = n | x) = softmax over n of
    -‖f_θ(x) - c_n‖²; the outer loop minimizes the cross-entropy of the queries.

    **Source.** Snell, Swersky and Zemel 2017, equations 1 and 2.

    **Try.** More ways in training than in testing (20 or 60 for 5): the harder tasks make better features.

    **Goes wrong.** Cosine distance learns more slowly than the squared Euclidean. Trained at one number of shots it
    loses a little at another.
    """

    Config = ProtoNetConfig
    title = "ProtoNet"
    source = "Snell 2017"
    task_kinds = frozenset({"classification"})
    any_ways = True
    iterates = False

    @classmethod
    def build(cls, config: ProtoNetConfig, backbone: Backbone, spec: Spec) -> nn.Module:  # noqa: ARG003 - no head
        """The backbone alone."""
        return backbone

    def start(self, meta: Meta, support: Examples, ctx: Context) -> dict[str, Tensor]:
        """The prototypes [ways, width]."""
        ways = torch.arange(ctx.ways, device=support.targets.device)
        members = (support.targets.unsqueeze(-1) == ways).to(support.inputs.dtype)
        features = self.network(meta.params, support.inputs)
        return {"prototypes": members.T @ features / members.sum(0).unsqueeze(-1)}

    def predict(self, meta: Meta, state: dict[str, Tensor], inputs: Tensor, ctx: Context) -> Tensor:
        """Minus the distance of every input to every prototype."""
        features, prototypes = self.network(meta.params, inputs, ctx.reference), state["prototypes"]
        if self.config.distance == "cosine":
            return 10 * F.normalize(features, dim=-1) @ F.normalize(prototypes, dim=-1).T
        # ‖f - c‖² without the term ‖f‖², which is the same for every class and cancels in the softmax.
        logits: Tensor = 2 * features @ prototypes.T - torch.linalg.vecdot(prototypes, prototypes)
        return logits
