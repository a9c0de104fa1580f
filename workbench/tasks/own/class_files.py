"""Examples that are a file each, in folders of their classes: finding them, reading them, and what was wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from workbench.experiment.fields import field
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Listing
from workbench.tasks.files.words import named, shown
from workbench.tasks.own.class_splits import OwnClassesConfig
from workbench.tasks.own.classes import Collection
from workbench.tasks.own.folders import GroupLevel, Layout, Level, found_among, recognize
from workbench.words import plural


class ClassFoldersConfig(OwnClassesConfig):
    """Which folders say what a file belongs to."""

    class_folder: Level = field(
        "auto", label="Class folder", help="Which folder is the class of a file. Automatic takes the one that holds "
        "it, or the top ones where some lie deeper than others; top folders keep what was sorted further, such as by "
        "session, together; by name, folders of one name are one class wherever they lie, such as below each speaker.",
        choices={"auto": "Automatic", "top": "Top folder", "deepest": "Deepest folder", "name": "Deepest, by name"},
        advanced=True)
    group_folder: GroupLevel = field(
        "auto", label="Group folder", help="Which folder, such as that of a speaker or a session, stays on one side of "
        "the split. Automatic holds out top folders whole where each has classes of its own. Where each has files of "
        "many classes, what is held out has the files of its own groups alone.",
        choices={"auto": "Automatic", "top": "Top folder", "second": "Second folder", "deepest": "Deepest folder"},
        advanced=True)


GROUPED_BY = {"top": "the top folder", "second": "the second folder", "deepest": "the deepest folder", "auto": ""}
"""What groups are called by."""


def groups_of(layout: Layout, files: Sequence[FileEntry]) -> tuple[str, ...] | None:
    """[files] the group of each; None where no folders say any."""
    return tuple(layout.groups[file.folder] for file in files) if layout.groups else None


def layout_of(listing: Listing, suffixes: frozenset[str], noun: str, config: ClassFoldersConfig | None = None
              ) -> Layout:
    """The classes among the files that have one of these suffixes.

    Args:
        listing: What lies there.
        suffixes: In lower case, with their dots.
        noun: What one of the files is called.
        config: Which folders say what; None for what is usual.
    """
    def is_wanted(name: str) -> bool:
        return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122 - a name, not yet a path

    levels = (config.class_folder, config.group_folder) if config is not None else ("auto", "auto")
    return recognize(found_among(listing.files, listing.problems, is_wanted, noun), plural(noun), *levels)


def files_of(layout: Layout, root: Path, noun: str) -> list[FileEntry]:
    """Every file of the classes, in the order of classes.

    Raises:
        DataError: There is none.
    """
    files = [file for one in layout.classes for file in one.files]
    if not files:
        raise DataError(f"{root} holds no folder with {plural(noun)}; put a folder of {plural(noun)} for each class "
                        f"into it, or, to have {plural(noun)} predicted by a run, folders with a few labelled ones "
                        "of each class beside them" + (f". {layout.problems[0]}" if layout.problems else ""))
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
              facts: tuple[str, ...], reading: Mapping[str, Any], grouped_by: str = "") -> Collection:
    """The examples of a layout whose files were read, with what was wrong."""
    kept = np.array(read.kept, dtype=np.int64)
    owners = np.repeat(np.arange(len(layout.classes)), [len(one.files) for one in layout.classes])[kept]
    nouns = plural(noun)
    broken = named([f"{shown(files[index].name)} {why}" for index, why in read.broken],
                   f"{{}} more {nouns} cannot be read and were left out")
    own = [files[index] for index in kept]
    return Collection(layout.classes, read.inputs, owners, [file.name for file in own], form, nouns,
                      (*facts, *layout.notes), (*layout.problems, *broken), reading, groups=groups_of(layout, own),
                      grouped_by=grouped_by)
