"""Tables of a person's own: their cells, their columns, and what kind each is of."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.tasks.files.delimited import TABLE_SUFFIXES, Header, read_rows
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.numbers import ERRORS, LARGEST, MISSING, NO_ANSWER
from workbench.tasks.files.watching import tell
from workbench.tasks.files.words import spelled
from workbench.words import listed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LABELS", "MOST_STRAY", "TABLE_SUFFIXES", "Table", "counts_rows", "guess_label", "is_called_id", "is_dates",
           "is_few", "kind_of", "names_rows", "read_table", "stacked", "table_of", "with_column"]

Kind = Literal["numeric", "categorical", "text", "id", "empty"]

_NO_NAME = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "?"}) | ERRORS
_ID = re.compile(r"(.*[ _.-])?(id|idx|index|uuid|guid|nr|no|number|row|rownames|record|key|unnamed: ?\d+)\.?",
                 re.IGNORECASE)
LABELS = ("label", "labels", "class", "classes", "target", "species", "category", "kind", "type", "y")
"""What a column of labels is called."""
MOST_VALUES = 50
"""Different values that a column of a few has at most."""
MOST_STRAY = 0.02
"""The share of cells in a column of numbers whose rows are worth leaving out for being none."""
_DATE = re.compile(r"(\d{4}([-./])\d{1,2}\2\d{1,2}|\d{1,2}([-./])\d{1,2}\3(\d{4}|\d\d))"
                   r"([ T]+\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[AaPp][Mm])?( ?(Z|UTC|[+-]\d\d:?\d\d))?)?")
_FEWEST_OF_A_NUMBER, _FEWEST_IN_ORDER = 5, 20
_BOUND = r"^[<>\N{LESS-THAN OR EQUAL TO}\N{GREATER-THAN OR EQUAL TO}]=?\s*(?=[\d.,+\N{MINUS SIGN}-])"
_DECIMALS = {",": ".", ";": ","}
_COMMA = re.compile(r"[+\N{MINUS SIGN}-]?(\d*|[1-9]\d{0,2}(\.\d{3})+),\d+([eE][+-]?\d+)?")
_COMMA_THOUSANDS = re.compile(r"[+\N{MINUS SIGN}-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_POINT_THOUSANDS = re.compile(r"[+\N{MINUS SIGN}-]?[1-9]\d{0,2}(\.\d{3})+")
_POINTED = re.compile(r"[\d.,+\N{MINUS SIGN}-]*\d[\d.,+\N{MINUS SIGN}-]*")


@dataclass(frozen=True)
class Table:
    """The cells of one file, or of several with the same columns.

    Attributes:
        paths: The files.
        frame: A column of text for each column of the file, named differently each, without white space about cells.
        lines: [rows] line of its file on which each row begins.
        origins: [rows] index in `paths` of the file of each row.
        decimal: "." where commas part the cells, "," where semicolons do and a comma in a number most likely parts
            decimals, and empty where a column has to show it.
        commas: Columns in which a comma parts decimals, and a point thousands.
        has_header: Whether the file itself names its columns.
        problems: What was wrong in reading, each naming the file.
        notes: What was passed over as a matter of course, in words for the line of facts.
    """

    paths: tuple[Path, ...]
    frame: pd.DataFrame
    lines: NDArray[np.int64]
    origins: NDArray[np.int64]
    decimal: str = "."
    commas: frozenset[str] = frozenset()
    has_header: bool = True
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lines)

    @property
    def path(self) -> Path:
        """The file, or the first of them."""
        return self.paths[0]

    @property
    def sign(self) -> str:
        """The sign of decimals: "," where semicolons part the cells and a number shows it."""
        return "," if self.decimal == "," and self.commas else "."

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(map(str, self.frame.columns))

    def where(self, row: int) -> str:
        """The file and the line of a row, such as "iris.csv, line 7"."""
        return f"{self._names[self.origins[row]]}, line {self.lines[row]}"

    def place(self, row: int) -> str:
        """The same with the whole path of the file."""
        return f"{self.paths[self.origins[row]]}, line {self.lines[row]}"

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What `kind_of` found of columns so far: several datasets ask for each, and there may be thousands."""
        return {}

    @cached_property
    def _read(self) -> dict[tuple[str, str], NDArray[Any]]:
        """What was read of columns so far, by what it is and by the column."""
        return {}

    def _once(self, what: str, name: str, read: Callable[[str], NDArray[Any]]) -> NDArray[Any]:
        if (what, name) not in self._read:
            found = read(name)
            found.flags.writeable = False
            self._read[what, name] = found
        return self._read[what, name]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """What the files are called below the folder that they all lie in."""
        common = Path(os.path.commonpath([path.parent for path in self.paths]))
        return tuple(path.relative_to(common).as_posix() for path in self.paths)

    def rows(self, kept: NDArray[Any]) -> Table:
        """Some of the rows, by a mask or by numbers."""
        return replace(self, frame=self.frame.iloc[np.arange(len(self))[kept]].reset_index(drop=True),
                       lines=self.lines[kept], origins=self.origins[kept])

    def check_has(self, names: Collection[str], what: str) -> None:
        """Raise DataError where columns are missing; `what` says why they are needed, such as "dataset.label"."""
        known = frozenset(self.columns)
        absent = [name for name in names if name not in known]
        if absent:
            raise DataError(f"{self.path} has no column {listed([repr(name) for name in absent], 5)}, {what}; its "
                            f"columns are {listed(self.columns, 12)}")

    def spelled(self, names: Sequence[str]) -> tuple[str, ...]:
        """Names of columns that a person wrote, as the table spells them; unknown ones are for `check_has` to name."""
        return tuple(spelled(name, self.columns) for name in names)

    def texts(self, name: str) -> NDArray[np.object_]:
        """[rows] cells of a column as text; empty where it says that there is nothing."""
        cells = self.frame[name].to_numpy(dtype=object)
        return np.array(["" if cell.lower() in _NO_NAME else cell for cell in cells], dtype=object)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """[rows] finite numbers in a column, not to be changed; NaN where a cell is missing or is no number."""
        return self._once("numbers", name, self._numbers)

    def _numbers(self, name: str) -> NDArray[np.float64]:
        values = self._written(name)
        return np.where(np.abs(values) < LARGEST, values, np.nan)

    def unusable(self, name: str) -> NDArray[np.bool_]:
        """[rows] whether a cell holds a number that is infinite or too large to be reckoned with, or the word of a
        program that could not reckon one; it counts as missing. Not to be changed."""
        return self._once("unusable", name, self._unusable)

    def _unusable(self, name: str) -> NDArray[np.bool_]:
        is_error = np.array([cell.lower() in ERRORS for cell in self.frame[name]], dtype=np.bool_)
        return np.asarray((np.abs(self._written(name)) >= LARGEST) | is_error)

    def bounds(self, name: str) -> NDArray[np.bool_]:
        """[rows] whether a cell holds a number that a value lies below or above, such as <0.5."""
        return self.frame[name].str.contains(_BOUND).to_numpy(np.bool_) & ~np.isnan(self.numbers(name))

    def _written(self, name: str) -> NDArray[np.float64]:
        """[rows] numbers as they are written, infinite ones and those of bounds among them; NaN where there is none."""
        import pandas as pd  # noqa: PLC0415 - slow to import, and most runs read no table

        cells = self.frame[name]
        values = np.array(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)
        is_other = np.isnan(values)
        if name in self.commas:
            is_other |= np.array([_POINT_THOUSANDS.fullmatch(cell) is not None for cell in cells], dtype=np.bool_)
        others = np.flatnonzero(is_other)  # few, as a rule, and slow to read
        if len(others):
            plain = _plain(cells.iloc[others], "," if name in self.commas else ".")
            values[others] = np.array(pd.to_numeric(plain, errors="coerce"), dtype=np.float64)
        return values

    def missing(self, name: str) -> NDArray[np.bool_]:
        """[rows] whether a cell of a column of numbers has none that could be used; not to be changed."""
        return self._once("missing", name, self._missing)

    def _missing(self, name: str) -> NDArray[np.bool_]:
        cells = self.frame[name].str.lower()
        missing: NDArray[np.bool_] = cells.isin(MISSING).to_numpy(np.bool_) | self.unusable(name)
        no_answer: NDArray[np.bool_] = cells.isin(NO_ANSWER).to_numpy(np.bool_)
        numbers = np.count_nonzero(~np.isnan(self.numbers(name)))
        words = len(self) - numbers - np.count_nonzero(missing | no_answer)
        return missing | no_answer if numbers >= words else missing

    def strays(self, name: str) -> NDArray[np.bool_]:
        """[rows] whether a cell is neither a number nor missing."""
        return np.isnan(self.numbers(name)) & ~self.missing(name)


def _plain(cells: pd.Series[str], decimal: str) -> pd.Series[str]:
    """Cells with a point for decimals, a common minus, and nothing between thousands.

    A sign that parts thousands parts three digits each, or it is none.
    """
    cells = cells.str.replace(_BOUND, "", regex=True).str.replace("\N{MINUS SIGN}", "-", regex=False)
    if decimal == ",":
        grouped = cells.str.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")
        return cells.where(~grouped, cells.str.replace(".", "", regex=False)).str.replace(",", ".", regex=False)
    grouped = cells.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
    return cells.where(~grouped, cells.str.replace(",", "", regex=False))


def _with_commas(frame: pd.DataFrame, decimal: str) -> frozenset[str]:
    """The columns in which a comma parts decimals: those with such a number, and, in a table that has such columns,
    those whose points can all part thousands."""
    if decimal == ".":
        return frozenset()
    found = {name for name in frame.columns if _has_decimal_comma(set(frame[name]), decimal)}
    others = {name for name in frame.columns if found and name not in found and _parts_thousands(set(frame[name]))}
    return frozenset(map(str, found | others))


def _has_decimal_comma(cells: Collection[str], decimal: str) -> bool:
    """Whether a number has a comma that cannot part thousands; where it can in each of them, `decimal` decides."""
    numbers = [cell for cell in cells if "," in cell and _POINTED.match(cell)]
    grouped = [cell for cell in numbers if _COMMA_THOUSANDS.fullmatch(cell)]
    if any(_COMMA.fullmatch(cell) for cell in set(numbers) - set(grouped)):
        return True
    return decimal == "," and bool(grouped) and all("." not in cell and cell.count(",") == 1 for cell in grouped)


def _parts_thousands(cells: Collection[str]) -> bool:
    """Whether there are numbers with points, and all of the points can part thousands."""
    pointed = [cell for cell in cells if "." in cell and _POINTED.fullmatch(cell)]
    return bool(pointed) and all(_POINT_THOUSANDS.fullmatch(cell) for cell in pointed)


def read_table(path: Path, header: Header = "auto") -> Table:
    """Read a csv or tsv file. Nothing may be changed in what comes back.

    Raises:
        DataError: It cannot be read, is no text, is empty, has no rows, or many rows are torn.
        GivenUpError: Nobody wants it any more.
    """
    tell()
    try:
        stat = path.stat()
    except OSError:
        return _read_table(path, header, 0, 0)  # which says what is wrong
    return _read_table(path, header, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2)
def _read_table(path: Path, header: Header, size: int, changed: int) -> Table:  # noqa: ARG001 - they tell a new file
    """Several datasets look at the same table before one of them reads it."""
    found = read_rows(path, header)
    table = table_of(path, found.names, found.cells, found.lines, decimal=_DECIMALS.get(found.delimiter, ""),
                     has_header=found.has_header, problems=found.problems)
    return replace(table, notes=found.notes)


def table_of(path: Path, names: Sequence[str], cells: Sequence[Sequence[str]], lines: Sequence[int], *,
             decimal: str = ".", has_header: bool = True, problems: Sequence[str] = ()) -> Table:
    """The table of one file with these columns, and rows of cells."""
    import pandas as pd  # noqa: PLC0415 - slow to import, and most runs read no table

    frame = pd.DataFrame(dict(zip(names, map(list, zip(*cells, strict=True)), strict=True)), dtype=object)
    return Table((path,), frame, np.array(lines, dtype=np.int64), np.zeros(len(frame), dtype=np.int64), decimal,
                 _with_commas(frame, decimal), has_header, tuple(problems))


def stacked(tables: Sequence[Table]) -> Table:
    """The rows of several tables under one another, in the columns of the first.

    Raises:
        DataError: A table lacks a column of the first.
    """
    if len(tables) == 1:
        return tables[0]
    import pandas as pd  # noqa: PLC0415 - slow to import, and most runs read no table

    columns = list(tables[0].columns)
    for table in tables:
        table.check_has(columns, f"which {tables[0].path.name} has")
        if table.decimal != tables[0].decimal and any(one.commas for one in tables):
            raise DataError(f"{table.path} parts its cells otherwise than {tables[0].path.name}; save both in one way")
    sizes = [len(table) for table in tables]
    frame = pd.concat([table.frame[columns] for table in tables], ignore_index=True)
    return replace(tables[0], paths=tuple(table.path for table in tables), frame=frame,
                   commas=_with_commas(frame, tables[0].decimal),
                   lines=np.concatenate([table.lines for table in tables]),
                   origins=np.repeat(np.arange(len(tables)), sizes),
                   problems=tuple(problem for table in tables for problem in table.problems),
                   notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)))


def with_column(table: Table, name: str, cell: str) -> Table:
    """A table with one more column, which holds the same in every row."""
    return replace(table, frame=table.frame.assign(**{name: cell}))


def kind_of(table: Table, name: str) -> Kind:
    """What kind of column it is.

    Numbers, though up to 2 % of the cells (and one of ten or more) may be none; names for the rows (all different, and
    called an id, counting the rows in order, or no text of several words); at most 50 values that come twice on
    average; numbers again, where most cells are; longer text; or nothing.
    """
    if name not in table.kinds:
        table.kinds[name] = _kind_of(table, name)
    return table.kinds[name]


def _kind_of(table: Table, name: str) -> Kind:
    missing = table.missing(name)
    present = int(np.count_nonzero(~missing))
    if not present:
        return "empty"
    numbers = table.numbers(name)
    values = numbers[~np.isnan(numbers)]
    are_whole = bool((values == np.round(values)).all())
    are_numbers = 2 * np.count_nonzero(table.bounds(name)) < present  # else <5 and >5 are two groups
    if are_numbers and present - len(values) <= max(MOST_STRAY * present, min(1, (present - 1) // 10)):
        is_count = are_whole and len(np.unique(values)) == len(values) > 2
        # A first column without a name beside columns with one numbers the rows.
        is_id = is_called_id(name) or (table.has_header and name == "column 1") or counts_rows(table, name)
        return "id" if is_count and is_id else "numeric"
    cells = table.frame[name].to_numpy(dtype=object)[~missing]
    distinct = len(set(cells))
    if distinct <= min(MOST_VALUES, max(2, present / 2)):
        return "categorical"
    if are_numbers and 2 * len(values) > present and not (are_whole and distinct == present):
        return "numeric"
    # Many scripts put no space between words, and names for rows are seldom written in them.
    are_words = np.mean([" " in cell or not cell.isascii() for cell in cells]) > 0.5
    return "id" if distinct == present and not are_words else "text"


def counts_rows(table: Table, name: str) -> bool:
    """Whether a column holds n, n + 1, n + 2 and so on for the rows of a table that has many."""
    numbers = table.numbers(name)
    return len(numbers) >= _FEWEST_IN_ORDER and bool((numbers == numbers[0] + np.arange(len(numbers))).all())


def names_rows(table: Table, name: str) -> bool:
    """Whether a column that nobody learns from is there to tell rows apart, however few they are, or to date them."""
    return kind_of(table, name) == "id" or is_called_id(name) or is_dates(table, name)


def is_dates(table: Table, name: str) -> bool:
    """Whether a column holds nothing but dates, such as 2024-03-31 14:05, 31.3.2024 or 3/31/24, and gaps."""
    cells = [cell for cell in table.texts(name) if cell]
    return bool(cells) and all(_DATE.fullmatch(cell) for cell in cells)


def is_called_id(name: str) -> bool:
    """Whether a column is called as those are that only tell rows apart."""
    return _ID.fullmatch(name) is not None


def guess_label(table: Table, without: Collection[str] = ()) -> str | None:
    """The column that says the class of each row: one that is called so, else the last of few values that most rows
    have, else one of few whole numbers: the last, or the first where no column has a name; or None."""
    free = [name for name in table.columns if name not in without]
    for wanted in LABELS:
        named = [name for name in free if name.lower() == wanted and _repeats(table, name, 2)]
        if named:
            return named[0]
    repeated = [name for name in free if kind_of(table, name) in ("categorical", "text") and _repeats(table, name, 3)
                and 2 * np.count_nonzero(table.texts(name) != "") >= len(table)]
    if repeated:
        return repeated[-1]
    numbered = [name for name in (free[-1:] if table.has_header else [*free[-1:], *free[:1]]) if is_few(table, name)]
    return numbered[0] if numbered and len(free) > 1 else None


def is_few(table: Table, name: str) -> bool:
    """Whether a column has a few whole numbers that come back as often as those of classes do."""
    numbers = table.numbers(name)
    there = numbers[~np.isnan(numbers)]
    distinct = len(np.unique(there))
    is_whole = bool((there == np.round(there)).all()) and not table.strays(name).any()
    return (kind_of(table, name) == "numeric" and is_whole
            and 2 <= distinct <= MOST_VALUES and len(there) >= _FEWEST_OF_A_NUMBER * distinct)


def _repeats(table: Table, name: str, times: float) -> bool:
    """Whether each value of a column comes so many times on average."""
    cells = [cell for cell in table.texts(name) if cell]
    return len(cells) >= times * len(set(cells)) > 0
