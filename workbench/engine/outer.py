"""The outer step: torch's own Adam and SGD as functions of tensors, and what is told of it.

Their classes look at every parameter anew at each step, which takes longer than to update a small network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, get_args

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from workbench.algorithms.base import Aux, Stage
from workbench.engine.executors.gradients import MetaGradient
from workbench.experiment.experiment import TrainingConfig

STAGES: tuple[Stage, ...] = get_args(Stage)
_ADAM: dict[str, Any] = {"amsgrad": False, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0,
                         "maximize": False}
_SGD: dict[str, Any] = {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0, "maximize": False}
# Numbers that are copied together in less time than it takes to look at a few tensors one by one.
_FEW = 100_000


def outer_lr(training: TrainingConfig, step: int) -> float:
    """Outer learning rate of a step, counted from 0."""
    done = step / training.iterations
    factors = {"constant": 1.0, "cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done}
    return training.outer_lr * factors[training.schedule]


class StepMetrics(NamedTuple):
    """What is told of an outer step.

    Attributes:
        loss, metric: Means over its tasks.
        norm: That of the gradient of what moves, before clipping.
    """

    loss: Tensor
    metric: Tensor
    norm: Tensor


class _Group(NamedTuple):
    """Parameters that move at one rate.

    Attributes:
        factor: What the outer rate is multiplied with.
        names: Theirs.
        params: Their tensors.
        state: What the optimizer keeps of each: one list of tensors for every entry.
    """

    factor: float
    names: list[str]
    params: list[Tensor]
    state: dict[str, list[Tensor]]


class OuterOptimizer:
    """The outer optimizer over the meta-parameters, which it updates in place.

    Args:
        params: What is updated.
        factor: What the outer rate is multiplied with for a parameter in a stage; 0 leaves it alone.
        kind: adam or sgd.
        restored: The state tensors that it had, as `tensors()` names them.

    Attributes:
        captures: Whether its update may be captured in a graph: its rate and its step counts are on the device then.
    """

    captures: ClassVar[bool] = False

    def __init__(self, params: dict[str, Tensor], factor: Callable[[str, Stage], float], kind: str = "adam",
                 restored: dict[str, Tensor] | None = None) -> None:
        self.params = params
        self._factor = factor
        self._kind = kind
        self._state: dict[str, dict[str, Tensor]] = {name: {} for name in params}
        for name, value in (restored or {}).items():
            parameter, _, entry = name.rpartition("/")
            # A step count stays on the CPU, unless a graph counts.
            place = value if entry == "step" and not self.captures else value.to(params[parameter].device)
            self._state[parameter][entry] = place.clone()
        self._groups: dict[Stage, list[_Group]] = {}
        self._how = self._fastest()

    def _fastest(self) -> dict[str, bool]:
        """How a step is taken: on a CPU in one kernel, for a small network takes longer to start many."""
        if self.captures:
            return {"capturable": True} if self._kind == "adam" else {"fused": True}
        is_simple = all(value.device.type == "cpu" and value.is_floating_point() for value in self.params.values())
        return {"fused": True} if is_simple else {}

    @torch.no_grad()
    def update(self, found: MetaGradient, tasks: int, outer_lr: float | Tensor, clip: float | None,
               stage: Stage = "tasks") -> StepMetrics:
        """Take one step.

        Args:
            found: The meta-gradient, summed over the tasks of this step; contiguous, as torch's kernels for all
                parameters take it.
            tasks: How many these are.
            outer_lr: The outer rate.
            clip: The largest norm that the mean gradient of what moves is to have; None for any.
            stage: What the step was shown.
        """
        groups = self._groups.get(stage) or self._begin(stage)
        means = [[found.total[name] / tasks for name in group.names] for group in groups]
        moving = [value for values in means for value in values]
        norm = _norm(moving)
        if clip is not None and moving:
            torch._foreach_mul_(moving, torch.clamp(clip / (norm + 1e-6), max=1.0))
        for group, values in zip(groups, means, strict=True):
            self._move(group, values, outer_lr * group.factor)
        return StepMetrics(found.aux.loss.mean(), found.aux.metric.mean(), norm)

    def _flat(self, found: MetaGradient) -> list[Tensor]:
        """What a step looks at, as a list."""
        return [*(found.total[name] for name in self.params), found.aux.loss, found.aux.metric]

    def _unflat(self, tensors: list[Tensor]) -> MetaGradient:
        """The same as it was."""
        *total, loss, metric = tensors
        return MetaGradient(dict(zip(self.params, total, strict=True)), Aux(loss, metric, {}, {}))

    def own(self, stage: Stage) -> list[Tensor]:
        """All tensors that a step in a stage writes into."""
        return [value for group in self._groups.get(stage) or self._begin(stage)
                for values in (group.params, *group.state.values()) for value in values]

    def _begin(self, stage: Stage) -> list[_Group]:
        """What moves in a stage, by its rate."""
        names: dict[float, list[str]] = {}
        for name in self.params:
            if factor := self._factor(name, stage):
                names.setdefault(factor, []).append(name)
        self._groups[stage] = [self._group(factor, own) for factor, own in names.items()]
        return self._groups[stage]

    def _group(self, factor: float, names: list[str]) -> _Group:
        for name in names:
            if self._kind == "adam" and not self._state[name]:
                self._state[name] = dict(self._blank(self.params[name]))
        entries = dict.fromkeys(entry for name in names for entry in self._state[name])
        return _Group(factor, names, [self.params[name] for name in names],
                      {entry: [self._state[name][entry] for name in names] for entry in entries})

    def _blank(self, value: Tensor) -> Iterator[tuple[str, Tensor]]:
        """What Adam keeps of a parameter before its first step."""
        yield "step", torch.zeros((), device=value.device if self.captures else None)
        for moment in ("exp_avg", "exp_avg_sq"):
            yield moment, torch.zeros_like(value, memory_format=torch.preserve_format)

    def _move(self, group: _Group, gradient: list[Tensor], rate: float | Tensor) -> None:
        how: dict[str, Any] = {**self._how, "lr": rate}
        if self._kind == "sgd":
            sgd(group.params, gradient, [None] * len(gradient), **how, **_SGD)
        else:
            adam(group.params, gradient, group.state["exp_avg"], group.state["exp_avg_sq"], [], group.state["step"],
                 **how, **_ADAM)

    def tensors(self) -> dict[str, Tensor]:
        """State tensors, named "parameter/entry"."""
        return {f"{name}/{entry}": value for name, entries in self._state.items() for entry, value in entries.items()}


def _norm(values: list[Tensor]) -> Tensor:
    """The norm of tensors together; of a few numbers as one vector, for a norm of norms takes four times as long."""
    if 0 < sum(value.numel() for value in values) <= _FEW:
        found: Tensor = torch.linalg.vector_norm(torch.cat([value.flatten() for value in values]))
        return found
    return torch.nn.utils.get_total_norm(values)
