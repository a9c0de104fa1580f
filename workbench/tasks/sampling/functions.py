"""Regression on functions that a few random numbers decide: what every family of functions shares."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice, field
from workbench.tasks.base import Description, Examples, Floor, Spec, Stream, TaskBatch, TaskSource
from workbench.tasks.sampling.ahead import Ahead, placed
from workbench.tasks.sampling.draws import Draws

# Of a held-out parameter's range, cut into twentieths, each stream draws from some alone. They lie on both sides of the
# middle alike and near and far from it, so that the tasks of every stream have nearly the same mean and deviation.
_PARTS = 20
_VALIDATION, _TEST = (3, 5, 14, 16), (2, 7, 12, 17)
_TRAIN = tuple(part for part in range(_PARTS) if part not in _VALIDATION + _TEST)
_PARTS_OF: dict[Stream, tuple[int, ...]] = {
    "train": _TRAIN, "validation": _VALIDATION, "probe": _VALIDATION, "test": _TEST}
_FLOOR_TASKS, _MEAN_TASKS, _RIDGE = 200, 1000, 1.0


class FunctionTasksConfig(Choice):
    """What every family of functions lets a person choose."""

    noise: float = field(0.0, label="Noise", help="Standard deviation of what is added to every support value.",
                         ge=0, le=10, advanced=True)


def held_out(numbers: Tensor, stream: Stream) -> Tensor:
    """Numbers in [0, 1), uniform over the twentieths of that range which a stream may draw from.

    Args:
        numbers: Uniform in [0, 1).
        stream: Training has twelve twentieths, both ends among them; validation and testing have four others each.
    """
    parts = torch.tensor(_PARTS_OF[stream], dtype=numbers.dtype)
    places = numbers * len(parts)
    # A number just below 1 may round up to the number of parts.
    which = places.long().clamp(max=len(parts) - 1)
    return (parts[which] + places - which) / _PARTS


class FunctionTasks(TaskSource):
    """Draws functions, and points of them; a subclass says which functions, and where their points lie.

    Everything is computed in float64 on the CPU and handed out in float32. The inputs of a task are
    (raw - `spec.mean`) / `spec.deviation`; the values are as they are.

    Attributes:
        config: The dataset's own fields.
    """

    config: FunctionTasksConfig
    task_kinds = frozenset({"regression"})
    input_kinds = frozenset({"vector"})

    def __init__(self, experiment: Experiment, device: torch.device) -> None:
        super().__init__(experiment, device)
        assert isinstance(experiment.dataset, FunctionTasksConfig)  # noqa: S101 - narrows for the type checker
        self.config = experiment.dataset
        self.spec = self.specify()
        self._ahead: Ahead[tuple[Tensor, Tensor, Tensor, Tensor]] = Ahead()

    @abstractmethod
    def specify(self) -> Spec:
        """What the inputs and values are."""

    @abstractmethod
    def parameters(self, draws: Draws, stream: Stream) -> Tensor:
        """[tasks, parameters] what decides each function, float64."""

    @abstractmethod
    def places(self, draws: Draws, count: int) -> Tensor:
        """[tasks, count, features] raw inputs, float64."""

    @abstractmethod
    def values(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """[tasks, n, outputs] values of functions [tasks, parameters] at raw inputs [tasks, n, features]."""

    @abstractmethod
    def in_words(self, parameters: Sequence[float]) -> str:
        """One function in words."""

    def functions(self, stream: Stream, indices: Sequence[int]) -> tuple[Draws, Tensor]:
        """Draws that the parameters were taken from, and the parameters [tasks, parameters]."""
        draws = Draws(self.seed, f"{self.name()}/{stream}", indices)
        return draws, self.parameters(draws, stream)

    def sample(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()) -> TaskBatch:  # noqa: ARG002
        """Tasks with inputs [tasks, n, features] and targets [tasks, n, outputs], float32."""
        inputs, targets, asked, answers = self._ahead.take((stream,), indices, partial(self._examples, stream))
        return TaskBatch(Examples(placed(inputs, self.device), placed(targets, self.device)),
                         Examples(placed(asked, self.device), placed(answers, self.device)))

    def draw_ahead(self, stream: Stream, indices: range, portion: int = 0) -> None:
        """Whole tasks, which the CPU computes anyway."""
        if not portion:
            shape = self.shapes[stream]
            numbers = (shape.shots + shape.queries) * math.prod(self.spec.input_shape)
            self._ahead.draw((stream,), indices, numbers, partial(self._examples, stream))

    def _examples(self, stream: Stream, indices: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs and targets of the support sets, and of the queries, on the CPU, float32."""
        shape = self.shapes[stream]
        draws, parameters = self.functions(stream, indices)
        inputs = self.places(draws, shape.shots + shape.queries)
        targets = self.values(parameters, inputs)
        if self.config.noise:
            targets[:, : shape.shots] += self.config.noise * _noise(draws, len(indices), shape.shots, self.spec.outputs)
        mean, deviation = self._scale()
        inputs, targets = ((inputs - mean) / deviation).float(), targets.float()
        support, query = slice(None, shape.shots), slice(shape.shots, None)
        return (inputs[:, support].contiguous(), targets[:, support].contiguous(), inputs[:, query].contiguous(),
                targets[:, query].contiguous())

    def describe(self, stream: Stream, index: int) -> Description:
        """What decides the function."""
        return Description(self.in_words(self.functions(stream, [index])[1][0].tolist()))

    def truth(self, stream: Stream, index: int, inputs: Tensor) -> Tensor:
        """The function itself at inputs [n, features]."""
        parameters = self.functions(stream, [index])[1]
        mean, deviation = self._scale()
        return self.values(parameters, (inputs.cpu().double() * deviation + mean).unsqueeze(0))[0].to(inputs)

    def _scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation [features] of the inputs."""
        return (torch.tensor(self.spec.mean, dtype=torch.float64),
                torch.tensor(self.spec.deviation, dtype=torch.float64))

    def floors(self) -> tuple[Floor, ...]:
        """Mean squared error of ridge regression on the support, and of the mean over the training tasks."""
        mean = self.sample("train", range(_MEAN_TASKS)).query.targets.flatten(0, 1).mean(0)
        batch = self.sample("test", range(_FLOOR_TASKS))
        answers = {"ridge regression on the support": ridge(batch), "always the mean": mean}
        found = [_floor(name, (answer - batch.query.targets).square().flatten(1).mean(1).cpu().double().numpy())
                 for name, answer in answers.items()]
        return tuple(sorted(found, key=lambda floor: floor.mean))


def ridge(batch: TaskBatch) -> Tensor:
    """[tasks, queries, outputs] what a line through the support, held a little to be flat, says of the queries."""
    x, y = (part.double() for part in batch.support)
    x_mean, y_mean = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    x, y = x - x_mean, y - y_mean
    eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    slopes: Tensor = torch.linalg.solve(x.mT @ x + _RIDGE * eye, x.mT @ y)
    return ((batch.query.inputs.double() - x_mean) @ slopes + y_mean).to(batch.query.targets)


def _floor(name: str, errors: NDArray[np.float64]) -> Floor:
    return Floor(name, "mse", float(errors.mean()), float(1.96 * errors.std(ddof=1) / math.sqrt(len(errors))),
                 len(errors))


def _noise(draws: Draws, tasks: int, shots: int, outputs: int) -> Tensor:
    """[tasks, shots, outputs] normal numbers.

    The sum of twelve uniform numbers is normal to within a per cent and needs no draw of unknown length.
    """
    sums = draws.uniform(12 * shots * outputs).reshape(tasks, shots, outputs, 12).sum(-1) - 6
    return torch.from_numpy(sums)
