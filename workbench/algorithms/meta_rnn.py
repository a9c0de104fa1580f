"""A recurrent network that learns in its activations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from workbench.algorithms.base import Context, Meta, OnFeatures
from workbench.algorithms.sequence import Cell, CellKind, LabelTime, Tokens, label_time, reading, standardized, tokens
from workbench.backbones.base import Backbone, Params
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Spec

# How far the first gates open and close, how little the last activations disturb them, how long what is written is
# kept, and how far the first answers are apart.
_CONTRAST, _QUIET, _KEPT, _LOUD = 3.0, 0.1, 3.0, 16.0


class MetaRNNConfig(Choice):
    """The recurrent cell."""

    name: Literal["meta_rnn"] = "meta_rnn"
    cell: CellKind = field("lstm", label="Cell", help="What carries the activations from one example to the next.",
                           choices={"lstm": "LSTM", "gru": "GRU"}, source="Hochreiter et al. 2001")
    hidden: int = field(256, label="Hidden units", help="Width of the activations, which are all that a task is "
                        "remembered by.", ge=1, le=4096, log=True)
    labels: LabelTime = label_time()


class RecurrentLearner(nn.Module):
    """A backbone, a cell that reads its features beside a label, and a linear head on the cell's activations."""

    def __init__(self, backbone: Backbone, cell: CellKind, hidden: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.backbone = backbone
        self.cell = Cell(cell, backbone.width + outputs, hidden)
        self.head = nn.Linear(hidden, outputs)
        if cell == "lstm" and backbone.depends_on_batch:
            self._begin_as_memory()

    def _begin_as_memory(self) -> None:
        """Set the first weights so that a label that was written at one example is shown again at one like it.

        Input and output gates open alike, for standardized features by a random half each; what is written is a random
        code of the label alone and is kept; the head looks for those codes.
        """
        hidden, labels = self.head.in_features, self.outputs
        features = self.backbone.width
        write, keep, new, show = range(4)
        with torch.no_grad():
            weight = self.cell.input.weight.view(4, hidden, features + labels)
            weight.zero_()
            weight[write, :, :features] = _CONTRAST / math.sqrt(features) * torch.randn(hidden, features)
            weight[show] = weight[write]
            weight[new, :, features:] = torch.randn(hidden, labels)
            self.cell.recurrent.weight.mul_(_QUIET)
            self.cell.recurrent.bias.view(4, hidden)[keep] = _KEPT
            self.head.weight.copy_(_LOUD / hidden * weight[new, :, features:].T)

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Outputs [n, outputs] of inputs that are the first of their task."""
        features = self.backbone(inputs, reference)
        seen = torch.cat([features, features.new_zeros(len(features), self.outputs)], -1)
        state: Tensor = self.cell(seen, features.new_zeros(len(features), self.cell.size))
        outputs: Tensor = self.head(state[:, : self.head.in_features])
        return outputs


class Read(NamedTuple):
    """What is to be read, and the state [size] of the cell after what was read so far."""

    tokens: Tokens
    cell: Tensor


class MetaRNN(OnFeatures[MetaRNNConfig]):
    """Learns a recurrent network that is itself the learner. The labelled examples are fed in one after another, and a
    query is answered from the activations that they leave. No weight changes on a new task, so the adaptation curve
    shows what every further example is worth.

    **Update rule.** h_t = cell((f(x_t), y_t), h_{t-1}) in a random order of the support set; a query is answered by the
    head on cell((f(x), 0), h_n). The outer loop minimizes the loss of the queries over f, the cell and the head.

    **Source.** Hochreiter, Younger and Conwell 2001, and the LSTM baseline of Santoro et al. 2016. Both judge every
    example of one long sequence, so that a label can only come a step late, (x_t, y_{t-1}); labels "late" does so. Here
    every query is a last example of its own, so that it is judged as by all other methods, and labels come along with
    their examples. The papers leave open how weights begin. Behind a backbone with batch normalization the features are
    standardized over the batch, and the LSTM begins as a memory: gates that open alike for inputs that are alike, and
    random codes of the labels for what is written. Elsewhere the weights begin as torch draws them, with a forget bias
    of one.

    **Try.** Regression first, where it is strong; labels one step late, to see what the delay costs; the GRU, which has
    fewer weights.

    **Goes wrong.** For a while nothing is learned at all, until the loss falls suddenly: wait, or raise the outer rate.
    The activations have to hold every example, so many ways or shots are hard.
    """

    Config = MetaRNNConfig
    title = "Meta-RNN"
    source = "Hochreiter 2001"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A large outer rate and a clipped gradient; for pictures many small meta-batches, for functions a small
        network that sees many tasks."""
        if kind == "classification":
            return {"training.outer_lr": 3e-3, "training.clip": 1.0, "training.meta_batch": 8}
        return {"algorithm.hidden": 64, "training.outer_lr": 1e-2, "training.clip": 1.0}

    @classmethod
    def build(cls, config: MetaRNNConfig, backbone: Backbone, spec: Spec) -> nn.Module:
        """The backbone, the cell and the head."""
        return RecurrentLearner(backbone, config.cell, config.hidden, spec.outputs)

    def inner_steps(self, *, training: bool, examples: int) -> int:  # noqa: ARG002
        """One step an example."""
        return examples

    def inner_loop(self) -> dict[str, Any]:
        """By reading."""
        return reading("the activations of the cell", self.config.labels)

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Read:
        """The tokens in the order of reading, of which none is read yet."""
        features = self.features(meta.params, support.inputs)
        network = cast("RecurrentLearner", self.network.module)
        return Read(tokens(features, support.targets, self.spec, self.config.labels, ctx.key),
                    features.new_zeros(network.cell.size))

    def step(self, meta: Meta, state: Read, support: Examples, ctx: Context) -> Read:  # noqa: ARG002
        """Read the next example, and begin again after the last."""
        seen = state.tokens.support[ctx.step % len(state.tokens.support)]
        return state._replace(cell=self.network.part("cell", meta.params, seen, state.cell))

    def features(self, params: Params, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Features [n, width], standardized."""
        return standardized(self.network, params, inputs, reference)

    def respond(self, meta: Meta, state: Read, features: Tensor, ctx: Context) -> Tensor:
        """Read every query as if it were the next example."""
        seen = state.tokens.unlabelled(features, ctx.step)
        after = self.network.part("cell", meta.params, seen, state.cell.expand(len(features), -1))
        return self.network.part("head", meta.params, after[:, : self.config.hidden])
