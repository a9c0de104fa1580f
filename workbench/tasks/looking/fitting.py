"""Opens data of a person's own with what they leave no choice of: as many ways, shots and queries as they hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, cast

import torch

from workbench.experiment.experiment import Experiment
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve, with_values
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError

_TRIES = 4
_CPU = torch.device("cpu")


class Fitting(NamedTuple):
    """Data that were opened.

    Attributes:
        source: The opened dataset.
        experiment: With which it was opened.
        changes: What was set by itself so that it opens, by dotted names.
        note: What was set, in a sentence without its full stop; empty where nothing was.
    """

    source: TaskSource
    experiment: Experiment
    changes: dict[str, Any]
    note: str


def open_fitting(tables: Mapping[str, Any], decided: Collection[str], device: torch.device = _CPU) -> Fitting:
    """Open the dataset of an experiment; where it will not do, with the remedy that its error names.

    Args:
        tables: The experiment, complete or not, as `resolve` takes it.
        decided: Dotted names of the fields that the person decided, which are left as they are.
        device: Where its tasks are wanted.

    Raises:
        ExperimentError: The experiment will not do.
        DataError: The data will not do for what the person decided, or for nothing at all.
    """
    changes: dict[str, Any] = {}
    usual = experiment = resolve(tables)
    refusals: list[DataError] = []
    while True:
        kind = cast("type[TaskSource]", find("dataset", experiment.dataset.name))
        try:
            return Fitting(kind(experiment, device), experiment, changes,
                           note_of({name: _value(usual, name) for name in changes}, changes))
        except DataError as error:
            refusals.append(error)
            if not error.remedy or not error.remedy.keys().isdisjoint(decided) or len(refusals) > _TRIES:
                raise refusals[0] from None  # the person knows nothing of what was tried since
        changes |= refusals[-1].remedy
        experiment = resolve(with_values(tables, changes))


def note_of(before: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """What was set by itself, and what stood there before, by dotted names, in a sentence without its full stop."""
    said = [f"{name} was set to {value}" + ("" if before.get(name) is None else f" instead of {before[name]}")
            for name, value in changes.items()]
    return f"{' and '.join(said)}, as the data will not do otherwise" if said else ""


def _value(experiment: Experiment, dotted: str) -> Any:
    table, _, name = dotted.partition(".")
    return getattr(getattr(experiment, table), name)
