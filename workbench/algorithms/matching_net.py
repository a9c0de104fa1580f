"""Matching networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Context, Drawing, Meta, noise
from workbench.algorithms.sequence import remembered
from workbench.backbones.base import Backbone, Params
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Spec, Task


class MatchingNetConfig(Choice):
    """How a query attends to the support set."""

    name: Literal["matching_net"] = "matching_net"
    similarity: Literal["cosine", "euclidean"] = field(
        "cosine", label="Similarity", help="What the attention compares: the cosine of two feature vectors, as in the "
        "paper, or minus their squared Euclidean distance.", choices={"cosine": "Cosine",
                                                                      "euclidean": "Squared Euclidean"},
        source="Vinyals et al. 2016, 2.1.1")
    temperature: float = field(0.1, label="Temperature", help="What a cosine is divided by before the softmax: 1 in "
                               "the paper, with which no attention can become certain; 0.01 in the code of "
                               "Chen et al. 2019.", gt=0, le=100, log=True, source="Vinyals et al. 2016, 2.1.1",
                               needs={"similarity": ("cosine",)})
    full_context: bool = field(False, label="Full context embeddings", help="Whether the features of an example depend "
                               "on the whole support set: a bidirectional LSTM runs over it and a query reads from it.",
                               source="Vinyals et al. 2016, 2.1.2")
    reads: int = field(3, label="Reads", help="How often a query reads from the support set, with full context "
                       "embeddings.", ge=1, le=100, advanced=True, source="Vinyals et al. 2016, appendix A",
                       needs={"full_context": (True,)})


class MatchingNet(Algorithm[MatchingNetConfig]):
    """Learns features by which a query finds the support examples that are like it. Its answer is the mean of their
    targets, weighted by its attention to each of them. Nothing iterates, so a new task costs one pass through the
    network.

    **Update rule.** a_i = softmax over i of cos(f_θ(x), g_θ(x_i)) / τ; the answer is Σ a_i y_i, probabilities of the
    classes or values; the outer loop minimizes the cross-entropy or the squared error of the queries. With full context
    embeddings g_θ(x_i) is the features plus both directions of an LSTM over the support set, and f_θ(x) is what an LSTM
    holds that has read from it K times.

    **Source.** Vinyals, Blundell, Lillicrap, Kavukcuoglu and Wierstra 2016, section 2.1 and appendix A. The paper's
    cosine has no temperature (τ = 1); with 5 classes the right one then gets at most 65 % of the attention. The paper
    leaves the order of the support set open; here it is drawn anew for each task.

    **Try.** More ways in training than in testing; the squared Euclidean distance; full context embeddings, which the
    paper found to help on harder pictures and not on Omniglot.

    **Goes wrong.** A temperature near 1 learns slowly and a very low one looks at one example only. In regression it
    can only give values between those of the support set.
    """

    Config = MatchingNetConfig
    title = "Matching networks"
    source = "Vinyals 2016"
    any_ways = True
    iterates = False

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """Many small steps, which learn faster than fewer large ones where tasks are cheap."""
        return {"training.meta_batch": 8 if kind == "classification" else 25, "training.outer_lr": 0.002}

    @classmethod
    def build(cls, config: MatchingNetConfig, backbone: Backbone, spec: Spec) -> nn.Module:  # noqa: ARG003 - no head
        """The backbone, and the two LSTMs where the context counts."""
        return WithContext(backbone, config)

    def start(self, meta: Meta, support: Examples, ctx: Context) -> dict[str, Tensor]:
        """Features [n, width] of the support set, and its targets."""
        features = self.network.part("backbone", meta.params, support.inputs)
        if self.config.full_context:
            order = noise(ctx.key, len(features), 0).argsort()
            features = self.network.part("support_context", meta.params, features[order])[order.argsort()]
        return {"features": features, "targets": support.targets}

    def predict(self, meta: Meta, state: dict[str, Tensor], inputs: Tensor, ctx: Context) -> Tensor:
        """Log-probabilities up to a constant, or values."""
        scores, targets = self.scores(meta, state, inputs, ctx), state["targets"]
        if self.spec.kind == "regression":
            return scores.softmax(-1) @ targets
        is_member = targets == torch.arange(ctx.ways, device=targets.device).unsqueeze(-1)
        # The logarithm of the attention's sum over a class, less that over all, which cancels in the softmax.
        return torch.where(is_member, scores.unsqueeze(1), -torch.inf).logsumexp(-1)

    def scores(self, meta: Meta, state: dict[str, Tensor], inputs: Tensor, ctx: Context) -> Tensor:
        """What the attention of inputs to the support set is the softmax of, [inputs, n]."""
        features, support = self.network.part("backbone", meta.params, inputs, ctx.reference), state["features"]
        if self.config.full_context:
            features = self.network.part("query_context", meta.params, features, support)
        if self.config.similarity == "cosine":
            return F.normalize(features, dim=-1) @ F.normalize(support, dim=-1).T / self.config.temperature
        # -‖f - g‖² without the term ‖f‖², which cancels in the softmax.
        scores: Tensor = 2 * features @ support.T - torch.linalg.vecdot(support, support)
        return scores

    def drawings(self) -> dict[str, Drawing]:
        """The attention."""
        return {"attention": Drawing("Attention", "Where each query looks in the support set; both are sorted "
                                     f"{self.sorting}.", "query", "support example", "share of the attention")}

    def draw(self, meta: Meta, state: dict[str, Tensor], task: Task, ctx: Context) -> Params:
        """Attention of the queries on the support set."""
        attention = self.scores(meta, state, task.query.inputs, ctx).softmax(-1)
        return {"attention": attention[self.in_order(task.query)][:, self.in_order(task.support)]}


class WithContext(nn.Module):
    """A backbone and, where the context counts, what turns its features into full context embeddings."""

    def __init__(self, backbone: Backbone, config: MatchingNetConfig) -> None:
        super().__init__()
        self.backbone = backbone
        if config.full_context:
            self.support_context = SupportContext(backbone.width)
            self.query_context = QueryContext(backbone.width, config.reads)
        self.full_context = config.full_context

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Features [n, width] of inputs, in the context of themselves."""
        features: Tensor = self.backbone(inputs, reference)
        return self.query_context(features, self.support_context(features)) if self.full_context else features


class SupportContext(nn.Module):
    """A bidirectional LSTM over the support set (Vinyals et al. 2016, appendix A)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.onward = LSTMCell(width, width, width)
        self.back = LSTMCell(width, width, width)

    def forward(self, features: Tensor) -> Tensor:
        """Features [n, width] in the context of the others."""
        onward, back = self._run(self.onward, features), self._run(self.back, features.flip(0)).flip(0)
        return onward + back + features

    def _run(self, cell: LSTMCell, features: Tensor) -> Tensor:
        hidden = memory = torch.zeros_like(features[0])
        outputs = []
        for one in features.unbind():
            hidden, memory = cell(one, hidden, memory)
            outputs.append(hidden)
        return torch.stack(outputs)


class QueryContext(nn.Module):
    """An LSTM that reads from the support set (Vinyals et al. 2016, appendix A)."""

    def __init__(self, width: int, reads: int) -> None:
        super().__init__()
        self.cell = LSTMCell(width, 2 * width, width)
        self.reads = reads

    def forward(self, features: Tensor, support: Tensor) -> Tensor:
        """Features [queries, width] in the context of the support set's [n, width]."""
        hidden = read = memory = torch.zeros_like(features)
        for _ in range(self.reads):
            hidden, memory = self.cell(features, torch.cat([hidden, read], -1), memory)
            hidden = hidden + features
            read = (hidden @ support.T).softmax(-1) @ support
        return hidden


class LSTMCell(nn.Module):
    """A step of a long short-term memory whose output need not be what it recalls.

    Args:
        inputs: Features of an input.
        recalled: Features of what the cell put out before, or of what stands in its place.
        width: Features of what it puts out.
    """

    def __init__(self, inputs: int, recalled: int, width: int) -> None:
        super().__init__()
        self.gates = nn.Linear(inputs + recalled, 4 * width)

    def forward(self, inputs: Tensor, recalled: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """What it puts out, and its memory."""
        return remembered(self.gates(torch.cat([inputs, recalled], -1)), memory)
