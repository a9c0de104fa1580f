"""A recurrent network with an external memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import model_validator
from torch import Tensor, nn

from workbench.algorithms.base import Context, Drawing, Meta, OnFeatures
from workbench.algorithms.sequence import (
    Cell,
    LabelTime,
    Tokens,
    label_time,
    reading,
    reading_order,
    standardized,
    tokens,
)
from workbench.backbones.base import Backbone, Params
from workbench.experiment.fields import Choice, FieldError, field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Spec, Task

# Rows of zeros would have no cosine with anything.
_BLANK = 1e-6
_WRITE, _KEEP, _NEW, _SHOW = range(4)
# How little the last activations and reads disturb the controller at first, how far its gates are open or closed, and
# how sharp its reads are.
_QUIET, _OPEN, _SHARP = 0.1, 2.0, 10.0


class MANNConfig(Choice):
    """Controller and memory."""

    name: Literal["mann"] = "mann"
    hidden: int = field(200, label="Hidden units", help="Width of the LSTM that controls the memory.", ge=1, le=4096,
                        source="Santoro et al. 2016", log=True)
    rows: int = field(128, label="Memory rows", help="Places that can be written to.", ge=1, le=10_000,
                      source="Santoro et al. 2016", log=True)
    row_width: int = field(40, label="Row width", help="Numbers that a place holds.", ge=1, le=4096,
                           source="Santoro et al. 2016", log=True)
    heads: int = field(4, label="Heads", help="Keys that are written and looked up with every example; at most as many "
                       "as there are rows.", ge=1, le=64, source="Santoro et al. 2016")
    decay: float = field(0.95, label="Usage decay", help="What is left of a row's usage after each example.", ge=0,
                         le=1, source="Santoro et al. 2016, 3", advanced=True)
    sharpness: Literal["learned", "one"] = field(
        "learned", label="Sharpness", help="What the cosines are multiplied with before the softmax. With one, a read "
        "is nearly the mean over all rows; learned, the controller chooses it for every read.",
        choices={"learned": "Learned", "one": "One"}, source="Graves et al. 2014, 3.3.1")
    labels: LabelTime = label_time()

    @model_validator(mode="after")
    def _has_a_row_for_every_head(self) -> Self:
        if self.heads > self.rows:
            raise FieldError("heads", f"{self.heads} write to {self.rows} rows, but each needs a row of its own; take "
                             "at most as many heads as algorithm.rows")
        return self


class MemoryLearner(nn.Module):
    """A backbone; an LSTM that reads its features, a label and what was read from memory; keys; a linear head."""

    def __init__(self, config: MANNConfig, backbone: Backbone, outputs: int) -> None:
        super().__init__()
        recalled = config.heads * config.row_width
        self.outputs = outputs
        self.backbone = backbone
        self.cell = Cell("lstm", recalled + backbone.width + outputs, config.hidden)
        # For every head a key, the gate of its write and the sharpness of its read.
        self.interface = nn.Linear(config.hidden, config.heads * (config.row_width + 2))
        self.head = nn.Linear(config.hidden + recalled, outputs)
        if backbone.depends_on_batch:
            self._begin_forgetful(config, recalled)

    def _begin_forgetful(self, config: MANNConfig, recalled: int) -> None:
        """Set the first weights so that a key tells of one example and its label, and not of those before.

        The controller forgets, for the memory is to remember; every key goes to a row of its own, and reads are sharp.
        """
        hidden, features = config.hidden, self.backbone.width
        with torch.no_grad():
            weight = self.cell.input.weight.view(4, hidden, -1)
            weight[:, :, :recalled] *= _QUIET
            weight[:, :, recalled:] = 0
            weight[_NEW, :, recalled : recalled + features] = torch.randn(hidden, features) / math.sqrt(features)
            weight[_NEW, :, recalled + features :] = torch.randn(hidden, self.outputs)
            self.cell.recurrent.weight.mul_(_QUIET)
            self.cell.recurrent.bias.view(4, hidden)[_KEEP] = -_OPEN
            self.cell.recurrent.bias.view(4, hidden)[[_WRITE, _SHOW]] = _OPEN
            keys = config.heads * config.row_width
            self.interface.bias[keys : keys + config.heads] = -_OPEN
            self.interface.bias[keys + config.heads :] = _SHARP

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Outputs [n, outputs] of inputs that are the first of their task, with nothing in memory."""
        features = self.backbone(inputs, reference)
        blank = features.new_zeros(len(features), self.cell.input.in_features - features.shape[1])
        recalled = blank[:, self.outputs :]
        seen = torch.cat([recalled, features, blank[:, : self.outputs]], -1)
        state = self.cell(seen, features.new_zeros(len(features), self.cell.size))
        hidden = state[:, : self.interface.in_features]
        self.interface(hidden)
        outputs: Tensor = self.head(torch.cat([hidden, recalled], -1))
        return outputs


class Memory(NamedTuple):
    """The memory after an example.

    Attributes:
        rows: [rows, row_width], what is written.
        usage: [rows], w^u.
        weights: [heads, rows], w^r: where the last read looked.
        written: [rows], place in the order of reading of the example that a row was last cleared for; -1 for none.
        recalled: [heads · row_width], what it found.
    """

    rows: Tensor
    usage: Tensor
    weights: Tensor
    written: Tensor
    recalled: Tensor


class Recollection(NamedTuple):
    """What is to be read, and the controller [size] and the memory after what was read so far."""

    tokens: Tokens
    cell: Tensor
    memory: Memory


class Interface(NamedTuple):
    """What the controller asks of the memory: keys [..., heads, row_width], gates and sharpness [..., heads]."""

    keys: Tensor
    gates: Tensor
    sharpness: Tensor


class MANN(OnFeatures[MANNConfig]):
    """Learns a recurrent network that keeps a task's examples in an external memory. The labelled examples are fed in
    one after another, and each is written where the memory was used least. A query looks up what resembles it and is
    answered from that.

    **Update rule.** A controller LSTM reads (f(x_t), y_t) and what was recalled last, and puts out k, gates α and b, of
    which the keys are k_t = tanh(k) and the sharpness is β = 1 + log(1 + exp b). Write: w^w = σ(α) w^r_{t-1} + (1 -
    σ(α)) w^lu, where w^lu is one at the least used row, which is erased before; M ← M + w^w k_t. Read: w^r = softmax(β
    cos(k_t, M)), recalled r_t = w^r M. Usage: w^u ← γ w^u + w^r + w^w. The answer is linear in (h_t, r_t).

    **Source.** Santoro, Bartunov, Botvinick, Wierstra and Lillicrap 2016, section 3. The paper leaves open how several
    heads share the least used rows: here each takes one of its own. It has no sharpness, which is that of Graves et al.
    2014 and can be set to one. It judges every example of one long sequence, so that a label can only come a step late,
    (x_t, y_{t-1}); labels "late" does so. Here every query is a last example of its own, which reads the memory and
    writes nothing, and labels come along with their examples. Behind a backbone with batch normalization the features
    are standardized over the batch, and the controller begins forgetful, with sharp reads; elsewhere the weights begin
    as torch draws them.

    **Try.** Sharpness one, to see what it is worth; fewer rows than there are examples, to see the oldest forgotten;
    Meta-RNN beside it, which has no memory but its activations.

    **Goes wrong.** For a while nothing is learned at all, until the loss falls suddenly: wait, or raise the outer rate.
    Reads that are spread over all rows say that it has not happened yet.
    """

    Config = MANNConfig
    title = "MANN"
    source = "Santoro 2016"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A large outer rate and a clipped gradient; for pictures many small meta-batches, for functions a small
        network that sees many tasks."""
        if kind == "classification":
            return {"training.outer_lr": 3e-3, "training.clip": 1.0, "training.meta_batch": 8}
        return {"algorithm.hidden": 64, "algorithm.rows": 32, "algorithm.row_width": 20, "algorithm.heads": 1,
                "training.outer_lr": 1e-2, "training.clip": 1.0}

    @classmethod
    def build(cls, config: MANNConfig, backbone: Backbone, spec: Spec) -> nn.Module:
        """The backbone, the controller, its interface to the memory, and the head."""
        return MemoryLearner(config, backbone, spec.outputs)

    def inner_steps(self, *, training: bool, examples: int) -> int:  # noqa: ARG002
        """One step an example."""
        return examples

    def inner_loop(self) -> dict[str, Any]:
        """By reading."""
        return reading("the memory and the activations of its controller", self.config.labels)

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Recollection:
        """The tokens in the order of reading, and an empty memory."""
        config = self.config
        features = self.features(meta.params, support.inputs)
        memory = Memory(features.new_full((config.rows, config.row_width), _BLANK), features.new_zeros(config.rows),
                        features.new_zeros(config.heads, config.rows),
                        torch.full((config.rows,), -1, device=features.device),
                        features.new_zeros(config.heads * config.row_width))
        return Recollection(tokens(features, support.targets, self.spec, config.labels, ctx.key),
                            features.new_zeros(2 * config.hidden), memory)

    def step(self, meta: Meta, state: Recollection, support: Examples, ctx: Context) -> Recollection:  # noqa: ARG002
        """Read the next example, and begin again after the last."""
        place = ctx.step % len(state.tokens.support)
        token = state.tokens.support[place]
        cell = self.network.part("cell", meta.params, torch.cat([state.memory.recalled, token]), state.cell)
        memory = remembered(state.memory, self._interface(meta, cell), self.config.decay, place)
        return state._replace(cell=cell, memory=memory)

    def features(self, params: Params, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Features [n, width], standardized."""
        return standardized(self.network, params, inputs, reference)

    def respond(self, meta: Meta, state: Recollection, features: Tensor, ctx: Context) -> Tensor:
        """Read every query as if it were the next example, without writing."""
        cells, weights = self._lookup(meta, state, features, ctx)
        recalled = (weights @ state.memory.rows).flatten(1)
        return self.network.part("head", meta.params, torch.cat([cells[:, : self.config.hidden], recalled], -1))

    def drawings(self) -> dict[str, Drawing]:
        """Where the queries look."""
        return {"reads": Drawing("Memory reads", f"Each query should look at the rows that {self.kindred} were written "
                                 f"to; both are sorted {self.sorting}.", "query",
                                 "support example, and last the rows that hold none", "read weight, mean over heads")}

    def draw(self, meta: Meta, state: Recollection, task: Task, ctx: Context) -> Params:
        """Read weights [queries, examples + 1], summed over the rows that each example was written to."""
        features = self.features(meta.params, task.query.inputs, ctx.reference)
        by_row = self._lookup(meta, state, features, ctx)[1].mean(1)[self.in_order(task.query)]
        place = reading_order(len(task.support.inputs), ctx.key).argsort()[self.in_order(task.support)]
        by_example = by_row @ (state.memory.written.unsqueeze(-1) == place).to(by_row.dtype)
        return {"reads": torch.cat([by_example, 1 - by_example.sum(-1, keepdim=True)], -1)}

    def _interface(self, meta: Meta, cell: Tensor) -> Interface:
        config = self.config
        asked = self.network.part("interface", meta.params, cell[..., : config.hidden])
        keys, gates, sharpness = torch.split(asked, [config.heads * config.row_width, config.heads, config.heads], -1)
        strength = 1 + F.softplus(sharpness) if config.sharpness == "learned" else torch.ones_like(sharpness)
        return Interface(keys.tanh().reshape(*gates.shape, config.row_width), gates, strength)

    def _lookup(self, meta: Meta, state: Recollection, features: Tensor, ctx: Context) -> tuple[Tensor, Tensor]:
        """States of the controller [n, size] and read weights [n, heads, rows] for features [n, width]."""
        recalled = state.memory.recalled.expand(len(features), -1)
        seen = torch.cat([recalled, state.tokens.unlabelled(features, ctx.step)], -1)
        cells = self.network.part("cell", meta.params, seen, state.cell.expand(len(features), -1))
        asked = self._interface(meta, cells)
        return cells, looked_up(state.memory.rows, asked.keys, asked.sharpness)


def remembered(memory: Memory, asked: Interface, decay: float, place: int) -> Memory:
    """The memory after one example's keys were written to it and looked up in it (Santoro et al. 2016, section 3).

    Args:
        memory: The memory before.
        asked: The controller's keys.
        decay: What is left of a row's usage.
        place: The example's place in the order of reading.
    """
    count = len(memory.rows)
    # Which rows are used least has no derivative; of rows used equally little, the first are taken.
    least = memory.usage.detach().argsort(stable=True)[: len(asked.keys)]
    is_least = (least.unsqueeze(-1) == torch.arange(count, device=least.device)).to(memory.rows.dtype)
    gates = asked.gates.sigmoid().unsqueeze(-1)
    write = gates * memory.weights + (1 - gates) * is_least
    rows = memory.rows * (1 - is_least.sum(0)).unsqueeze(-1) + write.T @ asked.keys
    weights = looked_up(rows, asked.keys, asked.sharpness)
    usage = decay * memory.usage + weights.sum(0) + write.sum(0)
    written = torch.where(is_least.any(0), place, memory.written)
    return Memory(rows, usage, weights, written, (weights @ rows).flatten())


def looked_up(rows: Tensor, keys: Tensor, sharpness: Tensor) -> Tensor:
    """Read weights [..., heads, rows]: the softmax of the cosines, made sharper."""
    cosine = F.normalize(keys, dim=-1) @ F.normalize(rows, dim=-1).T
    return (sharpness.unsqueeze(-1) * cosine).softmax(-1)
