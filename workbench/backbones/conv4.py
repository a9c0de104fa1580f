"""The four-block convolutional network of few-shot learning."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.backbones.base import Backbone, Block
from workbench.backbones.convolution import Convolution, max_pool
from workbench.backbones.normalization import Normalization, Normalize, normalization_field
from workbench.experiment.fields import Choice, field
from workbench.tasks.base import Spec
from workbench.tasks.files.errors import DataError

_BLOCKS = 4


class Conv4Config(Choice):
    """Filters, down-sampling and normalization."""

    name: Literal["conv4"] = "conv4"
    filters: int = field(64, label="Filters", help="Channels of every block.", source="Vinyals et al. 2016, 4.1",
                         ge=1, le=1024)
    downsampling: Literal["max_pool", "stride"] = field(
        "stride", label="Down-sampling", help="How each block halves the picture. Max-pooling is usual for "
        "mini-ImageNet; stride 2 is what MAML used for Omniglot, and much the faster.",
        choices={"max_pool": "Max-pool", "stride": "Stride 2"}, source="Finn et al. 2017, 5.2")
    normalization: Normalization = normalization_field()


class Conv4(Backbone):
    """Four blocks of 3×3 convolution, normalization, ReLU and halving (Vinyals et al. 2016, section 4.1).

    The features are the last maps, flattened: 64 filters on 28×28 pictures give 256 with stride 2 and 64 with max-pool.
    """

    Config = Conv4Config
    title = "Conv4"
    source = "Vinyals 2016"
    input_kinds = frozenset({"image"})
    convolves = True

    def __init__(self, config: Conv4Config, spec: Spec) -> None:
        super().__init__(config, spec)
        channels, height, width = spec.input_shape
        self.strided = config.downsampling == "stride"
        for _ in range(_BLOCKS):
            height, width = ((side + 1) // 2 if self.strided else side // 2 for side in (height, width))
        if not height * width:
            raise DataError(f"pictures of {spec.input_shape[1]}×{spec.input_shape[2]} are too small to be halved "
                            f"{_BLOCKS} times; enlarge them (dataset.size) or set backbone.downsampling to stride")
        inputs = [channels] + [config.filters] * (_BLOCKS - 1)
        self.convolutions = nn.ModuleList(Convolution(count, config.filters, 3, padding=1, stride=1 + self.strided)
                                          for count in inputs)
        self.normalizations = nn.ModuleList(Normalize(config.filters, config.normalization) for _ in inputs)
        self.map_shape = (config.filters, height, width)
        self.width = config.filters * height * width
        part = "convolutions" if config.normalization == "none" else "normalizations"
        self.blocks = tuple(Block(f"{part}.{index}.weight", f"{part}.{index}.bias", config.filters)
                            for index in range(_BLOCKS))

    def features(self, inputs: Tensor, rows: int | None = None) -> Tensor:
        """The last maps, flattened."""
        x = inputs
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            x = normalization(convolution(x, is_shifted=not normalization.takes_mean_away), rows)
            # The largest of what ReLU lets through is what it lets through of the largest, and a quarter of the work.
            x = F.relu(x if self.strided else max_pool(x, 2))
        return x.flatten(1)
