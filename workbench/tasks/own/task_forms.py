"""The forms that tables of tasks come in: a column that names the task, a table a task, a task a column, ready-made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

import numpy as np

from workbench.tasks.files.delimited import TABLE_SUFFIXES, Header
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Listing
from workbench.tasks.files.series_rows import FEATURES
from workbench.tasks.files.tables import Table, kind_of, read_table, stacked, with_column
from workbench.tasks.files.watching import tell
from workbench.tasks.files.words import named, split_called
from workbench.tasks.own.ready_made import NOT_LABELLED, Place, table_placed_at, whole_tasks
from workbench.tasks.own.rows import split_column
from workbench.tasks.own.task_targets import is_of_classes
from workbench.words import counted, listed, the

Form = Literal["long", "files", "columns", "ready"]

FORMS: dict[Form, str] = {
    "long": "one long table with a task column", "files": "one table a task",
    "columns": "one table, a task in each column", "ready": "ready-made tasks in tables",
}
_TASK_NAMES = ("task", "taskid", "tasks", "user", "userid", "patient", "patientid", "subject", "subjectid", "machine",
               "machineid", "device", "deviceid", "assay", "assayid", "station", "stationid", "session",
               "sessionid", "speaker", "person", "customer", "customerid", "reviewer", "reviewerid",
               "rater", "reader", "listener", "viewer", "player", "member", "memberid", "client",
               "clientid", "account", "accountid", "student", "studentid", "participant",
               "participantid", "respondent", "annotator", "worker", "workerid", "site", "plant",
               "sensor", "unit", "episode", "experiment")
WEAK_NAMES = frozenset({"site", "plant", "sensor", "unit", "experiment", "person", "speaker", "station", "session"})
"""What may as well be one of the columns that a class is to be told by."""
_TARGET_NAMES = ("target", "y", "label", "class", "outcome", "value", "output", "response", "rating", "ratings",
                 "stars", "score", "result")
_FEWEST_ROWS, _FEWEST_TASKS = 4, 3
_SPARSE, _DENSE = 0.2, 0.1
_FEWEST_OF_A_PANEL = 8  # columns; fewer answers of yes and no describe a row as a rule
_GLANCE = 24  # tables, or folders of two, that are enough to see what all of them are


class Said(NamedTuple):
    """What a person says of their tables; what is empty is guessed.

    Attributes:
        form: Which of the forms.
        task: The column that names the task of each row.
        target: The target columns, parted by commas.
        targets: The columns that are tasks, parted by commas, or what the names of all of them begin with.
        group: The column of what may lie on one side only.
        ignore: Columns to pass over, parted by commas.
        header: Whether the first row names the columns.
    """

    form: Form | None = None
    task: str | None = None
    target: str | None = None
    targets: str | None = None
    group: str | None = None
    ignore: str | None = None
    header: Header = "auto"

    def spelled(self, table: Table) -> Said:
        """The same with the names of columns as a table has them."""
        target, targets, group, ignore = (said and ",".join(table.spelled(parted(said))) for said in
                                          (self.target, self.targets, self.group, self.ignore))
        task = self.task and table.spelled([self.task])[0]
        return self._replace(task=task, target=target, targets=targets, group=group, ignore=ignore)


@dataclass(frozen=True)
class Layout:
    """Tables, and how tasks lie in them.

    Attributes:
        form: Which of the forms.
        table: The rows of all files.
        tasks: Name of the task of each file; for `long` and `columns` empty.
        splits: The split of each file where a folder says it, else empty.
        is_support: Of ready-made tasks whether each file is a support; empty where no query has a target.
        task: For `long`, the column that names the task.
        targets: The target columns; for `columns` each is a task.
        has_classes: Whether the targets are classes.
        why: What shows it, in words.
        problems: Files that were left out, and why.
    """

    form: Form
    table: Table
    tasks: tuple[str, ...]
    splits: tuple[str, ...]
    is_support: tuple[bool, ...]
    task: str
    targets: tuple[str, ...]
    has_classes: bool
    why: str
    problems: tuple[str, ...] = ()


def lay_out(listing: Listing, said: Said, *, at_a_glance: bool = False) -> Layout | None:
    """How tasks lie in the tables that were listed; None where nothing looks like tasks.

    Args:
        listing: What lies there.
        said: What the person says of it.
        at_a_glance: Whether of many tables that are a task each only some are read.

    Raises:
        DataError: A table cannot be read, or lacks a column that was named.
    """
    files = listing.having(TABLE_SUFFIXES)
    ready = _ready_made(files)
    if said.form == "ready" or (said.form is None and 2 * len(ready) > len(files)):
        return _ready(listing, ready, files, said, at_a_glance=at_a_glance) if ready else None
    if not files:
        return None
    if said.form == "files" or (said.form is None and said.task is None and said.targets is None
                                and len(files) >= _FEWEST_TASKS and not any(map(_is_split_file, files))):
        return _a_table_a_task(listing, files, said, at_a_glance=at_a_glance)
    if len(files) > 1 and said.form is None and said.task is None and said.targets is None:
        return None
    table = stacked([read_table(listing.path(file), said.header) for file in files])
    return _in_one(table, said)


def _is_split_file(file: FileEntry) -> bool:
    return not file.folder and bool(split_called(PurePosixPath(file.name).stem.lower()))


def _ready_made(files: Sequence[FileEntry]) -> dict[FileEntry, Place]:
    """Where the tables of tasks stand that have both parts."""
    places = {file: place for file in files if (place := table_placed_at(file)) is not None}
    whole = whole_tasks(places.values())
    return {file: place for file, place in places.items() if place.key in whole}


class _Tables(NamedTuple):
    """Tables with the columns that most have: their files, what was left out and why, and how many were looked at."""

    found: list[tuple[FileEntry, Table]]
    problems: list[str]
    looked_at: int
    alike: int
    width: int


def _a_table_a_task(listing: Listing, files: Sequence[FileEntry], said: Said, *, at_a_glance: bool) -> Layout | None:
    """A table a task; those with other columns than most are left out."""
    wanted = _glanced_at(files, [file.name for file in files]) if at_a_glance else files
    read = _read_alike(listing, wanted, said, ())
    if said.form is None and (read.alike < max(_FEWEST_TASKS, 0.5 * read.looked_at) or read.width < 2):
        return None
    table = stacked([table for _, table in read.found])
    targets = _target_columns(table, said.spelled(table), ())
    paths = [_named_by(file) for file, _ in read.found]
    looked = f"of {counted(len(files), 'tables')} {len(paths):,} were looked at, and they"
    why = f"{looked if len(wanted) < len(files) else counted(len(paths), 'tables')} have the same columns"
    return Layout("files", table, tuple(name for name, _ in paths), tuple(split for _, split in paths), (), "", targets,
                  _has_classes(table, targets), why, tuple(read.problems))


def _ready(listing: Listing, ready: Mapping[FileEntry, Place], files: Sequence[FileEntry], said: Said, *,
           at_a_glance: bool) -> Layout:
    """Two tables a task or more, whose folders may say the classes of their rows."""
    tasks = [f"{place.split}/{place.task}" for place in ready.values()]
    wanted = _glanced_at(list(ready), tasks) if at_a_glance else list(ready)
    # Queries may have no target, which nobody can be judged on: the columns are told by the supports.
    queries = {file.name for file, place in ready.items() if not place.is_support}
    read = _read_alike(listing, wanted, said, queries)
    by_folder = 2 * sum(bool(ready[file].class_name) for file in wanted if file.name not in queries) > len(
        set(wanted) - {file for file in wanted if file.name in queries})
    found, problems = read.found, read.problems
    if by_folder:
        column = next(name for name in ("class", "label", "class folder") if name not in found[0][1].columns)
        found = [(file, with_column(table, column, ready[file].class_name)) for file, table in found
                 if ready[file].class_name]
    is_judged = any(file.name in queries for file, _ in found)
    problems += named([f"{file.name} belongs to no task and was left out" for file in files if file not in ready],
                      "{} more tables belong to no task and were left out")
    whole = whole_tasks(ready[file] for file, _ in found)
    if is_judged:
        left_out = sorted({ready[file].task for file, _ in found if ready[file].key not in whole})
        problems += named([f"{task} has a support or a query without the other that could be read, and was left out"
                           for task in left_out], "{} more tasks lack one of the two and were left out")
        found = [(file, table) for file, table in found if ready[file].key in whole]
    else:
        problems.append(NOT_LABELLED)
    if not found:
        raise DataError(f"{listing.root}: no table would do: {listed(problems, 3)}")
    table = stacked([table for _, table in found])
    targets = (column,) if by_folder else _target_columns(table, said.spelled(table), ())
    count, all_tasks = len({ready[file].key for file in wanted}), len(set(tasks))
    looked = f"of {all_tasks:,} folders {count:,} were looked at, and they hold" if count < all_tasks else \
        counted(count, "folders", "holds", "hold")
    return Layout("ready", table, tuple(ready[file].task for file, _ in found),
                  tuple(ready[file].split for file, _ in found),
                  tuple(ready[file].is_support for file, _ in found) if is_judged else (), "", targets,
                  by_folder or _has_classes(table, targets),
                  f"{looked} a support and a query table{' each' * (count > 1)}", tuple(problems))


def _read_alike(listing: Listing, wanted: Sequence[FileEntry], said: Said, untold: Collection[str]) -> _Tables:
    """Read tables and leave out those with other columns than most; those `untold` have no say in which these are.

    Raises:
        DataError: None can be read.
    """
    tables: list[tuple[FileEntry, Table]] = []
    problems: list[str] = []
    for done, file in enumerate(wanted):
        tell(done, len(wanted))
        try:
            tables.append((file, read_table(listing.path(file), said.header)))
        except DataError as error:
            problems.append(f"{error}; it was left out")
    if not tables:
        raise DataError(problems[0])
    usual = Counter(table.columns for file, table in tables if file.name not in untold)
    columns, count = usual.most_common(1)[0] if usual else (tables[0][1].columns, 0)
    kept = [(file, table) for file, table in tables if set(columns) <= set(table.columns)]
    problems += named([f"{file.name} has other columns than most tables ({listed(columns, 6)}) and was left out"
                       for file, table in tables if not set(columns) <= set(table.columns)],
                      "{} more tables have other columns and were left out")
    kept.sort(key=lambda one: one[1].columns != columns)  # the first gives the columns of all
    return _Tables(kept, problems, len(tables), count, len(columns))


def _glanced_at(files: Sequence[FileEntry], tasks: Sequence[str]) -> list[FileEntry]:
    """The files of some of the tasks that they belong to, from the first to the last, so that every split is among
    them."""
    names = sorted(set(tasks))
    some = set(names[:: -(-len(names) // _GLANCE)])
    return [file for file, task in zip(files, tasks, strict=True) if task in some]


def _named_by(file: FileEntry) -> tuple[str, str]:
    """The name of a file's task and the split that its top folder gives it."""
    path = file.name[: -len(file.suffix)]
    top, _, below = path.partition("/")
    split = split_called(top) if below else ""
    return (below if split else path), split


def _in_one(table: Table, said: Said) -> Layout | None:
    """A task column, or a task in each column."""
    said = said.spelled(table)
    if said.form == "columns" or (said.form is None and said.targets is not None):
        targets = task_columns(table, said)
        if not targets:
            raise DataError(f"{table.path} has no columns that are tasks of their own; name them in dataset.targets, "
                            f"with commas between them; its columns are {listed(table.columns, 12)}")
        return _of_columns(table, targets)
    task = said.task or _guessed_task(table)
    if task is not None:
        table.check_has((task,), "which dataset.task names")
        targets = _target_columns(table, said, (task,))
        why = f"{the('column', task)} names the task of each row, and {listed(targets, 3)} is the target"
        return Layout("long", table, (), (), (), task, targets, _has_classes(table, targets), why)
    if said.form == "long":
        raise DataError(f"{table.path} has no column that looks like the name of a task; name it in dataset.task; its "
                        f"columns are {listed(table.columns, 12)}")
    targets = task_columns(table, said) or _panel_of(table, said)
    return _of_columns(table, targets) if len(targets) >= _FEWEST_TASKS else None


def _of_columns(table: Table, targets: tuple[str, ...]) -> Layout:
    classes = sum(is_of_classes(table, name) for name in targets)
    extent = "some of the rows each" if any(table.missing(name).any() for name in targets) else "every row"
    return Layout("columns", table, (), (), (), "", targets, 2 * classes > len(targets),
                  f"{len(targets):,} columns, such as {targets[0]}, hold targets for {extent}")


def _guessed_task(table: Table) -> str | None:
    """The first column called as tasks are, of three values or more that come back often enough."""
    by_name = {re.sub(r"[^a-z]", "", name.lower()): name for name in reversed(table.columns)}
    for wanted in _TASK_NAMES:
        if wanted in by_name:
            values = Counter(text for text in table.texts(by_name[wanted]) if text)
            if len(values) >= _FEWEST_TASKS and values.total() >= _FEWEST_ROWS * len(values):
                return by_name[wanted]
    return None


def _target_columns(table: Table, said: Said, taken: Sequence[str]) -> tuple[str, ...]:
    """The target columns that were said; else one called so, else the last."""
    if said.target:
        names = parted(said.target)
        table.check_has(names, "which dataset.target names")
        return names
    passed = {*taken, *parted(said.ignore), *parted(said.group), *splitting_of(table, said, *taken).columns}
    free = [name for name in table.columns if name not in passed]
    if not free:
        raise DataError(f"{table.path} has no column that could be the target; name it in dataset.target")
    by_name = {name.lower(): name for name in free}
    return (next((by_name[name] for name in _TARGET_NAMES if name in by_name), free[-1]),)


def task_columns(table: Table, said: Said) -> tuple[str, ...]:
    """The columns that are tasks: those that were said, else those with many missing cells beside some with few."""
    if said.targets:
        names = parted(said.targets)
        if len(names) == 1 and names[0] not in table.columns:
            start = names[0].rstrip("*")
            found = tuple(name for name in table.columns if name.startswith(start))
            if not found:
                raise DataError(f"{table.path} has no column whose name begins with {start!r}, as dataset.targets "
                                f"asks; its columns are {listed(table.columns, 12)}")
            return found
        table.check_has(names, "which dataset.targets names")
        return names
    passed = {*parted(said.ignore), *parted(said.group), *splitting_of(table, said).columns}
    kinds = {name: kind_of(table, name) for name in table.columns if name not in passed}
    shares = {name: float(table.missing(name).mean()) for name, kind in kinds.items()
              if kind in ("numeric", "categorical")}
    sparse = tuple(name for name, share in shares.items() if share >= _SPARSE)
    # What is known of every row may as well be its name or a notation of what it is.
    known = (name for name, kind in kinds.items() if kind != "empty" and name not in sparse)
    return sparse if any(float(table.missing(name).mean()) <= _DENSE for name in known) else ()


def _panel_of(table: Table, said: Said) -> tuple[str, ...]:
    """Columns that say yes or no of each row and so may be tasks, as those of a panel of assays that lacks next to
    nothing: many that hold nothing but 0 and 1, or -1 and 1, those first whose names are numbered alike; or none."""
    passed = {*parted(said.ignore), *parted(said.group), *splitting_of(table, said).columns}
    alike: dict[str, list[str]] = {}
    for name in table.columns:
        if name not in passed and _says_yes_or_no(table, name):
            alike.setdefault(name.rstrip("0123456789"), []).append(name)
    largest = max(alike.values(), key=len, default=[])
    if len(largest) >= _FEWEST_OF_A_PANEL:
        return () if FEATURES.match(largest[0].rstrip("0123456789")) else tuple(largest)
    found = [name for names in alike.values() for name in names]
    return tuple(found) if len(found) >= _FEWEST_OF_A_PANEL else ()


def _says_yes_or_no(table: Table, name: str) -> bool:
    if kind_of(table, name) != "numeric" or table.strays(name).any():
        return False
    numbers = table.numbers(name)
    values = set(np.unique(numbers[~np.isnan(numbers)]).tolist())
    return bool(values) and (values <= {0.0, 1.0} or values <= {-1.0, 1.0})


class _Splitting(NamedTuple):
    """What columns say of splits: the one to go by (empty for none), all that are no inputs, and what is wrong."""

    column: str
    columns: tuple[str, ...]
    problems: tuple[str, ...]


def splitting_of(table: Table, said: Said, *taken: str) -> _Splitting:
    """The column that gives each row its split; `taken` have another use."""
    others = {*taken, *parted(said.target), *parted(said.targets), *parted(said.group), *parted(said.ignore)}
    column, problems = split_column(table, others, "tasks")
    wrong = [name for name in table.columns if problems and name.lower() == "split" and name not in others]
    return _Splitting(column, (*([column] if column else []), *wrong), tuple(problems))


def parted(names: str | None) -> tuple[str, ...]:
    """The names in a text that are parted by commas."""
    return tuple(name.strip() for name in (names or "").split(",") if name.strip())


def _has_classes(table: Table, targets: Sequence[str]) -> bool:
    return len(targets) == 1 and is_of_classes(table, targets[0])
