"""Arrays of the person's own with a label for each example: vectors, series or pictures in .npz or .npy files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import NewGuess, NewTask, Recognition, Spec
from workbench.tasks.files.array_files import Array, Kind, as_pictures, as_series, labels_of, read_arrays, whole_rows
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import Listing
from workbench.tasks.files.words import named
from workbench.tasks.own.arrays import FORM, guess_new_arrays, read_new_arrays, recognized
from workbench.tasks.own.by_label import sorted_by_label
from workbench.tasks.own.class_splits import OwnClassesConfig
from workbench.tasks.own.classes import Collection, OwnClasses
from workbench.tasks.own.fields import rotations_of_pictures


class ArraysConfig(OwnClassesConfig):
    """Where arrays of vectors lie."""

    name: Literal["arrays"] = "arrays"
    path: Path | None = field(None, label="Data", help="File .npz with x [examples, features], y [examples] and "
                              "perhaps split; or folder with x.npy and y.npy; or with train.npz, val.npz and test.npz.")


class _ArrayClasses(OwnClasses):
    """What arrays of every shape share.

    Attributes:
        kind: Which dataset it is.
        noun: What an example is called, in the plural.
    """

    reading_form = FORM
    kind: ClassVar[Kind]
    noun: ClassVar[str]

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """Arrays whose shape is this dataset's."""
        return recognized(listing, cls.kind)

    @classmethod
    def read_new(cls, folder: Path, spec: Spec) -> NewTask:
        """Arrays in `support.npz`, x and y, and in `query.npz`, x."""
        return read_new_arrays(folder, spec)

    @classmethod
    def guess_new(cls, folder: Path) -> NewGuess | None:
        """Arrays whose shape is this dataset's."""
        return guess_new_arrays(folder, cls.kind)

    @classmethod
    def what_it_reads(cls) -> str:
        """A file of arrays."""
        return "the .npz file that holds x and y, or the folder that holds x.npy and y.npy"

    @classmethod
    @abstractmethod
    def shaped(cls, x: Array, where: Path) -> tuple[Tensor, dict[str, Any]]:
        """The inputs [n, *input_shape] of an array, and how others like it are to be read.

        Args:
            x: Numbers with an example in each row.
            where: Its file.

        Raises:
            DataError: It has another shape.
        """

    @classmethod
    def read(cls, config: Any) -> Collection:
        """Read the arrays and bring the examples into the order of their classes."""
        found = read_arrays(config.path)
        assert found.y is not None  # noqa: S101 - read_arrays raises where there is none
        is_whole, problems = whole_rows(found.x, found.name)
        labels, is_labelled = labels_of(found.y, found.name)
        problems += named([f"{found.name}: row {row} of y holds no label and was left out; write one"
                           for row in np.flatnonzero(~is_labelled)], "{} more rows hold no label and were left out")
        kept = np.flatnonzero(is_whole & is_labelled)
        if not len(kept):
            raise DataError(f"{config.path} holds no example with numbers and a label: {problems[0]}")
        inputs, reading = cls.shaped(found.x[kept], config.path)
        placed = sorted_by_label([labels[row] for row in kept], [found.split[row] for row in kept], cls.noun)
        files = [f"{found.name}, row {kept[row]}" for row in placed.rows]
        facts = " × ".join(str(side) for side in inputs.shape[1:])
        return Collection(placed.classes, inputs[torch.from_numpy(placed.rows)], placed.owners, files, FORM, cls.noun,
                          (f"{facts} each", *placed.notes), (*problems, *placed.problems),
                          {"form": FORM, "dataset": cls.kind, **reading})


class ArrayVectors(_ArrayClasses):
    """Vectors in an array of your own, such as embeddings of anything: x [examples, features], y [examples].

    Labels are whole numbers or texts; `split` names train, validation or test for each example. Nothing in the file is
    ever run.
    """

    Config = ArraysConfig
    title = "Arrays"
    raw = "numbers as they are in x"
    input_kinds = frozenset({"vector"})
    kind, noun = "arrays", "vectors"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A small network."""
        return {"backbone.name": "mlp"}

    @classmethod
    def shaped(cls, x: Array, where: Path) -> tuple[Tensor, dict[str, Any]]:  # noqa: ARG003 - any shape will do
        """[n, features] float32; more axes are laid one after another."""
        with np.errstate(over="ignore"):  # what is too large is named with its row
            return torch.from_numpy(np.ascontiguousarray(x.reshape(len(x), -1), dtype=np.float32)), {}


class ArraySeriesConfig(OwnClassesConfig):
    """Where arrays of series lie."""

    name: Literal["array_series"] = "array_series"
    path: Path | None = field(None, label="Data", help="File .npz with x [examples, channels, steps] or "
                              "[examples, steps], y [examples] and perhaps split; or folder with x.npy and y.npy.")


class ArraySeries(_ArrayClasses):
    """Time series in an array of your own: x [examples, channels, steps] or [examples, steps], y [examples].

    Of two axes the longer one counts the steps. With [examples, steps], write form = "array_series" into dataset.toml
    beside the file, for vectors look the same.
    """

    Config = ArraySeriesConfig
    title = "Arrays, series"
    raw = "numbers as they are in x, [channels, steps]"
    input_kinds = frozenset({"series"})
    kind, noun = "array_series", "series"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The convolutional network along time."""
        return {"backbone.name": "conv1d"}

    @classmethod
    def shaped(cls, x: Array, where: Path) -> tuple[Tensor, dict[str, Any]]:
        """[n, channels, steps] float32."""
        if x.ndim not in (2, 3):
            raise DataError(f"{where}: x has shape {list(x.shape)}, and series are [examples, channels, steps] or "
                            "[examples, steps]")
        series, is_turned = as_series(x)
        return torch.from_numpy(series), {"steps_first": is_turned}


class ArrayPicturesConfig(OwnClassesConfig):
    """Where arrays of pictures lie."""

    name: Literal["array_pictures"] = "array_pictures"
    path: Path | None = field(None, label="Data", help="File .npz with x [examples, height, width], with channels "
                              "first or last where there are any, y [examples] and perhaps split; or folder with x.npy "
                              "and y.npy.")
    rotations: bool = rotations_of_pictures()


class ArrayPictures(_ArrayClasses):
    """Pictures in an array of your own: x [examples, height, width] with or without channels, y [examples].

    Bytes are taken as they are; other numbers are scaled to them from 0 and 1, 255 or 65535 where they lie between,
    and else from the least and the greatest of all.
    """

    Config = ArrayPicturesConfig
    title = "Arrays, pictures"
    kind, noun = "array_pictures", "pictures"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The usual convolutional network."""
        return {"backbone.name": "conv4"}

    def turns(self, experiment: Any) -> bool:
        """As the person chose."""
        return bool(getattr(experiment.dataset, "rotations", False))

    @classmethod
    def shaped(cls, x: Array, where: Path) -> tuple[Tensor, dict[str, Any]]:
        """[n, channels, height, width] uint8."""
        if x.ndim not in (3, 4):
            raise DataError(f"{where}: x has shape {list(x.shape)}, and pictures are [examples, height, width], with "
                            "channels first or last where there are any")
        pixels, scale = as_pictures(x)
        return torch.from_numpy(pixels), scale
