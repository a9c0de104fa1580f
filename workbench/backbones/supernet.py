"""A network that holds several operations in every layer and mixes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.backbones.base import Backbone, Block
from workbench.backbones.convolution import Convolution, max_pool
from workbench.backbones.normalization import Normalization, Normalize, normalization_field
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind, picked
from workbench.tasks.base import Spec


class SupernetConfig(Choice):
    """Slots, their width and normalization."""

    name: Literal["supernet"] = "supernet"
    slots: int = field(4, label="Slots", help="Layers one after another, each of which mixes all operations and, for "
                       "pictures, halves them.", ge=1, le=16)
    filters: int = field(32, label="Filters", help="Channels of every slot; units where the inputs are vectors.",
                         ge=1, le=1024)
    normalization: Normalization = normalization_field(" Slots that read vectors have none.")


class Affine(nn.Module):
    """A scale and a shift for every channel, where no normalization brings them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, rows: int | None) -> Tensor:  # noqa: ARG002 - called in the place of Normalize
        """[n, channels, ...] scaled and shifted."""
        shape = (-1, *[1] * (x.dim() - 2))
        return x * self.weight.view(shape) + self.bias.view(shape)


def _widened(x: Tensor, channels: int) -> Tensor:
    """The channels of x, repeated until there are so many, so that passing x on needs no weights."""
    return x if x.shape[1] == channels else x[:, torch.arange(channels, device=x.device) % x.shape[1]]


def _mix(results: tuple[Tensor, ...], shares: Tensor) -> Tensor:
    mixed = results[0] * shares[0]
    for result, share in zip(results[1:], shares[1:], strict=True):
        mixed = mixed + result * share
    return mixed


class PictureSlot(nn.Module):
    """Mixes operations on maps, each of which halves them, then normalizes and takes the positive part.

    Attributes:
        operations: The layers of each operation, in the order of their shares.

    Args:
        inputs: Channels that come in.
        filters: Channels that go out.
        normalization: What follows the mixture.
    """

    operations: ClassVar[dict[str, tuple[str, ...]]] = {
        "conv3": ("narrow",), "conv5": ("wide",), "sep3": ("depthwise", "pointwise"), "skip": (), "pool": ()}

    def __init__(self, inputs: int, filters: int, normalization: Normalization) -> None:
        super().__init__()
        self.filters = filters
        self.narrow = Convolution(inputs, filters, 3, stride=2, padding=1, bias=False)
        self.wide = Convolution(inputs, filters, 5, stride=2, padding=2, bias=False)
        self.depthwise = Convolution(inputs, inputs, 3, stride=2, padding=1, groups=inputs, bias=False)
        self.pointwise = Convolution(inputs, filters, 1, bias=False)
        self.affine = Affine(filters) if normalization == "none" else Normalize(filters, normalization)

    def forward(self, x: Tensor, shares: Tensor, rows: int | None) -> Tensor:
        """[n, filters, ⌈height / 2⌉, ⌈width / 2⌉] of x [n, inputs, height, width]."""
        whole = _widened(x, self.filters)
        results = (self.narrow(x), self.wide(x), self.pointwise(self.depthwise(x)), whole[:, :, ::2, ::2],
                   max_pool(whole, 3, 2, 1))
        return F.relu(self.affine(_mix(results, shares), rows))


class VectorSlot(nn.Module):
    """Mixes fully connected layers that differ in their activation.

    Attributes:
        operations: The layers of each operation, in the order of their shares.

    Args:
        inputs: Numbers that come in.
        units: Numbers that go out.
    """

    operations: ClassVar[dict[str, tuple[str, ...]]] = {
        "relu": ("relu",), "tanh": ("tanh",), "sine": ("sine",), "skip": ()}

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.relu, self.tanh, self.sine = (nn.Linear(inputs, units) for _ in range(3))
        self.affine = Affine(units)

    def forward(self, x: Tensor, shares: Tensor, rows: int | None) -> Tensor:
        """[n, units] of x [n, inputs]."""
        results = (F.relu(self.relu(x)), torch.tanh(self.tanh(x)), torch.sin(self.sine(x)), _widened(x, self.units))
        mixed: Tensor = self.affine(_mix(results, shares), rows)
        return mixed


class Supernet(Backbone):
    """Slots one after another, each of which computes all its operations and mixes them by a softmax.

    What is mixed how much is decided by the parameters `architecture.N`, one for every slot, which start at zero.
    Pictures choose among convolutions of 3×3 and 5×5, a separable 3×3 convolution, passing every second pixel on, and
    max-pooling; vectors among layers with ReLU, tanh or sine, and passing on (Liu et al. 2019, section 2.2).
    A slot costs what all its operations cost together.
    """

    Config = SupernetConfig
    title = "Supernet"
    source = "Liu 2019"
    input_kinds = frozenset({"image", "vector"})
    searches = True

    def __init__(self, config: SupernetConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        self.convolves = spec.input_kind == "image"
        inputs = [spec.input_shape[0]] + [config.filters] * (config.slots - 1)
        if self.convolves:
            height, width = spec.input_shape[1:]
            for _ in inputs:
                height, width = (height + 1) // 2, (width + 1) // 2
            self.map_shape = (config.filters, height, width)
            self.width = config.filters * height * width
            self.slots = nn.ModuleList(PictureSlot(count, config.filters, config.normalization) for count in inputs)
        else:
            self.width = config.filters
            self.slots = nn.ModuleList(VectorSlot(count, config.filters) for count in inputs)
        self._layers = PictureSlot.operations if self.convolves else VectorSlot.operations
        self.operations = tuple(self._layers)
        self.architecture = nn.ParameterList(torch.zeros(len(self.operations)) for _ in inputs)
        self.blocks = tuple(Block(f"slots.{index}.affine.weight", f"slots.{index}.affine.bias", config.filters)
                            for index in range(config.slots))

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """Fewer slots where functions are learned."""
        return {} if kind == "classification" else {"backbone.slots": 2}

    @classmethod
    def normalizes(cls, config: SupernetConfig, experiment: Experiment) -> bool:
        """Only slots that read pictures do."""
        return "image" in picked(experiment, "dataset").input_kinds and super().normalizes(config, experiment)

    @classmethod
    def idle(cls, config: SupernetConfig, experiment: Experiment) -> Mapping[str, str]:  # noqa: ARG003
        """The normalization of slots that read vectors."""
        if "image" in picked(experiment, "dataset").input_kinds:
            return {}
        return {"backbone.normalization": "slots that read vectors have none"}

    def unused(self, slot: int, operations: Collection[str]) -> tuple[str, ...]:
        """What chooses among operations, and the layers of those that are not among these."""
        left_out = {layer for name, layers in self._layers.items() if name not in operations for layer in layers}
        layers = f"slots.{slot}."
        return (f"architecture.{slot}", *(name for name, _ in self.named_parameters()
                                          if name.startswith(layers) and name.split(".")[2] in left_out))

    def features(self, inputs: Tensor, rows: int | None = None) -> Tensor:
        """What the last slot puts out, flattened."""
        x = inputs
        for slot, architecture in zip(self.slots, self.architecture, strict=True):
            x = slot(x, architecture.softmax(-1), rows)
        return x.flatten(1)
