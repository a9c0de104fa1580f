"""What is measured: the workloads with their goals, and the curves. Everything that is asked of us stands here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Program = Literal["eager", "compiled", "any"]
FASTEST = "the fastest peer"


@dataclass(frozen=True)
class Goal:
    """How many times as fast as another ours is to be.

    Attributes:
        device: cpu or cuda.
        over: The name of a peer, or `FASTEST`.
        ratio: Its time over ours, at least.
        program: Which of our executors may be counted: those that compile, those that do not, or the fastest of all.
    """

    device: str
    over: str
    ratio: float
    program: Program = "any"


@dataclass(frozen=True)
class Workload:
    """One kind of meta-training.

    Attributes:
        name: How it is called on the command line and in the results.
        title: What it is, in words.
        settings: The experiment, as on the command line of the program.
        goals: What is asked of us.
        floor: Share of the floor to reach on a CPU: operations at the rate of a large matrix product, over the time.
    """

    name: str
    title: str
    settings: tuple[str, ...]
    goals: tuple[Goal, ...] = ()
    floor: float | None = None

    def with_settings(self, *more: str) -> Workload:
        """The same with some settings replaced."""
        return Workload(self.name, self.title, (*self.settings, *more), self.goals, self.floor)


@dataclass(frozen=True)
class Curve:
    """How time grows with one number of a workload.

    Attributes:
        name: How it is called.
        title: What is varied in what.
        axis: What the axis is called.
        setting: The field that is varied.
        values: What it takes.
        base: The workload.
    """

    name: str
    title: str
    axis: str
    setting: str
    values: tuple[int, ...]
    base: Workload


# One batch of tasks is trained on again and again. At this outer rate no weight runs away meanwhile.
_COMMON = ("training.outer_lr=0.001", "training.schedule=constant", "training.optimizer=adam", "training.executor=auto")
_OMNIGLOT = ("dataset=omniglot", "backbone=conv4", "backbone.filters=64", "backbone.downsampling=stride",
             "backbone.normalization=transductive", "task.shots=1", "task.queries=5")
# Where its files lie is set when they are made: they are pictures of noise, for only their shape matters here.
_PICTURES = ("dataset=array_pictures", "backbone=conv4", "backbone.filters=32", "backbone.downsampling=max_pool",
             "backbone.normalization=transductive", "task.ways=5", "task.shots=1", "task.queries=15")


def _sinusoids(steps: int, *goals: Goal) -> Workload:
    return Workload(
        f"maml-sinusoids-{steps}", f"MAML sinusoids, MLP 1-40-40-1, 25 tasks, 10-shot, {_steps(steps)}",
        (*_COMMON, "dataset=sinusoids", "backbone=mlp", "backbone.widths=40,40", "task.shots=10", "task.queries=10",
         "algorithm=maml", "algorithm.order=2", "algorithm.inner_lr=0.01", f"algorithm.inner_steps={steps}",
         "training.meta_batch=25"), goals)


def _maml_omniglot(steps: int, *goals: Goal) -> Workload:
    return Workload(
        f"maml-omniglot-{steps}",
        f"MAML Omniglot 5-way 1-shot, conv4 64 filters stride 2, 32 tasks, 5 query, {_steps(steps)}",
        (*_COMMON, *_OMNIGLOT, "task.ways=5", "algorithm=maml", "algorithm.order=2", "algorithm.inner_lr=0.4",
         f"algorithm.inner_steps={steps}", "training.meta_batch=32"), goals, floor=0.3)


def _steps(count: int) -> str:
    return f"{count} step{'s' if count > 1 else ''}"


_SINUSOIDS = (Goal("cpu", "learn2learn", 8, "eager"), Goal("cpu", "learn2learn", 25, "compiled"),
              Goal("cpu", FASTEST, 1.3, "eager"), Goal("cpu", FASTEST, 5, "compiled"), Goal("cuda", FASTEST, 20))
_MAML_OMNIGLOT = (Goal("cpu", FASTEST, 2), Goal("cuda", FASTEST, 15))

WORKLOADS: dict[str, Workload] = {one.name: one for one in (
    _sinusoids(1, *_SINUSOIDS),
    _sinusoids(5, *_SINUSOIDS),
    _maml_omniglot(1, *_MAML_OMNIGLOT),
    _maml_omniglot(5, *_MAML_OMNIGLOT),
    Workload("maml-pictures-5",
             "MAML 84×84×3 5-way 1-shot, conv4 32 filters max-pool, 4 tasks, 15 query, 5 steps",
             (*_COMMON, *_PICTURES, "algorithm=maml", "algorithm.order=2", "algorithm.inner_lr=0.01",
              "algorithm.inner_steps=5", "training.meta_batch=4"),
             (Goal("cpu", FASTEST, 1.5), Goal("cuda", FASTEST, 5)), floor=0.3),
    Workload("protonet-omniglot", "ProtoNet Omniglot 20-way 1-shot, conv4 64 filters stride 2, 16 tasks, 5 query",
             (*_COMMON, *_OMNIGLOT, "task.ways=20", "algorithm=protonet", "training.meta_batch=16"),
             (Goal("cpu", FASTEST, 1.5), Goal("cuda", FASTEST, 5)), floor=0.5),
    # Every step sees the whole support set, which is the only way in which all who have Reptile agree on its batches.
    Workload("reptile-omniglot",
             "Reptile Omniglot 5-way 5-shot, conv4 64 filters stride 2, 5 tasks, 10 steps of SGD on all 25 pictures",
             (*_COMMON, *_OMNIGLOT, "task.ways=5", "training.shots=5", "algorithm=reptile", "algorithm.inner_steps=10",
              "algorithm.inner_optimizer=sgd", "algorithm.inner_lr=0.1", "algorithm.inner_batch=25",
              "training.meta_batch=5"),
             (Goal("cpu", FASTEST, 2), Goal("cuda", FASTEST, 10)), floor=0.5),
)}

_SMALL_PICTURES = WORKLOADS["maml-omniglot-1"].with_settings("training.meta_batch=8", "backbone.filters=32")
CURVES: dict[str, Curve] = {one.name: one for one in (
    Curve("tasks", "MAML sinusoids, 1 step", "tasks", "training.meta_batch", (1, 4, 16, 64, 256),
          WORKLOADS["maml-sinusoids-1"]),
    Curve("steps", "MAML sinusoids, 25 tasks", "inner steps", "algorithm.inner_steps", (1, 2, 5, 10, 20),
          WORKLOADS["maml-sinusoids-1"]),
    Curve("ways", "MAML Omniglot, 32 filters, 8 tasks, 1 step", "ways", "task.ways", (2, 5, 10, 20), _SMALL_PICTURES),
    Curve("filters", "MAML Omniglot, 5 ways, 8 tasks, 1 step", "filters", "backbone.filters", (8, 16, 32, 64, 128),
          _SMALL_PICTURES),
)}
