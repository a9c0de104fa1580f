"""What datasets of arrays share: what shows which of them some arrays are, and new tasks of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.tasks.base import Examples, NewGuess, NewTask, Recognition, Spec
from workbench.tasks.files.array_files import (
    ARCHIVE_SUFFIX,
    Array,
    Arrays,
    Kind,
    as_pictures,
    as_series,
    kind_of,
    labels_of,
    named_arrays,
    read_arrays,
    shapes_of,
    whole_rows,
)
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import Listing
from workbench.tasks.files.numbers import are_sound
from workbench.tasks.files.words import shown
from workbench.tasks.own.new_files import new_task
from workbench.tasks.own.new_task import normalized
from workbench.tasks.own.ready_made import PARTS, part_files
from workbench.words import counted, listed

FORM = "arrays"
_SUFFIXES = frozenset({ARCHIVE_SUFFIX})


def recognized(listing: Listing, wanted: Kind) -> Recognition | None:
    """Arrays that are recognized as of one kind, going by their names, shapes and types."""
    shapes = shapes_of(listing)
    if "x" not in shapes:
        if listing.files and listing.suffixes.keys() <= {".npz", ".npy"}:
            # Nothing else reads such files, so whoever named them is told what they lack.
            read_arrays(listing.path(listing.files[0]) if listing.is_file else listing.root)
        return None
    (x, dtype), y = shapes["x"], shapes["y"][0] if "y" in shapes else None
    found = kind_of(x, dtype, y)
    if (found is None or dtype.kind not in "iufb") and wanted == "arrays":
        what = f"holds x of shape {list(x)} and type {dtype}" + ("" if y is not None else " and no y")
        raise DataError(f"{listing.root / listing.files[0].name} {what}; save numbers [examples, ...] as x and a label "
                        "for each as y")
    if found != wanted and listing.said.get("form") != wanted:
        return None
    files = [file for own in named_arrays(listing).values() for _, file in own]
    what = f" and y {list(y)}" if y is not None else ""
    share = len(files) / len(listing.files)
    return Recognition(FORM, f"{files[0].name} holds an array x {list(x)}{what}", 0.95 * share)


def read_new_arrays(folder: Path, spec: Spec) -> NewTask:
    """Arrays in `support.npz`, x and y, and in `query.npz`, x.

    Raises:
        DataError: They are not there, cannot be read, or have other shapes than the learner knows.
    """
    paths = part_files(folder, _SUFFIXES)
    if lack := next((part for part in PARTS if part not in paths), ""):
        raise DataError(f"{folder} holds no {lack}.npz; a new task for this learner is a support.npz with x and y, and "
                        "a query.npz with x")
    support = read_arrays(paths["support"])
    query = read_arrays(paths["query"], is_labelled=False)
    assert support.y is not None  # noqa: S101 - read_arrays raises where there is none
    (is_whole, problems), (has_all, more) = (whole_rows(part.x, part.name) for part in (support, query))
    kept, asked = np.flatnonzero(is_whole), np.flatnonzero(has_all)
    names = [f"{shown(query.name)}, row {row}" for row in asked]
    if not len(kept) or not len(asked):
        raise DataError(f"{folder} holds no whole rows to adapt to or to predict: {listed([*problems, *more], 2)}")
    queries = _shaped(paths["query"], query.x[asked], spec)
    if spec.kind == "regression":
        y = support.y[kept].reshape(len(kept), -1)
        if y.dtype.kind not in "iuf" or y.shape[1] != spec.outputs or not are_sound(y).all():
            raise DataError(f"{paths['support']}: y is {y.dtype} of shape {list(support.y.shape)}, and this "
                            f"learner needs {counted(spec.outputs, 'finite values')} for each of x")
        inputs = _shaped(paths["support"], support.x[kept], spec)
        middle, spread = (np.array(spec.reading.get(name, usual), np.float32)
                          for name, usual in (("target_mean", 0), ("target_deviation", 1)))
        targets = torch.from_numpy((y.astype(np.float32) - middle) / spread)
        return NewTask((), Examples(normalized(inputs, spec), targets),
                       normalized(queries, spec), tuple(names), (*problems, *more))
    labels, is_labelled = labels_of(support.y, support.name)
    kept = kept[is_labelled[kept]]
    classes = sorted({labels[row] for row in kept})
    if len(classes) < 2:
        raise DataError(f"{paths['support']} holds {counted(len(classes), 'classes')} and a task needs "
                        "two or more; add labelled rows of others")
    inputs = _shaped(paths["support"], support.x[kept], spec)
    return new_task([labels[row] for row in kept], inputs, queries, names=names, problems=(*problems, *more), spec=spec)


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


def guess_new_arrays(folder: Path, wanted: Kind) -> NewGuess | None:
    """What a learner for the arrays of a new task would be made for, where their shape is that of the wanted kind."""
    support = part_files(folder, _SUFFIXES).get("support")
    if support is None:
        return None
    kind, spec = _spec_of_new(read_arrays(support))
    return NewGuess(0.9, spec) if kind == wanted else None


def _spec_of_new(found: Arrays) -> tuple[Kind, Spec]:
    """What the support of a new task holds, and the spec of a learner for it."""
    assert found.y is not None  # noqa: S101 - read_arrays raises where there is none
    y = found.y.reshape(len(found.y), -1)
    reading: dict[str, Any] = {"form": FORM}
    if found.x.ndim == 2 and (y.shape[1] > 1 or (y.dtype.kind == "f" and bool((y % 1 != 0).any()))):
        return "array_tasks", Spec("regression", "vector", found.x.shape[1:], y.shape[1], raw="numbers",
                                   reading=reading)
    kind = kind_of(found.x.shape, found.x.dtype, found.y.shape)
    if kind == "array_pictures":
        pictures, scale = as_pictures(found.x)
        return kind, Spec("classification", "image", pictures.shape[1:], 5, raw="pixels / 255",
                          reading=reading | scale)
    if kind == "array_series":
        series, is_turned = as_series(found.x)
        return kind, Spec("classification", "series", series.shape[1:], 5, raw="numbers",
                          reading=reading | {"steps_first": is_turned})
    return "arrays", Spec("classification", "vector", (int(np.prod(found.x.shape[1:])),), 5, raw="numbers",
                          reading=reading)
