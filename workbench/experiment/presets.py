"""Named experiments: the papers' settings and the first look."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from workbench.experiment.registry import UnknownNameError
from workbench.experiment.resolve import dotted
from workbench.places import resources

_SUITED_TO_DATA = ("task.", "training.", "evaluation.")


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

    def is_about(self, dataset: str) -> bool:
        """Whether it trains on the dataset of this name."""
        return bool(self.tables["dataset"]["name"] == dataset)


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


def decided(said: Mapping[str, Any], preset: str, dataset: str, typed: Collection[str] = ()) -> dict[str, Any]:
    """What a person decided for the data at hand: all but the tasks, training and evaluation of a preset on others.

    Args:
        said: Values of the preset and of the person by dotted names.
        preset: Name of the preset; anything else where there was none.
        dataset: Name of the dataset; empty where it is not known yet.
        typed: Dotted names that the person certainly said, whatever the preset says of them.
    """
    begun = presets().get(preset)
    if begun is None or begun.is_about(dataset):
        return dict(said)
    its_own = dotted(begun.tables)
    return {name: value for name, value in said.items() if name in typed or not name.startswith(_SUITED_TO_DATA)
            or name not in its_own or value != its_own[name]}
