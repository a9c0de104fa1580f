"""What is wrong with an experiment, in sentences that name the field, the value and the remedy."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from workbench.experiment.fields import TAKES, Config, FieldError, Parameter, parameters
from workbench.experiment.registry import nearest


@dataclass(frozen=True)
class Problem:
    """Something wrong with an experiment: the dotted name of the field and a sentence for the person."""

    field: str
    message: str

    def __str__(self) -> str:
        """Both in one line."""
        return f"{self.field}: {self.message}"


class ExperimentError(ValueError):
    """An experiment that cannot be run, with every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


def first_finding(error: ValidationError, *above: str) -> str:
    """Where in a file the first of pydantic's findings is, and what it is; for what no person writes.

    Args:
        error: The findings.
        above: The names of the tables that hold what was looked at.
    """
    first = error.errors()[0]
    return f"{'.'.join(map(str, (*above, *first['loc'])))}: {first['msg']}"


def spoken(error: ValidationError, table: str, config: type[Config]) -> list[Problem]:
    """Pydantic's findings as sentences that name the field, the value and the remedy."""
    declared = {parameter.name: parameter for parameter in parameters(config)}
    problems = []
    for finding in error.errors():
        cause = finding.get("ctx", {}).get("error")
        name = cause.name if isinstance(cause, FieldError) else str(finding["loc"][0]) if finding["loc"] else ""
        dotted = ".".join(part for part in (table, name) if part)
        if finding["type"] == "extra_forbidden":
            near = nearest(name, {one: declared[one].label if one in declared else one for one in config.model_fields})
            hint = f"did you mean '{table}.{near}'?" if near else f"there are: {', '.join(config.model_fields)}"
            said = config.model_fields["name"].default if "name" in config.model_fields else ""
            problems.append(Problem(dotted, f"there is no such field{f' of {said}' if said else ''}; {hint}"))
            continue
        # What a validator of the whole table finds is no matter of one value.
        message = _finding_in_words(finding, declared.get(name)) if finding["loc"] else str(cause or finding["msg"])
        problems.append(Problem(dotted, message))
    return problems


def _finding_in_words(finding: ErrorDetails, parameter: Parameter | None) -> str:
    """What is wrong with one value, and what would do."""
    said, message = finding["input"], finding["msg"].removeprefix("Value error, ")
    choices = ", ".join(str(value) for value, _ in parameter.choices) if parameter else ""
    remedy = f"; choose one of: {choices}" if choices else ""
    takes = _takes(parameter) if parameter else ""
    if said is None or said == "":
        return f"may not be empty{remedy or f'; it takes {takes}'}"
    if parameter and finding["type"] == "literal_error":
        near = nearest(str(said), {str(value): label for value, label in parameter.choices})
        return f"may not be {_spelled(said)}{f' (did you mean {_spelled(near)}?)' if near else ''}{remedy}"
    if takes and finding["type"].endswith(("_type", "_parsing", "_from_float")):
        message = f"takes {takes}"
    return f"{message[:1].lower()}{message[1:]}, not {_spelled(said)}{remedy}"


def _takes(parameter: Parameter) -> str:
    """What a field takes, numbers in a row with an example."""
    example = f", such as {_spelled(parameter.default).strip('[]')}" if parameter.shape == "integers" else ""
    return TAKES[parameter.shape] + example


def _spelled(value: Any) -> str:
    """A value as a person writes it."""
    return json.dumps(value) if isinstance(value, bool | list | tuple) else repr(value)
