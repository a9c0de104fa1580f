"""Where the examples of tasks with a support and a query stand: in folders or in files that are called so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from workbench.tasks.files.array_files import ARCHIVE_SUFFIX
from workbench.tasks.files.delimited import TABLE_SUFFIXES, Header
from workbench.tasks.files.json_lines import JSON_LINES_SUFFIXES
from workbench.tasks.files.listing import FileEntry, walk
from workbench.tasks.files.pictures import is_picture
from workbench.tasks.files.tables import Table, read_table, stacked, with_column
from workbench.tasks.files.words import shown, split_called
from workbench.words import counted

Part = Literal["support", "query"]
PARTS: tuple[Part, Part] = ("support", "query")
_FOLDERS: dict[str, Part] = {"support": "support",
                             **dict.fromkeys(("query", "predict", "unlabelled", "unlabeled"), "query")}
_FILE_SUFFIXES = TABLE_SUFFIXES | JSON_LINES_SUFFIXES | {ARCHIVE_SUFFIX}
NOT_LABELLED = ("the queries of no task are labelled, so nobody can be judged on them; support and queries are drawn "
                "from the labelled support of each task instead, and `adapt` to the folder of a task predicts its "
                "queries")


class Place(NamedTuple):
    """Where an example stands: its task (below the split), the split, the part of the task, and its class, which is
    empty where no folder says it."""

    task: str
    split: str
    is_support: bool
    class_name: str

    @property
    def key(self) -> tuple[str, str]:
        """What tells its task from others: the split and the name."""
        return self.split, self.task


def part_in(folder: str) -> Part | None:
    """The part of a task that a folder holds, by the first of the names on its path; None where it says none."""
    return _FOLDERS.get(folder.partition("/")[0].lower())


def part_files(folder: Path, suffixes: frozenset[str] = _FILE_SUFFIXES) -> dict[Part, Path]:
    """The files that are called support and query in the folder of a task, in capitals or not.

    Args:
        folder: Of the task.
        suffixes: Those that count; of files with several of them that of the first suffix is taken.

    Raises:
        DataError: The folder cannot be opened.
    """
    found: dict[Part, Path] = {}
    beside = [file for file in walk(folder)[0] if not file.folder and file.suffix in suffixes]
    for file in sorted(beside, key=lambda file: (file.suffix, file.name)):
        if part := _part_called(file):
            found.setdefault(part, folder / file.name)
    return found


def _part_called(file: FileEntry) -> Part | None:
    stem = PurePosixPath(file.name).stem.lower()
    return next((part for part in PARTS if part == stem), None)


def placed_at(file: FileEntry) -> Place | None:
    """Where a file stands by the folders above it; None where it is in no task."""
    folders = file.name.split("/")[:-1]
    for at in range(1, len(folders)):
        if part := part_in(folders[at]):
            return _place(folders[:at], part, "/".join(folders[at + 1 :]))
    return None


def table_placed_at(file: FileEntry) -> Place | None:
    """The same of a table, which may also be called support or query itself, in the folder of its task."""
    if file.folder and (part := _part_called(file)):
        return _place(file.folder.split("/"), part, "")
    return placed_at(file)


def _place(above: list[str], part: Part, class_name: str) -> Place:
    split = split_called(above[0]) if len(above) > 1 else ""
    return Place("/".join(above[1 if split else 0 :]), split, part == "support", class_name)


def part_of_task(folder: Path, part: Part, header: Header, column: str) -> Table | None:
    """The support or the query of the one task in a folder: a csv or tsv file of that name, or all those in the folder
    of that name; None where there is none.

    Args:
        folder: Of the task.
        part: Which of them.
        header: Whether the first row names the columns.
        column: What says the class of a row, where a folder within the support says it and no column of the table does.

    Raises:
        DataError: A table cannot be read, or they have different columns.
    """
    if path := part_files(folder, TABLE_SUFFIXES).get(part):
        return read_table(path, header)
    found = [file for file in walk(folder)[0] if file.suffix in TABLE_SUFFIXES and part_in(file.folder) == part]
    tables = [_labelled(read_table(folder / file.name, header), column, file.folder.partition("/")[2], part)
              for file in found]
    return stacked(tables) if tables else None


def _labelled(table: Table, column: str, class_name: str, part: Part) -> Table:
    is_said = part == "support" and class_name
    return with_column(table, column, class_name) if is_said and column not in table.columns else table


def unfit_tasks(files: Sequence[FileEntry]) -> str:
    """A sentence on files in folders of tasks that cannot be read, as none has both a support and a query, or as they
    are neither pictures nor tables; empty where it is otherwise, or where most files lie elsewhere."""
    places = [place for file in files
              if (place := (table_placed_at if file.suffix in TABLE_SUFFIXES else placed_at)(file)) is not None]
    if 2 * len(places) <= len(files):
        return ""
    if whole := whole_tasks(places):
        are_read = sum(file.suffix in TABLE_SUFFIXES or is_picture(file.name) for file in files)
        return "" if 2 * are_read > len(files) else (
            f"{counted(len(whole), 'folders', 'holds', 'hold')} support and query, and such tasks are read where they "
            "are pictures or tables; put the files of each class into one folder with its name instead")
    names = sorted({place.task for place in places})
    has_support = any(place.is_support for place in places)
    has, lacks = ("support", "query") if has_support else ("query", "support")
    remedy = "what is to be predicted" if has_support else "a few labelled examples, in a folder for each class,"
    return (f"{counted(len(names), 'folders', 'holds', 'hold')} a {has} and no {lacks}, such as {shown(names[0])}; put "
            f"{remedy} into {shown(names[0])}/{lacks}")


def whole_tasks(places: Iterable[Place]) -> set[tuple[str, str]]:
    """Split and name of the tasks that have both a support and queries, labelled or not."""
    parts: dict[tuple[str, str], set[bool]] = {}
    for place in places:
        parts.setdefault(place.key, set()).add(place.is_support)
    return {task for task, own in parts.items() if len(own) == 2}
