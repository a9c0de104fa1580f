"""Captured graphs: a GPU replays the kernels of a meta-step, and of its outer update, without Python in between.

The meta-gradient and the outer update are a graph each, so that several processes can put their gradients together
between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Meta
from workbench.engine.acceleration.base import MOST_SHAPES, Accelerated, ChangingError, Key, Step, unmoved
from workbench.engine.acceleration.waiting import ForbidSync
from workbench.engine.executors.base import Executor, Setting, TaskFunction
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.words import in_words, is_out_of_memory
from workbench.tasks.base import TaskBatch

# Libraries choose their algorithms and set up their memory in the first calls, which no graph may hold.
WARM_UP = 3


class Graph:
    """A function of tensors, captured.

    Args:
        function: From tensors of its own, that are written to before every replay, to a list of tensors.
        tensors: What it is given.
        beside: The stream that it is captured on.
        warm_up: How often it is run before that.
        pool: Memory of graphs that were captured on the same stream, of which no two are replayed at once.

    Raises:
        RuntimeError: It cannot be captured.
    """

    def __init__(self, function: Callable[[list[Tensor]], list[Tensor]], tensors: list[Tensor],
                 beside: torch.cuda.Stream, *, warm_up: int = 0, pool: Any = None) -> None:
        self._inputs = [one.detach().clone() for one in tensors]
        kinds = dict.fromkeys(one.dtype for one in tensors)
        # Numbers of several kinds are not copied in one kernel.
        self._alike = [[place for place, one in enumerate(tensors) if one.dtype == kind] for kind in kinds]
        self._graph = torch.cuda.CUDAGraph()
        usual = torch.cuda.current_stream()
        beside.wait_stream(usual)
        try:
            # Where a capture cannot be ended, this block is what leaves the stream.
            with torch.cuda.stream(beside):
                for _ in range(warm_up):
                    # A wait inside a capture would leave its memory behind.
                    with ForbidSync():  # type: ignore[no-untyped-call]
                        function(self._inputs)
                self._outputs = self._captured(function, beside, pool)
        finally:
            usual.wait_stream(beside)

    def _captured(self, function: Callable[[list[Tensor]], list[Tensor]], beside: torch.cuda.Stream, pool: Any
                  ) -> list[Tensor]:
        """The results that every replay writes."""
        found, failed = [], None
        try:
            # Only this thread is watched: others may well wait for the GPU meanwhile.
            with torch.cuda.graph(self._graph, pool, beside, capture_error_mode="thread_local"):
                try:
                    found = function(self._inputs)
                except Exception as error:  # noqa: BLE001 - raised below
                    failed = error
        except RuntimeError as error:  # after a failure the capture cannot be ended either
            raise failed or error from None
        if failed:
            raise failed
        return found

    @property
    def pool(self) -> Any:
        """The memory that it computes in."""
        return self._graph.pool()

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        """What the function gives for other tensors; the next replay writes over the graph's own results."""
        for places in self._alike:
            torch._foreach_copy_([self._inputs[place] for place in places], [tensors[place] for place in places])
        self._graph.replay()
        return [one.clone() for one in self._outputs]


def stream(device: torch.device) -> torch.cuda.Stream:
    """A stream beside the usual one."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Captured(Accelerated):
    """Captures the meta-gradient of every kind of arguments that it meets."""

    def __init__(self, inner: Executor) -> None:
        super().__init__(inner)
        self._graphs: dict[Key, tuple[Graph, pytree.TreeSpec]] = {}
        self._beside: torch.cuda.Stream | None = None
        self._is_refused = False

    def gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient:
        """See Executor."""
        with self._giving_up_graphs():
            return super().gradient(meta, batch, keys, setting)

    def map(self, function: TaskFunction, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Any:
        """See Executor."""
        with self._giving_up_graphs():
            return super().map(function, meta, batch, keys, setting)

    @contextmanager
    def _giving_up_graphs(self) -> Iterator[None]:
        """A block that graphs leave their memory to where it runs out: nobody else can have it while they are kept.

        What is met again is captured anew.
        """
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                self._graphs.clear()
            raise

    def from_graph(self, step: Step) -> MetaGradient | None:
        """See Accelerated."""
        key = step.key()
        is_open = not self._is_refused and len(self._graphs) < MOST_SHAPES
        if key not in self._graphs and not (is_open and self._add(key, step)):
            return None
        graph, tree = self._graphs[key]
        found: MetaGradient = pytree.tree_unflatten(graph(step.tensors), tree)
        return found

    def _add(self, key: Key, step: Step) -> bool:
        """Capture one more; whether that worked."""
        fixed, trees = step._replace(setting=unmoved(step.setting)), []

        def run(tensors: list[Tensor]) -> list[Tensor]:
            values, tree = pytree.tree_flatten(fixed.gradient(self.inner, tensors))
            trees.append(tree)
            return values

        self._beside = self._beside or stream(step.tensors[0].device)
        pool = next((other.pool for other, _ in self._graphs.values()), None)
        try:
            graph = Graph(run, step.tensors, self._beside, warm_up=WARM_UP, pool=pool)
        except (ChangingError, RuntimeError, TypeError) as error:  # the last where torch takes no `Moving` for a number
            if is_out_of_memory(error):
                raise
            self._is_refused = True
            self.say(f"the meta-step is not captured in a CUDA graph, and training goes on without: {in_words(error)}")
            return False
        self._graphs[key] = graph, trees[-1]
        return True

    def close(self) -> None:
        """See Executor."""
        self._graphs.clear()
        super().close()
