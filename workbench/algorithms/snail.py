"""Temporal convolutions and attention over a task's examples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Context, Drawing, Meta
from workbench.algorithms.sequence import labels, reading_order, standardized
from workbench.backbones.base import Backbone, Params
from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind, picked
from workbench.tasks.base import Examples, Spec, Task

_ATTENTION = ((64, 32), (256, 128), (512, 256))
# For a network that is built away from any experiment, whose tasks would tell.
_USUAL_LENGTH = 16


class SnailConfig(Choice):
    """Sizes of the sequence network."""

    name: Literal["snail"] = "snail"
    embedding: int = field(64, label="Embedding", help="Features of an example that the sequence network sees.", ge=1,
                           le=4096, source="Mishra et al. 2018, appendix")
    filters: int = field(128, label="Filters", help="Channels that every temporal convolution adds.", ge=1, le=4096,
                         source="Mishra et al. 2018, appendix")
    length: int | None = field(None, label="Sequence length", unit="examples", help="A block of temporal convolutions "
                               "has as many layers as this number can be halved, so that it looks this far back; empty "
                               "for the support set and the query. Attention looks over all of them.", ge=2,
                               le=100_000, source="Mishra et al. 2018, 3", advanced=True)


class TemporalConvolution(nn.Module):
    """A causal convolution of width two with gated activations, whose outputs are added to the channels (a dense
    block).
    """

    def __init__(self, channels: int, filters: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.now = nn.Linear(channels, 2 * filters)
        self.before = nn.Linear(channels, 2 * filters, bias=False)

    def forward(self, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Support [n, channels] and queries [q, channels], each of which stands last, with more channels."""
        earlier = torch.cat([support.new_zeros(self.dilation, support.shape[1]), support])[: len(support) + 1]
        before = self.before(earlier)
        found = []
        for x, past in ((support, before[:-1]), (query, before[-1])):
            value, gate = (self.now(x) + past).chunk(2, -1)
            found.append(torch.cat([x, value.tanh() * gate.sigmoid()], -1))
        return found[0], found[1]


class CausalAttention(nn.Module):
    """Soft attention of every position on itself and those before it, whose values are added to the channels."""

    def __init__(self, channels: int, keys: int, values: int) -> None:
        super().__init__()
        self.scale = math.sqrt(keys)
        self.query = nn.Linear(channels, keys)
        self.key = nn.Linear(channels, keys)
        self.value = nn.Linear(channels, values)
        nn.init.orthogonal_(self.query.weight)
        with torch.no_grad():
            # With keys and queries alike, an example looks at those like itself from the start.
            self.key.weight.copy_(self.query.weight)

    def forward(self, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As TemporalConvolution, and the weights [q, n + 1] of every query on the support and, last, itself."""
        keys, values = self.key(support), self.value(support)
        later = torch.ones(len(support), len(support), dtype=torch.bool, device=support.device).triu(1)
        among = (self.query(support) @ keys.T / self.scale).masked_fill(later, -math.inf).softmax(-1)
        asked = self.query(query)
        own = torch.linalg.vecdot(asked, self.key(query)).unsqueeze(-1)
        weights = (torch.cat([asked @ keys.T, own], -1) / self.scale).softmax(-1)
        read = weights[:, :-1] @ values + weights[:, -1:] * self.value(query)
        return torch.cat([support, among @ values], -1), torch.cat([query, read], -1), weights


class SequenceNetwork(nn.Module):
    """Attention and temporal convolutions in turn (Mishra et al. 2018, appendix)."""

    def __init__(self, config: SnailConfig, outputs: int) -> None:
        super().__init__()
        channels = config.embedding + outputs
        depth = math.ceil(math.log2(config.length or _USUAL_LENGTH))
        self.layers = nn.ModuleList()
        for is_last, (keys, values) in zip((False, False, True), _ATTENTION, strict=True):
            self.layers.append(CausalAttention(channels, keys, values))
            channels += values
            for power in range(1, depth + 1) if not is_last else ():
                self.layers.append(TemporalConvolution(channels, config.filters, 2**power))
                channels += config.filters
        self.head = nn.Linear(channels, outputs)

    def forward(self, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of the queries, and the weights of the last attention [q, n + 1]."""
        weights = query
        for layer in self.layers:
            support, query, *attention = layer(support, query)
            weights = attention[0] if attention else weights
        return self.head(query), weights


class SnailNetwork(nn.Module):
    """A backbone, an embedding of its features, and the sequence network."""

    def __init__(self, config: SnailConfig, backbone: Backbone, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.backbone = backbone
        self.embedding = nn.Linear(backbone.width, config.embedding)
        nn.init.orthogonal_(self.embedding.weight)
        self.sequence = SequenceNetwork(config, outputs)

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Outputs [n, outputs] of inputs, each after one blank example."""
        embedded = self.embedding(self.backbone(inputs, reference))
        unknown = embedded.new_zeros(len(embedded), self.outputs)
        tokens = torch.cat([embedded, unknown], -1)
        outputs: Tensor = self.sequence(torch.zeros_like(tokens[:1]), tokens)[0]
        return outputs


class Sequence(NamedTuple):
    """The support set as tokens [n, embedding + outputs] in the order of reading, and that order [n]."""

    tokens: Tensor
    order: Tensor


class Snail(Algorithm[SnailConfig]):
    """Reads a task as one sequence, the labelled examples and last the query, and answers at its last place. Temporal
    convolutions gather what came before, and attention picks out single examples of it. Nothing iterates and no
    weight changes on a new task.

    **Update rule.** Tokens (f(x_i), y_i) of the support set in a random order, then (f(x), 0); attention, temporal
    convolutions, attention, temporal convolutions, attention, each of which adds its outputs to the channels; the head
    reads the last place. The outer loop minimizes the loss of the queries over all weights.

    **Source.** Mishra, Rohaninejad, Chen and Abbeel 2018, section 3 and appendix; the dilations of a block for length T
    are 2^i for i = 1 to ⌈log2 T⌉, as in the paper's listing of it. The paper draws the shots of every training task
    from 1 to 5, here they stay the same. Every query is a sequence of its own, though the support set, which is causal,
    is computed once for all. The paper leaves open how weights begin: the keys of an attention begin as its queries do,
    so that it looks at what is alike; behind a backbone with batch normalization the features are standardized over the
    batch before.

    **Try.** More shots, whose sequences get deeper blocks by themselves; more queries in training, which cost little
    beside the support set; watching the attention of the queries settle on the right examples.

    **Goes wrong.** For a while nothing is learned at all, until the loss falls suddenly: wait, or raise the outer rate.
    Trained at one number of shots it is worse at another.
    """

    Config = SnailConfig
    title = "SNAIL"
    source = "Mishra 2018"
    iterates = False

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A large outer rate, a clipped gradient and a lighter network; for pictures small meta-batches."""
        outer = {"training.outer_lr": 2e-3, "training.clip": 1.0, "algorithm.filters": 32}
        return outer | {"training.meta_batch": 8} if kind == "classification" else outer

    @classmethod
    def settled(cls, config: SnailConfig, experiment: Experiment) -> SnailConfig:
        """With a length for the longest sequence that it is trained or tested on."""
        shapes = experiment.training_task(), experiment.task
        return config.model_copy(update={"length": config.length or max(_sequence(experiment, one) for one in shapes)})

    @classmethod
    def refused(cls, config: SnailConfig, experiment: Experiment) -> Mapping[str, str]:
        """A length that a training task does not fit into."""
        wanted = _sequence(experiment, experiment.training_task())
        if config.length is None or config.length >= wanted:
            return {}
        return {"algorithm.length": f"convolutions that look back over {config.length} do not see a training task "
                f"whole, which is {wanted} examples with the query; leave it empty, or say {wanted} or more"}

    @classmethod
    def build(cls, config: SnailConfig, backbone: Backbone, spec: Spec) -> nn.Module:
        """The backbone, the embedding and the sequence network."""
        return SnailNetwork(config, backbone, spec.outputs)

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Sequence:
        """The tokens of the support set."""
        order = reading_order(len(support.inputs), ctx.key)
        embedded = self._embedded(meta, support.inputs, None)
        return Sequence(torch.cat([embedded, labels(support.targets, self.spec, embedded)], -1)[order], order)

    def predict(self, meta: Meta, state: Sequence, inputs: Tensor, ctx: Context) -> Tensor:
        """Every input as the last token of a sequence of its own."""
        return self._answers(meta, state, inputs, ctx)[0]

    def drawings(self) -> dict[str, Drawing]:
        """The attention of the queries."""
        return {"attention": Drawing("Attention of the queries", f"Each query should look at {self.kindred}; both are "
                                     f"sorted {self.sorting}.", "query", "support example, and last the query itself",
                                     "weight in the last attention")}

    def draw(self, meta: Meta, state: Sequence, task: Task, ctx: Context) -> Params:
        """Weights [queries, examples + 1], both in order."""
        weights = self._answers(meta, state, task.query.inputs, ctx)[1][self.in_order(task.query)]
        columns = state.order.argsort()[self.in_order(task.support)]
        return {"attention": torch.cat([weights[:, columns], weights[:, -1:]], -1)}

    def _embedded(self, meta: Meta, inputs: Tensor, reference: Tensor | None) -> Tensor:
        features = standardized(self.network, meta.params, inputs, reference)
        return self.network.part("embedding", meta.params, features)

    def _answers(self, meta: Meta, state: Sequence, inputs: Tensor, ctx: Context) -> tuple[Tensor, Tensor]:
        embedded = self._embedded(meta, inputs, ctx.reference)
        tokens = torch.cat([embedded, embedded.new_zeros(len(embedded), self.spec.outputs)], -1)
        return cast("tuple[Tensor, Tensor]", self.network.part("sequence", meta.params, state.tokens, tokens))


def _sequence(experiment: Experiment, shape: TaskConfig) -> int:
    """Examples that are read of a task, the query among them."""
    ways = shape.ways if "classification" in picked(experiment, "dataset").task_kinds else 1
    return ways * shape.shots + 1
