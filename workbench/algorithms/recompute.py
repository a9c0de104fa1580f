"""Inner steps of which only the state between them is kept, and which are computed again where they are differentiated.

An unrolled inner loop keeps the activations of every step until the outer gradient has passed through it. Kept are here
the states alone: memory grows by the size of the fast weights a step, for the price of computing each step once more.
Like the derivatives, a step is told to autograd below the map over tasks, whose way back knows of no map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.func import vmap
from torch.utils import _pytree as pytree

from workbench.backbones.mapping import call, may_go_below

Tensors = Callable[..., tuple[Tensor, ...]]
"""A pure function of tensors."""


def recomputed(step: Callable[..., Any], *args: Any) -> Any:
    """What a pure function of trees of tensors gives; its insides are computed again in the backward pass.

    Args:
        step: Everything that it depends on and that varies is among its arguments.
        args: Trees of tensors; what is no tensor is the same every time.
    """
    if not torch.is_grad_enabled() or not may_go_below():
        return step(*args)
    leaves, tree = pytree.tree_flatten(args)
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    shape: list[Any] = []

    def flat(*values: Tensor) -> tuple[Tensor, ...]:
        own = list(leaves)
        for place, value in zip(places, values, strict=True):
            own[place] = value
        found, made = pytree.tree_flatten(step(*pytree.tree_unflatten(own, tree)))
        shape[:] = [made]
        # What a step hands on as it was is a value of its own to autograd.
        return tuple(one.view_as(one) for one in found)

    outputs = call(_Recomputed, flat, *(leaves[place] for place in places))
    return pytree.tree_unflatten(list(outputs), shape[0])


class _Recomputed(Function):
    """(function, its tensors) → what it gives; kept are the tensors alone."""

    @staticmethod
    def forward(function: Tensors, *values: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            return function(*values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.function = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.mark_non_differentiable(*(one for one in output if not one.is_floating_point()))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            points = list(_points(ctx.saved_tensors, ctx.needs_input_grad[1:], again=again))
            outputs = ctx.function(*points)
            pairs = [(one, slope) for one, slope in zip(outputs, gradients, strict=True) if one.requires_grad]
            moving = [point for point, wanted in zip(points, ctx.needs_input_grad[1:], strict=True) if wanted]
            found: Iterator[Tensor | None] = iter(torch.autograd.grad(
                [one for one, _ in pairs], moving, [slope for _, slope in pairs], create_graph=again,
                allow_unused=True) if pairs else [None] * len(moving))
        return None, *(next(found) if wanted else None for wanted in ctx.needs_input_grad[1:])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], function: Tensors, *values: Tensor
             ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        mapped = vmap(function, in_dims=in_dims[1:])
        outputs: tuple[Tensor, ...] = call(_Recomputed, mapped, *values)
        return outputs, (0,) * len(outputs)


def _points(values: Sequence[Tensor], wanted: Sequence[bool], *, again: bool) -> Iterator[Tensor]:
    """The same values where a graph begins, or goes on where it is to be differentiated again."""
    for value, is_wanted in zip(values, wanted, strict=True):
        if not is_wanted:
            yield value.detach()
        else:
            yield value.view_as(value) if again else value.detach().requires_grad_()
