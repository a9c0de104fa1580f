"""Named experiments: the papers' settings and the first look."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from workbench.experiment.registry import UnknownNameError
from workbench.places import resources


@dataclass(frozen=True)
class Preset:
    """A named experiment.

    Attributes:
        name: What `--preset` takes.
        title: What the form shows.
        help: One or two sentences: what it shows and how long it takes.
        tables: What it says of the experiment; the rest are defaults.
    """

    name: str
    title: str
    help: str
    tables: dict[str, Any]


@cache
def presets() -> dict[str, Preset]:
    """Every preset by name, the first look first."""
    found = []
    for path in sorted((resources() / "presets").glob("*.toml")):
        tables = tomllib.loads(path.read_text(encoding="utf8"))
        about = tables.pop("preset")
        found.append((about["order"], Preset(path.stem, about["title"], about["help"], tables)))
    return {preset.name: preset for _, preset in sorted(found, key=lambda pair: (pair[0], pair[1].name))}


def find_preset(name: str) -> Preset:
    """The preset of this name.

    Raises:
        UnknownNameError: There is none.
    """
    known = presets()
    if name not in known:
        raise UnknownNameError("preset", name, {one: preset.title for one, preset in known.items()})
    return known[name]
