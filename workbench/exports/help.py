"""Help pages: those that are written, and those that are made from the declarations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.experiment.fields import Parameter, parameters
from workbench.experiment.idle import any_of
from workbench.experiment.registry import ROLES, Pluggable, Role, UnknownNameError, find, found
from workbench.places import resources

_FIRST = ("index", "first-look", "your-own-data", "evaluation", "take-it-home", "command-line", "runs-on-disk",
          "more-machines", "speed-and-memory", "writing-an-algorithm")


@dataclass(frozen=True)
class Page:
    """A page of the help.

    Attributes:
        name: What `help_page` takes: the file's name, or such as "algorithm/maml".
        section: Heading that it stands under.
        title: What it is called.
    """

    name: str
    section: str
    title: str


def help_pages() -> tuple[Page, ...]:
    """Every page in the order of reading: those that are written, then one for each thing that can be picked."""
    written = [Page(name, "Guide", help_page(name).partition("\n")[0].lstrip("# ")) for name in _written()]
    made = [Page(f"{role}/{name}", f"{role.title()}s", kind.title)
            for role in reversed(ROLES) for name, kind in found(role).items()]
    return (*written, *made)


def _written() -> list[str]:
    names = sorted(path.stem for path in (resources() / "help").glob("*.md"))
    return [name for name in _FIRST if name in names] + [name for name in names if name not in _FIRST]


def find_page(name: str) -> str:
    """The name of the page that a person means, who may leave out what stands before or behind it: maml, index.md.

    Raises:
        UnknownNameError: There is none of this name.
    """
    short = name.removesuffix(".md")
    if short in _written():
        return short
    made = {page: page.partition("/")[2] for role in ROLES for page in (f"{role}/{one}" for one in found(role))}
    meant = [page for page, own in made.items() if short in (page, own)]
    if len(meant) != 1:
        raise UnknownNameError("help page", name, meant or [*_written(), *(made if "/" in name else made.values())])
    return meant[0]


def help_page(name: str) -> str:
    """The Markdown of a page.

    Raises:
        FileNotFoundError, UnknownNameError: There is none of this name.
    """
    role = next((role for role in ROLES if name.startswith(f"{role}/")), None)
    if role is not None:
        return pick_page(role, name.removeprefix(f"{role}/"))
    return (resources() / "help" / f"{name}.md").read_text(encoding="utf8")


def pick_page(role: Role, name: str) -> str:
    """The Markdown page of a dataset, backbone or algorithm, made from its docstring and its declared fields.

    Raises:
        UnknownNameError: There is none of this name.
    """
    kind = find(role, name)
    lines = [f"# {kind.title}", "", f"`{role}={name}`" + (f" · {kind.source}" if kind.source else ""), "",
             inspect.getdoc(kind) or "", ""]
    if role == "algorithm":
        lines += [f"- For {_words(kind.task_kinds)}.",
                  f"- {_adapting(kind)}",
                  f"- It {_ways(kind)}.", ""]
    declared = parameters(kind.Config)
    if declared:
        lines += ["| field | default | what it does | source |", "|---|---|---|---|",
                  *(_row(one, {other.name: other for other in declared}) for one in declared), ""]
    return "\n".join(lines)


def update_rule(kind: type[Pluggable]) -> str:
    """The update rule in an algorithm's docstring, on one line; empty where it has none."""
    paragraphs = " ".join((inspect.getdoc(kind) or "").split()).partition("**Update rule.**")[2]
    return paragraphs.partition(" **")[0].strip()


def _adapting(kind: type[Pluggable]) -> str:
    """How an algorithm adapts, in a sentence."""
    if not kind.iterates:
        return "Adapts in one go, without inner steps."
    steps = kind.Config.model_fields.get("inner_steps")
    if steps is not None and steps.default == 0:
        return "Adapts in one go; inner steps may be added."
    return "Adapts in inner steps."


def _ways(kind: type[Pluggable]) -> str:
    """What an algorithm makes of the number of classes, as the rest of a sentence about it."""
    if kind.tested_on == "examples":
        return "tells all classes apart at once, in training and in testing"
    return kind.fixed_ways() or "may be trained and tested with different numbers of classes"


def _words(kinds: frozenset[str]) -> str:
    return " and ".join(sorted(kinds))


def _row(one: Parameter, declared: Mapping[str, Parameter]) -> str:
    needs = " and ".join(f"`{name}` is {any_of(declared[name], values)}" for name, values in one.needs)
    about = (one.help, _range(one), f"Matters only where {needs}." if needs else "")
    cells = (f"{one.label} (`{one.name}`)", _default(one), " ".join(filter(None, about)), one.source)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _default(one: Parameter) -> str:
    if one.default is None:
        return "empty"
    text = ", ".join(map(str, one.default)) if isinstance(one.default, tuple) else str(one.default)
    return f"{text} {one.unit}".strip()


def _range(one: Parameter) -> str:
    """What may be given, in words."""
    if one.choices:
        return "One of " + ", ".join(f"`{value}`" for value, _ in one.choices) + "."
    if one.minimum is None and one.maximum is None:
        return ""
    low = "" if one.minimum is None else f"{'above' if one.minimum_excluded else 'from'} {one.minimum:g} "
    high = "" if one.maximum is None else f"up to {one.maximum:g}"
    text = (low + high).strip()
    return f"{text[:1].upper()}{text[1:]}."
