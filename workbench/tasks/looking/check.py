"""The report on a person's data: what they are, what they hold, what is wrong with them and how hard they are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.fields import Choice
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.registry import Pluggable, find
from workbench.experiment.resolve import resolve, with_values
from workbench.tasks.base import Overview, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import list_files, walked_once
from workbench.tasks.looking.fitting import open_fitting
from workbench.tasks.looking.recognizer import NEW_TASK, Recognized, recognize_data
from workbench.tasks.own.data import OwnData
from workbench.tasks.own.folders import recognize, scan
from workbench.tasks.own.new_task import read_new_task, usual_spec


def check_data(path: Path, task: TaskConfig | Mapping[str, int] | None = None) -> dict[str, Any]:
    """Report on a folder, a zip or a file.

    Args:
        path: Where the data lie.
        task: Shape of the tasks that they are judged for; what suits the dataset where it says nothing, or what the
            data have the examples for.

    Returns:
        form: What the data were recognized as; "new task" or "unknown" among others.
        why: What shows it.
        otherwise: How else the data may be read, in a sentence without its full stop; else empty.
        path, dataset, settings: The data, the dataset that reads them, and the fields that were guessed.
        experiment: Other fields of the experiment that the data demand, by their dotted names.
        note: Which of them are not as usual, because the data would not do otherwise, in a sentence without its full
            stop; else empty.
        facts: What was decided in reading, in one line.
        classes, examples: How many; classes are 0 for regression.
        splits: {"train": {"classes": ..., "examples": ...}, ...}; of a new task "support" and "query".
        tasks: {"train": ..., ...} where there is a fixed number of them; else empty.
        size, color: Of pictures the side in pixels and "grey" or "rgb"; else None.
        floor: What a simple method reaches: {"name", "metric", "mean", "ci95", "tasks"}, or None.
        problems: Sentences that name the file, column or class and the remedy.
        usable: Whether it will do as it is.

    Raises:
        DataError: Nothing is there. Bad data are reported, never raised.
    """
    with walked_once():
        return _reported(path, task)


def _reported(path: Path, task: TaskConfig | Mapping[str, int] | None) -> dict[str, Any]:
    report: dict[str, Any] = {
        "form": "unknown", "why": "", "otherwise": "", "facts": "", "path": str(path.expanduser()), "dataset": "",
        "settings": {}, "experiment": {}, "note": "",
        "classes": 0, "examples": 0, "splits": {}, "tasks": {}, "size": None, "color": None, "floor": None,
        "problems": [], "usable": False}
    if not path.expanduser().exists():
        recognize_data(path)  # which says what is wrong
    try:
        found = recognize_data(path)
    except DataError as error:
        return report | {"problems": [str(error)]}
    report |= {"form": found.form, "why": found.why, "otherwise": found.otherwise, "dataset": found.dataset,
               "settings": found.settings, "experiment": found.experiment}
    try:
        return report | _looked_at(found, task)
    except DataError as error:
        return report | {"problems": [str(error), *found.problems]}


def _looked_at(found: Recognized, task: TaskConfig | Mapping[str, int] | None) -> dict[str, Any]:
    if found.form == NEW_TASK:
        return _of_new_task(found.path)
    if not found.dataset:
        unread = [f"{found.path} was not recognized: {found.why}"] if found.why else []
        return {"problems": [*unread, *found.problems]}
    kind = find("dataset", found.dataset)
    try:
        fitting = open_fitting(_tables_on(found, task), [f"task.{name}" for name in _said(task)])
    except ExperimentError as error:
        return {"problems": [str(problem) for problem in error.problems]}
    except DataError as error:
        if found.dataset == "image_folder" and recognize(scan(list_files(found.path).root)).loose:
            with suppress(DataError):
                return {"form": NEW_TASK, "dataset": "", "settings": {}, **_of_new_task(found.path)}
        return _of_unusable(kind, experiment_on(found, task).dataset, error)
    own = {name: value for name, value in fitting.changes.items() if name.startswith("dataset.")}
    others = {name: value for name, value in fitting.changes.items() if name not in own}
    return _of_source(fitting.source) | {
        "settings": found.settings | {name.removeprefix("dataset."): value for name, value in own.items()},
        "experiment": found.experiment | others, "note": fitting.note}


def experiment_on(found: Recognized, task: TaskConfig | Mapping[str, int] | None = None) -> Experiment:
    """An experiment on recognized data, with what suits them."""
    return resolve(_tables_on(found, task))


def _tables_on(found: Recognized, task: TaskConfig | Mapping[str, int] | None) -> dict[str, Any]:
    tables = {"dataset": {"name": found.dataset, **found.settings}, "task": _said(task)}
    return with_values(tables, found.experiment)  # what the data demand goes before what anybody wants


def _said(task: TaskConfig | Mapping[str, int] | None) -> dict[str, int]:
    return task.model_dump() if isinstance(task, TaskConfig) else dict(task or {})


def _of_source(source: TaskSource) -> dict[str, Any]:
    overview = source.overview()
    floors = source.floors()
    splits = {name: {"classes": overview.classes.get(name, 0), "examples": count}
              for name, count in overview.examples.items()}
    classes = sum(overview.classes.values()) if overview.class_count is None else overview.class_count
    return {"form": overview.form, "facts": overview.facts, "classes": classes,
            "examples": sum(overview.examples.values()), "splits": splits,
            "tasks": overview.tasks, **_pictured(source, overview),
            "floor": asdict(floors[0]) if floors else None, "problems": list(overview.problems), "usable": True}


def _pictured(source: TaskSource, overview: Overview) -> Mapping[str, Any]:
    if not source.spec.is_of_pixels or overview.samples is None:
        return {}  # a spectrogram has rows and columns, and yet is no picture of some size
    shape = source.spec.input_shape
    return {"size": shape[-1], "color": "grey" if shape[0] == 1 else "rgb"}


def _of_new_task(path: Path) -> dict[str, Any]:
    spec = usual_spec(path)
    task = read_new_task(path, spec)
    classes, pictured = len(task.class_names), spec.is_of_pixels
    shape = task.query_inputs.shape
    return {"classes": classes, "examples": len(task.support.inputs) + len(task.query_inputs),
            "splits": {"support": {"classes": classes, "examples": len(task.support.inputs)},
                       "query": {"classes": 0, "examples": len(task.query_inputs)}},
            "size": shape[-1] if pictured else None,
            "color": None if not pictured else "grey" if shape[1] == 1 else "rgb",
            "problems": list(task.problems), "usable": True}


def _of_unusable(kind: type[Pluggable], config: Choice, error: DataError) -> dict[str, Any]:
    """What data that will not do hold all the same.

    Raises:
        DataError: Nothing can be read of them, or they are those of a benchmark.
    """
    if not issubclass(kind, OwnData):
        raise error
    held = kind.held(config)
    return {"classes": held.classes, "examples": held.examples, "problems": [str(error), *held.problems]}
