"""A table of numbers that a method learned, described once, without Qt: a map of colours, bars or a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from workbench.algorithms.base import Drawing
from workbench.engine.events import Curve, Probe
from workbench.runs.history import History

Form = Literal["map", "bars across", "bars up", "line"]

MOST_BARS = 60
NOBODY = ("What is special about a method is drawn here, such as learned rates, attention or a memory, while a run of "
          "such a method is looked at.")
NOTHING = "This method keeps nothing special to draw. What it makes of a task is in the tab Task."


@dataclass(frozen=True)
class Heat:
    """A table to look at.

    Attributes:
        title: What it is.
        about: What to see in it.
        facts: Of which task, after which inner step, when in training.
        rows, columns: What the two axes are.
        values_label: What the numbers are, with their unit.
        values: [rows, columns]; empty where there is nothing to draw yet.
        row_names, column_names: A name for each row and column; empty where they are only numbered.
        limits: The least and the greatest number of the colours and of the axis of bars. They are the same at every
            moment and inner step, so that these can be compared, and symmetric around zero where any number is below.
        note: Where there is nothing to draw: what will appear.
    """

    title: str
    about: str = ""
    facts: str = ""
    rows: str = ""
    columns: str = ""
    values_label: str = ""
    values: Curve = field(default_factory=lambda: np.zeros((0, 0)))
    row_names: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()
    limits: tuple[float, float] = (0.0, 1.0)
    note: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.values.size

    @property
    def is_signed(self) -> bool:
        """Whether zero is in the middle."""
        return self.limits[0] < 0

    @property
    def form(self) -> Form:
        """How it is drawn: one row or one column needs no colours."""
        rows, columns = self.values.shape
        if min(rows, columns) > 1:
            return "map"
        names = self.row_names if columns == 1 else self.column_names
        if max(rows, columns) > MOST_BARS and not names:
            return "line"
        return "bars across" if columns == 1 else "bars up"

    def row_name(self, row: int) -> str:
        """A row in words: its number, counted from 1, where it has no name."""
        return self.row_names[row] if self.row_names else f"{row + 1:,}"

    def column_name(self, column: int) -> str:
        """A column in words: its number, counted from 1, where it has no name."""
        return self.column_names[column] if self.column_names else f"{column + 1:,}"


def moments(history: History) -> list[Probe]:
    """The probes that have something to look at, oldest first."""
    return [probe for probe in history.probes if probe.shown]


def heat(history: History, name: str, task: int, step: int, moment: int) -> Heat:
    """A drawing of a run.

    Args:
        history: The run's.
        name: Which of `Started.drawings`.
        task: Index among the shown tasks; of no account where the drawing is the same for all.
        step: Index among the inner steps that were kept.
        moment: Index among `moments`.
    """
    assert history.started is not None  # noqa: S101 - narrows for the type checker
    about, known = history.started.drawings[name], moments(history)
    found = [probe.shown.drawn[name] for probe in known if probe.shown and name in probe.shown.drawn]
    shown = known[moment].shown if known else None
    if shown is None or name not in shown.drawn or not shown.drawn[name].size:
        return Heat(about.title, note=f"{about.title} will be drawn here with the first probe of this run. "
                                      f"{about.about}")
    if not any(np.any(table) for table in found):
        return Heat(about.title, note=f"Every number here is still zero. {about.about}")
    values = shown.drawn[name]
    task, step = task if about.per_task else 0, min(step, values.shape[1] - 1)
    facts = [f"task {task + 1}"] if about.per_task else []  # by its number, for its title may be a line long
    facts.append(f"iteration {known[moment].step:,}")
    if shown.inner_steps[-1] and (about.per_task or varies(history, name, moment)):
        facts.append(f"inner step {shown.inner_steps[step]} of {shown.inner_steps[-1]}")
    return Heat(about.title, about.about, " · ".join(facts), about.rows, about.columns, about.values,
                values[task, step], _fitting(about.row_names, values.shape[2]),
                _fitting(about.column_names, values.shape[3]), limits(found))


def varies(history: History, name: str, moment: int) -> bool:
    """Whether a drawing changes from inner step to inner step."""
    shown = moments(history)[moment].shown
    values = shown.drawn.get(name) if shown else None
    return values is not None and not np.array_equal(values[:, :1].repeat(values.shape[1], 1), values, equal_nan=True)


def empty(drawings: dict[str, Drawing] | None) -> Heat:
    """What stands where there is nothing to draw: for no run (None), or for one of a method that draws nothing."""
    return Heat("What it learned", note=NOBODY if drawings is None else NOTHING)


def limits(tables: Sequence[Curve]) -> tuple[float, float]:
    """What the colours of some tables must span, symmetric around zero where a number is below it.

    Otherwise they begin at zero, unless every number is so far from it that most colours would be wasted.
    """
    finite = [table[np.isfinite(table)] for table in tables]
    low = min((float(one.min()) for one in finite if one.size), default=0.0)
    high = max((float(one.max()) for one in finite if one.size), default=0.0)
    if low < 0:
        return -max(-low, high), max(-low, high)
    if low == high or low < high / 2:
        low = 0.0
    return low, high if high > 0 else 1.0


def heat_to_csv(table: Heat) -> str:
    """The numbers of a table, a row a line, under a line that names the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows, columns = table.values.shape
    writer.writerow([f"{table.rows} \\ {table.columns}: {table.values_label}",
                     *(table.column_name(column) for column in range(columns))])
    writer.writerows([table.row_name(row), *table.values[row].tolist()] for row in range(rows))
    return text.getvalue()


def _fitting(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The names, if there is one for each."""
    return names if len(names) == count else ()
