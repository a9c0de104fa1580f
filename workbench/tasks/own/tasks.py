"""Tasks of a person's own: each comes with examples of its own, from which its support and its queries are drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice, field
from workbench.experiment.metrics import Metric
from workbench.tasks.base import SPLIT_NAMES, STREAMS, Description, Examples, Floor, Overview, Spec, Stream, TaskBatch
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.watching import tell
from workbench.tasks.files.words import shown
from workbench.tasks.own.class_splits import Shapes
from workbench.tasks.own.classes import are_alike
from workbench.tasks.own.data import Held, OwnData
from workbench.tasks.own.task_splits import Integers, TaskCollection, plan_tasks, query_quota
from workbench.tasks.sampling.ahead import Ahead, placed
from workbench.tasks.sampling.draws import Draws
from workbench.tasks.sampling.judging import by_task, judged
from workbench.tasks.sampling.moments import Normalizing, moments_of
from workbench.words import counted

_SPLIT_OF: dict[Stream, str] = {"train": "train", "validation": "validation", "test": "test", "probe": "validation"}
_FLOOR_TASKS, _RIDGE = 200, 1.0


class OwnTasksConfig(Choice):
    """Where the tasks lie, and how they are shared out where they do not say."""

    path: Path | None = field(None, label="Data", help="The file or folder.")
    validation_share: float = field(0.2, label="Validation share", help="Part of the tasks that validate, where the "
                                    "data do not say.", ge=0.01, le=0.8)
    test_share: float = field(0.2, label="Test share", help="Part of the tasks that are tested on, where the data do "
                              "not say.", ge=0.01, le=0.8)
    split_seed: int = field(0, label="Split seed", help="Decides which tasks validate and are tested on, where the "
                            "data do not say; the seed of the experiment has no part in it.",
                            ge=0, le=2**31 - 1, advanced=True)


class OwnClassTasksConfig(OwnTasksConfig):
    """The same for tasks of classes."""

    metric: Literal["auto", "accuracy", "balanced accuracy", "auroc"] = field(
        "auto", label="Metric", help="What learners are judged by. Automatic takes accuracy; where a fifth of the "
        "tasks have a class of less than half its even share, it takes AUROC for the same two classes in all tasks "
        "and balanced accuracy for others.",
        choices={"auto": "Automatic", "accuracy": "Accuracy", "balanced accuracy": "Balanced accuracy",
                 "auroc": "AUROC"})


class OwnValueTasksConfig(OwnTasksConfig):
    """The same for tasks of values."""

    scale_targets: bool = field(True, label="Scale targets", help="Train and judge on targets minus the mean of the "
                                "training tasks, over their deviation, so that no unit needs other learning rates. "
                                "Predictions for new tasks are in the unit of the table all the same.")


class _Pool(NamedTuple):
    """The tasks of a stream.

    Attributes:
        tasks: [tasks] index of each.
        quota: [tasks, ways] queries of each class.
        most: The most examples of one class that a task takes.
    """

    tasks: Integers
    quota: Integers
    most: int


class OwnTasks(OwnData):
    """Draws one of the person's tasks, then its support and its queries without overlap.

    For classes, the support has `shots` of each and there are `queries` of each; where a class is too scarce for these
    the others make up, so that all tasks have one shape. Ready-made tasks have exactly the support and the queries they
    came with, up to as many. Training draws tasks at random; validation, testing and the probe tasks go round their
    tasks in turn, so that each counts alike. Labels keep their meaning where all tasks have the same classes, and are a
    fresh permutation in every task otherwise. Inputs are normalized with mean and deviation over the training tasks.

    Attributes:
        found: What was read.
        tasks: The tasks that take part.
        has_shared_classes: Whether all tasks have the same classes.
    """

    input_kinds = frozenset({"vector"})
    background: ClassVar[Literal["as is"]] = "as is"

    def __init__(self, experiment: Experiment, device: torch.device) -> None:
        super().__init__(experiment, device)
        config = self.noted(experiment.dataset)
        assert isinstance(config, OwnTasksConfig)  # noqa: S101 - narrows for the type checker
        self.found = self.read_tasks(config)
        self._plan = plan_tasks(self.found, config, Shapes(self.shapes["test"], self.shapes["train"]),
                                self.place(config))
        self.tasks = self._plan.tasks
        training = np.unique(np.concatenate([one.rows for one, side in zip(self.tasks, self._plan.split, strict=True)
                                             if side == "train"]))
        if self.found.fit is not None:
            inputs, reading, facts = self.found.fit(training)
            self.found = replace(self.found, inputs=inputs, reading=reading, facts=(*facts, *self.found.facts))
        self.ways = self.tasks[0].ways
        self._classifies = "classification" in self.task_kinds
        self.has_shared_classes = len({one.class_names for one in self.tasks}) == 1
        self._ahead: Ahead[tuple[Integers, Integers, Integers, Integers]] = Ahead()
        self._arrange()
        self._check_differ(config)
        self._pools = {stream: self._pool(stream) for stream in STREAMS}
        self.spec = self._spec(config, training)
        self._normalized = Normalizing(self.spec.mean, self.spec.deviation, self.found.inputs, device)

    @classmethod
    @abstractmethod
    def read_tasks(cls, config: Any) -> TaskCollection:
        """Read the tasks of a config whose path is set.

        Raises:
            DataError: There is nothing that could be read, with the remedy.
        """

    @classmethod
    def held(cls, config: Any) -> Held:
        """See `OwnData`; an example that several tasks have counts once."""
        found = cls.read_tasks(cls.noted(config))
        rows = [one.rows for one in found.tasks]
        return Held(len({name for one in found.tasks for name in one.class_names}),
                    len(np.unique(np.concatenate(rows))) if rows else 0, found.problems)

    def _check_differ(self, config: OwnTasksConfig) -> None:
        """Raise DataError where there is nothing to predict, or nothing to predict it from."""
        place = self.place(config)
        if not self._classifies and (self._targets == self._targets[0]).all():
            said = ", ".join(f"{value:g}" for value in self._targets[0])
            remedy = "name another column in dataset.target" if hasattr(config, "target") else "save other targets"
            raise DataError(f"{place}: the target is {said} in each of the "
                            f"{counted(len(self._targets), self.found.noun)}, so there is nothing to predict; {remedy}")
        if are_alike(self.found.inputs[torch.from_numpy(np.unique(self._rows))]):
            raise DataError(f"{place}: all {self.found.noun} are the same but for their targets, so there is nothing "
                            "to predict these from; look at the data, and at how they were written")

    def _arrange(self) -> None:
        """Lay the examples of all tasks one after another, task by task and class by class."""
        orders = [np.argsort(one.targets, kind="stable") if self._classifies else np.arange(len(one.rows))
                  for one in self.tasks]
        self._rows = np.concatenate([one.rows[order] for one, order in zip(self.tasks, orders, strict=True)])
        targets = np.concatenate([one.targets[order] for one, order in zip(self.tasks, orders, strict=True)])
        self._targets: NDArray[Any] = targets.astype(np.int64 if self._classifies else np.float32)
        self._counts = np.stack([one.counts() for one in self.tasks])
        flat = self._counts.ravel()
        self._starts = (np.cumsum(flat) - flat).reshape(self._counts.shape)
        self._given = [None if one.support is None else one.support[order]
                       for one, order in zip(self.tasks, orders, strict=True)]

    def _pool(self, stream: Stream) -> _Pool:
        shape = self.shapes[stream]
        tasks = np.flatnonzero([side == _SPLIT_OF[stream] for side in self._plan.split])
        if self.found.is_ready_made:
            return _Pool(tasks, np.zeros((len(tasks), self.ways), dtype=np.int64), 0)
        quota = np.stack([query_quota(self._counts[task], shape) for task in tasks])
        return _Pool(tasks, quota, shape.shots + int(quota.max()))

    def normalization(self, training: Integers) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel or feature that inputs are normalized with, over the training rows."""
        return moments_of(self.found.inputs, training)

    def _spec(self, config: OwnTasksConfig, rows: Integers) -> Spec:
        training = self._pools["train"].tasks
        mean, deviation = self.normalization(rows)
        (input_kind,) = self.input_kinds
        shape, reading = tuple(self.found.inputs.shape[1:]), dict(self.found.reading)
        if not self._classifies:
            if getattr(config, "scale_targets", False):
                values = np.concatenate([self.tasks[task].targets for task in training])
                middle, spread = moments_of(torch.from_numpy(values), np.arange(len(values)))
                self._targets = ((self._targets - np.array(middle)) / np.array(spread)).astype(np.float32)
                reading["target_mean"], reading["target_deviation"] = list(middle), list(spread)
            return Spec("regression", input_kind, shape, self._targets.shape[1], mean, deviation, self.found.raw,
                        reading=reading)
        classes = self.ways if self.has_shared_classes else len(training) * self.ways
        if self.has_shared_classes:
            reading["classes"] = list(self.tasks[0].class_names)
        return Spec("classification", input_kind, shape, self.ways, mean, deviation, self.found.raw,
                    self.found.background, classes, reading, self._metric(getattr(config, "metric", "auto")))

    def _metric(self, wanted: str) -> Metric:
        if wanted == "auroc" and self.ways != 2:
            raise DataError(f"dataset.metric: AUROC ranks two classes and these tasks have {self.ways}; set it to "
                            "balanced accuracy")
        if wanted != "auto":
            return cast("Metric", wanted)
        is_scarce = 2 * self.ways * self._counts.min(1) < self._counts.sum(1)
        if is_scarce.mean() < 0.2:
            return "accuracy"
        return "auroc" if self.ways == 2 and self.has_shared_classes else "balanced accuracy"

    def _drawn(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()
               ) -> tuple[Integers, Integers, Integers, Integers]:
        """Tasks [tasks], the class [tasks, ways] behind each label, and places [tasks, n] of support and queries."""
        pool, shape = self._pools[stream], self.shapes[stream]
        draws = Draws(self.seed, f"own tasks/{stream}", indices)
        at = draws.choose(len(pool.tasks), 1)[:, 0, 0]
        labels = draws.choose(self.ways, self.ways)[:, 0]
        if self.has_shared_classes:
            labels = np.broadcast_to(np.arange(self.ways), labels.shape)
        if stream != "train":
            at = np.asarray(indices, dtype=np.int64) % len(pool.tasks)
        elif len(include):
            at = np.searchsorted(pool.tasks, np.asarray(include, dtype=np.int64) // self.ways)
        tasks = pool.tasks[at]
        if self.found.is_ready_made:
            support, query = (np.stack([self._lines[task][is_support][: self.ways * count] for task in tasks])
                              for is_support, count in ((True, shape.shots), (False, shape.queries)))
            return tasks, labels, support, query
        counts, starts = (np.take_along_axis(table[tasks], labels, 1) for table in (self._counts, self._starts))
        quota = np.take_along_axis(pool.quota[at], labels, 1)
        # A class that has fewer examples than the most that any takes is drawn from as if it had as many, and what it
        # does not have is passed over: all of its own are among them.
        order = draws.choose(np.maximum(counts, pool.most), pool.most, self.ways)
        order = np.take_along_axis(order, np.argsort(order >= counts[..., None], axis=-1, kind="stable"), -1)
        places = starts[..., None] + order
        is_query = np.arange(pool.most - shape.shots) < quota[..., None]
        return (tasks, labels, places[..., : shape.shots].reshape(len(tasks), -1),
                places[..., shape.shots :][is_query].reshape(len(tasks), -1))

    @cached_property
    def _lines(self) -> list[dict[bool, Integers]]:
        """Of each ready-made task the places of its support (True) and of its queries, one of each class in turn."""
        lines = []
        for task, given in enumerate(self._given):
            assert given is not None  # noqa: S101 - ready-made tasks say of each example which it is
            of_class = np.repeat(np.arange(self.ways), self._counts[task])
            parts = {}
            for is_support in (True, False):
                own = np.flatnonzero(given == is_support)
                sizes = np.bincount(of_class[own], minlength=self.ways)
                rank = np.arange(len(own)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
                parts[is_support] = self._starts[task, 0] + own[np.lexsort((of_class[own], rank))]
            lines.append(parts)
        return lines

    def sample(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()) -> TaskBatch:
        """Tasks with inputs [tasks, n, *input_shape] in float32, and targets [tasks, n] or [tasks, n, outputs].

        Classes in `include` are numbered as in `classes`; a task that has one is the one task that it belongs to.
        """
        _, labels, *parts = self._drawn(stream, indices, include) if len(include) else self._ahead.take(
            (stream,), indices, partial(self._drawn, stream))
        return TaskBatch(*(self._examples(places, labels) for places in parts))

    def draw_ahead(self, stream: Stream, indices: range, portion: int = 0) -> None:
        """Tasks, labels and places; a portion of examples is drawn in a moment."""
        if not portion:
            shape = self.shapes[stream]
            numbers = self.ways * max(self._pools[stream].most, shape.shots + shape.queries)
            self._ahead.draw((stream,), indices, numbers, partial(self._drawn, stream))

    def _examples(self, places: Integers, labels: Integers) -> Examples:
        targets: NDArray[Any] = self._targets[places]
        if self._classifies:
            targets = np.take_along_axis(np.argsort(labels, axis=1), targets, 1)
        inputs = self._inputs(self._rows[places].ravel())
        return Examples(inputs.reshape(*places.shape, *self.spec.input_shape),
                        placed(targets, self.device))

    @cached_property
    def _all(self) -> Tensor:
        return self.found.inputs.to(self.device)

    def _inputs(self, rows: Integers) -> Tensor:
        """Normalized inputs [examples, *input_shape]."""
        return self._normalized(self._all.index_select(0, placed(rows, self.device)))

    def classes(self, stream: Stream, indices: Sequence[int]) -> NDArray[np.int64]:
        """Numbers of the classes [tasks, ways] in the order of labels; those of each task are its own."""
        if not self._classifies:
            return super().classes(stream, indices)
        tasks, labels, *_ = self._drawn(stream, indices)
        return tasks[:, None] * self.ways + labels

    def examples(self, stream: Stream, indices: Sequence[int], count: int) -> TaskBatch:
        """Examples of the classes of all training tasks, each as likely as the other."""
        if not self._classifies:
            return super().examples(stream, indices, count)
        if stream != "train" and not self.has_shared_classes:
            raise DataError("the tasks that are tested on have other classes than those that are trained on, so a "
                            "learner that tells the training classes apart cannot be tested; take an algorithm that "
                            "adapts")
        tasks = self._pools[stream].tasks
        draws = Draws(self.seed, f"own examples/{stream}", indices)
        one, place = draws.uniform(2 * count).reshape(len(indices), 2, count).transpose(1, 0, 2)
        pairs = (one * len(tasks) * self.ways).astype(np.int64)
        task, label = tasks[pairs // self.ways], pairs % self.ways
        places = self._starts[task, label] + (place * self._counts[task, label]).astype(np.int64)
        inputs = self._inputs(self._rows[places].ravel()).reshape(len(indices), count, *self.spec.input_shape)
        targets = placed(label if self.has_shared_classes else pairs, self.device)
        return TaskBatch(Examples(inputs[:, :0], targets[:, :0]), Examples(inputs, targets))

    def describe(self, stream: Stream, index: int) -> Description:
        """Name of the task, its classes, and where its examples come from."""
        tasks, labels, *parts = self._drawn(stream, [index])
        task = self.tasks[int(tasks[0])]
        names = tuple(shown(task.class_names[int(one)]) for one in labels[0]) if self._classifies else ()
        return Description(shown(task.name), names, *(tuple(shown(self.found.where(int(self._rows[place])))
                                                            for place in places[0]) for places in parts))

    def distinct(self, stream: Stream) -> int | None:
        """The number of ready-made tasks; others are drawn anew each time."""
        return len(self._pools[stream].tasks) if self.found.is_ready_made else None

    def round_of(self, stream: Stream) -> int | None:
        """The number of its tasks; training draws among them at random."""
        return None if stream == "train" else len(self._pools[stream].tasks)

    def names(self, split: str) -> frozenset[str]:
        """Names of the tasks of a split."""
        return frozenset(shown(one.name) for one, side in zip(self.tasks, self._plan.split, strict=True)
                         if side == split)

    def overview(self) -> Overview:
        """Counts of tasks and examples by split, and pictures where there are any."""
        found = self.found
        own = {side: [one for one, its in zip(self.tasks, self._plan.split, strict=True) if its == side]
               for side in SPLIT_NAMES}
        rows = {side: np.unique(np.concatenate([one.rows for one in tasks])) for side, tasks in own.items()}
        names = {side: {name for one in tasks for name in one.class_names} for side, tasks in own.items()}
        facts = [counted(len(self.tasks), "tasks"), counted(len(np.unique(self._rows)), found.noun), *found.facts]
        if self._classifies:
            facts.append(f"classes {', '.join(map(shown, self.tasks[0].class_names))}" if self.has_shared_classes else
                         f"{self.ways} classes a task, other ones in each")
        chosen = np.linspace(0, len(self._rows) - 1, 12).astype(int)
        pictures = found.inputs[torch.from_numpy(self._rows[chosen])] if found.inputs.dtype == torch.uint8 else None
        return Overview(found.form, " · ".join((*facts, *self._plan.notes)),
                        {side: len(one) for side, one in names.items()}, {side: len(one) for side, one in rows.items()},
                        (*found.problems, *self._plan.problems), pictures,
                        {side: len(tasks) for side, tasks in own.items()}, len(set().union(*names.values())))

    def floors(self) -> tuple[Floor, ...]:
        """What is reached without learning from other tasks, over up to 200 test tasks: for values the mean of the
        support and ridge regression on it, the better first; for classes the nearest mean."""
        answers = {"nearest mean on the inputs": _nearest_mean} if self._classifies else {
            "ridge regression on the support": _ridge, "mean of the support": _mean}
        # Ready-made tasks are the same every time, and counting one twice would make the interval too narrow.
        count = min(_FLOOR_TASKS, self.distinct("test") or _FLOOR_TASKS)
        values: dict[str, list[float]] = {name: [] for name in answers}
        for start in range(0, count, 20):
            tell()
            batch = self.sample("test", range(start, min(start + 20, count)))
            for name, answer in answers.items():
                outputs = answer(batch, self.ways)
                values[name] += [judged(self.spec.metric, one, targets).item()
                                 for one, targets in zip(outputs, batch.query.targets, strict=True)]
        means = {name: by_task(np.array(own), self.round_of("test")) for name, own in values.items()}
        floors = [Floor(name, self.spec.metric, float(np.mean(own)),
                        float(1.96 * np.std(own, ddof=1) / len(own) ** 0.5) if len(own) > 1 else None, len(own))
                  for name, own in means.items()]
        return tuple(sorted(floors, key=lambda one: one.mean))


def _nearest_mean(batch: TaskBatch, ways: int) -> Tensor:
    """Minus the squared distance [tasks, queries, ways] of each query to the mean of each class."""
    support, query = (part.inputs.flatten(2).double() for part in (batch.support, batch.query))
    of_class = F.one_hot(batch.support.targets, ways).double().transpose(1, 2)
    return -torch.cdist(query, of_class @ support / of_class.sum(-1, keepdim=True)).square()


def _mean(batch: TaskBatch, ways: int) -> Tensor:  # noqa: ARG001 - one of several answers
    """The mean target of the support for every query: [tasks, queries, outputs]."""
    return batch.support.targets.mean(1, keepdim=True).expand_as(batch.query.targets)


def _ridge(batch: TaskBatch, ways: int) -> Tensor:  # noqa: ARG001 - one of several answers
    """Values [tasks, queries, outputs] of linear functions fitted to the support, with a penalty of 1 on their slopes.

    The normal equations are solved on the side of the examples, which are few however many features there are.
    """
    inputs, targets = batch.support.inputs.flatten(2).double(), batch.support.targets.double()
    middle, level = inputs.mean(1, keepdim=True), targets.mean(1, keepdim=True)
    centred, query = inputs - middle, batch.query.inputs.flatten(2).double() - middle
    kernel = centred @ centred.transpose(1, 2) + _RIDGE * torch.eye(inputs.shape[1], dtype=torch.float64,
                                                                    device=inputs.device)
    weights: Tensor = torch.linalg.solve(kernel, targets - level)
    return (query @ centred.transpose(1, 2) @ weights + level).to(batch.query.targets.dtype)
