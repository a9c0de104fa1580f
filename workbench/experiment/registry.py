"""Finds datasets, backbones and algorithms: by a scan of their folder and by entry points of other packages."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from workbench.experiment.fields import Choice

if TYPE_CHECKING:
    from workbench.experiment.experiment import Experiment

Role = Literal["dataset", "backbone", "algorithm"]
TaskKind = Literal["classification", "regression"]
InputKind = Literal["image", "series", "vector"]

ROLES: tuple[Role, ...] = ("dataset", "backbone", "algorithm")
_FOLDERS: dict[Role, str] = {
    "dataset": "workbench.tasks",
    "backbone": "workbench.backbones",
    "algorithm": "workbench.algorithms",
}
_GROUPS: dict[Role, str] = {
    "dataset": "workbench.datasets",
    "backbone": "workbench.backbones",
    "algorithm": "workbench.algorithms",
}


class Pluggable:
    """Base of everything that is picked by name.

    Attributes:
        role: Which of the three it is; set by the base class of each role.
        Config: Its frozen config, whose `name` is the name it is picked by.
        title: What the form calls it.
        source: Paper that it comes from, such as "Finn 2017".
        task_kinds: Kinds of task that it gives (a dataset) or can work with (an algorithm).
        input_kinds: Kinds of input that it gives (a dataset) or can work with (a backbone).
        any_ways: For an algorithm, whether it may be trained with other ways than it is tested with.
        iterates: For an algorithm, whether it adapts in inner steps.
        tested_on: For an algorithm, few-shot tasks, or as in ordinary supervised learning other examples of the
            classes that it was trained on.
        searches: Whether an algorithm chooses among the operations of a backbone, or a backbone offers that choice.
    """

    role: ClassVar[Role]
    Config: ClassVar[type[Choice]]
    title: ClassVar[str]
    source: ClassVar[str] = ""
    task_kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "regression"})
    input_kinds: ClassVar[frozenset[InputKind]] = frozenset({"image", "series", "vector"})
    any_ways: ClassVar[bool] = False
    iterates: ClassVar[bool] = True
    tested_on: ClassVar[Literal["tasks", "examples"]] = "tasks"
    searches: ClassVar[bool] = False

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003 - for the classes that do care
        """Dotted names and values of the experiment that suit this pick, used where the person said nothing."""
        return {}

    @classmethod
    def fixed_ways(cls) -> str:
        """Why an algorithm takes no training ways of its own, as the rest of a sentence about it; empty if it does."""
        return "" if cls.any_ways else "has one output a way, so it trains with the ways that it is tested with"

    @classmethod
    def keeps_no_steps(cls, config: Any) -> str:  # noqa: ARG003 - for those that do not differentiate through them
        """Why an algorithm keeps nothing of its inner steps that could be recomputed, as the rest of a sentence about
        it; empty where it does."""
        return "" if cls.iterates else "takes no inner steps"

    @classmethod
    def idle(cls, config: Any, experiment: Experiment) -> Mapping[str, str]:  # noqa: ARG003 - for those that have some
        """Dotted names of fields that have no effect in an experiment with this pick, each with the reason.

        What depends on other fields of the same table alone is declared there, as `needs`. A reason is a sentence
        without its full stop; names of fields in it are dotted, and the form shows their labels.

        Args:
            config: Its own config in the experiment.
            experiment: All of it.
        """
        return {}

    @classmethod
    def refused(cls, config: Any, experiment: Experiment) -> Mapping[str, str]:  # noqa: ARG003 - for those that refuse
        """Dotted names of fields whose values cannot work in an experiment with this pick, each with reason and remedy.

        What is wrong whatever the rest of the experiment says is refused by the config itself.

        Args:
            config: Its own config in the experiment.
            experiment: All of it.
        """
        return {}

    @classmethod
    def normalizes(cls, config: Any, experiment: Experiment) -> bool:  # noqa: ARG003
        """For a backbone, whether it has normalization layers in this experiment; unless it says so, it may."""
        return True

    @classmethod
    def name(cls) -> str:
        """The name that it is picked by."""
        return str(cls.Config.model_fields["name"].default)

    @classmethod
    def summary(cls) -> str:
        """First paragraph of its docstring on one line."""
        return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


class UnknownNameError(ValueError):
    """A name that nothing answers to; the message names the nearest that something does."""

    def __init__(self, what: str, name: str, known: Mapping[str, str] | Iterable[str]) -> None:
        near = nearest(name, known)
        hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(known)}"
        super().__init__(f"no {what} is called '{name}'; {hint}")


def nearest(name: str, known: Mapping[str, str] | Iterable[str]) -> str:
    """The one of the known names that was probably meant, whatever its case; empty where none is like it.

    Args:
        name: What was said.
        known: The names, or each with the title that a person may have seen in its place.
    """
    titles = known if isinstance(known, Mapping) else {}
    called = {title.casefold(): one for one, title in titles.items()} | {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), called, n=1, cutoff=0.5)
    return called[near[0]] if near else ""


@cache
def found(role: Role) -> dict[str, type[Pluggable]]:
    """Every class of a role by name, sorted by name; a plug-in may not take the name of a built-in.

    The scan imports the modules of the role's folder, which needs torch.
    """
    package = importlib.import_module(_FOLDERS[role])
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    classes = [kind for name in names for kind in _pluggables(f"{_FOLDERS[role]}.{name}", role)]
    for entry in entry_points(group=_GROUPS[role]):
        kind = entry.load()
        if not (isinstance(kind, type) and issubclass(kind, Pluggable) and kind.role == role):
            raise TypeError(f"the entry point '{entry.name}' of group '{_GROUPS[role]}' is no {role}: {kind!r}")
        classes.append(kind)
    by_name: dict[str, type[Pluggable]] = {}
    for kind in classes:
        if by_name.setdefault(kind.name(), kind) is not kind:
            raise ValueError(f"two {role}s are called '{kind.name()}': {by_name[kind.name()].__module__} and "
                             f"{kind.__module__}; rename or uninstall one")
    return dict(sorted(by_name.items()))


def _pluggables(module_name: str, role: Role) -> list[type[Pluggable]]:
    module = importlib.import_module(module_name)
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Pluggable)
        and value.__module__ == module_name
        and "Config" in vars(value)
        and value.role == role
    ]


def find(role: Role, name: str) -> type[Pluggable]:
    """The class of a role that is picked by this name.

    Raises:
        UnknownNameError: Nothing has this name.
    """
    known = found(role)
    if name not in known:
        raise UnknownNameError(role, name, {one: kind.title for one, kind in known.items()})
    return known[name]


def picked(experiment: Experiment, role: Role) -> type[Pluggable]:
    """The class that an experiment has picked for a role."""
    return find(role, getattr(experiment, role).name)
