"""Convolution with weights of each task's own, mapped over tasks as one grouped convolution or as matrix products.

A convolution and its two derivatives are three bilinear maps, and the derivatives of each are the other two. So three
functions, each with a rule for the task axis, are closed under differentiation of any order. Without them a second
derivative goes through transposed and dilated convolutions for which no processor has a fast path.

In the first inner step all tasks still have the same weights, so that the pictures of all of them are one ordinary
batch. Where maps lie in order, as on a GPU, it is the same memory under another shape. Where channels come last, as on
a CPU, maps would have to be moved to it and back: that took one to five times as long as the grouped convolution,
which it stays there.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.autograd import Function

from workbench.backbones import columns
from workbench.backbones.mapping import apart, beside, call, each_channel, layout, narrowed, stacked, unstacked


class Geometry(NamedTuple):
    """What a convolution is beside its tensors, pairs as (vertical, horizontal)."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    by_columns: bool = False
    """Whether groups are matrix products, see `columns`."""
    weights_by_columns: bool = False
    """Whether gradients of weights are, where channels come last."""
    alike: int = 1
    """So many equal parts of the groups have the same weights."""

    @property
    def window(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Stride, padding and dilation."""
        return self.stride, self.padding, self.dilation

    @property
    def multiplies(self) -> bool:
        """Whether it is computed as matrix products."""
        return self.by_columns and self.groups > 1

    @property
    def of_each(self) -> Geometry:
        """The same where every group has weights of its own."""
        return self._replace(alike=1)

    def of(self, tasks: int, *, are_alike: bool = False) -> Geometry:
        """The same for so many tasks beside each other, which may all have the same weights."""
        return self._replace(groups=self.groups * tasks, alike=tasks if are_alike else 1)

    def is_one_batch(self, maps: Tensor) -> bool:
        """Whether maps of several tasks with the same weights lie so that they are those of one batch."""
        return self.alike > 1 and maps.is_contiguous()


def _are_alike(weight: Tensor, at: int | None) -> bool:
    """Whether all tasks have the same weights, at one place in memory."""
    return at is None or weight.stride(at) == 0


def _as_batch(maps: Tensor, tasks: int) -> Tensor:
    """[n · tasks, channels, …] of [n, tasks · channels, …], in the same memory."""
    return maps.view(len(maps) * tasks, -1, *maps.shape[2:])


def _first(weight: Tensor, tasks: int) -> Tensor:
    """The weights of the first of some tasks, of [tasks · out, …]."""
    return weight[: len(weight) // tasks]


def _backward(gradient: Tensor, inputs: Tensor, weight: Tensor, how: Geometry, wanted: list[bool]) -> list[Tensor]:
    """Those of the gradients of (inputs, weight, bias) that are wanted."""
    found: list[Tensor] = torch.ops.aten.convolution_backward(
        gradient, inputs, weight, None, how.stride, how.padding, how.dilation, False, [0, 0], how.groups, wanted)
    return found


class _Bilinear(Function):
    """A map of two tensors, something beside them, and a geometry; its derivatives need the two and the geometry."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.how = inputs[3]


class _Convolution(_Bilinear):
    """[n, in, h, w], [out, in / groups, kh, kw], [out] or None → [n, out, h', w']."""

    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None, how: Geometry) -> Tensor:
        if how.is_one_batch(inputs):
            batch = F.conv2d(_as_batch(inputs, how.alike), _first(weight, how.alike), None, *how.window,
                             how.groups // how.alike)
            outputs = batch.reshape(len(inputs), len(weight), *batch.shape[2:])
        elif how.multiplies:
            outputs = columns.convolved(inputs, weight, how.window, how.groups)
        else:
            return F.conv2d(inputs, weight, bias, *how.window, how.groups)
        return outputs if bias is None else outputs.add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        wants_inputs, wants_weight, wants_bias, _ = ctx.needs_input_grad
        return (
            call(_InputGradient, gradient, weight, inputs.shape, ctx.how) if wants_inputs else None,
            call(_WeightGradient, inputs, gradient, weight.shape, ctx.how.of_each) if wants_weight else None,
            gradient.sum((0, 2, 3)) if wants_bias else None,
            None,
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], inputs: Tensor, weight: Tensor, bias: Tensor | None, how: Geometry
             ) -> tuple[Tensor, int]:
        tasks = info.batch_size
        shift = None if bias is None else stacked(bias, in_dims[2], tasks)
        outputs = call(_Convolution, beside(inputs, in_dims[0], tasks), stacked(weight, in_dims[1], tasks), shift,
                       how.of(tasks, are_alike=_are_alike(weight, in_dims[1])))
        return apart(outputs, tasks), 1


class _InputGradient(_Bilinear):
    """[n, out, h', w'], [out, in / groups, kh, kw] → [n, in, h, w]."""

    @staticmethod
    def forward(gradient: Tensor, weight: Tensor, shape: tuple[int, ...], how: Geometry) -> Tensor:
        if how.is_one_batch(gradient):
            one = how.of_each._replace(groups=how.groups // how.alike)
            batch = _InputGradient.forward(_as_batch(gradient, how.alike), _first(weight, how.alike),
                                           (shape[0] * how.alike, shape[1] // how.alike, *shape[2:]), one)
            return batch.reshape(shape)
        if how.multiplies:
            return columns.input_gradient(gradient, weight, shape[2:], how.window, how.groups)
        inputs = torch.empty(shape, dtype=gradient.dtype, device=gradient.device, memory_format=layout(gradient))
        return _backward(gradient, inputs, weight, how, [True, False, False])[0]

    @staticmethod
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        gradient, weight = ctx.saved_tensors
        wants_gradient, wants_weight, *_ = ctx.needs_input_grad
        return (
            call(_Convolution, direction, weight, None, ctx.how) if wants_gradient else None,
            call(_WeightGradient, direction, gradient, weight.shape, ctx.how.of_each) if wants_weight else None,
            None, None,
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], gradient: Tensor, weight: Tensor, shape: tuple[int, ...],
             how: Geometry) -> tuple[Tensor, int]:
        tasks = info.batch_size
        whole = (shape[0], tasks * shape[1], *shape[2:])
        found = call(_InputGradient, beside(gradient, in_dims[0], tasks), stacked(weight, in_dims[1], tasks), whole,
                     how.of(tasks, are_alike=_are_alike(weight, in_dims[1])))
        return apart(found, tasks), 1


def weight_gradient(inputs: Tensor, gradient: Tensor, shape: tuple[int, ...], how: Geometry) -> Tensor:
    """What a convolution gives back to weights of this shape.

    Args:
        inputs: [n, in, h, w].
        gradient: [n, out, h', w'].
        shape: (out, in / groups, kh, kw).
        how: The convolution.
    """
    if how.weights_by_columns and layout(inputs) == torch.channels_last and inputs.dtype != torch.bfloat16:
        return columns.weight_gradient_of_last(inputs, gradient, shape, how.window, how.groups)
    if how.multiplies:
        return columns.weight_gradient(inputs, gradient, shape, how.window, how.groups)
    if inputs.dtype == torch.bfloat16 and inputs.device.type == "cpu" and min(inputs.shape[2:]) < max(shape[2:]):
        # Weights that no input reaches get what lies in memory rather than zero (seen in torch 2.13).
        return weight_gradient(inputs.float(), gradient.float(), shape, how).to(inputs.dtype)
    weight = torch.empty(shape, dtype=inputs.dtype, device=inputs.device, memory_format=layout(inputs))
    return _backward(gradient, inputs, weight, how, [False, True, False])[1]


class _WeightGradient(_Bilinear):
    """[n, in, h, w], [n, out, h', w'] → [out, in / groups, kh, kw]."""

    forward = staticmethod(weight_gradient)

    @staticmethod
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        inputs, gradient = ctx.saved_tensors
        return (
            call(_InputGradient, gradient, direction, inputs.shape, ctx.how) if ctx.needs_input_grad[0] else None,
            call(_Convolution, inputs, direction, None, ctx.how) if ctx.needs_input_grad[1] else None,
            None, None,
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], inputs: Tensor, gradient: Tensor, shape: tuple[int, ...],
             how: Geometry) -> tuple[Tensor, int]:
        tasks = info.batch_size
        found = call(_WeightGradient, beside(inputs, in_dims[0], tasks), beside(gradient, in_dims[1], tasks),
                     (tasks * shape[0], *shape[1:]), how.of(tasks))
        return unstacked(found, tasks), 0


class Convolution(nn.Conv2d):
    """`torch.nn.Conv2d` that pads with so many zeros, fast when it is mapped over tasks.

    Attributes:
        by_columns: Whether it is a matrix product for every task then, rather than one grouped convolution.
        weights_by_columns: Whether the gradient of its weights is, where channels come last.
    """

    by_columns = False
    weights_by_columns = False

    @property
    def geometry(self) -> Geometry:
        """What it is beside its tensors."""
        return Geometry(self.stride, cast("tuple[int, ...]", self.padding), self.dilation, self.groups,
                        self.by_columns, self.weights_by_columns)

    def forward(self, inputs: Tensor, *, is_shifted: bool = True) -> Tensor:
        """[n, out, h', w'] of [n, in, h, w]; without the bias where it is not to be shifted."""
        bias = self.bias if is_shifted else None
        outputs: Tensor = call(_Convolution, *narrowed(inputs, self.weight, bias), self.geometry)
        return outputs


def max_pool(x: Tensor, size: int, stride: int | None = None, padding: int = 0) -> Tensor:
    """`torch.nn.functional.max_pool2d`, without moving tasks about in memory where it is mapped over them."""
    return each_channel(lambda maps: F.max_pool2d(maps, size, stride, padding), x)
