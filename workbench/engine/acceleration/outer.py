"""Outer steps that are replayed, or captured, as meta-gradients are."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from workbench.algorithms.base import Stage
from workbench.engine.acceleration.captured import WARM_UP, Captured, Graph, stream
from workbench.engine.acceleration.prepared import Prepared
from workbench.engine.acceleration.replay import NOT_REPLAYED, Run, Script, can_replay
from workbench.engine.acceleration.writing import recorded
from workbench.engine.executors.base import Executor
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.outer import STAGES, OuterOptimizer, StepMetrics
from workbench.engine.words import in_words

_log = logging.getLogger(__name__)


def kind_of_optimizer(executor: Executor, device: torch.device) -> type[OuterOptimizer]:
    """What takes the outer steps of a run: they run as its meta-gradients do."""
    if isinstance(executor, Captured):
        return CapturedOptimizer
    return ReplayedOptimizer if isinstance(executor, Prepared) and device.type == "cpu" else OuterOptimizer


class ReplayedOptimizer(OuterOptimizer):
    """The outer step, replayed from a list of operations: the same numbers, without Python between them; on a CPU."""

    def __init__(self, params: dict[str, Tensor], factor: Callable[[str, Stage], float], kind: str = "adam",
                 restored: dict[str, Tensor] | None = None) -> None:
        super().__init__(params, factor, kind, restored)
        self._written: dict[tuple[object, ...], tuple[Script, Run] | None] = {}
        self._rate = torch.zeros((), dtype=torch.float64)

    def update(self, found: MetaGradient, tasks: int, outer_lr: float | Tensor, clip: float | None,
               stage: Stage = "tasks") -> StepMetrics:
        """See OuterOptimizer."""
        key = stage, tasks, clip, len(found.aux.loss)
        if key not in self._written:
            self._written[key] = self._write(found, tasks, clip, stage)
        written = self._written[key]
        if written is None:
            return super().update(found, tasks, outer_lr, clip, stage)
        _, run = written
        return StepMetrics(*run([*self._flat(found), self._rate.fill_(outer_lr), *self.own(stage)]))

    def script(self, tasks: int, clip: float | None, stage: Stage) -> Script | None:
        """What is replayed after so many tasks, if that was done before.

        It is given the gradient of every parameter in their order, the losses, the metrics, the outer rate and what
        `own` gives.
        """
        written = self._written.get((stage, tasks, clip, tasks))
        return written[0] if written else None

    def _write(self, found: MetaGradient, tasks: int, clip: float | None, stage: Stage) -> tuple[Script, Run] | None:
        """A step as a list of operations; None where it cannot be replayed. It is taken by another, in vain."""
        twin = OuterOptimizer({name: value.clone() for name, value in self.params.items()}, self._factor, self._kind,
                              self.tensors())
        count = len(self.params) + 2

        def step(given: list[Tensor]) -> list[Tensor]:
            return [*twin.update(self._unflat(given[:count]), tasks, given[count], clip, stage)]

        tensors = [*self._flat(found), self._rate, *twin.own(stage)]
        try:
            if can_replay() and twin._groups[stage]:
                script = recorded(step, tensors)
                return script, script.run()
        except NOT_REPLAYED as error:
            _log.info("the outer step is not replayed: %s", error)
        return None


class CapturedOptimizer(OuterOptimizer):
    """The outer optimizer, whose update is captured once it has taken a few steps."""

    captures = True

    def __init__(self, params: dict[str, Tensor], factor: Callable[[str, Stage], float], kind: str = "adam",
                 restored: dict[str, Tensor] | None = None) -> None:
        super().__init__(params, factor, kind, restored)
        # One for each stage.
        self._updates: dict[Stage, Graph] = {}
        self._taken = dict.fromkeys(STAGES, 0)
        self._is_refused = False

    def update(self, found: MetaGradient, tasks: int, outer_lr: float | Tensor, clip: float | None,
               stage: Stage = "tasks") -> StepMetrics:
        """See OuterOptimizer."""
        tensors = [*self._flat(found), torch.full((), float(outer_lr), device=found.aux.loss.device)]

        def run(given: list[Tensor]) -> list[Tensor]:
            return [*OuterOptimizer.update(self, self._unflat(given[:-1]), tasks, given[-1], clip, stage)]

        if stage not in self._updates and self._taken[stage] >= WARM_UP and not self._is_refused:
            self._capture(stage, run, tensors)
        if stage in self._updates:
            return StepMetrics(*self._updates[stage](tensors))
        self._taken[stage] += 1
        return StepMetrics(*run(tensors))

    def _capture(self, stage: Stage, run: Callable[[list[Tensor]], list[Tensor]], tensors: list[Tensor]) -> None:
        """Capture a step, which takes none; where that is not possible steps are taken as before."""
        try:
            self._updates[stage] = Graph(run, tensors, stream(tensors[0].device))
        except RuntimeError as error:
            self._is_refused = True
            _log.info("the outer step is not captured: %s", in_words(error))
