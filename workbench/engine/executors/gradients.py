"""Meta-gradients of several tasks, and how those of more are made of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Aux
from workbench.backbones.base import Params


class MetaGradient(NamedTuple):
    """Sum of the meta-gradients of some tasks, and what each reported, stacked."""

    total: Params
    aux: Aux


Running = Generator[None, None, MetaGradient]
"""What computes a meta-gradient and returns it; between tasks it lets whoever wants it look up."""


class Sum:
    """Adds up the meta-gradients of some tasks after others in their order, and holds no more of them than the sum."""

    def __init__(self) -> None:
        self._total: Params = {}
        self._aux: list[Aux] = []

    def add(self, part: MetaGradient) -> None:
        """Add those of some more tasks, which stay as they are; where memory runs out nothing is added."""
        if not self._aux:
            self._total = part.total
        elif len(self._aux) == 1:  # which is somebody else's
            self._total = {name: self._total[name] + value for name, value in part.total.items()}
        else:
            for name, value in part.total.items():
                self._total[name].add_(value)
        self._aux.append(part.aux)

    def whole(self) -> MetaGradient:
        """That of all tasks."""
        aux = self._aux[0] if len(self._aux) == 1 else joined_trees(torch.cat, self._aux)
        return MetaGradient(self._total, aux)


def finished(running: Running) -> MetaGradient:
    """What comes of it where nobody looks up."""
    while True:
        try:
            next(running)
        except StopIteration as end:
            found: MetaGradient = end.value
            return found


def summed(parts: Iterable[MetaGradient]) -> MetaGradient:
    """The meta-gradient of all tasks, from those of parts of them in their order."""
    total = Sum()
    for part in parts:
        total.add(part)
    return total.whole()


def joined_trees(join: Callable[[list[Tensor]], Tensor], results: list[Any]) -> Any:
    """Trees of tensors as one tree, each tensor joined along the axis of the tasks."""
    return pytree.tree_map(lambda *values: join(list(values)), *results)
