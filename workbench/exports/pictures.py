"""A classification task described once, without Qt: its support and query pictures and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.engine.events import Curve, Pixels, Shown, ShownTask
from workbench.exports.figures import Figure, Reference, Series
from workbench.runs.history import History


@dataclass(frozen=True)
class Judged:
    """A query picture.

    Attributes:
        pixels: [channels, height, width].
        predicted: Name of the class that is thought most likely.
        probability: How likely, from 0 to 1.
        is_right: Whether it is that class; None where nobody knows.
    """

    pixels: Pixels
    predicted: str
    probability: float
    is_right: bool | None


@dataclass(frozen=True)
class ClassRow:
    """A class: its name, its support pictures and its queries."""

    name: str
    support: tuple[Pixels, ...]
    queries: tuple[Judged, ...]


@dataclass(frozen=True)
class PictureTask:
    """A task to look at.

    Attributes:
        title: The task in words.
        facts: Where in training and adaptation, and how many queries are right.
        rows: Its classes.
        steps: The inner steps that were kept.
        right: How many queries are right after each of them.
        queries: How many there are.
    """

    title: str
    facts: str
    rows: tuple[ClassRow, ...]
    steps: tuple[int, ...]
    right: tuple[int, ...]
    queries: int


def picture_task(history: History, task: int, step: int, probe: int) -> PictureTask:
    """A shown task after one of the inner steps, at one of the probes with predictions."""
    about, shown, moment = _looked_at(history, task, probe)
    step = min(step, len(shown.inner_steps) - 1)
    outputs = shown.outputs[task]
    truth = about.query_targets.reshape(-1).astype(int) if about.query_targets is not None else None
    right = tuple(int((one.argmax(-1) == truth).sum()) for one in outputs) if truth is not None else ()
    judged = [_judged(about, outputs[step][index], index, truth) for index in range(outputs.shape[1])]
    rows = []
    for number, name in enumerate(about.class_names):
        support = tuple(np.asarray(about.support_inputs[index]) for index in np.flatnonzero(
            about.support_targets.reshape(-1) == number))
        mine = range(number, len(judged), len(about.class_names)) if truth is None else np.flatnonzero(truth == number)
        rows.append(ClassRow(name, support, tuple(judged[index] for index in mine)))
    count = f" · {right[step]} of {len(judged)} right" if right else ""
    facts = f"iteration {moment:,} · inner step {shown.inner_steps[step]} of {shown.inner_steps[-1]}{count}"
    return PictureTask(about.title, facts, tuple(rows), shown.inner_steps, right, len(judged))


def probabilities(history: History, task: int, step: int, probe: int) -> Figure:
    """Probability of the true class for each query, for classes of things that are no pictures."""
    about, shown, moment = _looked_at(history, task, probe)
    if about.query_targets is None:
        return Figure(about.title, note="Nobody knows the true classes of this task, so there is nothing to compare.")
    step = min(step, len(shown.inner_steps) - 1)
    outputs = shown.outputs[task][step]
    truth = about.query_targets.reshape(-1).astype(int)
    right = int((outputs.argmax(-1) == truth).sum())
    likely = 100 * outputs[np.arange(len(truth)), truth]
    facts = (f"iteration {moment:,} · inner step {shown.inner_steps[step]} of {shown.inner_steps[-1]} · "
             f"{right} of {len(truth)} right")
    series = Series("queries", np.arange(1.0, len(truth) + 1), likely, "points", "queries", 0)
    chance = 100 / outputs.shape[-1]
    return Figure(about.title, facts, "query", "probability of the true class, %", (series,),
                  (Reference(f"chance {chance:.3g}", chance),), bounds=(0.0, 100.0))


def _looked_at(history: History, task: int, probe: int) -> tuple[ShownTask, Shown, int]:
    assert history.started is not None  # noqa: S101 - narrows for the type checker
    moment = [one for one in history.probes if one.shown][probe]
    assert moment.shown is not None  # noqa: S101 - narrows for the type checker
    return history.started.shown[task], moment.shown, moment.step


def _judged(about: ShownTask, output: Curve, index: int, truth: Curve | None) -> Judged:
    best = int(output.argmax())
    return Judged(np.asarray(about.query_inputs[index]), about.class_names[best], float(output[best]),
                  None if truth is None else bool(best == truth[index]))
