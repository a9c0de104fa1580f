"""FC100: CIFAR-100 with whole superclasses held out."""

from __future__ import annotations

from typing import Literal

from workbench.tasks.benchmarks.base import BenchmarkConfig
from workbench.tasks.benchmarks.cifar100 import Cifar100Tasks

VALIDATION = frozenset({
    "large_carnivores", "large_omnivores_and_herbivores", "non-insect_invertebrates", "small_mammals"})
TEST = frozenset({"aquatic_mammals", "insects", "medium_mammals", "people"})
TRAIN = frozenset({
    "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices", "household_furniture",
    "large_man-made_outdoor_things", "large_natural_outdoor_scenes", "reptiles", "trees", "vehicles_1", "vehicles_2"})


class Fc100Config(BenchmarkConfig):
    """Where CIFAR-100 lies."""

    name: Literal["fc100"] = "fc100"


class Fc100(Cifar100Tasks):
    """Fewshot-CIFAR100: 100 classes of 600 colour pictures at 32×32, of which whole superclasses are held out: 12 of
    them (60 classes) train, 4 (20) validate and 4 (20) test (Oreshkin, Rodríguez López and Lacoste 2018).

    Harder than CIFAR-FS, since nothing like a test class was trained on. It reads cifar-100-binary.tar.gz, or the
    folder that this unpacks to, and finds what was downloaded for CIFAR-FS.
    """

    Config = Fc100Config
    title = "FC100"
    source = "Oreshkin 2018"
    folders = ("fc100", "cifar_fs")
    certainty = 0.9

    @classmethod
    def side(cls, name: str, above: str) -> str:  # noqa: ARG003 - whatever its own name is
        """That of its superclass."""
        sides = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
        return next((side for side, names in sides.items() if above in names), "")
