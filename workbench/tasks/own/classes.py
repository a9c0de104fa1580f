"""Examples of a person's own that belong to classes: what was read of them, and how their classes are held out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any
from unicodedata import normalize

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.tasks.base import SPLIT_NAMES
from workbench.tasks.files.encoding import Encoded
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.words import named, shown
from workbench.tasks.own.class_splits import (
    OwnClassesConfig,
    Plan,
    Shapes,
    plan_splits,
    setting,
    shares_of,
    too_few,
    what_fits,
)
from workbench.tasks.own.data import Held, OwnData
from workbench.tasks.own.folders import ClassFolder
from workbench.tasks.own.groups import ANYWHERE, are_whole, counts_by_side, linked, on_sides, sides_of
from workbench.tasks.sampling.classes import ClassTasks, Labelled, sides_by_example
from workbench.tasks.sampling.moments import moments_of
from workbench.words import counted

_COMPARED = 256  # examples at a time, of which the first few differ as a rule


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
        fit: Makes the inputs with what the training examples, given by their rows, tell of all; `inputs` are then
            empty. None where no example tells anything of others.
        groups: [examples] what each belongs to, which stays on one side of the split; empty where it is nothing. None
            where only `ClassFolder.group` is to go by.
        grouped_by: What the groups are called by, such as "the column speaker".
        label: The column that says the class of each example; empty where none does.
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
    fit: Callable[[NDArray[np.int64]], Encoded] | None = None
    groups: Sequence[str] | None = None
    grouped_by: str = ""
    label: str = ""

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

    @classmethod
    def held(cls, config: Any) -> Held:
        """See `OwnData`; classes without examples are none."""
        found = cls.read(cls.noted(config))
        return Held(int((found.counts > 0).sum()), len(found.owners), found.problems)

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


def are_alike(inputs: Tensor) -> bool:
    """Whether all of several examples are the same."""
    return len(inputs) > 1 and all(bool((part == inputs[0]).all()) for part in torch.split(inputs, _COMPARED))


def _check_differ(inputs: Tensor, found: Collection, config: OwnClassesConfig) -> None:
    if are_alike(inputs):
        raise DataError(f"{config.path}: all {len(inputs):,} {found.noun} are the same in what a learner sees of them, "
                        "so nothing tells their classes apart; look at the data, and at how they were written")


def _called_alike(names: Sequence[str]) -> list[str]:
    """A sentence for classes whose names differ only in case, in spaces or in how their letters are composed.

    Letters that are classes themselves may well be there in both cases.
    """
    by_sound: dict[str, list[str]] = {}
    for name in names:
        if len(name.rpartition("/")[2]) > 1:
            by_sound.setdefault(" ".join(normalize("NFC", name).casefold().split()), []).append(name)
    return named([f"the classes {' and '.join(repr(shown(name)) for name in alike)} are called the same but for case, "
                  "spaces or how letters are composed, and are taken for different ones; give them one name if they "
                  "are one" for alike in by_sound.values() if len(alike) > 1],
                 "{} more classes are called alike")


def labelled(found: Collection, config: OwnClassesConfig, shapes: Shapes) -> Labelled:
    """Share the classes of a collection out for tasks of these shapes.

    Raises:
        DataError: There are too few classes or examples, with the remedy.
    """
    _check_is_finite(found, config)
    if found.fit is None and len(found.classes) > 1:
        _check_differ(found.inputs, found, config)
    by_example = config.held_out == "examples"
    plan, sides = _by_example(found, config) if by_example else _by_class(found, config, shapes)
    split = [side if takes_part else "" for side, takes_part in zip(plan.split, plan.takes_part, strict=True)]
    own = np.array([SPLIT_NAMES.index(side) if side else -1 for side in split], dtype=np.int8)[found.owners]
    is_drawn = own >= 0 if by_example or sides is None else (sides == own) | ((own >= 0) & (sides == ANYWHERE))
    encoded = Encoded(found.inputs, found.reading, ())
    if found.fit is not None:
        if by_example and sides is None:
            known = np.flatnonzero(found.counts)
            sides = sides_by_example(found.counts[known], [found.classes[i].name for i in known])
        encoded = found.fit(np.flatnonzero(is_drawn & (sides == 0 if by_example else own == 0)))
        _check_differ(encoded.inputs, found, config)
    some = np.flatnonzero(found.counts)
    names = [found.classes[i].name for i in some]
    facts = [counted(sum(bool(split[i]) for i in some), "classes"), counted(int(is_drawn.sum()), found.noun),
             *encoded.facts, *found.facts, *plan.notes]
    return Labelled(encoded.inputs, found.counts[some], tuple(map(shown, names)),
                    tuple(split[i] for i in some), tuple(shown(file) for file in found.files), found.form,
                    " · ".join(facts), (*found.problems, *_called_alike(names), *plan.problems), encoded.reading,
                    found.moments, tuple(found.words), sides)


def _by_example(found: Collection, config: OwnClassesConfig) -> tuple[Plan, NDArray[np.int8] | None]:
    """Every class in every split; where there are groups, also the split of each example."""
    many = len(found.classes)
    plan = Plan(["train"] * many, [True] * many, [], [])
    if found.groups is None:
        return plan, None
    sides = sides_of(found.groups, shares_of(config), f"{config.path}: {found.grouped_by}")
    return plan._replace(notes=[_apart(found, sides)]), np.where(sides == ANYWHERE, 0, sides)


def _by_class(found: Collection, config: OwnClassesConfig, shapes: Shapes) -> tuple[Plan, NDArray[np.int8] | None]:
    """The classes shared out; where groups cut across them, also the split that each example may be drawn in."""
    classes: Sequence[ClassFolder] = found.classes
    if found.groups is not None:
        classes = linked(found.classes, found.owners, found.groups)
    try:
        plan = plan_splits(classes, found.counts, config, shapes, found.noun)
    except DataError as error:
        raise too_few(str(error), found.classes, found.counts, config, shapes, noun=found.noun, label=found.label
                      ) from error
    if found.groups is None or are_whole(classes, plan.split):
        return plan._replace(notes=[*plan.notes, *_whole(found, classes, plan)]), None
    sides = sides_of(found.groups, shares_of(config), f"{config.path}: {found.grouped_by}")
    counts = counts_by_side(found.owners, sides, len(classes))
    classes = [replace(one, group=one.name) for one in classes]
    try:
        plan = plan_splits(classes, counts, config, shapes, found.noun)
    except DataError as error:
        smaller = what_fits(classes, counts, config, shapes, found.noun)
        advice = f"Set {setting(smaller)}, name" if smaller else "Name"
        raise DataError(f"{config.path}: {found.grouped_by} cuts across the classes, so each split has only the "
                        f"{found.noun} of its own groups, and {error}. {advice} another group, or leave dataset.group "
                        "empty", smaller) from error
    return plan._replace(notes=[*plan.notes, _apart(found, sides)]), sides


def _whole(found: Collection, classes: Sequence[ClassFolder], plan: Plan) -> list[str]:
    """A note on the groups whose classes are all on one side, where there are any that the data did not split."""
    if all(one.split for one in classes) or not are_whole(classes, plan.split):
        return []
    if found.groups is not None:
        pairs = zip(found.groups, (plan.split[owner] for owner in found.owners), strict=True)
        return [f"by {found.grouped_by} {on_sides({group: side for group, side in pairs if group and side})}"]
    if all(one.group == one.name for one in classes):
        return []
    return [on_sides({one.group: side for one, side in zip(classes, plan.split, strict=True) if side})]


def _apart(found: Collection, sides: NDArray[np.int8]) -> str:
    """A note on groups that cut across the classes."""
    side = {group: SPLIT_NAMES[its] for group, its in zip(found.groups or (), sides.tolist(), strict=True) if group}
    return f"by {found.grouped_by} {on_sides(side)}; what is held out has only their own {found.noun}"
