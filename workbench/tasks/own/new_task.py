"""A new task to adapt a trained learner to: a few labelled examples and some that it is to predict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.registry import found
from workbench.tasks.base import Examples, NewGuess, NewTask, Spec, TaskSource
from workbench.tasks.files.delimited import TABLE_SUFFIXES
from workbench.tasks.files.errors import DataError, FileError
from workbench.tasks.files.listing import FileEntry, check_is_folder, walk
from workbench.tasks.files.numbers import fault, number, read_cells
from workbench.tasks.files.pictures import Color, PictureError, read_picture, usual_side
from workbench.tasks.files.words import shown
from workbench.tasks.own.folders import Found, scan
from workbench.tasks.own.ready_made import PARTS, Part, part_files, part_in
from workbench.words import counted, listed


def why_new_task(folder: Path) -> str:
    """What a folder holds that only a new task has, as files of support and query or unlabelled examples; empty where
    it holds nothing of the kind."""
    tops = {part_in(file.folder) for file in walk(folder)[0] if file.folder}
    beside = part_files(folder)
    if "query" in tops or "query" in beside:
        is_labelled = "support" in beside or bool(tops - {"query"})
        return "it holds labelled examples and others to predict" if is_labelled else \
            "it holds examples to predict, and no labelled ones"
    return "it holds labelled examples, and none to predict" if "support" in beside or tops == {"support"} else ""


def usual_spec(folder: Path) -> Spec:
    """What a learner for this very task would be made for, to check a folder without one.

    Raises:
        DataError: The folder holds no readable task.
    """
    guesses, refusals = _guesses(folder)
    if guesses:
        return max(guesses, key=lambda guess: guess.certainty).spec
    if refusals:
        raise refusals[0]
    if part_files(folder, TABLE_SUFFIXES):
        support, query = (_table(folder, part) for part in PARTS)
        features = query.values.shape[1]
        outputs = support.values.shape[1] - features
        if outputs < 1:
            raise DataError(f"{support.path} has {counted(support.values.shape[1], 'columns')} and {query.path.name} "
                            f"has {features}; {support.path.name} holds the columns of {query.path.name} and the "
                            "targets behind them")
        return Spec("regression", "vector", (features,), outputs)
    paths = [folder / file.name for files in scan(folder).pictures.values() for file in files]
    side = usual_side(paths)
    return Spec("classification", "image", (_channels(paths, side), side, side), 5, raw="pixels / 255")


def _datasets() -> list[type[TaskSource]]:
    return [cast("type[TaskSource]", kind) for kind in found("dataset").values()]


def _guesses(folder: Path) -> tuple[list[NewGuess], list[DataError]]:
    """What the datasets take a new task for, and why some that tried could not read it."""
    guesses: list[NewGuess] = []
    refusals: list[DataError] = []
    for kind in _datasets():
        try:
            guess = kind.guess_new(folder)
        except DataError as error:
            refusals.append(error)
            continue
        if guess is not None:
            guesses.append(guess)
    return guesses, refusals


def _channels(paths: Sequence[Path], side: int) -> int:
    for path in paths:
        try:
            channels = len(read_picture(path, side, side, "auto"))
        except PictureError:
            continue  # `read_new_task` names it
        if channels == 3:
            return 3
    return 1


def read_new_task(folder: Path, spec: Spec) -> NewTask:
    """Read a folder as a task for a learner of this spec.

    For pictures: class folders hold the labelled examples; what is to be predicted lies loose beside them or in a
    folder called unlabelled, query or predict; or there are ready-made folders `support` (of class folders) and
    `query`. For vectors: `support.csv` has a column for each input and then each target, `query.csv` the inputs
    alone, both with a header or without.

    Raises:
        DataError: It is no such task, with the file, the line and the remedy.
    """
    folder = folder.expanduser()
    check_is_folder(folder)
    form = spec.reading.get("form", "")
    for kind in _datasets():
        if form and kind.reading_form == form:
            return kind.read_new(folder, spec)
    if spec.input_kind == "image":
        return _read_pictures(folder, spec)
    if spec.kind == "regression":
        return _read_tables(folder, spec)
    raise DataError("a new task of vectors that belong to classes cannot be read from a folder; use pictures, or a "
                    "learner for regression")


def _read_pictures(folder: Path, spec: Spec) -> NewTask:
    lying = scan(folder)
    labelled, unlabelled = sorted_out(lying)
    if not labelled:
        raise DataError(without_support(folder, lying, "pictures"))
    if not unlabelled:
        raise DataError(without_query(folder, lying, "pictures"))
    reader = _Reader(folder, spec)
    support = {name: pixels for name, files in labelled.items() if len(pixels := reader.read(files)[0])}
    if len(support) < 2:
        problems = f". {listed(reader.problems, 3)}" if reader.problems else ""
        raise DataError(f"{folder} holds readable pictures of {counted(len(support), 'classes')} and a task "
                        f"needs two or more; add a folder of labelled pictures for each class{problems}")
    query, query_files = reader.read(unlabelled)
    if not len(query):
        raise DataError(f"none of the {counted(len(unlabelled), 'pictures')} to predict in {folder} can be read: "
                        f"{listed(reader.problems, 3)}")
    labels = np.repeat(np.arange(len(support)), [len(pixels) for pixels in support.values()])
    inputs = normalized(torch.from_numpy(np.concatenate(list(support.values()))).float() / 255, spec)
    return NewTask(tuple(map(shown, support)), Examples(inputs, torch.from_numpy(labels)),
                   normalized(torch.from_numpy(query).float() / 255, spec), tuple(shown(f.name) for f in query_files),
                   (*lying.problems, *reader.problems), reader.inverted)


def without_support(folder: Path, lying: Found, nouns: str) -> str:
    """What to put where, in a task of files none of which is labelled."""
    place = next((name for name in lying.pictures if part_in(name) == "query"), "")
    where = "the folder support/CLASS beside " + shown(place.split("/")[0]) if place else \
        "a folder with the name of the class"
    return f"{folder} holds no class folders; put a few labelled {nouns} of each class into {where}"


def without_query(folder: Path, lying: Found, nouns: str) -> str:
    """The same where all are labelled."""
    is_ready_made = any(part_in(name) == "support" for name in lying.pictures)
    where = "the folder query beside support" if is_ready_made else \
        "it beside the class folders, or into a folder called unlabelled"
    return f"{folder} holds no {nouns} to predict; put some into {where}"


def sorted_out(lying: Found) -> tuple[dict[str, list[FileEntry]], list[FileEntry]]:
    """Labelled files by class, and unlabelled files."""
    is_ready_made = all(part_in(name) for name in lying.pictures if name)
    labelled: dict[str, list[FileEntry]] = {}
    unlabelled: list[FileEntry] = []
    for name, files in lying.pictures.items():
        below = name.partition("/")[2]
        if not name or part_in(name) == "query":
            unlabelled += files
        elif not is_ready_made:
            labelled[name] = files
        elif below:
            labelled[below] = files
        else:
            unlabelled += files
    return dict(sorted(labelled.items())), unlabelled


class _Reader:
    """Reads pictures as a learner takes them and remembers what was wrong with them."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        self.folder, self.spec = folder, spec
        self.problems: list[str] = []
        self.inverted = False

    def read(self, files: Sequence[FileEntry]) -> tuple[NDArray[np.uint8], list[FileEntry]]:
        """Pixels [n, channels, height, width] of the pictures that can be read, and their files."""
        channels, height, width = self.spec.input_shape
        color: Color = "grey" if channels == 1 else "rgb"
        pixels, kept = [], []
        for file in files:
            try:
                picture = read_picture(self.folder / file.name, height, width, color)
            except PictureError as error:
                self.problems.append(f"{shown(file.name)} {error}")
                continue
            if self.spec.background == "dark" and _has_bright_border(picture):
                picture = 255 - picture
                self.inverted = True
            pixels.append(picture)
            kept.append(file)
        return np.stack(pixels) if pixels else np.empty((0, channels, height, width), np.uint8), kept


def _has_bright_border(picture: NDArray[np.uint8]) -> bool:
    border = np.concatenate([picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1]], axis=1)
    return bool(np.median(border) > 127)


def normalized(inputs: Tensor, spec: Spec) -> Tensor:
    """Raw inputs [n, ...] as the learner takes them."""
    shape = (-1,) + (1,) * (inputs.ndim - 2)
    return (inputs - torch.tensor(spec.mean).view(shape)) / torch.tensor(spec.deviation).view(shape)


@dataclass(frozen=True)
class _Table:
    """Numbers [rows, columns] of a CSV file and the line of each row."""

    path: Path
    values: NDArray[np.float64]
    lines: list[int]


def _read_tables(folder: Path, spec: Spec) -> NewTask:
    features = spec.input_shape[0]
    support, query = (_table(folder, part) for part in PARTS)
    for table, wanted, what in (
        (support, features + spec.outputs, f"{features} of inputs and {spec.outputs} of targets"),
        (query, features, "the inputs alone"),
    ):
        if table.values.shape[1] != wanted:
            raise DataError(f"{table.path} has {counted(table.values.shape[1], 'columns')} and this learner needs "
                            f"{wanted}: {what}")
    values = torch.from_numpy(support.values).float()
    return NewTask((), Examples(normalized(values[:, :features], spec), values[:, features:]),
                   normalized(torch.from_numpy(query.values).float(), spec),
                   tuple(f"{shown(query.path.name)}, line {line}" for line in query.lines))


def _table(folder: Path, part: Part) -> _Table:
    """A table of points, whose first row names its columns where none of its cells is a number.

    Raises:
        DataError: It is not there, is no text, is empty, or a cell is no number.
    """
    path = part_files(folder, TABLE_SUFFIXES).get(part)
    if path is None:
        raise DataError(f"{folder} holds no {part}.csv; a new task for this learner is a support.csv with inputs and "
                        "targets and a query.csv with inputs")
    try:
        lines = read_cells(path)
    except FileError as error:
        raise DataError(f"{path} {error}") from error
    if all(number(cell) is None for cell in lines[0][1]):
        del lines[0]
    if not lines:
        raise DataError(f"{path} holds no numbers; write a row for each point")
    width = len(lines[0][1])
    for line, cells in lines:
        if len(cells) != width:
            raise DataError(f"{path}, line {line}: {counted(len(cells), 'cells')} where the first row has {width}; "
                            "give every row as many")
    return _Table(path, np.array([_row(path, line, cells) for line, cells in lines]), [line for line, _ in lines])


def _row(path: Path, line: int, cells: Sequence[str]) -> list[float]:
    values = []
    for column, cell in enumerate(cells, 1):
        value = number(cell)
        wrong = fault(value) if value is None or not math.isnan(value) else "is no number"
        if wrong or value is None:
            raise DataError(f"{path}, line {line}: {cell!r} in column {column} {wrong}; correct it or delete the line")
        values.append(value)
    return values
