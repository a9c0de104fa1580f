"""Everything that a run needs to go on exactly where it stopped, as named tensors and a few plain numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

import torch
from torch import Tensor

from workbench.algorithms.base import Meta, Stage

STAGES: tuple[Stage, ...] = get_args(Stage)
# Numbers that are copied together in less time than it takes to look at a few tensors one by one.
_FEW = 100_000


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
        hardest: For each task of the last meta-batch, the number of the class that was answered worst; empty where
            nobody asks.
        executor, chunk, threads: How the numbers were computed; going on in another way is equal to rounding only.
        weights_by_columns: Convolutions that have the gradient of their weights as a matrix product.
        test_chunk: Tasks run at once in testing; 0 in the checkpoints of a program that did not keep it.
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
    hardest: tuple[int, ...]
    executor: str
    chunk: int
    threads: int
    test_chunk: int = 0
    weights_by_columns: tuple[str, ...] = ()

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, for a safetensors file."""
        tables = {"params": self.meta.params, "buffers": self.meta.buffers, "optimizer": self.optimizer,
                  "best/params": self.best.params, "best/buffers": self.best.buffers}
        return {f"{table}/{name}": value for table, values in tables.items() for name, value in values.items()}

    def numbers(self) -> dict[str, Any]:
        """Every plain number by name."""
        names = ("step", "best_step", "best_score", "stale", "is_probed", "is_settled", "seconds", "hardest",
                 "executor", "chunk", "threads", "test_chunk", "weights_by_columns")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> TrainState:
        """The state that `tensors()` and `numbers()` came from."""
        return cls(meta=meta_of(tensors), optimizer=_table(tensors, "optimizer/"),
                   best=meta_of(_table(tensors, "best/")),
                   **{**numbers, **{name: tuple(numbers.get(name, ())) for name in ("hardest", "weights_by_columns")}})


def meta_of(tensors: dict[str, Tensor]) -> Meta:
    """The meta-parameters among tensors whose names begin with "params/" and "buffers/"."""
    return Meta(_table(tensors, "params/"), _table(tensors, "buffers/"))


def _table(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


@dataclass
class Outer:
    """The outer optimizer over the meta-parameters, which it updates in place.

    Attributes:
        params: What is updated.
        factor: What the outer rate is multiplied with for a parameter in a stage; 0 leaves it alone.
        kind: adam or sgd.
        restored: The state tensors that it had.
        captures: Whether its update may be captured in a graph: its rate and its step counts are on the device then.
    """

    captures: ClassVar[bool] = False
    stages: ClassVar[tuple[Stage, ...]] = STAGES

    params: dict[str, Tensor]
    factor: Callable[[str, Stage], float]
    kind: str = "adam"
    restored: dict[str, Tensor] = field(default_factory=dict)
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        """Make the optimizer, with the state that it had."""
        kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
        groups: dict[tuple[float, ...], list[str]] = {}
        for name in self.params:
            groups.setdefault(tuple(self.factor(name, stage) for stage in STAGES), []).append(name)
        self.optimizer = kinds[self.kind]([
            {"params": [self.params[name] for name in names], "factors": dict(zip(STAGES, factors, strict=True))}
            for factors, names in groups.items()], lr=0.0, **self._how())
        for name, value in self.restored.items():
            parameter, _, entry = name.rpartition("/")
            # A step count stays on the CPU, where the optimizer keeps it.
            place = value if entry == "step" and not self.captures else value.to(self.params[parameter].device)
            self.optimizer.state[self.params[parameter]][entry] = place.clone()

    def _how(self) -> dict[str, bool]:
        """How the optimizer takes its step: on a CPU in one kernel, for a small network takes longer to start many."""
        if self.captures:
            return {"capturable": True} if self.kind == "adam" else {"fused": True}
        is_simple = all(value.device.type == "cpu" and value.is_floating_point() for value in self.params.values())
        return {"fused": True} if is_simple else {}

    def update(self, gradient: dict[str, Tensor], outer_lr: float | Tensor, clip: float | None,
               stage: Stage = "tasks") -> Tensor:
        """Take one step and return the norm that the gradient of what moves had before clipping."""
        moving = {name: value for name, value in gradient.items() if self.factor(name, stage)}
        for name, value in self.params.items():
            value.grad = moving.get(name)
        norm = _norm(list(moving.values()))
        if clip is not None:
            torch.nn.utils.clip_grads_with_norm_([self.params[name] for name in moving], clip, norm)
        for group in self.optimizer.param_groups:
            group["lr"] = outer_lr * group["factors"][stage]
        self.optimizer.step()
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """State tensors, named "parameter/entry"."""
        return {f"{name}/{entry}": value
                for name, parameter in self.params.items()
                for entry, value in self.optimizer.state.get(parameter, {}).items() if isinstance(value, Tensor)}


def _norm(values: list[Tensor]) -> Tensor:
    """The norm of tensors together; of a few numbers as one vector, for a norm of norms takes four times as long."""
    if 0 < sum(value.numel() for value in values) <= _FEW:
        found: Tensor = torch.linalg.vector_norm(torch.cat([value.flatten() for value in values]))
        return found
    return torch.nn.utils.get_total_norm(values)
