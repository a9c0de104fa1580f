"""What independent formulations of the methods share: plain modules, plain losses, and meta-gradients to compare."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from tests.problems import executor, make, setting
from workbench.tasks.base import Spec, TaskBatch


def meta_gradient(name: str, about: Spec, batch: TaskBatch, keys: Tensor, how: str = "vectorized", *,
                  moved: float = 0.0, **config) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters, moved at random from where they begin, and the meta-gradient summed over the tasks."""
    algorithm, meta = make(name, about, **config)
    generator = torch.Generator().manual_seed(5)
    meta = meta._replace(params={key: value + moved * torch.randn(value.shape, generator=generator, dtype=value.dtype)
                                 for key, value in meta.params.items()})
    runner = executor(how, algorithm)
    inductive = config.get("normalization") == "inductive"
    gradient = runner.gradient(meta, batch, keys, setting(algorithm, about, inductive=inductive)).total
    runner.close()
    return meta.params, gradient


class PlainMLP(nn.Module):
    """3-6-5-outputs, tanh: written down independently, with parameters taken over by order."""

    def __init__(self, outputs: int, params: dict[str, Tensor]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh())
        self.head = nn.Linear(5, outputs)
        take_over(self, params)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class PlainConv4(nn.Module):
    """Four strided blocks with batch statistics."""

    def __init__(self, outputs: int, params: dict[str, Tensor]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, 4, 3, stride=2, padding=1) for c in (1, 4, 4, 4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(4, track_running_stats=False) for _ in range(4))
        self.head = nn.Linear(4, outputs)
        take_over(self, params)

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        return self.head(x.flatten(1))


def take_over(module: nn.Module, params: dict[str, Tensor]) -> None:
    own = dict(module.named_parameters())
    assert [tuple(p.shape) for p in own.values()] == [tuple(p.shape) for p in params.values()]
    module.double()
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), params.values(), strict=True):
            parameter.copy_(value)


def by_order(params: dict[str, Tensor], values: list[Tensor]) -> dict[str, Tensor]:
    return dict(zip(params, values, strict=True))


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor], tolerance: float = 1e-10) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=tolerance, atol=tolerance,
                                   msg=lambda said, at=name: f"{at}: {said}")


def loss_of(about: Spec, outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs, targets) if about.kind == "classification" else ((outputs - targets) ** 2).mean()
