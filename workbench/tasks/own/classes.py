"""Examples of a person's own that belong to classes: their splits, what is too small, and what would help."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.fields import field
from workbench.tasks.base import SPLIT_NAMES
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.words import listed, named, shown
from workbench.tasks.own.data import OwnData
from workbench.tasks.own.folders import ClassFolder, Shares, share_out
from workbench.tasks.sampling.classes import ClassTasks, ClassTasksConfig, Labelled
from workbench.tasks.sampling.moments import moments_of


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


@dataclass(frozen=True)
class Collection:
    """What was read of a person's data.

    Attributes:
        classes: Every class, with the split and the group that the data give it; files are not needed here.
        inputs: [examples, *shape] as in `Labelled`, sorted by class.
        owners: [examples] index of the class of each.
        files: Where each example comes from.
        form: What the data were recognized as.
        noun: What the examples are called, such as "pictures".
        facts: What is to be said of the inputs, such as "32×32 colour", and what was decided in reading.
        problems: What is wrong and was left out.
        reading: As in `Spec`.
        moments: For pixels, [examples, channels, 2] mean of each example and of its squares, with pixels in [0, 1].
        words: What each example says, to be shown to people, where the examples are texts.
    """

    classes: tuple[ClassFolder, ...]
    inputs: Tensor
    owners: NDArray[np.int64]
    files: Sequence[str]
    form: str
    noun: str
    facts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    reading: Mapping[str, Any] = dataclass_field(default_factory=dict)
    moments: Tensor | None = None
    words: Sequence[str] = ()

    @property
    def counts(self) -> NDArray[np.int64]:
        """[classes] examples of each class."""
        return np.bincount(self.owners, minlength=len(self.classes)).astype(np.int64)


class OwnClasses(OwnData, ClassTasks):
    """Tasks from a person's own data that belong to classes.

    Splits given by the data are kept; otherwise the names of the classes and the split seed decide, and whole groups
    are held out together. A class that was trained on stays in train whatever shots, queries and seed a later
    experiment has, so that a run is never tested on it at the same ways (`share_out`). Inputs are normalized with the
    mean and the deviation of the training examples.
    """

    def __init__(self, experiment: Experiment, device: torch.device) -> None:
        super().__init__(experiment.model_copy(update={"dataset": self.noted(experiment.dataset)}), device)

    def load(self, experiment: Experiment) -> Labelled:
        """Read the data, from the cache where nothing has changed, and share the classes out."""
        config = experiment.dataset
        assert isinstance(config, OwnClassesConfig)  # noqa: S101 - narrows for the type checker
        return self.read_labelled(config, Shapes(experiment.task, experiment.training_task()))

    @classmethod
    def read_labelled(cls, config: OwnClassesConfig, shapes: Shapes) -> Labelled:
        """The data of a config, shared out for tasks of these shapes.

        Raises:
            DataError: There are too few classes or examples, or the data cannot be read; with the remedy.
        """
        cls.place(config)
        return labelled(cls.read(config), config, shapes)

    @classmethod
    @abstractmethod
    def read(cls, config: Any) -> Collection:
        """Read the data of a config whose path is set.

        Raises:
            DataError: There is nothing that could be read, with the remedy.
        """

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel or feature over the training examples."""
        examples = np.sort(self.training_examples())
        if self.labelled.moments is None:
            return moments_of(self.labelled.inputs, examples)
        mean, square = self.labelled.moments[torch.from_numpy(examples)].mean(0).unbind(1)
        deviation = (square - mean**2).clamp(min=0).sqrt()
        # Pictures of one flat tone deviate by 1.
        return tuple(mean.tolist()), tuple(torch.where(deviation > 1e-3, deviation, 1.0).tolist())


def _check_is_finite(found: Collection, config: OwnClassesConfig) -> None:
    if found.inputs.dtype == torch.uint8:
        return
    is_whole = found.inputs.flatten(1).isfinite().all(1)
    if not is_whole.all():
        first, others = int((~is_whole).nonzero()[0, 0]), int((~is_whole).sum()) - 1
        more = f" and {others:,} more hold" if others else " holds"
        raise DataError(f"{config.path}: {shown(found.files[first])}{more} values that are no numbers or too large for "
                        "32 bits; mend them or leave them out")


def labelled(found: Collection, config: OwnClassesConfig, shapes: Shapes) -> Labelled:
    """Share the classes of a collection out for tasks of these shapes.

    Raises:
        DataError: There are too few classes or examples, with the remedy.
    """
    counts = found.counts
    _check_is_finite(found, config)
    try:
        plan = plan_splits(found.classes, counts, config, shapes, found.noun)
    except DataError as error:
        raise DataError(_remedy(str(error), found, config, shapes)) from error
    some = np.flatnonzero(counts)
    facts = [f"{len(some):,} classes", f"{len(found.owners):,} {found.noun}", *found.facts, *plan.notes]
    return Labelled(found.inputs, counts[some], tuple(shown(found.classes[i].name) for i in some),
                    tuple(plan.split[i] for i in some), tuple(shown(file) for file in found.files), found.form,
                    " · ".join(facts), (*found.problems, *plan.problems), found.reading, found.moments,
                    tuple(found.words))


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


@dataclass(frozen=True)
class Plan:
    """The split of each class, notes, and which classes have too few examples to take part."""

    split: list[str]
    notes: list[str]
    problems: list[str]


def plan_splits(classes: Sequence[ClassFolder], counts: NDArray[np.int64], config: OwnClassesConfig,
                shapes: Shapes, noun: str) -> Plan:
    """Share all classes out and see whether those with enough examples suffice.

    The split is `share_out`'s and follows from the names of the classes, the config and the ways of the tasks. Shots,
    queries and `counts`, the readable examples of each class, decide only which classes take part.

    Raises:
        DataError: There are too few classes, or a split has too few with enough examples.
    """
    if config.held_out == "examples":  # every class is in every split
        return Plan(["train"] * len(classes), [], [])
    turns = _turns(config)
    split, notes = share_out(classes, math.ceil(shapes.task.ways / turns),
                             Shares(config.validation_share, config.test_share, config.split_seed))
    usable = Counter(side for side, count in zip(split, counts, strict=True) if count >= _examples(shapes.of(side)))
    given = {one.split for one in classes}
    for side in SPLIT_NAMES:
        needed = math.ceil(shapes.of(side).ways / turns)
        if usable[side] < needed:
            place = f"{side} folder" if side in given and noun == "pictures" else f"{side} split"
            raise DataError(f"the {place} holds {usable[side]} usable classes and its tasks need {needed}")
    small = [_too_small(one, int(count), side, shapes, noun)
             for one, count, side in zip(classes, counts, split, strict=True) if count < _examples(shapes.of(side))]
    return Plan(split, notes, named(small, f"{{}} more classes have too few {noun} and take no part"))


def _too_small(one: ClassFolder, count: int, side: str, shapes: Shapes, noun: str) -> str:
    shape = shapes.of(side)
    table = "training" if _examples(shape) > _examples(shapes.task) else "task"
    return (f"the class {shown(one.name)} has {count} readable {noun} and {shape.shots} + {shape.queries} shots and "
            f"queries take {_examples(shape)}; it takes no part in {side}: add {noun} or lower {table}.shots or "
            f"{table}.queries")


def _remedy(finding: str, found: Collection, config: OwnClassesConfig, shapes: Shapes) -> str:
    """Why the classes do not suffice, in a sentence that proposes what would."""
    largest = shapes.largest()
    needed, total = _examples(largest), len(found.classes)
    large = int((found.counts >= needed).sum())
    holds = "one class" if total == 1 else f"{total} classes"
    if large < total:
        holds += (f", {large} of them with the {needed} {found.noun} that {largest.shots} + {largest.queries} shots "
                  f"and queries take ({_smallest(found, needed)} too small)")
    message = f"{config.path} holds {holds}, which will not do for {shapes.task.ways}-way tasks: {finding}"
    smaller = ((config, changed, words) for changed, words in _smaller(shapes, largest, large < total))
    fewer = ((changed, shapes, words) for changed, words in _smaller_shares(config))
    for changed_config, changed_shapes, words in chain(fewer, smaller):
        try:
            plan_splits(found.classes, found.counts, changed_config, changed_shapes, found.noun)
        except DataError:
            continue
        return f"{message}. Set {words}, or add {found.noun if large < total else 'classes'}"
    if large < total:
        return f"{message}. Add {found.noun}, or lower shots, queries and ways together"
    return f"{message}. Even 2-way tasks need more: add {_adding(found.noun)}"


def _smallest(found: Collection, needed: int) -> str:
    """The first few classes with fewer examples than that, in words."""
    names = [shown(one.name) for one, count in zip(found.classes, found.counts, strict=True) if count < needed]
    return f"{listed(names, 3)} {'is' if len(names) == 1 else 'are'}"


def _smaller_shares(config: OwnClassesConfig) -> Iterator[tuple[OwnClassesConfig, str]]:
    """Smaller parts of the classes to hold out; never larger ones, which would test a run on what it was trained on."""
    for most in (0.2, 0.1):
        values = {name: min(most, getattr(config, name)) for name in ("validation_share", "test_share")}
        words = [f"dataset.{name} to {value}" for name, value in values.items() if value != getattr(config, name)]
        if words:
            yield config.model_copy(update=values), " and ".join(words)


def _smaller(shapes: Shapes, largest: TaskConfig, lacks_examples: bool) -> Iterator[tuple[Shapes, str]]:
    """Ever smaller tasks, and what to set for them: first fewer examples, where these are what is lacking."""
    task, training = shapes
    if lacks_examples:
        for shots in range(training.shots - 1, 0, -1):
            if largest is training != task:
                yield Shapes(task, _with(training, shots=shots)), f"training.shots to {shots}"
        for queries in range(largest.queries - 1, 0, -1):
            fewer = Shapes(*(_with(shape, queries=min(queries, shape.queries)) for shape in shapes))
            tables = ["task"] + ["training"] * (training.queries != task.queries)
            yield fewer, " and ".join(f"{table}.queries to {queries}" for table in tables)
    for ways in range(max(task.ways, training.ways) - 1, 1, -1):
        fewer = Shapes(*(_with(shape, ways=min(ways, shape.ways)) for shape in shapes))
        tables = ["task"] * (task.ways > ways) + ["training"] * (training.ways not in (task.ways, fewer.training.ways))
        yield fewer, " and ".join(f"{table}.ways to {ways}" for table in tables)


def _with(shape: TaskConfig, **values: int) -> TaskConfig:
    return shape.model_copy(update=values)


def _turns(config: OwnClassesConfig) -> int:
    """Classes that one class stands for."""
    return 4 if getattr(config, "rotations", False) else 1


def _adding(noun: str) -> str:
    return "folders of pictures, one for each class" if noun == "pictures" else "classes"
