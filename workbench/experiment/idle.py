"""Fields that have no effect in an experiment: the form greys them out, and the command line says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Config, Parameter, parameters
from workbench.experiment.registry import ROLES, picked


def idle(experiment: Experiment, *, with_labels: bool = False) -> dict[str, str]:
    """Dotted names of the fields that have no effect in an experiment, each with the reason.

    A reason is a sentence without its full stop, and names of fields in it are dotted.

    Args:
        experiment: It need not be valid as a whole, as `tentative` gives it.
        with_labels: Whether values are called as the form does, rather than as they are written.
    """
    reasons = _of_the_kinds(experiment)
    for role in ROLES:
        reasons |= picked(experiment, role).idle(getattr(experiment, role), experiment)
    for table, config in experiment:
        if isinstance(config, Config):
            reasons |= _unmet(table, config, with_labels)
    return reasons


def _of_the_kinds(experiment: Experiment) -> dict[str, str]:
    """What follows from what the dataset and the algorithm are."""
    dataset, algorithm = picked(experiment, "dataset"), picked(experiment, "algorithm")
    reasons = {}
    if reason := algorithm.keeps_no_steps(experiment.algorithm):
        reasons["training.recompute"] = f"{algorithm.title} {reason}"
    if "classification" not in dataset.task_kinds:
        reason = f"{dataset.title} is regression: its tasks have no classes to count"
        return reasons | dict.fromkeys(("task.ways", "training.ways"), reason)
    # Other ways are a mistake, which must stay open to be mended.
    if (reason := algorithm.fixed_ways()) and experiment.training.ways in (None, experiment.task.ways):
        reasons["training.ways"] = f"{algorithm.title} {reason}"
    return reasons


def _unmet(table: str, config: Config, with_labels: bool) -> dict[str, str]:
    """Fields of a table that others of it leave without effect, by their `needs`."""
    declared = {one.name: one for one in parameters(type(config))}
    reasons = {}
    for one in declared.values():
        for name, values in one.needs:
            if getattr(config, name) not in values:
                wanted = any_of(declared[name], values, with_labels=with_labels)
                reasons[f"{table}.{one.name}"] = f"it matters only where {table}.{name} is {wanted}"
                break
    return reasons


def any_of(parameter: Parameter, values: Iterable[Any], *, with_labels: bool = False) -> str:
    """Values of a field in words, such as "on" or "concatenate or film"."""
    return " or ".join(_called(parameter, value, with_labels) for value in values)


def _called(parameter: Parameter, value: Any, with_labels: bool) -> str:
    if parameter.shape == "flag":
        return "on" if value else "off"
    return f"“{dict(parameter.choices)[value]}”" if with_labels and parameter.choices else str(value)


def said_in_vain(experiment: Experiment, said: Iterable[str]) -> str:
    """One line on those of the named fields that have no effect; empty where all have one."""
    reasons = idle(experiment)
    return "; ".join(f"{name} has no effect: {reasons[name]}" for name in dict.fromkeys(said) if name in reasons)
