"""The smallest convolutional network that is worth having."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.backbones.base import Backbone, Block
from workbench.backbones.convolution import Convolution
from workbench.backbones.linear import Linear
from workbench.backbones.normalization import Normalization, Normalize, normalization_field
from workbench.experiment.fields import Choice, field
from workbench.tasks.base import Spec
from workbench.tasks.files.errors import DataError

_POOLED = 7


class CNNConfig(Choice):
    """Filters, hidden units and normalization."""

    name: Literal["cnn"] = "cnn"
    filters: int = field(32, label="Filters", help="Channels of the convolution.", ge=1, le=1024)
    hidden: int = field(128, label="Hidden units", help="Units of the layer after it, which are the features.", ge=1,
                        le=65536)
    normalization: Normalization = normalization_field()


class CNN(Backbone):
    """One 3×3 convolution, normalization and ReLU, average-pooled to 7×7, and one hidden layer with ReLU.

    A step costs a fraction of Conv4's, which makes it the network to try a method on before anything larger.
    """

    Config = CNNConfig
    title = "Small CNN"
    input_kinds = frozenset({"image"})
    convolves = True

    def __init__(self, config: CNNConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        channels, height, width = spec.input_shape
        if min(height, width) < _POOLED:
            raise DataError(f"pictures of {height}×{width} are smaller than the {_POOLED}×{_POOLED} that the small CNN "
                            "pools to; enlarge them (dataset.size) or pick another backbone")
        self.convolution = Convolution(channels, config.filters, 3, padding=1)
        self.normalization = Normalize(config.filters, config.normalization)
        self.hidden = Linear(config.filters * _POOLED**2, config.hidden)
        self.width = config.hidden
        part = "convolution" if config.normalization == "none" else "normalization"
        self.blocks = (Block(f"{part}.weight", f"{part}.bias", config.filters),
                       Block("hidden.weight", "hidden.bias", config.hidden))

    def features(self, inputs: Tensor, rows: int | None = None) -> Tensor:
        """Activations of the hidden layer."""
        x = self.convolution(inputs, is_shifted=not self.normalization.takes_mean_away)
        maps = F.relu(self.normalization(x, rows))
        return F.relu(self.hidden(_pooled(maps).flatten(1)))


def _pooled(maps: Tensor) -> Tensor:
    """[n, channels, 7, 7] of [n, channels, height, width], means as `torch.nn.functional.adaptive_avg_pool2d` has them.

    Where windows overlap, its derivative on a GPU adds up what falls on one number in any order, which is no way to go
    on with a run bit for bit.
    """
    if not any(side % _POOLED for side in maps.shape[2:]):
        return F.adaptive_avg_pool2d(maps, _POOLED)
    down, across = (_means(side, maps) for side in maps.shape[2:])
    return down @ maps @ across.T


def _means(side: int, like: Tensor) -> Tensor:
    """Shares [7, side] of the numbers along a side in the mean of each window."""
    window, at = torch.arange(_POOLED, device=like.device)[:, None], torch.arange(side, device=like.device)
    is_inside = (at >= window * side // _POOLED) & (at < -(-(window + 1) * side // _POOLED))
    return is_inside / is_inside.sum(1, keepdim=True, dtype=like.dtype)
