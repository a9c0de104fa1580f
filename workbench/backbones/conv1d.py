"""The four-block convolutional network along time."""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.backbones.base import Backbone, Block
from workbench.backbones.normalization import Normalization, Normalize, normalization_field
from workbench.experiment.fields import Choice, field
from workbench.tasks.base import Spec

_BLOCKS = 4


class Conv1dConfig(Choice):
    """Filters, kernel and normalization."""

    name: Literal["conv1d"] = "conv1d"
    filters: int = field(64, label="Filters", help="Channels of every block, and with them the number of features.",
                         ge=1, le=1024)
    kernel: int = field(5, label="Kernel", unit="steps", help="Steps of the series that every convolution looks at.",
                        source="Wang et al. 2017, II-C", ge=1, le=63)
    normalization: Normalization = normalization_field()


class Conv1d(Backbone):
    """Four blocks of convolution along time, normalization, ReLU and halving by stride 2, averaged over time.

    Blocks without pooling and an average over all that is left of the time are the fully convolutional network of
    Wang et al. (2017, section II-C), whose kernels are 8, 5 and 3 long; here every block has the middle one, and the
    number and the halving of blocks are Conv4's. Series of any length and any number of channels give `filters`
    features.
    """

    Config = Conv1dConfig
    title = "Conv1d"
    source = "Wang 2017"
    input_kinds = frozenset({"series"})
    convolves = True

    def __init__(self, config: Conv1dConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        inputs = [spec.input_shape[0]] + [config.filters] * (_BLOCKS - 1)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(count, config.filters, config.kernel, stride=2, padding=config.kernel // 2) for count in inputs)
        self.normalizations = nn.ModuleList(Normalize(config.filters, config.normalization) for _ in inputs)
        self.width = config.filters
        part = "convolutions" if config.normalization == "none" else "normalizations"
        self.blocks = tuple(Block(f"{part}.{index}.weight", f"{part}.{index}.bias", config.filters)
                            for index in range(_BLOCKS))

    def features(self, inputs: Tensor, rows: int | None = None) -> Tensor:
        """[n, filters]: the last maps, averaged over time."""
        x = inputs
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            x = F.relu(normalization(_convolved(convolution, x), rows))
        return x.mean(2)


def _convolved(layer: nn.Module, x: Tensor) -> Tensor:
    """[n, filters, length'] of [n, channels, length]."""
    is_short = x.shape[-1] < cast("nn.Conv1d", layer).kernel_size[0]
    if not (is_short and torch.is_autocast_enabled(x.device.type)):
        outputs: Tensor = layer(x)
        return outputs
    # As in `Convolution`: a narrow convolution must not meet weights that no input reaches.
    with torch.autocast(x.device.type, enabled=False):
        wide: Tensor = layer(x.float())
        return wide
