"""Everything that a run needs to go on exactly where it stopped, as named tensors and a few plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter
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
        hardest: For each task of the last meta-batch, the number of the class that was answered worst; empty where
            nobody asks.
        executor, chunk, threads: How the numbers were computed; going on in another way is equal to rounding only.
        weights_by_columns: Convolutions that have the gradient of their weights as a matrix product.
        test_chunk: Tasks run at once in testing; 0 in the checkpoints of a program that did not keep it.
        why: Why they were computed in that way, as a part of a sentence; empty in those of a program that did not keep
            it.
    """

    __pydantic_config__: ClassVar = ConfigDict(arbitrary_types_allowed=True)

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
    hardest: tuple[int, ...] = ()
    test_chunk: int = 0
    weights_by_columns: tuple[str, ...] = ()
    why: str = ""

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, for a safetensors file."""
        tables = {"params": self.meta.params, "buffers": self.meta.buffers, "optimizer": self.optimizer,
                  "best/params": self.best.params, "best/buffers": self.best.buffers}
        return {f"{table}/{name}": value for table, values in tables.items() for name, value in values.items()}

    def numbers(self) -> dict[str, Any]:
        """Every plain number by name."""
        names = ("step", "best_step", "best_score", "stale", "is_probed", "is_settled", "seconds", "hardest",
                 "executor", "chunk", "threads", "test_chunk", "weights_by_columns", "why")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> TrainState:
        """The state that `tensors()` and `numbers()` came from.

        Raises:
            ValidationError: A number is missing, or is none.
        """
        return TypeAdapter(cls).validate_python({
            **numbers, "meta": meta_of(tensors), "optimizer": _table(tensors, "optimizer/"),
            "best": meta_of(_table(tensors, "best/"))})


def meta_of(tensors: dict[str, Tensor]) -> Meta:
    """The meta-parameters among tensors whose names begin with "params/" and "buffers/"."""
    return Meta(_table(tensors, "params/"), _table(tensors, "buffers/"))


def _table(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
