"""Kuzushiji-MNIST: characters of old Japanese books."""

from __future__ import annotations

from typing import Literal

from workbench.tasks.benchmarks.base import BenchmarkConfig
from workbench.tasks.benchmarks.ten_classes import IdxTasks, official_files


class KmnistConfig(BenchmarkConfig):
    """Where the four files lie."""

    name: Literal["kmnist"] = "kmnist"


class Kmnist(IdxTasks):
    """Ten hiragana in the cursive hand of old Japanese books: 70,000 pictures at 28×28, light ink on black (Clanuwat et
    al. 2018).

    Ten classes are few for few-shot learning: 4 train, 3 validate and 3 are tested on, always the same, so that tasks
    have at most three ways. With `dataset.held_out=examples` all ten are in every split, each with a fifth of its
    examples for validation and a fifth for testing: for comparing with supervised learning, or for testing a learner
    of Omniglot or glyphs on other data.
    """

    Config = KmnistConfig
    title = "Kuzushiji-MNIST"
    source = "Clanuwat 2018"
    addresses = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist",)
    official = official_files(
        ("bdb82020997e1d708af4cf47b453dcf7", 18_165_135), ("e144d726b3acfaa3e44228e80efcd344", 29_497),
        ("5c965bf0a639b31b8f53240b1b52f4d7", 3_041_136), ("7320c461ea6c1c855c0b718fb2a4b134", 5_120))
    class_names = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    hints = ("KMNIST", "kmnist", "kuzushiji")
