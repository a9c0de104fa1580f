"""Sums of two sines: functions that differ in more than a sine wave's amplitude and phase."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Overview, Spec, Stream
from workbench.tasks.sampling.draws import Draws
from workbench.tasks.sampling.functions import FunctionTasks, FunctionTasksConfig, held_out

_SLOW, _FAST = (0.3, 0.9), (0.9, 1.5)


class HarmonicsConfig(FunctionTasksConfig):
    """Ranges that the two sines are drawn from."""

    name: Literal["harmonics"] = "harmonics"
    amplitude: float = field(2.0, label="Largest amplitude", help="The amplitude of each sine is uniform from 0.1 to "
                             "this.", gt=0.1, le=100, advanced=True)


class Harmonics(FunctionTasks):
    """Regression of y = a sin(ωx + φ) + b sin(νx + ψ) from a few points, x in [-5, 5].

    Amplitudes are uniform from 0.1 to 2, phases over the circle, ω from 0.3 to 0.9 and ν from 0.9 to 1.5. Both
    frequencies are held out: each one's range is cut into twenty parts, of which validation has the 4th, 6th, 15th and
    17th, testing the 3rd, 8th, 13th and 18th, and training the other twelve, so that no learner is tested on a
    frequency that it was trained on.
    """

    Config = HarmonicsConfig
    config: HarmonicsConfig
    title = "Harmonics"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """Twice the points of a single sine, and a wider network."""
        return {"backbone.name": "mlp", "backbone.widths": (80, 80), "task.shots": 20, "task.queries": 20,
                "training.meta_batch": 25, "training.iterations": 10_000}

    def specify(self) -> Spec:
        """One number in, one out."""
        return Spec("regression", "vector", (1,), 1, raw="x in [-5, 5]")

    def parameters(self, draws: Draws, stream: Stream) -> Tensor:
        """Two amplitudes, two frequencies and two phases."""
        numbers = torch.from_numpy(draws.uniform(6))
        amplitudes = 0.1 + (self.config.amplitude - 0.1) * numbers[:, :2]
        lowest = torch.tensor([_SLOW[0], _FAST[0]], dtype=numbers.dtype)
        widths = torch.tensor([_SLOW[1] - _SLOW[0], _FAST[1] - _FAST[0]], dtype=numbers.dtype)
        frequencies = lowest + widths * held_out(numbers[:, 2:4], stream)
        return torch.cat([amplitudes, frequencies, 2 * math.pi * numbers[:, 4:]], 1)

    def places(self, draws: Draws, count: int) -> Tensor:
        """Uniform from -5 to 5."""
        return torch.from_numpy(10 * draws.uniform(count) - 5).unsqueeze(-1)

    def values(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Both sines together."""
        a, b, slow, fast, one, other = parameters[:, None, None].unbind(-1)
        return a * torch.sin(slow * inputs + one) + b * torch.sin(fast * inputs + other)

    def in_words(self, parameters: Sequence[float]) -> str:
        """Such as "1.2 sin(0.55x + 3.1) + 0.7 sin(1.31x + 0.4)"."""
        (a, b), (slow, fast), (one, other) = parameters[:2], parameters[2:4], parameters[4:]
        return f"{a:.2f} sin({slow:.2f}x + {one:.2f}) + {b:.2f} sin({fast:.2f}x + {other:.2f})"

    def overview(self) -> Overview:
        """The ranges; there are no files and no end of tasks."""
        return Overview("sums of two sines",
                        f"y = a sin(ωx + φ) + b sin(νx + ψ) · a, b 0.1-{self.config.amplitude:g} · ω {_SLOW[0]}-"
                        f"{_SLOW[1]} · ν {_FAST[0]}-{_FAST[1]} · x from -5 to 5 · tested on frequencies ω, ν that "
                        "training never has · drawn without end")
