"""Parameters with a factor for every stage, and meta-gradients for outer steps on them."""

import torch

from workbench.algorithms.base import Aux
from workbench.engine.executors.gradients import MetaGradient

SHAPES = {"first": (4, 3), "bias": (4,), "slow": (2, 2, 2), "frozen": (3,), "rate": ()}
FACTORS = {"slow": 0.1, "frozen": 0.0}


def factor(name, stage):
    return FACTORS.get(name, 1.0) if stage == "tasks" else 1.0


def numbers(seed, dtype):
    draw = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=draw, dtype=dtype) for name, shape in SHAPES.items()}


def is_replayed(outer):
    return bool(outer._written) and all(outer._written.values())


def found(seed, dtype, tasks):
    draw = torch.Generator().manual_seed(seed)
    return MetaGradient(numbers(seed, dtype), Aux(torch.randn(tasks, generator=draw), torch.rand(tasks, generator=draw),
                                                  {}, {}))
