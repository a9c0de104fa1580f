"""How much there is to compute, and the rules that follow from it: which executor, how many threads, what chunk.

They are rules rather than measurements. The chooser measures where a run is long enough to gain by it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm
from workbench.engine.distribution.launch import launch
from workbench.engine.executors import EXECUTORS
from workbench.experiment.experiment import TaskConfig
from workbench.tasks.base import Spec
from workbench.words import counted

CHUNK_SECONDS = 0.25
MOST_TASKS_AT_ONCE = 256
# Multiplications a second that are reached even beside other programs: a core of a busy machine takes 1e10 to 2.6e10 on
# Conv4. A lower rate makes smaller chunks, which take up to half as long again for the same tasks.
_RATE_OF_A_CORE = 1e10
_RATE_OF_A_GPU = 5e11
# What a CPU core does once it computes. A mapped step of one task takes nearly as long as one of a few, for what it
# mostly takes is starting its operations. Where they convolve, more than a few, or more than so many multiplications
# in one pass, are no faster, take more memory, and leave the core's cache.
_BEST_RATE_OF_A_CORE = 4e10
_A_FEW = 4
_ENOUGH = 1.3e8
# So many more tasks than are run at once are run at once all the same.
_HARDLY_MORE = 1.5
# Below so many multiplications a meta-batch, waking a second thread costs more than it computes.
_WORTH_A_THREAD = 1e9
# And below so many it is not even worth being tried.
_WORTH_A_TRIAL = 1e8
# But a compiled meta-step wakes it once for all of its operations.
_THREADS_OF_WHAT_IS_COMPILED = 2
# So many threads may share a part of the memory, and so many bytes are not kept well in one for a thread, whose pieces
# are of 64 MB.
_THREADS_OF_A_PART = 4
_LARGE = 16 * 2**20
_FLOAT_BYTES = 4
# No step is over sooner, however small the network.
_LEAST_SECONDS = 1e-3


@dataclass(frozen=True)
class Way:
    """A way to run a meta-batch.

    Attributes:
        executor: Its name.
        threads: Compute threads; 0 for those that the rules say.
        chunk: Tasks run at once; 0 for as many as the rules say.
        weights_by_columns: Convolutions that have the gradient of their weights as a matrix product.
    """

    executor: str
    threads: int = 0
    chunk: int = 0
    weights_by_columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        """In words, such as "portions, 2 threads, 8 tasks at once"."""
        count = len(self.weights_by_columns)
        beside = f", {counted(count, 'weight gradients')} by columns" if count else ""
        return f"{self.executor}, {counted(self.threads, 'threads')}, {counted(self.chunk, 'tasks')} at once{beside}"


@dataclass(frozen=True)
class Work:
    """What one task costs.

    Attributes:
        multiplications: Of one task, its inner steps and derivatives included, roughly.
        in_a_pass: Of the largest of its forward passes.
        convolves: Whether convolutions do them.
        device: Where.
        largest: Bytes of the largest result of a layer in that pass.
    """

    multiplications: float
    in_a_pass: float
    convolves: bool
    device: torch.device
    largest: int = 0

    def executor(self, tasks: int) -> str:
        """The faster executor for so many tasks: all gain from the task axis, and CPU cores convolve sooner each on its
        own portion.
        """
        is_parted = self.convolves and self.device.type == "cpu" and 1 < cores() <= tasks
        return "portions" if is_parted else "vectorized"

    def threads(self, executor: str, tasks: int, *, compiles: bool = False) -> int:
        """Compute threads for a meta-batch of so many tasks, which may be compiled."""
        is_small = self.device.type == "cpu" and self.multiplications * tasks < _WORTH_A_THREAD
        if is_small and not EXECUTORS[executor].is_pooled:
            return min(cores(), _THREADS_OF_WHAT_IS_COMPILED) if compiles else 1
        return cores()

    def is_worth_threads(self, tasks: int) -> bool:
        """Whether several threads on the operations of a meta-batch of so many tasks may gain anything."""
        return self.multiplications * tasks >= _WORTH_A_TRIAL

    def seconds(self, tasks: int) -> float:
        """How long an outer step over so many tasks takes, roughly."""
        rate = _RATE_OF_A_CORE * cores() if self.device.type == "cpu" else _RATE_OF_A_GPU
        return max(_LEAST_SECONDS, self.multiplications * tasks / rate)

    def chunk(self, executor: str, threads: int, tasks: int = 0) -> int:
        """Tasks that take at most a quarter of a second together, a multiple of the threads where they run on those.

        A half more are run at once where that is all of them, whatever their number.

        Args:
            executor: What runs them.
            threads: On so many.
            tasks: How many there are; 0 where that is not known.
        """
        most = self._most(executor, threads)
        return tasks if most < tasks <= min(_HARDLY_MORE * most, MOST_TASKS_AT_ONCE) else most

    def has_large_tensors(self, way: Way) -> bool:
        """Whether a tensor of one thread of a pool is too large for a part of the memory that it has for itself.

        Many threads are better off with such parts all the same, for they would wait for one another in the same one.
        """
        portion = way.chunk / way.threads if EXECUTORS[way.executor].has_task_axis else 1
        return way.threads <= _THREADS_OF_A_PART and self.largest * portion > _LARGE

    def in_time(self, threads: int) -> int:
        """Tasks that take at most a quarter of a second together on so many threads, however busy the machine."""
        rate = _RATE_OF_A_CORE * threads if self.device.type == "cpu" else _RATE_OF_A_GPU
        return self._within(rate, MOST_TASKS_AT_ONCE)

    def _within(self, rate: float, most: int) -> int:
        return int(min(CHUNK_SECONDS * rate / self.multiplications, most))

    def _most(self, executor: str, threads: int) -> int:
        tasks = self.in_time(threads)
        if EXECUTORS[executor].is_pooled:
            is_mapped = EXECUTORS[executor].has_task_axis
            most = min(_A_FEW, round(_ENOUGH / self.in_a_pass)) if self.convolves and is_mapped else tasks
            return max(1, min(tasks // threads, most)) * threads
        is_cpu = self.device.type == "cpu"
        return max(1, tasks, self._within(_BEST_RATE_OF_A_CORE * threads, _A_FEW) if is_cpu else 0)


def work_of(algorithm: Algorithm[Any], spec: Spec, shape: TaskConfig, inner_steps: int, device: torch.device, *,
            convolves: bool, training: bool) -> Work:
    """Count what one task costs, or where that is more, one portion of examples.

    Args:
        algorithm: What learns, with its network.
        spec: Its inputs.
        shape: Ways, shots and queries.
        inner_steps: Inner steps.
        device: Where it will run.
        convolves: Whether convolutions do most of it.
        training: Whether a meta-gradient is wanted, rather than predictions after every inner step.
    """
    stages = {algorithm.stage(0.0), algorithm.stage(1.0)} if training else {algorithm.tested_on}
    # Forward and backward are three passes; an inner step that is differentiated again takes three more.
    derived = 3 if training else 1
    steps = 0 if algorithm.keeps_features else inner_steps
    ways = shape.ways if spec.kind == "classification" else 1
    passes = {
        "examples": algorithm.example_batch * derived,
        "tasks": ways * (shape.queries * (3 if training else steps + 1) + shape.shots * derived * max(
            1, steps * (2 if training else 3))),
    }
    # The optimizer of a step may be a network itself, which is run and differentiated as the step is.
    learning = inner_steps * algorithm.cost_of_a_step() * derived
    inputs = {"examples": algorithm.example_batch, "tasks": ways * max(shape.queries, shape.shots)}
    layers = weighted(algorithm.network.module, spec)
    of_an_input = multiplications(algorithm.network.module, layers)
    of_a_task = max(passes[stage] for stage in stages) * of_an_input
    most_inputs = max(inputs[stage] for stage in stages)
    return Work(of_a_task + learning, most_inputs * of_an_input, convolves, device,
                _FLOAT_BYTES * most_inputs * largest_result(layers))


class Call(NamedTuple):
    """What a layer of a network is given of one input, and what it gives, without the axis of the inputs."""

    name: str
    layer: nn.Module
    inputs: torch.Size
    outputs: torch.Size


def calls(module: nn.Module, spec: Spec, *kinds: type[nn.Module]) -> list[Call]:
    """Every call of the layers of some kinds, in their order."""
    found: list[Call] = []

    def note(name: str, layer: nn.Module, inputs: tuple[Tensor, ...], outputs: Tensor) -> None:
        found.append(Call(name, layer, inputs[0].shape[1:], outputs.shape[1:]))

    hooks = [layer.register_forward_hook(partial(note, name)) for name, layer in module.named_modules()
             if isinstance(layer, kinds)]
    try:
        with torch.no_grad():
            module(torch.zeros(2, *spec.input_shape))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def weighted(module: nn.Module, spec: Spec) -> list[Call]:
    """Every call of the linear and convolution layers, which take nearly all of the time and the memory."""
    return calls(module, spec, nn.Linear, nn.Conv1d, nn.Conv2d)


def largest_result(layers: Iterable[Call]) -> int:
    """Numbers in the largest result of some layers for one input."""
    return max((call.outputs.numel() for call in layers), default=0)


def multiplications(module: nn.Module, layers: Iterable[Call]) -> float:
    """Multiplications of the weighted layers of a network for one input; at least one a parameter."""
    total = 0.0
    for call in layers:
        weight = call.layer.weight
        assert isinstance(weight, Tensor)  # noqa: S101 - only layers that have one are asked for
        total += weight.numel() * call.outputs.numel() / weight.shape[0]
    return max(total, float(sum(value.numel() for value in module.parameters())))


def cores() -> int:
    """Cores that this process may use; the processes that train together on a machine share them."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    place = launch()
    return count if place is None else max(1, count // place.local_size)
