"""CIFAR-100's binary files, which two few-shot benchmarks are made from."""

from __future__ import annotations

import tarfile
import zlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.tasks.base import Recognition
from workbench.tasks.benchmarks.base import Benchmark, BenchmarkConfig
from workbench.tasks.files.cache import cached
from workbench.tasks.files.download import OfficialFile
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import Listing
from workbench.tasks.sampling.classes import Labelled

ARCHIVE, FOLDER = "cifar-100-binary.tar.gz", "cifar-100-binary"
_PICTURES, _SIDE = 60_000, 32
_RECORD = 2 + 3 * _SIDE * _SIDE  # coarse label, fine label, and the red, green and blue pixels
_FINE_NAMES, _COARSE_NAMES = "fine_label_names.txt", "coarse_label_names.txt"
_BINARIES = ("train.bin", "test.bin")
_MEMBERS = (*_BINARIES, _FINE_NAMES, _COARSE_NAMES)
_ANEW = f"delete it and download {ARCHIVE} again"


@dataclass(frozen=True)
class Cifar100:
    """All pictures of CIFAR-100.

    Attributes:
        pixels: [pictures, 3, 32, 32] uint8, sorted by class.
        counts: [classes] pictures of each class.
        names: Name of each class, as in the files.
        above: Name of the superclass of each class.
        notices: Why the pixels could not be kept in the cache; empty where they are.
    """

    pixels: Tensor
    counts: NDArray[np.int64]
    names: tuple[str, ...]
    above: tuple[str, ...]
    notices: tuple[str, ...] = ()


class Cifar100Tasks(Benchmark):
    """Tasks from CIFAR-100, whose own division into training and test pictures plays no part: a class has all 600.

    A subclass says which split each class belongs to.
    """

    downloadable = True
    addresses = ("https://www.cs.toronto.edu/~kriz",)
    official = (OfficialFile(ARCHIVE, "03b5dce01913d631647c71ecec9e9cb8", 168_513_733),)
    folders = ("cifar_fs", "fc100")
    certainty: ClassVar[float] = 0.95

    @classmethod
    @abstractmethod
    def side(cls, name: str, above: str) -> str:
        """The split of a class; empty where there is no such class in CIFAR-100.

        Args:
            name: Name of the class.
            above: Name of its superclass.
        """

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """The archive, or the folder that it unpacks to."""
        if listing.is_file and listing.files[0].name != ARCHIVE:
            return None
        place = find_cifar100([listing.path(listing.files[0]) if listing.is_file else listing.root])
        return None if place is None else Recognition(cls.title, f"{place.name} holds CIFAR-100's binary files",
                                                      cls.certainty)

    def load(self, experiment: Experiment) -> Labelled:
        """Read the archive, from the cache where it was read before."""
        assert isinstance(experiment.dataset, BenchmarkConfig)  # noqa: S101 - narrows for the type checker
        roots = self.roots(experiment.dataset.path)
        place = find_cifar100(roots)
        if place is None:
            raise DataError(f"{self.title} is not in {roots[0]}: {ARCHIVE} is missing; {self.remedy()}")
        found = read_cifar100(place)
        split = tuple(self.side(name, above) for name, above in zip(found.names, found.above, strict=True))
        if "" in split:
            raise DataError(f"{place} has a class {found.names[split.index('')]}, which CIFAR-100 has not; {_ANEW}")
        whole = int(found.counts.sum())
        problems = () if (found.counts == _PICTURES // 100).all() and len(split) == 100 else (
            f"{place} holds {whole:,} pictures of {len(split)} classes and the official files {_PICTURES:,} of 100; "
            "results will not compare with published ones",)
        facts = (f"{len(split)} classes", f"{whole:,} pictures", f"{_SIDE}×{_SIDE} colour", *found.notices)
        return Labelled(found.pixels, found.counts, tuple(name.replace("_", " ") for name in found.names), split,
                        form=self.title, facts=" · ".join(facts), problems=problems)


def find_cifar100(roots: list[Path]) -> Path | None:
    """The archive, or the folder of train.bin, that is one of these or lies in one of them; None where there is none.

    Raises:
        DataError: A folder cannot be opened.
    """
    for root in roots:
        try:
            if root.is_file():
                return root if root.name.endswith((".tar.gz", ".tgz", ".tar")) else None
            for place in (root, root / FOLDER):
                if all((place / member).is_file() for member in _MEMBERS):
                    return place
            if (root / ARCHIVE).is_file():
                return root / ARCHIVE
        except OSError as error:
            raise DataError(f"{root} cannot be opened ({error.strerror}); give yourself the right to read it"
                            ) from error
    return None


def read_cifar100(place: Path) -> Cifar100:
    """Read the archive or the folder that it unpacks to, from the cache where nothing has changed.

    Raises:
        DataError: A file is missing, damaged, or not what its name says; with the remedy.
    """
    with _named(place):
        sources = [place / member for member in _MEMBERS] if place.is_dir() else [place]
        stamps = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in sources]
    pixels, about, notices = cached("cifar100", stamps, lambda: _decoded(place))
    return Cifar100(pixels, np.array(about["counts"], dtype=np.int64), tuple(about["names"]), tuple(about["above"]),
                    notices)


def _decoded(place: Path) -> tuple[Tensor, dict[str, Any]]:
    """Pixels sorted by class, and counts, names and superclasses."""
    with _named(place):
        contents = {name: (place / name).read_bytes() for name in _MEMBERS} if place.is_dir() else _unpacked(place)
    fine, coarse = (contents[name].decode("utf8", "replace").split() for name in (_FINE_NAMES, _COARSE_NAMES))
    parts = [_records(place, name, contents[name]) for name in _BINARIES]
    records = np.concatenate(parts)
    above, owners = records[:, 0].astype(np.int64), records[:, 1].astype(np.int64)
    if owners.max() >= len(fine) or above.max() >= len(coarse):
        raise DataError(f"{place} has a picture of class {owners.max()} and superclass {above.max()} and names "
                        f"{len(fine)} and {len(coarse)}; {_ANEW}")
    order = np.argsort(owners, kind="stable")
    counts = np.bincount(owners, minlength=len(fine))
    some, first = np.unique(owners, return_index=True)
    pixels = torch.from_numpy(records[order, 2:].reshape(-1, 3, _SIDE, _SIDE))
    return pixels, {"counts": counts[some].tolist(), "names": [fine[one] for one in some],
                    "above": [coarse[above[one]] for one in first]}


def _unpacked(archive: Path) -> Mapping[str, bytes]:
    """The contents of the files in an archive by their names."""
    contents: dict[str, bytes] = {}
    with tarfile.open(archive) as packed:
        for member in packed:
            name = member.name.rpartition("/")[2]
            if name in _MEMBERS and member.isfile() and (stream := packed.extractfile(member)) is not None:
                contents[name] = stream.read()
    missing = [name for name in _MEMBERS if name not in contents]
    if missing:
        raise DataError(f"{archive} holds no {' and no '.join(missing)}; it takes the binary version of CIFAR-100, not "
                        f"the Python or the Matlab one: {_ANEW}")
    return contents


def _records(place: Path, name: str, content: bytes) -> NDArray[np.uint8]:
    """[pictures, 3074] bytes."""
    if not content or len(content) % _RECORD:
        raise DataError(f"{name} in {place} has {len(content):,} bytes, which are no whole pictures of {_RECORD:,} "
                        f"bytes: it is cut short or another file; {_ANEW}")
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)


@contextmanager
def _named(place: Path) -> Iterator[None]:
    """Say of what goes wrong inside which file it is and what to do."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{place} is damaged ({error}); {_ANEW}") from error
    except OSError as error:
        raise DataError(f"{place} cannot be read ({error.strerror or error}); give yourself the right to read it, or "
                        "put another copy there") from error
