"""The inner optimizers, as pure functions that may be mapped over tasks and differentiated through."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from workbench.algorithms.base import InnerLoop
from workbench.backbones.base import Params
from workbench.experiment.fields import field

InnerOptimizer = Literal["sgd", "momentum", "adam"]

_MOMENTUM = 0.9
_SECOND = 0.999
_EPSILON = 1e-8
_CONSTANTS: dict[InnerOptimizer, dict[str, Any]] = {
    "sgd": {}, "momentum": {"momentum": _MOMENTUM}, "adam": {"betas": [0.0, _SECOND], "eps": _EPSILON}}


def inner_optimizer(default: InnerOptimizer = "sgd", source: str = "") -> Any:
    """Declare the field of a method that leaves its inner optimizer open."""
    return field(default, label="Inner optimizer", help="What turns a gradient into an inner step: the gradient itself "
                 "(SGD), with momentum 0.9, or Adam without momentum (β1 = 0, β2 = 0.999).",
                 choices={"sgd": "SGD", "momentum": "SGD, momentum 0.9", "adam": "Adam, β1 = 0"}, source=source)


class AnyInnerLoop(InnerLoop):
    """The fields of a method that leaves its inner optimizer open."""

    inner_optimizer: InnerOptimizer = inner_optimizer()

    def numbers(self) -> dict[str, Any]:
        """The optimizer, its rate and its constants."""
        return {"optimizer": self.inner_optimizer, **super().numbers(), **_CONSTANTS[self.inner_optimizer]}


class Fast(NamedTuple):
    """Fast weights, and what the inner optimizer remembers: nothing, a velocity, or second moments and `steps`."""

    params: Params
    moments: Params


def begin(kind: InnerOptimizer, params: Params) -> Fast:
    """Fast weights before the first step."""
    if kind == "sgd":
        return Fast(params, {})
    moments = {name: torch.zeros_like(value) for name, value in params.items()}
    if kind == "adam":
        moments["steps"] = torch.zeros((), dtype=next(iter(params.values())).dtype,
                                       device=next(iter(params.values())).device)
    return Fast(params, moments)


def descend(kind: InnerOptimizer, fast: Fast, gradient: Params, rate: float | Tensor) -> Fast:
    """Take one step of torch.optim.SGD, with momentum 0.9 or without, or of torch.optim.Adam with betas (0, 0.999).

    Args:
        kind: Which optimizer.
        fast: Where the step begins.
        gradient: Of the same names as `fast.params`.
        rate: Learning rate.
    """
    if kind == "sgd":
        return Fast(_moved(fast.params, gradient, rate), {})
    if kind == "momentum":
        velocity = {name: _MOMENTUM * fast.moments[name] + value for name, value in gradient.items()}
        return Fast(_moved(fast.params, velocity, rate), velocity)
    # Kingma and Ba 2015, algorithm 1, with β1 = 0.
    count = fast.moments["steps"] + 1
    moments = {name: _SECOND * fast.moments[name] + (1 - _SECOND) * value**2 for name, value in gradient.items()}
    unbiased = 1 - _SECOND**count
    direction = {name: value / (_root(moments[name] / unbiased) + _EPSILON) for name, value in gradient.items()}
    return Fast(_moved(fast.params, direction, rate), moments | {"steps": count})


def _moved(params: Params, direction: Params, rate: float | Tensor) -> Params:
    if isinstance(rate, Tensor):
        return {name: value - rate * direction[name] for name, value in params.items()}
    # One operation rather than two, there and back.
    return {name: torch.sub(value, direction[name], alpha=rate) for name, value in params.items()}


def _root(value: Tensor) -> Tensor:
    """Square root whose derivative at 0 is 0 rather than infinite, so that dead units pass no NaN to the outer loop."""
    is_positive = value > 0
    return torch.where(is_positive, torch.where(is_positive, value, 1).sqrt(), 0)
