"""Groups such as speakers, sessions or compounds, whose examples stay on one side of the split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.tasks.base import SPLIT_NAMES
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.words import shown
from workbench.tasks.own.folders import ClassFolder, Shares, share_out
from workbench.words import counted, listed

ANYWHERE = len(SPLIT_NAMES)
"""Stands for the split of an example that belongs to no group."""


def linked(classes: Sequence[ClassFolder], owners: NDArray[np.int64], groups: Sequence[str]) -> list[ClassFolder]:
    """The classes with a group each: classes that have examples of one group belong together, also through others.

    Args:
        classes: All of them.
        owners: [examples] index of the class of each.
        groups: [examples] what each belongs to; empty for nothing.
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            name = above[name]
        return name

    for owner, group in sorted(set(zip(owners.tolist(), groups, strict=True))):
        if group:
            ends = sorted((top(f"class {classes[owner].name}"), top(f"group {group}")))
            above[ends[1]] = ends[0]
    return [replace(one, group=top(f"class {one.name}")) for one in classes]


def are_whole(classes: Sequence[ClassFolder], split: Sequence[str]) -> bool:
    """Whether no group has classes on two sides; classes without a side take no part."""
    sides: dict[str, str] = {}
    return all(not side or sides.setdefault(one.group, side) == side for one, side in zip(classes, split, strict=True))


def sides_of(groups: Sequence[str], shares: Shares, name: str) -> NDArray[np.int8]:
    """[examples] the split, by its place among `SPLIT_NAMES`, that the group of each is held out for, or `ANYWHERE`.

    Args:
        groups: [examples] what each belongs to; empty for nothing.
        shares: Of the groups.
        name: What the groups are called by, such as the column "speaker".

    Raises:
        DataError: There are too few groups for every split to have one.
    """
    names = sorted(set(groups) - {""})
    if len(names) < len(SPLIT_NAMES):
        count = {0: "no values", 1: "one value"}.get(len(names), f"{len(names)} values")
        raise DataError(f"{name} has {count}, and training, validation and testing need one of their own each; name "
                        "another one, or leave dataset.group empty")
    split, _ = share_out([ClassFolder(one, "", one, ()) for one in names], 1, shares)
    side = {one: SPLIT_NAMES.index(its) for one, its in zip(names, split, strict=True)} | {"": ANYWHERE}
    return np.array([side[one] for one in groups], dtype=np.int8)


def on_sides(side: Mapping[str, str]) -> str:
    """How many groups are on each side, and the names of a few of those held out.

    Args:
        side: The split of each group; empty for one that takes no part.
    """
    said = []
    for split in SPLIT_NAMES:
        names = [shown(name) for name, its in sorted(side.items()) if its == split]
        which = f" ({listed(names, 3)})" if names and split != "train" else ""
        said.append(f"{len(names):,} {split}{which}")
    return f"{counted(len(side), 'groups')}, each whole on one side: {', '.join(said)}"


def counts_by_side(owners: NDArray[np.int64], sides: NDArray[np.int8], classes: int) -> NDArray[np.int64]:
    """[splits, classes] examples that each class would have in each split."""
    return np.stack([np.bincount(owners[(sides == side) | (sides == ANYWHERE)], minlength=classes)
                     for side in range(len(SPLIT_NAMES))]).astype(np.int64)
