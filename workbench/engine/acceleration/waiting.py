"""What the host has to wait for the device for, which no graph of a GPU can hold."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

_INDEX = torch.ops.aten.index.Tensor


class ForbidSync(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A block in which this thread waits for no device: what looks at a number of a tensor, or moves one from or to a
    device, raises RuntimeError.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What an operation gives, unless it is refused."""
        given = [one for one in pytree.tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        if _decides_by_numbers(func, given):
            raise RuntimeError(f"{func} takes a number out of a tensor")
        found = func(*args, **(kwargs or {}))
        places = {one.device for one in given}
        if places and any(isinstance(one, Tensor) and one.device not in places for one in pytree.tree_leaves(found)):
            raise RuntimeError(f"{func} moves a tensor from one device to another")
        return found


def _decides_by_numbers(operation: Any, given: list[Tensor]) -> bool:
    """Whether what comes of an operation, its shape, or going on at all, depends on numbers of its tensors."""
    if operation is _INDEX:  # by whole numbers it does not
        return any(one.dtype in (torch.bool, torch.uint8) for one in given[1:])
    tags = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
    return bool(tags & set(operation.tags)) or not operation._schema.returns
