"""Tables with a time series in every row: which columns are its steps, and what the rows hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.tasks.files.errors import FileError
from workbench.tasks.files.numbers import counts_up, fault, is_header, number, read_cells
from workbench.tasks.files.resampling import Values, filled, trimmed
from workbench.tasks.files.words import spelled
from workbench.words import counted, listed

FEWEST_STEPS = 8
"""Fewer columns than these are no series but a table."""

_LABELS = ("label", "labels", "class", "classes", "target", "y", "category", "gesture", "activity", "species")
_STEPS = frozenset({"", "t", "time", "step", "sample", "tick", "frame", "timestep", "timepoint"})
FEATURES = re.compile(r"(pixel|px|feat|feature|f|emb|embedding|dim|pc|var|col|column|attr|word|w|bin|gene|probe|bit|"
                      r"fp|fingerprint)[ _.-]?$", re.IGNORECASE)
"""What columns are called whose numbers are those of features: they are in no order of time, nor tasks."""
_NUMBERED = re.compile(r"(.*?)[ _.:\-\[(]*(\d+)[\])]*$")
_LOOKED_AT, _FEWEST_NAMELESS = 200, 16
_GUESS = 0.08  # less than whoever knows why a table will not do
# Correlation of neighbours that steps in time have at least, and where no header says of fractions what they are:
# features in any order have none, but pixels, which are whole numbers, have some.
_ALIKE, _ALIKE_NAMELESS = 0.5, 0.2
_FEWEST_SHORT, _MOST_WITH_GAPS = 0.1, 0.05


@dataclass(frozen=True)
class Columns:
    """Which columns mean what.

    Attributes:
        label: Index of the column of labels; None where there is none.
        channels: Indices of the steps of each channel, in order.
        names: Name of each channel; empty where the table does not say.
        certainty: From 0 to 1, how surely they are series.
        why: What shows it.
    """

    label: int | None
    channels: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    certainty: float
    why: str


@dataclass(frozen=True)
class Rows:
    """The series of a table.

    Attributes:
        labels: Of each series; empty where the table has no column of labels.
        groups: Of each series what it belongs to; empty where no column was named that says so.
        series: [channels, steps] each.
        lines: The line of each.
        columns: What the columns mean.
        gaps: Missing values that were filled.
        problems: What was left out, each naming its line.
    """

    labels: list[str]
    groups: list[str]
    series: list[Values]
    lines: list[int]
    columns: Columns
    gaps: int
    problems: list[str]


def read_rows(path: Path, label: str | None, group: str | None = None, *, is_labelled: bool = True) -> Rows:
    """Read a table with a series in every row; what stands in no row that can be read is named and left out.

    Args:
        path: The table, with a header or without.
        label: Name of the column of labels, or its number from 1; None to find it.
        group: The same of the column of what a series belongs to; None for none.
        is_labelled: Whether it has a column of labels.

    Raises:
        FileError: It is no such table, with the reason and the remedy.
    """
    header, cells = _parted(read_cells(path))
    width = len(header) if header else max(len(row) for _, row in cells)
    grouped = _named_column(header, width, group, "groups") if group else None
    columns = find_columns(header, [row for _, row in cells], label, is_labelled=is_labelled, without=grouped)
    result = Rows([], [], [], [], columns, 0, [])
    gaps, nameless = 0, list[str]()
    for line, row in cells:
        try:
            if len(row) > width and any(row[width:]):
                raise FileError(f"{counted(len(row), 'cells', 'stands', 'stand')} where the header has {width}; mend "
                                "or delete the line")
            name = row[columns.label] if columns.label is not None and columns.label < len(row) else ""
            if is_labelled and not name:
                nameless.append(str(line))
                continue
            series, missing = _series(row, columns)
        except FileError as error:
            result.problems.append(f"line {line}: {error}")
            continue
        result.labels.append(name)
        result.groups.append(row[grouped] if grouped is not None and grouped < len(row) else "")
        result.series.append(series)
        result.lines.append(line)
        gaps += missing
    if nameless:
        lines = "line" if len(nameless) == 1 else "lines"
        result.problems.append(f"{lines} {listed(nameless, 5)}: the label is missing; write it or delete the {lines}")
    return Rows(result.labels, result.groups, result.series, result.lines, columns, gaps, result.problems)


def look_at(path: Path, label: str | None) -> Columns:
    """What the columns of a table mean, from its first lines.

    Raises:
        FileError: It is no table of series.
    """
    header, cells = _parted(read_cells(path, 1_000_000)[: _LOOKED_AT + 1])
    return find_columns(header, [row for _, row in cells], label, is_labelled=True)


def _parted(cells: list[tuple[int, list[str]]]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, empty where there is none, and the rows below it."""
    first = cells[0][1]
    has_header = is_header(first) or counts_up(first[1:]) or counts_up(first[:-1])
    header, rows = (first, cells[1:]) if has_header else ([], cells)
    if not rows:
        raise FileError("holds a header and no rows; write a series into each row")
    return header, rows


def find_columns(header: Sequence[str], rows: Sequence[Sequence[str]], label: str | None, *, is_labelled: bool,
                 without: int | None = None) -> Columns:
    """What the columns of a table mean.

    Columns whose names are numbered in order are the steps of a channel each; without names all columns are steps but
    the one of labels, and the one that they are to do `without`.

    Raises:
        FileError: The columns are no series, or none of them holds labels.
    """
    looked = rows[:_LOOKED_AT]
    width = len(header) if header else max(len(row) for row in rows)
    place = _named_column(header, width, label, "labels") if label else None
    groups = _numbered(header, {place, without})
    if is_labelled and place is None:
        taken = {without, *(column for steps in groups.values() for column in steps)}
        place = _label(header, looked, taken, width)
    is_numbered = bool(groups)
    if not is_numbered:
        groups = {"": [column for column in range(width) if column not in (place, without)]}
        _check_are_numbers(header, groups[""], looked)
    largest = max(map(len, groups.values()))
    chosen = {name: tuple(steps) for name, steps in groups.items() if len(steps) == largest}
    if largest < FEWEST_STEPS:
        raise FileError(f"has {counted(largest, 'columns')} of steps and a series needs {FEWEST_STEPS}; number the "
                        "columns of the steps in order, such as t0, t1, t2")
    channels = tuple(chosen.values())
    if header and not is_numbered:
        certainty, why = _GUESS, f"{largest:,} columns with names of their own could be steps in time"
    else:
        certainty, why = _certainty(header, chosen, looked)
    return Columns(place, channels, tuple(chosen) if header and len(chosen) > 1 else (), certainty, why)


def _check_are_numbers(header: Sequence[str], columns: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
    """Raise FileError where most cells of a column that is to be a step in time are no numbers."""
    for column in columns:
        cells = [row[column] for row in rows if column < len(row) and row[column]]
        if cells and 2 * sum(number(cell) is None for cell in cells) > len(cells):
            name = f"the column {header[column]!r}" if header else f"column {column + 1}"
            raise FileError(f"has words such as {cells[0]!r} in {name}, so its rows are no series; leave out what is "
                            "neither the label nor a step in time")


def _named_column(header: Sequence[str], width: int, name: str, what: str) -> int:
    if (known := spelled(name, header)) in header:
        return header.index(known)
    if name.isdigit() and 1 <= int(name) <= width:
        return int(name) - 1
    there = ", ".join(header[:6]) if header else f"none, but {counted(width, 'columns')} that are numbered from 1"
    raise FileError(f"has no column {name!r} for the {what}; its columns are: {there}")


def _numbered(header: Sequence[str], taken: set[int | None]) -> dict[str, list[int]]:
    """Columns by what stands before their numbers, in the order of the numbers, where those follow one another."""
    found: dict[str, list[tuple[int, int]]] = {}
    for column, name in enumerate(header):
        parts = _NUMBERED.match(name)
        if parts and column not in taken:
            found.setdefault(parts[1].strip(), []).append((int(parts[2]), column))
    groups: dict[str, list[int]] = {}
    for name, steps in found.items():
        steps.sort()
        gaps = {after - before for (before, _), (after, _) in pairwise(steps)}
        if len(steps) >= FEWEST_STEPS and len(gaps) == 1:
            groups[name] = [column for _, column in steps]
    return groups


def _label(header: Sequence[str], rows: Sequence[Sequence[str]], steps: set[int | None], width: int) -> int:
    """The column of labels: by its name, by holding words, or as the first or last that holds few whole numbers."""
    free = [column for column in range(width) if column not in steps]
    named = [column for name in _LABELS for column in free if header and header[column].lower() == name]
    columns = {column: [row[column] for row in rows if column < len(row) and row[column]] for column in free}
    ends = [column for column in ((0, width - 1) if len(steps) < FEWEST_STEPS else free) if column in columns]
    for column in named:
        return column
    words = [column for column in free if columns[column] and all(number(cell) is None for cell in columns[column])]
    repeated = [column for column in words if 2 * len(set(columns[column])) <= len(columns[column])]
    whole = [column for column in ends if columns[column] and _are_classes(columns[column])]
    for column in (*repeated, *whole, *words):
        return column
    raise FileError("has no column of labels; name one in dataset.label")


def _are_classes(cells: Sequence[str]) -> bool:
    values = [number(cell) for cell in cells]
    return all(value is not None and value.is_integer() for value in values) and (
        2 * len(set(values)) <= len(values))


def _certainty(header: Sequence[str], groups: dict[str, tuple[int, ...]], rows: Sequence[Sequence[str]]
               ) -> tuple[float, str]:
    """How surely columns are steps in time, and what shows it."""
    steps = len(next(iter(groups.values())))
    if header and all(name.lower() in _STEPS for name in groups):
        return 0.9, f"{steps:,} columns are numbered as steps in time"
    if any(FEATURES.match(name) for name in groups):
        return _GUESS, f"{steps:,} numbered columns could be steps in time"
    tables = [np.array([[_value(row, column) for column in columns] for row in rows]) for columns in groups.values()]
    if not header and steps >= _FEWEST_NAMELESS and end_early(np.isfinite(tables[0])):
        return 0.9, f"rows of up to {steps:,} numbers end early, as series of unequal lengths do"
    likeness = float(np.mean([_likeness(table) for table in tables]))
    why = f"neighbouring ones among {steps:,} columns hold like values (correlation {likeness:.2f})"
    are_fractions = any((table != np.round(table))[np.isfinite(table)].any() for table in tables)
    is_like = likeness > (_ALIKE_NAMELESS if are_fractions and not header else _ALIKE)
    return 0.85 if is_like and steps >= _FEWEST_NAMELESS else _GUESS, why


def end_early(is_there: NDArray[np.bool_], ends: int = 3) -> bool:
    """Whether rows [rows, columns] lack cells at their ends alone, as padded series do: many, and at `ends` places."""
    rows = is_there[is_there.any(1)]
    lengths = rows.shape[1] - np.argmax(rows[:, ::-1], axis=1)
    is_short, has_gaps = lengths < rows.shape[1], rows.sum(1) < lengths
    return (len(np.unique(lengths)) >= ends and float(is_short.mean()) >= _FEWEST_SHORT
            and float(has_gaps.mean()) <= _MOST_WITH_GAPS)


def _likeness(table: Values) -> float:
    """Correlation of a value with the next one of its row, after the mean of each column is taken away."""
    is_there = np.isfinite(table)
    around = np.where(is_there, table, 0.0)
    for axis in (0, 1):
        mean = around.sum(axis, keepdims=True) / is_there.sum(axis, keepdims=True).clip(min=1)
        around = np.where(is_there, around - mean, 0.0)
    size = float((around**2).mean())
    return float((around[:, 1:] * around[:, :-1]).mean()) / size if size > 0 else 0.0


def _value(row: Sequence[str], column: int) -> float:
    value = number(row[column]) if column < len(row) else np.nan
    return np.nan if value is None or fault(value) else value


def _series(row: Sequence[str], columns: Columns) -> tuple[Values, int]:
    """The series [channels, steps] of a row without the empty cells at its end, and how many gaps were filled."""
    values = np.empty((len(columns.channels), len(columns.channels[0])))
    for channel, steps in enumerate(columns.channels):
        for place, column in enumerate(steps):
            cell = row[column] if column < len(row) else ""
            value = number(cell)
            if wrong := fault(value):
                raise FileError(f"{cell!r} in column {column + 1} {wrong}; correct it or delete the line")
            values[channel, place] = value
    return whole(values)


def whole(values: Values) -> tuple[Values, int]:
    """A series without the missing steps at its end and with its gaps filled, and how many those were.

    Raises:
        FileError: Fewer than two steps, or nothing of a channel, are left.
    """
    series = trimmed(values)
    if series.shape[1] < 2:
        raise FileError(f"holds {counted(series.shape[1], 'values')}, which is no series; fill it in or delete it")
    try:
        return filled(series)
    except ValueError as error:
        raise FileError(f"{error}; fill it in or delete it") from error
