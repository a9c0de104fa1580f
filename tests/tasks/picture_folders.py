"""Names of twenty classes of pictures, and what a dataset made of a folder of them."""

from __future__ import annotations

from workbench.tasks.base import TaskSource
from workbench.tasks.sampling.classes import ClassTasks, Labelled

NAMES = [f"class {i:02}" for i in range(20)]


def pictures(source: TaskSource) -> Labelled:
    """The pictures that a dataset holds."""
    assert isinstance(source, ClassTasks)
    return source.labelled


def sides(source: TaskSource) -> dict[str, str]:
    """The split of each class."""
    found = pictures(source)
    return dict(zip(found.names, found.split, strict=True))


def sizes(source: TaskSource) -> dict[str, int]:
    """How many classes each split has."""
    return source.overview().classes
