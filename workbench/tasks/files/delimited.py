"""Reads the rows of a csv or tsv file as text: its encoding, what parts its cells, its header, and torn rows."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from workbench.tasks.files.errors import DataError, FileError
from workbench.words import counted, listed

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".data"})
Header = Literal["auto", "yes", "no"]

# In a tie the first is taken: cells of a text hold commas more often than they hold semicolons, and lists in a cell are
# parted by strokes.
_DELIMITERS = ("\t", ";", ",", "|")
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
                     codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_BEGINNINGS = {b"PK\x03\x04": "a spreadsheet or a zip", b"\x1f\x8b": "packed with gzip", b"\x89PNG": "a picture",
               b"\xff\xd8\xff": "a picture", b"%PDF": "a PDF", b"\xd0\xcf\x11\xe0": "an old spreadsheet"}
_LOOKED_AT, _MOST_TORN, _MOST_TITLES = 200, 0.1, 20
csv.field_size_limit(10_000_000)  # characters of a cell, which may be a long text; at first they are 131,072
_FILL_IN = "write a row with the names of the columns and a row for each example"
# What stands in plain text beside letters: tab, both ends of lines, a page end and the end of file of old systems.
_BINARY = frozenset(map(chr, range(32))) - frozenset("\t\n\r\f\x1a\x0b")


@dataclass(frozen=True)
class Rows:
    """The cells of a file.

    Attributes:
        names: Name of each column, all different; "column 3" where the file gives none.
        cells: Rows of as many cells each, without white space about them.
        lines: Line of the file on which each row begins.
        delimiter: What parts the cells.
        has_header: Whether the file names its columns.
        problems: What was wrong and how it was taken, each naming the file.
        notes: What was passed over as a matter of course, in words for the line of facts.
    """

    names: tuple[str, ...]
    cells: list[list[str]]
    lines: list[int]
    delimiter: str
    has_header: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_rows(path: Path, header: Header = "auto") -> Rows:
    """Read a file whose cells are parted by tabs, semicolons, commas or strokes.

    A row with more or fewer cells than the others is left out and named; where more than a tenth are torn, it is
    likelier that the file is read wrongly, and that is an error.

    Args:
        path: The file.
        header: Whether the first row names the columns; "auto" looks whether it differs from those below.

    Raises:
        DataError: It cannot be read, is no text, is empty, has no rows, or most rows are torn.
    """
    text, problems = read_text(path)
    delimiter = _delimiter(text, path)
    try:
        rows = _without_empty_end(list(parted(text, delimiter)))
    except FileError as error:
        raise DataError(f"{path}: {error}") from error
    if not rows:
        raise DataError(f"{path} is empty; {_FILL_IN}")
    titles = _titles([row for _, row in rows]) if header != "no" else 0
    notes = [f"{counted(titles, 'line')} above the header passed over"] if titles else []
    del rows[:titles]
    cells = [row for _, row in rows]
    has_header = _has_header(cells) if header == "auto" else header == "yes"
    names, body = (cells[0], rows[1:]) if has_header else ([], rows)
    if not body:
        raise DataError(f"{path} has a header and no rows; write a row for each example below it")
    width = _width(names, [row for _, row in body])
    if has_header and len(names) == width - 1:
        problems.append(f"{path.name}: the header names one column fewer than the rows have, as where the first column "
                        "numbers the rows; the first column was taken to have no name")
        names = ["", *names]
    if len(names) > width:
        raise DataError(f"{path}: the header names {counted(len(names), 'columns')} and most rows have "
                        f"{counted(width, 'cells')}; give every row a cell for each column")
    names, renamed = _unique([*names, *[""] * (width - len(names))], path)
    whole = [(line, row) for line, row in body if len(row) == width]
    torn = [(line, len(row)) for line, row in body if len(row) != width]
    problems += renamed + _torn(torn, width, len(body), path)
    return Rows(tuple(names), [row for _, row in whole], [line for line, _ in whole], delimiter, has_header,
                tuple(problems), tuple(notes))


def read_text(path: Path, form: str = "CSV") -> tuple[str, list[str]]:
    """The text of a file in UTF-8, UTF-16 or Windows-1252, and a sentence where the encoding had to be guessed.

    Args:
        path: The file.
        form: What it should be saved as where it cannot be read.

    Raises:
        DataError: It is not there, cannot be read, is empty or is no text.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; check the spelling") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder; name the file in it") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give yourself the right to read it") from error
    if not raw.strip():
        raise DataError(f"{path} is empty; {_FILL_IN if form == 'CSV' else 'write something into it or delete it'}")
    try:
        text, is_guess = decoded(raw, form)
    except FileError as error:
        raise DataError(f"{path} {error}") from error
    return text, [f"{path.name} is not in UTF-8 and was read as Windows-1252; if letters look wrong, save it as {form} "
                  "in UTF-8"] if is_guess else []


def decoded(raw: bytes, form: str = "CSV") -> tuple[str, bool]:
    """Text in UTF-8, UTF-16 or UTF-32, or else in Windows-1252, and whether that is only a guess.

    Raises:
        FileError: It is no text.
    """
    for beginning, what in _BEGINNINGS.items():
        if raw.startswith(beginning):
            raise FileError(f"is {what}, whatever its name says; open it in the program that it comes from and save it "
                            f"as {form} in UTF-8")
    text, name = _text(raw, form)
    if not _BINARY.isdisjoint(text[:100_000]) or "\x00" in text:
        raise FileError(f"holds bytes that are no text; save it as {form} in UTF-8")
    return text, name == "cp1252"


def _text(raw: bytes, form: str) -> tuple[str, str]:
    """The text, and the name of its encoding."""
    named = next((name for mark, name in _BYTE_ORDER_MARKS.items() if raw.startswith(mark)), "")
    # Without a mark UTF-16 shows by its zero bytes, which stand on every other place of Western text.
    half = len(raw[:1000]) // 4
    guesses = [named] if named else ["utf-16-le"] if raw[1:1000:2].count(0) > half else \
        ["utf-16-be"] if raw[0:1000:2].count(0) > half else ["utf-8", "cp1252"]
    for name in guesses:
        try:
            return raw.decode(name), name
        except UnicodeDecodeError:
            continue
    raise FileError(f"is no text in UTF-8, UTF-16 or Windows-1252; save it as {form} in UTF-8")


def parted(text: str, delimiter: str, *, is_whole: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row begins and its cells; rows without any letter are passed over.

    Raises:
        FileError: A quotation mark is never closed, unless the text is only the beginning of one.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    before, began = 0, 0
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:  # so large a cell is one that swallowed the rows behind it
            raise FileError(f"line {before + 1}: {error}; close the quotation mark that opens there") from error
        if row is None:
            if is_whole and before - began > 1 and text.count('"') % 2:
                raise FileError(f"line {began + 1}: a quotation mark opens there that is never closed, and all rows "
                                "behind it would be one cell; close or delete it")
            return
        if any(cell.strip() for cell in row):
            yield before + 1, [cell.strip() for cell in row]
        before, began = reader.line_num, before


def _without_empty_end(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows without the empty columns at their end that a delimiter behind the last cell makes."""
    width = Counter(len(row) for _, row in rows).most_common(1)[0][0] if rows else 0
    whole = [row for _, row in rows if len(row) == width]
    used = max((i + 1 for i in range(width) if any(row[i] for row in whole)), default=0)
    return [(line, row[:used] if len(row) == width else row) for line, row in rows]


def _delimiter(text: str, path: Path) -> str:
    """What parts the first rows into the same number of cells most often, and into two at least."""
    best, most = "\t" if path.suffix.lower() in (".tsv", ".tab") else ",", 0.0
    beginning = "".join(islice(io.StringIO(text), 2 * _LOOKED_AT))
    for delimiter in _DELIMITERS:
        try:
            widths = Counter(len(row) for _, row in islice(parted(beginning, delimiter, is_whole=False), _LOOKED_AT))
        except FileError:  # `read_rows` names the cell if this is what parts them
            continue
        width, count = max(widths.items(), key=lambda one: one[1], default=(1, 0))
        if width > 1 and (share := count / widths.total()) > most:
            best, most = delimiter, share
    return best


def _titles(cells: Sequence[Sequence[str]]) -> int:
    """How many rows stand above the header, as the title of an export does: they fill at most half the columns."""
    width = Counter(map(len, cells)).most_common(1)[0][0]
    for place, row in enumerate(cells[:_MOST_TITLES]):
        # Of two columns, the first may well have no name.
        if 2 * sum(map(bool, row)) > width or len(row) == width <= 2:
            return place if place and _has_header(cells[place:]) else 0
    return 0


def _has_header(cells: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names columns: no numbers, or those that number columns, over cells that are otherwise."""
    first, below = cells[0], cells[1:_LOOKED_AT]
    words = [i for i, cell in enumerate(first) if not is_number(cell)]
    numbers = [cell for cell in first if is_number(cell)]
    columns = [[row[i] for row in below if i < len(row)] for i in range(len(first))]
    if any(first[i] in columns[i] for i in words if first[i]):
        return False
    if numbers:  # the columns of an array that has no names are saved as 0, 1, 2
        return len(numbers) > 1 and numbers == [str(i) for i in range(len(numbers))]
    if any(first[i] and 2 * sum(map(is_number, columns[i])) > len(columns[i]) for i in words):
        return True
    # The first of all may be empty, over the numbers of rows.
    return len(set(first)) == len(first) and all(0 < len(cell) <= 40 for cell in first[1:] or first)


def is_number(cell: str) -> bool:
    """Whether a cell is a number with a point or a comma for its decimals."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return cell.lower() not in ("nan", "inf", "-inf", "infinity")


def _width(names: Sequence[str], body: Sequence[Sequence[str]]) -> int:
    """Cells of a whole row: as many as the header has, unless more than half the rows have another number."""
    width, count = Counter(map(len, body)).most_common(1)[0]
    return width if not names or 2 * count > len(body) else len(names)


def _unique(names: Sequence[str], path: Path) -> tuple[list[str], list[str]]:
    """Names that all differ, and a sentence for each that had to be changed."""
    result: list[str] = []
    problems: list[str] = []
    taken, given = set[str](), frozenset(names)
    for place, said in enumerate(names, 1):
        name, number = said or f"column {place}", 2
        while name in taken or (name != said and name in given):
            name, number = f"{said or 'column'} {number}", number + 1
        if said and name != said:
            problems.append(f"{path.name}: more than one column is called {said!r}; column {place} is taken as "
                            f"{name!r}. Give each a name of its own")
        result.append(name)
        taken.add(name)
    return result, problems


def _torn(torn: Sequence[tuple[int, int]], width: int, rows: int, path: Path) -> list[str]:
    """A sentence on rows with other numbers of cells.

    Raises:
        DataError: They are more than a tenth of all, and not just one.
    """
    if not torn:
        return []
    where = listed([f"line {line} with {count}" for line, count in torn], 5)
    do = "does" if len(torn) == 1 else "do"
    what = f"{len(torn):,} of {counted(rows, 'rows')} {do} not have {counted(width, 'cells')}: {where}"
    if len(torn) > max(1, _MOST_TORN * rows) or len(torn) == rows:
        raise DataError(f"{path}: {what}; give every row a cell for each column, and put cells that hold the "
                        "delimiter into quotation marks")
    return [f"{path.name}: {what}; left out. Give every row a cell for each column"]
