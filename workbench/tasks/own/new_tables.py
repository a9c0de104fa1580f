"""New tasks in tables: `support.csv` with what is labelled, and `query.csv` with what is to be predicted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.tasks.base import Examples, NewTask, Spec
from workbench.tasks.files.delimited import Header
from workbench.tasks.files.encoding import Encoder, fitted
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table, guess_label, kind_of, names_rows
from workbench.tasks.own.ready_made import PARTS, Part, part_of_task
from workbench.tasks.own.rows import without
from workbench.tasks.own.task_targets import in_order, is_of_classes, labels
from workbench.words import listed, the

_NEEDS = "a support.csv with inputs and targets and a query.csv with inputs"


def new_table(folder: Path, part: Part, header: Header, column: str, needs: str) -> Table:
    """A table of a new task.

    Args:
        folder: That of the task.
        part: Which of its parts.
        header: Whether its first row names the columns.
        column: What says the class of a row where only a folder says it.
        needs: What a new task for the learner is, as the rest of a sentence.

    Raises:
        DataError: It is not there or cannot be read.
    """
    table = part_of_task(folder, part, header, column)
    if table is None:
        raise DataError(f"{folder} holds no {part}.csv; a new task for this learner is {needs}, or folders called so "
                        "that hold such tables")
    return table


def new_label(support: Table, query: Table, spec: Spec, used: tuple[str, ...]) -> str:
    """The column of the support that says the class: the one that it was in training, or the only one that is new.

    Raises:
        DataError: There is none, or it is not clear which.
    """
    label = str(spec.reading["label"])
    if label in support.columns:
        return label
    new = [name for name in support.columns if name not in used]
    guess = new[0] if len(new) == 1 else guess_label(support, {*used, *query.columns})
    if guess is None:
        raise DataError(f"{support.path} has no column {label}, which says the class of each row; its columns are "
                        f"{listed(support.columns, 12)}")
    return guess


def targets_of(support: Table, label: str) -> tuple[tuple[str, ...], torch.Tensor]:
    """Names of the classes and the number [rows] of each row's."""
    cells = support.texts(label)
    names = sorted(set(cells))
    return tuple(names), torch.tensor([names.index(cell) for cell in cells])


def ids_of(query: Table, used: Iterable[str], task: str = "") -> dict[str, tuple[str, ...]]:
    """The columns that only name or date the rows of a query, with the cell of each row, and that of the `task`; `used`
    have another use."""
    others = [name for name in query.columns if name not in frozenset(used)]
    return {name: tuple(map(str, query.frame[name])) for name in others
            if name == task or names_rows(query, name)}


def read_new_rows(folder: Path, spec: Spec) -> NewTask:
    """A new task for a learner of tables: `support.csv` with the columns of its data, `query.csv` without the target.

    The target is the column that is called as in training, else the last that is no input.

    Raises:
        DataError: A table is missing, or a column, or a number.
    """
    encoder, known = Encoder.of(spec.reading), spec.reading["targets"]
    support, query = (new_table(folder, part, spec.reading["header"], known[0] if known else "class", _NEEDS)
                      for part in PARTS)
    targets = _targets(support, encoder, spec)
    support, problems = _with_targets(support, targets, spec)
    inputs = [_normalized(encoder, table, spec) for table in (support, query)]
    ids = ids_of(query, (*encoder.columns, *targets), spec.reading.get("task", ""))
    if spec.kind == "classification":
        owners, names = _labels(support, targets[0], spec)
        examples = Examples(inputs[0], torch.from_numpy(owners))
    else:
        examples, names = Examples(inputs[0], _scaled(support, targets, spec)), ()
    return NewTask(names, examples, inputs[1], tuple(query.where(row) for row in range(len(query))),
                   (*support.problems, *query.problems, *problems, *encoder.unread(support), *encoder.unread(query)),
                   query_ids=ids, target_names=targets if support.has_header and not names else (),
                   decimal=query.sign)


def spec_of_values(folder: Path) -> Spec | None:
    """What a learner for a new task of values would be made for; None without a named target of numbers."""
    support, query = (part_of_task(folder, part, "auto", "class") for part in PARTS)
    if support is None or query is None:
        return None
    targets = [name for name in support.columns if name not in query.columns]
    if not support.has_header or not targets or any(
            kind_of(support, name) != "numeric" or is_of_classes(support, name) for name in targets):
        return None
    encoder = fitted(support, targets).encoder
    return Spec("regression", "vector", (len(encoder.features),), len(targets),
                reading={"form": "task_tables", "targets": targets, "header": "yes", **encoder.reading})


def _normalized(encoder: Encoder, table: Table, spec: Spec) -> torch.Tensor:
    return (torch.from_numpy(encoder.encode(table)) - torch.tensor(spec.mean)) / torch.tensor(spec.deviation)


def _targets(support: Table, encoder: Encoder, spec: Spec) -> tuple[str, ...]:
    known = tuple(spec.reading["targets"])
    if known and set(known) <= set(support.columns):
        return known
    count = 1 if spec.kind == "classification" else spec.outputs
    others = [name for name in support.columns if name not in encoder.columns]
    if len(others) < count:
        wanted = f", called {', '.join(known)}" if known else ""
        raise DataError(f"{support.path} has no column of the target{wanted}; add it behind the inputs")
    return tuple(others[-count:])


def _with_targets(support: Table, targets: tuple[str, ...], spec: Spec) -> tuple[Table, list[str]]:
    """The rows that have a class, or a number in each target, and a sentence on the others.

    Raises:
        DataError: None has.
    """
    is_of_classes = spec.kind == "classification"
    absent = np.any([labels(support, name) == "" if is_of_classes else np.isnan(support.numbers(name))
                     for name in targets], axis=0)
    lacking = f"{'class' if is_of_classes else 'number'} in the target {', '.join(targets)}"
    if absent.all():
        raise DataError(f"{support.path}: no row has a {lacking}; fill some in")
    return (support.rows(~absent), [without(support, absent, lacking)]) if absent.any() else (support, [])


def _labels(support: Table, target: str, spec: Spec) -> tuple[np.ndarray[Any, np.dtype[np.int64]], tuple[str, ...]]:
    """Labels [rows], and the name of each: those of training where all tasks have the same."""
    texts = labels(support, target).tolist()
    known = tuple(spec.reading.get("classes", ()))
    strange = next((row for row, one in enumerate(texts) if known and one not in known), None)
    if strange is not None:
        raise DataError(f"{support.place(strange)}: {texts[strange]!r} in the target {target} is "
                        f"none of the classes that the learner knows: {', '.join(known)}")
    names = known or in_order(set(texts))
    absent = [one for one in names if one not in texts]
    if absent or len(names) < 2:
        raise DataError(f"{support.path}: no row is of {the('class', absent[0])}; add one" if absent else
                        f"{support.path}: all rows are of {the('class', names[0])}; add some of another")
    return np.array([names.index(one) for one in texts], dtype=np.int64), names


def _scaled(support: Table, targets: tuple[str, ...], spec: Spec) -> torch.Tensor:
    """Target values [rows, outputs] as the learner takes them."""
    values = np.stack([support.numbers(name) for name in targets], axis=1)
    middle, spread = (np.array(spec.reading.get(name, usual)) for name, usual in
                      (("target_mean", 0.0), ("target_deviation", 1.0)))
    return torch.from_numpy((values - middle) / spread).float()
