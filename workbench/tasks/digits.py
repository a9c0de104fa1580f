"""Digits: the small handwritten digits that come with scikit-learn."""

from __future__ import annotations

import importlib
from typing import Literal

import numpy as np
import torch

from workbench.experiment.experiment import Experiment
from workbench.tasks.benchmarks.ten_classes import TenClasses
from workbench.tasks.files.errors import DataError
from workbench.tasks.sampling.classes import ClassTasksConfig, Labelled

_ENLARGED, _BORDER, _LEVELS = 3, 2, 16


class DigitsConfig(ClassTasksConfig):
    """What is held out."""

    name: Literal["digits"] = "digits"


class Digits(TenClasses):
    """Handwritten digits from 0 to 9: 1,797 pictures, light ink on black, that come with scikit-learn and need no
    download (Alpaydin and Kaynak 1998).

    They have 8×8 pixels, each of which is drawn as a block of three by three with a border of two about all, so that
    they have the 28×28 pixels of MNIST and Omniglot, and a learner of either can be tested here. 4 of the ten classes
    train, 3 validate and 3 are tested on, always the same, so that tasks have at most three ways. With
    `dataset.held_out=examples` all ten are in every split, each with a fifth of its examples for validation and a fifth
    for testing.
    """

    Config = DigitsConfig
    title = "Digits"
    source = "Alpaydin 1998"

    def read(self, experiment: Experiment) -> Labelled:  # noqa: ARG002
        """Take the digits out of scikit-learn."""
        try:
            # Not before it is wanted: it takes a second to import.
            datasets = importlib.import_module("sklearn.datasets")
        except ImportError as error:
            raise DataError(f"the digits come with scikit-learn, which is not installed ({error}); install it with "
                            "`pip install scikit-learn`") from error
        found = datasets.load_digits()
        order = np.argsort(found.target, kind="stable")
        levels = np.kron(found.images[order], np.ones((1, _ENLARGED, _ENLARGED)))
        pixels = np.pad(np.round(levels * (255 / _LEVELS)).astype(np.uint8),
                        ((0, 0), (_BORDER, _BORDER), (_BORDER, _BORDER)))
        counts = np.bincount(found.target, minlength=10).astype(np.int64)
        names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
        return Labelled(torch.from_numpy(pixels).unsqueeze(1), counts, names, (), form=self.title,
                        facts=f"{len(pixels):,} pictures · 8×8, drawn at 28×28")
