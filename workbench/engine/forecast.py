"""How much memory a run will take, before it is started.

A meta-gradient is carried out on tensors that have a shape and no numbers, while every byte that its operations hold is
counted. That takes no memory and hardly any time, and leaves out only what libraries use inside one operation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psutil
import torch
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Meta, Stage
from workbench.engine.distribution.launch import launch
from workbench.engine.executors.vectorized import Vectorized
from workbench.engine.inner_loop import judged_both_ways, trace_task
from workbench.engine.measuring.chooser import foresee
from workbench.engine.memory.allocations import Allocations
from workbench.engine.memory.outline import Outline, bare, held, spread
from workbench.engine.session import Session
from workbench.experiment.experiment import Experiment
from workbench.tasks.base import TaskBatch
from workbench.words import size_in_words

# Memory grows by the same with every inner step, so that a long loop is told by two short ones.
_FEW_STEPS = (3, 4)
# Second derivatives hold about six times what a forward pass puts out.
_MANY_TIMES = 8
_BY_FAR = 2


@dataclass(frozen=True)
class Forecast:
    """Bytes that a run will take on its device.

    Attributes:
        data: The dataset and the tasks of one meta-batch.
        learner: Meta-parameters, the best of them, the outer optimizer's state and, on the CPU, a checkpoint.
        training, testing: The most that is held beside these while tasks are run.
        available: What the device has free at this moment.
        may_recompute: Whether it would take less if inner steps were recomputed.
        is_kept: Whether what training takes is held while tasks are tested, as captured graphs do.
    """

    data: int
    learner: int
    training: int
    testing: int
    available: int
    may_recompute: bool = False
    is_kept: bool = False

    @property
    def total(self) -> int:
        """The most that is held at once."""
        at_once = self.training + self.testing if self.is_kept else max(self.training, self.testing)
        return self.data + self.learner + at_once

    @property
    def fits(self) -> bool:
        """Whether the device has that much."""
        return self.total <= self.available

    def sentence(self) -> str:
        """What is to be said of it, without a full stop."""
        sizes = f"about {size_in_words(self.total)} of {size_in_words(self.available)} that are free"
        if self.fits:
            return f"memory: {sizes}"
        more = ", or switch training.recompute on" if self.may_recompute else ""
        return (f"memory may run out: the run takes {sizes}; lower the inner steps, the shots and queries or the size "
                f"of the backbone{more}. Where memory does run out fewer tasks are run at once")


def forecast(session: Session) -> Forecast:
    """What an opened experiment will take; nothing is computed, and little is held meanwhile."""
    meta = bare(session.algorithm.init(torch.Generator().manual_seed(session.experiment.seed)))
    own = _bytes(meta)
    training, batches = 0, 0
    for stage in dict.fromkeys((session.algorithm.stage(0.0), session.algorithm.stage(1.0))):
        task, batch = _one_task(session, stage, training=True)
        batches = max(batches, batch)
        training = max(training, _of_training(session, meta, task, stage))
    task, _ = _one_task(session, session.algorithm.tested_on, training=False)
    source = session.source
    kept = source.size if isinstance(source, Outline) else held(source, session.device)
    return Forecast(data=kept + batches, learner=_of_learner(session, own), training=training,
                    testing=_of_testing(session, meta, task), available=available(session.device),
                    may_recompute=_may_recompute(session),
                    is_kept=session.acceleration(session.executor.name) == "graphs")


def _may_recompute(session: Session) -> bool:
    experiment = session.experiment
    has_steps = session.inner_steps(training=True) > 1 and not session.algorithm.keeps_no_steps(experiment.algorithm)
    return has_steps and not experiment.training.recompute


def foretold(experiment: Experiment, outline: Outline) -> Forecast:
    """What an experiment would take on tasks of these shapes, in the way that it would be run as far as is known."""
    session = Session(experiment, source=outline)
    try:
        session.use(foresee(session).way)
        return forecast(session)
    finally:
        session.close()


def warning(session: Session) -> str:
    """What to say of memory before a run begins; empty where there is enough by far, which is seen at a glance."""
    if _at_a_glance(session) < available(session.device) / _BY_FAR:
        return ""
    found = forecast(session)
    return "" if found.fits else found.sentence()


def _at_a_glance(session: Session) -> float:
    """More bytes than a run is likely to take: what layers put out for every example, many times over."""
    sizes: list[int] = []
    layers = [one for one in session.algorithm.network.module.modules() if not list(one.children())]
    hooks = [one.register_forward_hook(lambda _, __, output: sizes.append(_bytes(output))) for one in layers]
    try:
        with torch.no_grad():
            session.algorithm.network.module(torch.zeros(2, *session.spec.input_shape))
    finally:
        for hook in hooks:
            hook.remove()
    parameters = sum(one.numel() * one.element_size() for one in session.algorithm.network.module.parameters())
    most = 0.0
    for shape, tasks, training in ((session.experiment.training_task(), session.chunk, True),
                                   (session.experiment.task, session.test_chunk, False)):
        ways = shape.ways if session.spec.kind == "classification" else 1
        examples = max(ways * (shape.shots + shape.queries), session.algorithm.example_batch)
        steps = 1 + session.inner_steps(training=training) * training
        most = max(most, tasks * steps * (examples * sum(sizes) / 2 + parameters))
    return _MANY_TIMES * most + held(session.source, session.device)


def _of_learner(session: Session, own: int) -> int:
    """The meta-parameters, the best of them, their optimizer's state, and what a checkpoint copies of these."""
    moments = 2 if session.experiment.training.optimizer == "adam" else 0
    kept = (2 + moments) * own
    return 2 * kept if session.device.type == "cpu" else kept


def _one_task(session: Session, stage: Stage, *, training: bool) -> tuple[TaskBatch, int]:
    """A task without numbers, and the bytes of a meta-batch of such."""
    batch, _ = session.batch("train" if training else "validation", range(1), stage)
    share = session.world.share(range(session.experiment.training.meta_batch))
    return bare(batch), _bytes(batch) * len(share.run)


def _of_training(session: Session, meta: Meta, task: TaskBatch, stage: Stage) -> int:
    """The most that a chunk of tasks holds while it is differentiated."""
    whole = len(session.world.share(range(session.experiment.training.meta_batch)).run)
    runner, setting = Vectorized(session.algorithm, 1), session.setting(training=True, stage=stage)

    def peak(steps: int, tasks: int) -> int:
        batch, keys = spread(task, tasks), torch.empty(tasks, dtype=torch.int64, device="meta")
        return _peak(lambda: runner.gradient(meta, batch, keys, replace(setting, steps=steps)))

    # What threads give waits for those before it, beside the sum and what is added to it; and what a chunk gives waits
    # for the chunks after it.
    waiting = min(whole, session.executor.threads + 2) if session.executor.is_pooled else 1 + (session.chunk < whole)
    groups = Counter(session.executor.under_way(session.chunk, whole))
    peaks = {tasks: _over_steps(partial(peak, tasks=tasks), setting.steps) for tasks in groups}
    return sum(count * peaks[tasks] for tasks, count in groups.items()) + waiting * _bytes(meta.params)


def _of_testing(session: Session, meta: Meta, task: TaskBatch) -> int:
    """The most that a chunk of tasks holds while it is judged."""
    groups = session.executor.under_way(session.test_chunk, session.test_chunk)
    stage = session.algorithm.tested_on
    runner, setting = Vectorized(session.algorithm, 1), session.setting(training=False, stage=stage)
    judged = judged_both_ways if session.backbone.depends_on_batch and stage == "tasks" else trace_task

    def peak(steps: int) -> int:
        batch, keys = spread(task, groups[0]), torch.empty(groups[0], dtype=torch.int64, device="meta")
        return _peak(lambda: runner.map(judged, meta, batch, keys, replace(setting, steps=steps)))

    return len(groups) * _over_steps(peak, setting.steps) + session.test_chunk * _bytes(task)


def _over_steps(peak: Callable[[int], int], steps: int) -> int:
    few, more = _FEW_STEPS
    if steps <= more:
        return peak(steps)
    begun = peak(few)
    return begun + (steps - few) * max(0, peak(more) - begun)


def _peak(work: Callable[[], Any]) -> int:
    with Allocations() as counted:
        work()
    peak: int = counted.peak
    return peak


def available(device: torch.device) -> int:
    """Bytes that a device has free, what torch keeps for itself included."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    place = launch()  # processes on one machine share its memory
    return int(psutil.virtual_memory().available) // (place.local_size if place else 1)


def _bytes(tree: Any) -> int:
    return sum(value.numel() * value.element_size() for value in pytree.tree_leaves(tree))
