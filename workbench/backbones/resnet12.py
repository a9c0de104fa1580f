"""The residual network of twelve convolutions that few-shot learning settled on."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F  # noqa: N812
from pydantic import field_validator
from torch import Tensor, nn

from workbench.backbones.base import Backbone, Block
from workbench.backbones.convolution import Convolution, max_pool
from workbench.backbones.normalization import Normalization, Normalize, normalization_field
from workbench.experiment.fields import Choice, field
from workbench.tasks.base import Spec
from workbench.tasks.files.errors import DataError

_BLOCKS = 4
_CONVOLUTIONS = 3
_SLOPES = {"leaky_relu": 0.1, "relu": 0.0}


class ResNet12Config(Choice):
    """Widths, activation, pooling and normalization."""

    name: Literal["resnet12"] = "resnet12"
    widths: tuple[int, ...] = field(
        (64, 160, 320, 640), label="Widths", help="Filters of the four blocks: 64, 160, 320, 640 in MetaOptNet; 64, "
        "128, 256, 512 in TADAM, at two thirds of the cost.", source="Lee et al. 2019, 4.1; Oreshkin et al. 2018")
    activation: Literal["leaky_relu", "relu"] = field(
        "leaky_relu", label="Activation", help="What follows every normalization.", source="Lee et al. 2019, code",
        choices={"leaky_relu": "Leaky ReLU, slope 0.1", "relu": "ReLU"})
    averages: bool = field(True, label="Average the last maps", help="Whether the features are the means of the last "
                           "maps, one a filter, rather than the maps themselves, which MetaOptNet hands to its solver.")
    normalization: Normalization = normalization_field()

    @field_validator("widths")
    @classmethod
    def _one_a_block(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if len(widths) != _BLOCKS or not all(1 <= width <= 4096 for width in widths):
            raise ValueError("takes four whole numbers from 1 to 4096, such as 64, 160, 320, 640")
        return widths


class ResNet12(Backbone):
    """Four residual blocks of three 3×3 convolutions, each block followed by 2×2 max-pooling (Oreshkin et al. 2018; Lee
    et al. 2019).

    A block adds its input, through a 1×1 convolution with a normalization of its own, before its last activation.
    MetaOptNet's DropBlock is left out, for a network here is the same function in training and testing; so large a
    network overfits sooner without it. On pictures of 84×84 it has 36 times the work of Conv4: it wants a GPU.
    """

    Config = ResNet12Config
    title = "ResNet-12"
    source = "Lee 2019"
    input_kinds = frozenset({"image"})
    convolves = True

    def __init__(self, config: ResNet12Config, spec: Spec) -> None:
        super().__init__(config, spec)
        channels, height, width = spec.input_shape
        smallest = 2**_BLOCKS
        if min(height, width) < smallest:
            raise DataError(f"pictures of {height}×{width} are too small to be halved {_BLOCKS} times; enlarge them to "
                            f"{smallest}×{smallest} or more (dataset.size) or pick another backbone")
        inputs = (channels, *config.widths[:-1])
        self.layers = nn.ModuleList(_Residual(*sizes, config) for sizes in zip(inputs, config.widths, strict=True))
        filters = config.widths[-1]
        self.map_shape = None if config.averages else (filters, height // smallest, width // smallest)
        self.width = filters if config.averages else filters * (height // smallest) * (width // smallest)
        part = "convolutions" if config.normalization == "none" else "normalizations"
        self.blocks = tuple(Block(f"layers.{layer}.{part}.{index}.weight", f"layers.{layer}.{part}.{index}.bias", size)
                            for layer, size in enumerate(config.widths) for index in range(_CONVOLUTIONS))

    def features(self, inputs: Tensor, rows: int | None = None) -> Tensor:
        """Means of the last maps, or the maps themselves, flattened."""
        x = inputs
        for layer in self.layers:
            x = max_pool(layer(x, rows), 2)
        return x.mean((2, 3)) if self.map_shape is None else x.flatten(1)


class _Residual(nn.Module):
    """Three convolutions and a way around them."""

    def __init__(self, inputs: int, filters: int, config: ResNet12Config) -> None:
        super().__init__()
        # A bias before batch normalization would be taken off again.
        has_bias = config.normalization == "none"
        counts = (inputs, *[filters] * (_CONVOLUTIONS - 1))
        self.convolutions = nn.ModuleList(Convolution(count, filters, 3, padding=1, bias=has_bias) for count in counts)
        self.normalizations = nn.ModuleList(Normalize(filters, config.normalization) for _ in counts)
        self.shortcut = Convolution(inputs, filters, 1, bias=has_bias)
        self.shortcut_normalization = Normalize(filters, config.normalization)
        self.slope = _SLOPES[config.activation]
        for convolution in (*self.convolutions, self.shortcut):
            assert isinstance(convolution, Convolution)  # noqa: S101 - narrows for the type checker
            nn.init.kaiming_normal_(convolution.weight, a=self.slope, mode="fan_out", nonlinearity="leaky_relu")

    def forward(self, inputs: Tensor, rows: int | None) -> Tensor:
        """Maps of the same height and width."""
        x = inputs
        last = _CONVOLUTIONS - 1
        for index, (convolution, normalization) in enumerate(zip(self.convolutions, self.normalizations, strict=True)):
            x = normalization(convolution(x), rows)
            if index == last:
                x = x + self.shortcut_normalization(self.shortcut(inputs), rows)
            x = F.leaky_relu(x, self.slope)
        return x
