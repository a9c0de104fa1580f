"""What methods share that read a task as a sequence: labels as vectors, a random order, recurrent cells."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from workbench.algorithms.base import noise
from workbench.backbones.base import Backbone, Network, Params
from workbench.backbones.normalization import Normalize
from workbench.experiment.fields import field
from workbench.tasks.base import Spec

CellKind = Literal["lstm", "gru"]
LabelTime = Literal["along", "late"]

_ORDER = 0x5E9


def labels(targets: Tensor, spec: Spec, like: Tensor) -> Tensor:
    """Targets as vectors [n, spec.outputs]: one-hot classes, or the values themselves."""
    if spec.kind == "regression":
        return targets
    return (targets.unsqueeze(-1) == torch.arange(spec.outputs, device=targets.device)).to(like.dtype)


def reading_order(count: int, key: Tensor) -> Tensor:
    """A random permutation [count] of the support set, so that no class can be told from its place."""
    return noise(key, count, _ORDER).argsort()


def label_time() -> Any:
    """Declare the field of a method that reads example after example."""
    return field("along", label="Labels", help="Along: an example is read with its label, and a query without. Late: "
                 "an example is read with the label of the one before, as where a learner must answer before it is "
                 "told; what belongs together then has to be found out first, which takes far longer.",
                 choices={"along": "Along with the example", "late": "One step late"}, source="Santoro et al. 2016, 2")


def reading(adapts: str, time: LabelTime) -> dict[str, Any]:
    """What `Algorithm.inner_loop` tells of a method whose steps each read the next example and change no weight."""
    return {"adapts": adapts, "reads": "one example a step, in a random order", "labels": time, "loss": None}


def standardized(network: Network, params: Params, inputs: Tensor, reference: Tensor | None) -> Tensor:
    """Features [n, width] of inputs, each with mean zero and deviation one over the batch.

    Rectified features all point the same way, and a network that reads one after another could not tell them apart for
    a long time. The batch is the one that the backbone normalizes with: that at hand, or the reference. Where the
    backbone looks at one input at a time, so does this, and the features are as they are.
    """
    everything = inputs if reference is None else torch.cat([reference, inputs])
    features = network.part("backbone", params, everything, reference)
    if not cast("Backbone", network.module.backbone).depends_on_batch:
        return features[-len(inputs):]
    rows = len(inputs) if reference is None else len(reference)
    variance, mean = torch.var_mean(features[:rows], 0, correction=0)
    return ((features - mean) * torch.rsqrt(variance + Normalize.epsilon))[-len(inputs):]


class Tokens(NamedTuple):
    """A support set in its order of reading.

    Attributes:
        support: [n, width + outputs], the features of each example and the label that is read beside them.
        after: [n + 1, outputs], what is read beside a query after so many examples.
    """

    support: Tensor
    after: Tensor

    def unlabelled(self, features: Tensor, read: int) -> Tensor:
        """Queries [q, width + outputs] that are the next after so many examples, the last of which may be any."""
        count = len(self.support)
        beside = self.after[read if read <= count else (read - 1) % count + 1]
        return torch.cat([features, beside.expand(len(features), -1)], -1)


def tokens(features: Tensor, targets: Tensor, spec: Spec, time: LabelTime, key: Tensor) -> Tokens:
    """The support set's features [n, width] and targets as they are read."""
    order = reading_order(len(features), key)
    known = labels(targets, spec, features)[order]
    nothing = torch.zeros_like(known[:1])
    late = torch.cat([nothing, known])
    if time == "late":
        return Tokens(torch.cat([features[order], late[:-1]], -1), late)
    return Tokens(torch.cat([features[order], known], -1), torch.zeros_like(late))


class Cell(nn.Module):
    """A long short-term memory (Hochreiter and Schmidhuber 1997) or gated recurrent unit (Cho et al. 2014).

    It is written in plain matrix products, so that it may be mapped over tasks. Its state is one vector whose first
    `hidden` entries are what it puts out; those of the LSTM's memory follow.

    Args:
        kind: Which of the two; the numbers are those of torch.nn.LSTMCell and torch.nn.GRUCell.
        inputs: Width of what it reads.
        hidden: Width of what it puts out.
    """

    def __init__(self, kind: CellKind, inputs: int, hidden: int) -> None:
        super().__init__()
        self.kind = kind
        self.size = 2 * hidden if kind == "lstm" else hidden
        gates = 4 if kind == "lstm" else 3
        self.input = nn.Linear(inputs, gates * hidden)
        self.recurrent = nn.Linear(hidden, gates * hidden)
        if kind == "lstm":
            with torch.no_grad():
                # A memory that is kept from the start is learned through sooner (Jozefowicz et al. 2015).
                self.recurrent.bias[hidden : 2 * hidden] = 1

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """The state [..., size] after reading inputs [..., inputs]."""
        if self.kind == "gru":
            reset, update, new = self.input(inputs).chunk(3, -1)
            kept_reset, kept_update, kept_new = self.recurrent(state).chunk(3, -1)
            candidate = (new + (reset + kept_reset).sigmoid() * kept_new).tanh()
            return torch.lerp(candidate, state, (update + kept_update).sigmoid())
        hidden, memory = state.chunk(2, -1)
        return torch.cat(remembered(self.input(inputs) + self.recurrent(hidden), memory), -1)


def remembered(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """What a long short-term memory puts out [..., width] and holds after its gates [..., 4 width] were set."""
    write, keep, new, show = gates.chunk(4, -1)
    memory = keep.sigmoid() * memory + write.sigmoid() * new.tanh()
    return show.sigmoid() * memory.tanh(), memory
