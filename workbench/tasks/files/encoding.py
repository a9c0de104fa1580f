"""How rows of tables become numbers for a learner: which columns say something, and what training rows tell of them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workbench.tasks.files.errors import DataError
from workbench.tasks.files.numbers import TOO_LARGE
from workbench.tasks.files.tables import (
    MOST_STRAY,
    MOST_VALUES,
    Table,
    counts_rows,
    is_called_id,
    is_dates,
    kind_of,
)
from workbench.tasks.files.words import named
from workbench.words import counted, listed, the

CodingKind = Literal["numeric", "categorical", "hashed", "letters"]

# Numbers in columns called so are names of things, not amounts: item 7 is no more than item 3.
_NAMES_A_THING = re.compile(r"(?i:(.*[ _.-])?(id|uuid|guid)|item|movie|film|product|song|track|artist|book|article|"
                            r"game|recipe|restaurant|dish|compound|molecule|drug)|.*[a-z]I[dD]")
# Notations in which neighbouring letters say what a thing is made of.
_NOTATIONS = re.compile(r"(.*[ _.-])?(smiles|selfies|inchi|sequence|peptide|protein)", re.IGNORECASE)
_SIZES, _LETTERS = (16, 512), 256


class Encoded(NamedTuple):
    """Inputs that were made with what the training rows tell.

    Attributes:
        inputs: [rows, features] float32.
        reading: As in `Spec`.
        facts: What is to be said of the features.
    """

    inputs: Tensor
    reading: Mapping[str, Any]
    facts: tuple[str, ...]


class Cell(NamedTuple):
    """A cell as a learner sees it.

    Attributes:
        column: The column that it stands in.
        text: The number or the known value; of a hashed name the places of its features; else that there is none.
        is_number: Whether it stands in a column of numbers.
        is_missing: Whether there is nothing that a learner could go by.
    """

    column: str
    text: str
    is_number: bool
    is_missing: bool


class Coding(NamedTuple):
    """How a column becomes features.

    Attributes:
        name: The column.
        kind: "numeric"; "categorical", a feature for each known value; "hashed", two of `size` features for each value,
            known or not (Serrà and Karatzoglou 2017, Bloom embeddings); or "letters", counts of runs of up to three
            letters, hashed to `size` features and scaled to length 1.
        median: What stands for a missing number.
        marks_missing: Whether a feature says where a number was missing.
        values: Known values, each a feature that is 1 where the cell has it.
        has_commas: Whether a comma parted decimals, and a point thousands.
        size: Features that values are hashed to; 0 where they are not.
    """

    name: str
    kind: CodingKind
    median: float = 0.0
    marks_missing: bool = False
    values: tuple[str, ...] = ()
    has_commas: bool = False
    size: int = 0

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        if self.kind == "numeric":
            return (self.name, *([f"{self.name} is missing"] if self.marks_missing else []))
        if self.kind == "categorical":
            return tuple(f"{self.name} = {value}" for value in self.values)
        return tuple(f"{self.name} # {place}" for place in range(self.size))

    def missing(self, table: Table) -> NDArray[np.bool_]:
        """[rows] whether a cell says nothing."""
        return np.isnan(table.numbers(self.name)) if self.kind == "numeric" else table.texts(self.name) == ""

    def cell(self, features: NDArray[Any]) -> Cell:
        """What the features [features] of a row say of its cell."""
        there = np.flatnonzero(np.abs(features) > 0.5).tolist()
        if self.kind == "numeric":
            is_missing = len(features) > 1 and 1 in there
            return Cell(self.name, "missing" if is_missing else f"{features[0]:.6g}", True, is_missing)
        if self.kind == "categorical":
            return Cell(self.name, self.values[there[0]] if there else "missing or new", False, not there)
        if self.kind == "hashed":
            return Cell(self.name, " and ".join(f"#{place}" for place in there) or "missing", False, not there)
        count = int(np.count_nonzero(features))
        return Cell(self.name, f"{count:,} runs of letters" if count else "missing", False, not count)

    def encode(self, table: Table) -> NDArray[np.float64]:
        """[rows, features] of the column.

        A cell of a column of numbers that is none counts as missing.
        """
        make = {"numeric": _numeric, "categorical": _categorical, "hashed": _hashed, "letters": _letters}[self.kind]
        return make(table, self)


@dataclass(frozen=True)
class Encoder:
    """Turns the rows of tables with the same columns into the same features.

    Attributes:
        codings: How each column is turned, in order.
    """

    codings: tuple[Coding, ...]

    @classmethod
    def of(cls, reading: Mapping[str, Any]) -> Encoder:
        """The encoder that was written as `reading`."""
        return cls(tuple(Coding(**{**one, "values": tuple(one["values"])}) for one in reading["columns"]))

    @property
    def reading(self) -> dict[str, Any]:
        """Plain values that `of` reads."""
        return {"columns": [{**one._asdict(), "values": list(one.values)} for one in self.codings]}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it reads."""
        return tuple(one.name for one in self.codings)

    @property
    def features(self) -> tuple[str, ...]:
        """Name of each feature."""
        return tuple(name for one in self.codings for name in one.features)

    def facts(self, table: Table) -> tuple[str, ...]:
        """What is to be said of the features of a table's rows: how many, and what became of names and of gaps."""
        categories = [f"{one.name} ({len(one.values):,})" for one in self.codings if one.kind == "categorical"]
        numbers, names = ({one.name: int(one.missing(table).sum()) for one in self.codings
                           if (one.kind == "numeric") is is_numeric} for is_numeric in (True, False))
        hashed = [f"{one.name} hashed to {one.size} features, "
                  f"{'by runs of its letters' if one.kind == 'letters' else 'two for each value'}"
                  for one in self.codings if one.size]
        return (counted(len(self.features), "features"), *hashed,
                *([f"categories: {listed(categories, 5)}"] if categories else []),
                *_filled(numbers, "missing number", "filled with the median of the training rows"),
                *_filled(names, "empty cell", "taken for no category"))

    @property
    def is_mark(self) -> NDArray[np.bool_]:
        """[features] whether a feature says that the number before it is missing."""
        return np.array([one.kind == "numeric" and place > 0 for one in self.codings
                         for place in range(len(one.features))], dtype=np.bool_)

    def is_missing(self, features: NDArray[Any]) -> NDArray[np.bool_]:
        """[features] whether a feature of a row [features] is a number that was missing, as the one after it says."""
        says_so = self.is_mark & (features > 0.5)
        return np.append(says_so[1:], False)

    def cells(self, features: NDArray[Any]) -> tuple[Cell, ...]:
        """What a row [features] says in each column."""
        ends = np.cumsum([len(one.features) for one in self.codings])
        return tuple(one.cell(part) for one, part in zip(self.codings, np.split(features, ends[:-1]), strict=True))

    @property
    def is_hashed(self) -> NDArray[np.bool_]:
        """[features] whether a feature is one of many that a value was hashed to.

        Those are nearly always zero, and over their small deviation they would weigh more than all else.
        """
        return np.array([bool(one.size) for one in self.codings for _ in one.features], dtype=np.bool_)

    def scaled(self, mean: Sequence[float], deviation: Sequence[float]
               ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation that inputs are normalized with: those that were measured, but of hashed features none."""
        return (tuple(np.where(self.is_hashed, 0.0, mean).tolist()),
                tuple(np.where(self.is_hashed, 1.0, deviation).tolist()))

    def encode(self, table: Table) -> NDArray[np.float32]:
        """[rows, features] of a table; columns that it does not know are passed over, unknown values are all zero.

        Raises:
            DataError: A column is missing.
        """
        table = self._understood(table)
        return np.concatenate([one.encode(table) for one in self.codings], axis=1).astype(np.float32)

    def unread(self, table: Table) -> tuple[str, ...]:
        """A sentence for each column of numbers in which cells of a later table are none and count as missing, and one
        on the rows that say nothing at all.

        Raises:
            DataError: A column is missing.
        """
        table = self._understood(table)
        numeric = [one.name for one in self.codings if one.kind == "numeric"]
        strays = {name: table.strays(name) for name in numeric}
        sentences = named([_counted_missing(table, name, strays[name], "no number") for name in numeric
                           if strays[name].any()], "{} more columns hold such cells")
        blank = np.flatnonzero(np.all([one.missing(table) for one in self.codings], axis=0)).tolist()
        if blank:
            which = counted(len(blank), "rows", "says", "say")
            sentences.append(f"{which} nothing in any column that the learner goes by, which is as good as a guess: "
                             f"{listed([table.where(row) for row in blank], 5)}; fill them in or delete them")
        return tuple(sentences)

    def _understood(self, table: Table) -> Table:
        """A table with the decimal commas of the one that this was fitted on, of which a few rows might show less."""
        table.check_has(self.columns, "which the learner was trained on")
        known = {one.name for one in self.codings if one.has_commas}
        return replace(table, commas=table.commas | known) if table.decimal != "." else table


def _filled(gaps: Mapping[str, int], noun: str, what: str) -> list[str]:
    """A sentence on the cells of columns that say nothing, and what stands for them; none where there are no such."""
    count, columns = sum(gaps.values()), [name for name, own in gaps.items() if own]
    return [f"{counted(count, noun)} {what} ({listed(columns, 3)})"] if count else []


def _numeric(table: Table, coding: Coding) -> NDArray[np.float64]:
    numbers = table.numbers(coding.name)
    missing = np.isnan(numbers)
    filled = np.where(missing, coding.median, numbers)
    return np.stack([filled, missing], axis=1) if coding.marks_missing else filled[:, None]


def _categorical(table: Table, coding: Coding) -> NDArray[np.float64]:
    cells, values = table.texts(coding.name), coding.values
    if len(set(map(_alike, values))) == len(values):  # which learners of earlier versions may not have
        cells, values = np.array([_alike(cell) for cell in cells], dtype=object), tuple(map(_alike, values))
    return np.stack([cells == value for value in values], axis=1).astype(np.float64)


def _alike(cell: str) -> str:
    """A category as it is compared, whatever its case and spaces; single letters may well be there in both cases."""
    return " ".join(cell.casefold().split()) if len(cell) > 1 else cell


def _hashed(table: Table, coding: Coding) -> NDArray[np.float64]:
    cells, of_row = np.unique(table.texts(coding.name).astype(str), return_inverse=True)
    codes = np.zeros((len(cells), coding.size))
    for row, cell in enumerate(cells):
        if cell:
            digest = hashlib.blake2b(_plain(cell).encode(errors="surrogatepass"), digest_size=16).digest()
            for half in (digest[:8], digest[8:]):
                codes[row, int.from_bytes(half, "little") % coding.size] = 1
    return codes[of_row]


def _plain(cell: str) -> str:
    """A name as it is written everywhere: whole numbers without the fraction that some programs add."""
    head, point, tail = cell.partition(".")
    return head if point and not tail.strip("0") and head.lstrip("-").isdigit() else cell


def _letters(table: Table, coding: Coding) -> NDArray[np.float64]:
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 - slow to import, seldom needed

    counts = HashingVectorizer(n_features=coding.size, analyzer="char", ngram_range=(1, 3), lowercase=False, norm="l2")
    found: NDArray[np.float64] = counts.transform(table.texts(coding.name).tolist()).toarray()
    return found


@dataclass(frozen=True)
class Schema:
    """What the columns of a table are, before any number is made of them.

    Attributes:
        table: The rows that have a number wherever one belongs.
        codings: Every column that says something of an example, without what only training rows may tell.
        notes: Columns that only name the rows and were left out, and how bounds were taken, in words for the line of
            facts.
        problems: Columns and rows that were left out, and why.
    """

    table: Table
    codings: tuple[Coding, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    def fit(self, table: Table, rows: NDArray[np.int64]) -> Encoder:
        """The encoder whose medians and known values are those of some rows.

        Args:
            table: The rows of `table`, in any order.
            rows: Which of them train.

        Raises:
            DataError: They say nothing in any column.
        """
        training = table.rows(rows)
        found = (_told(training, one) for one in self.codings)
        codings = tuple(one for one in found if one.features)
        if not codings:
            raise DataError(f"{self.table.path}: no column says anything in the {counted(len(training), 'rows')} of "
                            f"training; its columns are {listed(self.table.columns, 12)}")
        return Encoder(codings)


def _told(table: Table, coding: Coding) -> Coding:
    """A coding with the median or the known values that these rows tell."""
    if coding.kind == "categorical":
        spellings = Counter(cell for cell in table.texts(coding.name) if cell)
        usual: dict[str, str] = {}
        for cell, _ in spellings.most_common():
            usual.setdefault(_alike(cell), cell)
        return coding._replace(values=tuple(sorted(usual.values())))
    if coding.kind != "numeric":
        return coding
    numbers = table.numbers(coding.name)
    missing = np.isnan(numbers)
    return coding._replace(median=float(np.median(numbers[~missing])) if not missing.all() else 0.0,
                           marks_missing=bool(missing.any()))


def schema_of(table: Table, without: Collection[str] = ()) -> Schema:
    """What every column of a table is but those `without`, which are targets, groups and what is to be ignored.

    Raises:
        DataError: No column is left.
    """
    kinds = {name: kind_of(table, name) for name in table.columns if name not in without}
    if not {"numeric", "categorical", "text"} & set(kinds.values()):  # then what counts the rows may be a time
        kinds |= {name: "numeric" for name in kinds if kinds[name] == "id" and counts_rows(table, name)
                  and not is_called_id(name)}
    numeric = [name for name, kind in kinds.items() if kind == "numeric"]
    table, loose = _without_words(table, numeric)
    kept, problems = _without_strays(table, numeric)
    problems += loose
    problems += named([_counted_missing(table, name, table.unusable(name), f"{TOO_LARGE} or no number at all")
                       for name in numeric if table.unusable(name).any()], "{} more columns hold such numbers")
    codings = {name: coding for name in kinds if (coding := _coding(kept, name, kinds[name])) is not None}
    dates = [name for name, kind in kinds.items() if kind in ("id", "text") and name not in codings
             and is_dates(table, name)]
    ids = [name for name, kind in kinds.items() if kind == "id" and name not in codings and name not in dates]
    for kind, why, remedy in (
        ("text", "holds text of many values", "name it in dataset.ignore, or open the table as texts"),
        ("empty", "is empty", "delete it or fill it in"),
    ):
        names = [name for name in kinds if kinds[name] == kind and name not in codings and name not in dates]
        problems += [f"{table.path.name}: {the('column', name)} {why} and was left out; {remedy}" for name in names]
    if not codings:
        raise DataError(f"{table.path} has no column of numbers or of few values that a learner could go by; its "
                        f"columns are {listed(table.columns, 12)}")
    notes = [f"{', '.join(names)} left out, as {'it only' if len(names) == 1 else 'they only'} "
             f"{one if len(names) == 1 else several} the rows"
             for names, one, several in ((ids, "names", "name"), (dates, "dates", "date")) if names]
    notes += [f"{counted(int(bounds.sum()), 'cells')} of {name} such as {kept.frame[name][bounds].iloc[0]} taken as "
              "the number in them" for name in numeric if (bounds := kept.bounds(name)).any()]
    return Schema(kept, tuple(codings.values()), tuple(notes), tuple(problems))


class Fitted(NamedTuple):
    """An encoder, and the rows that it was fitted on.

    Attributes:
        table: As in `Schema`.
        encoder: Of all columns that say something of an example.
        notes, problems: As in `Schema`.
    """

    table: Table
    encoder: Encoder
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def fitted(table: Table, without: Collection[str] = ()) -> Fitted:
    """An encoder fitted on all rows of a table, for a task that is nothing but a support.

    Raises:
        DataError: No column is left.
    """
    schema = schema_of(table, without)
    return Fitted(schema.table, schema.fit(schema.table, np.arange(len(schema.table))), schema.notes, schema.problems)


def _without_words(table: Table, numeric: Sequence[str]) -> tuple[Table, list[str]]:
    """A table in which words count as missing in columns of numbers that have too many of them for leaving out their
    rows, and a sentence on each column."""
    frame, problems = table.frame, list[str]()
    for name in numeric:
        strays = table.strays(name)
        many, present = int(strays.sum()), int((~table.missing(name)).sum())
        if many <= max(1, MOST_STRAY * present):
            continue
        cells = _shown_cells(table, name, strays)
        problems.append(f"{present - many:,} of {counted(present, 'cells')} of {the('column', name)} are numbers; "
                        f"these are not, and count as missing: {listed(cells, 5)}; correct them")
        frame = frame.assign(**{name: frame[name].mask(strays, "")})
    return (replace(table, frame=frame), problems) if problems else (table, [])


def _without_strays(table: Table, numeric: Sequence[str]) -> tuple[Table, list[str]]:
    """The rows that have numbers where numbers belong, and a sentence on the cells of each column that have none."""
    problems: list[str] = []
    bad = np.zeros(len(table), dtype=np.bool_)
    for name in numeric:
        strays = table.strays(name)
        if strays.any():
            problems.append(f"in {the('column', name)} these cells are no numbers, and their rows were left out: "
                            f"{listed(_shown_cells(table, name, strays), 5)}; correct them")
            bad |= strays
    return (table.rows(~bad), problems) if bad.any() else (table, problems)


def _counted_missing(table: Table, name: str, found: NDArray[np.bool_], being: str) -> str:
    """A sentence on the cells of a column, by a mask [rows], that count as missing, being what they are."""
    cells = _shown_cells(table, name, found)
    count, them = counted(len(cells), "cells", "counts", "count"), "it" if len(cells) == 1 else "them"
    return (f"in {the('column', name)} {count} as missing, being {being}: {listed(cells, 5)}; correct {them}")


def _shown_cells(table: Table, name: str, found: NDArray[np.bool_]) -> list[str]:
    """Cells of a column, by a mask [rows], with their places."""
    return [f"{table.frame[name].iloc[row]!r} ({table.where(row)})" for row in np.flatnonzero(found).tolist()]


def _coding(table: Table, name: str, kind: str) -> Coding | None:
    """How a column of some kind becomes features; None where it says nothing of an example."""
    if kind == "numeric" and not _names_things(table, name):
        return Coding(name, "numeric", has_commas=name in table.commas)
    if kind in ("id", "text") and is_notation(name):
        return Coding(name, "letters", size=_LETTERS)
    distinct, present = _sizes(table, name)
    if kind == "categorical" or (kind == "numeric" and distinct <= MOST_VALUES):
        return Coding(name, "categorical")
    if kind == "numeric" or (kind == "text" and present >= 2 * distinct):
        least, most = _SIZES
        return Coding(name, "hashed", size=int(np.clip(2 ** np.ceil(np.log2(2 * distinct)), least, most)))
    return None


def is_notation(name: str) -> bool:
    """Whether a column is called as notations are in which letters say what a thing is made of, such as SMILES."""
    return _NOTATIONS.fullmatch(name) is not None


def _names_things(table: Table, name: str) -> bool:
    """Whether whole numbers in a column are names that come back, such as those of items that users rated."""
    if not _NAMES_A_THING.fullmatch(name):
        return False
    numbers = table.numbers(name)
    there = numbers[~np.isnan(numbers)]
    return bool(len(there) and (there == np.round(there)).all() and len(there) >= 2 * len(np.unique(there)))


def _sizes(table: Table, name: str) -> tuple[int, int]:
    """How many different values a column has, and how many cells say something."""
    cells = [cell for cell in table.texts(name) if cell]
    return len(set(cells)), len(cells)
