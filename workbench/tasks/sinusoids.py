"""Sine waves of random amplitude and phase: the regression problem that every meta-learner is first tried on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Floor, Overview, Spec, Stream
from workbench.tasks.sampling.draws import Draws
from workbench.tasks.sampling.functions import FunctionTasks, FunctionTasksConfig


class SinusoidsConfig(FunctionTasksConfig):
    """Ranges that the waves are drawn from."""

    name: Literal["sinusoids"] = "sinusoids"
    amplitude: float = field(5.0, label="Largest amplitude", help="Amplitudes are uniform from 0.1 to this.",
                             source="Finn et al. 2017, 5.1", gt=0.1, le=100, advanced=True)


class Sinusoids(FunctionTasks):
    """Regression of y = A sin(x - φ) from a few points.

    A ~ U[0.1, 5], φ ~ U[0, π] and x ~ U[-5, 5] (Finn et al. 2017, section 5.1). A learner that does not adapt can
    reach a mean squared error of 3.006 by always answering -1.62 cos x, and no less.
    """

    Config = SinusoidsConfig
    config: SinusoidsConfig
    title = "Sinusoids"
    source = "Finn 2017"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A small network and ten points."""
        return {"backbone.name": "mlp", "task.shots": 10, "task.queries": 10, "training.meta_batch": 25,
                "training.iterations": 10_000}

    def specify(self) -> Spec:
        """One number in, one out."""
        return Spec("regression", "vector", (1,), 1, raw="x in [-5, 5]")

    def parameters(self, draws: Draws, stream: Stream) -> Tensor:  # noqa: ARG002 - as the paper has it, all alike
        """Amplitude and phase."""
        amplitude, phase = torch.from_numpy(draws.uniform(2)).T
        return torch.stack([0.1 + (self.config.amplitude - 0.1) * amplitude, math.pi * phase], 1)

    def places(self, draws: Draws, count: int) -> Tensor:
        """Uniform from -5 to 5."""
        return torch.from_numpy(10 * draws.uniform(count) - 5).unsqueeze(-1)

    def values(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """A sin(x - φ)."""
        amplitude, phase = parameters[:, None, None].unbind(-1)
        return amplitude * torch.sin(inputs - phase)

    def in_words(self, parameters: Sequence[float]) -> str:
        """Amplitude and phase."""
        return f"amplitude {parameters[0]:.2f}, phase {parameters[1]:.2f}"

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
