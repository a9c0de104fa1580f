"""New tasks of recordings, time series and arrays, for learners that were trained on such."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.tasks.arrays import FORM as ARRAYS_FORM
from workbench.tasks.base import DataError, Examples, Spec
from workbench.tasks.files.array_files import Array, as_pictures, as_series, kind_of, labels_of, read_arrays, whole_rows
from workbench.tasks.files.listing import FileEntry, list_files
from workbench.tasks.files.pictures import shown
from workbench.tasks.files.resampling import usual_length
from workbench.tasks.files.series_files import ARRAYS, TABLES, alike, ordered, read_series
from workbench.tasks.files.series_rows import FEWEST_STEPS, Rows, look_at, read_rows
from workbench.tasks.files.sound import SUFFIXES, Spectrograms
from workbench.tasks.own.class_files import FileError, read_each
from workbench.tasks.own.folders import found_among, listed, plural
from workbench.tasks.own.new_task import NewTask, normalized, sorted_out
from workbench.tasks.recordings import FORM as RECORDINGS_FORM
from workbench.tasks.recordings import NOUN as RECORDING
from workbench.tasks.recordings import RecordingsConfig, readable
from workbench.tasks.series import FORM as SERIES_FORM
from workbench.tasks.series import NOUN as SERIES
from workbench.tasks.series import brought

SUPPORT_ROWS, QUERY_ROWS = "support.csv", "query.csv"
SUPPORT_ARRAYS, QUERY_ARRAYS = "support.npz", "query.npz"
_SURE = 0.5


def read_recordings(folder: Path, spec: Spec) -> NewTask:
    """Class folders of labelled recordings, and others in a folder `unlabelled`.

    Raises:
        DataError: There are none of the one or the other that can be read.
    """
    return _of_files(folder, spec, SUFFIXES, RECORDING, Spectrograms.of(spec.reading).read)


def read_series_task(folder: Path, spec: Spec) -> NewTask:
    """Tables with a series in every row, `support.csv` with labels and `query.csv`; or class folders of files with a
    series each, and others in a folder `unlabelled`.

    Raises:
        DataError: There are none of the one or the other that can be read, or they have other channels.
    """
    channels, length = spec.input_shape
    names, fit = tuple(spec.reading["names"]), spec.reading["fit"]
    if (folder / SUPPORT_ROWS).is_file() or (folder / QUERY_ROWS).is_file():
        return _of_rows(folder, spec)

    def read(path: Path) -> Tensor:
        one = ordered(read_series(path), names)
        if len(one.values) != channels:
            raise FileError(f"has {len(one.values)} channels and this learner knows {channels}; give it as many")
        return brought([one.values], length, fit)[0]

    return _of_files(folder, spec, TABLES | ARRAYS, SERIES, read)


def _of_files(folder: Path, spec: Spec, suffixes: frozenset[str], noun: str, read: Callable[[Path], Tensor]
              ) -> NewTask:
    listing = list_files(folder)
    if noun == RECORDING:
        listing = readable(listing)
    found = found_among(listing.files, listing.problems, lambda name: Path(name).suffix.lower() in suffixes, noun)
    labelled, unlabelled = sorted_out(found)
    nouns, problems = plural(noun), list(found.problems)
    if not labelled:
        raise DataError(f"{folder} holds no class folders; put a few labelled {nouns} of each class into a folder with "
                        f"the name of the class{_first(problems)}")
    if not unlabelled:
        raise DataError(f"{folder} holds no {nouns} to predict; put some into it beside the class folders, or into a "
                        f"folder called unlabelled{_first(problems)}")
    support = _read(folder, [(file, name) for name, files in labelled.items() for file in files], read, problems)
    query = _read(folder, [(file, "") for file in unlabelled], read, problems)
    classes = sorted({name for _, name, _ in support})
    if len(classes) < 2:
        raise DataError(f"{folder} holds readable {nouns} of {len(classes)} class{'es' * (not classes)} and a task "
                        f"needs two or more; add a folder of labelled {nouns} for each class{_first(problems)}")
    if not query:
        raise DataError(f"none of the {len(unlabelled)} {nouns} to predict in {folder} can be read{_first(problems)}")
    return _task([name for _, name, _ in support], torch.stack([one for _, _, one in support]),
                 torch.stack([one for _, _, one in query]), names=[file.name for file, _, _ in query],
                 problems=problems, spec=spec)


def _read(folder: Path, files: Sequence[tuple[FileEntry, str]], read: Callable[[Path], Tensor], problems: list[str]
          ) -> list[tuple[FileEntry, str, Tensor]]:
    """The files that can be read, with their classes and inputs; `problems` grows by the others."""
    good, broken, _ = read_each([folder / file.name for file, _ in files], read)
    problems += [f"{shown(files[index][0].name)} {why}" for index, why in broken.items()]
    return [(*files[index], one) for index, one in good.items()]


def _first(problems: Sequence[str]) -> str:
    return f": {listed(problems, 3)}" if problems else ""


def _task(labels: Sequence[str], support: Tensor, query: Tensor, *, names: Sequence[str], problems: Sequence[str],
          spec: Spec) -> NewTask:
    """The task of labelled inputs [n, *input_shape] and others [m, *input_shape], not normalized yet."""
    classes = sorted(set(labels))
    numbers = {name: number for number, name in enumerate(classes)}
    targets = torch.tensor([numbers[label] for label in labels])
    return NewTask(tuple(map(shown, classes)), Examples(normalized(support, spec), targets),
                   normalized(query, spec), tuple(map(shown, names)), tuple(problems))


def _of_rows(folder: Path, spec: Spec) -> NewTask:
    channels, length = spec.input_shape
    tables = [_table(folder / name, is_labelled=name == SUPPORT_ROWS) for name in (SUPPORT_ROWS, QUERY_ROWS)]
    problems: list[str] = []
    for name, rows in zip((SUPPORT_ROWS, QUERY_ROWS), tables, strict=True):
        found = len(rows.columns.channels)
        if found != channels:
            raise DataError(f"{folder / name} has {found} channels and this learner knows {channels}; give it as many")
        problems += [f"{name}, {problem}" for problem in rows.problems]
        if not rows.series:
            raise DataError(f"{folder / name} holds no series that can be read{_first(problems)}")
    support, query = tables
    classes = sorted(set(support.labels))
    if len(classes) < 2:
        raise DataError(f"{folder / SUPPORT_ROWS} holds series of {len(classes)} class and a task needs two or more; "
                        "add labelled rows of others")
    inputs, queries = (brought(rows.series, length, spec.reading["fit"]) for rows in tables)
    return _task(support.labels, inputs, queries, names=[f"{QUERY_ROWS}, line {line}" for line in query.lines],
                 problems=problems, spec=spec)


def _table(path: Path, *, is_labelled: bool) -> Rows:
    if not path.exists():
        raise DataError(f"{path.parent} holds no {path.name}; a new task for this learner is a {SUPPORT_ROWS} with a "
                        f"series and its label in every row, and a {QUERY_ROWS} with series alone")
    try:
        return read_rows(path, None, is_labelled=is_labelled)
    except FileError as error:
        raise DataError(f"{path} {error}") from error


def read_array_task(folder: Path, spec: Spec) -> NewTask:
    """Arrays in `support.npz`, x and y, and in `query.npz`, x.

    Raises:
        DataError: They are not there, cannot be read, or have other shapes than the learner knows.
    """
    for name in (SUPPORT_ARRAYS, QUERY_ARRAYS):
        if not (folder / name).is_file():
            raise DataError(f"{folder} holds no {name}; a new task for this learner is a {SUPPORT_ARRAYS} with x and "
                            f"y, and a {QUERY_ARRAYS} with x")
    support = read_arrays(folder / SUPPORT_ARRAYS)
    query = read_arrays(folder / QUERY_ARRAYS, is_labelled=False)
    assert support.y is not None  # noqa: S101 - read_arrays raises where there is none
    (is_whole, problems), (has_all, more) = (whole_rows(part.x, part.name) for part in (support, query))
    kept, asked = np.flatnonzero(is_whole), np.flatnonzero(has_all)
    names = [f"{QUERY_ARRAYS}, row {row}" for row in asked]
    if not len(kept) or not len(asked):
        raise DataError(f"{folder} holds no whole rows to adapt to or to predict: {listed([*problems, *more], 2)}")
    queries = _shaped(folder / QUERY_ARRAYS, query.x[asked], spec)
    if spec.kind == "regression":
        y = support.y[kept].reshape(len(kept), -1)
        if y.dtype.kind not in "iuf" or y.shape[1] != spec.outputs or not np.isfinite(y).all():
            raise DataError(f"{folder / SUPPORT_ARRAYS}: y is {y.dtype} of shape {list(support.y.shape)}, and this "
                            f"learner needs {spec.outputs} finite value{'s' * (spec.outputs > 1)} for each of x")
        inputs = _shaped(folder / SUPPORT_ARRAYS, support.x[kept], spec)
        middle, spread = (np.array(spec.reading.get(name, usual), np.float32)
                          for name, usual in (("target_mean", 0), ("target_deviation", 1)))
        targets = torch.from_numpy((y.astype(np.float32) - middle) / spread)
        return NewTask((), Examples(normalized(inputs, spec), targets),
                       normalized(queries, spec), tuple(names), (*problems, *more))
    labels, is_labelled = labels_of(support.y, SUPPORT_ARRAYS)
    kept = kept[is_labelled[kept]]
    classes = sorted({labels[row] for row in kept})
    if len(classes) < 2:
        raise DataError(f"{folder / SUPPORT_ARRAYS} holds {len(classes)} class{'es' * (not classes)} and a task needs "
                        "two or more; add labelled rows of others")
    inputs = _shaped(folder / SUPPORT_ARRAYS, support.x[kept], spec)
    return _task([labels[row] for row in kept], inputs, queries, names=names, problems=(*problems, *more), spec=spec)


def _shaped(path: Path, x: Array, spec: Spec) -> Tensor:
    """The inputs [n, *input_shape] of an array as the learner's own were made, before they are normalized."""
    reading: Mapping[str, Any] = spec.reading
    if spec.input_kind == "image" and x.ndim in (3, 4):
        inputs = torch.from_numpy(as_pictures(x, reading)[0]).float() / 255
    elif spec.input_kind == "series" and x.ndim in (2, 3):
        inputs = torch.from_numpy(as_series(x, is_turned=bool(reading["steps_first"]))[0])
    else:
        inputs = torch.from_numpy(x.reshape(len(x), -1).astype(np.float32))
    if tuple(inputs.shape[1:]) != spec.input_shape:
        raise DataError(f"{path}: an example of x has shape {list(x.shape[1:])}, which makes an input of "
                        f"{list(inputs.shape[1:])}, and this learner takes {list(spec.input_shape)}; save it so")
    return inputs


def usual_spec(folder: Path) -> Spec | None:
    """What a learner for this new task would be made for; None where it holds no recordings, series or arrays."""
    if (folder / SUPPORT_ARRAYS).is_file():
        return _spec_of_arrays(folder)
    listing = list_files(folder)
    if len(listing.having(SUFFIXES)) * 2 > len(listing.files):
        usual = RecordingsConfig()
        look = Spectrograms(usual.rate, usual.seconds, usual.mels)
        return Spec("classification", "image", look.shape, 5, raw="log-mel", reading={
            "form": RECORDINGS_FORM, "rate": look.rate, "seconds": look.seconds, "mels": look.mels})
    if (folder / SUPPORT_ROWS).is_file():
        return _spec_of_rows(folder / SUPPORT_ROWS)
    files = [file for file in listing.having(TABLES | ARRAYS) if file.folder]
    if any(file.folder.lower() == "support" for file in files):
        return None  # a table in no folder of a class says the class of its rows itself
    kept, names, _ = alike(read_each([listing.path(file) for file in files], read_series).good)
    if not kept or np.median([one.values.shape[1] for one in kept.values()]) < FEWEST_STEPS:
        return None  # a few rows are examples rather than steps in time
    return _spec_of_series([one.values.shape[1] for one in kept.values()], len(next(iter(kept.values())).values), names)


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
        "form": SERIES_FORM, "channels": channels, "length": length, "names": list(names), "fit": "resample"})


def _spec_of_arrays(folder: Path) -> Spec:
    found = read_arrays(folder / SUPPORT_ARRAYS)
    assert found.y is not None  # noqa: S101 - read_arrays raises where there is none
    y = found.y.reshape(len(found.y), -1)
    reading: dict[str, Any] = {"form": ARRAYS_FORM}
    if found.x.ndim == 2 and (y.shape[1] > 1 or (y.dtype.kind == "f" and bool((y % 1 != 0).any()))):
        return Spec("regression", "vector", found.x.shape[1:], y.shape[1], raw="numbers", reading=reading)
    kind = kind_of(found.x.shape, found.x.dtype, found.y.shape)
    if kind == "array_pictures":
        pictures, scale = as_pictures(found.x)
        return Spec("classification", "image", pictures.shape[1:], 5, raw="pixels / 255", reading=reading | scale)
    if kind == "array_series":
        series, is_turned = as_series(found.x)
        return Spec("classification", "series", series.shape[1:], 5, raw="numbers",
                    reading=reading | {"steps_first": is_turned})
    return Spec("classification", "vector", (int(np.prod(found.x.shape[1:])),), 5, raw="numbers", reading=reading)
