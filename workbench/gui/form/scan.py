"""Looks at a dataset before anything is trained on it, without Qt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.engine.session import open_source
from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.registry import ROLES, find
from workbench.experiment.resolve import dotted, resolve
from workbench.tasks.base import Floor, Overview, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import walked_once
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.fitting import open_fitting
from workbench.tasks.looking.preview import Example, Preview, examples, preview
from workbench.tasks.looking.recognizer import NEW_TASK, UNKNOWN
from workbench.words import counted

MOST_SAMPLES = 12


@dataclass(frozen=True)
class Look:
    """What a dataset turned out to be.

    Attributes:
        title: The dataset's title.
        form: What it was recognized as.
        facts: One line.
        splits: (split, classes, examples) of each split.
        problems: Sentences; those of a dataset that will not do come first.
        samples: Pictures [height, width, channels] uint8.
        drawn: Examples that are no pictures and can be drawn small.
        floors: What a learner must beat, as far as it is known yet.
        remedy: Values, by their dotted names, with which data that will not do would; empty where none are known.
        changes: Values, by their dotted names, that were set by themselves so that the data do.
        note: The changes in a sentence without its full stop; empty where there are none.
        source: The opened dataset and its experiment, from which the floors can be measured; None where it will not do.
        is_ink: Whether the pictures are light ink on black, to be drawn in the ink of the theme.
        is_usable: Whether it can be trained on.
        can_download: Whether its official files can be fetched.
    """

    title: str
    form: str = ""
    facts: str = ""
    splits: tuple[tuple[str, int, int], ...] = ()
    problems: tuple[str, ...] = ()
    samples: tuple[NDArray[np.uint8], ...] = field(default=(), repr=False)
    drawn: tuple[Example, ...] = field(default=(), repr=False, compare=False)
    floors: tuple[Floor, ...] = ()
    remedy: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    source: tuple[TaskSource, Experiment] | None = field(default=None, repr=False, compare=False)
    is_ink: bool = False
    is_usable: bool = True
    can_download: bool = False

    def report(self) -> str:
        """Everything as text to be copied."""
        lines = [f"{self.title}: {self.form}" if self.form else self.title, self.facts]
        lines += [f"{split}: {counted(classes, 'classes')}, {counted(examples, 'examples')}"
                  for split, classes, examples in self.splits]
        lines += [f"- {problem}" for problem in self.problems]
        return "\n".join(line for line in lines if line)


def relevant(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an experiment that decides what a dataset holds."""
    training = {name: tables["training"].get(name) for name in ("ways", "shots", "queries")}
    return {"dataset": tables["dataset"], "task": tables["task"], "training": training, "seed": tables["seed"],
            "algorithm": {"name": tables["algorithm"]["name"]}}


def look(tables: Mapping[str, Any], decided: Collection[str] | None = None) -> Look:
    """Open the dataset of an experiment and say what it holds; what is wrong with it is in `problems`.

    Args:
        tables: The experiment, as far as it is `relevant`.
        decided: Dotted names of what the person decided, where all else may be set as the data demand; None where all
            stays as it is.
    """
    picked = cast("type[TaskSource]", find("dataset", tables["dataset"]["name"]))
    path = tables["dataset"].get("path")
    blank = Look(picked.title, can_download=picked.downloadable)
    try:
        wanted = resolve(tables)
        fitting = open_fitting(tables, dotted(wanted.model_dump()) if decided is None else decided)
    except ExperimentError as error:
        problems = tuple(problem.message for problem in error.problems if problem.field.split(".")[0] in ROLES)
        return Look(picked.title, problems=problems, is_usable=False)
    except DataError as error:
        return replace(_unusable(blank, str(error), path, wanted.task), remedy=error.remedy)
    source = fitting.source
    overview = source.overview()
    pictures = _samples(overview)
    splits = tuple((split, count, overview.examples.get(split, 0)) for split, count in overview.classes.items())
    drawn = () if pictures else tuple(one for one in examples(source, 0, MOST_SAMPLES) if one.kind != "text")
    return Look(picked.title, overview.form, overview.facts, splits, overview.problems, pictures, drawn,
                changes=fitting.changes, note=fitting.note, source=(source, fitting.experiment),
                is_ink=is_ink(pictures), can_download=picked.downloadable and not splits)


@dataclass(frozen=True)
class Previewed:
    """A preview, and the dataset that others of its examples and tasks can be drawn from."""

    preview: Preview
    source: TaskSource = field(repr=False)


def previewed(tables: Mapping[str, Any]) -> Previewed:
    """Look at everything that the preview shows.

    Raises:
        DataError: The data will not do.
        ExperimentError: The experiment cannot be run.
    """
    experiment = resolve(tables)
    with walked_once():
        source = open_source(experiment, torch.device("cpu"))
        return Previewed(preview(source, experiment), source)


def _unusable(blank: Look, reason: str, path: Any, task: TaskConfig) -> Look:
    """What a folder that will not do holds all the same."""
    report: dict[str, Any] = {}
    if path and Path(str(path)).expanduser().exists() and not blank.can_download:
        try:
            report = check_data(Path(str(path)), task)
        except DataError as error:
            reason = str(error)
    # The report was made for the usual shares and seed: its own verdict on the whole folder would only confuse.
    found = [one for one in report.get("problems", []) if not one.startswith(str(path))]
    is_pictured = report.get("dataset") == "image_folder"
    noun = "pictures" if is_pictured else "examples"
    counts = ((report.get("classes"), "classes"), (report.get("examples"), noun))
    facts = " · ".join(counted(count, what) for count, what in counts if count)
    splits = tuple((name, one["classes"], one["examples"]) for name, one in report.get("splits", {}).items())
    pictures = _pictures_at_least(path) if report.get("examples") and is_pictured else ()
    return Look(blank.title, report.get("form", ""), facts, splits, (reason, *found), pictures,
                is_ink=is_ink(pictures), is_usable=False, can_download=blank.can_download)


def _pictures_at_least(path: Any) -> tuple[NDArray[np.uint8], ...]:
    """A few pictures of a folder that will not do for the tasks that are wanted, if it will for the smallest."""
    smallest = {"dataset": {"name": "image_folder", "path": str(path)}, "task": {"ways": 2, "shots": 1, "queries": 1}}
    try:
        return _samples(open_source(resolve(smallest), torch.device("cpu")).overview())
    except DataError:
        return ()


def is_ink(pictures: tuple[NDArray[np.uint8], ...]) -> bool:
    """Whether pictures [height, width, channels] are light ink on black."""
    return all(one.shape[2] == 1 and one.mean() < 90 for one in pictures)


def _samples(overview: Overview) -> tuple[NDArray[np.uint8], ...]:
    if overview.samples is None:
        return ()
    return tuple(one.permute(1, 2, 0).contiguous().numpy() for one in overview.samples[:MOST_SAMPLES])


@dataclass(frozen=True)
class Opened:
    """What data that were opened or dropped are.

    Attributes:
        path: The file or folder.
        dataset: Name of the dataset that reads it; empty where none does.
        settings: Fields of the dataset that were guessed.
        experiment: Other fields of the experiment that the data demand, by their dotted names.
        message: What it was recognized as, or why it cannot be trained on, in a sentence.
        report: What `check_data` found.
    """

    path: Path
    dataset: str
    settings: dict[str, Any]
    experiment: dict[str, Any]
    message: str
    report: dict[str, Any]

    @property
    def is_known(self) -> bool:
        """Whether its form was recognized."""
        return bool(self.report["form"] != UNKNOWN)

    @property
    def is_new_task(self) -> bool:
        """Whether it is one new task, to be predicted and not to be trained on."""
        return bool(self.report["form"] == NEW_TASK)


def open_data(path: Path, task: Mapping[str, int] | None = None) -> Opened:
    """Find the dataset that a file or folder is to be read with.

    Args:
        path: Where the data lie.
        task: What the person said of the shape of the tasks; the rest is what suits the dataset.

    Raises:
        DataError: Nothing is there.
    """
    report = check_data(path, task)
    form, dataset = report["form"], report["dataset"]
    if form == NEW_TASK:
        message = f"{path} is a single new task, which is to be predicted and not to be trained on"
    elif not dataset or form == UNKNOWN:
        message = report["problems"][0] if report["problems"] and not dataset else f"{path} was not recognized"
    else:
        message = f"{path} was recognized as {'Omniglot' if form == 'omniglot' else form}"
    return Opened(path, dataset, report["settings"], report["experiment"], message, report)
