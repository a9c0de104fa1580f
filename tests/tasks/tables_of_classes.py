"""A table of classes that tests write, and what a dataset made of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

from workbench.tasks.base import TaskSource
from workbench.tasks.sampling.classes import ClassTasks, Labelled

SMALL = {"task": {"ways": 2, "shots": 1, "queries": 2}}


def write(path: Path, classes: int = 12, each: int = 8, extra: Mapping[str, Callable[[int, int], str]] | None = None,
          label: Callable[[int, int], str] = lambda one, _: f"kind {one:02}") -> Path:
    """A csv whose row is (mass, colour, further columns, species); functions of the class and the place in it."""
    chance = random.Random(0)  # noqa: S311 - no secrets are drawn
    more = dict(extra or {})
    lines = [",".join(["mass", "colour", *more, "species"])]
    for place in range(each):
        for one in range(classes):
            cells = [f"{chance.gauss(one, 1):.3f}", chance.choice(["red", "blue"])]
            lines.append(",".join([*cells, *[make(one, place) for make in more.values()], label(one, place)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def found(source: TaskSource) -> Labelled:
    """The rows that a dataset holds."""
    assert isinstance(source, ClassTasks)
    return source.labelled


def sides(source: TaskSource) -> dict[str, str]:
    """The split of each class."""
    return dict(zip(found(source).names, found(source).split, strict=True))
