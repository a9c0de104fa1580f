"""Examples that come with a label each, brought into the order of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.tasks.files.listing import FileEntry
from workbench.tasks.own.folders import ClassFolder, with_a_split_each, without_overlap


class Sorted(NamedTuple):
    """Examples by class.

    Attributes:
        classes: Every class by name, with the split that the examples' own splits give it.
        rows: [kept] index of each example, sorted by class.
        owners: [kept] index of its class.
        notes, problems: What was decided and what was left out.
    """

    classes: tuple[ClassFolder, ...]
    rows: NDArray[np.int64]
    owners: NDArray[np.int64]
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def sorted_by_label(labels: Sequence[str], splits: Sequence[str], nouns: str) -> Sorted:
    """Put examples into classes, with splits of other classes each where the data give such.

    Args:
        labels: The label of each example.
        splits: Its split: train, validation, test, or empty where the data do not say.
        nouns: What the examples are called.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(labels, splits, strict=True)):
        members.setdefault(key, []).append(row)
    classes = [ClassFolder(label, split, label, tuple(FileEntry(str(row), 0, 0, 0) for row in rows))
               for (label, split), rows in members.items()]
    classes, problems = with_a_split_each(classes, nouns)
    notes: list[str] = []
    if any(one.split for one in classes):
        classes, notes, more = without_overlap(classes, nouns)
        problems += more
    classes.sort(key=lambda one: one.name)
    order = [np.array([int(file.name) for file in one.files], dtype=np.int64) for one in classes]
    owners = np.repeat(np.arange(len(classes)), [len(rows) for rows in order])
    bare = tuple(ClassFolder(one.name, one.split, one.group, ()) for one in classes)
    return Sorted(bare, np.concatenate(order) if order else np.empty(0, np.int64), owners, tuple(notes),
                  tuple(problems))


def plain_labels(labels: Sequence[str]) -> list[str]:
    """Labels as they are called: whole numbers without the fraction or the exponent that a program wrote."""
    values = []
    for label in labels:
        try:
            values.append(float(label))
        except ValueError:
            return list(labels)
    if all(value.is_integer() for value in values):
        return [str(int(value)) for value in values]
    return list(labels)
