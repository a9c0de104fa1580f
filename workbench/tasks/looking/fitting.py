"""Opens data of a person's own with what they leave no choice of: as many ways, shots and queries as they hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, cast

import torch

from workbench.experiment.experiment import Experiment
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError

_TRIES = 4


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


def open_fitting(tables: Mapping[str, Any], said: Collection[str]) -> Fitting:
    """Open the dataset of an experiment on the CPU; where it will not do, with the remedy that its error names.

    Args:
        tables: The experiment, complete or not, as `resolve` takes it.
        said: Dotted names of the fields that the person decided, which are left as they are.

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
            return Fitting(kind(experiment, torch.device("cpu")), experiment, changes,
                           note_of({name: _value(usual, name) for name in changes}, changes))
        except DataError as error:
            refusals.append(error)
            if not error.remedy or not error.remedy.keys().isdisjoint(said) or len(refusals) > _TRIES:
                raise refusals[0] from None  # the person knows nothing of what was tried since
        changes |= refusals[-1].remedy
        experiment = resolve(changed(tables, changes))


def changed(tables: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of an experiment with other values, which have dotted names."""
    made = {name: dict(table) if isinstance(table, Mapping) else table for name, table in tables.items()}
    for dotted, value in values.items():
        table, _, name = dotted.partition(".")
        made.setdefault(table, {})[name] = value
    return made


def note_of(before: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """What was set by itself, and what stood there before, by dotted names, in a sentence without its full stop."""
    said = [f"{name} was set to {value}" + ("" if before.get(name) is None else f" instead of {before[name]}")
            for name, value in changes.items()]
    return f"{' and '.join(said)}, as the data will not do otherwise" if said else ""


def _value(experiment: Experiment, dotted: str) -> Any:
    table, _, name = dotted.partition(".")
    return getattr(getattr(experiment, table), name)
