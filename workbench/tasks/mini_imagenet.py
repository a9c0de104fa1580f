"""mini-ImageNet: 100 classes of ImageNet, with the split of Ravi and Larochelle."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import field
from workbench.tasks.base import Recognition
from workbench.tasks.benchmarks.base import Benchmark, BenchmarkConfig
from workbench.tasks.files.errors import DataError, FileError
from workbench.tasks.files.listing import FileEntry, Files, Listing, walk
from workbench.tasks.files.numbers import read_cells
from workbench.tasks.files.pictures import is_picture, read_pictures
from workbench.tasks.files.words import named, shown
from workbench.tasks.sampling.classes import Labelled
from workbench.words import listed, the

SPLITS = {"train": "train.csv", "validation": "val.csv", "test": "test.csv"}
_OFFICIAL = {"train": 64, "validation": 16, "test": 20}
_A_CLASS, _SIDE = 600, 84
# Where the lists lie below the folder that is named; the pictures lie in images beside them, or a folder higher.
_BELOW = ("", "mini-imagenet", "mini_imagenet", "miniimagenet", "miniImagenet", "miniImageNet")
_LISTS = ("", "split", "splits")
_WORDNET = re.compile(r"n\d{8}")


class MiniImagenetConfig(BenchmarkConfig):
    """Where the lists and the pictures lie."""

    name: Literal["mini_imagenet"] = "mini_imagenet"
    path: Path | None = field(None, label="Folder", help="Folder of train.csv, val.csv and test.csv, and of the folder "
                              "images; empty for the place that downloads go to.")


class MiniImagenet(Benchmark):
    """100 classes of ImageNet with 600 photographs each, at 84×84: 64 classes train, 16 validate and 20 are tested on
    (Vinyals et al. 2016, split by Ravi and Larochelle 2017).

    The pictures may not be given away, so that the program cannot fetch them. It reads a folder with the lists
    `train.csv`, `val.csv` and `test.csv` of Ravi and Larochelle, whose lines are `filename,label`, and the folder
    `images` with the pictures, of any size, all in one place or in a folder for each class.
    """

    Config = MiniImagenetConfig
    title = "mini-ImageNet"
    source = "Vinyals 2016"

    @classmethod
    def remedy(cls) -> str:
        """What to put where."""
        return ("put train.csv, val.csv and test.csv (from the folder data/miniImagenet of "
                "github.com/twitter-research/meta-learning-lstm) into one folder, with the 60,000 pictures that they "
                "name in a folder images beside them (whoever has ImageNet makes them from it; it may not be given "
                "away), and name that folder in dataset.path")

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """The three lists with names of ImageNet's classes, and the pictures."""
        place = None if listing.is_file else find_lists([listing.root])
        if place is None or place.images is None:
            return None
        try:
            labels = {row.label for row in read_list(place.lists["test"])}
        except DataError:
            return None  # a list of another kind, which other datasets may read
        if not all(_WORDNET.fullmatch(label) for label in labels):
            return None
        why = "train.csv, val.csv, test.csv and images lie in it, and the labels are those of ImageNet's classes"
        return Recognition("mini-ImageNet", why, 0.97)

    def load(self, experiment: Experiment) -> Labelled:
        """Read the lists, and the pictures from the cache where nothing has changed."""
        assert isinstance(experiment.dataset, MiniImagenetConfig)  # noqa: S101 - narrows for the type checker
        roots = self.roots(experiment.dataset.path)
        place = find_lists(roots)
        if place is None or place.images is None:
            what = "train.csv, val.csv and test.csv are" if place is None else "the folder images beside its lists is"
            raise DataError(f"mini-ImageNet is not complete in {roots[0]}: {what} missing; {self.remedy()}")
        return read_mini_imagenet(place.images, place.lists)


class Row(NamedTuple):
    """A line of a list."""

    filename: str
    label: str


class Place(NamedTuple):
    """The list of each split, and the folder of the pictures; None where it is missing."""

    lists: dict[str, Path]
    images: Path | None


def find_lists(roots: list[Path]) -> Place | None:
    """The lists that lie in one of these folders or where they usually lie below it, and the folder of the pictures.

    Raises:
        DataError: A folder cannot be opened.
    """
    for folder in (root / below for root in roots for below in _BELOW):
        try:
            for lists in (folder / name for name in _LISTS):
                if all((lists / name).is_file() for name in SPLITS.values()):
                    images = next((place for place in (lists / "images", folder / "images") if place.is_dir()), None)
                    return Place({split: lists / name for split, name in SPLITS.items()}, images)
        except OSError as error:
            raise DataError(f"{folder} cannot be opened ({error.strerror}); give yourself the right to read it"
                            ) from error
    return None


def read_list(path: Path) -> list[Row]:
    """The lines of a list.

    Raises:
        DataError: It cannot be read, or has no columns filename and label.
    """
    try:
        (_, columns), *lines = read_cells(path)
    except FileError as error:
        raise DataError(f"{path} {error}, or take the list of Ravi and Larochelle") from error
    if not {"filename", "label"} <= set(columns):
        raise DataError(f"{path} begins with the columns {listed(columns, 5)} and takes filename,label; take the list "
                        "of Ravi and Larochelle")
    rows = []
    for number, cells in lines:
        line = dict(zip(columns, cells, strict=False))
        rows.append(Row(line.get("filename", ""), line.get("label", "")))
        if not all(rows[-1]):
            raise DataError(f"{path}, line {number}: a filename or a label is missing; take the list of Ravi and "
                            "Larochelle, or delete the line")
    if not rows:
        raise DataError(f"{path} names no pictures; take the list of Ravi and Larochelle")
    return rows


def read_mini_imagenet(images: Path, lists: dict[str, Path]) -> Labelled:
    """Read the pictures that the lists name.

    Raises:
        DataError: A list will not do, a class is in two lists, or none of the pictures is there; with the remedy.
    """
    named_in = {split: read_list(path) for split, path in lists.items()}
    split_of: dict[str, str] = {}
    for split, rows in named_in.items():
        for label in {row.label for row in rows}:
            if split_of.setdefault(label, split) != split:
                raise DataError(f"{the('class', label)} is in {lists[split_of[label]].name} and in "
                                f"{lists[split].name}, and a learner is to be tested on classes it never saw; take the "
                                "lists of Ravi and "
                                "Larochelle")
    rows = [row for split in lists for row in sorted(named_in[split], key=lambda row: row.label)]
    there = _pictures(images)
    present = [row for row in rows if row.filename in there]
    absent = [row.filename for row in rows if row.filename not in there]
    if not present:
        raise DataError(f"{images} holds none of the {len(rows):,} pictures that {', '.join(SPLITS.values())} name, "
                        f"such as {rows[0].filename}; put them there")
    files = Files(images, [there[row.filename] for row in present])
    read = read_pictures(files, _SIDE, _SIDE, "rgb", files.stamp)
    kept = [present[i] for i in read.kept]
    counts = Counter(row.label for row in kept)  # in the order of the lists, hence sorted by split and class
    problems = named([f"{shown(present[i].filename)} {why}" for i, why in read.broken.items()],
                     "{} more pictures cannot be read and were left out")
    if absent:
        problems.insert(0, f"{len(absent):,} of {len(rows):,} pictures that the lists name are not in {images}: "
                        f"{listed([shown(name) for name in absent], 3)}; put them there")
    sizes = Counter(split_of[label] for label in counts)
    if sizes != _OFFICIAL or set(counts.values()) != {_A_CLASS}:
        sizes_in_words = ", ".join(f"{sizes[split]} in {lists[split].name}" for split in lists)
        problems.append(f"{len(kept):,} pictures of {len(counts)} classes ({sizes_in_words}) can be read and "
                        "mini-ImageNet has 60,000 of 100 (64, 16 and 20); results will not compare with published ones")
    return Labelled(read.pixels, np.array(list(counts.values()), dtype=np.int64), tuple(map(shown, counts)),
                    tuple(split_of[label] for label in counts), tuple(shown(row.filename) for row in kept),
                    "mini-ImageNet", f"{len(counts)} classes · {len(kept):,} pictures · {_SIDE}×{_SIDE} colour",
                    tuple(problems))


def _pictures(images: Path) -> dict[str, FileEntry]:
    """Every picture in the folder and in those below it, by its name; of several the first in order of their paths."""
    found: dict[str, FileEntry] = {}
    for file in sorted(walk(images)[0], key=lambda file: (file.folder, file.name)):
        if is_picture(file.name):
            found.setdefault(file.name.rpartition("/")[2], file)
    return found
