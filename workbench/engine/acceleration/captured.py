"""Captured graphs: a GPU replays the kernels of a meta-step, and of its outer update, without Python in between.

The meta-gradient and the outer update are a graph each, so that several processes can put their gradients together
between the two.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Stage
from workbench.engine.acceleration.base import MOST_SHAPES, Accelerated, ChangingError, Key, Step, unmoved
from workbench.engine.acceleration.waiting import Unwaiting
from workbench.engine.executors.base import Executor
from workbench.engine.executors.gradients import Gradient
from workbench.engine.outer import STAGES, Outer, Told
from workbench.engine.words import in_words, is_out_of_memory

# Libraries choose their algorithms and set up their memory in the first calls, which no graph may hold.
_WARM_UP = 3
_log = logging.getLogger(__name__)


class _Graph:
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
                    # A capture that fails at it would leave its memory behind.
                    with Unwaiting():  # type: ignore[no-untyped-call]
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


def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Captured(Accelerated):
    """Captures the meta-gradient of every kind of arguments that it meets."""

    def __init__(self, inner: Executor) -> None:
        super().__init__(inner)
        self._graphs: dict[Key, tuple[_Graph, pytree.TreeSpec]] = {}
        self._beside: torch.cuda.Stream | None = None
        self._is_refused = False

    def faster(self, step: Step) -> Gradient | None:
        """See Accelerated."""
        key = step.key()
        is_open = not self._is_refused and len(self._graphs) < MOST_SHAPES
        if key not in self._graphs and not (is_open and self._add(key, step)):
            return None
        graph, tree = self._graphs[key]
        found: Gradient = pytree.tree_unflatten(graph(step.tensors), tree)
        return found

    def _add(self, key: Key, step: Step) -> bool:
        """Capture one more; whether that worked."""
        fixed, trees = step._replace(setting=unmoved(step.setting)), []

        def run(tensors: list[Tensor]) -> list[Tensor]:
            values, tree = pytree.tree_flatten(fixed.gradient(self.inner, tensors))
            trees.append(tree)
            return values

        self._beside = self._beside or _stream(step.tensors[0].device)
        pool = next((other.pool for other, _ in self._graphs.values()), None)
        try:
            graph = _Graph(run, step.tensors, self._beside, warm_up=_WARM_UP, pool=pool)
        except (ChangingError, RuntimeError) as error:
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


class CapturedOuter(Outer):
    """The outer optimizer, whose update is captured once it has taken a few steps."""

    captures = True

    def __init__(self, params: dict[str, Tensor], factor: Callable[[str, Stage], float], kind: str = "adam",
                 restored: dict[str, Tensor] | None = None) -> None:
        super().__init__(params, factor, kind, restored)
        # One for each stage.
        self._updates: dict[Stage, _Graph] = {}
        self._taken = dict.fromkeys(STAGES, 0)

    def update(self, found: Gradient, tasks: int, outer_lr: float | Tensor, clip: float | None,
               stage: Stage = "tasks") -> Told:
        """See Outer."""
        tensors = [*self._flat(found), torch.full((), float(outer_lr), device=found.aux.loss.device)]

        def run(given: list[Tensor]) -> list[Tensor]:
            return [*Outer.update(self, self._unflat(given[:-1]), tasks, given[-1], clip, stage)]

        if stage not in self._updates and self._taken[stage] >= _WARM_UP:
            self._capture(stage, run, tensors)
        if stage in self._updates:
            return Told(*self._updates[stage](tensors))
        self._taken[stage] += 1
        return Told(*run(tensors))

    def _capture(self, stage: Stage, run: Callable[[list[Tensor]], list[Tensor]], tensors: list[Tensor]) -> None:
        """Capture a step, which takes none; where that is not possible steps are taken as before."""
        try:
            self._updates[stage] = _Graph(run, tensors, _stream(tensors[0].device))
        except RuntimeError as error:
            self._taken[stage] = -sys.maxsize
            _log.info("the outer step is not captured: %s", in_words(error))
