"""Calling functions that have a rule of their own for a map over tasks, and where the task axis lies in memory.

Between pictures and channels, [n, tasks · channels, height, width], is where grouped convolutions and batch
normalization take it as it is; on a CPU with the channels last. So nothing is copied between two layers.

Going below a map takes functions that torch does not promise to keep. All of them are named here; where a torch lacks
one, everything goes the usual way, which gives the same numbers more slowly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

_BELOW = ("TransformType", "_add_batch_dim", "get_interpreter_stack", "get_unwrapped", "is_batchedtensor",
          "maybe_get_bdim", "maybe_get_level")
try:
    from torch._C import _functorch as levels
    from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter

    can_go_below = (all(hasattr(levels, name) for name in _BELOW)
                    and hasattr(torch._C, "_are_functorch_transforms_active"))
except ImportError:
    can_go_below = False
if not can_go_below:
    logging.getLogger(__name__).warning("torch %s has no way below its maps that this program knows, so training takes "
                                        "longer; an older torch has", torch.__version__)


class _Info(NamedTuple):
    batch_size: int
    randomness: str


def is_mapped() -> bool:
    """Whether `torch.func` maps or differentiates around this call."""
    return bool(torch._C._are_functorch_transforms_active())


def may_go_below() -> bool:
    """Whether nothing is mapped, or one map is all that `torch.func` does around this call."""
    if not can_go_below:
        return False
    if not is_mapped():
        return True
    around = levels.get_interpreter_stack() or []
    return len(around) == 1 and around[0].key() == levels.TransformType.Vmap


def is_simple(values: Iterable[Tensor]) -> bool:
    """Whether nothing is mapped, or values are mapped once; only `torch.func` can follow its other transforms."""
    return may_go_below() and (not is_mapped() or any(levels.is_batchedtensor(value) for value in values))


def call(function: Any, *values: Any) -> Any:
    """What `function.apply(*values)` gives, for an autograd function; under a map from its own `vmap`, and directly.

    The usual way there costs a thousand calls in Python, which is longer than a small convolution takes.
    """
    if not can_go_below:
        return function.apply(*values)
    if not is_mapped():
        # Less a look at the signature, which only `torch.func` needs.
        return super(Function, function).apply(*values)
    interpreter: Any = retrieve_current_functorch_interpreter()
    if interpreter.key() != levels.TransformType.Vmap:
        return function.apply(*values)
    return _below(interpreter, function.vmap, partial(call, function), values)


def mapped(rule: Callable[..., Any], function: Callable[..., Any], *values: Any) -> Any:
    """What `function(*values)` gives; under a map from a rule in place of torch's own, recorded as it is by autograd.

    Args:
        rule: As the `vmap` of an autograd function: of (info, in_dims, *values below the map) → outputs and where their
            task axis lies.
        function: What is called where nothing is mapped, or where `torch.func` does other things than to map.
        values: Tensors and whatever else it takes.
    """
    interpreter: Any = retrieve_current_functorch_interpreter() if can_go_below and is_mapped() else None
    if interpreter is None or interpreter.key() != levels.TransformType.Vmap:
        return function(*values)
    return _below(interpreter, rule, partial(mapped, rule, function), values)


def _below(interpreter: Any, rule: Callable[..., Any], unmapped: Callable[..., Any], values: Iterable[Any]) -> Any:
    """What a rule gives of what lies below the innermost map, or the same unmapped where nothing of it is mapped."""
    level = interpreter.level()
    pairs = [_unwrapped(value, level) for value in values]
    inner, dims = [value for value, _ in pairs], tuple(at for _, at in pairs)
    with interpreter.lower():
        if all(at is None for at in dims):
            return unmapped(*inner)
        outputs, out_dims = rule(_Info(interpreter.batch_size(), interpreter.randomness()), dims, *inner)
    if isinstance(outputs, Tensor):
        return levels._add_batch_dim(outputs, out_dims, level)
    return tuple(levels._add_batch_dim(value, at, level) for value, at in zip(outputs, out_dims, strict=True))


def each_channel(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """What a function gives that treats every channel of [n, channels, h, w] alone, such as pooling.

    Under a map the channels of all tasks go through it beside each other, where they lie already.
    """
    def beside_each_other(info: _Info, in_dims: tuple[int | None], value: Tensor) -> tuple[Tensor, int]:
        maps = beside(value, in_dims[0], info.batch_size)
        return apart(each_channel(function, maps), info.batch_size), 1

    outputs: Tensor = mapped(beside_each_other, function, value)
    return outputs


def _unwrapped(value: Any, level: int) -> tuple[Any, int | None]:
    is_of_level = (isinstance(value, Tensor) and levels.is_batchedtensor(value)
                   and levels.maybe_get_level(value) == level)
    return (levels.get_unwrapped(value), levels.maybe_get_bdim(value)) if is_of_level else (value, None)


def narrowed(*values: Tensor | None) -> tuple[Tensor | None, ...]:
    """The same in the numbers that autocast asks for, which does not see what `call` calls."""
    device = next(value.device.type for value in values if value is not None)
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return values
    kind = torch.get_autocast_dtype(device)
    return tuple(value if value is None or value.dtype == torch.float64 else value.to(kind) for value in values)


def laid_out(value: Tensor) -> Tensor:
    """The same map [n, channels, …] as mapped layers like it best: pictures on a CPU channels last, all else in order.

    The one price is normalization in single precision, which sums channels that come last a few digits less well.
    """
    if value.device.type != "cpu" or value.dim() != 4:
        return value.contiguous()
    value = value.contiguous(memory_format=torch.channels_last)
    _, channels, height, width = value.shape
    # One channel lies both ways, and torch would take it for the other.
    return value.as_strided(value.shape, (height * width, 1, width, 1)) if channels == 1 else value


def layout(value: Tensor) -> torch.memory_format:
    """How a map [n, channels, h, w] lies in memory."""
    is_last = value.is_contiguous(memory_format=torch.channels_last) and not value.is_contiguous()
    return torch.channels_last if is_last else torch.contiguous_format


def beside(value: Tensor, at: int | None, tasks: int) -> Tensor:
    """[n, tasks · channels, …] of [n, channels, …] with a task axis at `at`, or the same for every task."""
    spread = value.unsqueeze(1).expand(-1, tasks, *value.shape[1:]) if at is None else value.movedim(at, 1)
    return laid_out(spread.flatten(1, 2))


def apart(value: Tensor, tasks: int) -> Tensor:
    """[n, tasks, channels, …] of [n, tasks · channels, …]."""
    return value.reshape(value.shape[0], tasks, -1, *value.shape[2:])


def stacked(value: Tensor, at: int | None, tasks: int) -> Tensor:
    """[tasks · rows, …] of parameters [rows, …] with a task axis at `at`, or the same for every task."""
    spread = value.expand(tasks, *value.shape) if at is None else value.movedim(at, 0)
    return laid_out(spread.flatten(0, 1))


def unstacked(value: Tensor, tasks: int) -> Tensor:
    """[tasks, rows, …] of [tasks · rows, …]."""
    return value.reshape(tasks, -1, *value.shape[1:])
