"""CIFAR-FS: CIFAR-100 with its classes shared out at random."""

from __future__ import annotations

from typing import Literal

from workbench.tasks.benchmarks.base import BenchmarkConfig
from workbench.tasks.benchmarks.cifar100 import Cifar100Tasks

VALIDATION = frozenset({
    "beaver", "otter", "flatfish", "shark", "lamp", "television", "beetle", "butterfly", "sea", "camel", "cattle",
    "crab", "crocodile", "maple_tree", "motorcycle", "tractor"})
TEST = frozenset({
    "whale", "poppy", "rose", "sweet_pepper", "telephone", "bed", "table", "wardrobe", "leopard", "plain",
    "chimpanzee", "fox", "snail", "worm", "baby", "man", "woman", "bicycle", "pickup_truck", "rocket"})
TRAIN = frozenset({
    "dolphin", "seal", "aquarium_fish", "ray", "trout", "orchid", "sunflower", "tulip", "bottle", "bowl", "can", "cup",
    "plate", "apple", "mushroom", "orange", "pear", "clock", "keyboard", "chair", "couch", "bee", "caterpillar",
    "cockroach", "bear", "lion", "tiger", "wolf", "bridge", "castle", "house", "road", "skyscraper", "cloud", "forest",
    "mountain", "elephant", "kangaroo", "porcupine", "possum", "raccoon", "skunk", "lobster", "spider", "boy", "girl",
    "dinosaur", "lizard", "snake", "turtle", "hamster", "mouse", "rabbit", "shrew", "squirrel", "oak_tree",
    "palm_tree", "pine_tree", "willow_tree", "bus", "train", "lawn_mower", "streetcar", "tank"})


class CifarFsConfig(BenchmarkConfig):
    """Where CIFAR-100 lies."""

    name: Literal["cifar_fs"] = "cifar_fs"


class CifarFs(Cifar100Tasks):
    """CIFAR-100 for few-shot learning: 100 classes of 600 colour pictures at 32×32, shared out at random into 64 to
    train, 16 to validate and 20 to test (Bertinetto et al. 2019).

    It reads cifar-100-binary.tar.gz, or the folder that this unpacks to; the Python and Matlab versions are not read,
    since the former could run code. FC100 is made from the same file, and each finds the other's download.
    """

    Config = CifarFsConfig
    title = "CIFAR-FS"
    source = "Bertinetto 2019"

    @classmethod
    def side(cls, name: str, above: str) -> str:  # noqa: ARG003 - whatever lies above it
        """As the authors drew them."""
        sides = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
        return next((side for side, names in sides.items() if name in names), "")
