"""Recognizes what form a folder of pictures has, and shares its classes out among training, validation and test."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from itertools import accumulate, chain
from pathlib import Path
from typing import Literal

from workbench.tasks.base import SPLIT_NAMES
from workbench.tasks.files.dataset_toml import NAME as DATASET_TOML
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, check_is_folder, walk
from workbench.tasks.files.pictures import is_picture
from workbench.tasks.files.words import named, shown, split_called
from workbench.tasks.own.ready_made import placed_at, whole_tasks
from workbench.words import counted, listed, plural, the

_Files = tuple[FileEntry, ...]
Level = Literal["auto", "top", "deepest", "name"]
GroupLevel = Literal["auto", "top", "second", "deepest"]
BY_CLASS, BY_SPLIT = "pictures by class", "pictures by class, split in folders"
BY_GROUP = "pictures by class, in groups such as alphabets"


@dataclass(frozen=True)
class Found:
    """What lies below a folder.

    Attributes:
        pictures: Pictures, or the files of another kind that were asked for, of each folder that holds some directly,
            by its path below ("" for the folder itself).
        problems: What is no picture or cannot be opened.
    """

    pictures: dict[str, list[FileEntry]]
    problems: tuple[str, ...]


def scan(root: Path) -> Found:
    """Every picture below a folder, in order of names; what systems leave behind is passed over.

    Raises:
        DataError: The folder itself is not there, is none, or cannot be opened.
    """
    check_is_folder(root)
    return found_among(*walk(root), is_picture, "picture")


def found_among(files: Iterable[FileEntry], problems: Sequence[str], is_wanted: Callable[[str], bool], noun: str
                ) -> Found:
    """Those of some files whose names say that they are wanted, by folder.

    Args:
        files: What lies there.
        problems: What cannot be opened.
        is_wanted: Tells by its name whether a file is one.
        noun: What one is called.
    """
    wanted: dict[str, list[FileEntry]] = {}
    others: list[str] = []
    for file in files:
        if is_wanted(file.name):
            wanted.setdefault(file.folder, []).append(file)
        elif file.name != DATASET_TOML:
            others.append(file.name)
    left_out: list[str] = []
    if others:
        count = counted(len(others), "files", f"is no {noun} and was", f"are no {plural(noun)} and were")
        left_out.append(f"{count} left out: {listed(sorted(map(shown, others)), 5)}")
    return Found(dict(sorted(wanted.items())), (*problems, *left_out))


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
    files: tuple[FileEntry, ...]


@dataclass(frozen=True)
class Layout:
    """A recognized folder.

    Attributes:
        form: Which of the forms it has.
        classes: Its classes by name.
        loose: Pictures that belong to no class.
        problems: What is left out, and why.
        notes: What was decided, for the line of facts.
        groups: What the files of each folder belong to, by its path, where a level of folders was named that says so.
    """

    form: str
    classes: tuple[ClassFolder, ...]
    loose: tuple[FileEntry, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: Mapping[str, str] = dataclass_field(default_factory=dict)


def recognize(found: Found, noun: str = "pictures", level: Level = "auto", group: GroupLevel = "auto") -> Layout:
    """What form a folder has: classes, splits of classes, or alphabets of characters.

    A class is a folder that holds pictures directly; where some of these lie deeper than others, their top folders
    are the classes, so that a class which somebody sorted further is not taken apart. Folders that everything lies in
    are passed over. Where every top folder is called train, validation or test (or as others call these), they are
    the splits.

    Args:
        found: The files.
        noun: What they are called.
        level: "top" where the top folders are the classes whatever lies below them, "deepest" where each folder that
            holds files is one, "name" where those of one name are one wherever they lie.
        group: The folders that say what stays on one side of the split, below those of splits; "auto" for alphabets.
    """
    folders = {tuple(name.split("/")): tuple(files) for name, files in found.pictures.items() if name}
    folders, problems = _without_tasks(folders)
    while folders and len({parts[0] for parts in folders}) == 1 and all(len(parts) > 1 for parts in folders):
        folders = {parts[1:]: files for parts, files in folders.items()}
    loose = tuple(found.pictures.get("", ()))
    problems = [*found.problems, *problems]
    splits = {parts: split_called(parts[0]) for parts in folders}
    is_split = all(splits.values()) and any(len(parts) > 1 for parts in folders)
    if is_split:
        for parts in [parts for parts in folders if len(parts) == 1]:
            loose += folders.pop(parts)
        folders = dict(folders)
    if loose:
        lie = counted(len(loose), noun, "lies in no class folder and was", "lie in no class folder and were")
        move = "it into the folder of its class" if len(loose) == 1 else "them into the folder of their class"
        problems.append(f"{lie} left out: {listed([shown(file.name) for file in loose], 5)}; move {move}")
    classes = [_class(parts, files, splits[parts] if is_split else "") for parts, files in folders.items()]
    groups = {} if group == "auto" else {files[0].folder: _group(parts[1:] if is_split else parts, group)
                                         for parts, files in folders.items()}
    if level == "name":
        classes = _merged(classes, lambda one: one.name.rpartition("/")[2])
    notes: list[str] = []
    if is_split:
        classes, notes, more = without_overlap(classes, noun)
        problems += more
    is_mixed = len({"/" in one.name for one in classes}) > 1
    if level == "top" or (level == "auto" and is_mixed):
        classes, deep = _by_top(classes)
        if deep and level == "auto":
            problems.append(f"{listed(deep, 5)} {'holds' if len(deep) == 1 else 'hold'} folders of {noun}; all below "
                            f"{'it was taken as one class' if len(deep) == 1 else 'each was taken as one class'}")
    nested = bool(classes) and all("/" in one.name for one in classes)
    form = BY_SPLIT if any(one.split for one in classes) else BY_GROUP if nested else BY_CLASS
    if not nested:
        classes = [replace(one, group=one.name) for one in classes]
    return Layout(form, tuple(sorted(classes, key=lambda one: (one.name, one.split))), loose, tuple(problems),
                  tuple(notes), groups)


def _without_tasks(folders: Mapping[tuple[str, ...], _Files]) -> tuple[dict[tuple[str, ...], _Files], list[str]]:
    """The folders that are no part of a task which somebody laid ready beside classes, and a sentence on each such
    task; all of them where nothing else lies there."""
    places = {parts: place for parts, files in folders.items() if (place := placed_at(files[0]))}
    tasks = whole_tasks(places.values())
    kept = {parts: files for parts, files in folders.items() if parts not in places or places[parts].key not in tasks}
    if not kept:
        return dict(folders), []
    sentences = [f"{shown(name)} looks like a new task, with a support and a query in it, which were left out as no "
                 "classes; adapt a trained learner to it, or rename them if they are classes"
                 for _, name in sorted(tasks)]
    return kept, named(sentences, "{} more folders look like new tasks, and their parts were left out")


def _group(parts: tuple[str, ...], level: GroupLevel) -> str:
    """The name of the folder at a level; empty where there is none so deep."""
    place = {"top": 0, "second": 1}.get(level, len(parts) - 1)
    return unicodedata.normalize("NFC", parts[place]) if place < len(parts) else ""


def _by_top(classes: Sequence[ClassFolder]) -> tuple[list[ClassFolder], list[str]]:
    """The classes by their top folders, and the names of those that hold folders."""
    deep = {shown(one.name.split("/")[0]) for one in classes if "/" in one.name}
    return _merged(classes, lambda one: one.name.split("/")[0]), sorted(deep)


def _merged(classes: Iterable[ClassFolder], called: Callable[[ClassFolder], str]) -> list[ClassFolder]:
    """A class of all those of a split that are called alike."""
    same: dict[tuple[str, str], list[ClassFolder]] = {}
    for one in classes:
        same.setdefault((one.split, called(one)), []).append(one)
    return [ClassFolder(name, split, name, tuple(chain.from_iterable(one.files for one in some)))
            for (split, name), some in same.items()]


def _class(parts: tuple[str, ...], files: tuple[FileEntry, ...], split: str) -> ClassFolder:
    own = parts[1:] if split else parts
    name = unicodedata.normalize("NFC", "/".join(own))
    return ClassFolder(name, split, name.split("/")[0], files)


def with_a_split_each(classes: list[ClassFolder], noun: str = "pictures") -> tuple[list[ClassFolder], list[str]]:
    """Classes that all have a split where some have one, and a sentence on the examples that came without.

    Examples without a split go with those of their class that have one, so that no class is cut in two, and else into
    train. Where no split is given at all, each class is whole and without one.

    Args:
        classes: A class for each of its splits, the empty one among them.
        noun: What the examples are called.
    """
    given: dict[str, str] = {}
    for one in sorted((one for one in classes if one.split), key=lambda one: SPLIT_NAMES.index(one.split)):
        given.setdefault(one.name, one.split)
    loose = [one for one in classes if not one.split]
    if not given or not loose:
        return classes, []
    whole: dict[tuple[str, str], ClassFolder] = {}
    for one in classes:
        split = one.split or given.get(one.name, "train")
        before = whole.get((one.name, split))
        whole[one.name, split] = replace(one, split=split, files=(*(before.files if before else ()), *one.files))
    counts = [sum(len(one.files) for one in some) for some in (loose, classes)]
    return list(whole.values()), [
        f"no split is given for {counts[0]:,} of {counted(counts[1], noun)}, of "
        f"{'the class' if len(loose) == 1 else 'the classes'} {listed([shown(one.name) for one in loose], 5)}; "
        f"{'it counts for the split of its' if counts[0] == 1 else 'they count for the split of their'} class, or for "
        "train where it has none"]


def without_overlap(classes: list[ClassFolder], noun: str = "pictures"
                    ) -> tuple[list[ClassFolder], list[str], list[str]]:
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
        pooled = [replace(same[0], split="", files=tuple(chain.from_iterable(one.files for one in same)))
                  for same in by_name.values()]
        note = "the classes were split anew"
        return (pooled, [note], [in_several_splits(twice, len(by_name), noun)]) if are_same else (
            pooled, [f"there is no train folder, so {note}"], [])
    problems = [f"{the('class', shown(name))} is in {' and in '.join(one.split for one in by_name[name])}; only its "
                f"{noun} in {by_name[name][0].split} were taken" for name in twice]
    return [same[0] for same in by_name.values()], [], problems


def in_several_splits(names: Sequence[str], many: int, noun: str, by: str = "") -> str:
    """A sentence on classes that the data give to more than one split, so that all were split anew.

    Args:
        names: Of these classes.
        many: All classes.
        noun: What the examples are called.
        by: What says so, such as " by the column split"; empty for folders and files.
    """
    return (f"{len(names):,} of {counted(many, 'classes')} {'is' if len(names) == 1 else 'are'} in more than one "
            f"split{by}: {listed([shown(name) for name in names], 3)}. The {noun} of each were put together and all "
            "were split anew: by class, as a meta-learner is tested on classes that it never saw, or by example where "
            "dataset.held_out is examples, as an ordinary classifier is tested")


@dataclass(frozen=True)
class Shares:
    """How classes are shared out where the folder does not say: parts of all classes, and the seed of their order."""

    validation: float
    test: float
    seed: int


def share_out(classes: Sequence[ClassFolder], fewest: int, shares: Shares) -> tuple[list[str], list[str]]:
    """The split of each class, and notes.

    Splits that the folder gives are kept; those it lacks are taken out of train. All classes stand in one order,
    alphabets together: that of a hash of the seed and their names. Test takes the first of them, validation the next
    and train the rest. Both take their share, or `fewest` where that is more, and whole alphabets where there are
    three or more and train keeps `fewest` all the same.

    The order and the sizes follow from the names of the classes, the shares, the seed and `fewest` alone. Hence no
    class changes sides because tasks have other shots or queries, because the experiment has another seed, or because
    a class has gained or lost pictures; a class with too few pictures keeps its place. As `fewest` grows, the held-out
    classes grow in this order, unless it grows so far that whole alphabets can no longer be held out.

    Args:
        classes: All classes, however many pictures they have.
        fewest: Classes that a split must have for one task, each counted once however it is turned.
        shares: The parts of the classes, and the seed.

    Raises:
        DataError: There are too few classes, with their number and how many are needed.
    """
    given = {one.split for one in classes} - {""}
    result = [one.split or "train" for one in classes]
    absent = [split for split in ("test", "validation") if split not in given]
    if not absent:
        return result, []
    free = sorted((i for i, one in enumerate(classes) if one.split in ("", "train")),
                  key=lambda i: _place(classes[i], shares.seed))
    held = " and ".join(reversed(absent))
    lowest = fewest * (len(absent) + 1)
    if len(free) < lowest:
        raise DataError(f"there {'is' if len(free) == 1 else 'are'} {counted(len(free), 'classes')} and {lowest} are "
                        f"needed, because {held} {'take' if len(absent) > 1 else 'takes'} other classes than train")
    wanted = [round(len(free) * (shares.test if split == "test" else shares.validation)) for split in absent]
    targets = [max(count, fewest) for count in wanted]
    if len(free) - sum(targets) < fewest:
        raise DataError(f"the {'shares' if len(absent) > 1 else 'share'} of {held} "
                        f"{'leave' if len(absent) > 1 else 'leaves'} {max(0, len(free) - sum(targets))} of "
                        f"{counted(len(free), 'classes')} for train and its tasks need {fewest}")
    changed = [split for split, want, target in zip(absent, wanted, targets, strict=True) if want != target]
    notes = [f"{' and '.join(reversed(changed))} sized so that the tasks fit"] if changed else []
    groups = [classes[i].group for i in free]
    ends, exact = _ends(groups, targets), list(accumulate(targets))
    if ends != exact and (len(set(groups)) < 3 or len(free) - ends[-1] < fewest):
        ends = exact
        notes.append("too few groups to hold out whole ones")
    for split, start, end in zip(absent, [0, *ends], ends, strict=False):
        for i in free[start:end]:
            result[i] = split
    if given:
        notes.append(f"{held} taken out of train")
    return result, notes


def _place(one: ClassFolder, seed: int) -> tuple[bytes, bytes]:
    """What classes are ordered by: a hash of the alphabet, then one of the class itself."""
    group, own = (hashlib.blake2b(f"{seed}/{name}".encode(errors="surrogatepass"), digest_size=16).digest()
                  for name in (one.group, one.name))
    return group, own


def _ends(groups: Sequence[str], targets: Sequence[int]) -> list[int]:
    """Where each split ends that takes at least so many classes, and its last alphabet to the end."""
    ends: list[int] = []
    for target in targets:
        end = min((ends[-1] if ends else 0) + target, len(groups))
        while end < len(groups) and groups[end] == groups[end - 1]:
            end += 1
        ends.append(end)
    return ends
