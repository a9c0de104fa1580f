"""The forms that tables of tasks come in: a column that names the task, a table a task, a task a column, ready-made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.tasks.files.delimited import TABLE_SUFFIXES, Header
from workbench.tasks.files.encoding import Encoded, schema_of
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Listing
from workbench.tasks.files.tables import Table, kind_of, read_table, stacked
from workbench.tasks.files.watching import tell
from workbench.tasks.files.words import listed, named, split_called
from workbench.tasks.own.rows import split_column
from workbench.tasks.own.task_splits import OwnTask, TaskCollection, without_overlap
from workbench.tasks.own.task_targets import in_order, is_of_classes, labels, values

Form = Literal["long", "files", "columns", "ready"]

FORMS: dict[Form, str] = {
    "long": "one long table with a task column", "files": "one table a task",
    "columns": "one table, a task in each column", "ready": "ready-made tasks in tables",
}
_TASK_NAMES = ("task", "taskid", "tasks", "user", "userid", "patient", "patientid", "subject", "subjectid", "machine",
               "machineid", "device", "deviceid", "assay", "assayid", "station", "stationid", "session", "sessionid",
               "speaker", "person", "customer", "customerid", "site", "plant", "sensor", "unit", "episode",
               "experiment")
WEAK_NAMES = frozenset({"site", "plant", "sensor", "unit", "experiment", "person", "speaker", "station", "session"})
"""What may as well be one of the columns that a class is to be told by."""
_TARGET_NAMES = ("target", "y", "label", "class", "outcome", "value", "output", "response", "rating", "result")
_FEWEST_ROWS, _FEWEST_TASKS = 4, 3
_SPARSE, _DENSE = 0.2, 0.1
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


@dataclass(frozen=True)
class Layout:
    """Tables, and how tasks lie in them.

    Attributes:
        form: Which of the forms.
        table: The rows of all files.
        tasks: Name of the task of each file; for `long` and `columns` empty.
        splits: The split of each file where a folder says it, else empty.
        is_support: Of ready-made tasks whether each file is a support.
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
    if said.form == "ready" or (said.form is None and len(ready) >= 2 * _FEWEST_TASKS and 2 * len(ready) > len(files)):
        return _in_files(listing, ready, files, "ready", said, at_a_glance=at_a_glance) if ready else None
    if not files:
        return None
    if said.form == "files" or (said.form is None and said.task is None and said.targets is None
                                and len(files) >= _FEWEST_TASKS and not any(map(_is_split_file, files))):
        return _in_files(listing, files, files, "files", said, at_a_glance=at_a_glance)
    if len(files) > 1 and said.form is None and said.task is None and said.targets is None:
        return None
    table = stacked([read_table(listing.path(file), said.header) for file in files])
    return _in_one(table, said)


def _ready_made(files: Sequence[FileEntry]) -> list[FileEntry]:
    """The supports and queries of folders that hold one of each."""
    parts = [file for file in files if file.folder and _stem(file) in ("support", "query")]
    whole = {folder for folder, count in Counter(file.folder for file in parts).items() if count == 2}
    return [file for file in parts if file.folder in whole]


def _stem(file: FileEntry) -> str:
    return PurePosixPath(file.name).stem.lower()


def _is_split_file(file: FileEntry) -> bool:
    return not file.folder and bool(split_called(_stem(file)))


def _in_files(listing: Listing, files: Sequence[FileEntry], all_files: Sequence[FileEntry],
              form: Literal["files", "ready"], said: Said, *, at_a_glance: bool) -> Layout | None:
    """A table a task, or two; those with other columns than most are left out."""
    tables, problems = [], []
    wanted = _glanced_at(files, form) if at_a_glance else files
    for done, file in enumerate(wanted):
        tell(done, len(wanted))
        try:
            tables.append((file, read_table(listing.path(file), said.header)))
        except DataError as error:
            problems.append(f"{error}; it was left out")
    if not tables:
        raise DataError(problems[0])
    # The queries of ready-made tasks may have no target, which nobody can be judged on: they are told by the supports.
    usual = Counter(table.columns for file, table in tables if _stem(file) != "query" or form == "files")
    columns, count = usual.most_common(1)[0] if usual else (tables[0][1].columns, 0)
    if said.form is None and form == "files" and (count < max(_FEWEST_TASKS, 0.5 * len(tables)) or len(columns) < 2):
        return None
    kept = [(file, table) for file, table in tables if set(columns) <= set(table.columns)]
    odd = [file for file, table in tables if not set(columns) <= set(table.columns)]
    problems += named([f"{file.name} has other columns than most tables ({listed(columns, 6)}) and was left out"
                       for file in odd], "{} more tables have other columns and were left out")
    chosen = {file.name for file in files}
    problems += named([f"{file.name} belongs to no task and was left out" for file in all_files
                       if file.name not in chosen], "{} more tables belong to no task and were left out")
    if form == "ready":
        whole = Counter(file.folder for file, _ in kept)
        problems += [f"{folder} has a support or a query without the other that could be read, and was left out"
                     for folder, many in whole.items() if many < 2]
        kept = [(file, table) for file, table in kept if whole[file.folder] == 2]
    if not kept:
        raise DataError(f"{listing.root}: no table would do: {listed(problems, 3)}")
    kept.sort(key=lambda one: one[1].columns != columns)  # the first gives the columns of all
    table = stacked([table for _, table in kept])
    targets = _target_columns(table, said, ())
    paths = [_named_by(file, form) for file, _ in kept]
    count, what = (len(kept), "tables") if form == "files" else (len(kept) // 2, "folders")
    looked = f"of {len(files) // (1 + (form == 'ready')):,} {what} {count:,} were looked at, and they"
    why = f"{looked if len(wanted) < len(files) else f'{count:,} {what}'} " + \
        ("have the same columns" if form == "files" else "hold a support and a query table each")
    return Layout(form, table, tuple(name for name, _ in paths), tuple(split for _, split in paths),
                  tuple(form == "ready" and _stem(file) == "support" for file, _ in kept), "", targets,
                  _has_classes(table, targets), why, tuple(problems))


def _glanced_at(files: Sequence[FileEntry], form: Literal["files", "ready"]) -> list[FileEntry]:
    """Some of the tables, or both of some folders, from the first to the last, so that every split is among them."""
    units = sorted({file.folder if form == "ready" else file.name for file in files})
    some = set(units[:: -(-len(units) // _GLANCE)])
    return [file for file in files if (file.folder if form == "ready" else file.name) in some]


def _named_by(file: FileEntry, form: Form) -> tuple[str, str]:
    """The name of a file's task and the split that its top folder gives it."""
    path = file.folder if form == "ready" else file.name[: -len(file.suffix)]
    top, _, below = path.partition("/")
    split = split_called(top) if below else ""
    return (below if split else path), split


def _in_one(table: Table, said: Said) -> Layout | None:
    """A task column, or a task in each column."""
    if said.form == "columns" or (said.form is None and said.targets is not None):
        targets = _task_columns(table, said)
        if not targets:
            raise DataError(f"{table.path} has no columns that are tasks of their own; name them in dataset.targets, "
                            f"with commas between them; its columns are {listed(table.columns, 12)}")
        return _of_columns(table, targets)
    task = said.task or _guessed_task(table)
    if task is not None:
        table.check_has((task,), "which dataset.task names")
        targets = _target_columns(table, said, (task,))
        why = f"the column {task} names the task of each row, and {listed(targets, 3)} is the target"
        return Layout("long", table, (), (), (), task, targets, _has_classes(table, targets), why)
    if said.form == "long":
        raise DataError(f"{table.path} has no column that looks like the name of a task; name it in dataset.task; its "
                        f"columns are {listed(table.columns, 12)}")
    targets = _task_columns(table, said)
    return _of_columns(table, targets) if len(targets) >= _FEWEST_TASKS else None


def _of_columns(table: Table, targets: tuple[str, ...]) -> Layout:
    classes = sum(is_of_classes(table, name) for name in targets)
    return Layout("columns", table, (), (), (), "", targets, 2 * classes > len(targets),
                  f"{len(targets):,} columns, such as {targets[0]}, hold targets for some of the rows each")


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
    passed = {*taken, *parted(said.ignore), *parted(said.group), *_splitting(table, said, *taken).columns}
    free = [name for name in table.columns if name not in passed]
    if not free:
        raise DataError(f"{table.path} has no column that could be the target; name it in dataset.target")
    by_name = {name.lower(): name for name in free}
    return (next((by_name[name] for name in _TARGET_NAMES if name in by_name), free[-1]),)


def _task_columns(table: Table, said: Said) -> tuple[str, ...]:
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
    passed = {*parted(said.ignore), *parted(said.group), *_splitting(table, said).columns}
    kinds = {name: kind_of(table, name) for name in table.columns if name not in passed}
    shares = {name: float(table.missing(name).mean()) for name, kind in kinds.items()
              if kind in ("numeric", "categorical")}
    sparse = tuple(name for name, share in shares.items() if share >= _SPARSE)
    return sparse if any(share <= _DENSE for share in shares.values()) else ()


class _Splitting(NamedTuple):
    """What columns say of splits: the one to go by (empty for none), all that are no inputs, and what is wrong."""

    column: str
    columns: tuple[str, ...]
    problems: tuple[str, ...]


def _splitting(table: Table, said: Said, *taken: str) -> _Splitting:
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


def collected(layout: Layout, said: Said, *, with_classes: bool) -> TaskCollection:
    """The tasks of a layout.

    Raises:
        DataError: Targets are not of this kind, or no row has one.
    """
    if with_classes and layout.form != "columns" and len(layout.targets) > 1:
        raise DataError(f"{layout.table.path}: classes stand in one column and dataset.target names "
                        f"{len(layout.targets)}: {listed(layout.targets, 5)}; name one of them")
    extra = [*parted(said.group), *parted(said.ignore)]
    layout.table.check_has(extra, "which dataset.group or dataset.ignore names")
    splitting = _splitting(layout.table, said, layout.task, *layout.targets)
    schema = schema_of(layout.table, [*layout.targets, *([layout.task] if layout.task else []), *extra,
                                      *splitting.columns])
    table = schema.table
    if layout.form == "columns":
        tasks, problems = _by_column(layout, table, with_classes)
        problems += [f"{table.path.name}: the column {name} splits rows where each column is a task, so it was left "
                     "out and the tasks were split anew" for name in splitting.columns]
    else:
        tasks, problems = _by_row(layout, table, with_classes, splitting.column)
        problems += splitting.problems
    if not tasks:
        raise DataError(f"{table.path}: no row has a target that could be learned: {listed(problems, 3)}")
    groups = table.texts(said.group) if said.group else None
    if groups is not None and layout.form != "columns" and all(len(set(groups[one.rows])) == 1 for one in tasks):
        tasks = [_grouped(one, str(groups[one.rows[0]])) for one in tasks]
        groups = None
    reading = {"form": "class_task_tables" if with_classes else "task_tables",
               "targets": [] if layout.form == "columns" else list(layout.targets),
               "header": "yes" if layout.table.has_header else "no"}

    def fit(training: NDArray[np.int64]) -> Encoded:
        encoder = schema.fit(table, training)
        return Encoded(torch.from_numpy(encoder.encode(table)), {**reading, **encoder.reading}, encoder.facts)

    is_by_row = bool(splitting.column) and layout.form != "columns"
    return TaskCollection(tuple(tasks), torch.empty(len(table), 0), table.where, FORMS[layout.form], "rows",
                          (*_spoken(layout), *([f"split by the column {splitting.column}"] if is_by_row else []),
                           *schema.notes),
                          (*layout.problems, *layout.table.problems, *schema.problems, *problems), {}, groups,
                          "the columns of a table, as `reading` says", fit=fit)


def _grouped(task: OwnTask, group: str) -> OwnTask:
    return OwnTask(task.name, task.rows, task.targets, task.class_names, task.split, group, task.support)


def _spoken(layout: Layout) -> list[str]:
    """What was taken for what, for the line of facts."""
    if layout.form == "columns":
        return []
    task = [f"task {layout.task}"] if layout.task else []
    return [*task, f"target {', '.join(layout.targets)}"]


def _by_row(layout: Layout, table: Table, with_classes: bool, split_by: str) -> tuple[list[OwnTask], list[str]]:
    """Tasks whose rows have a task each, and what was left out."""
    problems: list[str] = []
    names = table.texts(layout.task) if layout.task else np.array(layout.tasks, dtype=object)[table.origins]
    splits = np.array(layout.splits, dtype=object)[table.origins] if layout.splits else np.full(len(table), "", object)
    if split_by:  # the folder goes before the column
        splits = np.array([split or split_called(cell) for split, cell in
                           zip(splits, table.texts(split_by), strict=True)], dtype=object)
    support = np.array(layout.is_support)[table.origins] if layout.form == "ready" else None
    nameless = int((names == "").sum())
    if nameless:
        problems.append(f"{nameless:,} rows have nothing in the column {layout.task} and were left out, such as "
                        f"{table.where(int(np.flatnonzero(names == '')[0]))}")
    targets = labels(table, layout.targets[0]) if with_classes else values(table, layout.targets)
    absent = (targets == "") if with_classes else np.isnan(targets.astype(np.float64)).any(1)
    if absent.any():
        problems.append(f"{int(absent.sum()):,} rows have no {'class' if with_classes else 'number'} in the target "
                        f"{', '.join(layout.targets)} and were left out, such as "
                        f"{table.where(int(np.flatnonzero(absent)[0]))}; fill it in or delete the row")
    members: dict[tuple[str, str], list[int]] = {}
    for row in np.flatnonzero(~absent & (names != "")):
        members.setdefault((str(splits[row]), str(names[row])), []).append(int(row))
    members, overlaps = without_overlap(members, "rows")
    tasks = []
    for (split, name), own in sorted(members.items()):
        rows = np.array(own, dtype=np.int64)
        tasks.append(_task(name, rows, targets[rows], split, None if support is None else support[rows]))
    return tasks, [*problems, *overlaps]


def _by_column(layout: Layout, table: Table, with_classes: bool) -> tuple[list[OwnTask], list[str]]:
    """A task of each target column, of the rows that have something there, and what was left out."""
    tasks, problems = [], []
    for name in layout.targets:
        try:
            targets = labels(table, name) if with_classes else values(table, (name,))
        except DataError as error:
            problems.append(f"{error}; the column was left out")
            continue
        present = (targets != "") if with_classes else ~np.isnan(targets.astype(np.float64)).any(1)
        rows = np.flatnonzero(present)
        if len(rows):
            tasks.append(_task(name, rows, targets[rows]))
    return tasks, named(problems, "{} more columns were left out")


def _task(name: str, rows: NDArray[np.int64], targets: NDArray[np.object_] | NDArray[np.float64], split: str = "",
          support: NDArray[np.bool_] | None = None) -> OwnTask:
    if targets.dtype != object:
        return OwnTask(name, rows, targets.astype(np.float32), split=split, support=support)
    classes = in_order(set(targets.tolist()))
    numbers = {one: number for number, one in enumerate(classes)}
    return OwnTask(name, rows, np.array([numbers[one] for one in targets], dtype=np.int64), classes, split,
                   support=support)
