"""Normalization layers without running statistics, which may be mapped over tasks and differentiated twice, and the
field that chooses among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor, nn
from torch.autograd import Function

from workbench.backbones.mapping import apart, beside, call, stacked, unstacked
from workbench.experiment.fields import field

Normalization = Literal["transductive", "inductive", "group", "none"]


def normalization_field(more: str = "") -> Any:
    """Declare the field of a backbone that normalizes; `more` is added to its help."""
    return field(
        "transductive", label="Normalization", help="Transductive batch normalization uses the statistics of the "
        "pictures at hand, the query set included; inductive uses those of the support set alone, as when queries come "
        "one by one; group normalization looks at one picture." + more,
        choices={"transductive": "Batch, transductive", "inductive": "Batch, inductive", "group": "Group",
                 "none": "None"})


class Normalize(nn.Module):
    """Batch, group or no normalization of [n, channels, height, width] or [n, channels, length], which keeps no state.

    Args:
        channels: Channels to scale and shift.
        kind: Which one.
        groups: Groups of group normalization; lowered to the nearest divisor of the channels.
    """

    epsilon: ClassVar[float] = 1e-5

    def __init__(self, channels: int, kind: Normalization, groups: int = 8) -> None:
        super().__init__()
        self.kind = kind
        self.groups = max(count for count in range(1, groups + 1) if channels % count == 0)
        if kind != "none":
            self.weight = nn.Parameter(torch.ones(channels))
            self.bias = nn.Parameter(torch.zeros(channels))

    @property
    def takes_mean_away(self) -> bool:
        """Whether it is all the same to it if a channel of x is shifted: a bias before it is of no effect."""
        return self.kind in ("transductive", "inductive")

    def forward(self, x: Tensor, rows: int | None) -> Tensor:
        """Normalize x, batch normalization with the statistics of its first `rows` rows (None for all).

        Statistics of narrower numbers, and what they normalize, are computed in single precision.
        """
        if self.kind == "none":
            return x
        if x.dtype in (torch.bfloat16, torch.float16):
            return self._normalized(x.float(), rows).to(x.dtype)
        return self._normalized(x, rows)

    def _normalized(self, x: Tensor, rows: int | None) -> Tensor:
        if self.kind == "group":
            return F.group_norm(x.contiguous(), self.groups, self.weight, self.bias, self.epsilon)
        if rows is None:
            normalized: Tensor = call(_BatchNorm, x, self.weight, self.bias, self.epsilon)[0]
            return normalized
        variance, mean = torch.var_mean(x[:rows], (0, *range(2, x.ndim)), correction=0)
        scale = self.weight * torch.rsqrt(variance + self.epsilon)
        along = (-1, *[1] * (x.ndim - 2))
        return x * scale.view(along) + (self.bias - mean * scale).view(along)


def _wide(value: Tensor, like: Tensor) -> Tensor:
    """Numbers of the channels [channels] so that they go with [n, channels, …]."""
    return value.view(-1, *[1] * (like.dim() - 2))


def _backward(gradient: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor
              ) -> tuple[Tensor, Tensor, Tensor]:
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        gradient, x, weight, None, None, mean, scale, True, 0.0, [True, True, True])
    return found


class _BatchNorm(Function):
    """[n, channels, …], [channels], [channels], ε → normalized, mean [channels], 1 / deviation [channels]."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        found: tuple[Tensor, Tensor, Tensor] = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, epsilon)
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        _, mean, scale = output
        ctx.mark_non_differentiable(mean, scale)
        ctx.save_for_backward(inputs[0], inputs[1], mean, scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        return *call(_Derivative, gradient, *ctx.saved_tensors), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, weight: Tensor, bias: Tensor, epsilon: float
             ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        tasks = info.batch_size
        return _unstacked(call(_BatchNorm, beside(x, in_dims[0], tasks), stacked(weight, in_dims[1], tasks),
                                          stacked(bias, in_dims[2], tasks), epsilon), tasks)


class _Derivative(Function):
    """Gradients of x, weight and bias, given that of the output."""

    @staticmethod
    def forward(gradient: Tensor, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor
                ) -> tuple[Tensor, Tensor, Tensor]:
        return _backward(gradient, x, weight, mean, scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor) -> tuple[Tensor | None, ...]:
        return *call(_SecondDerivative, *directions, *ctx.saved_tensors), None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *values: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        return _unstacked(call(_Derivative, *_stacked(values, in_dims, info.batch_size)), info.batch_size)


class _SecondDerivative(Function):
    """Gradients of (gradient, x, weight), given those of what `_Derivative` puts out.

    With x̂ = (x - mean)·scale and P(v) = v - mean(v) - x̂·mean(v·x̂), the first derivative is weight·scale·P(gradient),
    Σ gradient·x̂ and Σ gradient; mean, scale and x̂ all move with x.
    """

    @staticmethod
    def forward(along_x: Tensor, along_weight: Tensor, along_bias: Tensor, gradient: Tensor, x: Tensor, weight: Tensor,
                mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        count = x.numel() // x.shape[1]
        ones = torch.ones_like(weight)  # no weight at all is what Apple's GPUs cannot do
        onto, overlap, _ = _backward(along_x, x, ones, mean, scale)
        gradient_onto, gradient_overlap, _ = _backward(gradient, x, ones, mean, scale)
        of_weight = (along_x * gradient_onto).sum((0, *range(2, x.dim())))
        steep = weight * scale / count
        centred = x - _wide(mean, x)
        of_gradient = torch.addcmul(_wide(along_bias, x), centred, _wide(along_weight * scale, x))
        of_gradient.addcmul_(onto, _wide(weight, x))
        of_x = centred.mul_(_wide(-of_weight * steep * scale, x))
        of_x.addcmul_(onto, _wide(-steep * gradient_overlap, x))
        of_x.addcmul_(gradient_onto, _wide(along_weight - steep * overlap, x))
        return of_gradient, of_x, of_weight

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        raise NotImplementedError("batch normalization is differentiated twice at most; set backbone.normalization to "
                                  "group or none for a method that needs a third derivative")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *values: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        return _unstacked(call(_SecondDerivative, *_stacked(values, in_dims, info.batch_size)), info.batch_size)


def _stacked(values: tuple[Tensor, ...], in_dims: tuple[Any, ...], tasks: int) -> Iterator[Tensor]:
    """Maps and vectors of channels with the channels of all tasks beside each other."""
    for value, at in zip(values, in_dims, strict=True):
        is_map = value.dim() - (at is not None) > 1
        yield (beside if is_map else stacked)(value, at, tasks)


def _unstacked(values: tuple[Tensor, ...], tasks: int) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """The same with an axis for the tasks, and where it lies."""
    return (tuple(apart(value, tasks) if value.dim() > 1 else unstacked(value, tasks) for value in values),
            tuple(int(value.dim() > 1) for value in values))
