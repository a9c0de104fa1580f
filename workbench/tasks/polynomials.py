"""Cubic polynomials of random coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Overview, Spec, Stream
from workbench.tasks.sampling.draws import Draws
from workbench.tasks.sampling.functions import FunctionTasks, FunctionTasksConfig, held_out

# Each term has a share of its own in what the functions differ by, and the sizes are those of the usual sine waves.
_LARGEST = (1.0, 0.5, 0.2, 0.04)


class PolynomialsConfig(FunctionTasksConfig):
    """Range that the coefficients are drawn from."""

    name: Literal["polynomials"] = "polynomials"
    scale: float = field(1.0, label="Scale", help="The coefficients of 1, x, x² and x³ reach 1, 0.5, 0.2 and 0.04 "
                         "times this, with either sign.", gt=0, le=100, advanced=True)


class Polynomials(FunctionTasks):
    """Regression of y = c₀ + c₁x + c₂x² + c₃x³ from a few points, x in [-5, 5].

    The coefficients are uniform up to 1, 0.5, 0.2 and 0.04, with either sign. Those of x² and x³ are held out: each
    one's range is cut into twenty parts, of which validation has the 4th, 6th, 15th and 17th, testing the 3rd, 8th,
    13th and 18th, and training the other twelve, so that no learner is tested on a curvature that it was trained on.
    """

    Config = PolynomialsConfig
    config: PolynomialsConfig
    title = "Polynomials"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A wider network than a sine wave needs, and ten points."""
        return {"backbone.name": "mlp", "backbone.widths": (80, 80), "task.shots": 10, "task.queries": 10,
                "training.meta_batch": 25, "training.iterations": 10_000}

    def specify(self) -> Spec:
        """One number in, one out."""
        return Spec("regression", "vector", (1,), 1, raw="x in [-5, 5]")

    def parameters(self, draws: Draws, stream: Stream) -> Tensor:
        """Four coefficients, that of x⁰ first."""
        numbers = torch.from_numpy(draws.uniform(4))
        numbers = torch.cat([numbers[:, :2], held_out(numbers[:, 2:], stream)], 1)
        return self.config.scale * torch.tensor(_LARGEST, dtype=numbers.dtype) * (2 * numbers - 1)

    def places(self, draws: Draws, count: int) -> Tensor:
        """Uniform from -5 to 5."""
        return torch.from_numpy(10 * draws.uniform(count) - 5).unsqueeze(-1)

    def values(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """The polynomial, by Horner's rule."""
        c0, c1, c2, c3 = parameters[:, None, None].unbind(-1)
        return c0 + inputs * (c1 + inputs * (c2 + inputs * c3))

    def in_words(self, parameters: Sequence[float]) -> str:
        """Such as "0.310 - 0.420x + 0.051x² - 0.032x³"."""
        terms = [f"{'-' if value < 0 else '+'} {abs(value):.3f}{power}"
                 for value, power in zip(parameters, ("", "x", "x²", "x³"), strict=True)]
        return " ".join(terms).removeprefix("+ ")

    def overview(self) -> Overview:
        """The ranges; there are no files and no end of tasks."""
        largest = ", ±".join(f"{self.config.scale * one:g}" for one in _LARGEST)
        return Overview("cubic polynomials",
                        f"y = c₀ + c₁x + c₂x² + c₃x³ · coefficients up to ±{largest} · x from -5 to 5 · tested on "
                        "coefficients c₂, c₃ that training never has · drawn without end")
