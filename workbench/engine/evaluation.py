"""Judging meta-parameters on fixed seeded tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch

from workbench.algorithms.base import Meta
from workbench.engine.events import Curve, Evaluation, Score
from workbench.engine.inner_loop import judged_both_ways
from workbench.engine.session import Session
from workbench.tasks.base import Stream
from workbench.tasks.sampling.judging import by_task

MODES = ("transductive", "inductive")


def metrics(session: Session, meta: Meta, stream: Stream, tasks: int, *, both_modes: bool = False
            ) -> Iterator[tuple[Curve, ...]]:
    """Metrics of one chunk of tasks after another, so that the caller may stop between.

    Args:
        session: The opened experiment.
        meta: What to judge.
        stream: Which tasks.
        tasks: How many, from index 0.
        both_modes: Judge by both normalizations.

    Yields:
        [some tasks, inner steps + 1], normalized as the experiment says; with both modes also [some tasks] after the
        last inner step, normalized the other way.
    """
    stage = session.algorithm.tested_on
    setting = session.setting(training=False, stage=stage)
    world = session.world
    session.test_chunk = world.minimum(session.test_chunk)
    chunk = session.test_chunk * world.size
    for start in range(0, tasks, chunk):
        share = world.share(range(start, min(start + chunk, tasks)))
        batch, keys = session.batch(stream, share.run, stage)
        chunks, parts = session.chunks(len(batch), training=False), []
        for part in chunks:
            with chunks.fitting(part):
                own = meta, batch.part(part.start, part.stop), keys[part], setting
                parts.append(session.executor.map(judged_both_ways, *own) if both_modes
                             else (session.trace(*own).metric,))
        found = (torch.cat(columns) for columns in zip(*parts, strict=True))
        yield tuple(world.gathered(values, share).cpu().double().numpy() for values in found)


def evaluate(session: Session, meta: Meta, step: int, split: Literal["validation", "test"], tasks: int, *,
             both_modes: bool) -> Iterator[float | Evaluation]:
    """Judge on fixed tasks: yields the share that is done after every chunk, and the result at the end.

    Args:
        session: The opened experiment.
        meta: What to judge.
        step: Outer steps behind it, for the record.
        split: Which tasks.
        tasks: How many; no more than there are different ones, or the interval would be too narrow. Where tasks come
            again with other examples, the mean of each counts once, and the result says how many tasks these were.
        both_modes: Where transductive and inductive normalization differ, score both.
    """
    tasks = min(tasks, max(2, session.source.distinct(split) or tasks))
    differ = both_modes and session.backbone.depends_on_batch and session.algorithm.tested_on == "tasks"
    parts: list[tuple[Curve, ...]] = []
    for part in metrics(session, meta, split, tasks, both_modes=differ):
        parts.append(part)
        yield sum(len(curve) for curve, *_ in parts) / tasks
    curve, *others = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    around = session.source.round_of(split) if session.algorithm.tested_on == "tasks" else None
    curve, *others = (by_task(values, around) for values in (curve, *others))
    by_step = tuple(score(column) for column in curve.T)
    modes = MODES if not session.backbone.is_inductive else MODES[::-1]
    scores = dict(zip(modes, (by_step[-1], *map(score, others)), strict=True)) if differ else {}
    yield Evaluation(step, split, len(curve), session.metric, by_step[-1], scores, by_step)


def score(values: Curve) -> Score:
    """Mean of per-task means [tasks] and the half width of its 95 % interval."""
    with np.errstate(invalid="ignore", over="ignore"):  # a learner that diverges on a task scores no number
        return Score(float(values.mean()), float(1.96 * values.std(ddof=1) / math.sqrt(len(values))))
