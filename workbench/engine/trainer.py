"""The outer loop: a generator of events that whoever iterates it records, shows or counts."""

from __future__ import annotations

import math
import platform
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor

import workbench
from workbench.algorithms.base import Aux, Meta, Stage
from workbench.engine import devices
from workbench.engine.acceleration.outer import kind_of_optimizer
from workbench.engine.best import Best
from workbench.engine.blocks import Blocks, DivergedError
from workbench.engine.bursts import Bursts
from workbench.engine.control import Control, StopRequestedError
from workbench.engine.distribution.world import ALONE, LostError, Share, World
from workbench.engine.evaluation import evaluate
from workbench.engine.events import (
    Adaptation,
    Checkpoint,
    Evaluation,
    Event,
    Failed,
    Finished,
    Noticed,
    Paused,
    Probe,
    Started,
)
from workbench.engine.executors.gradients import MetaGradient, Running
from workbench.engine.forecast import warning
from workbench.engine.inner_loop import Trace
from workbench.engine.measuring.chooser import settle
from workbench.engine.outer import StepMetrics, outer_lr
from workbench.engine.pacing import Pace
from workbench.engine.session import Session, to_device
from workbench.engine.showcase import Showcase, joined_looks
from workbench.engine.state import TrainState
from workbench.engine.ways.work import Way
from workbench.engine.words import in_words
from workbench.experiment.experiment import Experiment
from workbench.tasks.base import TaskBatch, TaskSource

T = TypeVar("T")
Talk = Generator[Event, None, T]
"""A part of the training that may say something and ends with a value."""

_PROBE_STEPS = {0} | {lead * 10**power for lead in (1, 2, 5) for power in range(8)}
ADAPTATION_SECONDS = 1.0
ADAPTATION_SHARE = 0.04
ADAPTATION_TASKS = 16


def train(experiment: Experiment, control: Control | None = None, state: TrainState | None = None,
          world: World = ALONE, source: TaskSource | None = None) -> Generator[Event]:
    """Run an experiment, or go on with one.

    A step depends on (experiment, step number, state) alone, so a run that was interrupted ends as one that never was.
    The last event is Finished or Failed. A mistake in the experiment or its data raises before the first event.

    Args:
        experiment: What to run.
        control: Through which it may be stopped and paused.
        state: Where to go on; None to begin.
        world: The processes that train together. Each says the same events, but for times and for the curves of
            tasks, which are whole in the first alone.
        source: Its dataset, where that is open on the device already.

    Raises:
        DataError, DeviceError: The experiment cannot be run here.
        PeerError, WorldError: Nor by another process, or not by them together.
        LostError: Another process is gone. This is no end of the run, which can be gone on with.
    """
    as_before = Way(state.executor, state.threads if world.size == 1 else 0, state.chunk,
                    state.weights_by_columns) if state else None
    with world.together():
        session = Session(experiment, as_before, test_chunk=state.test_chunk if state else 0, world=world,
                          source=source)
        if world.size > 1:
            world.check_alike(session.facts())
        why = state.why if state else settle(session)
        session.accelerate()
    with session.running():
        with world.together():
            training = _Training(session, control or Control(), state, why)
        del state  # its tensors were copied; a resumed run should not hold them twice
        yield from training.events()


class _Training:
    """One call of `train`."""

    def __init__(self, session: Session, control: Control, state: TrainState | None, why: str) -> None:
        self.session = session
        self.why = why
        self._said_why = ", ".join(filter(None, ("as before" if state else "", why)))
        self.world = session.world
        self.control = self.world.control(control)
        self.config = session.experiment.training
        start = to_device(state.meta, session.device) if state else session.init()
        self.meta = start
        kind = kind_of_optimizer(session.executor, session.device)
        self.outer = kind(start.params, session.algorithm.outer_rate, self.config.optimizer,
                          state.optimizer if state else {})
        self.bursts = Bursts(session, self.meta, self.outer)
        self.best = Best(start, state, session.device)
        self.step = state.step if state else 0
        self.is_probed = state.is_probed if state else False
        self.is_settled = state.is_settled if state else False
        self.seconds = state.seconds if state else 0.0
        self.hardest = state.hardest if state else ()
        self.showcase = Showcase(session)
        self._resumed_at = time.perf_counter()
        inner = ("algorithm.inner_lr",) * hasattr(session.experiment.algorithm, "inner_lr")
        self._blocks = Blocks(self.step, ("training.outer_lr", *inner))
        self._pace = Pace(session.device)
        self._batch: tuple[TaskBatch, Tensor] | None = None
        self._next_adaptation = 0.0
        self._kept_step = -1

    def events(self) -> Iterator[Event]:
        """Everything from Started to Finished or Failed."""
        try:
            yield self._started()
            self._resumed_at = time.perf_counter()
            try:
                yield from self._outer_loop()
                tasks = self.session.experiment.evaluation.tasks
                result = yield from self._evaluate("test", self.best.meta, self.best.step, tasks)
                if not math.isfinite(result.score.mean):
                    raise DivergedError("the learner diverges while it adapts to the test tasks: the result is not a "
                                        "number; lower algorithm.inner_lr or algorithm.test_steps", self.step)
                status = "finished"
            except StopRequestedError:
                yield from self._flush()
                yield self._checkpoint()
                status = "stopped"
            self.world.barrier()
            yield Finished(self.step, "finished" if status == "finished" else "stopped", self._elapsed())
        except LostError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the record must say so
            yield Failed(self.step, in_words(self.world.agreed(error)), traceback.format_exc())

    def _outer_loop(self) -> Talk[None]:
        if not self.is_settled:
            yield from self._settle()
        due = self._next_due()
        while self.step < self.config.iterations and not self._is_out_of_patience():
            are_several = yield from self._several(due)
            if not are_several:
                yield from self._one()
            is_due, is_turn = self.step == due, self._blocks.stage != self.stage
            if are_several or is_turn or is_due or self._blocks.seconds_left <= 0:
                yield from self._flush(waits=is_turn or is_due)
            if is_due:
                yield from self._settle()
                due = self._next_due()
            self.is_settled = True
        yield from self._flush()
        if self._kept_step != self.step:
            yield self._checkpoint()

    def _several(self, due: int) -> Talk[bool]:
        """Take the rest of a block in one call, or as much of it as there is until something is due; whether that was
        possible.
        """
        yield from self._breathe()
        burst = self.bursts.take(self.step, due, self._blocks.seconds_left, partial(outer_lr, self.config))
        if burst:
            self._batch = burst.batch, burst.keys
            self._note(burst.told, burst.rates, self.stage)
        return burst is not None

    def _one(self) -> Talk[None]:
        """Take one step."""
        stage, begun = self.stage, time.perf_counter()
        gradient = yield from self._meta_gradient()
        self._update(gradient)
        if self._batch:
            self.bursts.look(*self._batch, self.session.setting(training=True, stage=stage),
                             time.perf_counter() - begun)

    def _meta_gradient(self) -> Talk[MetaGradient]:
        """Meta-gradient of this step's tasks, chunk by chunk, and summed over them."""
        tasks, stage = self.config.meta_batch, self.stage
        indices = range(self.step * tasks, (self.step + 1) * tasks)
        share = self.world.share(indices)
        batch, keys = self.session.batch("train", share.run, stage, self._wanted(share))
        self._batch = (batch, keys) if stage == "tasks" else None
        setting = self.session.setting(training=True, progress=self._progress(), stage=stage)
        chunks = self.session.chunks(len(batch), training=True)
        for tried in chunks:
            yield from self._breathe()
            with chunks.fitting(tried):
                running = self.session.executor.in_chunks(self.session.chunk, self.meta, batch, keys, setting)
                own = yield from self._breathing(running)
        self._draw_ahead(tasks)
        found = self.world.combined(own, share)
        self.hardest = self._hardest(found.aux, indices)
        return found

    def _breathing(self, running: Running) -> Talk[MetaGradient]:
        """What comes of it, with a look around wherever it lets anybody have one."""
        with closing(running):
            while True:
                try:
                    next(running)
                except StopIteration as end:
                    return cast("MetaGradient", end.value)
                self._pace.queued()
                yield from self._breathe(is_midway=True)

    def _draw_ahead(self, tasks: int) -> None:
        """Draw the tasks of the next step before anything waits for this one; but not where it decides which they are.
        """
        step, algorithm = self.step + 1, self.session.algorithm
        if step < self.config.iterations and not algorithm.draws_hard_tasks:
            share = self.world.share(range(step * tasks, (step + 1) * tasks))
            self.session.draw_ahead("train", share.run, algorithm.stage(step / self.config.iterations))

    def _wanted(self, share: Share) -> tuple[int, ...]:
        """Numbers of the classes that the tasks of this share must have."""
        begin = share.run.start - self.step * self.config.meta_batch
        return self.hardest[begin : begin + len(share.run)]

    def _hardest(self, aux: Aux, indices: range) -> tuple[int, ...]:
        """Numbers of the classes that the next tasks must have: the worst of these, unless these were chosen so."""
        if self.hardest or "hardest" not in aux.extra:
            return ()
        classes = self.session.source.classes("train", indices)
        labels = aux.extra["hardest"].cpu().numpy()
        return tuple(int(number) for number in np.take_along_axis(classes, labels[:, None], 1)[:, 0])

    @property
    def stage(self) -> Stage:
        """What the next step is shown."""
        return self.session.algorithm.stage(self._progress())

    def _progress(self) -> float:
        return self.step / self.config.iterations

    def _update(self, gradient: MetaGradient) -> None:
        rate, stage = outer_lr(self.config, self.step), self.stage
        told = self.outer.update(gradient, self.config.meta_batch, rate, self.config.clip, stage)
        self.meta = self.meta._replace(buffers={name: value.mean(0) for name, value in gradient.aux.buffers.items()})
        self._note(told, [rate], stage)

    def _note(self, told: StepMetrics, rates: list[float], stage: Stage) -> None:
        """Keep what is to be told of steps that were taken."""
        self.step += len(rates)
        self.is_probed = self.is_settled = False
        self._blocks.put(told, rates, stage)

    def _flush(self, *, waits: bool = True, looks: bool = True) -> Talk[None]:
        """Tell of the steps since the last block, see Blocks, and of how tasks are adapted to where that may be looked
        at.
        """
        self._blocks.send(self._elapsed(), self._adaptation if looks else lambda: None)
        try:
            yield from self._blocks.arrived(waits=waits)
        except DivergedError as error:
            self.step = error.step
            raise

    def _adaptation(self) -> Adaptation | None:
        """Curves of the current meta-batch, about once a second and never for more than a few per cent of the time."""
        now = time.perf_counter()
        is_wanted = self.world.is_first and now >= self._next_adaptation and not self.control.is_stopping
        if self._batch is None or not is_wanted:
            return None
        batch, keys = self._batch
        wanted = min(ADAPTATION_TASKS, len(batch), self.session.test_chunk)
        setting = replace(self.session.setting(training=True), training=False,
                          steps=self.session.inner_steps(training=False, shape=self.session.experiment.training_task()))
        chunks, traces = self.session.chunks(wanted, training=False), []
        for part in chunks:
            with chunks.fitting(part):
                traces.append(self.session.trace(self.meta, batch.part(part.start, part.stop), keys[part], setting))
        adaptation = _curves(_whole(traces))
        cost = time.perf_counter() - now
        self._next_adaptation = now + max(ADAPTATION_SECONDS, cost / ADAPTATION_SHARE)
        return adaptation

    def _next_due(self) -> int:
        """After which step there is something to do the next time."""
        intervals = map(self.session.experiment.every, (self.config.validate_every, self.config.checkpoint_every))
        return min(self.config.iterations, *((self.step // every + 1) * every for every in intervals),
                   *(step for step in _PROBE_STEPS if step > self.step))

    def _settle(self) -> Talk[None]:
        """What is due between two steps: probe, validation, checkpoint."""
        experiment, step = self.session.experiment, self.step
        validates = self._is_at_end() or step % experiment.every(self.config.validate_every) == 0
        is_better = False
        if (validates or _is_probe_step(step)) and not self.is_probed:
            yield from self._probe()
            self.is_probed = True
        if validates:
            result = yield from self._evaluate("validation", self.meta, step, self.config.validation_tasks)
            is_better = self.best.judge(result, self.meta)
        self.is_settled = True
        if self._is_at_end() or is_better or step % experiment.every(self.config.checkpoint_every) == 0:
            yield self._checkpoint(is_best=is_better)

    def _is_at_end(self) -> bool:
        return self.step >= self.config.iterations

    def _probe(self) -> Talk[None]:
        yield from self._breathe()
        if not self.world.is_first:  # there are few of them, and they are for looking at
            return
        tasks = self.session.experiment.evaluation.probe_tasks
        stage = self.session.algorithm.tested_on
        batch, keys = self.session.batch("probe", range(tasks), stage)
        setting = self.session.setting(training=False, stage=stage)
        traces, looks = [], []
        chunks = self.session.chunks(tasks, training=False)
        for part in chunks:
            yield from self._breathe()
            with chunks.fitting(part):
                traces.append(self.session.trace(self.meta, batch.part(part.start, part.stop), keys[part], setting))
        chunks = self.session.chunks(self.showcase.count, training=False)
        for part in chunks:
            yield from self._breathe()
            with chunks.fitting(part):
                looks.append(self.showcase.look(self.meta, part.start, part.stop))
        yield Probe(self.step, _curves(_whole(traces)), joined_looks(looks) if looks else None)

    def _evaluate(self, split: str, meta: Meta, step: int, tasks: int) -> Talk[Evaluation]:
        is_test = split == "test"
        for said in evaluate(self.session, meta, step, "test" if is_test else "validation", tasks, both_modes=is_test):
            if isinstance(said, Evaluation):
                yield said
                return said
            yield from self._breathe()
        raise AssertionError("an evaluation ends with a result")

    def _is_out_of_patience(self) -> bool:
        return self.config.patience is not None and self.best.stale >= self.config.patience

    def _breathe(self, *, is_midway: bool = False) -> Talk[None]:
        """Tell what happened meanwhile; stop or wait where the person asked for it.

        Args:
            is_midway: Whether the executor is at work on a meta-batch, and may not be given anything else.
        """
        while self.session.notices:
            yield Noticed(self.step, self.session.notices.pop(0))
        for sentence, is_warning in self.session.executor.news():
            yield Noticed(self.step, sentence, is_warning)
        if self.control.is_stopping:
            raise StopRequestedError
        if self.control.is_paused:
            yield from self._flush(looks=not is_midway)
            self.seconds = self._elapsed()
            yield Paused(self.step, is_paused=True)
            self.control.wait()
            self._resumed_at = time.perf_counter()
            yield Paused(self.step, is_paused=False)
            if self.control.is_stopping:
                raise StopRequestedError

    def _elapsed(self) -> float:
        return self.seconds + time.perf_counter() - self._resumed_at

    def _checkpoint(self, *, is_best: bool = False) -> Checkpoint:
        self._kept_step = self.step
        return Checkpoint(self._state(), is_best)

    def _state(self) -> TrainState:
        cpu = torch.device("cpu")
        return TrainState(
            step=self.step, meta=to_device(self.meta, cpu),
            optimizer={name: value.detach().to(cpu, copy=True) for name, value in self.outer.tensors().items()},
            best=to_device(self.best.meta, cpu), best_step=self.best.step, best_score=self.best.score,
            stale=self.best.stale,
            is_probed=self.is_probed, is_settled=self.is_settled, seconds=self._elapsed(), hardest=self.hardest,
            executor=self.session.executor.name,
            chunk=self.session.chunk, threads=self.session.executor.threads, test_chunk=self.session.test_chunk,
            weights_by_columns=self.session.weights_by_columns, why=self.why)

    def _started(self) -> Started:
        session = self.session
        overview = session.source.overview()
        remedy = devices.missing_cuda() if session.device.type == "cpu" else ""
        return Started(
            step=self.step, iterations=self.config.iterations, meta_batch=self.config.meta_batch,
            device=str(session.device), device_title=devices.title(session.device),
            executor=session.executor.name, chunk=session.chunk, threads=session.executor.threads,
            parameters=sum(value.numel() for value in self.meta.params.values()), metric=session.metric,
            spec=session.spec, floors=session.floors(),
            notices=(*overview.problems, *(one for one in (remedy, warning(session)) if one)),
            versions={"workbench": workbench.__version__, "torch": torch.__version__,
                      "python": platform.python_version()},
            shown=self.showcase.tasks(), drawings=session.algorithm.drawings(), why=self._said_why)


def _is_probe_step(step: int) -> bool:
    """Early on learning is fast, so probes stand at 0, 1, 2, 5, 10, 20, 50 and so on beside every validation."""
    return step in _PROBE_STEPS


def _whole(traces: list[Trace]) -> Trace:
    return Trace(*(torch.cat(parts) for parts in zip(*traces, strict=True)))


def _curves(trace: Trace) -> Adaptation:
    return Adaptation(*(values.cpu().double().numpy() for values in trace))
