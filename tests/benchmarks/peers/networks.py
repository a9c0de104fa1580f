"""The networks as whoever uses a peer would write them, with the weights of ours taken over in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from tests.benchmarks.peers.problem import About, Problem

_BLOCKS = 4
MakeNorm = Callable[[int], nn.Module]


def batch_norm(channels: int) -> nn.Module:
    """Batch normalization by the pictures at hand."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


class MLP(nn.Module):
    """Hidden layers with ReLU."""

    def __init__(self, about: About) -> None:
        super().__init__()
        widths = (*about.input_shape, *about.network["widths"])
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.width = widths[-1]

    def forward(self, x: Tensor, **_: object) -> Tensor:
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


class Conv4(nn.Module):
    """Four blocks of convolution, normalization, ReLU and halving. What else it is called with goes to its norms."""

    def __init__(self, about: About, make_norm: MakeNorm = batch_norm) -> None:
        super().__init__()
        channels, side, _ = about.input_shape
        filters, self.strided = about.network["filters"], about.network["downsampling"] == "stride"
        inputs = [channels] + [filters] * (_BLOCKS - 1)
        self.convolutions = nn.ModuleList(nn.Conv2d(count, filters, 3, padding=1, stride=1 + self.strided)
                                          for count in inputs)
        self.norms = nn.ModuleList(make_norm(filters) for _ in inputs)
        for _ in range(_BLOCKS):
            side = (side + 1) // 2 if self.strided else side // 2
        self.width = filters * side**2

    def forward(self, x: Tensor, **said: object) -> Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(norm(convolution(x), **said))
            if not self.strided:
                x = F.max_pool2d(x, 2)
        return x.flatten(1)


def body(about: About, make_norm: MakeNorm = batch_norm) -> MLP | Conv4:
    """The network without its head."""
    return MLP(about) if about.network["name"] == "mlp" else Conv4(about, make_norm)


def network(problem: Problem) -> nn.Module:
    """The whole network with the initial weights: with a linear head, but for ProtoNet."""
    made: nn.Module = body(problem.about)
    if problem.about.method != "protonet":
        made = nn.Sequential(made, nn.Linear(made.width, problem.about.outputs))
    return taken_over(made, problem.params.values())


def taken_over(module: nn.Module, weights: Iterable[Tensor]) -> nn.Module:
    """A module with these weights in place of its own, on their device and of their type."""
    values = list(weights)
    own = list(module.parameters())
    if [tuple(value.shape) for value in values] != [tuple(value.shape) for value in own]:
        raise ValueError(f"{type(module).__name__} has parameters of other shapes than the network it should equal")
    module.to(values[0].device, values[0].dtype)
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), values, strict=True):
            parameter.copy_(value)
    return module.train()
