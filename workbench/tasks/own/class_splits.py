"""Shares classes of a person's own out among the splits: which are too small, and what would help."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.experiment.experiment import TaskConfig
from workbench.experiment.fields import field
from workbench.tasks.base import SPLIT_NAMES
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.words import named, shown
from workbench.tasks.own.folders import ClassFolder, Shares, share_out
from workbench.tasks.sampling.classes import ClassTasksConfig
from workbench.words import counted, listed, the


class OwnClassesConfig(ClassTasksConfig):
    """Where the data lie, and how their classes are shared out where they do not say; a subclass declares `path` anew
    with what it reads."""

    path: Path | None = field(None, label="Data", help="The file or folder.")
    validation_share: float = field(0.2, label="Validation share", help="Part of the classes that validate, where the "
                                    "data do not say; more where the tasks need more.", ge=0.01, le=0.8)
    test_share: float = field(0.2, label="Test share", help="Part of the classes that are tested on, where the data "
                              "do not say; more where the tasks need more.", ge=0.01, le=0.8)
    split_seed: int = field(0, label="Split seed", help="Decides which classes validate and are tested on, where the "
                            "data do not say; the seed of the experiment has no part in it.",
                            ge=0, le=2**31 - 1, advanced=True)


def shares_of(config: OwnClassesConfig) -> Shares:
    """How the classes are shared out."""
    return Shares(config.validation_share, config.test_share, config.split_seed)


class Shapes(NamedTuple):
    """Shape of the tasks that are tested on and of those that are trained on."""

    task: TaskConfig
    training: TaskConfig

    def of(self, split: str) -> TaskConfig:
        """The shape of a split's tasks."""
        return self.training if split == "train" else self.task

    def largest(self) -> TaskConfig:
        """The shape that takes more examples of a class."""
        return max(self, key=_examples)


def _examples(shape: TaskConfig) -> int:
    """Examples of a class that a task takes."""
    return shape.shots + shape.queries


class Plan(NamedTuple):
    """What side the classes are on.

    Attributes:
        split: The split of each class; empty where it has none.
        takes_part: Whether each has the examples that tasks of its split take.
        notes: What was decided, for the line of facts.
        problems: Which classes take no part, and why.
    """

    split: list[str]
    takes_part: list[bool]
    notes: list[str]
    problems: list[str]


def plan_splits(classes: Sequence[ClassFolder], counts: NDArray[np.int64], config: OwnClassesConfig,
                shapes: Shapes, noun: str) -> Plan:
    """Share all classes out and see whether those with enough examples suffice.

    The split is `share_out`'s and follows from the names of the classes, the config and the ways of the tasks. Shots,
    queries and `counts` decide only which classes take part; but where a split would lack classes because some of its
    own are too small, these give up their places and the others are shared out among themselves.

    Args:
        classes: All classes.
        counts: [classes] readable examples of each, or [splits, classes] how many it would have in each.
        config: How they are shared out.
        shapes: Of the tasks.
        noun: What the examples are called.

    Raises:
        DataError: There are too few classes, or a split has too few with enough examples.
    """
    by_side = np.broadcast_to(counts, (len(SPLIT_NAMES), len(classes)))
    fits = by_side >= np.array([_examples(shapes.of(side)) for side in SPLIT_NAMES])[:, None]
    large = np.flatnonzero(fits.all(0)).tolist()
    try:
        split, notes = _seated(classes, range(len(classes)), fits, config, shapes, noun=noun)
    except _LackError as error:
        try:
            split, notes = _seated(classes, large, fits, config, shapes, noun=noun)
        except DataError:
            raise error from None
        notes.append(f"classes with too few {noun} gave their places up")
    rows = [SPLIT_NAMES.index(side) if side else 0 for side in split]
    takes_part = [bool(side) and bool(fits[row, i]) for i, (side, row) in enumerate(zip(split, rows, strict=True))]
    small = [_too_small(one, int(by_side[rows[i], i]), split[i], shapes, noun)
             for i, one in enumerate(classes) if not takes_part[i]]
    return Plan(split, takes_part, notes, named(small, f"{{}} more classes have too few {noun} and take no part"))


class _LackError(DataError):
    """Raised where a split has too few classes with enough examples."""


def _seated(classes: Sequence[ClassFolder], chosen: Sequence[int], fits: NDArray[np.bool_], config: OwnClassesConfig,
            shapes: Shapes, *, noun: str) -> tuple[list[str], list[str]]:
    """The split of each class, empty for those not chosen, and notes.

    Raises:
        DataError: There are too few, or a split lacks usable ones.
    """
    turns = _turns(config)
    sides, notes = share_out([classes[i] for i in chosen], math.ceil(shapes.task.ways / turns), shares_of(config))
    split = [""] * len(classes)
    for i, side in zip(chosen, sides, strict=True):
        split[i] = side
    given = {one.split for one in classes}
    for row, side in enumerate(SPLIT_NAMES):
        needed = math.ceil(shapes.of(side).ways / turns)
        usable = sum(own == side and bool(fits[row, i]) for i, own in enumerate(split))
        if usable < needed:
            place = f"{side} folder" if side in given and noun == "pictures" else f"{side} split"
            raise _LackError(f"the {place} holds {counted(usable, 'usable classes')} and its tasks need {needed}")
    return split, notes


def _too_small(one: ClassFolder, count: int, side: str, shapes: Shapes, noun: str) -> str:
    shape = shapes.of(side) if side else shapes.largest()
    table = "training" if _examples(shape) > _examples(shapes.task) else "task"
    return (f"{the('class', shown(one.name))} has {counted(count, f'readable {noun}')} and {shape.shots} + "
            f"{shape.queries} shots and queries take {_examples(shape)}; it takes no "
            f"part{f' in {side}' if side else ''}: add {noun} or lower "
            f"{table}.shots or {table}.queries")


def too_few(finding: str, classes: Sequence[ClassFolder], counts: NDArray[np.int64], config: OwnClassesConfig,
            shapes: Shapes, *, noun: str, label: str = "") -> DataError:
    """Why the classes do not suffice, in a sentence that proposes what would; `label` is the column that says them."""
    largest = shapes.largest()
    needed, total = _examples(largest), len(classes)
    large = int((counts >= needed).sum())
    holds = "one class" if total == 1 else counted(total, "classes")
    if large < total:
        which = f"{large:,} of them with" if large else "which lacks" if total == 1 else "none of them with"
        holds += (f", {which} the {counted(needed, noun)} that {largest.shots} + {largest.queries} shots and queries "
                  f"take ({_smallest(classes, counts, needed)} too small)")
    where = f" in {the('column', label)}" if label else ""
    other = ", or name another column in dataset.label" if label else ""
    message = f"{config.path} holds {holds}{where}, which will not do for {shapes.task.ways}-way tasks: {finding}"
    if values := what_fits(classes, counts, config, shapes, noun):
        more = noun if large < total else "classes"
        return DataError(f"{message}. Set {setting(values)}, or add {more}{other}", values)
    if large < total:
        return DataError(f"{message}. Add {noun}, or lower shots, queries and ways together{other}")
    return DataError(f"{message}. Even 2-way tasks need more: add {_adding(noun)}{other}{_by_example(total, shapes)}")


def _by_example(total: int, shapes: Shapes) -> str:
    """The other way out of too few classes, as the end of a sentence; empty where a task could not even tell two."""
    if total < 2:
        return ""
    ways = f" and task.ways to {total}" if shapes.task.ways > total else ""
    return f"; or set dataset.held_out to examples{ways}, to train and to test on other examples of the same classes"


def setting(values: Mapping[str, Any]) -> str:
    """What to set, in words."""
    return " and ".join(f"{dotted} to {value}" for dotted, value in values.items())


def what_fits(classes: Sequence[ClassFolder], counts: NDArray[np.int64], config: OwnClassesConfig, shapes: Shapes,
              noun: str) -> dict[str, Any]:
    """What to set, by dotted names, so that the classes suffice; empty where nothing would do."""
    largest = shapes.largest()
    lacks_examples = bool((counts < _examples(largest)).any())
    smaller = ((config, changed, values) for changed, values in _smaller(shapes, largest, lacks_examples))
    fewer = ((changed, shapes, values) for changed, values in _smaller_shares(config))
    for changed_config, changed_shapes, values in chain(fewer, smaller):
        try:
            plan_splits(classes, counts, changed_config, changed_shapes, noun)
        except DataError:
            continue
        return values
    return {}


def _smallest(classes: Sequence[ClassFolder], counts: NDArray[np.int64], needed: int) -> str:
    """The first few classes with fewer examples than that, in words."""
    names = [shown(one.name) for one, count in zip(classes, counts, strict=True) if count < needed]
    return f"{listed(names, 3)} {'is' if len(names) == 1 else 'are'}"


def _smaller_shares(config: OwnClassesConfig) -> Iterator[tuple[OwnClassesConfig, dict[str, Any]]]:
    """Smaller parts of the classes to hold out; never larger ones, which would test a run on what it was trained on."""
    for most in (0.2, 0.1):
        values = {name: min(most, getattr(config, name)) for name in ("validation_share", "test_share")}
        changed = {f"dataset.{name}": value for name, value in values.items() if value != getattr(config, name)}
        if changed:
            yield config.model_copy(update=values), changed


def _smaller(shapes: Shapes, largest: TaskConfig, lacks_examples: bool) -> Iterator[tuple[Shapes, dict[str, Any]]]:
    """Ever smaller tasks, and what to set for them: first fewer examples, where these are what is lacking."""
    task, training = shapes
    if lacks_examples:
        for shots in range(training.shots - 1, 0, -1):
            if largest is training != task:
                yield Shapes(task, _with(training, shots=shots)), {"training.shots": shots}
        for queries in range(largest.queries - 1, 0, -1):
            fewer = Shapes(*(_with(shape, queries=min(queries, shape.queries)) for shape in shapes))
            tables = ["task"] + ["training"] * (training.queries != task.queries)
            yield fewer, {f"{table}.queries": queries for table in tables}
    for ways in range(max(task.ways, training.ways) - 1, 1, -1):
        fewer = Shapes(*(_with(shape, ways=min(ways, shape.ways)) for shape in shapes))
        tables = ["task"] * (task.ways > ways) + ["training"] * (training.ways not in (task.ways, fewer.training.ways))
        yield fewer, {f"{table}.ways": ways for table in tables}


def _with(shape: TaskConfig, **values: int) -> TaskConfig:
    return shape.model_copy(update=values)


def _turns(config: OwnClassesConfig) -> int:
    """Classes that one class stands for."""
    return 4 if getattr(config, "rotations", False) else 1


def _adding(noun: str) -> str:
    return "folders of pictures, one for each class" if noun == "pictures" else "classes"
