"""A trained learner put to use: adapted to a folder of a new task, it predicts what is not labelled there."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.algorithms.base import Context, adapt
from workbench.engine import devices
from workbench.engine.precision import arithmetic
from workbench.engine.session import build, to_device
from workbench.experiment.registry import find
from workbench.exports.learner import Learner, LearnerError
from workbench.runs.files import replace_file
from workbench.tasks.base import Examples, NewTask, Spec
from workbench.tasks.own.new_task import read_new_task
from workbench.tasks.sampling.draws import Draws
from workbench.words import counted, listed

USUAL_NAME = "predictions.csv"


@dataclass(frozen=True)
class Predictions:
    """What a learner says of a new task.

    Attributes:
        names: The file, or the line of query.csv, of each prediction.
        class_names: Name of each class; empty for regression.
        outputs: [n, classes] probabilities, or [n, outputs] values.
        support: Labelled examples that were adapted to.
        inner_steps: Inner steps that were taken.
        notices: What the person should know, such as a picture left out.
        ids: Of a table, the columns that only name its rows, with the cell of each.
        targets: What each value is called; empty for classes and where values have no names.
        decimal: The sign of decimals in a file; "," goes with semicolons between the cells, as in the person's table.
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    outputs: NDArray[np.float64]
    support: int
    inner_steps: int
    notices: tuple[str, ...]
    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    decimal: str = "."

    @property
    def labels(self) -> list[str]:
        """The likeliest class of each; for regression nothing."""
        return [self.class_names[best] for best in self.outputs.argmax(-1)] if self.class_names else []

    @property
    def about(self) -> str:
        """What was adapted to, in a sentence."""
        steps = f" in {counted(self.inner_steps, 'inner step')}" if self.inner_steps else ""
        names = self.class_names
        of = f" of {counted(len(names), 'class')} ({listed(names, 8)})" if names else ""
        return (f"{counted(len(self.names), 'prediction')}, after adapting to "
                f"{counted(self.support, 'labelled example')}{of}{steps}.")

    @property
    def columns(self) -> list[str]:
        """Titles of the columns of `rows`."""
        if self.class_names:
            return ["file", *self.ids, "predicted", "probability", *self.class_names]
        count = self.outputs.shape[1]
        values = ["value"] if count == 1 else [f"value {number}" for number in range(1, count + 1)]
        return ["file", *self.ids, *(self.targets or values)]

    @property
    def texts(self) -> int:
        """Columns of texts, which stand before those of numbers."""
        return len(self.columns) - len(self.outputs[0]) - bool(self.class_names)

    def words(self, row: int) -> list[str]:
        """A row for people, with probabilities in percent."""
        form, scale = ("{:.1f} %", 100) if self.class_names else ("{:.6g}", 1)
        return self._cells(row, lambda number: form.format(scale * number))

    def rows(self) -> list[list[str]]:
        """A row of text for each prediction."""
        form = "{:.6f}" if self.class_names else "{:.8g}"
        return [self._cells(row, lambda number: form.format(number).replace(".", self.decimal))
                for row in range(len(self.names))]

    def _cells(self, row: int, write: Callable[[float], str]) -> list[str]:
        named, numbers = [self.names[row], *(cells[row] for cells in self.ids.values())], self.outputs[row].tolist()
        if not self.class_names:
            return [*named, *map(write, numbers)]
        best = max(numbers)
        return [*named, self.class_names[numbers.index(best)], *map(write, (best, *numbers))]


def predict_folder(learner: Learner, folder: Path) -> Predictions:
    """Adapt to the labelled examples of a folder and predict the others.

    Raises:
        DataError: The folder holds no task, or the run's dataset cannot be opened.
        LearnerError: The task does not fit the learner.
    """
    return predict(learner, *fitting_task(learner, folder))


def fitting_task(learner: Learner, folder: Path) -> tuple[Spec, NewTask]:
    """The task of a folder, and the learner's spec for it; raises what `predict_folder` does."""
    spec = learner.spec
    algorithm = find("algorithm", learner.experiment.algorithm.name)
    if algorithm.tested_on == "examples":
        raise LearnerError(f"{learner.name} was trained by {algorithm.title}, which tells its training classes apart "
                           "and adapts to no new task; take a learner of another algorithm, such as baseline")
    task = read_new_task(folder, spec)
    return _fitting(learner, spec, task, folder), task


def _fitting(learner: Learner, spec: Spec, task: NewTask, folder: Path) -> Spec:
    """The learner's spec for this very task."""
    classes = len(task.class_names)
    if spec.kind != "classification" or classes == spec.outputs:
        return spec
    if find("algorithm", learner.experiment.algorithm.name).any_ways:
        return replace(spec, outputs=classes)
    raise LearnerError(f"{learner.name} tells {spec.outputs} classes apart and {folder} has {classes}; "
                       f"{'add' if classes < spec.outputs else 'take away'} class folders, train with "
                       f"task.ways={classes}, or use a learner that takes any number of classes, such as protonet")


def predict(learner: Learner, spec: Spec, task: NewTask) -> Predictions:
    """Adapt to a task's support and predict its query.

    Args:
        learner: What was learned.
        spec: The task's kind and shape, with its own number of classes.
        task: The task, its inputs as the learner takes them.
    """
    device = devices.choose(learner.experiment.device)
    backbone, algorithm = build(learner.experiment, spec)
    meta = to_device(learner.meta, device)
    support = Examples(*(part.to(device) for part in task.support))
    query = task.query_inputs.to(device)
    notices = [problem for problem in task.problems if not problem.endswith(f"left out: {USUAL_NAME}")]
    if task.inverted:
        notices.append("drawings on a bright ground were inverted, for the learner knows light ink on black")
    is_alone = backbone.depends_on_batch and not backbone.is_inductive and len(query) == 1
    if is_alone:
        notices.append("one picture has no statistics of its own, so it was normalized with those of the labelled ones")
    key = torch.from_numpy(Draws(learner.experiment.seed, "keys/new task", [0]).keys()).to(device)[0]
    steps = algorithm.inner_steps(training=False, examples=len(support.inputs))
    ctx = Context(steps=steps, ways=spec.outputs, training=False,
                  reference=support.inputs if backbone.is_inductive or is_alone else None, progress=1.0, key=key)
    with torch.no_grad(), arithmetic(learner.experiment.training.precision, device):
        outputs = algorithm.predict(meta, adapt(algorithm, meta, support, ctx), query, ctx.adapted)
        outputs = outputs.softmax(-1) if spec.kind == "classification" else _in_its_unit(outputs, spec)
    if not outputs.isfinite().all():
        raise LearnerError(f"{learner.name} has no answer to this task: what it predicts is not a number after it has "
                           "adapted to the labelled examples; look for examples that are all alike or of another unit "
                           "than those it was trained on, or take another learner")
    return Predictions(task.query_names, task.class_names, outputs.cpu().double().numpy(), len(support.inputs),
                       ctx.steps, tuple(notices), task.query_ids, task.target_names, task.decimal)


def _in_its_unit(outputs: torch.Tensor, spec: Spec) -> torch.Tensor:
    """Values as the person's table has them, where the learner's targets were scaled."""
    if "target_mean" not in spec.reading:
        return outputs
    middle, spread = (torch.tensor(spec.reading[name], dtype=outputs.dtype, device=outputs.device)
                      for name in ("target_mean", "target_deviation"))
    return outputs * spread + middle


def check_target(path: Path) -> None:
    """Raise LearnerError where predictions may not be written: no folder, or a file of other contents."""
    if not path.parent.is_dir():
        raise LearnerError(f"{path.parent} is no folder; make it first, or name another")
    if path.is_dir():
        raise LearnerError(f"{path} is a folder; name the file, such as {path / USUAL_NAME}")
    if path.exists():
        if not path.is_file():
            raise LearnerError(f"{path} is a device or a pipe and no file that could be replaced; name a file")
        if not _is_ours(path):
            raise LearnerError(f"{path} exists and holds no earlier predictions, so it is not overwritten; name "
                               "another file")


def _is_ours(path: Path) -> bool:
    """Whether a file holds predictions: its columns say so and, where others name the rows, the lines in it too."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = csv.reader(file, delimiter=";" if file.read(5) == "file;" else ",")
            file.seek(0)
            head, first = next(rows, []), next(rows, [])
    except csv.Error:
        return False
    except OSError as error:
        raise LearnerError(f"{path} cannot be read to see what is in it ({error.strerror or error}); name another file"
                           ) from error
    if head[:1] != ["file"] or len(head) < 2:
        return False
    return head[1] in ("predicted", "value", "value 1") or any(", line " in cell for cell in first[:1])


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write a CSV file with a row for each prediction; earlier predictions there are replaced.

    It begins with a mark of its encoding, without which Excel takes UTF-8 for something else.

    Raises:
        LearnerError: The file may not be written there.
    """
    check_target(path)

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=";" if predictions.decimal == "," else ",")
            writer.writerow(predictions.columns)
            writer.writerows(predictions.rows())

    try:
        replace_file(path, write)
    except OSError as error:
        raise LearnerError(f"{path}: cannot be written ({error.strerror or error}); name another place, or make room "
                           "there") from error
