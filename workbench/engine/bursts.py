"""Several outer steps in one call, where a step takes less time than the Python around it.

Meta-gradient and outer step are two lists of operations that are replayed. Of a small network the list of both is
replayed for one meta-batch after another, and Python is asked for nothing between them: a window has the interpreter to
itself meanwhile. The operations are the same, in the same order, so that the numbers are the same to the last bit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from workbench.algorithms.base import Meta, Stage
from workbench.engine.acceleration.base import Step
from workbench.engine.acceleration.outer import ReplayedOptimizer
from workbench.engine.acceleration.prepared import Replayed
from workbench.engine.acceleration.replay import NOT_REPLAYED, Chain, Run, Script
from workbench.engine.executors.base import Setting
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.outer import OuterOptimizer, StepMetrics
from workbench.engine.session import Session
from workbench.tasks.base import Examples, TaskBatch

SHORT_SECONDS = 0.01
"""A step that takes longer gains nothing from being taken with others."""
LARGEST_BYTES = 8 * 2**20
"""The meta-batches of a call take no more than that together."""
_log = logging.getLogger(__name__)


class Burst(NamedTuple):
    """Steps that were taken.

    Attributes:
        told: What is told of each.
        rates: The outer rate of each.
        batch, keys: The tasks of the last.
    """

    told: StepMetrics
    rates: list[float]
    batch: TaskBatch
    keys: Tensor


class Bursts:
    """Takes outer steps on tasks, several at a time, where that is possible; whether it is shows after single steps.

    Args:
        session: What is trained.
        meta: The meta-parameters, which the outer optimizer updates in place.
        outer: That optimizer.
    """

    def __init__(self, session: Session, meta: Meta, outer: OuterOptimizer) -> None:
        self._session = session
        self._tasks = session.experiment.training.meta_batch
        self._params = meta.params
        self._outer = outer
        self._stage: Stage = "tasks"
        self._own: list[Tensor] = []
        self._run: Run | None = None
        self._step_seconds = SHORT_SECONDS
        self._step_bytes = LARGEST_BYTES
        # Other processes have a part in each step, and the hardest class of one decides the tasks of the next.
        self._is_open = (session.world.size == 1 and not session.algorithm.draws_hard_tasks
                         and all(value.is_contiguous() for value in meta.params.values()))

    def look(self, batch: TaskBatch, keys: Tensor, setting: Setting, seconds: float) -> None:
        """See a single step on tasks, which took so long: those after it may be taken together, if it is replayed."""
        executor, outer = self._session.executor, self._outer
        is_open = self._is_open and not self._run and seconds <= SHORT_SECONDS
        if not is_open or not isinstance(executor, Replayed) or not isinstance(outer, ReplayedOptimizer):
            return
        gradient = executor.script(Step.of(Meta(self._params, {}), batch, keys, setting))
        update = outer.script(self._tasks, self._session.experiment.training.clip, setting.stage)
        if gradient and update:
            self._stage, self._own = setting.stage, outer.own(setting.stage)
            self._step_bytes = sum(one.nbytes for one in (*batch.support, *batch.query, keys))
            try:
                self._run = self._written(*gradient, update)
                _log.info("several steps are taken in one call")
            except NOT_REPLAYED as error:
                self._give_up(error)

    def _written(self, gradient: Script, places: MetaGradient, update: Script) -> Run:
        """Both for one meta-batch after another: given parameters, `own`, and the tasks and the rate of every step."""
        given = len(self._params) + len(self._own)
        parts = range(given, given + 5)  # inputs and targets of support and query sets, and keys
        rate = parts.stop
        chain = Chain(rate + 1)
        found = chain.take(gradient, [*range(len(self._params)), *parts])
        total = [found[places.total[name]] for name in self._outer.params]
        told = chain.take(update, [*total, found[places.aux.loss], found[places.aux.metric], rate,
                                   *range(len(self._params), given)])
        return chain.script(told).run_for_each([*parts, rate])

    def take(self, first: int, end: int, seconds: float, outer_lr: Callable[[int], float]) -> Burst | None:
        """Take steps, for about so long at most.

        Where that fails, for want of memory or because of what the tasks are, nothing was done, and steps are taken one
        by one from then on, so that whatever is wrong is seen where it can be dealt with.

        Args:
            first, end: The number of the next step, and of the one before which it must stop, counted from 0.
            seconds: About how long it may take.
            outer_lr: The outer rate of a step.

        Returns:
            None where steps must be taken one by one.
        """
        if self._run is None or self._session.chunk < self._tasks:
            return None
        begun = time.perf_counter()
        most = min(int(seconds / self._step_seconds), LARGEST_BYTES // self._step_bytes)
        steps = self._of_the_stage(range(first, min(end, first + max(1, most))))
        if not steps:
            return None
        batch, keys = self._session.batch("train", range(first * self._tasks, steps.stop * self._tasks), self._stage)
        parts = [one.reshape(len(steps), self._tasks, *one.shape[1:]) for one in (*batch.support, *batch.query, keys)]
        rates = [outer_lr(step) for step in steps]
        given = [*self._params.values(), *self._own, *parts, torch.tensor(rates, dtype=torch.float64)]
        before = [value.clone() for value in self._own]
        try:
            told = StepMetrics(*self._run(given))
        except (*NOT_REPLAYED, MemoryError) as error:
            for value, was in zip(self._own, before, strict=True):
                value.copy_(was)
            self._give_up(error)
            return None
        self._step_seconds = (time.perf_counter() - begun) / len(steps)
        # A copy, for the whole of them need not be kept.
        *last, last_keys = (one[-1].clone() for one in parts)
        return Burst(told, rates, TaskBatch(Examples(*last[:2]), Examples(*last[2:])), last_keys)

    def _of_the_stage(self, steps: range) -> range:
        """Those before another stage begins."""
        stage, iterations = self._session.algorithm.stage, self._session.experiment.training.iterations
        return range(steps.start, next((one for one in steps if stage(one / iterations) != self._stage), steps.stop))

    def _give_up(self, error: BaseException) -> None:
        self._run, self._is_open = None, False
        _log.info("steps are taken one by one: %s", error)
