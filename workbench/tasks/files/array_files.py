"""Reads files of arrays without ever running what they might carry, and tells what their shapes stand for."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.tasks.files.each import NO_RIGHT
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Listing, list_files
from workbench.tasks.files.numbers import TOO_LARGE, are_sound
from workbench.tasks.files.words import split_called
from workbench.words import counted, listed

Array = NDArray[Any]
Kind = Literal["arrays", "array_series", "array_pictures", "array_tasks"]

ARCHIVE_SUFFIX = ".npz"
SUFFIXES = frozenset({ARCHIVE_SUFFIX, ".npy"})
_CALLED = {"x": ("x", "data", "inputs", "images", "features", "samples"),
           "y": ("y", "labels", "label", "targets", "target", "classes"), "split": ("split", "splits", "fold")}
_SPLIT_NUMBERS = {"0": "train", "1": "validation", "2": "test"}
_BROKEN = (ValueError, EOFError, OSError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Arrays:
    """What was read.

    Attributes:
        x: [n, ...] numbers.
        y: [n, ...] labels or values; None where there are none.
        split: [n] the split of each, train, validation, test or empty.
        name: The file that they come from, or the first of several.
    """

    x: Array
    y: Array | None
    split: tuple[str, ...]
    name: str


def named_arrays(listing: Listing) -> dict[str, list[tuple[str, FileEntry]]]:
    """The files that hold arrays, by split ("" where their names say none): `x`, `y` and `split` of .npy, or "npz".

    Nothing where the files lie in folders, or where the .npy files have other names.
    """
    found: dict[str, list[tuple[str, FileEntry]]] = {}
    for file in listing.having(SUFFIXES):
        if file.folder:
            continue
        stem = PurePosixPath(file.name).stem.lower()
        if file.suffix == ARCHIVE_SUFFIX:
            found.setdefault(split_called(stem), []).append(("npz", file))
            continue
        head, _, tail = stem.rpartition("_")
        role, split = _role(tail), split_called(head)
        if not role:  # x_train as well as train_x
            role, split = _role(head), split_called(tail)
        if role and (split or not head or role == _role(stem)):
            found.setdefault(split, []).append((role, file))
    return found


def _role(name: str) -> str:
    return next((role for role, names in _CALLED.items() if name in names), "")


def shapes_of(listing: Listing) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of `x`, `y` and `split` from the headers of the first files; empty where they cannot be told."""
    files = named_arrays(listing)
    if not files:
        return {}
    found: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    for role, file in next(iter(files.values())):
        try:
            with listing.path(file).open("rb") as opened:
                if role != "npz":
                    found[role] = _header(opened)
                    continue
                with zipfile.ZipFile(opened) as archive:
                    for member in archive.namelist():
                        if own := _role(member.removesuffix(".npy").lower()):
                            with archive.open(member) as inner:
                                found[own] = _header(inner)
        except _BROKEN:
            continue
    return found


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def kind_of(x: tuple[int, ...], dtype: np.dtype[Any], y: tuple[int, ...] | None) -> Kind | None:
    """What arrays of these shapes hold; None where it is nothing that is read.

    Values with two axes belong to tasks. Four axes are pictures; three are pictures too where they hold bytes or are
    square, and else series.
    """
    if y is None:
        return None
    if len(x) == 3 and len(y) in (2, 3) and y[:2] == x[:2] and y[1] > 1:
        return "array_tasks"
    if len(x) == 2:
        return "arrays"
    if len(x) == 4 or (len(x) == 3 and (dtype == np.uint8 or x[1] == x[2] >= 8)):
        return "array_pictures"
    return "array_series" if len(x) == 3 else None


def read_arrays(path: Path, *, is_labelled: bool = True) -> Arrays:
    """Read `x`, `y` and `split` of an .npz file, of .npy files side by side, or of several that are called by split.

    Args:
        path: The file or the folder.
        is_labelled: Whether there must be `y`.

    Raises:
        DataError: They are not there, cannot be read, or do not fit each other.
    """
    listing = list_files(path)
    if listing.is_file and path.suffix.lower() == ".npy":
        listing = list_files(path.parent)  # an array of inputs alone is nothing without the labels beside it
    files = named_arrays(listing)
    if not files:
        raise DataError(f"{path} holds no arrays that are called so: put in an .npz file with x and y, or x.npy and "
                        "y.npy side by side")
    parts = [_part(listing, split, own, is_labelled=is_labelled) for split, own in files.items()]
    if len({(part.x.shape[1:], None if part.y is None else part.y.shape[1:]) for part in parts}) > 1:
        shapes = listed([f"{part.name} {list(part.x.shape)}" for part in parts], 5)
        raise DataError(f"{path}: the arrays of its files have different shapes: {shapes}; save them alike")
    if len(parts) == 1:
        return parts[0]
    y = None if parts[0].y is None else np.concatenate([part.y for part in parts if part.y is not None])
    return Arrays(np.concatenate([part.x for part in parts]), y, tuple(s for part in parts for s in part.split),
                  parts[0].name)


def _part(listing: Listing, split: str, files: Sequence[tuple[str, FileEntry]], *, is_labelled: bool) -> Arrays:
    """The arrays of one split, checked against each other."""
    archives = [file.name for role, file in files if role == "npz"]
    if len(archives) > 1:
        raise DataError(f"{listing.root} holds {counted(len(archives), 'files')} of arrays: {listed(archives, 5)}; "
                        "name one of them, or call them train.npz, val.npz and test.npz")
    name = files[0][1].name
    found: dict[str, Array] = {}
    for role, file in files:
        loaded = _loaded(listing.path(file))
        found.update(loaded if role == "npz" else {role: loaded["x"]})
    where = listing.root / name
    if "x" not in found:
        raise DataError(f"{where}: there is no array x; save the inputs under this name")
    if is_labelled and "y" not in found:
        remedy = "put y.npy beside it" if name.lower().endswith(".npy") else "save it under this name"
        raise DataError(f"{where}: there is no array y with a label for each of x; {remedy}")
    x, y = found["x"], found.get("y")
    if x.dtype.kind not in "iufb" or x.ndim < 2 or not x.size:
        raise DataError(f"{where}: x is {x.dtype} of shape {list(x.shape)}, and what can be learned from is numbers of "
                        "shape [examples, features] or with more axes")
    splits = _splits(where, found.get("split"), len(x)) if "split" in found else (split,) * len(x)
    if y is not None and len(y) != len(x):
        raise DataError(f"{where}: x has {counted(len(x), 'rows')} and y has {len(y):,}; give each of x its own of y")
    return Arrays(x, y, splits, name)


def _splits(where: Path, values: Array | None, count: int) -> tuple[str, ...]:
    assert values is not None  # noqa: S101 - the caller has looked
    if len(values) != count:
        raise DataError(f"{where}: x has {counted(count, 'rows')} and split has {len(values):,}; give each of x its "
                        "own of split")
    words = [_text(value) for value in values.ravel()]
    splits = tuple(split_called(word) or _SPLIT_NUMBERS.get(word, "") for word in words)
    unknown = sorted({word for word, split in zip(words, splits, strict=True) if not split})
    if unknown:
        raise DataError(f"{where}: split holds {unknown[0]!r}; write train, validation or test, or 0, 1 or 2")
    return splits


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _loaded(path: Path) -> dict[str, Array]:
    """The arrays of a file by what they are for; that of an .npy file as x.

    Raises:
        DataError: It is damaged, or holds Python objects, which could run anything.
    """
    try:
        with path.open("rb") as opened:
            found = np.load(opened, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {"x": np.atleast_1d(found)}
            names = {name: role for name in found.files if (role := _role(name.lower()))}
            return {role: np.atleast_1d(found[name]) for name, role in names.items()}
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory; take fewer examples") from error
    except PermissionError as error:
        raise DataError(f"{path} {NO_RIGHT}") from error
    except _BROKEN as error:
        if "pickle" in str(error).lower():
            raise DataError(f"{path} holds Python objects, which could run anything and are never opened, or is no "
                            "file of arrays; save plain numbers and texts of one shape with numpy.savez") from error
        raise DataError(f"{path} cannot be read ({str(error) or type(error).__name__}); save it again") from error


def whole_rows(x: Array, where: str) -> tuple[NDArray[np.bool_], list[str]]:
    """[n] whether every number of a row can be reckoned with, and a sentence about those of which some cannot."""
    if x.dtype.kind != "f":
        return np.ones(len(x), dtype=np.bool_), []
    is_whole = are_sound(x.reshape(len(x), -1))
    missing = np.flatnonzero(~is_whole)
    if not len(missing):
        return is_whole, []
    rows = listed([str(row) for row in missing], 5)
    count = counted(len(missing), "rows")
    hold, were = ("holds", "was") if len(missing) == 1 else ("hold", "were")
    return is_whole, [f"{where}: {count} of x {hold} values that are missing, {TOO_LARGE} and "
                      f"{were} left out: {rows}; correct them"]


def labels_of(y: Array, where: str) -> tuple[list[str], NDArray[np.bool_]]:
    """The label of each row, and [n] whether there is one.

    Raises:
        DataError: They are no labels.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(f"{where}: y has shape {list(y.shape)}, and labels are one for each of x, [{len(y)}]; for "
                        "regression give x as [tasks, examples, features] and y as [tasks, examples]")
    is_there = np.ones(len(y), dtype=np.bool_)
    if y.dtype.kind == "f":
        is_there = np.isfinite(y)
        fractions = y[is_there][y[is_there] % 1 != 0]
        if len(fractions):
            raise DataError(f"{where}: y holds {fractions[0]:g}, which is no label; for regression give x as [tasks, "
                            "examples, features] and y as [tasks, examples]")
        return [str(int(value)) if there else "" for value, there in zip(y, is_there, strict=True)], is_there
    if y.dtype.kind not in "iubUS":
        raise DataError(f"{where}: y is {y.dtype}; save labels as whole numbers or texts")
    words = [_text(value) for value in y] if y.dtype.kind in "US" else [str(int(value)) for value in y]
    return words, np.array([bool(word) for word in words])


def scaling(x: Array) -> tuple[float, float]:
    """The values that are black and white: 0 and 1, 255 or 65535 where all lie between, else the least and greatest."""
    low, high = float(x.min()), float(x.max())
    for top in (1.0, 255.0, 65535.0):
        if low >= 0 and high <= top and (x.dtype != np.uint8 or top == 255):
            return 0.0, top
    return low, high if high > low else low + 1


def as_pictures(x: Array, scale: Mapping[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
    """Pictures [n, channels, height, width] uint8 of an array [n, height, width] with or without channels.

    Args:
        x: The array; with four axes the shorter one of the second and the last counts the channels.
        scale: Where another array of the same kind had its channels, and its black and white; None to find out.

    Returns:
        The pictures, and what was found out, as plain values.
    """
    if scale is None:
        low, high = scaling(x)
        place = "none" if x.ndim == 3 else "last" if x.shape[3] < x.shape[1] else "first"
        scale = {"channels": place, "low": low, "high": high}
    if scale["channels"] == "none" and x.ndim == 3:
        x = x[:, None]
    elif scale["channels"] == "last":
        x = x.transpose(0, 3, 1, 2)
    if x.dtype == np.uint8 and (scale["low"], scale["high"]) == (0, 255):
        return np.ascontiguousarray(x), dict(scale)
    shares = (x.astype(np.float32) - scale["low"]) / (scale["high"] - scale["low"])
    return np.round(255 * shares.clip(0, 1)).astype(np.uint8), dict(scale)


def as_series(x: Array, *, is_turned: bool | None = None) -> tuple[NDArray[np.float32], bool]:
    """Series [n, channels, steps] float32 of an array [n, steps] or with channels on either side of the steps.

    Args:
        x: The array; of two axes the longer one counts the steps.
        is_turned: Whether the steps come before the channels; None to find out.

    Returns:
        The series, and whether the steps came first.
    """
    if x.ndim == 2:
        x = x[:, None]
    if is_turned is None:
        is_turned = x.shape[1] > x.shape[2]
    return np.ascontiguousarray(x.transpose(0, 2, 1) if is_turned else x, dtype=np.float32), is_turned
