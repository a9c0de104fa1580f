"""A few probe tasks to look at: their pictures or points, and what is predicted after every inner step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.algorithms.base import Algorithm, Context, Meta, State, adapt
from workbench.backbones.base import Params
from workbench.engine.events import Curve, Pixels, Shown, ShownTask
from workbench.engine.session import Session
from workbench.tasks.base import Examples, Task, TaskBatch

TASKS = 3
QUERIES_A_CLASS = 3
LARGEST_SIDE = 48
MOST_INNER_STEPS = 11
GRID = 101
# How far rounding may take pixels out of [0, 1] when they are normalized and back.
_NEARLY = 1e-3


class Showcase:
    """The first probe tasks of a session; none where the learner is not tested on tasks.

    Args:
        session: The opened experiment.

    Attributes:
        count: How many tasks are shown.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.count = min(TASKS, session.experiment.evaluation.probe_tasks)
        if session.algorithm.tested_on == "examples":
            self.count = 0
            return
        batch, self._keys = session.batch("probe", range(self.count))
        self._classifies = session.spec.kind == "classification"
        self._is_function = not self._classifies and session.spec.input_shape == (1,)
        self._batch = self._on_grid(batch) if self._is_function else batch
        self._shown = self._few_queries(batch) if self._classifies else range(len(self._batch.query.inputs[0]))

    def _on_grid(self, batch: TaskBatch) -> TaskBatch:
        """The same tasks, asked for the whole function rather than for their queries."""
        everything = torch.cat([batch.support.inputs, batch.query.inputs], 1)
        low, high = everything.min().item(), everything.max().item()
        grid = torch.linspace(low, high, GRID, device=everything.device, dtype=everything.dtype)
        inputs = grid.view(1, -1, 1).expand(len(batch), -1, -1)
        unknown = inputs.new_zeros(len(batch), GRID, self._session.spec.outputs)
        return TaskBatch(batch.support, Examples(inputs, unknown))

    def _few_queries(self, batch: TaskBatch) -> list[int]:
        """Indices of the first few queries of every class."""
        seen: dict[int, int] = {}
        chosen = []
        for index, label in enumerate(batch.query.targets[0].tolist()):
            seen[label] = seen.get(label, 0) + 1
            if seen[label] <= QUERIES_A_CLASS:
                chosen.append(index)
        return chosen

    def tasks(self) -> tuple[ShownTask, ...]:
        """The tasks as a person sees them."""
        return tuple(self._task(index) for index in range(self.count))

    def _task(self, index: int) -> ShownTask:
        about = self._session.source.describe("probe", index)
        task = self._batch.task(index)
        query = task.query.inputs[list(self._shown)]
        targets: Tensor | None = task.query.targets[list(self._shown)]
        if self._is_function:
            targets = self._session.source.truth("probe", index, query)
        return ShownTask(
            title=about.title, class_names=about.class_names,
            support_inputs=self._seen(task.support.inputs), support_targets=_array(task.support.targets),
            query_inputs=self._seen(query), query_targets=None if targets is None else _array(targets))

    def _seen(self, inputs: Tensor) -> Curve | Pixels:
        """Pictures as small uint8 ones, vectors and series as they are."""
        spec = self._session.spec
        if spec.input_kind != "image":
            return _array(inputs)
        mean, deviation = (torch.tensor(values).view(-1, 1, 1) for values in (spec.mean, spec.deviation))
        # On the CPU: not every device averages over areas whose sides do not divide.
        pixels = inputs.cpu() * deviation + mean
        longest = max(pixels.shape[2:])
        if longest > LARGEST_SIDE:
            size = [max(1, round(side * LARGEST_SIDE / longest)) for side in pixels.shape[2:]]
            pixels = F.interpolate(pixels, size=size, mode="area")
        low, high = pixels.min(), pixels.max()
        if low < -_NEARLY or high > 1 + _NEARLY:  # no light and ink but, say, decibels: seen by their own range
            pixels = (pixels - low) / (high - low)
        return cast("Pixels", (pixels.clamp(0, 1) * 255).round().to(torch.uint8).numpy())

    def look(self, meta: Meta, start: int, stop: int) -> Shown:
        """Predictions for the tasks from start up to stop, after some of the inner steps, the last among them."""
        setting = self._session.setting(training=False)
        part, keys = self._batch.part(start, stop), self._keys[start:stop]
        outputs, drawn = self._session.executor.map(_outputs, meta, part, keys, setting)
        count = outputs.shape[1]
        steps = np.unique(np.linspace(0, count - 1, min(count, MOST_INNER_STEPS)).round().astype(int))
        at = torch.from_numpy(steps).to(outputs.device)
        chosen = outputs[:, at][:, :, list(self._shown)]
        if self._classifies:
            chosen = chosen.softmax(-1)
        return Shown(tuple(steps.tolist()), np.round(_array(chosen), 4),
                     {name: _rounded(_array(values[:, at])) for name, values in drawn.items()})


def joined_looks(looks: Sequence[Shown]) -> Shown:
    """The looks at some tasks and at those after them as one."""
    return Shown(looks[0].inner_steps, np.concatenate([look.outputs for look in looks]),
                 {name: np.concatenate([look.drawn[name] for look in looks]) for name in looks[0].drawn})


def _rounded(values: Curve) -> Curve:
    """To four digits of the largest, for what is only looked at."""
    largest = float(np.abs(values).max(initial=0.0))
    return np.round(values, 4 - math.ceil(math.log10(largest))) if math.isfinite(largest) and largest > 0 else values


def _array(values: Tensor) -> Curve:
    return values.detach().cpu().double().numpy()


def _outputs(algorithm: Algorithm[Any], meta: Meta, task: Task, ctx: Context) -> tuple[Tensor, Params]:
    """[inner steps + 1, queries, outputs], and every drawing [inner steps + 1, rows, columns]."""
    found: list[Tensor] = []
    drawn: list[Params] = []

    answer = algorithm.answers(meta, task.query.inputs, ctx)

    def watch(state: State, now: Context) -> None:
        found.append(answer(state, now))
        drawn.append(algorithm.draw(meta, state, task, now))

    adapt(algorithm, meta, task.support, ctx, watch)
    return torch.stack(found), {name: torch.stack([one[name] for one in drawn]) for name in drawn[0]}
