"""Everything that a run needs to go on exactly where it stopped, as named tensors and a few plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from workbench.algorithms.base import Meta


@dataclass(frozen=True)
class TrainState:
    """State between two outer steps.

    There is no random state but the experiment's seed and `step`: every draw is a function of the two.

    Attributes:
        step: Outer steps done.
        meta: Meta-parameters and buffers.
        optimizer: State tensors of the outer optimizer, named "parameter/entry".
        best: Meta-parameters of the best validation so far.
        best_step: Steps behind `best`.
        best_score: Its validation score, as a number to be made small; None before the first validation.
        stale: Validations since then.
        is_probed, is_settled: Whether the probe, and everything that is due after this step, is done.
        seconds: Training time so far.
        executor, chunk, threads: How the numbers were computed; going on in another way is equal to rounding only.
    """

    step: int
    meta: Meta
    optimizer: dict[str, Tensor]
    best: Meta
    best_step: int
    best_score: float | None
    stale: int
    is_probed: bool
    is_settled: bool
    seconds: float
    executor: str
    chunk: int
    threads: int

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, for a safetensors file."""
        tables = {"params": self.meta.params, "buffers": self.meta.buffers, "optimizer": self.optimizer,
                  "best/params": self.best.params, "best/buffers": self.best.buffers}
        return {f"{table}/{name}": value for table, values in tables.items() for name, value in values.items()}

    def numbers(self) -> dict[str, Any]:
        """Every plain number by name."""
        names = ("step", "best_step", "best_score", "stale", "is_probed", "is_settled", "seconds", "executor", "chunk",
                 "threads")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> TrainState:
        """The state that `tensors()` and `numbers()` came from."""
        return cls(meta=meta_of(tensors), optimizer=_table(tensors, "optimizer/"),
                   best=meta_of(_table(tensors, "best/")), **numbers)


def meta_of(tensors: dict[str, Tensor]) -> Meta:
    """The meta-parameters among tensors whose names begin with "params/" and "buffers/"."""
    return Meta(_table(tensors, "params/"), _table(tensors, "buffers/"))


def _table(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


@dataclass
class Outer:
    """The outer optimizer over the meta-parameters, which it updates in place."""

    params: dict[str, Tensor]
    optimizer: torch.optim.Optimizer = field(init=False)
    kind: str = "adam"
    restored: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the optimizer, with the state that it had."""
        kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
        self.optimizer = kinds[self.kind](list(self.params.values()), lr=0.0)
        for name, value in self.restored.items():
            parameter, _, entry = name.rpartition("/")
            # A step count stays on the CPU, where the optimizer keeps it.
            place = value if entry == "step" else value.to(self.params[parameter].device)
            self.optimizer.state[self.params[parameter]][entry] = place.clone()

    def update(self, gradient: dict[str, Tensor], outer_lr: float, clip: float | None) -> Tensor:
        """Take one step and return the norm that the gradient had before clipping."""
        for name, value in self.params.items():
            value.grad = gradient[name]
        norm = torch.nn.utils.get_total_norm(gradient.values())
        if clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.params.values(), clip, norm)
        for group in self.optimizer.param_groups:
            group["lr"] = outer_lr
        self.optimizer.step()
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """State tensors, named "parameter/entry"."""
        return {f"{name}/{entry}": value
                for name, parameter in self.params.items()
                for entry, value in self.optimizer.state.get(parameter, {}).items() if isinstance(value, Tensor)}
