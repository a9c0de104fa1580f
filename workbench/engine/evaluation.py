"""Judging meta-parameters on fixed seeded tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np

from workbench.algorithms.base import Meta
from workbench.engine.events import Curve, Evaluation, Score
from workbench.engine.session import Session
from workbench.tasks.base import Stream

Mode = Literal["transductive", "inductive"]
MODES: tuple[Mode, ...] = ("transductive", "inductive")


def metrics_by_step(session: Session, meta: Meta, stream: Stream, tasks: int, *, inductive: bool | None = None
                    ) -> Iterator[Curve]:
    """Metric [some tasks, inner steps + 1] of one chunk of tasks after another, so that the caller may stop between.

    Args:
        session: The opened experiment.
        meta: What to judge.
        stream: Which tasks.
        tasks: How many, from index 0.
        inductive: Normalize the query with the support's statistics; None for as the experiment says.
    """
    stage = session.algorithm.tested_on
    setting = session.setting(training=False, inductive=inductive, stage=stage)
    chunk = session.test_chunk
    for start in range(0, tasks, chunk):
        batch, keys = session.batch(stream, range(start, min(start + chunk, tasks)), stage)
        yield session.trace(meta, batch, keys, setting).metric.cpu().double().numpy()


def evaluate(session: Session, meta: Meta, step: int, split: Literal["validation", "test"], tasks: int, *,
             both_modes: bool) -> Iterator[float | Evaluation]:
    """Judge on fixed tasks: yields the share that is done after every chunk, and the result at the end.

    Args:
        session: The opened experiment.
        meta: What to judge.
        step: Outer steps behind it, for the record.
        split: Which tasks.
        tasks: How many.
        both_modes: Where transductive and inductive normalization differ, score both.
    """
    own: Mode = "inductive" if session.backbone.is_inductive else "transductive"
    differ = both_modes and session.backbone.depends_on_batch and session.algorithm.tested_on == "tasks"
    modes = [own, *(mode for mode in MODES if mode != own)] if differ else [own]
    curves: dict[Mode, Curve] = {}
    for number, mode in enumerate(modes):
        parts: list[Curve] = []
        for part in metrics_by_step(session, meta, split, tasks, inductive=mode == "inductive"):
            parts.append(part)
            yield (number + sum(map(len, parts)) / tasks) / len(modes)
        curves[mode] = np.concatenate(parts)
    by_step = tuple(score(column) for column in curves[own].T)
    scores: dict[str, Score] = {str(mode): score(curve[:, -1]) for mode, curve in curves.items()} if differ else {}
    yield Evaluation(step, split, tasks, session.metric, by_step[-1], scores, by_step)


def score(values: Curve) -> Score:
    """Mean of per-task means [tasks] and the half width of its 95 % interval."""
    with np.errstate(invalid="ignore", over="ignore"):  # a learner that diverges on a task scores no number
        return Score(float(values.mean()), float(1.96 * values.std(ddof=1) / math.sqrt(len(values))))
