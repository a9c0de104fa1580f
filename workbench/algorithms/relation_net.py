"""Relation networks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Context, Drawing, Meta
from workbench.backbones.base import Backbone, Params
from workbench.backbones.convolution import Convolution
from workbench.backbones.normalization import Normalization, Normalize
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Spec, Task


class RelationNetConfig(Choice):
    """The size of the relation module."""

    name: Literal["relation_net"] = "relation_net"
    filters: int = field(64, label="Relation filters", help="Channels, or units where the features are no maps, of "
                         "both layers that compare.", ge=1, le=4096, source="Sung et al. 2018 and code")
    hidden: int = field(8, label="Relation units", help="Units of the layer before the score.", ge=1, le=4096,
                        source="Sung et al. 2018 and code")


class RelationNet(Algorithm[RelationNetConfig]):
    """Learns features, and a second network that compares them. It is shown the features of a query and of a class side
    by side and scores how much they belong together. Nothing iterates, so a new task costs one pass through both.

    **Update rule.** r_n = sigmoid(g_φ([c_n, f_θ(x)])) with c_n the sum of f_θ over the support examples of class n; the
    outer loop minimizes the mean over queries and classes of (r_n - 1)² for the right class and r_n² for the others.

    **Source.** Sung, Yang, Zhang, Xiang, Torr and Hospedales 2018, section 3. The paper sums the squares and its code
    takes their mean, as here; for Adam they are the same. Paper and code keep the maps large by pooling in two of four
    blocks only; here the maps are those of the backbone, and the relation module pools while there is something to
    pool. The first layer begins as one of the difference between query and class, which the paper leaves open and
    without which a comparison has to be found first. The outputs are the scores before the sigmoid: their softmax is
    the probability of each class given that exactly one of the relations holds, if these are taken to be independent
    with probabilities r_n.

    **Try.** A backbone with larger maps; more ways in training than in testing.

    **Goes wrong.** For a while every score stays near the share of right pairs (one in five at 5 ways): this is a
    plateau and not the end. Since maps are summed, a learner that was trained with one number of shots does badly with
    another.
    """

    Config = RelationNetConfig
    title = "Relation network"
    source = "Sung 2018"
    task_kinds = frozenset({"classification"})
    any_ways = True
    iterates = False

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003 - it only does one
        """Many small steps, which learn faster than fewer large ones where tasks are cheap."""
        return {"training.meta_batch": 8, "training.outer_lr": 0.002}

    @classmethod
    def build(cls, config: RelationNetConfig, backbone: Backbone, spec: Spec) -> nn.Module:  # noqa: ARG003 - no head
        """The backbone and the relation module."""
        return WithRelation(backbone, config)

    def start(self, meta: Meta, support: Examples, ctx: Context) -> dict[str, Tensor]:
        """Features [n, width] of the support set, and their sum over each class [ways, width]."""
        members = (support.targets == torch.arange(ctx.ways, device=support.targets.device).unsqueeze(-1))
        features = self.network.part("backbone", meta.params, support.inputs)
        return {"classes": members.to(features.dtype) @ features, "features": features}

    def predict(self, meta: Meta, state: dict[str, Tensor], inputs: Tensor, ctx: Context) -> Tensor:
        """Scores before the sigmoid."""
        features = self.network.part("backbone", meta.params, inputs, ctx.reference)
        reference = None if ctx.reference is None else state["features"]
        return self.network.part("relation", meta.params, features, state["classes"], reference)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared distance of the relations to 1 for the right class and 0 for the others."""
        is_right = targets.unsqueeze(-1) == torch.arange(outputs.shape[-1], device=targets.device)
        return F.mse_loss(outputs.sigmoid(), is_right.to(outputs.dtype))

    def drawings(self) -> dict[str, Drawing]:
        """The relations."""
        return {"relations": Drawing("Relations", "How much each query belongs to each class; unlike probabilities, "
                                     "they need not add up to 1.", "query, sorted by class", "class", "relation")}

    def draw(self, meta: Meta, state: dict[str, Tensor], task: Task, ctx: Context) -> Params:
        """Relations of the queries to the classes."""
        relations = self.predict(meta, state, task.query.inputs, ctx).sigmoid()
        return {"relations": relations[self.in_order(task.query)]}


class WithRelation(nn.Module):
    """A backbone and what compares its features."""

    def __init__(self, backbone: Backbone, config: RelationNetConfig) -> None:
        super().__init__()
        self.backbone = backbone
        kinds: list[Normalization] = [layer.kind for layer in backbone.normalizers.values()]
        self.relation = Relation(backbone.map_shape or (backbone.width,), config.filters, config.hidden,
                                 kinds[0] if kinds else "none")

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Scores [n, n] of inputs with one another."""
        features = self.backbone(inputs, reference)
        scores: Tensor = self.relation(features, features)
        return scores


class Relation(nn.Module):
    """Two layers over the features of a query and a class side by side, convolutions where these are maps, and two
    linear ones down to a score.

    Args:
        shape: Of the features: (channels, height, width) or (width,).
        filters: Channels or units of the first two layers.
        hidden: Units of the third.
        normalization: Of maps; the backbone's own.
    """

    def __init__(self, shape: tuple[int, ...], filters: int, hidden: int, normalization: Normalization) -> None:
        super().__init__()
        self.shape = shape
        is_map = len(shape) > 1
        layer = partial(Convolution, kernel_size=3, padding=1) if is_map else nn.Linear
        # The first layer of the two side by side is the sum of a layer of each, of which each is done once for an
        # example rather than once for a pair.
        self.of_query = layer(shape[0], filters)
        self.of_class = layer(shape[0], filters, bias=False)
        with torch.no_grad():
            self.of_class.weight.copy_(-self.of_query.weight)
        self.second = layer(filters, filters)
        self.normalizations = nn.ModuleList(Normalize(filters, normalization if is_map else "none") for _ in range(2))
        maps = self._pooled(self._pooled(torch.zeros(1, filters, *shape[1:])))
        self.hidden = nn.Linear(maps.numel(), hidden)
        self.score = nn.Linear(hidden, 1)

    def forward(self, queries: Tensor, classes: Tensor, reference: Tensor | None = None) -> Tensor:
        """Scores [queries, classes], normalized with the statistics of the pairs of `reference` where it is given."""
        known = 0 if reference is None else len(reference)
        rows = known * len(classes) or None
        queries = queries if reference is None else torch.cat([reference, queries])
        pairs = (self.of_query(queries.view(-1, *self.shape)).unsqueeze(1)
                 + self.of_class(classes.view(-1, *self.shape))).flatten(0, 1)
        x = self._pooled(F.relu(self.normalizations[0](pairs, rows)))
        x = self._pooled(F.relu(self.normalizations[1](self.second(x), rows)))
        scores: Tensor = self.score(F.relu(self.hidden(x.flatten(1))))
        return scores.view(len(queries), len(classes))[known:]

    @staticmethod
    def _pooled(x: Tensor) -> Tensor:
        """Maps of half the side, as long as they have one to halve."""
        return F.max_pool2d(x, 2) if x.dim() > 2 and min(x.shape[2:]) > 1 else x
