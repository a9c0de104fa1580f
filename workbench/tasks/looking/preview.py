"""What a person looks at before training: what the data are and why, how many, examples, whole tasks and the floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.experiment.registry import find
from workbench.tasks.base import SPLIT_NAMES, Count, Description, Floor, NewTask, Overview, Spec, Task, TaskSource
from workbench.tasks.files.encoding import Cell, Encoder
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.watching import tell
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.sampling.classes import ClassTasks
from workbench.words import listed

ExampleKind = Literal["picture", "spectrogram", "series", "row", "text", "points"]
_MOST_SHOWN = 12
_CURVE_POINTS = 200
_TASKS_DRAWN_FROM = 10_000


@dataclass(frozen=True)
class Example:
    """Something to be shown.

    Attributes:
        kind: What it is.
        values: A picture [channels, height, width] uint8, a spectrogram [bands, frames], a series [channels, length], a
            row [features], or points [n, 2] of a function; of a text its features.
        label: Its class, or for regression the task or the target.
        file: Where it comes from; empty where there is no file.
        text: Of a text, what it says.
        scaled: Of a row, its features in units of their deviation. Of a row of a table a missing number is NaN, and
            the features that say that one is missing are left out, so that there are fewer than `values`.
        cells: Of a row of a table, what it says in each column.
    """

    kind: ExampleKind
    values: NDArray[Any]
    label: str = ""
    file: str = ""
    text: str = ""
    scaled: NDArray[Any] | None = None
    cells: tuple[Cell, ...] = ()

    @property
    def words(self) -> str:
        """It in one line for people who listen or point at it."""
        said = self.text if self.kind == "text" else ""
        if self.kind == "row":
            said = listed([f"{one.column} = {one.text}" for one in self.cells]
                          or [f"{value:.4g}" for value in self.values], _MOST_SHOWN)
        return " · ".join(part for part in (self.label, self.file, said) if part)


@dataclass(frozen=True)
class TaskRow:
    """A class of a task with its examples, or all examples of a task of regression.

    Attributes:
        name: The class, or what the examples are.
        support, query: Up to a dozen examples each.
        more: Examples of support and query that are not shown.
    """

    name: str
    support: tuple[Example, ...]
    query: tuple[Example, ...]
    more: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class WholeTask:
    """A task as the learner will see it.

    Attributes:
        title: It in words.
        rows: Its classes; a single row for regression.
        curve: Points [n, 2] of its function, where it has one input and is known.
    """

    title: str
    rows: tuple[TaskRow, ...]
    curve: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Preview:
    """Everything to know before training.

    Attributes:
        form, facts: As in `Overview`.
        why: What shows that the data are of this form, as a sentence without its full stop; empty where there are none.
        splits: (classes, examples) of each split that has any.
        counts: Examples of each class or task in each split.
        examples: Random ones.
        tasks: A few whole tasks of training.
        problems: As in `Overview`.
        floors: As in `TaskSource.floors`, where the learner is tested on tasks.
        refusal: Why there are no tasks; empty where there are some.
        otherwise: How the data are read in another way, as in `Recognition`.
    """

    form: str
    facts: str
    why: str
    splits: Mapping[str, tuple[int, int]]
    counts: tuple[Count, ...]
    examples: tuple[Example, ...]
    tasks: tuple[WholeTask, ...]
    problems: tuple[str, ...]
    floors: tuple[Floor, ...]
    refusal: str = ""
    otherwise: str = ""


def preview(source: TaskSource, experiment: Experiment, seed: int = 0) -> Preview:
    """Look at an opened dataset.

    Args:
        source: The dataset, opened with the experiment.
        experiment: What is to be trained.
        seed: Decides which examples and tasks are shown.

    Raises:
        GivenUpError: Nobody wants it any more.
    """
    overview = source.overview()
    refusal = _refusal(source, experiment)
    tell()
    shown = examples(source, seed)
    tell()
    whole = tasks(source, seed) if not refusal else ()
    tell()
    floors = source.floors() if not refusal and _is_tested_on_tasks(experiment) else ()
    why, otherwise = _grounds(experiment)
    return Preview(overview.form, overview.facts, why, splits_of(overview), counts_of(source, overview), shown, whole,
                   overview.problems, floors, refusal, otherwise)


def floors_of(source: TaskSource, experiment: Experiment) -> tuple[Floor, ...]:
    """What a learner must beat on these tasks; nothing where it is not tested on tasks."""
    return source.floors() if _is_tested_on_tasks(experiment) else ()


def _is_tested_on_tasks(experiment: Experiment) -> bool:
    return find("algorithm", experiment.algorithm.name).tested_on == "tasks"


def _refusal(source: TaskSource, experiment: Experiment) -> str:
    """Why no tasks can be drawn; a learner that is tested on examples may be trained all the same."""
    if isinstance(source, ClassTasks) and not _is_tested_on_tasks(experiment):
        try:
            source.check()
        except DataError as error:
            return str(error)
    return ""


def _grounds(experiment: Experiment) -> tuple[str, str]:
    """What shows that the data are what they were taken for, and how they are read otherwise; both empty for a dataset
    that reads no data of a person's.
    """
    picked = experiment.dataset
    path = getattr(picked, "path", None)
    if path is None:
        return "", ""
    try:
        found = recognize_data(path)
    except DataError:  # it was opened all the same, so there is nothing to be said against it
        return "", ""
    if found.dataset and found.dataset != picked.name:
        return f"you picked it; by itself it would be taken for {found.form}, because {found.why}", ""
    changed = [f"dataset.{name}" for name, value in found.settings.items()
               if name != "path" and getattr(picked, name, value) != value]
    if changed and found.why:
        return f"{found.why}, but for what you set ({', '.join(changed)})", ""
    return found.why, found.otherwise


def splits_of(overview: Overview) -> dict[str, tuple[int, int]]:
    """Classes and examples of each split that has any."""
    return {name: (overview.classes.get(name, 0), count) for name, count in overview.examples.items() if count}


def counts_of(source: TaskSource, overview: Overview) -> tuple[Count, ...]:
    """Examples of each class or task; of each split where nothing finer is known."""
    return source.counts() or tuple(Count(name, name, count) for name, count in overview.examples.items() if count)


# Examples


def examples(source: TaskSource, seed: int, most: int = 24) -> tuple[Example, ...]:
    """Random examples: of as many classes as there are, or of as many tasks."""
    rng = np.random.default_rng(seed)
    if isinstance(source, ClassTasks):
        return _labelled_examples(source, rng, most)
    found: list[Example] = []
    for index in rng.integers(0, _TASKS_DRAWN_FROM, most).tolist():
        task, said = source.sample("train", [index]).task(0), source.describe("train", index)
        if _kind(source.spec) == "points":
            points = np.concatenate([_points(source.spec, *part) for part in task])
            found.append(Example("points", points, said.title,
                                 said.support_files[0] if said.support_files else ""))
        else:
            one = _task_examples(source, task, said)[0][int(rng.integers(len(task.support.inputs)))]
            found.append(replace(one, file=one.file or said.title))
    return tuple(found)


def _labelled_examples(source: ClassTasks, rng: np.random.Generator, most: int) -> tuple[Example, ...]:
    known = source.labelled
    counts, encoder = known.counts, _encoder(source)
    starts = np.cumsum(counts) - counts
    rounds = -(-most // len(counts))
    # As many classes as there are room for; where there are few, several examples of each.
    classes = np.sort(np.concatenate([rng.permutation(len(counts)) for _ in range(rounds)])[:most])
    places: dict[int, list[int]] = {}
    found = []
    for one in classes.tolist():
        waiting = places.setdefault(one, rng.permutation(int(counts[one])).tolist())
        if not waiting:
            continue
        row = int(starts[one]) + waiting.pop()
        raw = known.inputs[row]
        found.append(_example(_kind(source.spec), raw, known.names[one], known.files[row] if known.files else "",
                              source.shown_example(row), scaled=_scaled(source.spec, raw), encoder=encoder))
    return tuple(found)


def _kind(spec: Spec) -> ExampleKind:
    """What inputs are drawn as, whether they come from a dataset or from a new task."""
    if spec.input_kind == "image":
        return "picture" if spec.is_of_pixels else "spectrogram"
    if spec.input_kind == "series":
        return "series"
    return "points" if spec.kind == "regression" and spec.input_shape == (1,) and spec.outputs == 1 else "row"


def _example(kind: ExampleKind, raw: Tensor, label: str, file: str, text: str = "", *,
             scaled: NDArray[Any] | None = None, encoder: Encoder | None = None) -> Example:
    """An example of raw inputs, pixels in uint8; the encoder is that of a table."""
    if text:
        return Example("text", np.empty(0), label, file, text)
    values = raw.detach().cpu().numpy().copy()
    if kind == "spectrogram":
        values = values.mean(0)
    if encoder is None or scaled is None:
        return Example(kind, values, label, file, scaled=scaled if kind == "row" else None)
    known = np.where(encoder.is_missing(values), np.nan, scaled)
    return Example(kind, values, label, file, scaled=known[~encoder.is_mark], cells=encoder.cells(values))


def _encoder(source: TaskSource) -> Encoder | None:
    """How rows of a table became inputs; None where inputs are something else."""
    return Encoder.of(source.spec.reading) if "columns" in source.spec.reading else None


def _along(spec: Spec) -> tuple[Tensor, Tensor]:
    """Mean and deviation, shaped for one input."""
    shape = (-1,) + (1,) * (len(spec.input_shape) - 1)
    return torch.tensor(spec.mean).view(shape), torch.tensor(spec.deviation).view(shape)


def _scaled(spec: Spec, raw: Tensor) -> NDArray[Any] | None:
    """A row in units of the features' deviations."""
    if spec.input_kind != "vector":
        return None
    mean, deviation = _along(spec)
    return np.asarray(((raw.cpu() - mean) / deviation).numpy())


def _raw(spec: Spec, kind: ExampleKind, inputs: Tensor) -> Tensor:
    """What inputs [n, *input_shape] of a task were before they were normalized; pixels in uint8."""
    mean, deviation = _along(spec)
    raw = inputs.cpu() * deviation + mean
    return (255 * raw).round().clamp(0, 255).to(torch.uint8) if kind == "picture" else raw


def _points(spec: Spec, inputs: Tensor, targets: Tensor) -> NDArray[np.float32]:
    """Points [n, 2] of a function of one input."""
    mean, deviation = _along(spec)
    return np.asarray(torch.cat([inputs.cpu() * deviation + mean, targets.cpu()], 1).float().numpy())


def query_pictures(task: NewTask, spec: Spec) -> tuple[Example, ...]:
    """What a new task asks about, where it can be drawn as pictures, spectrograms or series; else nothing."""
    if spec.input_kind == "vector":
        return ()
    kind = _kind(spec)
    return tuple(_example(kind, one, file=name, label="")
                 for one, name in zip(_raw(spec, kind, task.query_inputs), task.query_names, strict=True))


# Whole tasks


def tasks(source: TaskSource, seed: int, count: int = 3) -> tuple[WholeTask, ...]:
    """Random tasks of training, with classes, files and functions."""
    indices = np.random.default_rng(seed).choice(_TASKS_DRAWN_FROM, count, replace=False).tolist()
    return tuple(whole_task(source, index) for index in indices)


def whole_task(source: TaskSource, index: int) -> WholeTask:
    """One task of training."""
    task, said = source.sample("train", [index]).task(0), source.describe("train", index)
    if _kind(source.spec) == "points":
        support, query = (Example("points", _points(source.spec, *part), name)
                          for part, name in zip(task, ("support", "query"), strict=True))
        return WholeTask(said.title, (TaskRow("", (support,), (query,)),), _curve(source, task, index))
    support_shown, query_shown = _task_examples(source, task, said)
    if source.spec.kind == "regression":
        return WholeTask(said.title, (_row("examples", support_shown, query_shown),))
    labels = [part.targets.cpu().tolist() for part in task]
    rows = [_row(name, [one for one, label in zip(support_shown, labels[0], strict=True) if label == number],
                 [one for one, label in zip(query_shown, labels[1], strict=True) if label == number])
            for number, name in enumerate(said.class_names)]
    return WholeTask(said.title, tuple(rows))


def _row(name: str, support: Sequence[Example], query: Sequence[Example]) -> TaskRow:
    return TaskRow(name, tuple(support[:_MOST_SHOWN]), tuple(query[:_MOST_SHOWN]),
                   (max(0, len(support) - _MOST_SHOWN), max(0, len(query) - _MOST_SHOWN)))


def _task_examples(source: TaskSource, task: Task, said: Description) -> tuple[list[Example], list[Example]]:
    """The examples of support and query."""
    kind, text_of, encoder = _kind(source.spec), _texts(source), _encoder(source)
    shown = []
    for part, files in zip(task, (said.support_files, said.query_files), strict=True):
        raw = _raw(source.spec, kind, part.inputs)
        normalized = part.inputs.cpu().numpy()
        names = _names(source.spec, said, part.targets)
        found = []
        for place, label in enumerate(names):
            file = files[place] if place < len(files) else ""
            found.append(_example(kind, raw[place], label, file, text_of(file), scaled=normalized[place],
                                  encoder=encoder))
        shown.append(found)
    return shown[0], shown[1]


def _names(spec: Spec, said: Description, targets: Tensor) -> list[str]:
    """The class of each target, or its value."""
    if spec.kind == "classification":
        return [said.class_names[number] for number in targets.cpu().tolist()]
    return ["→ " + ", ".join(f"{value:.4g}" for value in np.atleast_1d(row)) for row in targets.cpu().tolist()]


def _texts(source: TaskSource) -> Callable[[str], str]:
    """Gives the text of an example by the file and line that it comes from."""
    if not isinstance(source, ClassTasks) or not source.labelled.files or not source.shown_example(0):
        return lambda _: ""
    rows = {file: row for row, file in enumerate(source.labelled.files)}
    return partial(_text_of, source, rows)


def _text_of(source: TaskSource, rows: Mapping[str, int], file: str) -> str:
    return source.shown_example(rows[file]) if file in rows else ""


def _curve(source: TaskSource, task: Task, index: int) -> NDArray[np.float32] | None:
    """Points of the function of a task, where it is known."""
    inputs = torch.cat([task.support.inputs, task.query.inputs])
    places = torch.linspace(float(inputs.min()), float(inputs.max()), _CURVE_POINTS)[:, None].to(inputs)
    values = source.truth("train", index, places)
    return None if values is None else _points(source.spec, places, values)


def sorted_counts(counts: Sequence[Count]) -> tuple[Count, ...]:
    """By split, and within each the largest first."""
    order = {name: place for place, name in enumerate(SPLIT_NAMES)}
    return tuple(sorted(counts, key=lambda one: (order.get(one.split, len(order)), -one.examples, one.name)))
