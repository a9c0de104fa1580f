"""Regression tasks of the person's own in an array with a task along its first axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import NewGuess, NewTask, Recognition, Spec
from workbench.tasks.files.array_files import read_arrays
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import Listing
from workbench.tasks.files.numbers import TOO_LARGE, are_sound
from workbench.tasks.files.words import named
from workbench.tasks.own.arrays import FORM, guess_new_arrays, read_new_arrays, recognized
from workbench.tasks.own.task_splits import OwnTask, TaskCollection
from workbench.tasks.own.tasks import OwnTasks, OwnValueTasksConfig
from workbench.words import counted


class ArrayTasksConfig(OwnValueTasksConfig):
    """Where the tasks lie."""

    name: Literal["array_tasks"] = "array_tasks"
    path: Path | None = field(None, label="Data", help="File .npz with x [tasks, examples, features], y [tasks, "
                              "examples] or [tasks, examples, values] and perhaps split [tasks]; or folder with x.npy "
                              "and y.npy.")


class ArrayTasks(OwnTasks):
    """Regression from an array of your own: x [tasks, examples, features], y [tasks, examples] or with several values.

    Each task draws its support and its queries from its own examples; some tasks are held out. Examples with a missing
    number are left out, so tasks may have unequal numbers of them.
    """

    Config = ArrayTasksConfig
    title = "Arrays, tasks"
    reading_form = FORM
    task_kinds = frozenset({"regression"})

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A small network, and as many points as tasks of functions usually have."""
        return {"backbone.name": "mlp", "task.shots": 5, "task.queries": 5, "training.meta_batch": 25}

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """Values with two axes beside inputs with three."""
        return recognized(listing, "array_tasks")

    @classmethod
    def read_new(cls, folder: Path, spec: Spec) -> NewTask:
        """Arrays in `support.npz`, x and y, and in `query.npz`, x."""
        return read_new_arrays(folder, spec)

    @classmethod
    def guess_new(cls, folder: Path) -> NewGuess | None:
        """Arrays whose shape is this dataset's."""
        return guess_new_arrays(folder, "array_tasks")

    @classmethod
    def what_it_reads(cls) -> str:
        """A file of arrays."""
        return "the .npz file that holds x and y, or the folder that holds x.npy and y.npy"

    @classmethod
    def read_tasks(cls, config: Any) -> TaskCollection:
        """Read the arrays and take them apart into tasks."""
        found = read_arrays(config.path)
        x, y = found.x, found.y
        assert y is not None  # noqa: S101 - read_arrays raises where there is none
        if x.ndim != 3 or y.ndim not in (2, 3) or y.shape[:2] != x.shape[:2] or y.dtype.kind not in "iufb":
            raise DataError(f"{config.path}: x has shape {list(x.shape)} and y has {list(y.shape)} ({y.dtype}); tasks "
                            "of regression are x [tasks, examples, features] and y [tasks, examples] or [tasks, "
                            "examples, values], of numbers")
        y = y.reshape(*y.shape[:2], -1)
        is_whole = are_sound(x) & are_sound(y)
        with np.errstate(over="ignore"):  # what is too large for float32 is in no task
            inputs, values = (np.ascontiguousarray(one, dtype=np.float32) for one in (x, y))
        torn = np.flatnonzero(~is_whole.all(1))
        problems = named([f"{found.name}: task {task} has "
                          f"{counted(int((~is_whole[task]).sum()), 'examples')} with numbers that are missing, "
                          f"{TOO_LARGE}; left out, correct them" for task in torn],
                         "{} more tasks have such examples")
        count = x.shape[1]
        rows = np.arange(x.shape[0] * count).reshape(-1, count)
        tasks = tuple(OwnTask(f"task {task}", rows[task][is_whole[task]], values[task][is_whole[task]],
                              split=found.split[task]) for task in range(len(x)))
        return TaskCollection(
            tasks, torch.from_numpy(inputs.reshape(-1, x.shape[2])),
            lambda row: f"{found.name}, task {row // count}, example {row % count}", FORM, "examples",
            (counted(x.shape[2], "features"), counted(values.shape[2], "values")), tuple(problems),
            {"form": FORM, "dataset": "array_tasks"}, raw="numbers as they are in x")
