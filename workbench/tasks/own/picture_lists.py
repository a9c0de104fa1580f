"""Pictures whose classes stand in a list: csv files with a file and its label in every row, beside the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from workbench.tasks.files.each import may_be_read
from workbench.tasks.files.errors import DataError, FileError
from workbench.tasks.files.listing import FileEntry, Listing
from workbench.tasks.files.numbers import read_cells
from workbench.tasks.files.pictures import is_picture
from workbench.tasks.files.words import named, shown, split_called
from workbench.tasks.own.folders import ClassFolder, Layout, with_a_split_each, without_overlap
from workbench.words import counted, listed

FORM = "pictures with a list"
_LISTS = frozenset({".csv", ".tsv"})
_FILES = ("filename", "file", "file_name", "image", "img", "picture", "path", "filepath", "image_path", "image_id",
          "id")
_LABELS = ("label", "labels", "class", "class_name", "category", "target", "species", "y")
_SPLITS = ("split", "set", "subset", "partition", "fold")
_LOOKED_AT = 20_000  # bytes of a list that show what it is


class _Columns(NamedTuple):
    """Where a list has its files, its labels and its splits (None where it has none)."""

    file: int
    label: int
    split: int | None


class _Row(NamedTuple):
    """A row of a list: the picture, its label and its split, and where it stands."""

    file: str
    label: str
    split: str
    where: str


def lists_of(listing: Listing) -> list[FileEntry]:
    """The lists among the files: tables in the topmost folder with a column of files that are there, and of labels."""
    return [file for file in listing.having(_LISTS) if not file.folder and _is_list(listing, file)]


def shut_lists(listing: Listing) -> list[FileEntry]:
    """The tables in the topmost folder that may not be read, so that nobody knows whether they are lists."""
    return [file for file in listing.having(_LISTS) if not file.folder and not may_be_read(listing.path(file))]


def _is_list(listing: Listing, file: FileEntry) -> bool:
    try:
        cells = read_cells(listing.path(file), _LOOKED_AT)
        columns = _columns(cells[0][1])
    except FileError:
        return False
    if columns is None:
        return False
    finder = _Finder(listing)
    names = [row[columns.file] for _, row in cells[1:50] if len(row) > columns.file]
    # Some pictures may be missing, but names that look like pictures and are none here are another matter.
    return any(finder.find(name) for name in names)


def said_missing(listing: Listing) -> str:
    """A sentence on the first list of nothing but pictures that are all missing; empty where there is none."""
    for file in listing.having(_LISTS):
        try:
            cells = [] if file.folder else read_cells(listing.path(file), _LOOKED_AT)
        except FileError:
            continue
        columns = _columns(cells[0][1]) if cells else None
        if columns is not None and len(cells[0][1]) > len([one for one in columns if one is not None]):
            continue  # which may as well be a table of something else
        names = [row[columns.file] for _, row in cells[1:] if len(row) > columns.file] if columns else []
        if names and all(map(is_picture, names)):
            remedy = listing.problems[0] if listing.problems else "put them into images/ beside it"
            return f"{listing.path(file)} lists pictures and none of them is there, such as {shown(names[0])}; {remedy}"
    return ""


def _columns(header: Sequence[str]) -> _Columns | None:
    names = [name.lower() for name in header]
    found = [next((names.index(one) for one in wanted if one in names), None) for wanted in (_FILES, _LABELS, _SPLITS)]
    file, label, split = found
    return None if file is None or label is None else _Columns(file, label, split)


class _Finder:
    """Finds the picture that a list means by a name."""

    def __init__(self, listing: Listing) -> None:
        self._by_path: dict[str, FileEntry] = {}
        self._by_name: dict[str, list[FileEntry]] = {}
        for file in listing.files:
            if is_picture(file.name):
                path = PurePosixPath(file.name)
                for key in (str(path), str(path.with_suffix(""))):
                    self._by_path.setdefault(key, file)
                for key in {path.name, path.stem}:
                    self._by_name.setdefault(key, []).append(file)

    def find(self, name: str) -> FileEntry | None:
        """The picture at this path below the folder or below `images`, or the only one of this name anywhere."""
        plain = name.replace("\\", "/").removeprefix("./").strip("/")
        for below in (plain, f"images/{plain}"):
            if below in self._by_path:
                return self._by_path[below]
        same = self._by_name.get(PurePosixPath(plain).name, [])
        return same[0] if len(same) == 1 else None


def layout_of_lists(listing: Listing, lists: Sequence[FileEntry]) -> Layout:
    """The classes that lists give their pictures; what is missing, listed twice or not listed is named.

    The name of a list (train.csv, val.csv, test.csv) or a column `split` says the split.

    Raises:
        DataError: A list cannot be read, or names no picture that is there.
    """
    rows, problems = _rows(listing, lists)
    finder = _Finder(listing)
    owners: dict[FileEntry, _Row] = {}
    missing, twice = [], []
    for row in rows:
        file = finder.find(row.file)
        if file is None:
            missing.append(f"{row.where}: there is no picture {shown(row.file)}; put it into images/ or delete the "
                           "line")
        elif file in owners and owners[file][1:3] != row[1:3]:
            twice.append(f"{row.where}: {shown(row.file)} stands at {owners[file].where} as "
                         f"{shown(owners[file].label)} already; delete one of the lines")
        else:
            owners.setdefault(file, row)
    if not owners:
        raise DataError(f"{listing.root}: none of the {counted(len(rows), 'pictures')} in {lists[0].name} is there: "
                        f"{missing[0]}"
                        if missing else f"{listing.root / lists[0].name} names no picture")
    problems += named(missing, "{} more pictures that are listed are not there")
    problems += named(twice, "{} more lines name a picture again")
    others = [file.name for file in listing.files if is_picture(file.name) and file not in owners]
    if others:
        stand = counted(len(others), "pictures", "stands in no list and was", "stand in no list and were")
        problems.append(f"{stand} left out: "
                        f"{listed([shown(name) for name in others], 5)}")
    members: dict[tuple[str, str], list[FileEntry]] = {}
    for file, row in owners.items():
        members.setdefault((row.label, row.split), []).append(file)
    classes, more = with_a_split_each([ClassFolder(label, split, label, tuple(sorted(files)))
                                       for (label, split), files in members.items()])
    problems += more
    notes: list[str] = []
    if any(one.split for one in classes):
        classes, notes, more = without_overlap(classes)
        problems += more
    return Layout(FORM, tuple(sorted(classes, key=lambda one: (one.name, one.split))), (),
                  (*listing.problems, *problems), tuple(notes))


def _rows(listing: Listing, lists: Sequence[FileEntry]) -> tuple[list[_Row], list[str]]:
    rows: list[_Row] = []
    problems: list[str] = []
    for file in lists:
        try:
            cells = read_cells(listing.path(file))
        except FileError as error:
            raise DataError(f"{listing.path(file)} {error}") from error
        columns = _columns(cells[0][1])
        assert columns is not None  # noqa: S101 - `lists_of` has looked at the header
        own = split_called(PurePosixPath(file.name).stem)
        torn = []
        for line, row in cells[1:]:
            where = f"{shown(file.name)}, line {line}"
            if len(row) <= max(columns.file, columns.label) or not row[columns.file] or not row[columns.label]:
                torn.append(f"{where}: the file or the label is missing; write it or delete the line")
                continue
            said = row[columns.split] if columns.split is not None and columns.split < len(row) else ""
            rows.append(_Row(row[columns.file], row[columns.label], split_called(said) or own, where))
        problems += named(torn, "{} more lines have no file or no label")
    return rows, problems
