"""Time series of the person's own: one in every row of a table, or one in every file of a class folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import NewGuess, NewTask, Recognition, Spec
from workbench.tasks.files.cache import cached
from workbench.tasks.files.each import read_each
from workbench.tasks.files.errors import DataError, FileError, PassingError
from workbench.tasks.files.listing import FileEntry, Files, Listing, list_files
from workbench.tasks.files.resampling import LONGEST, SHORTEST, Fit, Values, fitted, usual_length
from workbench.tasks.files.series_files import ARRAYS, TABLES, alike, ordered, read_series
from workbench.tasks.files.series_rows import FEWEST_STEPS, Rows, look_at, read_rows
from workbench.tasks.files.watching import tell
from workbench.tasks.files.words import named, shown, split_called
from workbench.tasks.own.by_label import plain_labels, sorted_by_label
from workbench.tasks.own.class_files import GROUPED_BY, ClassFoldersConfig, Read, collected, files_of, layout_of
from workbench.tasks.own.classes import Collection, OwnClasses
from workbench.tasks.own.new_files import among, new_task, read_new_files
from workbench.tasks.own.ready_made import PARTS, part_files, part_in
from workbench.words import counted, the

FORM, NOUN = "time series", "series"
_SURE = 0.5
_FILES = TABLES | ARRAYS


class SeriesConfig(ClassFoldersConfig):
    """Where the series lie and how they are brought to one length."""

    name: Literal["series"] = "series"
    path: Path | None = field(None, label="Data", help="Table with a series in every row, its label in a column; or "
                              "folder with a folder for each class, of files with a series each: csv with a column a "
                              "channel, or npy.")
    label: str | None = field(None, label="Label column", help="Name of the column that holds the class of a row, or "
                              "its number from 1; empty to find it.")
    group: str | None = field(None, label="Group column", help="Of a table with a series in every row the name of a "
                              "column such as subject or session, or its number from 1: what shares a value of it "
                              "stays on one side of the split.")
    length: int | None = field(None, label="Length", unit="steps", help="Every series is brought to so many steps; "
                               f"empty for the median, at least {SHORTEST} and at most {LONGEST}.", ge=8, le=8192)
    fit: Fit = field("resample", label="Unequal lengths", help="Resampling puts values on the straight lines between "
                     "those of a series; cropping cuts it about its middle, and a shorter one holds its ends.",
                     choices={"resample": "Resample", "crop": "Crop or hold"})


class TimeSeries(OwnClasses):
    """Time series of your own, of one channel or several and of any lengths.

    A table with a series in every row (as in the UCR archive, where the label comes first), or a folder of files for
    each class. Missing values are filled along straight lines. Each channel is normalized with the mean and deviation
    of the training classes.
    """

    Config = SeriesConfig
    title = "Time series"
    reading_form = FORM
    raw = "values as they are in the files, [channels, steps]"
    input_kinds = frozenset({"series"})

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The convolutional network along time."""
        return {"backbone.name": "conv1d"}

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """Tables whose columns are steps in time, or class folders of tables or arrays."""
        said = listing.said.get("label")
        label = said if isinstance(said, str) else None
        for file in tables_of(listing)[:1]:
            try:
                columns = look_at(listing.path(file), label)
            except FileError:
                continue
            return Recognition(FORM, f"{shown(file.name)} has a series in every row: {columns.why}", columns.certainty)
        layout = layout_of(listing, _FILES, NOUN)
        many = len(layout.classes)
        if many < 2 or listing.is_file or all(split_called(one.name) for one in layout.classes):
            return None  # folders that are called as splits hold something else than a class each
        if not _is_series(listing, layout.classes[0].files[0]):
            # Its reader says what is wrong with them, unless somebody else has a use for them.
            return Recognition("unknown", f"files lie in {many:,} folders, and the first is no series", 0.05)
        count = sum(len(one.files) for one in layout.classes)
        return Recognition(FORM, f"{count:,} files lie in {many:,} folders and hold a series each",
                           0.92 * count / len(listing.files))

    @classmethod
    def what_it_reads(cls) -> str:
        """A table or a folder of folders."""
        return "the table that has a series in every row, or the folder that holds a folder of series for each class"

    @classmethod
    def read(cls, config: SeriesConfig) -> Collection:
        """Read every series and bring it to one length."""
        assert config.path is not None  # noqa: S101 - the caller has checked
        listing = list_files(config.path)
        return _of_rows(listing, config) if tables_of(listing) else _of_files(listing, config)

    @classmethod
    def read_new(cls, folder: Path, spec: Spec) -> NewTask:
        """Tables with a series in every row, `support.csv` with labels and `query.csv`; or class folders of files with
        a series each, and others in a folder `unlabelled`."""
        channels, length = spec.input_shape
        names, fit = tuple(spec.reading["names"]), spec.reading["fit"]
        if part_files(folder, TABLES):
            return _new_rows(folder, spec)

        def read(path: Path) -> Tensor:
            one = ordered(read_series(path), names)
            if len(one.values) != channels:
                raise FileError(f"has {counted(len(one.values), 'channels')} and this learner knows {channels}; give "
                                "it as many")
            return brought([one.values], length, fit)[0]

        return read_new_files(list_files(folder), spec, _FILES, NOUN, read)

    @classmethod
    def guess_new(cls, folder: Path) -> NewGuess | None:
        """Tables or files of series; None where there are none that can be read."""
        if support := part_files(folder, TABLES).get("support"):
            spec = _spec_of_rows(support)
            return None if spec is None else NewGuess(0.7, spec)
        listing = list_files(folder)
        files = [file for file in listing.having(_FILES) if file.folder]
        if any(part_in(file.folder) == "support" and "/" not in file.folder for file in files):
            return None  # a table in no folder of a class says the class of its rows itself
        kept, names, _ = alike(read_each([listing.path(file) for file in files], read_series).good)
        if not kept or np.median([one.values.shape[1] for one in kept.values()]) < FEWEST_STEPS:
            return None  # a few rows are examples rather than steps in time
        channels = len(next(iter(kept.values())).values)
        return NewGuess(0.7, _spec_of_series([one.values.shape[1] for one in kept.values()], channels, names))


def _is_series(listing: Listing, file: FileEntry) -> bool:
    """Whether a file holds a series, going by its first lines."""
    try:
        return bool(read_series(listing.path(file)).values.shape[1] >= FEWEST_STEPS)
    except FileError:
        return False


def tables_of(listing: Listing) -> list[FileEntry]:
    """The tables that lie in no folder of a class: the one that was named, or those of the topmost folder."""
    tables = listing.having(TABLES)
    tops = [file for file in tables if not file.folder]
    if not tops and len({file.folder for file in tables}) == 1:
        tops = tables
    # A text beside tables explains them.
    others = [file for file in tops if file.suffix != ".txt"]
    return others or tops


def brought(series: Sequence[Values], length: int, fit: Fit) -> Tensor:
    """Series [channels, steps] each as one tensor [n, channels, length], float32."""
    return torch.from_numpy(np.stack([fitted(one, length, fit) for one in series])).float()


def _facts(channels: int, lengths: Sequence[int], length: int, fit: Fit, gaps: int) -> tuple[str, ...]:
    change = "" if set(lengths) == {length} else (
        f", {'resampled' if fit == 'resample' else 'cropped'} from {min(lengths):,}-{max(lengths):,}")
    facts = [counted(channels, "channels"), f"{length:,} steps{change}"]
    if gaps:
        facts.append(f"{counted(gaps, 'missing values')} filled")
    return tuple(facts)


class _Tables(NamedTuple):
    """The series of all tables."""

    labels: list[str]
    splits: list[str]
    groups: list[str]
    series: list[Values]
    where: list[str]
    problems: list[str]
    names: tuple[str, ...]
    gaps: int
    is_lasting: bool


def _of_rows(listing: Listing, config: SeriesConfig) -> Collection:
    files = tables_of(listing)

    def read() -> tuple[Tensor, Any]:
        found = _read_tables(listing, files, config)
        if not found.series:
            reason = f": {found.problems[0]}" if found.problems else ""
            raise DataError(f"{config.path} holds no series{reason}")
        lengths = [one.shape[1] for one in found.series]
        length = config.length or usual_length(lengths)
        facts = _facts(len(found.series[0]), lengths, length, config.fit, found.gaps)
        about = {"labels": plain_labels(found.labels), "splits": found.splits, "groups": found.groups,
                 "where": found.where, "facts": facts, "problems": found.problems, "names": found.names,
                 "is_lasting": found.is_lasting}
        return brought(found.series, length, config.fit), about

    key = [Files(listing.root, files).stamp, config.label, config.group, config.length, config.fit]
    inputs, about, notices = cached("series", key, read, is_kept=lambda about: about["is_lasting"])
    placed = sorted_by_label(about["labels"], about["splits"], NOUN)
    problems = (*listing.problems, *named(about["problems"], "{} more lines were left out"), *placed.problems)
    return Collection(placed.classes, inputs[torch.from_numpy(placed.rows)], placed.owners,
                      [about["where"][row] for row in placed.rows], FORM, NOUN,
                      (*about["facts"], *notices, *placed.notes), problems, _reading(inputs, about["names"], config),
                      groups=[about["groups"][row] for row in placed.rows] if config.group else None,
                      grouped_by=the("column", config.group or ""))


def _reading(inputs: Tensor, names: Sequence[str], config: SeriesConfig) -> dict[str, Any]:
    return {"form": FORM, "channels": inputs.shape[1], "length": inputs.shape[2], "names": list(names),
            "fit": config.fit}


def _read_tables(listing: Listing, files: Sequence[FileEntry], config: SeriesConfig) -> _Tables:
    """Every row of every table; those whose channels are not the first one's are named and left out."""
    found = _Tables([], [], [], [], [], [], (), 0, is_lasting=True)
    gaps, is_lasting = 0, True
    names: tuple[str, ...] = ()
    for done, file in enumerate(files):
        tell(done, len(files))
        try:
            rows = read_rows(listing.path(file), config.label, config.group)
        except FileError as error:
            found.problems.append(f"{shown(file.name)} {error}")
            is_lasting &= not isinstance(error, PassingError)
            continue
        channels = len(rows.columns.channels)
        if found.series and channels != len(found.series[0]):
            found.problems.append(f"{shown(file.name)} has {counted(channels, 'channels')} and {files[0].name} "
                                  f"{len(found.series[0])}; give them as many")
            continue
        gaps, names = gaps + rows.gaps, names or rows.columns.names
        found.labels.extend(rows.labels)
        found.groups.extend(rows.groups)
        found.splits.extend([_split_of(file)] * len(rows.series))
        found.series.extend(rows.series)
        found.where.extend(f"{file.name}, line {line}" for line in rows.lines)
        found.problems.extend(f"{shown(file.name)}, {problem}" for problem in rows.problems)
    return found._replace(names=names, gaps=gaps, is_lasting=is_lasting)


def _split_of(file: FileEntry) -> str:
    """The split that the name of a table ends with, as in ECG_TRAIN.tsv."""
    return split_called(re.split(r"[^A-Za-z]+", PurePosixPath(file.name).stem)[-1])


def _of_files(listing: Listing, config: SeriesConfig) -> Collection:
    assert config.path is not None  # noqa: S101 - the caller has checked
    layout = layout_of(listing, _FILES, NOUN, config)
    files = files_of(layout, config.path, NOUN)

    def read() -> tuple[Tensor, Any]:
        good, broken, is_lasting = read_each([listing.path(file) for file in files], read_series)
        kept, names, odd = alike(good)
        if not kept:
            index, why = next(iter(broken.items()))
            raise DataError(f"{config.path}: none of the {counted(len(files), 'files')} can be read as a series: "
                            f"{shown(files[index].name)} {why}")
        lengths = [one.values.shape[1] for one in kept.values()]
        length = config.length or usual_length(lengths)
        inputs = brought([one.values for one in kept.values()], length, config.fit)
        facts = _facts(inputs.shape[1], lengths, length, config.fit, sum(one.gaps for one in kept.values()))
        return inputs, {"kept": list(kept), "broken": sorted((broken | odd).items()), "names": names, "facts": facts,
                        "is_lasting": is_lasting}

    key = [Files(listing.root, files).stamp, config.length, config.fit]
    inputs, about, notices = cached("series", key, read, is_kept=lambda about: about["is_lasting"])
    return collected(layout, files, Read(inputs, about["kept"], about["broken"]), form=FORM, noun=NOUN,
                     facts=(*about["facts"], *notices), reading=_reading(inputs, about["names"], config),
                     grouped_by=GROUPED_BY[config.group_folder])


def _new_rows(folder: Path, spec: Spec) -> NewTask:
    channels, length = spec.input_shape
    paths = part_files(folder, TABLES)
    if lack := next((part for part in PARTS if part not in paths), ""):
        raise DataError(f"{folder} holds no {lack}.csv; a new task for this learner is a support.csv with a series and "
                        "its label in every row, and a query.csv with series alone")
    problems: list[str] = []
    tables = [_new_table(paths[part], is_labelled=part == "support") for part in PARTS]
    for part, rows in zip(PARTS, tables, strict=True):
        found, path = len(rows.columns.channels), paths[part]
        if found != channels:
            raise DataError(f"{path} has {counted(found, 'channels')} and this learner knows {channels}; give it as "
                            "many")
        problems += [f"{shown(path.name)}, {problem}" for problem in rows.problems]
        if not rows.series:
            raise DataError(f"{path} holds no series that can be read{among(problems)}")
    support, query = tables
    classes = sorted(set(support.labels))
    if len(classes) < 2:
        raise DataError(f"{paths['support']} holds series of {counted(len(classes), 'classes')} and a task needs two "
                        "or more; add labelled rows of others")
    inputs, queries = (brought(rows.series, length, spec.reading["fit"]) for rows in tables)
    return new_task(support.labels, inputs, queries, problems=problems, spec=spec,
                    names=[f"{paths['query'].name}, line {line}" for line in query.lines])


def _new_table(path: Path, *, is_labelled: bool) -> Rows:
    try:
        return read_rows(path, None, is_labelled=is_labelled)
    except FileError as error:
        raise DataError(f"{path} {error}") from error


def _spec_of_rows(path: Path) -> Spec | None:
    try:
        if look_at(path, None).certainty < _SURE:
            return None
        rows = read_rows(path, None)
    except FileError:
        return None
    if not rows.series:
        return None
    return _spec_of_series([one.shape[1] for one in rows.series], len(rows.columns.channels), ())


def _spec_of_series(lengths: Sequence[int], channels: int, names: Sequence[str]) -> Spec:
    length = usual_length(lengths)
    return Spec("classification", "series", (channels, length), 5, raw="values", reading={
        "form": FORM, "channels": channels, "length": length, "names": list(names), "fit": "resample"})
