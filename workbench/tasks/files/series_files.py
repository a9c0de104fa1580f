"""Files with a time series each: a table with a column a channel, or an array."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.tasks.files.each import content
from workbench.tasks.files.errors import FileError
from workbench.tasks.files.numbers import LARGEST, TOO_LARGE, fault, is_header, number, read_cells
from workbench.tasks.files.resampling import Values
from workbench.tasks.files.series_rows import whole
from workbench.words import counted

TABLES, ARRAYS = frozenset({".csv", ".tsv", ".txt"}), frozenset({".npy"})
_TIMES = frozenset({"", "t", "time", "times", "timestamp", "date", "datetime", "index", "step", "seconds", "ms", "s",
                    "unnamed: 0"})


class OneSeries(NamedTuple):
    """A series as its file has it.

    Attributes:
        values: [channels, steps].
        names: Name of each channel; empty where the file does not say.
        gaps: Missing values that were filled.
    """

    values: Values
    names: tuple[str, ...]
    gaps: int


def read_series(path: Path) -> OneSeries:
    """Read a file that holds one series.

    Of a table every column is a channel, but one of times, which is left out; of an array [steps] or with two axes the
    shorter one counts the channels.

    Raises:
        FileError: It holds no series, with the place and the remedy.
    """
    if path.suffix.lower() in ARRAYS:
        values, gaps = whole(_array(path))
        return OneSeries(values, (), gaps)
    cells = read_cells(path)
    names = cells[0][1] if is_header(cells[0][1]) else []
    rows = cells[1:] if names else cells
    if not rows:
        raise FileError("holds a header and no rows; write a row for each step, or delete it")
    width = len(names) or len(rows[0][1])
    kept = [column for column in range(width) if not names or names[column].lower() not in _TIMES]
    table = np.empty((len(rows), width))
    for place, (line, row) in enumerate(rows):
        if len(row) != width:
            raise FileError(f"has {counted(len(row), 'cells')} in line {line} and {width} in the first; give every "
                            "line as many")
        for column, cell in enumerate(row):
            value = number(cell) if column in kept else 0.0
            if wrong := fault(value):
                raise FileError(f"has {cell!r} in line {line}, column {column + 1}, which {wrong}; correct it or "
                                "delete the line")
            table[place, column] = value
    if not names and width > 1 and _is_clock(table[:, 0]):
        kept = kept[1:]
    kept = kept or list(range(width))
    values, gaps = whole(table[:, kept].T)
    return OneSeries(values, tuple(names[column] for column in kept) if names else (), gaps)


def _is_clock(column: Values) -> bool:
    """Whether the numbers grow by the same step all the way."""
    steps = np.diff(column)
    return len(steps) > 2 and bool((steps > 0).all() and np.ptp(steps) <= 1e-6 * abs(steps[0]))


def _array(path: Path) -> Values:
    """[channels, steps] of a .npy file."""
    try:
        found = np.load(io.BytesIO(content(path)), allow_pickle=False)
    except (ValueError, EOFError, OSError, KeyError) as error:
        raise FileError(f"is no array of plain numbers ({error}); save it with numpy.save, or delete it") from error
    if not isinstance(found, np.ndarray):
        raise FileError("holds several arrays; save one alone with numpy.save, or delete it")
    if found.dtype.kind not in "iufb" or found.ndim not in (1, 2) or not found.size:
        raise FileError(f"holds {found.dtype} of shape {list(found.shape)}, and a series is numbers of shape [steps] "
                        "or [steps, channels]; save it so, or delete it")
    values = np.atleast_2d(found.astype(np.float64))
    if (np.abs(values) >= LARGEST).any():
        raise FileError(f"holds values that are {TOO_LARGE}; correct or delete it")
    return values.T if values.shape[0] > values.shape[1] else values


def alike(series: Mapping[int, OneSeries]) -> tuple[dict[int, OneSeries], tuple[str, ...], dict[int, str]]:
    """Those of some series that have the channels of most, in the order that most have them.

    Returns:
        The series by their index, the names of the channels (empty where no file names them), and why others were left
        out, by index.
    """
    if not series:
        return {}, (), {}
    channels = Counter(len(one.values) for one in series.values()).most_common(1)[0][0]
    named = Counter(one.names for one in series.values() if one.names and len(one.names) == channels)
    names = named.most_common(1)[0][0] if named else ()
    kept, odd = {}, {}
    for index, one in series.items():
        count = len(one.values)
        if count != channels:
            odd[index] = f"has {counted(count, 'channels')} where most have {channels}; give it as many, or delete it"
        else:
            kept[index] = ordered(one, names)
    return kept, names, odd


def ordered(one: OneSeries, names: tuple[str, ...]) -> OneSeries:
    """A series with its channels in the order of these names, where it has the very same in another."""
    if one.names == names or sorted(one.names) != sorted(names) or len(set(names)) < len(names):
        return one
    return one._replace(values=one.values[[one.names.index(name) for name in names]], names=names)
