"""The inner loop: adapting to one task, and judging what comes of it before the first inner step and after each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Context, Meta, State, adapt
from workbench.tasks.base import Task


class Trace(NamedTuple):
    """The query set before the first inner step and after each: [steps + 1] of every task."""

    loss: Tensor
    metric: Tensor


def trace_task(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> Trace:
    """Adapt to one task and judge it before the first inner step and after each."""
    if ctx.stage == "examples":
        outputs, targets = algorithm.predict_examples(meta, task.query.inputs, ctx), task.query.targets
        return Trace(algorithm.loss(outputs, targets)[None], algorithm.metric(outputs, targets)[None])
    return adapt_and_trace(algorithm, meta, task, ctx)[1]


def adapt_and_trace(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[State, Trace]:
    """The state that one task leads to, and how it was judged on the way."""
    losses: list[Tensor] = []
    metrics: list[Tensor] = []
    answer = algorithm.answers(meta, task.query.inputs, ctx)

    def judge(state: State, now: Context) -> None:
        outputs = answer(state, now)
        losses.append(algorithm.loss(outputs, task.query.targets))
        metrics.append(_metric(algorithm, outputs, task))

    state = adapt(algorithm, meta, task.support, ctx, judge)
    return state, Trace(torch.stack(losses), torch.stack(metrics))


def judged_both_ways(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[Tensor, Tensor]:
    """Adapt to one task once and judge it [steps + 1] as it is normalized, and at the end [] the other way."""
    state, trace = adapt_and_trace(algorithm, meta, task, ctx)
    other = replace(ctx.adapted, reference=task.support.inputs if ctx.reference is None else None)
    outputs = algorithm.predict(meta, state, task.query.inputs, other)
    return trace.metric, _metric(algorithm, outputs, task)


def _metric(algorithm: Algorithm[Any], outputs: Tensor, task: Task) -> Tensor:
    """The metric of outputs for the query set; no number where they are none, for some class is always the likeliest.
    """
    metric = algorithm.metric(outputs, task.query.targets)
    return torch.where(outputs.isfinite().all(), metric, torch.nan)
