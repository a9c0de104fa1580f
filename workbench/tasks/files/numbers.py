"""Reads lists and files of numbers strictly: rows of cells that are parted by commas, semicolons, tabs or spaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.tasks.files.delimited import decoded, parted
from workbench.tasks.files.each import content
from workbench.tasks.files.errors import FileError

_SPACES = ""
ERRORS = frozenset({"nan(ind)", "-nan", "+nan", "-nan(ind)", "1.#inf", "-1.#inf", "1.#qnan", "-1.#ind", "1.#ind",
                    "not a number", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!", "<na>"})
"""What programs write, in lower case, where they failed to reckon a number."""
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", ".", "missing"})
"""Cells, in lower case, that say that there is no number."""
NO_ANSWER = frozenset({"k.a.", "k. a.", "n.a.", "n. a.", "n.n.", "o.a.", "s/d", "keine angabe", "unknown"})
"""What people write into a column of numbers, in lower case, where they have none; elsewhere it may be a category."""
LARGEST = 1e30
"""Numbers as large as this are none that float32 could be reckoned with."""
TOO_LARGE = "infinite or larger than 1e30"
_NO_NUMBER = MISSING | ERRORS


def read_cells(path: Path, most: int | None = None) -> list[tuple[int, list[str]]]:
    """The lines of a file that hold anything, as (number of the line, cells without spaces around them).

    A comma is the sign of decimals where another sign parts the cells, and becomes a point there.

    Args:
        path: The file.
        most: Bytes that are looked at, without the line that this cuts in two; None for all.

    Raises:
        FileError: It cannot be read, is empty, or is no text.
    """
    data = content(path)
    is_whole = most is None or len(data) <= most
    if not is_whole:
        data = data[:most].rpartition(b"\n")[0] or data[:most]
    text, is_guess = decoded(data)
    if is_guess:
        raise FileError("is not in UTF-8; save it as CSV in UTF-8, or delete it")
    lines = text.splitlines()
    sign = _sign(next((line for line in lines if line.strip()), ""))
    found = list(parted(text, sign, is_whole=is_whole)) if sign != _SPACES else [
        (number, cells) for number, line in enumerate(lines, 1) if (cells := line.split())]
    if not found:
        raise FileError("holds nothing but empty lines; replace or delete it")
    return found if sign == "," else [(number, [_pointed(cell) for cell in row]) for number, row in found]


def _sign(line: str) -> str:
    return next((sign for sign in "\t;," if sign in line), _SPACES)


def _pointed(cell: str) -> str:
    return cell.replace(",", ".") if number(cell.replace(",", ".")) is not None else cell


def number(cell: str) -> float | None:
    """The number in a cell; a missing one (an empty cell, NA, nan, ?) is not a number, and None stands for words."""
    if cell.lower() in _NO_NUMBER:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return None


def fault(value: float | None) -> str:
    """What is wrong with what stands where a number belongs; empty where it can be reckoned with or is missing."""
    if value is None:
        return "is no number"
    return f"is {TOO_LARGE}" if abs(value) >= LARGEST else ""


def are_sound(values: NDArray[Any]) -> NDArray[np.bool_]:
    """[..., n] of any numeric type to [...]: whether the n numbers are all there and can be reckoned with."""
    # As float64, for the bound itself is no number of a shorter type.
    return np.asarray((np.abs(values) < np.float64(LARGEST)).all(-1), dtype=np.bool_)


def is_header(row: Sequence[str]) -> bool:
    """Whether a first row names its columns: most of its cells are words."""
    filled = [cell for cell in row if cell]
    return 2 * sum(number(cell) is None for cell in filled) > len(filled)


def counts_up(row: Sequence[str]) -> bool:
    """Whether the cells are whole numbers that follow one another, as columns are numbered."""
    values = [int(cell) if cell.isdigit() else -1 for cell in row]
    return len(values) > 2 and values == list(range(values[0], values[0] + len(values))) and values[0] in (0, 1)
