"""Pictures in folders of the person's own, and the report on whether a folder will do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import DataError
from workbench.tasks.classes import SPLIT_NAMES, ClassTasks, ClassTasksConfig, Pictures
from workbench.tasks.folders import (
    BY_CLASS,
    ClassFolder,
    Layout,
    Shares,
    check_is_folder,
    named,
    recognize,
    scan,
    share_out,
)
from workbench.tasks.new_task import looks_like_new_task, read_new_task, usual_spec
from workbench.tasks.omniglot import find_halves, read_omniglot
from workbench.tasks.pictures import cached, read_pictures, shown, usual_side


class ImageFolderConfig(ClassTasksConfig):
    """Where the pictures lie and how they are brought to one shape."""

    name: Literal["image_folder"] = "image_folder"
    path: Path | None = field(None, label="Folder", help="Folder with a folder of pictures for each class; or train, "
                              "val and test with such folders in each; or alphabets of characters.")
    size: int | None = field(None, label="Side", unit="pixels", help="Every picture is scaled until its shorter side "
                             "has this size and cropped to a square about its centre; empty for the median shorter "
                             "side, at least 16 and at most 84.", ge=8, le=512)
    color: Literal["auto", "grey", "rgb"] = field(
        "auto", label="Colour", help="Automatic keeps colour where any picture has some.",
        choices={"auto": "Automatic", "grey": "Grey", "rgb": "Colour"})
    rotations: bool = field(False, label="Rotations", help="Count every class turned by 90°, 180° and 270° as a class "
                            "of its own, on the same side of the split; for things that have an upright.")
    validation_share: float = field(0.2, label="Validation share", help="Part of the classes that validate, where the "
                                    "folder does not say; more where the tasks need more.", ge=0.01, le=0.8)
    test_share: float = field(0.2, label="Test share", help="Part of the classes that are tested on, where the folder "
                              "does not say; more where the tasks need more.", ge=0.01, le=0.8)
    split_seed: int = field(0, label="Split seed", help="Decides which classes validate and are tested on, where the "
                            "folder does not say; the seed of the experiment has no part in it.",
                            ge=0, le=2**31 - 1, advanced=True)


class ImageFolder(ClassTasks):
    """Pictures of your own: a folder for each class, with splits or alphabets above them where there are any.

    Anything that Pillow reads will do, of any sizes. Splits given by the folder are kept; otherwise the names of the
    classes and the split seed decide, and whole alphabets are held out together. A class that was trained on stays in
    train whatever shots, queries and seed a later experiment has, so that a run is never tested on it at the same
    ways (`share_out`). Inputs are normalized with the mean and the deviation of the training classes.
    """

    Config = ImageFolderConfig
    title = "Image folder"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The usual convolutional network."""
        return {"backbone.name": "conv4"}

    def load(self, experiment: Experiment) -> Pictures:
        """Read the folder, from the cache where nothing in it has changed."""
        config = self._config(experiment)
        if config.path is None:
            raise DataError("dataset.path: name the folder that holds your pictures, a folder for each class")
        return read_folder(config, experiment.task, experiment.training_task())

    def turns(self, experiment: Experiment) -> bool:
        """As the person chose."""
        return self._config(experiment).rotations

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel over the training examples, with pixels in [0, 1]."""
        rows = torch.from_numpy(np.sort(self.training_examples()))
        moments = [_moments(self.pictures.pixels[rows, channel]) for channel in range(self.pictures.pixels.shape[1])]
        means, deviations = zip(*moments, strict=True)
        return means, deviations

    @staticmethod
    def _config(experiment: Experiment) -> ImageFolderConfig:
        assert isinstance(experiment.dataset, ImageFolderConfig)  # noqa: S101 - narrows for the type checker
        return experiment.dataset


def _moments(pixels: Tensor) -> tuple[float, float]:
    """Mean and deviation of uint8 pixels as numbers in [0, 1]; pictures of one flat tone deviate by 1."""
    counts = torch.bincount(pixels.reshape(-1), minlength=256).double()
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts * levels).sum() / counts.sum()
    deviation = ((counts * (levels - mean) ** 2).sum() / counts.sum()).sqrt().item()
    return mean.item(), deviation if deviation > 1e-3 else 1.0


def read_folder(config: ImageFolderConfig, task: TaskConfig, training: TaskConfig) -> Pictures:
    """Read a folder of pictures and share its classes out for tasks of these shapes.

    Raises:
        DataError: There are too few classes or pictures, or the folder cannot be read; with the remedy.
    """
    decoded = _read(config)
    shapes = Shapes(task, training)
    try:
        plan = plan_splits(decoded.layout.classes, decoded.counts, config, shapes)
    except DataError as error:
        raise DataError(_remedy(str(error), decoded, config, shapes)) from error
    some = np.flatnonzero(decoded.counts)
    height, width = decoded.pixels.shape[2:]
    tone = "grey" if decoded.pixels.shape[1] == 1 else "colour"
    facts = [f"{len(some):,} classes", f"{len(decoded.files):,} pictures", f"{height}×{width} {tone}",
             *decoded.layout.notes, *plan.notes]
    return Pictures(decoded.pixels, decoded.counts[some],
                    tuple(shown(decoded.layout.classes[i].name) for i in some), tuple(plan.split[i] for i in some),
                    tuple(shown(file) for file in decoded.files), decoded.layout.form,
                    " · ".join(facts), (*decoded.problems, *plan.problems))


class Shapes(NamedTuple):
    """Shape of the tasks that are tested on and of those that are trained on."""

    task: TaskConfig
    training: TaskConfig

    def of(self, split: str) -> TaskConfig:
        """The shape of a split's tasks."""
        return self.training if split == "train" else self.task

    def largest(self) -> TaskConfig:
        """The shape that takes more pictures of a class."""
        return max(self, key=_pictures)


def _pictures(shape: TaskConfig) -> int:
    """Pictures of a class that a task takes."""
    return shape.shots + shape.queries


@dataclass(frozen=True)
class Plan:
    """The split of each class, notes, and which classes have too few pictures to take part."""

    split: list[str]
    notes: list[str]
    problems: list[str]


def plan_splits(classes: Sequence[ClassFolder], counts: NDArray[np.int64], config: ImageFolderConfig,
                shapes: Shapes) -> Plan:
    """Share all classes out and see whether those with enough pictures suffice.

    The split is `share_out`'s and follows from the names of the classes, the config and the ways of the tasks. Shots,
    queries and `counts`, the readable pictures of each class, decide only which classes take part.

    Raises:
        DataError: There are too few classes, or a split has too few with enough pictures.
    """
    if config.held_out == "examples":  # every class is in every split
        return Plan(["train"] * len(classes), [], [])
    turns = 4 if config.rotations else 1
    split, notes = share_out(classes, math.ceil(shapes.task.ways / turns),
                             Shares(config.validation_share, config.test_share, config.split_seed))
    usable = Counter(side for side, count in zip(split, counts, strict=True) if count >= _pictures(shapes.of(side)))
    given = {one.split for one in classes}
    for side in SPLIT_NAMES:
        needed = math.ceil(shapes.of(side).ways / turns)
        if usable[side] < needed:
            place = f"{side} folder" if side in given else f"{side} split"
            raise DataError(f"the {place} holds {usable[side]} usable classes and its tasks need {needed}")
    small = [_too_small(one, int(count), side, shapes) for one, count, side in zip(classes, counts, split, strict=True)
             if count < _pictures(shapes.of(side))]
    return Plan(split, notes, named(small, "{} more classes have too few pictures and take no part"))


def _too_small(one: ClassFolder, count: int, side: str, shapes: Shapes) -> str:
    shape = shapes.of(side)
    table = "training" if _pictures(shape) > _pictures(shapes.task) else "task"
    return (f"the class {shown(one.name)} has {count} readable pictures and {shape.shots} + {shape.queries} shots and "
            f"queries take {_pictures(shape)}; it takes no part in {side}: add pictures or lower {table}.shots or "
            f"{table}.queries")


def _remedy(finding: str, decoded: _Decoded, config: ImageFolderConfig, shapes: Shapes) -> str:
    """Why the classes do not suffice, in a sentence that proposes what would."""
    largest = shapes.largest()
    needed, total = _pictures(largest), len(decoded.layout.classes)
    large = int((decoded.counts >= needed).sum())
    holds = "one class" if total == 1 else f"{total} classes"
    if large < total:
        holds += (f", {large} of them with the {needed} pictures that {largest.shots} + {largest.queries} shots and "
                  "queries take")
    message = f"{config.path} holds {holds}, which will not do for {shapes.task.ways}-way tasks: {finding}"
    smaller = ((config, changed, words) for changed, words in _smaller(shapes, largest, large < total))
    fewer = ((changed, shapes, words) for changed, words in _smaller_shares(config))
    for changed_config, changed_shapes, words in chain(fewer, smaller):
        try:
            plan_splits(decoded.layout.classes, decoded.counts, changed_config, changed_shapes)
        except DataError:
            continue
        return f"{message}. Set {words}, or add {'pictures' if large < total else 'classes'}"
    if large < total:
        return f"{message}. Add pictures, or lower shots, queries and ways together"
    return f"{message}. Even 2-way tasks need more: add folders of pictures, one for each class"


def _smaller_shares(config: ImageFolderConfig) -> Iterator[tuple[ImageFolderConfig, str]]:
    """Smaller parts of the classes to hold out; never larger ones, which would test a run on what it was trained on."""
    for most in (0.2, 0.1):
        values = {name: min(most, getattr(config, name)) for name in ("validation_share", "test_share")}
        words = [f"dataset.{name} to {value}" for name, value in values.items() if value != getattr(config, name)]
        if words:
            yield config.model_copy(update=values), " and ".join(words)


def _smaller(shapes: Shapes, largest: TaskConfig, lacks_pictures: bool) -> Iterator[tuple[Shapes, str]]:
    """Ever smaller tasks, and what to set for them: first fewer pictures, where these are what is lacking."""
    task, training = shapes
    if lacks_pictures:
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


@dataclass(frozen=True)
class _Decoded:
    """A folder's pictures by class: pixels, the class and the file of each, and how many each class has."""

    layout: Layout
    pixels: Tensor
    owners: NDArray[np.int64]
    files: list[str]
    counts: NDArray[np.int64]
    problems: list[str]


def _read(config: ImageFolderConfig) -> _Decoded:
    assert config.path is not None  # noqa: S101 - the callers have checked
    root = config.path.expanduser()
    layout = recognize(scan(root))
    files = [file for one in layout.classes for file in one.files]
    if not files:
        raise DataError(f"{root} holds no folder with pictures; put a folder of pictures for each class into it" +
                        (f". {layout.problems[0]}" if layout.problems else ""))
    paths = [root / file.name for file in files]

    def decode() -> tuple[Tensor, Any]:
        side = config.size or usual_side(paths)
        read = read_pictures(paths, side, side, config.color)
        return read.pixels, {"kept": read.kept.tolist(), "broken": [[i, why] for i, why in read.broken.items()]}

    pixels, about = cached("folder", [files, config.size, config.color], decode)
    kept = np.array(about["kept"], dtype=np.int64)
    owners = np.repeat(np.arange(len(layout.classes)), [len(one.files) for one in layout.classes])[kept]
    broken = [f"{shown(files[i].name)} {why}" for i, why in about["broken"]]
    return _Decoded(layout, pixels, owners, [files[i].name for i in kept],
                    np.bincount(owners, minlength=len(layout.classes)).astype(np.int64),
                    [*layout.problems, *named(broken, "{} more pictures cannot be read and were left out")])


def check_folder(path: Path, task: TaskConfig | None = None) -> dict[str, Any]:
    """Report on a folder: what it was recognized as, what it holds and what is wrong with it.

    Args:
        path: The folder.
        task: Shape of the tasks that it is judged for; 5-way 1-shot with 5 queries where none is given.

    Returns:
        form: "pictures by class", "pictures by class, split in folders", "alphabets of characters", "omniglot",
            "new task" or "unknown".
        path, classes, examples: The folder, and how many classes and examples it holds.
        splits: {"train": {"classes": ..., "examples": ...}, ...}; of a new task "support" and "query".
        size, color: Side in pixels or None, "grey" or "rgb" or None.
        problems: Sentences that name the file or class and the remedy.
        usable: Whether it will do as it is.

    Raises:
        DataError: The path is not there or is no folder. Bad data is reported, never raised.
    """
    path, task = path.expanduser(), task or TaskConfig()
    check_is_folder(path)
    report: dict[str, Any] = {"form": "unknown", "path": str(path), "classes": 0, "examples": 0, "splits": {},
                              "size": None, "color": None, "problems": [], "usable": False}
    return report | _reported(lambda: _report(path, task))


def _report(path: Path, task: TaskConfig) -> dict[str, Any]:
    halves = find_halves(path)
    if len(halves) == 2:
        return {"form": "omniglot"} | _reported(lambda: _of_pictures(read_omniglot(path, "lake")))
    if looks_like_new_task(path):
        return {"form": "new task"} | _reported(lambda: _of_new_task(path))
    config = ImageFolderConfig(path=path)
    result = _reported(lambda: _of_pictures(read_folder(config, task, task)))
    if result["usable"]:
        return result
    if halves:
        # One half of Omniglot and no folder of classes: what is missing is said by name.
        return {"form": "omniglot"} | _reported(lambda: _of_pictures(read_omniglot(path, "lake")))
    if recognize(scan(path)).loose and (other := _reported(lambda: _of_new_task(path)))["usable"]:
        return {"form": "new task"} | other
    return _reported(lambda: _of_unusable(config, result["problems"]))


def _reported(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return look()
    except DataError as error:
        return {"problems": [str(error)], "usable": False}


def _of_pictures(pictures: Pictures) -> dict[str, Any]:
    split = np.array(pictures.split)
    channels, side = pictures.pixels.shape[1:3]
    splits = {name: {"classes": int((split == name).sum()), "examples": int(pictures.counts[split == name].sum())}
              for name in SPLIT_NAMES}
    return {"form": pictures.form, "classes": len(pictures.counts), "examples": int(pictures.counts.sum()),
            "splits": splits, "size": side, "color": "grey" if channels == 1 else "rgb",
            "problems": list(pictures.problems), "usable": True}


def _of_new_task(path: Path) -> dict[str, Any]:
    task = read_new_task(path, usual_spec(path))
    classes, pictured = len(task.class_names), task.query_inputs.ndim == 4
    shape = task.query_inputs.shape
    return {"classes": classes, "examples": len(task.support.inputs) + len(task.query_inputs),
            "splits": {"support": {"classes": classes, "examples": len(task.support.inputs)},
                       "query": {"classes": 0, "examples": len(task.query_inputs)}},
            "size": shape[-1] if pictured else None,
            "color": None if not pictured else "grey" if shape[1] == 1 else "rgb",
            "problems": list(task.problems), "usable": True}


def _of_unusable(config: ImageFolderConfig, found: list[str]) -> dict[str, Any]:
    """What a folder that will not do holds all the same."""
    decoded = _read(config)
    side = decoded.pixels.shape[2]
    is_empty = not len(decoded.pixels)
    return {"form": decoded.layout.form if len(decoded.layout.classes) > 1 else "unknown" if is_empty else BY_CLASS,
            "classes": int((decoded.counts > 0).sum()), "examples": len(decoded.pixels), "size": side,
            "color": None if is_empty else "grey" if decoded.pixels.shape[1] == 1 else "rgb",
            "problems": [*found, *decoded.problems], "usable": False}
