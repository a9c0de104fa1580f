"""Sine waves of random amplitude and phase: the regression problem that every meta-learner is first tried on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Description, Examples, Floor, Overview, Spec, Stream, TaskBatch, TaskSource
from workbench.tasks.draws import Draws


class SinusoidsConfig(Choice):
    """Ranges that the waves are drawn from."""

    name: Literal["sinusoids"] = "sinusoids"
    amplitude: float = field(5.0, label="Largest amplitude", help="Amplitudes are uniform from 0.1 to this.",
                             source="Finn et al. 2017, 5.1", gt=0.1, le=100, advanced=True)
    noise: float = field(0.0, label="Noise", help="Standard deviation of what is added to every support value.",
                         ge=0, le=10, advanced=True)


class Sinusoids(TaskSource):
    """Regression of y = A sin(x - φ) from a few points.

    A ~ U[0.1, 5], φ ~ U[0, π] and x ~ U[-5, 5] (Finn et al. 2017, section 5.1). A learner that does not adapt can
    reach a mean squared error of 3.006 by always answering -1.62 cos x, and no less.
    """

    Config = SinusoidsConfig
    title = "Sinusoids"
    source = "Finn 2017"
    task_kinds = frozenset({"regression"})
    input_kinds = frozenset({"vector"})

    def __init__(self, experiment: Experiment, device: torch.device) -> None:
        super().__init__(experiment, device)
        assert isinstance(experiment.dataset, SinusoidsConfig)  # noqa: S101 - narrows for the type checker
        self.config = experiment.dataset
        self.spec = Spec("regression", "vector", (1,), 1, raw="x in [-5, 5]")

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A small network and ten points."""
        return {"backbone.name": "mlp", "task.shots": 10, "task.queries": 10, "training.meta_batch": 25,
                "training.iterations": 10_000}

    def _waves(self, stream: Stream, indices: Sequence[int]) -> tuple[Draws, Tensor, Tensor]:
        """Draws, amplitudes [tasks] and phases [tasks]."""
        draws = Draws(self.seed, f"sinusoids/{stream}", indices)
        amplitude, phase = torch.from_numpy(draws.uniform(2)).T
        return draws, 0.1 + (self.config.amplitude - 0.1) * amplitude, math.pi * phase

    def sample(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()) -> TaskBatch:  # noqa: ARG002
        """Tasks with inputs [tasks, n, 1] and targets [tasks, n, 1], float32."""
        shape = self.shapes[stream]
        draws, amplitude, phase = self._waves(stream, indices)
        inputs = torch.from_numpy(10 * draws.uniform(shape.shots + shape.queries) - 5)
        targets = amplitude[:, None] * torch.sin(inputs - phase[:, None])
        if self.config.noise:
            # The sum of twelve uniform numbers is normal to within a per cent and needs no draw of unknown length.
            sums = draws.uniform(12 * shape.shots).reshape(len(indices), shape.shots, 12).sum(-1) - 6
            targets[:, : shape.shots] += self.config.noise * torch.from_numpy(sums)
        inputs, targets = (t.float().unsqueeze(-1).to(self.device) for t in (inputs, targets))
        support, query = slice(None, shape.shots), slice(shape.shots, None)
        return TaskBatch(*(Examples(inputs[:, part], targets[:, part]) for part in (support, query)))

    def describe(self, stream: Stream, index: int) -> Description:
        """Amplitude and phase."""
        _, amplitude, phase = self._waves(stream, [index])
        return Description(f"amplitude {amplitude.item():.2f}, phase {phase.item():.2f}")

    def truth(self, stream: Stream, index: int, inputs: Tensor) -> Tensor:
        """The wave itself at inputs [n, 1]."""
        _, amplitude, phase = self._waves(stream, [index])
        return (amplitude * torch.sin(inputs.cpu().double() - phase)).to(inputs)

    def overview(self) -> Overview:
        """The ranges; there are no files and no end of tasks."""
        return Overview("sinusoids", f"y = A sin(x - φ) · A 0.1-{self.config.amplitude:g} · φ 0-π · x from -5 to 5 · "
                                     "drawn without end")

    def floors(self) -> tuple[Floor, ...]:
        """Mean squared error of the best function that does not adapt, by numerical integration over the ranges."""
        amplitude = np.linspace(0.1, self.config.amplitude, 2001)
        mean, square = amplitude.mean(), np.trapezoid(amplitude**2, amplitude) / (amplitude[-1] - amplitude[0])
        # With φ uniform on [0, π] the mean of A sin(x - φ) is -(2/π) E[A] cos x; x is uniform on [-5, 5].
        sine_square = 0.5
        cosine_square = 0.5 + math.sin(10) / 20
        return (Floor("best without adapting", "mse",
                      float(square * sine_square - (2 / math.pi * mean) ** 2 * cosine_square)),)
