"""Which convolutions have the gradient of their weights sooner as a matrix product, measured one by one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from workbench.algorithms.base import Algorithm
from workbench.backbones.convolution import Convolution, weight_gradient
from workbench.backbones.mapping import laid_out, layout
from workbench.engine.executors import EXECUTORS
from workbench.engine.executors.base import on_threads
from workbench.engine.ways.work import Way, calls
from workbench.engine.words import is_out_of_memory
from workbench.experiment.experiment import TaskConfig
from workbench.tasks.base import Spec

# After so many seconds nothing more is measured, and the convolutions that are left stay as they are.
_SECONDS = 0.5
# The first round finds neither memory nor code; fewer than so many after it tell nothing.
_FEWEST, _MOST = 3, 10
# So many tasks and pictures of each are enough to tell, and so many numbers.
_TASKS, _PICTURES, _NUMBERS = 8, 25, 2**24
# A matrix product takes memory for its columns; it has to be clearly faster.
_CLEARLY = 0.9


def convolutions(algorithm: Algorithm[Any]) -> dict[str, Convolution]:
    """The convolutions of an algorithm's network, by name."""
    return {name: layer for name, layer in algorithm.network.module.named_modules() if isinstance(layer, Convolution)}


def set_weights_by_columns(algorithm: Algorithm[Any], names: tuple[str, ...]) -> None:
    """Let the gradients of the weights of these convolutions be matrix products, and of these alone."""
    for name, layer in convolutions(algorithm).items():
        layer.weights_by_columns = name in names


def may_have_columns(algorithm: Algorithm[Any], executor: str, device: torch.device) -> bool:
    """Whether there is something to choose: on a CPU, where channels come last under a map over tasks."""
    is_mapped = EXECUTORS[executor].has_task_axis and executor != "columns"
    return device.type == "cpu" and is_mapped and bool(convolutions(algorithm))


def faster_by_columns(algorithm: Algorithm[Any], spec: Spec, shape: TaskConfig, way: Way) -> tuple[str, ...]:
    """Names of the convolutions whose gradients of the weights are clearly faster as matrix products.

    Args:
        algorithm: What learns, with its network.
        spec: Its inputs.
        shape: Of the tasks that it is trained on.
        way: How it will be run.
    """
    kind = EXECUTORS[way.executor]
    tasks = min(_TASKS, max(1, way.chunk // way.threads) if kind.is_pooled else way.chunk)
    pictures = min(_PICTURES, (shape.ways if spec.kind == "classification" else 1) * shape.shots)
    layers = convolutions(algorithm)
    with on_threads(1 if kind.is_pooled else way.threads), torch.no_grad():
        # A layer that is called more than once counts as it is called first.
        shapes = {call.name: (call.inputs, call.outputs)
                  for call in reversed(calls(algorithm.network.module, spec, Convolution))}
        end = time.perf_counter() + _SECONDS
        # Those with small maps, which gain the most, come first.
        found = {name for name in sorted(shapes, key=lambda name: math.prod(shapes[name][0]))
                 if _is_faster(layers[name], tasks, pictures, shapes[name], end)}
    return tuple(name for name in layers if name in found)


def _is_faster(layer: Convolution, tasks: int, pictures: int, shapes: tuple[torch.Size, torch.Size], end: float
               ) -> bool:
    """Whether so many tasks together are clearly faster by columns; not where time or memory do not let it tell."""
    pictures = max(1, min(pictures, _NUMBERS // (tasks * max(map(math.prod, shapes)))))
    whole = (tasks * len(layer.weight), *layer.weight.shape[1:])
    ways = [layer.geometry.of(tasks)._replace(weights_by_columns=one) for one in (False, True)]
    rounds: list[list[float]] = []
    try:
        if time.perf_counter() >= end:
            return False
        inputs, gradient = (laid_out(torch.ones(pictures, tasks * channels, *size)) for channels, *size in shapes)
        if layout(inputs) != torch.channels_last:
            return False
        while len(rounds) <= _MOST and time.perf_counter() < end:
            rounds.append([_seconds(partial(weight_gradient, inputs, gradient, whole, how)) for how in ways])
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    if len(rounds) <= _FEWEST:
        return False
    grouped, by_columns = (min(one[way] for one in rounds[1:]) for way in range(2))
    return by_columns < _CLEARLY * grouped


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
