"""Plots described once, without Qt: what is drawn, in which role, in which units, and what it says of itself."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np

from workbench.engine.events import Curve, Evaluation
from workbench.experiment.metrics import Metric, is_share, words_of
from workbench.exports.curves import Smoothers, evenly, iterations
from workbench.runs.history import History

Role = Literal["raw", "background", "smoothed", "mean", "result", "each", "ordered", "points", "truth", "faint"]
Quantity = Literal["loss", "metric"]
Against = Literal["iterations", "seconds", "tasks"]

ORDERED = 9
MARKED = 60
# With more runs than this, every step of each would bury what can be read: only the last run shows them.
MOST_RAW = 6
MEAN = "mean, 95 % interval"
NO_LESS_THAN_ZERO = (0.0, math.inf)


@dataclass(frozen=True)
class Series:
    """One curve or cloud of points.

    Attributes:
        name: What a column of numbers would be headed; no other series of the figure has it.
        x, y: The numbers, [n]; a gap in a line is one that is not a number.
        role: How it is meant; the drawer decides what that looks like. raw: every step; background: beside the point;
            smoothed; mean; result: a few judged values; each: many curves in one, parted by gaps; ordered: one of a
            sequence; points: no line; truth: what a learner should find; faint: what it said earlier.
        legend: Entry that shows and hides it; series may share one. Empty: it cannot be hidden.
        color: Which run's colour; None where it belongs to no run.
        place: For ordered series from 0, the first, to 1, the last.
        half_width: [n] half width of an interval around y.
        has_markers: Whether each point of a line is marked.
    """

    name: str
    x: Curve
    y: Curve
    role: Role
    legend: str = ""
    color: int | None = None
    place: float = 0.0
    half_width: Curve | None = None
    has_markers: bool = False


@dataclass(frozen=True)
class Reference:
    """A value to compare with, drawn across the plot and labelled there; `is_diagonal`: the line y = x."""

    label: str
    value: float
    is_diagonal: bool = False


@dataclass(frozen=True)
class Turn:
    """Where training goes over to something else: a line up the plot, its label being "before | after"."""

    label: str
    x: float
    color: int | None = None


@dataclass(frozen=True)
class Figure:
    """A plot.

    Attributes:
        title: What it is.
        facts: What is shown of it: smoothing, interval, number of tasks.
        x_label, y_label: With units.
        series: Back to front.
        references: Named values.
        turns: Where training goes over to something else.
        is_log: Whether the y axis is logarithmic.
        bounds: y values that cannot be passed, such as 0 and 100 %; intervals are cut there.
        is_whole: Whether x counts something, so that there is nothing to read between whole numbers.
        legend_title: What the entries of the legend count, where they are only numbers.
        note: Where there is nothing to draw yet: what will appear.
    """

    title: str
    facts: str = ""
    x_label: str = ""
    y_label: str = ""
    series: tuple[Series, ...] = ()
    references: tuple[Reference, ...] = ()
    turns: tuple[Turn, ...] = ()
    is_log: bool = False
    bounds: tuple[float, float] | None = None
    is_whole: bool = True
    legend_title: str = ""
    note: str = ""


class Subject(Protocol):
    """A run to draw."""

    @property
    def title(self) -> str:
        """What it is called."""

    @property
    def history(self) -> History:
        """What it said."""

    @property
    def color_index(self) -> int:
        """Its colour."""


def meta_loss(runs: Sequence[Subject], smoothing: float, *, is_log: bool = False, smoothers: Smoothers | None = None
              ) -> Figure:
    """Meta-loss at every iteration: each meta-batch, and smoothed. The last run is drawn over the others."""
    smoothers = smoothers or Smoothers()
    drawn, left_out = _comparable(runs)
    drawn = [run for run in drawn if run.history.step]
    raw, bold = [], []
    for run in drawn:
        x = iterations(run.history.step)
        legends = ("each meta-batch", "smoothed") if len(drawn) == 1 else (run.title, run.title)
        if len(drawn) <= MOST_RAW or run is drawn[-1]:
            raw.append(Series(f"{run.title}, each meta-batch", x, run.history.loss.values, "raw", legends[0],
                              run.color_index))
        turns = _turn_indices(run)
        bold += _parted(Series(f"{run.title}, smoothed", x, smoothers.curve(run.history.loss, smoothing, 1.0, turns),
                               "smoothed", legends[1], run.color_index), run)
    return Figure("Meta-loss", _joined(f"smoothing {smoothing:g}", left_out), "iteration", loss_label(drawn),
                  (*raw, *bold), turns=_turns(drawn), is_log=is_log,
                  note="The loss of every meta-batch appears here as soon as a run takes its first step.")


def metric(runs: Sequence[Subject], smoothing: float, smoothers: Smoothers | None = None) -> Figure:
    """Validation results with their intervals, the training batches behind them, and what a learner must beat."""
    smoothers = smoothers or Smoothers()
    drawn, left_out = _comparable(runs)
    drawn = [run for run in drawn if run.history.step or run.history.validations]
    scale = metric_scale(drawn)
    behind, results = [], []
    for run in drawn:
        legends = ("training batches, smoothed", "validation") if len(drawn) == 1 else (run.title, run.title)
        if run.history.step and (len(drawn) <= MOST_RAW or run is drawn[-1]):
            values = smoothers.curve(run.history.metric, smoothing, scale, _turn_indices(run))
            behind += _parted(Series(f"{run.title}, training", iterations(run.history.step), values, "background",
                                     legends[0], run.color_index), run)
        results += _validations(run, scale, legends[1], "iterations", is_crowded=len(drawn) > MOST_RAW)
    counts = {one.tasks for run in drawn for one in run.history.validations}
    tasks = f"95 % interval, {_counts(counts)} tasks" if counts else ""
    return Figure(f"{metric_title(drawn)}, validation tasks", _joined(tasks, left_out), "iteration",
                  metric_label(drawn), (*behind, *results), _floors(drawn, scale), _turns(drawn),
                  bounds=_bounds(drawn),
                  note="Results on validation tasks appear here, with their 95 % interval, while a run trains.")


def adaptation(run: Subject | None, quantity: Quantity) -> Figure:
    """How each task of the latest recorded meta-batch adapts, and their mean with its 95 % interval."""
    title = "Adaptation, tasks of this meta-batch"
    found = run.history.adaptation if run else None
    if run is None or found is None:
        return Figure(title, note="Each task's curve over the inner steps appears here while the focused run trains.")
    one = [run]
    scale = metric_scale(one) if quantity == "metric" else 1.0
    values = scale * (found.metric if quantity == "metric" else found.loss)
    bounds = _bounds(one) if quantity == "metric" else NO_LESS_THAN_ZERO
    facts = f"iteration {run.history.adaptation_step:,}"
    label = f"query {metric_label(one) if quantity == 'metric' else loss_label(one)}"
    if values.shape[1] == 1:
        series = _strip(values[:, 0], run.color_index)
        return Figure(title, facts, "task of the meta-batch", label, series, bounds=bounds)
    return Figure(title, facts, "inner step", label, _each_and_mean(values, run.color_index), bounds=bounds)


def probes(run: Subject | None) -> Figure:
    """How the probe tasks adapted at some moments of training, or their result through training without inner steps."""
    title = "Probe tasks through training"
    if run is None or not run.history.probes:
        return Figure(title, note="A few fixed tasks are adapted to again and again while a run trains; "
                                  "their curves appear here.")
    one, known = [run], run.history.probes
    scale, label = metric_scale(one), f"query {metric_label(one)}"
    count = f"{len(known[-1].adaptation.metric):,} tasks"
    if known[-1].adaptation.metric.shape[1] == 1:
        steps = np.array([float(probe.step) for probe in known])
        values = scale * np.stack([probe.adaptation.metric[:, 0] for probe in known], 1)
        return Figure(title, count, "iteration", label,
                      _each_and_mean(values, run.color_index, steps), bounds=_bounds(one))
    chosen = [known[index] for index in evenly(len(known), ORDERED)]
    facts = _joined(f"mean of {len(known[-1].adaptation.metric):,}", "dark: start  bright: now")
    series = tuple(
        Series(f"iteration {probe.step:,}", np.arange(float(probe.adaptation.metric.shape[1])),
               scale * probe.adaptation.metric.mean(0), "ordered", f"{probe.step:,}",
               place=index / max(len(chosen) - 1, 1), has_markers=True)
        for index, probe in enumerate(chosen))
    return Figure(title, facts, "inner step", label, series,
                  bounds=_bounds(one), legend_title="iteration")


def comparison(runs: Sequence[Subject], against: Against) -> Figure:
    """Validation results of some runs against iterations, training seconds or tasks seen."""
    drawn, left_out = _comparable(runs)
    drawn = [run for run in drawn if run.history.validations]
    scale = metric_scale(drawn)
    label = {"iterations": "iteration", "seconds": "training time, s", "tasks": "training tasks seen"}[against]
    series = [one for run in drawn for one in _validations(run, scale, run.title, against,
                                                           is_crowded=len(drawn) > MOST_RAW)]
    return Figure(f"{metric_title(drawn)} on validation", _joined("95 % interval", left_out), label,
                  metric_label(drawn), tuple(series), _floors(drawn, scale), bounds=_bounds(drawn),
                  is_whole=against != "seconds",
                  note="Tick runs in the table below: their validation results are laid over each other here.")


def adaptation_at_test(runs: Sequence[Subject]) -> Figure:
    """Test result before the first inner step and after each."""
    drawn, left_out = _comparable(runs)
    drawn = [run for run in drawn if run.history.test is not None]
    scale = metric_scale(drawn)
    series = []
    for run in drawn:
        assert run.history.test is not None  # noqa: S101 - narrows for the type checker
        scores = run.history.test.by_step
        series.append(Series(run.title, np.arange(float(len(scores))), scale * np.array([s.mean for s in scores]),
                             "result", run.title, run.color_index, has_markers=True,
                             half_width=scale * np.array([s.ci95 for s in scores])))
    counts = {run.history.test.tasks for run in drawn if run.history.test}
    facts = f"95 % interval, {_counts(counts)} tasks" if counts else ""
    return Figure("Adaptation at test", _joined(facts, left_out), "inner step", f"test {metric_label(drawn)}",
                  tuple(series), bounds=_bounds(drawn),
                  note="Finished runs that are ticked show here how test tasks improve with every inner step.")


def fitted(history: History, task: int, step: int, probe: int, color: int = 0) -> Figure:
    """Support points, the true function, and the function that was fitted after each inner step.

    Args:
        history: Of a regression run.
        task: Index among the shown tasks.
        step: Index among the inner steps that were kept; this one is drawn bold.
        probe: Index among the probes with predictions.
        color: The run's.
    """
    assert history.started is not None  # noqa: S101 - narrows for the type checker
    about, moment = history.started.shown[task], [one for one in history.probes if one.shown][probe]
    shown = moment.shown
    assert shown is not None  # noqa: S101 - narrows for the type checker
    step = min(step, len(shown.inner_steps) - 1)
    outputs = shown.outputs[task]
    facts = _joined(f"iteration {moment.step:,}", f"inner step {shown.inner_steps[step]} of {shown.inner_steps[-1]}")
    if history.started.spec.input_shape != (1,):
        return _against_truth(about.title, facts, outputs[step], about.query_targets, color)
    x = about.query_inputs.reshape(-1).astype(float)
    if about.query_targets is not None:
        error = float(np.mean((about.query_targets.reshape(-1) - outputs[step].reshape(-1)) ** 2))
        facts = _joined(facts, f"mean squared error {error:.3g}")
    series = [] if about.query_targets is None else [
        Series("true function", x, about.query_targets.reshape(-1), "truth", "true function")]
    series += [Series(f"after inner step {number}", x, outputs[index].reshape(-1), "faint", "other inner steps", color)
               for index, number in enumerate(shown.inner_steps) if index != step]
    series += [Series(f"fitted, inner step {shown.inner_steps[step]}", x, outputs[step].reshape(-1), "smoothed",
                      "fitted function", color),
               Series("support", about.support_inputs.reshape(-1).astype(float), about.support_targets.reshape(-1),
                      "points", "support points")]
    return Figure(about.title, facts, "x", "y", tuple(series), is_whole=False)


def _against_truth(title: str, facts: str, predicted: Curve, truth: Curve | None, color: int) -> Figure:
    """Predicted against true values, for inputs that are no axis to draw a function over."""
    if truth is None:
        return Figure(title, facts, note="Nobody knows the true values of this task, so there is nothing to compare.")
    cloud = Series("queries", truth.reshape(-1), predicted.reshape(-1), "points", "queries", color)
    error = float(np.mean((cloud.x - cloud.y) ** 2))
    return Figure(title, _joined(facts, f"mean squared error {error:.3g}"), "true value", "predicted value", (cloud,),
                  (Reference("predicted = true", 0.0, is_diagonal=True),), is_whole=False)


def to_csv(figure: Figure) -> str:
    """The numbers of a figure, a point a line, under a first line that says what they are."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["series", figure.x_label or "x", figure.y_label or "y", "half width of the 95 % interval"])
    for series in figure.series:
        widths: Iterable[float | str] = (
            [""] * len(series.x) if series.half_width is None else series.half_width.tolist())
        writer.writerows((series.name, x, y, width) for x, y, width in
                         zip(series.x.tolist(), series.y.tolist(), widths, strict=True) if y == y)  # noqa: PLR0124
    for reference in figure.references:
        if not reference.is_diagonal:
            writer.writerow([reference.label, "", reference.value, ""])
    return text.getvalue()


def metric_scale(runs: Sequence[Subject]) -> float:
    """Shares, such as accuracies, are shown in per cent."""
    return 100.0 if is_share(_metric(runs)) else 1.0


def metric_title(runs: Sequence[Subject]) -> str:
    """The metric as a title."""
    return words_of(_metric(runs)).title


def metric_label(runs: Sequence[Subject]) -> str:
    """The metric with its unit."""
    return words_of(_metric(runs)).label


def loss_label(runs: Sequence[Subject]) -> str:
    """The loss by name."""
    return words_of(_metric(runs)).loss


def _metric(runs: Sequence[Subject]) -> Metric | Literal[""]:
    return next((run.history.started.metric for run in runs if run.history.started), "")


def _comparable(runs: Sequence[Subject]) -> tuple[list[Subject], str]:
    """The runs that share the last one's metric, for two units cannot share an axis, and a word on the others."""
    started = [run for run in runs if run.history.started]
    wanted = _metric(started[-1:])
    drawn = [run for run in started if _metric([run]) == wanted]
    others = len(started) - len(drawn)
    return drawn, f"{others} with another metric left out" if others else ""


def _bounds(runs: Sequence[Subject]) -> tuple[float, float] | None:
    found = _metric(runs)
    return (0.0, 100.0) if is_share(found) else NO_LESS_THAN_ZERO if found else None


def _validations(run: Subject, scale: float, legend: str, against: Against, *, is_crowded: bool
                 ) -> list[Series]:
    found: Sequence[Evaluation] = run.history.validations
    if not found:
        return []
    x = positions(run.history, np.array([float(one.step) for one in found]), against)
    return [Series(f"{run.title}, validation", x, scale * np.array([one.score.mean for one in found]), "result", legend,
                   run.color_index, half_width=scale * np.array([one.score.ci95 for one in found]),
                   has_markers=len(found) <= MARKED and not is_crowded)]


def positions(history: History, steps: Curve, against: Against) -> Curve:
    """Where some iterations lie on an axis of iterations, training seconds or tasks seen."""
    if against == "tasks":
        return steps * (history.started.meta_batch if history.started else 1)
    if against == "seconds":
        known = np.append(0.0, history.times_steps.values), np.append(0.0, history.times.values)
        return np.asarray(np.interp(steps, *known))
    return steps


def _floors(runs: Sequence[Subject], scale: float) -> tuple[Reference, ...]:
    """What a learner must beat, each once: the last run's where it is not the same for all, and then whose it is."""
    found: dict[str, list[tuple[float, str]]] = {}
    for run in runs:
        for name, value in (run.history.started.floors if run.history.started else {}).items():
            found.setdefault(name, []).append((scale * value, run.title))
    references = []
    for name, known in found.items():
        value, title = known[-1]
        is_shared = len(known) == len(runs) and len({one for one, _ in known}) == 1
        references.append(Reference(f"{name} {value:.3g}" + ("" if is_shared else f", {title}"), value))
    return tuple(references)


def _turn_indices(run: Subject) -> list[int]:
    """Where in the run's series a stage begins, the first left out."""
    return [first - 1 for first, _ in run.history.stages[1:]]


def _parted(series: Series, run: Subject) -> list[Series]:
    """A smoothed curve as one for each stage, for what they count cannot be compared."""
    ends = [0, *_turn_indices(run), len(series.x)]
    if len(ends) == 2:
        return [series]
    names = [f"{series.name}, {stage}" for _, stage in run.history.stages]
    # A stage may come again.
    names = [name if name not in names[:index] else f"{name} from {ends[index] + 1:,}"
             for index, name in enumerate(names)]
    return [replace(series, name=name, x=series.x[begin:end], y=series.y[begin:end])
            for name, (begin, end) in zip(names, pairwise(ends), strict=True)]


def _turns(runs: Sequence[Subject]) -> tuple[Turn, ...]:
    """Where runs go over from one stage to the next, half a step before it; a label each."""
    return tuple(Turn(f"{before} | {after}", first - 0.5, run.color_index)
                 for run in runs for (_, before), (first, after) in pairwise(run.history.stages))


def _each_and_mean(values: Curve, color: int, x: Curve | None = None) -> tuple[Series, ...]:
    """Curves [tasks, n] in one, parted by gaps, and their mean."""
    x = np.arange(float(values.shape[1])) if x is None else x
    parted = np.concatenate([values, np.full((len(values), 1), np.nan)], 1).reshape(-1)
    whole = np.tile(np.append(x, x[-1]), len(values))
    return (Series("tasks", whole, parted, "each", f"each of {len(values):,} tasks"),
            Series("mean", x, values.mean(0), "mean", MEAN, color, half_width=_ci95(values),
                   has_markers=values.shape[1] <= MARKED))


def _strip(values: Curve, color: int) -> tuple[Series, ...]:
    """One dot a task [tasks] and a level line at their mean: there are no inner steps to draw a curve over."""
    places = np.arange(1.0, len(values) + 1)
    ends = np.array([0.5, len(values) + 0.5])
    return (Series("mean", ends, np.full(2, values.mean()), "mean", MEAN, color,
                   half_width=np.full(2, _ci95(values[:, None])[0])),
            Series("tasks", places, values, "points", f"each of {len(values):,} tasks", color))


def _ci95(values: Curve) -> Curve:
    """Half width of the 95 % interval of the mean over tasks [tasks, n]."""
    if len(values) < 2:
        return np.zeros(values.shape[1])
    return np.asarray(1.96 * values.std(0, ddof=1) / np.sqrt(len(values)))


def _counts(counts: set[int]) -> str:
    return " or ".join(f"{count:,}" for count in sorted(counts))


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
