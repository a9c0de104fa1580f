"""Several outer steps in one call, where a step takes less time than the Python around it.

Meta-gradient and outer step are two lists of operations that are replayed. Of a small network the list of both is
replayed for one meta-batch after another, and Python is asked for nothing between them: a window has the interpreter to
itself meanwhile. The operations are the same, in the same order, so that the numbers are the same to the last bit.
"""

from __future__ import annotations

import logging
import time

import torch
from torch import Tensor

from workbench.algorithms.base import Meta
from workbench.engine.acceleration import Step
from workbench.engine.compiled import Replayed
from workbench.engine.executors import Gradient, Setting
from workbench.engine.outer import ReplayedOuter, Told
from workbench.engine.replay import Chain, Run, Script
from workbench.engine.session import Session
from workbench.tasks.base import TaskBatch

SECONDS = 0.04
"""About so long a call takes at most: nobody is listened to meanwhile."""
SHORT_SECONDS = 0.01
"""A step that takes longer gains nothing from being taken with others."""
MOST = 100
_log = logging.getLogger(__name__)


class Series:
    """Takes outer steps, several at a time, where that is possible; whether it is shows after some single steps.

    Args:
        session: What is trained.
        meta: The meta-parameters, which the outer optimizer updates in place.
        outer: That optimizer.
    """

    def __init__(self, session: Session, meta: Meta, outer: ReplayedOuter) -> None:
        self._session = session
        self._params = meta.params
        self._outer = outer
        self._run: Run | None = None
        self._step_seconds = SECONDS
        # What changes from one step to the next, or is told of a step, beyond numbers that are replayed.
        self._is_open = (not session.executor.is_pooled and session.world.size == 1 and not meta.buffers
                         and not session.algorithm.draws_hard_tasks
                         and all(value.is_contiguous() for value in meta.params.values()))

    def look(self, batch: TaskBatch, keys: Tensor, setting: Setting, seconds: float) -> None:
        """See a single step on tasks, which took so long: those after it may be taken together, if it is replayed."""
        training, executor = self._session.experiment.training, self._session.executor
        if not self._is_open or self._run or seconds > SHORT_SECONDS or not isinstance(executor, Replayed):
            return
        gradient = executor.written(Step.of(Meta(self._params, {}), batch, keys, setting))
        outer = self._outer.script(training.meta_batch, training.clip, setting.stage)
        if gradient and outer and len(keys) == training.meta_batch:
            self._begin(*gradient, outer, setting)

    def _begin(self, gradient: Script, places: Gradient, outer: Script, setting: Setting) -> None:
        own = self._outer.own(setting.stage)
        given = len(self._params) + len(own)
        parts = range(given, given + 5)  # inputs and targets of support and query sets, and keys
        rate = parts.stop
        chain = Chain(rate + 1)
        found = chain.take(gradient, [*range(len(self._params)), *parts])
        total = [found[places.total[name]] for name in self._outer.params]
        told = chain.take(outer, [*total, found[places.aux.loss], found[places.aux.metric], rate,
                                  *range(len(self._params), given)])
        self._run = chain.script(told).run_for_each([*parts, rate])
        _log.info("steps are taken several at a time, for %.0f ms together", 1e3 * SECONDS)

    @property
    def most(self) -> int:
        """So many steps may be taken now; 0 where they must be taken one by one."""
        if self._run is None or self._session.chunk < self._session.experiment.training.meta_batch:
            return 0
        return min(MOST, max(1, int(SECONDS / self._step_seconds)))

    def take(self, batch: TaskBatch, keys: Tensor, rates: list[float]) -> Told | None:
        """Take a step for each outer rate, each on its part of the tasks: what is told of every one.

        None where that fails, for want of memory or because of what the tasks are. Nothing was done then, and steps
        are taken one by one from then on, so that whatever is wrong is seen where it can be dealt with.
        """
        if self._run is None:
            return None
        own = self._outer.own("tasks")
        before = [value.clone() for value in own]
        count, each = len(rates), len(keys) // len(rates)
        parts = [one.reshape(count, each, *one.shape[1:]) for one in (*batch.support, *batch.query, keys)]
        begun = time.perf_counter()
        try:
            told = Told(*self._run([*self._params.values(), *own, *parts, torch.tensor(rates, dtype=torch.float64)]))
        except (RuntimeError, MemoryError) as error:
            for value, was in zip(own, before, strict=True):
                value.copy_(was)
            self._run, self._is_open = None, False
            _log.info("steps are taken one by one: %s", error)
            return None
        self._step_seconds = (time.perf_counter() - begun) / count
        return told
