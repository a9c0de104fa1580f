"""One declaration a config field, read by the form, the command line, messages, files and help pages alike."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo

Shape = Literal["integer", "number", "choice", "flag", "text", "path", "integers"]

TAKES: dict[Shape, str] = {
    "integer": "a whole number", "number": "a number", "choice": "one of its choices", "flag": "true or false",
    "text": "a text", "path": "the path of a folder", "integers": "one or more whole numbers with commas between them",
}
"""What a person can say for a field of each shape, behind the word "takes"."""


class FieldError(ValueError):
    """What a model validator raises where fields do not go together.

    Args:
        name: The field that is to be marked.
        message: A sentence for the person; it names the values, for nothing is added to it.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class Config(BaseModel):
    """A frozen table of fields; an unknown name is an error, so that a typing mistake is never trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_text_is_nothing(cls, said: Any) -> Any:
        """TOML and the command line know no None: an empty text stands for it where a field may be empty."""
        if not isinstance(said, dict):
            return said
        fields = cls.model_fields
        return {name: None if value == "" and name in fields and _without_none(fields[name].annotation)[1] else value
                for name, value in said.items()}

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Python counts true as one, which nobody means who says it of a number."""
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(one, bool) for one in values) and info.field_name:
            shape = _shape(_without_none(cls.model_fields[info.field_name].annotation)[0])
            if shape != "flag":
                raise ValueError(f"takes {TAKES[shape]}")
        return value


class Choice(Config):
    """The config of something that is picked by name: a dataset, a backbone or an algorithm.

    A subclass declares its name as `name: Literal["conv4"] = "conv4"`.
    """

    name: str


def field(
    default: Any,
    *,
    label: str,
    help: str,  # noqa: A002 - the word that the form, the command line and the reader use
    unit: str = "",
    source: str = "",
    log: bool = False,
    advanced: bool = False,
    choices: dict[str, str] | None = None,
    needs: Mapping[str, tuple[Any, ...]] | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """Declare a config field.

    Args:
        default: Value used when the person says nothing.
        label: What the form calls it, in the field's own words.
        help: One or two sentences for the tooltip and the help page.
        unit: Shown behind the number, such as "tasks".
        source: Paper and section that the default or the meaning comes from.
        log: Whether the value moves by factors rather than by steps.
        advanced: Whether the form folds it away.
        choices: For a `Literal`, what each value is called in the form.
        needs: Other fields of the table and the values with which alone this one has an effect.
        ge, gt, le, lt: The range, as in pydantic.
    """
    extra: Any = {"label": label, "unit": unit, "source": source, "log": log, "advanced": advanced,
                  "choices": choices or {}, "needs": dict(needs or {})}
    return Field(default, description=help, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra)


@dataclass(frozen=True)
class Parameter:
    """A config field as it was declared.

    Attributes:
        name: Name inside its table, such as "inner_lr".
        shape: What kind of value it takes.
        minimum, maximum: The range, or None where it is open.
        minimum_excluded: Whether the minimum itself is refused.
        choices: (value, label) pairs of a choice.
        optional: Whether it may be left empty (None).
        needs: (field, values) pairs: it has no effect where that field of its table has another value.
    """

    name: str
    shape: Shape
    default: Any
    label: str
    help: str
    unit: str
    source: str
    log: bool
    advanced: bool
    minimum: float | None
    maximum: float | None
    minimum_excluded: bool
    choices: tuple[tuple[Any, str], ...]
    optional: bool
    needs: tuple[tuple[str, tuple[Any, ...]], ...]


def parameters(config: type[Config]) -> list[Parameter]:
    """The declared fields of a config in order, without the `name` of a choice and without nested tables."""
    return [
        _parameter(name, info)
        for name, info in config.model_fields.items()
        if not (name == "name" and issubclass(config, Choice)) and not _is_table(info.annotation)
    ]


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _parameter(name: str, info: FieldInfo) -> Parameter:
    declared: dict[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    annotation, optional = _without_none(info.annotation)
    shape = _shape(annotation)
    names = declared.get("choices", {})
    values = get_args(annotation) if shape == "choice" else ()
    minimum = next((m.ge if isinstance(m, Ge) else m.gt for m in info.metadata if isinstance(m, Ge | Gt)), None)
    maximum = next((m.le if isinstance(m, Le) else m.lt for m in info.metadata if isinstance(m, Le | Lt)), None)
    return Parameter(
        name=name,
        shape=shape,
        default=info.get_default(),
        label=declared.get("label", name),
        help=info.description or "",
        unit=declared.get("unit", ""),
        source=declared.get("source", ""),
        log=declared.get("log", False),
        advanced=declared.get("advanced", False),
        minimum=minimum,  # type: ignore[arg-type]
        maximum=maximum,  # type: ignore[arg-type]
        minimum_excluded=any(isinstance(m, Gt) for m in info.metadata),
        choices=tuple((value, names.get(str(value), str(value))) for value in values),
        optional=optional,
        needs=tuple(declared.get("needs", {}).items()),
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) == 1:
            return kinds[0], True
    return annotation, False


def _shape(annotation: Any) -> Shape:
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is tuple:
        return "integers"
    shapes: dict[Any, Shape] = {bool: "flag", int: "integer", float: "number", str: "text", Path: "path"}
    if annotation in shapes:
        return shapes[annotation]
    raise TypeError(f"a config field cannot be declared as {annotation}; use bool, int, float, str, Path, Literal "
                    "or tuple[int, ...]")
