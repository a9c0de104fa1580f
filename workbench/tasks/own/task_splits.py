"""Shares a person's own tasks out among training, validation and testing, and says which of them will not do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import TaskConfig
from workbench.tasks.base import SPLIT_NAMES, Background
from workbench.tasks.files.encoding import Encoded
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.words import named, shown
from workbench.tasks.own.class_splits import Shapes, setting
from workbench.tasks.own.folders import ClassFolder, Shares, share_out
from workbench.tasks.own.groups import on_sides
from workbench.words import counted, listed, the

Integers = NDArray[np.int64]
Rows = TypeVar("Rows")


class Sharing(Protocol):
    """What decides which tasks are held out."""

    @property
    def validation_share(self) -> float:
        """Part of the tasks that validate."""

    @property
    def test_share(self) -> float:
        """Part of the tasks that are tested on."""

    @property
    def split_seed(self) -> int:
        """Seed of their order."""


@dataclass(frozen=True)
class OwnTask:
    """One task of a person's: the examples that it may draw its support and its queries from.

    Attributes:
        name: What it is called: the value of a column, a file, a folder.
        rows: [n] row of each example in the collection's inputs.
        targets: [n] index in `class_names`, int64; or [n, outputs] values, float32.
        class_names: Its classes in order; empty for regression.
        split: The split that the data give it; empty where they say nothing.
        group: What it is held out together with; empty for itself alone.
        support: [n] whether an example is one of the support, where the task comes ready-made; else None.
    """

    name: str
    rows: Integers
    targets: NDArray[Any]
    class_names: tuple[str, ...] = ()
    split: str = ""
    group: str = ""
    support: NDArray[np.bool_] | None = None

    def only(self, kept: NDArray[np.bool_]) -> OwnTask:
        """The same with some of its examples."""
        return replace(self, rows=self.rows[kept], targets=self.targets[kept],
                       support=None if self.support is None else self.support[kept])

    @property
    def ways(self) -> int:
        """Its classes; 1 for regression, whose examples are all of one kind."""
        return len(self.class_names) or 1

    def counts(self) -> Integers:
        """[ways] examples of each class."""
        if not self.class_names:
            return np.array([len(self.rows)], dtype=np.int64)
        return np.bincount(self.targets, minlength=self.ways).astype(np.int64)


@dataclass(frozen=True)
class TaskCollection:
    """What was read of a person's tasks.

    Attributes:
        tasks: Every task.
        inputs: [rows, *shape] float32, or pictures in uint8; tasks may share rows.
        where: Where a row comes from, such as "readings.csv, line 7".
        form: What the data were recognized as.
        noun: What the examples are called, such as "rows".
        facts: What is to be said of the inputs and of what was decided.
        problems: What is wrong and was left out.
        reading: As in `Spec`.
        row_groups: [rows] what each row belongs to, where rows of different splits may not share it; else None.
        raw, background: As in `Spec`.
        fit: Makes the inputs with what the training rows tell of all; `inputs` are then empty. None where no row tells
            anything of others.
    """

    tasks: tuple[OwnTask, ...]
    inputs: Tensor
    where: Callable[[int], str]
    form: str
    noun: str
    facts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    reading: Mapping[str, Any] = dataclass_field(default_factory=dict)
    row_groups: NDArray[np.object_] | None = None
    raw: str = ""
    background: Background = "as is"
    fit: Callable[[Integers], Encoded] | None = None

    @property
    def is_ready_made(self) -> bool:
        """Whether its tasks come with a support and a query of their own."""
        return bool(self.tasks) and self.tasks[0].support is not None


@dataclass(frozen=True)
class TaskPlan:
    """The tasks that take part.

    Attributes:
        tasks: With those of their examples that their split may have.
        split: The split of each.
        notes: What was decided, for the line of facts.
        problems: What takes no part, and why.
    """

    tasks: tuple[OwnTask, ...]
    split: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def without_overlap(members: Mapping[tuple[str, str], Rows], noun: str
                    ) -> tuple[dict[tuple[str, str], Rows], list[str]]:
    """Tasks that lie in one split alone, and a sentence on each that lies in several.

    A task is known by its name. One that several splits have goes to the first of train, validation and test with what
    it has there, for whoever was trained on a task cannot be tested on it as on a new one.

    Args:
        members: The examples of each task by its split, empty where the data do not say, and its name.
        noun: What the examples are called.
    """
    order = ("train", "", *SPLIT_NAMES[1:])  # what has no split may go anywhere, yet is trained on as a rule
    splits: dict[str, list[str]] = {}
    for split, name in sorted(members, key=lambda key: order.index(key[0])):
        splits.setdefault(name, []).append(split)
    kept = {(split, name): own for (split, name), own in members.items() if split == splits[name][0]}
    sentences = [f"{the('task', shown(name))} is in {' and in '.join(split or 'no split' for split in its)}; only its "
                 f"{noun} in {its[0] or 'no split'} were taken; give tasks that are different another name each"
                 for name, its in sorted(splits.items()) if len(its) > 1]
    return kept, named(sentences, "{} more tasks are in several splits")


def plan_tasks(found: TaskCollection, sharing: Sharing, shapes: Shapes, path: object) -> TaskPlan:
    """Share the tasks out and keep those that have enough examples.

    Which side a task is on follows from the names of the tasks and the split seed alone, as `share_out` has it, so
    that other shots and queries move no task from training to testing.

    Raises:
        DataError: There are too few tasks, or too few with enough examples, with the remedy.
    """
    if len(found.tasks) < len(SPLIT_NAMES):
        count = "one task" if len(found.tasks) == 1 else counted(len(found.tasks), "tasks")
        ready = f"; or adapt a trained learner to {path}/{found.tasks[0].name} itself" if found.is_ready_made else ""
        raise DataError(f"{path} holds {count}, and training, validation and testing need one of their own each; "
                        f"add tasks: a meta-learner needs many, twenty or more{ready}")
    sides, notes = _shared_out([ClassFolder(one.name, one.split, one.group or one.name, ()) for one in found.tasks],
                               sharing, "tasks", path)
    if any(one.group for one in found.tasks):
        notes = [*notes, on_sides({one.group: side for one, side in zip(found.tasks, sides, strict=True) if one.group})]
    tasks = found.tasks
    if found.row_groups is not None:
        tasks, more = _rows_of_their_side(found, sides, sharing, path)
        notes += more
    ways, problems = _usual_ways(tasks, shapes, path)
    pairs = [(one, side) for one, side in zip(tasks, sides, strict=True) if one.ways == ways]
    kept = [(one, side) for one, side in pairs if suffices(one, shapes.of(side))]
    usable = Counter(side for _, side in kept)
    for side in SPLIT_NAMES:
        if not usable[side]:
            raise _too_small(side, pairs, shapes, found, path)
    small = [_left_out(one, shapes.of(side), found.noun) for one, side in pairs if not suffices(one, shapes.of(side))]
    problems += named(small, f"{{}} more tasks have too few {found.noun} and were left out")
    if found.is_ready_made:
        problems += _cut(kept, shapes)
    return TaskPlan(tuple(one for one, _ in kept), tuple(side for _, side in kept), tuple(notes), tuple(problems))


def _shared_out(things: Sequence[ClassFolder], sharing: Sharing, noun: str, path: object
                ) -> tuple[list[str], list[str]]:
    """`share_out` in words of other things than classes and alphabets."""
    try:
        sides, notes = share_out(things, 1, Shares(sharing.validation_share, sharing.test_share, sharing.split_seed))
    except DataError as error:
        raise DataError(f"{path}: {str(error).replace('classes', noun)}; add {noun}, or lower dataset.validation_share "
                        "and dataset.test_share") from error
    return sides, notes


def _rows_of_their_side(found: TaskCollection, sides: Sequence[str], sharing: Sharing, path: object
                        ) -> tuple[tuple[OwnTask, ...], list[str]]:
    """The tasks with those rows alone whose group is held out with them, and a note."""
    groups = np.asarray(found.row_groups, dtype=object)
    names = sorted(set(groups.tolist()))
    if len(names) < len(SPLIT_NAMES):
        raise DataError(f"{path}: dataset.group has {counted(len(names), 'values')}, and training, validation and "
                        "testing need one of their own each; name another column or leave it empty")
    side_of = dict(zip(names, _shared_out([ClassFolder(name, "", name, ()) for name in names], sharing, "groups", path
                                          )[0], strict=True))
    of_row = np.array([side_of[name] for name in groups], dtype=object)
    tasks = tuple(one.only(of_row[one.rows] == side) for one, side in zip(found.tasks, sides, strict=True))
    return tasks, [f"{on_sides(side_of)}, by their {found.noun}"]


def _usual_ways(tasks: Sequence[OwnTask], shapes: Shapes, path: object) -> tuple[int, list[str]]:
    """The classes that most tasks have, and a sentence on the tasks that have others.

    Raises:
        DataError: The experiment has other ways.
    """
    ways = usual_ways(tasks)
    if not any(one.class_names for one in tasks):
        return ways, []
    if ways < 2:
        one = next(one for one in tasks if one.ways == ways)
        raise DataError(f"{path}: most tasks hold one class, such as {shown(one.name)}, and a task needs two or more; "
                        "add examples of other classes, or name another target")
    for table, shape in (("training", shapes.training), ("task", shapes.task)):
        if shape.ways != ways:
            values = {f"{wrong}.ways": ways for wrong, other in (("task", shapes.task), ("training", shapes.training))
                      if other.ways != ways and (wrong == "task" or shapes.training.ways != shapes.task.ways)}
            raise DataError(f"{path} holds tasks of {ways} classes and {table}.ways is {shape.ways}; set "
                            f"{setting(values)}", values)
    others = [f"{shown(one.name)} ({one.ways})" for one in tasks if one.ways != ways]
    if not others:
        return ways, []
    return ways, [f"{counted(len(others), 'tasks', 'has', 'have')} another number of classes than "
                  f"the {ways} of the others and {'was' if len(others) == 1 else 'were'} left out: {listed(others, 5)}"]


def usual_ways(tasks: Sequence[OwnTask]) -> int:
    """The number of classes that most tasks have."""
    return Counter(one.ways for one in tasks).most_common(1)[0][0]


def suffices(task: OwnTask, shape: TaskConfig) -> bool:
    """Whether a task has the examples for so many shots and queries a class.

    Its support has the same number of each class. Where a class is too scarce for its queries it has one at the least,
    and other classes fill up. A ready-made task needs as many in its own support and query, and each class in its
    support.
    """
    if task.support is not None:
        in_support = task.only(task.support).counts()
        return bool(in_support.all() and in_support.sum() >= task.ways * shape.shots
                    and (~task.support).sum() >= task.ways * shape.queries)
    counts = task.counts()
    return bool((counts > shape.shots).all() and counts.sum() >= task.ways * (shape.shots + shape.queries))


def query_quota(counts: Integers, shape: TaskConfig) -> Integers:
    """[classes] queries of each class of a task that `suffices`, whose classes have so many examples.

    Each class has `shape.queries` of them, or what the support leaves of it; the others make up for what is missing, in
    proportion to what they have left.
    """
    left = counts - shape.shots
    quota = np.minimum(left, shape.queries)
    missing = len(counts) * shape.queries - int(quota.sum())
    if missing:
        spare = left - quota
        quota = quota + missing * spare // int(spare.sum())
        for _ in range(len(counts) * shape.queries - int(quota.sum())):
            quota[np.argmax(left - quota)] += 1
    return quota


def _left_out(task: OwnTask, shape: TaskConfig, noun: str) -> str:
    """Why a task takes no part."""
    counts = task.counts()
    if task.support is not None:
        absent = [name for name, count in zip(task.class_names, task.only(task.support).counts(), strict=True)
                  if not count] if task.class_names else []
        why = f"has no {shown(absent[0])} in its support" if absent else (
            f"has {int(task.support.sum())} + {counted(int((~task.support).sum()), noun)} in support and query and "
            f"{task.ways * shape.shots} + {task.ways * shape.queries} are needed")
    elif task.class_names and counts.min() <= shape.shots:
        scarcest = shown(task.class_names[int(counts.argmin())])
        why = (f"has {counted(int(counts.min()), noun)} of {scarcest}, and {counted(shape.shots, 'shots')} and a query "
               f"take {shape.shots + 1}")
    else:
        why = f"has {counted(int(counts.sum()), noun)}, and {_said(shape)}" + \
              (f" of {task.ways} classes" if task.class_names else "") + \
              f" take {task.ways * (shape.shots + shape.queries)}"
    return f"{the('task', shown(task.name))} {why}; it was left out"


def _said(shape: TaskConfig) -> str:
    return f"{counted(shape.shots, 'shots')} and {counted(shape.queries, 'queries')}"


def _too_small(side: str, pairs: Sequence[tuple[OwnTask, str]], shapes: Shapes, found: TaskCollection, path: object
               ) -> DataError:
    """Why a split has no task that would do, and what would help."""
    own = [one for one, its in pairs if its == side]
    shape = shapes.of(side)
    none = ("the only task", "has not") if len(own) == 1 else (f"none of the {len(own):,} tasks", "has")
    finding = f"{path}: {none[0]} of the {side} split {none[1]} the {found.noun} that {_said(shape)} take"
    if own:
        finding += f", for {_left_out(max(own, key=lambda one: len(one.rows)), shape, found.noun)}"
    for smaller, values in _smaller(shapes):
        if all(any(suffices(one, smaller.of(its)) for one, its in pairs if its == name) for name in SPLIT_NAMES):
            return DataError(f"{finding}. Set {setting(values)}, or add {found.noun}", values)
    return DataError(f"{finding}. Add {found.noun} to the tasks")


def _smaller(shapes: Shapes) -> Iterator[tuple[Shapes, dict[str, Any]]]:
    """Ever smaller tasks and what to set for them: first fewer queries, then fewer shots."""
    task, training = shapes
    most = max(task.shots, training.shots)
    steps = [(most, queries) for queries in range(max(task.queries, training.queries), 0, -1)]
    steps += [(shots, 1) for shots in range(most - 1, 0, -1)]
    for shots, queries in steps:
        smaller = Shapes(*(one.model_copy(update={"shots": min(shots, one.shots), "queries": min(queries, one.queries)})
                           for one in shapes))
        values = {f"{table}.{name}": getattr(new, name)
                  for table, old, new in (("task", task, smaller.task), ("training", training, smaller.training))
                  for name in ("shots", "queries")
                  if getattr(old, name) != getattr(new, name) and (table == "task" or training != task)}
        if values:
            yield smaller, values


def _cut(kept: Sequence[tuple[OwnTask, str]], shapes: Shapes) -> list[str]:
    """A sentence where ready-made tasks have more than the shots and queries take."""
    larger = [one for one, side in kept if one.support is not None
              and (one.support.sum() > one.ways * shapes.of(side).shots
                   or (~one.support).sum() > one.ways * shapes.of(side).queries)]
    if not larger:
        return []
    shots, queries = usual_sizes([one for one, _ in kept])
    return [f"{len(larger):,} of {counted(len(kept), 'tasks')} {'has' if len(larger) == 1 else 'have'} more support or "
            f"query than {_said(shapes.task)} take, and the rest is not used; task.shots={shots} and "
            f"task.queries={queries} fit most of them"]


def usual_sizes(tasks: Sequence[OwnTask]) -> tuple[int, int]:
    """Shots and queries a class that at least four in five of these ready-made tasks have; at least one of each."""
    sizes = []
    for is_support in (True, False):
        each = sorted(int((one.support == is_support).sum()) // one.ways for one in tasks if one.support is not None)
        sizes.append(max(1, each[len(each) // 5]))
    return sizes[0], sizes[1]


def fitting_shape(tasks: Sequence[OwnTask], wanted: TaskConfig) -> TaskConfig:
    """The wanted shots and queries, or as many as four in five of these tasks have the examples for."""
    ways = usual_ways(tasks)
    if tasks[0].support is not None:
        shots, queries = usual_sizes(tasks)
        return wanted.model_copy(update={"shots": shots, "queries": queries, "ways": max(2, ways)})
    counts = [one.counts() for one in tasks if one.ways == ways]
    fifth = len(counts) // 5
    scarcest, whole = (sorted(int(measure(one)) for one in counts)[fifth] for measure in (np.min, np.sum))
    shots = max(1, min(wanted.shots, scarcest - 1, whole // (2 * ways)))
    queries = max(1, min(wanted.queries, whole // ways - shots))
    return wanted.model_copy(update={"shots": shots, "queries": queries, "ways": max(2, ways)})
