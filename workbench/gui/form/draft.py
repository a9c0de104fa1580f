"""The experiment while it is being put together: what was picked, what was typed, and what follows, without Qt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from workbench.engine.devices import DeviceError, choose
from workbench.engine.precision import Precision, refusal
from workbench.experiment.experiment import EvaluationConfig, Experiment, TaskConfig, TrainingConfig
from workbench.experiment.fields import Config, Parameter, parameters
from workbench.experiment.idle import idle
from workbench.experiment.mistakes import ExperimentError, Problem
from workbench.experiment.presets import Preset, decided, presets
from workbench.experiment.registry import ROLES, Pluggable, Role, find, found
from workbench.experiment.resolve import Tables, clash, command_line, defaults, misfit, resolve, tentative
from workbench.tasks.own.data import OwnData

TABLES = ("dataset", "task", "backbone", "algorithm", "training", "evaluation")
_PLAIN: dict[str, type[Config]] = {"task": TaskConfig, "training": TrainingConfig, "evaluation": EvaluationConfig}
_TOP = ("seed", "device")
_PICKS = {"dataset.name": "Dataset", "backbone.name": "Network", "algorithm.name": "Method"}
_DOTTED = re.compile(rf"(?<![\w./-])(?:{'|'.join(TABLES)})\.[a-z_]+(?![\w=/.]*[=/])")


def unavailable(device: str) -> dict[str, str]:
    """Precisions that a device of this name does not compute in, and why; none where there is no such device."""
    try:
        place = choose(device)
    except DeviceError:
        return {}
    reasons = {one: refusal(one, place) for one in get_args(Precision)}
    return {one: reason[:1].upper() + reason[1:] for one, reason in reasons.items() if reason}


@dataclass
class Draft:
    """An experiment in the making.

    Attributes:
        picks: Name picked for each role.
        said: Dotted names and values that the person said and that differ from what suits the picks.
        preset: Name of the preset that it began with; empty for none, or where it is about other data by now.
        followed: Dotted names among those in `said` that the data at hand demanded, and nobody typed.
    """

    picks: dict[Role, str] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    preset: str = ""
    followed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Complete the picks."""
        suited = defaults({role: {"name": name} for role, name in self.picks.items()})
        self.picks = {role: suited[role]["name"] for role in ROLES}

    def suited(self) -> dict[str, Any]:
        """What suits the picks, by dotted name."""
        tables = defaults({role: {"name": name} for role, name in self.picks.items()})
        flat = {f"{table}.{name}": value for table in TABLES for name, value in tables[table].items() if name != "name"}
        return flat | {name: tables[name] for name in _TOP}

    def values(self) -> dict[str, Any]:
        """Every value of the form by dotted name."""
        return self.suited() | self.said

    def tables(self) -> Tables:
        """The whole experiment as `resolve` takes it."""
        tables: Tables = {table: {} for table in TABLES}
        for role in ROLES:
            tables[role]["name"] = self.picks[role]
        for dotted, value in self.values().items():
            table, _, name = dotted.rpartition(".")
            (tables[table] if table else tables)[name] = value
        return tables

    def fields(self, table: str) -> list[Parameter]:
        """The declared fields of a table as it is picked."""
        return parameters(self._config(table))

    def labels(self) -> dict[str, str]:
        """What the form calls each field, by dotted name."""
        known = {f"{table}.{one.name}": one.label for table in TABLES for one in self.fields(table)}
        return known | _PICKS | {one.name: one.label for one in parameters(Experiment) if one.name in _TOP}

    def in_words(self, text: str) -> str:
        """A message of the engine with the form's labels where it has dotted names; settings (NAME=VALUE) are left."""
        labels = self.labels()
        return _DOTTED.sub(lambda found: f"“{labels[found[0]]}”" if found[0] in labels else found[0], text)

    def set(self, dotted: str, value: Any) -> None:
        """Take in what the person said of a field; what suits anyway counts as not said."""
        self.followed.discard(dotted)
        if value == self.suited().get(dotted):
            self.said.pop(dotted, None)
        else:
            self.said[dotted] = value

    def follow(self, values: Mapping[str, Any]) -> None:
        """Take in what the data at hand demand, until others are opened."""
        for dotted, value in values.items():
            self.set(dotted, value)
        self.followed |= values.keys() & self.said.keys()

    def open_data(self, dataset: str, values: Mapping[str, Any]) -> None:
        """Take data of the person's own, with what they demand; what others had demanded goes."""
        self._leave_data()
        self.pick("dataset", dataset)
        self.follow(values)

    def typed(self, dataset: str = "") -> dict[str, Any]:
        """What was said for data of this dataset, or for whatever data: neither what those at hand demanded, nor how a
        preset trains on others."""
        return decided({dotted: value for dotted, value in self.said.items() if dotted not in self.followed},
                       self.preset, dataset)

    def _leave_data(self) -> None:
        """Forget what the data at hand demanded."""
        for dotted in self.followed:
            self.said.pop(dotted, None)
        self.followed.clear()

    def pick(self, role: Role, name: str) -> list[str]:
        """Pick something; what was said stays where the new pick has such a field.

        Returns:
            Sentences on what had to give way because it does not fit a new dataset.
        """
        notes = []
        if role == "dataset" and name != self.picks[role]:
            notes += self._pick_data(name)
        else:
            self.picks[role] = name
        if role != "backbone":
            notes += self._follow_algorithm()
        self._forget_what_is_gone()
        return notes

    def _pick_data(self, name: str) -> list[str]:
        """Another dataset, without what those at hand demanded and a preset that is about others; a person's own data
        may be read in another way.
        """
        before = self.picks["dataset"]
        are_own = all(issubclass(find("dataset", one), OwnData) for one in (before, name))
        path = self.said.get("dataset.path") if are_own else None
        self._leave_data()
        self.said = self.typed(name)
        begun = self._begun()
        if begun is None or not begun.is_about(name):
            self.preset = ""
        self.picks["dataset"] = name
        if path is not None:
            self.follow({"dataset.path": path})
        return self._make_fit(before)

    def _begun(self) -> Preset | None:
        """The preset that it began with; None where there is none, or none of that name any more."""
        return presets().get(self.preset)

    def _make_fit(self, before: str) -> list[str]:
        """Other picks where those at hand cannot work on the dataset, and the usual backbone in place of the usual."""
        dataset = find("dataset", self.picks["dataset"])
        usual = defaults({"dataset": {"name": self.picks["dataset"]}})
        if self.picks["backbone"] == defaults({"dataset": {"name": before}})["backbone"]["name"]:
            self.picks["backbone"] = usual["backbone"]["name"]
        notes = []
        for role in ROLES[1:]:
            reason = misfit(dataset, find(role, self.picks[role]))
            if reason:
                fitting = [name for name, kind in found(role).items() if not misfit(dataset, kind)]
                preferred = usual[role]["name"]
                self.picks[role] = preferred if preferred in fitting else fitting[0]
                notes.append(f"{reason}: {find(role, self.picks[role]).title} was picked instead")
        return notes

    def _follow_algorithm(self) -> list[str]:
        """The backbone that the algorithm asks for where it cannot work with the one at hand."""
        reason = clash(find("backbone", self.picks["backbone"]), find("algorithm", self.picks["algorithm"]))
        if not reason:
            return []
        picks: Tables = {role: {"name": self.picks[role]} for role in ("dataset", "algorithm")}
        self.picks["backbone"] = defaults(picks)["backbone"]["name"]
        return [f"{reason}: {find('backbone', self.picks['backbone']).title} was picked instead"]

    def _forget_what_is_gone(self) -> None:
        known = {f"{table}.{one.name}": one for table in TABLES for one in self.fields(table)}
        suited = self.suited()
        for dotted in list(self.said):
            declared = known.get(dotted)
            values = [value for value, _ in declared.choices] if declared else []
            is_gone = dotted not in suited or suited[dotted] == self.said[dotted]
            if is_gone or (values and self.said[dotted] is not None and self.said[dotted] not in values):
                del self.said[dotted]
        self.followed.intersection_update(self.said)

    def reset(self) -> None:
        """Go back to the defaults that suit the picks."""
        self.said.clear()
        self.followed.clear()
        self.preset = ""

    def take(self, tables: Mapping[str, Any], preset: str = "") -> None:
        """Replace everything by an experiment file or a preset, complete or not."""
        names: Tables = {role: {"name": tables[role]["name"]} for role in ROLES if tables.get(role, {}).get("name")}
        suited = defaults(names)
        self.picks = {role: suited[role]["name"] for role in ROLES}
        self.said = {f"{table}.{name}": value for table in TABLES for name, value in tables.get(table, {}).items()
                     if name != "name"}
        self.said |= {name: tables[name] for name in _TOP if name in tables}
        self.preset = preset
        self.followed.clear()
        self._forget_what_is_gone()

    def resolved(self) -> Experiment:
        """The experiment.

        Raises:
            ExperimentError: With every problem.
        """
        return resolve(self.tables())

    def problems(self) -> list[Problem]:
        """Everything that keeps it from being run."""
        try:
            self.resolved()
        except ExperimentError as error:
            return list(error.problems)
        return []

    def command(self) -> str:
        """The shortest command line that does the same; raises ExperimentError as `resolved` does."""
        experiment = self.resolved()
        plain = command_line(experiment)
        begun = self._begun()
        if begun is None or not begun.is_about(self.picks["dataset"]):
            return plain
        return min(command_line(experiment, self.preset, begun.tables), plain, key=len)

    def is_as_preset(self, preset: Preset) -> bool:
        """Whether nothing was changed since the preset was picked."""
        fresh = Draft()
        fresh.take(preset.tables)
        return fresh.picks == self.picks and fresh.said == self.said

    def unfitting(self, role: Role) -> dict[str, str]:
        """Names of a role that cannot work on the dataset, or as a backbone with the algorithm, and why."""
        if role == "dataset":
            return {}
        dataset, algorithm = find("dataset", self.picks["dataset"]), find("algorithm", self.picks["algorithm"])
        reasons = {name: misfit(dataset, kind) or (clash(kind, algorithm) if role == "backbone" else "")
                   for name, kind in found(role).items()}
        return {name: reason for name, reason in reasons.items() if reason}

    def idle_fields(self) -> dict[str, str]:
        """Fields that have no effect, and why."""
        reasons = idle(tentative(self.tables()), with_labels=True)
        return {dotted: self.in_words(reason[:1].upper() + reason[1:]) for dotted, reason in reasons.items()}

    def _config(self, table: str) -> type[Config]:
        if table in _PLAIN:
            return _PLAIN[table]
        role: Role = next(one for one in get_args(Role) if one == table)
        kind: type[Pluggable] = find(role, self.picks[role])
        return kind.Config

    def state(self) -> dict[str, Any]:
        """Plain values that `restored` takes back."""
        return {"picks": dict(self.picks), "said": dict(self.said), "preset": self.preset,
                "followed": sorted(self.followed)}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Draft:
        """The draft of the last time, without what no longer exists."""
        draft = cls()
        picks, said = state.get("picks"), state.get("said")
        if isinstance(picks, dict) and all(picks.get(role) in found(role) for role in ROLES):
            draft.picks = {role: picks[role] for role in ROLES}
            for role in ROLES[1:]:
                if picks[role] in draft.unfitting(role):
                    return cls()
        if isinstance(said, dict):
            draft.said = dict(said)
        draft.preset = state["preset"] if state.get("preset") in presets() else ""
        followed = state.get("followed")
        draft.followed = {str(name) for name in followed} if isinstance(followed, list) else set()
        draft._forget_what_is_gone()
        return draft
