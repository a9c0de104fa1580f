"""Benchmarks of ten classes: how so few are split, and the files that MNIST and its likenesses come in."""

from __future__ import annotations

import gzip
import struct
import zlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Recognition
from workbench.tasks.benchmarks.base import Benchmark, BenchmarkConfig
from workbench.tasks.files.cache import cached
from workbench.tasks.files.download import OfficialFile, is_whole
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import Listing
from workbench.tasks.sampling.classes import ClassTasks, ClassTasksConfig, Labelled
from workbench.tasks.sampling.draws import Draws

_SIZES = {"train": 4, "validation": 3, "test": 3}
_WAYS = 3
_MAGIC = {1: 0x801, 3: 0x803}  # unsigned bytes in one or three dimensions
_STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
# Folders below the one that is named: itself, and those of other libraries.
_BELOW = ("", "raw", "{0}", "{0}/raw")


class TenClasses(ClassTasks):
    """Tasks from ten classes, of which 4 train, 3 validate and 3 are tested on, the same for every seed.

    Light ink on black at 28×28, as it is in Omniglot and in the built-in glyphs, and as little normalized, so that a
    learner of those can be tested here.
    """

    background = "dark"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """As many ways as the held-out classes allow."""
        return {"backbone.name": "conv4", "task.ways": _WAYS}

    def load(self, experiment: Experiment) -> Labelled:
        """Read the pictures and share the classes out."""
        assert isinstance(experiment.dataset, ClassTasksConfig)  # noqa: S101 - narrows for the type checker
        found = self.read(experiment)
        rule = f"split by class 4 / 3 / 3, so tasks have up to {_WAYS} ways; hold out examples for more"
        if experiment.dataset.held_out == "examples":
            rule = "every class in every split, with examples of its own"
        return replace(found, split=split_of_ten(self.name()), facts=f"{found.facts} · {rule}")

    @abstractmethod
    def read(self, experiment: Experiment) -> Labelled:
        """The pictures of all classes, whatever their split."""

    def check(self) -> None:
        """Raise DataError where tasks have more ways than a split has classes."""
        own, training = self.shapes["test"].ways, self.shapes["train"].ways
        wrong = {"task.ways": (own, _WAYS), "training.ways": (training, _SIZES["train"])}
        for name, (ways, most) in wrong.items():
            if not self.holds_out_examples and ways > most:
                raise DataError(
                    f"{self.title} has ten classes: 4 train, 3 validate and 3 are tested on, which will not do for "
                    f"{ways}-way tasks. Set {name} to {most}, or dataset.held_out to examples, which splits by "
                    "example, for comparing with supervised learning or testing a learner of other data")
        super().check()


def split_of_ten(name: str) -> tuple[str, ...]:
    """The split of each of a dataset's ten classes, from its name alone."""
    order = np.argsort(Draws(0, f"{name}/classes", [0]).uniform(10)[0])
    sides = np.repeat(list(_SIZES), list(_SIZES.values()))
    return tuple(str(sides[place]) for place in np.argsort(order))


class IdxTasks(TenClasses, Benchmark):
    """Ten classes from the four files of MNIST's format, packed or unpacked.

    Attributes:
        class_names: What the labels from 0 to 9 stand for.
        hints: Parts of a path that tell this dataset's files from those of the others, which have the same names.
    """

    downloadable = True
    class_names: ClassVar[tuple[str, ...]]
    hints: ClassVar[tuple[str, ...]]

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """The four files; which of the datasets they are is told by a checksum, else by the path."""
        files = {} if listing.is_file else find_idx([listing.root], cls.hints)
        if len(files) < len(_STEMS):
            return None
        labels, why = files[_STEMS[1]], f"{files[_STEMS[0]].name} and the files that belong to it lie in it"
        if is_whole(labels, cls.official[1].checksum):
            return Recognition(cls.title, f"{why}, with the checksum of {cls.title}", 0.97)
        # Unpacked, only the names of the folders tell which they are; all but MNIST have its name in theirs.
        folders = "/".join(labels.parent.parts[-3:]).lower()
        is_named = any(hint.lower() in folders for hint in cls.hints)
        return Recognition(cls.title, why, 0.7 if cls.name() == "mnist" else 0.9 if is_named else 0.5)

    def read(self, experiment: Experiment) -> Labelled:
        """Read the four files, from the cache where they were read before."""
        assert isinstance(experiment.dataset, BenchmarkConfig)  # noqa: S101 - narrows for the type checker
        roots = self.roots(experiment.dataset.path)
        files = find_idx(roots, self.hints)
        missing = [file.name for file, stem in zip(self.official, _STEMS, strict=True) if stem not in files]
        if missing:
            raise DataError(f"{self.title} is not complete in {roots[0]}: {', '.join(missing)} "
                            f"{'is' if len(missing) == 1 else 'are'} missing; {self.remedy()}")
        with _named(files[_STEMS[0]]):
            stamps = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files.values()]
        pixels, counts, notices = cached("idx", stamps, lambda: _decoded(files))
        total = sum(counts)
        problems = () if total == 70_000 else (
            f"{roots[0]} holds {total:,} pictures and the official files 70,000; results will not compare with "
            "published ones",)
        return Labelled(pixels, np.array(counts, dtype=np.int64), self.class_names, (), form=self.title,
                        facts=" · ".join((f"{total:,} pictures", f"{pixels.shape[2]}×{pixels.shape[3]}", *notices)),
                        problems=problems)

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """None, as for Omniglot."""
        return (0.0,), (1.0,)


def find_idx(roots: list[Path], hints: tuple[str, ...]) -> dict[str, Path]:
    """The files of the format that lie in one of these folders or below it, by their names without .gz.

    Raises:
        DataError: A folder cannot be opened.
    """
    folders = [root / below.format(hint) for root in roots for hint in hints for below in _BELOW]
    found: dict[str, Path] = {}
    for folder in folders:
        for stem in _STEMS:
            # The files are also handed on with a dot before "idx".
            names = [stem, f"{stem}.gz", stem.replace("-idx", ".idx"), f"{stem.replace('-idx', '.idx')}.gz"]
            try:
                place = next((folder / name for name in names if (folder / name).is_file()), None)
            except OSError as error:
                raise DataError(f"{folder} cannot be opened ({error.strerror}); give yourself the right to read it"
                                ) from error
            if place is not None:
                found.setdefault(stem, place)
    return {stem: found[stem] for stem in _STEMS if stem in found}


def _decoded(files: Mapping[str, Path]) -> tuple[Tensor, list[int]]:
    """Pixels [pictures, 1, height, width] sorted by class, and the pictures of each class."""
    pictures, labels = [], []
    for images_stem, labels_stem in (_STEMS[:2], _STEMS[2:]):
        images, own = read_idx(files[images_stem], 3), read_idx(files[labels_stem], 1)
        if len(images) != len(own):
            raise DataError(f"{files[images_stem]} has {len(images):,} pictures and {files[labels_stem].name} "
                            f"{len(own):,} labels; {_anew(files[labels_stem])}")
        if len(own) and own.max() > 9:
            raise DataError(f"{files[labels_stem]} has a label {own.max()}, and the labels go from 0 to 9; "
                            f"{_anew(files[labels_stem])}")
        pictures.append(images)
        labels.append(own)
    if pictures[0].shape[1:] != pictures[1].shape[1:]:
        shapes = " and ".join(f"{one.shape[1]}×{one.shape[2]}" for one in pictures)
        raise DataError(f"the pictures in {files[_STEMS[0]].parent} are {shapes}; {_anew(files[_STEMS[2]])}")
    owners = np.concatenate(labels)
    counts = np.bincount(owners, minlength=10)
    if not counts.all():
        raise DataError(f"{files[_STEMS[1]].parent} has no picture labelled {int(counts.argmin())}; "
                        f"{_anew(files[_STEMS[1]])}")
    order = np.argsort(owners, kind="stable")
    return torch.from_numpy(np.concatenate(pictures)[order]).unsqueeze(1), counts.tolist()


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """An array of so many dimensions from a file of MNIST's format, packed or not.

    Raises:
        DataError: It is damaged, cut short or of another format.
    """
    with _named(path):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    head = 4 + 4 * dimensions
    if len(content) < head or struct.unpack(">I", content[:4])[0] != _MAGIC[dimensions]:
        raise DataError(f"{path} does not begin as a file of {'pictures' if dimensions == 3 else 'labels'} in MNIST's "
                        f"format does; {_anew(path)}")
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    if len(content) - head != np.prod(shape, dtype=np.int64):
        raise DataError(f"{path} says that it holds {'×'.join(map(str, shape))} bytes and holds "
                        f"{len(content) - head:,}: it is cut short; {_anew(path)}")
    return np.frombuffer(content, dtype=np.uint8, offset=head).reshape(shape)


def _anew(path: Path) -> str:
    return f"delete {path.name} and download it again"


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of what goes wrong inside which file it is and what to do."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}); {_anew(path)}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); give yourself the right to read it, or "
                        "put another copy there") from error


def official_files(*checksums_and_sizes: tuple[str, int]) -> tuple[OfficialFile, ...]:
    """The four files, with the MD5 and bytes of each: training pictures and labels, test pictures and labels."""
    return tuple(OfficialFile(f"{stem}.gz", *own) for stem, own in zip(_STEMS, checksums_and_sizes, strict=True))
