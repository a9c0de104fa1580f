"""Affine maps with weights of each task's own, mapped over tasks as one batched matrix product."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.backbones.mapping import mapped, narrowed


class Linear(nn.Linear):
    """`torch.nn.Linear`, fast when it is mapped over tasks.

    torch's own rule for the task axis multiplies the bias by one, expands and reshapes, each forwards and backwards;
    for a small network that takes as long as the products.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., out] of [..., in]."""
        outputs: Tensor = mapped(_affine, F.linear, *narrowed(inputs, self.weight, self.bias))
        return outputs


def _affine(info: Any, in_dims: tuple[int | None, ...], inputs: Tensor, weight: Tensor, bias: Tensor | None
            ) -> tuple[Tensor, int]:
    """The rule of `F.linear` for a task axis."""
    tasks = info.batch_size
    x, rows = _in_front(inputs, in_dims[0], tasks), _in_front(weight, in_dims[1], tasks)
    # Reshaping to the same shape is an operation too.
    flat = x if x.dim() == 3 else x.reshape(tasks, -1, x.shape[-1])
    outputs = torch.bmm(flat, rows.mT)
    if bias is not None:
        outputs = outputs + _in_front(bias, in_dims[2], tasks).unsqueeze(1)
    return (outputs if x.dim() == 3 else outputs.reshape(*x.shape[:-1], -1)), 0


def _in_front(value: Tensor, at: int | None, tasks: int) -> Tensor:
    """[tasks, …] of […] with a task axis at `at`, or the same for every task."""
    if at is None:
        return value.expand(tasks, *value.shape)
    return value.movedim(at, 0) if at else value
