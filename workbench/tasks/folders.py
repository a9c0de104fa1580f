"""Recognizes what form a folder of pictures has, and shares its classes out among training, validation and test."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.experiment.experiment import TaskConfig
from workbench.tasks.base import DataError
from workbench.tasks.classes import SPLIT_NAMES
from workbench.tasks.draws import Draws
from workbench.tasks.pictures import is_clutter, is_picture, shown

BY_CLASS, BY_SPLIT, ALPHABETS = "pictures by class", "pictures by class, split in folders", "alphabets of characters"

_SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training", "metatrain", "background", "imagesbackground"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "metaval", "metavalidation"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "metatest", "imagesevaluation"), "test"),
}
_NAMED = 20


class PictureFile(NamedTuple):
    """A picture: its path below the folder, and what tells whether it has changed."""

    name: str
    size: int
    changed: int
    mode: int


@dataclass(frozen=True)
class Found:
    """What lies below a folder.

    Attributes:
        pictures: Pictures of each folder that holds some directly, by its path below ("" for the folder itself).
        problems: What is no picture or cannot be opened.
    """

    pictures: dict[str, list[PictureFile]]
    problems: tuple[str, ...]


def scan(root: Path) -> Found:
    """Every picture below a folder, in order of names; what systems leave behind is passed over.

    Raises:
        DataError: The folder itself is not there, is none, or cannot be opened.
    """
    check_is_folder(root)
    pictures: dict[str, list[PictureFile]] = {}
    others: list[str] = []
    problems: list[str] = []
    waiting: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while waiting:
        below, above = waiting.pop()
        try:
            stat = (root / below).stat()
            own = (stat.st_dev, stat.st_ino)
            if own in above:
                problems.append(f"{shown(below)} is a link to a folder that it lies in; it was left out")
                continue
            entries = sorted((e for e in os.scandir(root / below) if not is_clutter(e.name)), key=lambda e: e.name)
        except OSError as error:
            if not below:
                raise DataError(f"{root} cannot be opened ({error.strerror}); give yourself the right to read it"
                                ) from error
            problems.append(f"{shown(below)} cannot be opened ({error.strerror}); give yourself the right to read it")
            continue
        for entry in entries:
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir():
                waiting.append((name, above | {own}))
            elif not entry.is_file():
                problems.append(f"{shown(name)} is a link to nothing or no file at all; delete or mend it")
            elif is_picture(entry.name):
                stat = entry.stat()
                pictures.setdefault(below, []).append(PictureFile(name, stat.st_size, stat.st_mtime_ns, stat.st_mode))
            else:
                others.append(name)
    if others:
        count = "1 file is no picture" if len(others) == 1 else f"{len(others):,} files are no pictures"
        problems.append(f"{count} and left out: {listed(sorted(map(shown, others)), 5)}")
    return Found(dict(sorted(pictures.items())), tuple(problems))


def check_is_folder(path: Path) -> None:
    """Raise DataError where the path is not there or is no folder."""
    try:
        is_there, is_folder = path.exists(), path.is_dir()
    except OSError as error:
        raise DataError(f"{path} cannot be reached ({error.strerror}); give yourself the right to read it") from error
    if not is_there:
        raise DataError(f"there is no folder {path}; check the spelling")
    if not is_folder:
        raise DataError(f"{path} is a file; name the folder that holds the pictures" +
                        (", and unpack the zip first" if path.suffix.lower() == ".zip" else ""))


def listed(names: Sequence[str], most: int) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def named(sentences: Sequence[str], rest: str) -> list[str]:
    """The first twenty sentences and one for the rest, whose {} takes their number."""
    more = len(sentences) - _NAMED
    return [*sentences[:_NAMED], *([rest.format(f"{more:,}")] if more > 0 else [])]


@dataclass(frozen=True)
class ClassFolder:
    """A class.

    Attributes:
        name: Its path below the folder, without what all classes share and without the split.
        split: The split that the folder gives it; empty where it says nothing.
        group: Its alphabet; its own name where there are no alphabets.
        files: Its pictures.
    """

    name: str
    split: str
    group: str
    files: tuple[PictureFile, ...]


@dataclass(frozen=True)
class Layout:
    """A recognized folder.

    Attributes:
        form: Which of the forms it has.
        classes: Its classes by name.
        loose: Pictures that belong to no class.
        problems: What is left out, and why.
        notes: What was decided, for the line of facts.
    """

    form: str
    classes: tuple[ClassFolder, ...]
    loose: tuple[PictureFile, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def recognize(found: Found) -> Layout:
    """What form a folder has: classes, splits of classes, or alphabets of characters.

    A class is a folder that holds pictures directly. Folders that everything lies in are passed over. Where every
    top folder is called train, validation or test (or as others call these), they are the splits.
    """
    folders = {tuple(name.split("/")): tuple(files) for name, files in found.pictures.items() if name}
    while folders and len({parts[0] for parts in folders}) == 1 and all(len(parts) > 1 for parts in folders):
        folders = {parts[1:]: files for parts, files in folders.items()}
    loose = tuple(found.pictures.get("", ()))
    problems = list(found.problems)
    splits = {parts: _SPLIT_FOLDERS.get(re.sub(r"[^a-z]", "", parts[0].lower()), "") for parts in folders}
    is_split = all(splits.values()) and any(len(parts) > 1 for parts in folders)
    if is_split:
        for parts in [parts for parts in folders if len(parts) == 1]:
            loose += folders.pop(parts)
        folders = dict(folders)
    if loose:
        problems.append(f"{len(loose):,} pictures lie in no class folder and were left out: "
                        f"{listed([shown(file.name) for file in loose], 5)}; move them into the folder of their class")
    classes = [_class(parts, files, splits[parts] if is_split else "") for parts, files in folders.items()]
    notes: list[str] = []
    if is_split:
        classes, notes, more = _without_overlap(classes)
        problems += more
    nested = bool(classes) and all("/" in one.name for one in classes)
    form = BY_SPLIT if any(one.split for one in classes) else ALPHABETS if nested else BY_CLASS
    if not nested:
        classes = [replace(one, group=one.name) for one in classes]
        above = [shown(one.name) for one in classes if any(o.name.startswith(f"{one.name}/") for o in classes)] \
            if any("/" in one.name for one in classes) else []
        problems += [f"{name} holds pictures and folders of pictures; each was taken as a class of its own"
                     for name in above]
    return Layout(form, tuple(sorted(classes, key=lambda one: (one.name, one.split))), loose, tuple(problems),
                  tuple(notes))


def _class(parts: tuple[str, ...], files: tuple[PictureFile, ...], split: str) -> ClassFolder:
    own = parts[1:] if split else parts
    return ClassFolder(unicodedata.normalize("NFC", "/".join(own)), split, own[0], files)


def _without_overlap(classes: list[ClassFolder]) -> tuple[list[ClassFolder], list[str], list[str]]:
    """Classes that lie in one split alone, notes and problems.

    Folders made for ordinary classifiers hold the same classes in train and in test. A learner that is to be tested
    on classes it never saw needs others: their pictures are put together and the classes split anew.
    """
    by_name: dict[str, list[ClassFolder]] = {}
    for one in sorted(classes, key=lambda one: SPLIT_NAMES.index(one.split)):
        by_name.setdefault(one.name, []).append(one)
    twice = [name for name, same in by_name.items() if len({one.split for one in same}) > 1]
    sizes = Counter(one.split for one in classes)
    are_same = bool(twice) and 2 * len(twice) >= min(sizes.values())
    if are_same or (sizes and not sizes["train"]):
        why = "the split folders hold the same classes" if are_same else "there is no train folder"
        pooled = [replace(same[0], split="", files=tuple(chain.from_iterable(one.files for one in same)))
                  for same in by_name.values()]
        return pooled, [f"{why}, so the classes were split anew"], []
    problems = [f"the class {shown(name)} is in {' and in '.join(one.split for one in by_name[name])}; only its "
                f"pictures in {by_name[name][0].split} were taken" for name in twice]
    return [same[0] for same in by_name.values()], [], problems


@dataclass(frozen=True)
class Need:
    """What the tasks of one split need.

    Attributes:
        classes: Fewest classes, each counted once however it is turned.
        examples: Fewest pictures of a class.
    """

    classes: int
    examples: int


def needs(task: TaskConfig, training: TaskConfig, turns: int) -> dict[str, Need]:
    """What each split needs; `turns` is the number of classes that one class stands for."""
    shapes = {"train": training, "validation": task, "test": task}
    return {split: Need(math.ceil(shape.ways / turns), shape.shots + shape.queries) for split, shape in shapes.items()}


@dataclass(frozen=True)
class Shares:
    """How classes are shared out where the folder does not say: parts of all classes, and the seed of the shuffle."""

    validation: float
    test: float
    seed: int


def share_out(classes: Sequence[ClassFolder], needed: Mapping[str, Need],
              shares: Shares) -> tuple[list[str], list[str]]:
    """The split of each class, and notes.

    Splits that the folder gives are kept; those it lacks are taken out of train. Whole alphabets are held out
    together where there are three or more and enough classes remain.

    Raises:
        DataError: There are too few classes, with their number and how many are needed.
    """
    given = {split: sum(one.split == split for one in classes) for split in SPLIT_NAMES}
    for split, count in given.items():
        if any(given.values()) and 0 < count < needed[split].classes:
            raise DataError(f"the {split} folder holds {count} usable classes and its tasks need "
                            f"{needed[split].classes}")
    free = [i for i, one in enumerate(classes) if one.split in ("", "train")]
    absent = [split for split in ("validation", "test") if not given[split]]
    result = [one.split or "train" for one in classes]
    if not absent:
        return result, []
    lowest = sum(needed[split].classes for split in (*absent, "train"))
    if len(free) < lowest:
        raise DataError(f"there are {len(free)} usable classes and {lowest} are needed, because {' and '.join(absent)} "
                        "take other classes than train")
    targets, notes = _targets(len(free), {split: needed[split].classes for split in absent},
                              needed["train"].classes, shares)
    groups = sorted({classes[i].group for i in free})
    units = [[i for i in free if classes[i].group == group] for group in groups]
    held = _hold_out(units, targets, needed["train"].classes, shares.seed) if len(units) >= 3 else None
    if held is None:
        held = _hold_out([[i] for i in free], targets, needed["train"].classes, shares.seed) or {}
        notes.append("too few alphabets to hold out whole ones")
    for i, split in held.items():
        result[i] = split
    if any(given.values()):
        notes.append(f"{' and '.join(absent)} taken out of train")
    return result, notes


def _targets(count: int, lowest: dict[str, int], train: int, shares: Shares) -> tuple[dict[str, int], list[str]]:
    """Classes of each split that is held out: its share, but never less than its tasks need."""
    wanted = {split: round(count * (shares.validation if split == "validation" else shares.test)) for split in lowest}
    targets = {split: max(wanted[split], lowest[split]) for split in lowest}
    while count - sum(targets.values()) < train:
        most = max(targets, key=lambda split: targets[split] - lowest[split])
        targets[most] -= 1
    changed = [split for split in targets if targets[split] != wanted[split]]
    if not changed:
        return targets, []
    return targets, [" and ".join(changed) + " sized so that the tasks fit"]


def _hold_out(units: Sequence[Sequence[int]], targets: dict[str, int], keep: int, seed: int) -> dict[int, str] | None:
    """Classes that are held out, whole units at a time in shuffled order; None where fewer than `keep` would remain."""
    order = iter(np.argsort(Draws(seed, "folders/split", [0]).uniform(len(units))[0]))
    held: dict[int, str] = {}
    for split, target in reversed(targets.items()):
        taken = 0
        while taken < target:
            unit = next(order, None)
            if unit is None:
                return None
            held |= dict.fromkeys(units[unit], split)
            taken += len(units[unit])
    return held if sum(map(len, units)) - len(held) >= keep else None
