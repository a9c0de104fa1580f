"""Which convolutions have the gradient of their weights sooner as a matrix product, measured layer by layer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm
from workbench.backbones.convolution import Convolution, weight_gradient
from workbench.backbones.mapping import laid_out, layout
from workbench.engine.executors import EXECUTORS, on_threads

if TYPE_CHECKING:
    from workbench.engine.chooser import Way
    from workbench.engine.session import Session

_ROUNDS = 10
# What is measured is no longer than this in all; the layers that are left stay as they are.
_SECONDS = 0.5
# So many tasks and pictures of each are enough to tell.
_TASKS, _PICTURES = 4, 25
# A matrix product takes memory for its columns; it has to be clearly faster.
_CLEARLY = 0.9


def convolutions(algorithm: Algorithm[Any]) -> dict[str, Convolution]:
    """The convolutions of an algorithm's network, by name."""
    return {name: layer for name, layer in algorithm.network.module.named_modules() if isinstance(layer, Convolution)}


def have_by_columns(algorithm: Algorithm[Any], names: tuple[str, ...]) -> None:
    """Let the gradients of the weights of these convolutions be matrix products, and of these alone."""
    for name, layer in convolutions(algorithm).items():
        layer.weights_by_columns = name in names


def may_have_columns(session: Session, executor: str) -> bool:
    """Whether there is something to choose: on a CPU, where channels come last under a map over tasks."""
    is_mapped = EXECUTORS[executor].has_task_axis and executor != "columns"
    return session.device.type == "cpu" and is_mapped and bool(convolutions(session.algorithm))


def faster_by_columns(session: Session, way: Way) -> tuple[str, ...]:
    """Names of the convolutions whose gradients of the weights are clearly faster as matrix products, run in a way."""
    kind = EXECUTORS[way.executor]
    tasks = min(_TASKS, max(1, way.chunk // way.threads) if kind.is_pooled else way.chunk)
    shape = session.experiment.training_task()
    pictures = min(_PICTURES, (shape.ways if session.spec.kind == "classification" else 1) * shape.shots)
    end = time.perf_counter() + _SECONDS
    with on_threads(1 if kind.is_pooled else way.threads), torch.no_grad():
        sizes = _sizes(session.algorithm, session.spec.input_shape)
        return tuple(name for name, layer in convolutions(session.algorithm).items() if name in sizes
                     and _is_faster(layer, tasks, [(pictures, *size) for size in sizes[name]], end))


def _sizes(algorithm: Algorithm[Any], shape: tuple[int, ...]) -> dict[str, tuple[torch.Size, torch.Size]]:
    """What every convolution is given of one input, and what it gives, each [channels, height, width]."""
    found: dict[str, tuple[torch.Size, torch.Size]] = {}

    def watch(name: str, layer: Convolution) -> Any:
        def note(_: Any, inputs: tuple[Tensor, ...], outputs: Tensor) -> None:
            found.setdefault(name, (inputs[0].shape[1:], outputs.shape[1:]))
        return layer.register_forward_hook(note)

    hooks = [watch(name, layer) for name, layer in convolutions(algorithm).items()]
    try:
        algorithm.network.module(torch.zeros(2, *shape))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _is_faster(layer: Convolution, tasks: int, shapes: list[tuple[int, ...]], end: float) -> bool:
    """Whether so many tasks together, with maps of these shapes for one task, are faster by columns."""
    inputs, gradient = (laid_out(torch.ones(count, tasks * channels, *size)) for count, channels, *size in shapes)
    if layout(inputs) != torch.channels_last:
        return False
    shape = (tasks * len(layer.weight), *layer.weight.shape[1:])
    ways = [layer.geometry.of(tasks)._replace(weights_by_columns=by_columns) for by_columns in (False, True)]
    rounds: list[list[float]] = []
    while len(rounds) <= _ROUNDS and time.perf_counter() < end:
        rounds.append([_seconds(partial(weight_gradient, inputs, gradient, shape, how)) for how in ways])
    # The first finds neither memory nor code.
    grouped, by_columns = (min((one[way] for one in rounds[1:]), default=math.inf) for way in range(2))
    return by_columns < _CLEARLY * grouped


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
