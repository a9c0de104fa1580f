"""MNIST: handwritten digits."""

from __future__ import annotations

from typing import Literal

from workbench.tasks.benchmarks.base import BenchmarkConfig
from workbench.tasks.benchmarks.ten_classes import IdxTasks, official_files


class MnistConfig(BenchmarkConfig):
    """Where the four files lie."""

    name: Literal["mnist"] = "mnist"


class Mnist(IdxTasks):
    """Handwritten digits from 0 to 9: 70,000 pictures at 28×28, light ink on black (LeCun et al. 1998).

    Ten classes are few for few-shot learning: 4 train, 3 validate and 3 are tested on, always the same, so that tasks
    have at most three ways. With `dataset.held_out=examples` all ten are in every split, each with a fifth of its
    examples for validation and a fifth for testing: for comparing with supervised learning, or for testing a learner
    of Omniglot or glyphs on other data, with `workbench evaluate RUN --set dataset=mnist --set
    dataset.held_out=examples`.
    """

    Config = MnistConfig
    title = "MNIST"
    source = "LeCun 1998"
    addresses = ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist")
    official = official_files(
        ("f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422), ("d53e105ee54ea40749a09fcbcd1e9432", 28_881),
        ("9fb629c4189551a2d022fa330f9573f3", 1_648_877), ("ec29112dd5afa0611ce80d1b7f02629c", 4_542))
    class_names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    hints = ("MNIST", "mnist")
