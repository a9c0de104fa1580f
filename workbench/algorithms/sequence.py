"""What methods share that read a task as a sequence: labels as vectors, a random order, recurrent cells."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from workbench.algorithms.base import noise
from workbench.tasks.base import Examples, Spec

CellKind = Literal["lstm", "gru"]

_ORDER = 0x5E9


def labels(targets: Tensor, spec: Spec, like: Tensor) -> Tensor:
    """Targets as vectors [n, spec.outputs]: one-hot classes, or the values themselves."""
    if spec.kind == "regression":
        return targets
    return (targets.unsqueeze(-1) == torch.arange(spec.outputs, device=targets.device)).to(like.dtype)


def reading_order(support: Examples, key: Tensor) -> Tensor:
    """A random permutation [n] of the support set, so that no class can be told from its place."""
    return noise(key, len(support.inputs), _ORDER).argsort()


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
            # A memory that is kept from the start is learned through sooner (Jozefowicz et al. 2015).
            nn.init.ones_(self.recurrent.bias[hidden : 2 * hidden])

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """The state [..., size] after reading inputs [..., inputs]."""
        if self.kind == "gru":
            reset, update, new = self.input(inputs).chunk(3, -1)
            kept_reset, kept_update, kept_new = self.recurrent(state).chunk(3, -1)
            candidate = (new + (reset + kept_reset).sigmoid() * kept_new).tanh()
            return torch.lerp(candidate, state, (update + kept_update).sigmoid())
        hidden, memory = state.chunk(2, -1)
        write, keep, new, show = (self.input(inputs) + self.recurrent(hidden)).chunk(4, -1)
        memory = keep.sigmoid() * memory + write.sigmoid() * new.tanh()
        return torch.cat([show.sigmoid() * memory.tanh(), memory], -1)
