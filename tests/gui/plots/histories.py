"""Runs that never were: histories made of real events, with numbers that anybody can foretell."""

from __future__ import annotations

import numpy as np

from workbench.algorithms.base import Stage
from workbench.engine.events import Adaptation, Evaluation, Finished, Probe, Score, Shown, ShownTask, Started, Steps
from workbench.gui.plots.shown import ShownRun
from workbench.runs.history import History
from workbench.tasks.base import Spec

WAYS = 5
META_BATCH = 4


def started(metric: str = "accuracy", *, vectors: bool = False) -> Started:
    classifies = metric == "accuracy"
    shape = (1, 12, 12) if classifies and not vectors else (2,) if vectors else (1,)
    tasks = tuple(_shown_task(classifies, shape, number) for number in range(2))
    floors = {"nearest mean": 0.4} if classifies else {"best without adapting": 3.0}
    return Started(
        0, 1000, META_BATCH, "cpu", "a processor", "vectorized", 4, 1, 100, metric,  # type: ignore[arg-type]
        Spec("classification" if classifies else "regression", "image" if len(shape) == 3 else "vector", shape, WAYS),
        floors, (), {}, tasks)


def _shown_task(classifies: bool, shape: tuple[int, ...], number: int) -> ShownTask:
    generator = np.random.default_rng(number)
    if classifies:
        inputs = [generator.integers(0, 255, (count, *shape)).astype(np.uint8) for count in (WAYS, 2 * WAYS)]
        if len(shape) == 1:
            inputs = [one.astype(float) for one in inputs]
        names = tuple(f"character {index}" for index in range(WAYS))
        return ShownTask(f"task {number}", names, inputs[0], np.arange(float(WAYS)), inputs[1],
                         np.repeat(np.arange(float(WAYS)), 2))
    support = generator.uniform(-5, 5, (10, *shape))
    query = np.linspace(-5, 5, 21)[:, None] if shape == (1,) else generator.uniform(-5, 5, (21, *shape))
    return ShownTask(f"wave {number}", (), support, np.sin(support[:, :1]), query, np.sin(query[:, :1]))


def outputs(one: Started, inner: int, share: float) -> Shown:
    """Predictions that come nearer to the truth, by `share`, with every inner step."""
    found = []
    for task in one.shown:
        assert task.query_targets is not None
        if one.spec.kind == "classification":
            truth = np.eye(WAYS)[task.query_targets.astype(int)]
            guess = np.full_like(truth, 1 / WAYS)
            guess[:, 0] += 0.1
        else:
            truth, guess = task.query_targets, np.zeros_like(task.query_targets)
        weights = [share * step / max(inner, 1) for step in range(inner + 1)]
        found.append([weight * truth + (1 - weight) * guess for weight in weights])
    return Shown(tuple(range(inner + 1)), np.array(found))


def block(first: int, count: int, inner: int = 3, stage: Stage = "tasks") -> Steps:
    steps = np.arange(first, first + count)
    loss = 2 / np.sqrt(steps) + 0.1 * np.cos(steps) + (2 if stage == "examples" else 0)
    tasks = np.linspace(0.8, 1.2, META_BATCH)[:, None] / (1 + np.arange(inner + 1.0))
    return Steps(first, loss, 1 - loss / 4, np.full(count, 0.1), np.ones(count), (first + count - 1) * 0.01,
                 Adaptation(tasks, 1 - tasks / 2), stage)


def history(steps: int = 200, *, metric: str = "accuracy", inner: int = 3, is_finished: bool = False,
            vectors: bool = False, pretrained: int = 0) -> History:
    """A run with a probe every 20 steps and a validation every 50, after some steps over examples."""
    made = History()
    begun = started(metric, vectors=vectors)
    made.add(begun)
    for first in range(1, steps + 1, 10):
        event = block(first, 10, inner, "examples" if first <= pretrained else "tasks")
        made.add(event)
        assert event.adaptation is not None
        if event.last % 20 == 0:
            made.add(Probe(event.last, event.adaptation, outputs(begun, inner, min(1.0, event.last / 100))))
        if event.last % 50 == 0:
            made.add(Evaluation(event.last, "validation", 600, begun.metric, Score(event.last / 400, 0.01), {}, ()))
    if is_finished:
        scores = tuple(Score(0.3 + 0.15 * number, 0.02) for number in range(inner + 1))
        modes = {"transductive": scores[-1], "inductive": Score(0.5, 0.03)}
        made.add(Evaluation(steps, "test", 1000, begun.metric, scores[-1], modes, scores))
        made.add(Finished(steps, "finished", made.seconds))
    return made


def run(name: str = "maml-0001", color_index: int = 0, one: History | None = None) -> ShownRun:
    return ShownRun(name, name, history() if one is None else one, color_index)
