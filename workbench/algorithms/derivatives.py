"""Derivatives of one task's loss, with the calling convention of `torch.func` and the speed of ordinary autograd.

Tasks do not depend on each other, so the gradients of all tasks of a batch are the one gradient of their summed loss
with respect to parameters that every task has a copy of. `torch.func.grad` inside a map knows nothing of that and
walks through three dispatchers for every operation; what is here asks autograd once, below the map. First and second
derivatives are the same numbers. Under `torch.no_grad` a gradient is a constant, and nothing is kept to differentiate
it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.func
from torch import Tensor
from torch.autograd import Function
from torch.utils import _pytree as pytree

from workbench.backbones.mapping import call, is_mapped, is_simple


def grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, constant: bool = False
         ) -> Callable[..., Any]:
    """As `torch.func.grad`: what computes the gradient of a scalar function.

    Args:
        function: Of tensors or trees of tensors; it returns a scalar.
        argnums: Which of its arguments to differentiate with respect to.
        constant: Whether the outer loop takes the gradient for a constant, as first-order methods do.
    """
    derived = grad_and_value(function, argnums, constant=constant)
    return lambda *args: derived(*args)[0]


def grad_and_value(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False,
                   constant: bool = False) -> Callable[..., Any]:
    """As `torch.func.grad_and_value`: the gradient beside the value, or beside (value, what else the function says)."""
    def derived(*args: Any) -> Any:
        chosen = args[argnums] if isinstance(argnums, int) else tuple(args[place] for place in argnums)
        values, tree = pytree.tree_flatten(chosen)
        if not is_simple(values):
            found = torch.func.grad_and_value(function, argnums, has_aux)(*args)
            return pytree.tree_map_only(Tensor, Tensor.detach, found) if constant else found
        again = torch.is_grad_enabled() and not constant
        with torch.enable_grad():
            points = _recorded(values)
            own = pytree.tree_unflatten(points, tree)
            placed = {argnums: own} if isinstance(argnums, int) else dict(zip(argnums, own, strict=True))
            said = function(*(placed.get(place, arg) for place, arg in enumerate(args)))
            slopes = _pulled_back(said[0] if has_aux else said, points, again=again)
        if not again:
            said = pytree.tree_map_only(Tensor, Tensor.detach, said)
        return pytree.tree_unflatten(slopes, tree), said

    return derived


def hessian_product(function: Callable[[Any], Tensor], point: Any) -> Callable[[Any], Any]:
    """What multiplies a tree of tensors with the Hessian of a scalar function at a point; it gives constants.

    The graph of one gradient is kept and differentiated again for every product.
    """
    values, tree = pytree.tree_flatten(point)
    if not is_simple(values):
        pull = torch.func.vjp(torch.func.grad(function), point)[1]
        return lambda direction: pull(direction)[0]
    with torch.enable_grad():
        points = _recorded(values)
        slopes = _pulled_back(function(pytree.tree_unflatten(points, tree)), points, again=True)

    def product(direction: Any) -> Any:
        with torch.enable_grad():
            along = sum((slope * value).sum()
                        for slope, value in zip(slopes, pytree.tree_leaves(direction), strict=True))
            found = _pulled_back(along, points, again=False, keep=True)
        return pytree.tree_unflatten(found, tree)

    return product


def _recorded(values: list[Tensor]) -> list[Tensor]:
    """The same values, of each task's own and recorded by autograd; what was recorded before stays part of it."""
    if is_mapped():
        return list(call(_Recorded, *values))
    return [value.view_as(value) if value.requires_grad else value.detach().requires_grad_() for value in values]


class _BelowTheMap(Function):
    """What is only ever done under a map, by going below it."""

    @staticmethod
    def forward(*values: Any) -> tuple[Tensor, ...]:
        raise AssertionError("only called under a map")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass


class _Recorded(_BelowTheMap):
    """Values as they are; under a map a copy of each task's own."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *values: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        spread = [value.expand(info.batch_size, *value.shape) if at is None else value
                  for value, at in zip(values, in_dims, strict=True)]
        return tuple(_recorded(spread)), tuple(at or 0 for at in in_dims)


def _pulled_back(loss: Tensor, points: list[Tensor], *, again: bool, keep: bool = False) -> list[Tensor]:
    """Gradients of the sum of a loss over whatever is mapped, below the maps."""
    if is_mapped():
        return list(call(_PulledBack, again, keep, loss, *points))
    if loss.dim():
        loss = loss.sum()
    return list(torch.autograd.grad(loss, points, create_graph=again, retain_graph=keep or again,
                                    materialize_grads=True))


class _PulledBack(_BelowTheMap):
    """The gradient of every task's loss with respect to values that `_Recorded` gave."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], again: bool, keep: bool, loss: Tensor, *points: Tensor
             ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        return tuple(_pulled_back(loss.sum(in_dims[2]), list(points), again=again, keep=keep)), in_dims[3:]
