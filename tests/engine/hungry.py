"""A method that has memory for a few tasks at once, and asks torch for more than there is where it is given more."""

from __future__ import annotations

import os
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function

from workbench.algorithms.base import Context, Meta
from workbench.algorithms.inner import Fast
from workbench.algorithms.maml import MAML, MAMLConfig
from workbench.experiment.fields import field
from workbench.tasks.base import Examples

# More bytes than a processor can address, so that torch's allocator refuses them whatever the machine.
TOO_MANY = 2**60


class _Room(Function):
    """Inputs as they are; under a map over more tasks than there is room for, memory runs out."""

    generate_vmap_rule = False

    @staticmethod
    def forward(inputs: Tensor, most: int) -> Tensor:
        return inputs.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, inputs: Tensor, most: int) -> tuple[Tensor, int]:
        if info.batch_size > most:
            torch.empty(TOO_MANY, dtype=torch.uint8)
        return _Room.apply(inputs, most), in_dims[0]


class HungryConfig(MAMLConfig):
    """MAML on a machine with little memory."""

    name: Literal["hungry"] = "hungry"  # type: ignore[assignment]
    room: int = field(3, label="Room", help="Tasks that there is memory for in training.", ge=0)
    test_room: int = field(1000, label="Room in testing", help="Tasks that there is memory for in testing.", ge=1)
    rank: int = field(0, label="Rank", help="The process that has so little memory.", ge=0)


class Hungry(MAML):
    """MAML that has memory for a few tasks at once."""

    Config = HungryConfig
    title = "Hungry"

    def step(self, meta: Meta, state: Fast, support: Examples, ctx: Context) -> Fast:
        """MAML's, where there is room."""
        is_short = os.environ.get("RANK", "0") == str(self.config.rank)
        room = (self.config.room if ctx.training else self.config.test_room) if is_short else TOO_MANY
        return super().step(meta, state, support._replace(inputs=_Room.apply(support.inputs, room)), ctx)
