"""The targets of tasks in tables: which columns hold classes, and their values or the names of their classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table, kind_of

CLASS_NAMES = frozenset({"label", "labels", "class", "classes", "category"})
_MOST_CLASSES = 50


def is_of_classes(table: Table, name: str) -> bool:
    """Whether a column holds classes: few texts, two numbers, or a few whole numbers in a column called class."""
    kind = kind_of(table, name)
    if kind != "numeric":
        return kind == "categorical"
    numbers = table.numbers(name)
    values = np.unique(numbers[~np.isnan(numbers)])
    is_whole = bool((values == np.round(values)).all())
    return len(values) == 2 or (name.lower() in CLASS_NAMES and is_whole and len(values) <= _MOST_CLASSES)


def in_order(classes: set[str]) -> tuple[str, ...]:
    """Names of classes in order: by their value where all are numbers."""
    try:
        return tuple(sorted(classes, key=float))
    except ValueError:
        return tuple(sorted(classes))


def values(table: Table, targets: Sequence[str]) -> NDArray[np.float64]:
    """[rows, targets] numbers; NaN where there is none.

    Raises:
        DataError: A column holds no numbers.
    """
    for name in targets:
        strays, missing = table.strays(name), table.missing(name)
        if strays.sum() > 0.02 * (~missing).sum():
            row = int(np.flatnonzero(strays)[0])
            cell, place = table.frame[name].iloc[row], table.place(row)
            raise DataError(f"{place}: {cell!r} in the target {name} is no number; name another column in "
                            "dataset.target, or take the dataset class_task_tables")
    return np.stack([table.numbers(name) for name in targets], axis=1)


def labels(table: Table, target: str) -> NDArray[np.object_]:
    """[rows] names of classes; empty where there is none. Numbers are written alike, as 1 for 1.0.

    Raises:
        DataError: There are more values than classes would have.
    """
    texts, numbers, absent = table.texts(target), table.numbers(target), table.missing(target)
    if (~np.isnan(numbers) | absent).all():
        texts = np.array(["" if np.isnan(one) else f"{one:.12g}" for one in numbers], dtype=object)
        count = len(set(texts.tolist()) - {""})
        if count > _MOST_CLASSES:
            raise DataError(f"{table.path}: the target {target} holds {count:,} different numbers, which are "
                            "values rather than classes; take the dataset task_tables, or name another column in "
                            "dataset.target")
    return texts
