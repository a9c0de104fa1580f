"""Tasks from tables that are laid out: which rows each has, what their targets are, and what was left out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.tasks.files.encoding import Encoded, schema_of
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table
from workbench.tasks.files.words import named, split_called
from workbench.tasks.own.task_forms import FORMS, Layout, Said, parted, splitting_of
from workbench.tasks.own.task_splits import OwnTask, TaskCollection, without_overlap
from workbench.tasks.own.task_targets import in_order, labels, values
from workbench.words import counted, listed, the


def collected(layout: Layout, said: Said, *, with_classes: bool) -> TaskCollection:
    """The tasks of a layout.

    Raises:
        DataError: Targets are not of this kind, or no row has one.
    """
    if with_classes and layout.form != "columns" and len(layout.targets) > 1:
        raise DataError(f"{layout.table.path}: classes stand in one column and dataset.target names "
                        f"{len(layout.targets)}: {listed(layout.targets, 5)}; name one of them")
    said = said.spelled(layout.table)
    extra = [*parted(said.group), *parted(said.ignore)]
    layout.table.check_has(extra, "which dataset.group or dataset.ignore names")
    splitting = splitting_of(layout.table, said, layout.task, *layout.targets)
    schema = schema_of(layout.table, [*layout.targets, *([layout.task] if layout.task else []), *extra,
                                      *splitting.columns])
    table = schema.table
    if layout.form == "columns":
        tasks, problems = _by_column(layout, table, with_classes)
        problems += [f"{table.path.name}: {the('column', name)} splits rows where each column is a task, so it was "
                     "left out and the tasks were split anew" for name in splitting.columns]
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
               "task": layout.task, "header": "yes" if layout.table.has_header else "no"}

    def fit(training: NDArray[np.int64]) -> Encoded:
        encoder = schema.fit(table, training)
        return Encoded(torch.from_numpy(encoder.encode(table)), {**reading, **encoder.reading}, encoder.facts(table))

    is_by_row = bool(splitting.column) and layout.form != "columns"
    return TaskCollection(tuple(tasks), torch.empty(len(table), 0), table.where, FORMS[layout.form], "rows",
                          (*_spoken(layout), *([f"split by {the('column', splitting.column)}"] if is_by_row else []),
                           *layout.table.notes, *schema.notes),
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
    support = np.array(layout.is_support)[table.origins] if layout.is_support else None
    nameless = int((names == "").sum())
    if nameless:
        problems.append(f"{counted(nameless, 'rows', 'has', 'have')} nothing in {the('column', layout.task)} and "
                        f"{'was' if nameless == 1 else 'were'} left out, such as "
                        f"{table.where(int(np.flatnonzero(names == '')[0]))}")
    targets = labels(table, layout.targets[0]) if with_classes else values(table, layout.targets)
    absent = (targets == "") if with_classes else np.isnan(targets.astype(np.float64)).any(1)
    if absent.any():
        lacking = int(absent.sum())
        problems.append(f"{counted(lacking, 'rows', 'has', 'have')} no {'class' if with_classes else 'number'} in the "
                        f"target {', '.join(layout.targets)} and {'was' if lacking == 1 else 'were'} left out, such as "
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
