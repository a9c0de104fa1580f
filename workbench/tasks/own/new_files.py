"""New tasks whose examples are a file each, in folders of their classes, and others to predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from workbench.tasks.base import Examples, NewTask, Spec
from workbench.tasks.files.each import read_each
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Listing
from workbench.tasks.files.words import shown
from workbench.tasks.own.folders import found_among
from workbench.tasks.own.new_task import normalized, sorted_out, without_query, without_support
from workbench.words import counted, listed, plural


def read_new_files(listing: Listing, spec: Spec, suffixes: frozenset[str], noun: str, read: Callable[[Path], Tensor]
                   ) -> NewTask:
    """Class folders of labelled files, and others in a folder `unlabelled`.

    Args:
        listing: What lies in the folder of the task.
        spec: What the learner takes.
        suffixes: Of the files, in lower case, with their dots.
        noun: What one of the files is called.
        read: Makes a file an input that is not normalized yet, or raises FileError.

    Raises:
        DataError: There are none of the one or the other that can be read.
    """
    folder = listing.root
    found = found_among(listing.files, listing.problems, lambda name: Path(name).suffix.lower() in suffixes, noun)
    labelled, unlabelled = sorted_out(found)
    nouns, problems = plural(noun), list(found.problems)
    if not labelled:
        raise DataError(f"{without_support(folder, found, nouns)}{among(problems)}")
    if not unlabelled:
        raise DataError(f"{without_query(folder, found, nouns)}{among(problems)}")
    support = _read(folder, [(file, name) for name, files in labelled.items() for file in files], read, problems)
    query = _read(folder, [(file, "") for file in unlabelled], read, problems)
    classes = sorted({name for _, name, _ in support})
    if len(classes) < 2:
        raise DataError(f"{folder} holds readable {nouns} of {counted(len(classes), 'classes')} and a task "
                        f"needs two or more; add a folder of labelled {nouns} for each class{among(problems)}")
    if not query:
        raise DataError(f"none of the {counted(len(unlabelled), nouns)} to predict in {folder} can be read"
                        f"{among(problems)}")
    return new_task([name for _, name, _ in support], torch.stack([one for _, _, one in support]),
                 torch.stack([one for _, _, one in query]), names=[file.name for file, _, _ in query],
                 problems=problems, spec=spec)


def _read(folder: Path, files: Sequence[tuple[FileEntry, str]], read: Callable[[Path], Tensor], problems: list[str]
          ) -> list[tuple[FileEntry, str, Tensor]]:
    """The files that can be read, with their classes and inputs; `problems` grows by the others."""
    good, broken, _ = read_each([folder / file.name for file, _ in files], read)
    problems += [f"{shown(files[index][0].name)} {why}" for index, why in broken.items()]
    return [(*files[index], one) for index, one in good.items()]


def among(problems: Sequence[str]) -> str:
    """The first few problems, as the end of a sentence; nothing where there are none."""
    return f": {listed(problems, 3)}" if problems else ""


def new_task(labels: Sequence[str], support: Tensor, query: Tensor, *, names: Sequence[str], problems: Sequence[str],
             spec: Spec) -> NewTask:
    """The task of labelled inputs [n, *input_shape] and others [m, *input_shape], not normalized yet."""
    classes = sorted(set(labels))
    numbers = {name: number for number, name in enumerate(classes)}
    targets = torch.tensor([numbers[label] for label in labels])
    return NewTask(tuple(map(shown, classes)), Examples(normalized(support, spec), targets),
                   normalized(query, spec), tuple(map(shown, names)), tuple(problems))
