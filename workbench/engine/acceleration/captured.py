"""Captured graphs: a GPU replays the kernels of a meta-step, and of its outer update, without Python in between.

The meta-gradient and the outer update are a graph each, so that several processes can put their gradients together
between the two.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Stage
from workbench.engine.acceleration.base import MOST_SHAPES, Accelerated, ChangingError, Key, Step, unmoved
from workbench.engine.executors.base import Executor
from workbench.engine.executors.gradients import Gradient
from workbench.engine.outer import STAGES, Outer, Told

# Libraries choose their algorithms and set up their memory in the first calls, which no graph may hold.
_WARM_UP = 3


class _Graph:
    """A function of tensors, captured.

    Args:
        function: From tensors of its own, that are written to before every replay, to a list of tensors.
        tensors: What it is given.
    """

    def __init__(self, function: Callable[[list[Tensor]], list[Tensor]], tensors: list[Tensor]) -> None:
        self._inputs = [one.detach().clone() for one in tensors]
        self._graph = torch.cuda.CUDAGraph()
        # Only this thread is watched: others may well wait for the GPU meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._outputs = function(self._inputs)

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        """What the function gives for other tensors; the next replay writes over the graph's own results."""
        torch._foreach_copy_(self._inputs, tensors)
        self._graph.replay()
        return [one.clone() for one in self._outputs]


class Captured(Accelerated):
    """Captures the meta-gradient of every kind of arguments that it meets."""

    def __init__(self, inner: Executor) -> None:
        super().__init__(inner)
        self._graphs: dict[Key, tuple[_Graph, pytree.TreeSpec]] = {}
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

        try:
            beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for _ in range(_WARM_UP):
                    run(step.tensors)
            torch.cuda.current_stream().wait_stream(beside)
            graph = _Graph(run, step.tensors)
        except torch.OutOfMemoryError:
            raise
        except (ChangingError, RuntimeError) as error:
            self._is_refused = True
            self.say("the meta-step is not captured in a CUDA graph, and training goes on without: "
                     f"{str(error).strip().splitlines()[0]}")
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

        if stage in self._updates:
            return Told(*self._updates[stage](tensors))
        if self._taken[stage] >= _WARM_UP:
            self._updates[stage] = _Graph(run, tensors)  # capturing runs nothing
            return Told(*self._updates[stage](tensors))
        self._taken[stage] += 1
        return Told(*run(tensors))
