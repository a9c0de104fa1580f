"""The multilayer perceptron."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F  # noqa: N812
from pydantic import field_validator
from torch import Tensor, nn

from workbench.backbones.base import Backbone, Block
from workbench.backbones.linear import Linear
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice, field
from workbench.tasks.base import Spec

_ACTIVATIONS = {"relu": F.relu, "tanh": F.tanh, "gelu": F.gelu, "silu": F.silu}


class MLPConfig(Choice):
    """Widths and activation."""

    name: Literal["mlp"] = "mlp"
    widths: tuple[int, ...] = field((40, 40), label="Widths", help="Units of each hidden layer, from input to output.",
                                    source="Finn et al. 2017, 5.1")
    activation: Literal["relu", "tanh", "gelu", "silu"] = field(
        "relu", label="Activation", help="What follows every hidden layer.",
        choices={"relu": "ReLU", "tanh": "tanh", "gelu": "GELU", "silu": "SiLU"})

    @field_validator("widths")
    @classmethod
    def _positive(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not widths or not all(1 <= width <= 65536 for width in widths):
            raise ValueError("takes one or more whole numbers from 1 to 65536, such as 40, 40")
        return widths


class MLP(Backbone):
    """Fully connected layers. Pictures and series are read as one long row of numbers."""

    Config = MLPConfig
    title = "MLP"
    source = "Finn 2017"

    def __init__(self, config: MLPConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        widths = (math.prod(spec.input_shape), *config.widths)
        self.layers = nn.ModuleList(Linear(before, after) for before, after in pairwise(widths))
        self.width = widths[-1]
        self.blocks = tuple(Block(f"layers.{index}.weight", f"layers.{index}.bias", width)
                            for index, width in enumerate(config.widths))
        self._activation = _ACTIVATIONS[config.activation]

    @classmethod
    def normalizes(cls, config: MLPConfig, experiment: Experiment) -> bool:  # noqa: ARG003
        """It has no such layers."""
        return False

    def features(self, inputs: Tensor, rows: int | None = None) -> Tensor:  # noqa: ARG002 - no batch statistics here
        """Activations of the last hidden layer."""
        x = inputs.flatten(1)
        for layer in self.layers:
            x = self._activation(layer(x))
        return x
