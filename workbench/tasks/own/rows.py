"""The rows of a table that belong to classes: their labels, and the splits and groups that other columns give them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.experiment.fields import field
from workbench.tasks.base import SPLIT_NAMES
from workbench.tasks.files.delimited import Header
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Listing, list_files
from workbench.tasks.files.tables import TABLE_SUFFIXES, Table, guess_label
from workbench.tasks.files.words import split_called
from workbench.tasks.own.class_splits import OwnClassesConfig
from workbench.tasks.own.fields import header_of_tables, ignored_columns
from workbench.tasks.own.folders import ClassFolder, in_several_splits
from workbench.words import counted, listed, the

_SPLIT_COLUMNS = ("split", "subset", "partition", "set")


class RowsConfig(OwnClassesConfig):
    """Which columns of a table say what a row belongs to."""

    label: str | None = field(None, label="Label column", help="The column that says the class of each row; empty for "
                              "one called label, class, target, species or category, or else the last of few values.")
    ignore: str | None = ignored_columns()
    group: str | None = field(None, label="Group column", help="A column such as speaker, compound or session: what "
                              "shares a value of it stays on one side of the split. Where each value has rows of many "
                              "classes, what is held out has the rows of its own values alone.")
    header: Header = header_of_tables()

    def ignored(self) -> tuple[str, ...]:
        """The columns to ignore."""
        return tuple(name for part in (self.ignore or "").split(",") if (name := part.strip()))


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are to a dataset of classes.

    Attributes:
        label: Says the class.
        split: Says train, validation or test; empty where none does.
        group: Says what stays on one side; empty where none does.
        without: All of these, and what is to be ignored.
        problems: What a column would have said and does not.
    """

    label: str
    split: str
    group: str
    without: frozenset[str]
    problems: tuple[str, ...] = ()


def find_columns(table: Table, config: RowsConfig, taken: Collection[str] = ()) -> Columns:
    """The columns that a config names, or that look like it; `taken` have another use.

    Raises:
        DataError: A column is not there, or none says the class.
    """
    said, group = table.spelled([config.label or "", config.group or ""])
    ignored = table.spelled(config.ignored())
    table.check_has([said] if said else [], "which dataset.label names")
    table.check_has([group] if group else [], "which dataset.group names")
    table.check_has(ignored, "which dataset.ignore names")
    split, problems = split_column(table, {*ignored, *taken, group, said}, "classes")
    others = {*ignored, *taken, group, split, *[name for name in _SPLIT_COLUMNS if problems]}
    label = said or guess_label(table, others)
    if not label:
        raise DataError(f"{table.path} has no column whose values repeat as those of a class do; name it in "
                        f"dataset.label. Its columns are {listed(table.columns, 12)}")
    return Columns(label, split, group, frozenset({label, *others} - {""}), tuple(problems))


def split_column(table: Table, without: Collection[str], nouns: str) -> tuple[str, list[str]]:
    """The column that gives splits, or none and why one called split gives none; `nouns` are split by it."""
    for name in table.columns:
        if name.lower() not in _SPLIT_COLUMNS or name in without:
            continue
        unknown = sorted({cell for cell in table.texts(name) if not split_called(cell)})
        if not unknown:
            return name, []
        if name.lower() == "split":
            said = ", ".join(repr(cell) for cell in unknown[:3])
            return "", [f"{table.path.name}: {the('column', name)} holds {said}, which is none of train, val and "
                        f"test, so it was left out and the {nouns} were split anew"]
    return "", []


@dataclass(frozen=True)
class ByClass:
    """Rows sorted by class.

    Attributes:
        table: The rows.
        classes: The classes by name, with the split that the table gives them.
        owners: [rows] index of the class of each.
        groups: [rows] the group of each, where a column gives some; else None.
        notes: What was decided.
        problems: What was left out, and why.
    """

    table: Table
    classes: tuple[ClassFolder, ...]
    owners: NDArray[np.int64]
    groups: tuple[str, ...] | None
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def with_label(table: Table, label: str) -> tuple[Table, list[str]]:
    """The rows that have a label, and a sentence on those that have none.

    Raises:
        DataError: There are fewer than two classes, or the labels are numbers that hardly ever repeat.
    """
    cells = table.texts(label)
    has = cells != ""
    classes = set(cells[has])
    if len(classes) < 2:
        what = f"only the class {next(iter(classes))!r}" if classes else "nothing"
        raise DataError(f"{the('column', label)} of {table.path} holds {what}, and a task needs two classes or more; "
                        "name another column in dataset.label")
    if len(classes) > 0.5 * has.sum() and not table.strays(label).any():
        raise DataError(f"{the('column', label)} of {table.path} holds {len(classes):,} different numbers in "
                        f"{counted(int(has.sum()), 'rows')}, which are values rather than classes; name another "
                        "column in dataset.label")
    if has.all():
        return table, []
    return table.rows(has), [without(table, ~has, label)]


def without(table: Table, rows: NDArray[np.bool_], what: str) -> str:
    """A sentence on rows that were left out because they lack something."""
    many = int(rows.sum())
    lines = listed([str(line) for line in table.lines[rows]], 5)
    who, were, place = ("have", "were", "lines") if many > 1 else ("has", "was", "line")
    return (f"{table.path.name}: {many:,} of {counted(len(table), 'rows')} {who} no {what} and {were} left out "
            f"({place} {lines}); fill it in")


def by_class(table: Table, columns: Columns, held_out: str) -> ByClass:
    """Sort rows that have labels by class, and give the classes their splits and the rows their groups.

    A class whose rows are in several splits goes to the first of train, validation and test that has some, and only
    those rows are taken. Where half the classes of a split are also in another, as in tables made for ordinary
    classifiers, the rows are put together and the classes are split anew.
    """
    labels = table.texts(columns.label)
    notes: list[str] = []
    problems = list(columns.problems)
    splits: dict[str, str] = {}
    if columns.split and held_out == "examples":
        notes.append(f"{the('column', columns.split)} was not gone by, as examples are held out")
    elif columns.split:
        splits, kept, said, wrong = _splits(labels, table.texts(columns.split), columns)
        table, labels = table.rows(kept), labels[kept]
        notes += said
        problems += wrong
    names = sorted(set(labels))
    number = {name: i for i, name in enumerate(names)}
    owners = np.array([number[label] for label in labels], dtype=np.int64)
    order = np.argsort(owners, kind="stable")
    classes = tuple(ClassFolder(name, splits.get(name, ""), name, ()) for name in names)
    table = table.rows(order)
    groups = tuple(table.texts(columns.group)) if columns.group else None
    return ByClass(table, classes, owners[order], groups, tuple(notes), tuple(problems))


def _splits(labels: NDArray[np.object_], cells: NDArray[np.object_], columns: Columns
            ) -> tuple[dict[str, str], NDArray[np.bool_], list[str], list[str]]:
    """The split of each class, which rows are kept, notes and problems."""
    row_splits = [split_called(cell) for cell in cells]
    found: dict[str, set[str]] = {}
    for label, split in zip(labels, row_splits, strict=True):
        found.setdefault(label, set()).add(split)
    sizes = Counter(split for splits in found.values() for split in splits)
    cut = [label for label, splits in found.items() if len(splits) > 1]
    everything = np.ones(len(labels), dtype=np.bool_)
    are_same = bool(cut) and 2 * len(cut) >= min(sizes.values())
    if are_same or not sizes["train"]:
        note = "the classes were split anew"
        if not are_same:
            return {}, everything, [f"{the('column', columns.split)} says train of no row, so {note}"], []
        by = f" by {the('column', columns.split)}"
        return {}, everything, [note], [in_several_splits(cut, len(found), "rows", by)]
    first = {label: min(splits, key=SPLIT_NAMES.index) for label, splits in found.items()}
    kept = np.array([first[label] == split for label, split in zip(labels, row_splits, strict=True)], dtype=np.bool_)
    problems = [f"{the('class', label)} is in {' and in '.join(sorted(found[label], key=SPLIT_NAMES.index))} by the "
                f"column {columns.split}; only its rows in {first[label]} were taken" for label in cut]
    return first, kept, [f"split by {the('column', columns.split)}"], problems


def only_table(listing: Listing, suffixes: frozenset[str]) -> FileEntry | None:
    """The one table of a listing, where notes at most lie beside it."""
    tables = listing.having(suffixes)
    others = listing.suffixes.keys() - suffixes - {".md", ".txt", ".pdf", ".html", ""}
    return tables[0] if len(tables) == 1 and not others else None


def table_file(path: Path, suffixes: frozenset[str] = TABLE_SUFFIXES, what: str = "csv or tsv file") -> Path:
    """The table at a path, or the only one below a folder or in a zip.

    Raises:
        DataError: There is none, or more than one.
    """
    listing = list_files(path)
    tables = listing.files if listing.is_file else tuple(listing.having(suffixes))
    if len(tables) == 1:
        return listing.path(tables[0])
    if not tables:
        raise DataError(f"{path} holds no {what}; name the file itself")
    raise DataError(f"{path} holds {counted(len(tables), 'tables')}: {listed([file.name for file in tables], 5)}; "
                    "name one of them in dataset.path")
