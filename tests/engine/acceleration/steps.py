"""Meta-steps on tasks of noise, other numbers for them, and how far two meta-gradients are apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from tests.problems import make, noise_tasks, setting, spec
from workbench.algorithms.base import Algorithm
from workbench.engine.acceleration.base import Step
from workbench.engine.acceleration.preparing import difference as relative
from workbench.engine.executors.gradients import MetaGradient

CPU = torch.device("cpu")


def problem(name: str, kind: Any = "regression", *, picture: bool = False, tasks: int = 3
            ) -> tuple[Algorithm[Any], Step]:
    about = spec(kind, 3, picture)
    algorithm, meta = make(name, about)
    batch, keys = noise_tasks(about, tasks=tasks, ways=3, shots=2, queries=2)
    return algorithm, Step.of(meta, batch, keys, setting(algorithm, about))


def moved(step: Step) -> list[Tensor]:
    """Other numbers of the same kind."""
    return [one * 0.9 + 0.05 if one.is_floating_point() else one for one in step.tensors]


def difference(one: MetaGradient, other: MetaGradient) -> float:
    return relative(pytree.tree_leaves(one), pytree.tree_leaves(other))
