"""What a row of the run table says, without Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import parameters
from workbench.experiment.metrics import as_error
from workbench.experiment.registry import find
from workbench.gui import words
from workbench.runs.history import History
from workbench.runs.store import Run
from workbench.runs.summary import Summary
from workbench.tasks.own.data import OwnData

COLUMNS = ("", "Run", "State", "Data", "Backbone", "Algorithm", "Result", "Steps", "Time")
TICK, NAME, STATE, DATA, BACKBONE, ALGORITHM, RESULT, STEPS, TIME = range(len(COLUMNS))
TIPS = ("Tick the runs that are to be drawn over one another.", "Name of the run, which is its folder's.",
         "What became of it.", "Dataset and shape of the tasks.", "Network.", "Meta-learning method.",
         "Test result with its 95 % interval; before there is one, the best validation.", "Outer steps done.",
         "Time of training and test, pauses left out.")
STATES: dict[str, tuple[str, str, str]] = {
    "running": ("play", "Running", "accent"), "testing": ("chart", "Testing", "accent"),
    "paused": ("pause", "Paused", "warn"),
    "finished": ("check", "Finished", "good"), "stopped": ("stop", "Stopped", "muted"),
    "interrupted": ("interrupted", "Interrupted", "warn"), "failed": ("cross", "Failed", "bad"),
}
"""Icon, word and role of the colour of each state."""


@dataclass
class Row:
    """A run in the table.

    Attributes:
        run: The run.
        summary: Its state.
        titles: Dataset, backbone and algorithm in words.
        color_index: Its colour in every plot while it is drawn; None while it is not.
        is_testing: Whether a run that goes on has nothing left to do but its test.
    """

    run: Run
    summary: Summary
    titles: tuple[str, str, str]
    color_index: int | None = None
    is_testing: bool = False

    @property
    def state(self) -> str:
        """Its status, where a run that is only tested any more is told apart from one that trains."""
        is_running = self.summary.status == "running"
        return "testing" if is_running and self.is_testing else self.summary.status


def has_trained(history: History, patience: int | None) -> bool:
    """Whether a run under way has nothing left to do but its test.

    Args:
        history: What it has said; there is no event that says that the test begins.
        patience: Validations without a better result after which it stops training; None for never.
    """
    found = history.validations
    if history.started is None or history.ended is not None or not found or found[-1].step != history.step:
        return False
    if history.step >= history.started.iterations:
        return True
    scores = [as_error(one.metric, one.score.mean) if math.isfinite(one.score.mean) else math.inf for one in found]
    return patience is not None and len(scores) - 1 - scores.index(min(scores)) >= patience


def titles(experiment: Experiment) -> tuple[str, str, str]:
    """Dataset, backbone and algorithm of an experiment as the table calls them."""
    dataset, backbone, algorithm = (find(role, getattr(experiment, role).name)
                                    for role in ("dataset", "backbone", "algorithm"))
    own = words.last_part(getattr(experiment.dataset, "path", None)) if issubclass(dataset, OwnData) else ""
    data = own or dataset.title
    if "classification" in dataset.task_kinds:
        data += f" {experiment.task.ways}w{experiment.task.shots}s"
    widths = next((getattr(experiment.backbone, one.name) for one in parameters(type(experiment.backbone))
                   if one.shape in ("integer", "integers")), None)
    size = "-".join(str(one) for one in widths) if isinstance(widths, tuple) else "" if widths is None else str(widths)
    return data, f"{backbone.title} {size}".strip(), algorithm.title


def follow(row: Row, history: History, seconds: float, *, is_testing: bool) -> None:
    """Bring a row up to what a run that is trained here has said; `seconds` are those of training and test so far."""
    summary, row.is_testing = row.summary, is_testing
    if history.started is not None:
        summary.iterations, summary.metric = history.started.iterations, history.started.metric
    summary.status = "paused" if history.is_paused else "running"
    summary.steps, summary.seconds = history.step, seconds
    if (best := history.best_validation) is not None:
        summary.validation = best.score.mean


def text(row: Row, column: int) -> str:
    """Text of a cell."""
    summary = row.summary
    done = f"{summary.steps:,}"
    data, backbone, algorithm = row.titles
    return ("", row.run.id, STATES[row.state][1], data, backbone, algorithm, _result(summary),
            done if summary.steps >= summary.iterations else f"{done} / {summary.iterations:,}",
            words.duration(summary.seconds))[column]


def _result(summary: Summary) -> str:
    if summary.mean is not None:
        return words.result(summary.mean, summary.ci95, summary.metric)
    return "—" if summary.validation is None else f"validation {words.result(summary.validation, None, summary.metric)}"


def tip(row: Row, column: int) -> str | None:
    """Tooltip of a cell."""
    if column == STATE and row.summary.message:
        return row.summary.message
    if column == STATE and row.summary.status == "interrupted":
        return "The program ended while this run was trained. It can be resumed from its latest checkpoint."
    if column == RESULT and row.summary.mean is not None:
        return f"Test: {_result(row.summary)}, 95 % interval over {row.summary.tasks or 0:,} tasks."
    return None if column == TICK else text(row, column)


def sort_key(row: Row, column: int) -> float | str:
    """What a column sorts by."""
    summary = row.summary
    keys: dict[int, float | str] = {
        TICK: math.inf if row.color_index is None else row.color_index,
        RESULT: summary.mean if summary.mean is not None else -math.inf, STEPS: summary.steps, TIME: summary.seconds}
    return keys[column] if column in keys else text(row, column)
