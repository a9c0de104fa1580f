"""Tables of tasks that tests write, and datasets that are opened on them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.base import TaskSource
from workbench.tasks.looking.check import experiment_on
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.task_tables import ClassTaskTables, TaskTables

Cells = list[list[Any]]


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """A csv of these cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        if header:
            writer.writerow(header)
        writer.writerows(rows)
    return path


def points(rows: int, seed: int = 0) -> Cells:
    """Load, mode and a target of each row."""
    chance = np.random.default_rng(seed)
    return [[round(float(chance.uniform(0, 9)), 2), str(chance.choice(["eco", "boost"])),
             round(float(chance.normal(50, 20)), 1)] for _ in range(rows)]


def long_table(path: Path, users: int = 8, rows: int = 24, target: Callable[[int], Any] | None = None) -> Path:
    """A table whose first column names the task: load, mode and warmth of each user."""
    cells = [[f"u{user}", *row[:2], target(place) if target else row[2]] for user in range(users)
             for place, row in enumerate(points(rows, user))]
    return write(path, ["user", "load", "mode", "warmth"], cells)


def opened_as_found(path: Path) -> TaskSource:
    """What the recognizer would train on."""
    found = recognize_data(path)
    kind = {"task_tables": TaskTables, "class_task_tables": ClassTaskTables}[found.dataset]
    return kind(experiment_on(found), torch.device("cpu"))


def opened(dataset: str, *, ways: int = 2, shots: int = 2, queries: int = 2, **config: Any) -> TaskSource:
    """A dataset with these fields, which may be called as the tables of the experiment are."""
    kind = find("dataset", dataset)
    assert issubclass(kind, TaskSource)
    return kind(resolve({"dataset": {"name": dataset, **config}, "algorithm": {"name": "maml"},
                         "task": {"ways": ways, "shots": shots, "queries": queries}}), torch.device("cpu"))


def assays(path: Path, *, columns: int = 6, rows: int = 120, classes: bool = True, group: bool = False) -> Path:
    """A table of compounds with a task in each column, which half of them were tested for."""
    chance = np.random.default_rng(3)
    cells = []
    for row in range(rows):
        features = [f"C{row:04}", *([f"scaffold {row // 4}"] if group else []),
                    *(f"{chance.normal():.3f}" for _ in "abc")]
        values = [(int(chance.random() < 0.3) if classes else f"{chance.normal():.2f}") if chance.random() < 0.5 else ""
                  for _ in range(columns)]
        cells.append([*features, *values])
    header = ["compound", *(["scaffold"] if group else []), "logp", "weight", "charge",
              *(f"assay_{n}" for n in range(columns))]
    return write(path, header, cells)
