"""From what a person said to a complete experiment: defaults that suit the picks, and every mistake by name."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from workbench.experiment.experiment import EvaluationConfig, Experiment, TaskConfig, TrainingConfig
from workbench.experiment.fields import Config, parameters
from workbench.experiment.mistakes import ExperimentError, Problem, spoken
from workbench.experiment.registry import ROLES, Pluggable, Role, UnknownNameError, find, found, picked

Tables = dict[str, Any]
"""The experiment as nested plain values, complete or not: `{"dataset": {"name": ...}, "seed": 0, ...}`."""

_PLAIN: dict[str, type[Config]] = {"task": TaskConfig, "training": TrainingConfig, "evaluation": EvaluationConfig}
_ORDER = ("dataset", "task", "backbone", "algorithm", "training", "evaluation")
_TOP = ("seed", "device")
# The algorithm may ask for a backbone, and both follow the dataset.
_PICKED: tuple[Role, ...] = ("dataset", "algorithm", "backbone")
_FIRST_PICKS = {"dataset": "glyphs", "backbone": "conv4", "algorithm": "maml"}


def resolve(said: Mapping[str, Any]) -> Experiment:
    """Complete what a person said with the defaults that suit what was picked.

    Args:
        said: Nested tables, any part of which may be missing.

    Raises:
        ExperimentError: A name is unknown, a value is out of range, or picks do not fit each other.
    """
    problems = list(_unknown_tables(said))
    picks, unknown = _picks(said)
    problems += unknown
    if problems:
        raise ExperimentError(problems)
    filled = _merge(_suggested(picks), said)
    values: Tables = {name: filled[name] for name in _TOP if name in filled}
    tables = _configs(picks)
    for name in _ORDER:
        config = tables[name]
        own = dict(filled.get(name, {}))
        try:
            values[name] = config.model_validate(own)
        except ValidationError as error:
            problems += spoken(error, name, config)
    if problems:
        raise ExperimentError(problems)
    try:
        experiment = Experiment(**values)
    except ValidationError as error:
        raise ExperimentError(spoken(error, "", Experiment)) from error
    misfits = fit(experiment)
    if misfits:
        raise ExperimentError(misfits)
    return experiment


def defaults(said: Mapping[str, Any]) -> Tables:
    """The complete tables that `said` would get if it said nothing but its three names."""
    names = _named(said)
    picks, _ = _picks(names)
    filled = _merge(_suggested(picks), names)
    tables = _configs(picks)
    complete: Tables = {name: tables[name].model_validate(filled.get(name, {})).model_dump(mode="json")
                        for name in _ORDER}
    return complete | {name: Experiment.model_fields[name].default for name in _TOP}


def unusual(experiment: Experiment) -> set[str]:
    """Dotted names of the fields that are not as suits the picks."""
    tables = experiment.model_dump(mode="json")
    usual = dotted(defaults(tables))
    return {name for name, value in dotted(tables).items() if name not in _TOP and value != usual.get(name)}


def dotted(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The values of tables by dotted names, as `with_values` takes them."""
    return {name: value for table, own in tables.items()
            for name, value in ({f"{table}.{one}": value for one, value in own.items()}
                                if isinstance(own, Mapping) else {table: own}).items()}


def with_values(tables: Mapping[str, Any], values: Mapping[str, Any]) -> Tables:
    """The tables with other values, which have dotted names."""
    made: Tables = {**tables}
    for name, value in values.items():
        table, _, own = name.rpartition(".")
        made = _merge(made, {table: {own: value}} if table else {own: value})
    return made


def tentative(said: Mapping[str, Any]) -> Experiment:
    """What is to be said of an experiment before it can be run: what suits the picks stands in for what will not do.

    Raises:
        UnknownNameError: A pick is not known.
    """
    usual = defaults(said)
    values: Tables = {name: said.get(name, usual[name]) for name in _TOP}
    for name, config in _configs(_picks(said)[0]).items():
        own = {**usual[name], **said.get(name, {})}
        try:
            values[name] = config.model_validate(own)
        except ValidationError as error:
            wrong = {problem.field.rpartition(".")[2] for problem in spoken(error, name, config)}
            mended = {one: usual[name].get(one) if one in wrong else value for one, value in own.items()}
            try:
                values[name] = config.model_validate(mended)
            except ValidationError:
                values[name] = config.model_validate(usual[name])
    return Experiment.model_construct(**values)


def fit(experiment: Experiment) -> list[Problem]:
    """Why the picks of an experiment do not fit each other; empty where they do."""
    dataset, backbone, algorithm = (picked(experiment, role) for role in ROLES)
    problems = [
        Problem(f"{role}.name", reason)
        for role, kind in (("backbone", backbone), ("algorithm", algorithm))
        if (reason := misfit(dataset, kind))
    ]
    if reason := clash(backbone, algorithm):
        problems.append(Problem("backbone.name", reason))
    ways, reason = experiment.training.ways, algorithm.fixed_ways()
    if "classification" in dataset.task_kinds and reason and ways not in (None, experiment.task.ways):
        problems.append(Problem("training.ways", f"{algorithm.title} {reason}; leave training.ways empty"))
    for role in ROLES:
        refused = picked(experiment, role).refused(getattr(experiment, role), experiment)
        problems += [Problem(name, reason) for name, reason in refused.items()]
    return problems


def misfit(dataset: type[Pluggable], other: type[Pluggable]) -> str:
    """Why a backbone or an algorithm cannot work on a dataset, in words for the form; empty where it can."""
    if other.role == "backbone" and not dataset.input_kinds & other.input_kinds:
        return (f"{other.title} reads {_words(other.input_kinds)} inputs and {dataset.title} "
                f"gives {_words(dataset.input_kinds)} ones")
    if other.role == "algorithm" and not dataset.task_kinds & other.task_kinds:
        return f"{other.title} does {_words(other.task_kinds)} and {dataset.title} is {_words(dataset.task_kinds)}"
    return ""


def clash(backbone: type[Pluggable], algorithm: type[Pluggable]) -> str:
    """Why a backbone cannot work with an algorithm, in words for the form; empty where it can."""
    if algorithm.searches and not backbone.searches:
        offering = " or ".join(name for name, kind in found("backbone").items() if kind.searches)
        return (f"{algorithm.title} chooses among operations and {backbone.title} has none to choose from; pick "
                f"{offering}")
    return ""


def _configs(picks: Mapping[Role, type[Pluggable]]) -> dict[str, type[Config]]:
    """The config of every table."""
    return {**{str(role): pick.Config for role, pick in picks.items()}, **_PLAIN}


def _words(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))


def _picks(said: Mapping[str, Any]) -> tuple[dict[Role, type[Pluggable]], list[Problem]]:
    picks: dict[Role, type[Pluggable]] = {}
    problems: list[Problem] = []
    suggested: dict[str, Any] = {}
    for role in _PICKED:
        table = said.get(role, {})
        name = table.get("name") if isinstance(table, Mapping) else None
        name = str(name or suggested.get(f"{role}.name") or _FIRST_PICKS[role])
        try:
            picks[role] = find(role, name)
        except UnknownNameError as error:
            problems.append(Problem(f"{role}.name", str(error)))
            continue
        if "dataset" in picks:
            suggested |= picks[role].suggest(task_kind(picks["dataset"]))
    return {role: picks[role] for role in ROLES if role in picks}, problems


def task_kind(dataset: type[Pluggable]) -> Any:
    """The one kind of task that a dataset gives."""
    return next(iter(dataset.task_kinds))


def _suggested(picks: Mapping[Role, type[Pluggable]]) -> Tables:
    """What suits the picks; what the algorithm suggests goes before the backbone's and the dataset's word.

    A pick may suggest a field of the pick that it likes best, which means nothing to another.
    """
    tables: Tables = {role: {"name": pick.name()} for role, pick in picks.items()}
    configs = _configs(picks)
    values: dict[str, Any] = {}
    for role in ROLES:
        for name, value in picks[role].suggest(task_kind(picks["dataset"])).items():
            table, _, field = name.rpartition(".")
            if field != "name" and (not table or field in configs[table].model_fields):
                values[name] = value
    return with_values(tables, values)


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> Tables:
    merged: Tables = {**under}
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merge(merged[name], value) if both else value
    return merged


def _unknown_tables(said: Mapping[str, Any]) -> Iterable[Problem]:
    known = [*_ORDER, *_TOP]
    for name, value in said.items():
        if name not in known:
            yield Problem(name, str(UnknownNameError("table or field", name, known)))
        elif name in _ORDER and not isinstance(value, Mapping):
            yield Problem(name, f"is a table; write [{name}] and its fields below it")


def with_settings(tables: Mapping[str, Any], settings: Iterable[str]) -> Tables:
    """Apply `NAME=VALUE` settings; `dataset=X` is short for `dataset.name=X` and goes before the dotted names.

    Raises:
        ExperimentError: A setting has no `=` or names a table, or what stands in the place of a table is none.
    """
    pairs = []
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise ExperimentError([Problem(setting, "a setting is written NAME=VALUE, such as task.ways=5")])
        pairs.append((name.strip(), text.strip()))
    problems = [*_unknown_tables(tables), *_no_values(pairs)]
    if problems:
        raise ExperimentError(problems)
    result = _merge({}, tables)
    for name, text in pairs:
        role = name.removesuffix(".name")
        if role in ROLES:
            value = _value(text, "text")
            # Another pick brings another set of fields: those of the earlier pick would only be refused.
            keep = result.get(role, {}) if name != role or result.get(role, {}).get("name") == value else {}
            result[role] = {**keep, "name": value}
    shapes = _shapes(result)
    for name, text in pairs:
        if name.removesuffix(".name") not in ROLES:
            result = with_values(result, {name: _value(text, shapes.get(name, ""))})
    return result


def _no_values(pairs: Iterable[tuple[str, str]]) -> Iterable[Problem]:
    for name, text in pairs:
        role = name.removesuffix(".name")
        if role in ROLES and text in ("", '""', "''"):
            yield Problem(name, f"a name is missing; `workbench list {role}s` shows what there is")
        elif name in _PLAIN:
            field = next(iter(_PLAIN[name].model_fields))
            yield Problem(name, f"is a table; set one of its fields, such as {name}.{field}=5")


def _shapes(said: Mapping[str, Any]) -> dict[str, str]:
    """The shape of every field by its dotted name, as far as the picks are known."""
    shapes = {f"{table}.{one.name}": str(one.shape)
              for table, config in _configs(_picks(said)[0]).items() for one in parameters(config)}
    return shapes | {"device": "text"}


def _value(text: str, shape: str) -> Any:
    """A TOML value where the text is one, else the text itself, so that paths need no quotes.

    What looks like a number or a date stays a text where the field takes one, and a list needs no brackets.
    """
    if text == "":
        return None
    is_bare = shape == "integers" and text[0] not in "[\"'"
    try:
        value = tomllib.loads(f"value = [{text}]" if is_bare else f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if shape in ("text", "path") and not isinstance(value, str) else value


def read_toml(path: Path) -> Tables:
    """Read an experiment file.

    Raises:
        ExperimentError: The file is not there, cannot be read or is no TOML.
    """
    try:
        # Some editors begin a file with a mark of its encoding, which TOML does not know.
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise ExperimentError([Problem(str(path), "there is no such file")]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError([Problem(str(path), f"cannot be read ({error})")]) from error
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError([Problem(str(path), f"is no TOML: {error}")]) from error


def unnamed(said: Any) -> list[Role]:
    """Roles that no name is given for, which a person may leave out and a file that the program wrote never does."""
    tables = said if isinstance(said, Mapping) else {}
    return [role for role in ROLES if not isinstance(table := tables.get(role), Mapping)
            or not isinstance(table.get("name"), str) or not table["name"]]


def to_tables(experiment: Experiment) -> Tables:
    """The experiment as values that TOML can hold.

    A field that is empty is left out where the picks leave it empty too, and an empty text where they would fill it.
    """
    tables = experiment.model_dump(mode="json")
    usual = defaults(tables)
    return {
        name: {key: "" if value is None else value for key, value in table.items()
               if value is not None or usual[name].get(key) is not None} if isinstance(table, dict) else table
        for name, table in tables.items()
    }


def to_toml(experiment: Experiment) -> str:
    """The experiment as a file that `read_toml` gives back."""
    tables = to_tables(experiment)
    return tomli_w.dumps({name: tables[name] for name in (*_TOP, *_ORDER)})


def command_line(experiment: Experiment, preset: str = "", preset_tables: Mapping[str, Any] | None = None) -> str:
    """The shortest `workbench run` command that runs this very experiment."""
    words = ["workbench", "run"]
    tables = experiment.model_dump(mode="json")
    said: Tables = {}
    if preset:
        words += ["--preset", preset]
        said = _merge({}, preset_tables or {})
    for role in ROLES:
        name = tables[role]["name"]
        if _name_of(said, role) != name and not (role == "backbone" and _implied_backbone(said, tables) == name):
            words += ["--set", f"{role}={name}"]
            said[role] = {"name": name}
    start = _merge(defaults(_named(said)), said)
    for table, name in ((t, n) for t in _ORDER for n in tables[t]):
        own, usual = tables[table][name], start[table].get(name)
        # A file says None with an empty text.
        if name != "name" and own != usual and not (own is None and usual == ""):
            words += ["--set", shlex.quote(f"{table}.{name}={_text(own)}")]
    for name in _TOP:
        if tables[name] != start[name]:
            words += ["--set", shlex.quote(f"{name}={_text(tables[name])}")]
    return " ".join(words)


def _name_of(said: Mapping[str, Any], role: Role) -> str:
    given = said.get(role, {}).get("name")
    return str(given or (_FIRST_PICKS[role] if role != "backbone" else ""))


def _implied_backbone(said: Mapping[str, Any], tables: Mapping[str, Any]) -> str:
    """The backbone that the other picks bring along where nothing was said of it."""
    others = {role: {"name": tables[role]["name"]} for role in ("dataset", "algorithm")}
    return _picks(_named({**said, **others}))[0]["backbone"].name()


def _named(said: Mapping[str, Any]) -> Tables:
    return {role: {"name": said[role]["name"]} for role in ROLES if said.get(role, {}).get("name")}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
