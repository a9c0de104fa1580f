"""Examples that are a file each, in folders of their classes: finding them, reading them, and what was wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Listing
from workbench.tasks.files.words import named, plural, shown
from workbench.tasks.own.classes import Collection
from workbench.tasks.own.folders import Layout, found_among, recognize


def layout_of(listing: Listing, suffixes: frozenset[str], noun: str) -> Layout:
    """The classes among the files that have one of these suffixes.

    Args:
        listing: What lies there.
        suffixes: In lower case, with their dots.
        noun: What one of the files is called.
    """
    def is_wanted(name: str) -> bool:
        return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122 - a name, not yet a path

    return recognize(found_among(listing.files, listing.problems, is_wanted, noun), plural(noun))


def files_of(layout: Layout, root: Path, noun: str) -> list[FileEntry]:
    """Every file of the classes, in the order of classes.

    Raises:
        DataError: There is none.
    """
    files = [file for one in layout.classes for file in one.files]
    if not files:
        raise DataError(f"{root} holds no folder with {plural(noun)}; put a folder of {plural(noun)} for each class "
                        "into it" + (f". {layout.problems[0]}" if layout.problems else ""))
    return files


@dataclass(frozen=True)
class Read:
    """Files that were read.

    Attributes:
        inputs: [kept files, *shape].
        kept: Index of the file of each.
        broken: (index, reason) of each file that was not read.
        is_lasting: Whether all of these would fail again.
    """

    inputs: Tensor
    kept: Sequence[int]
    broken: Sequence[tuple[int, str]]
    is_lasting: bool = True


def collected(layout: Layout, files: Sequence[FileEntry], read: Read, *, form: str, noun: str,
              facts: tuple[str, ...], reading: Mapping[str, Any]) -> Collection:
    """The examples of a layout whose files were read, with what was wrong."""
    kept = np.array(read.kept, dtype=np.int64)
    owners = np.repeat(np.arange(len(layout.classes)), [len(one.files) for one in layout.classes])[kept]
    nouns = plural(noun)
    broken = named([f"{shown(files[index].name)} {why}" for index, why in read.broken],
                   f"{{}} more {nouns} cannot be read and were left out")
    return Collection(layout.classes, read.inputs, owners, [files[index].name for index in kept], form, nouns,
                      (*facts, *layout.notes), (*layout.problems, *broken), reading)
