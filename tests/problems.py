"""Small problems that tests share: algorithms on tiny networks, and tasks made of noise."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm, Meta
from workbench.backbones.base import Backbone, Network
from workbench.engine.executors import EXECUTORS
from workbench.engine.executors.base import Executor, Setting
from workbench.experiment.registry import InputKind, TaskKind, find, found
from workbench.tasks.base import Examples, Spec, TaskBatch

KINDS: tuple[TaskKind, ...] = ("classification", "regression")


def spec(kind: TaskKind, ways: int, picture: bool = False) -> Spec:
    shape = (1, 8, 8) if picture else (3,)
    input_kind: InputKind = "image" if picture else "vector"
    if kind == "regression":
        return Spec(kind, input_kind, shape, outputs=2)
    return Spec(kind, input_kind, shape, outputs=ways, classes=7)


def make(name: str, about: Spec, **config: Any) -> tuple[Algorithm[Any], Meta]:
    """An algorithm on a tiny network, and meta-parameters in float64."""
    kind = cast("type[Algorithm[Any]]", find("algorithm", name))
    picture = about.input_kind == "image"
    usual = "conv4" if picture else "mlp"
    backbone_kind = cast("type[Backbone]", find("backbone", "supernet" if kind.searches else usual))
    tiny = {"conv4": {"filters": 4}, "mlp": {"widths": (6, 5), "activation": "tanh"}, "supernet": {"filters": 4}}
    settings: dict[str, Any] = dict(tiny[backbone_kind.name()])
    if picture and "normalization" in config:
        settings["normalization"] = config.pop("normalization")
    torch.manual_seed(7)
    chosen = kind.Config(**config)
    network = Network(kind.build(chosen, backbone_kind(backbone_kind.Config(**settings), about), about))
    algorithm = kind(chosen, network, about)
    meta = algorithm.init(torch.Generator().manual_seed(3))
    return algorithm, Meta(*({key: value.double() for key, value in table.items()} for table in meta))


def noise_tasks(about: Spec, *, tasks: int, ways: int, shots: int, queries: int, seed: int = 0
                ) -> tuple[TaskBatch, Tensor]:
    """Tasks in float64 whose inputs and values are noise, and their keys."""
    generator = torch.Generator().manual_seed(seed)

    def examples(count: int) -> Examples:
        if about.kind == "classification":
            inputs = torch.randn(tasks, ways * count, *about.input_shape, generator=generator, dtype=torch.float64)
            return Examples(inputs, torch.arange(ways).repeat_interleave(count).expand(tasks, -1))
        inputs = torch.randn(tasks, count, *about.input_shape, generator=generator, dtype=torch.float64)
        return Examples(inputs, torch.randn(tasks, count, about.outputs, generator=generator, dtype=torch.float64))

    batch = TaskBatch(examples(shots), examples(queries))
    return batch, torch.randint(-(2**62), 2**62, (tasks,), generator=generator)


def setting(algorithm: Algorithm[Any], about: Spec, *, inductive: bool = False, examples: int = 6,
            progress: float = 0.0) -> Setting:
    steps = algorithm.inner_steps(training=True, examples=examples)
    return Setting(steps, about.outputs, training=True, inductive=inductive, progress=progress)


def executor(name: str, algorithm: Algorithm[Any]) -> Executor:
    return EXECUTORS[name](algorithm, 2)


def algorithms_for(kind: TaskKind) -> list[str]:
    return [name for name, one in found("algorithm").items() if kind in one.task_kinds]


def alike(found: Any, wanted: Any) -> bool:
    """Whether trees of tensors have the same numbers of the same kinds, to the last bit."""
    return all(one.dtype == other.dtype and torch.equal(one, other) for one, other in zip(
        pytree.tree_leaves(found), pytree.tree_leaves(wanted), strict=True))
