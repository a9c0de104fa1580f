"""Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn by 20 people."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from workbench import places
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Recognition
from workbench.tasks.files.cache import cached
from workbench.tasks.files.download import Cancelled, OfficialFile, Progress, fetch_all
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import Listing, is_clutter
from workbench.tasks.sampling.classes import ClassTasks, ClassTasksConfig, Labelled
from workbench.tasks.sampling.draws import Draws

HALVES = ("images_background", "images_evaluation")
VALIDATION_ALPHABETS = (
    "Alphabet_of_the_Magi",
    "Blackfoot_(Canadian_Aboriginal_Syllabics)",
    "Inuktitut_(Canadian_Aboriginal_Syllabics)",
    "Ojibwe_(Canadian_Aboriginal_Syllabics)",
    "Tagalog",
)
"""The five smallest background alphabets: 81 characters, which leaves 883 to train on."""

_ADDRESS = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
_ANEW = "delete {0} and download it again with `workbench data download omniglot`"
_CHARACTERS = 1623
_SIDE, _DRAWN_SIDE = 28, 105
_CHUNK = 2000
# Where the halves lie below the folder that a person names: itself, the official repository, torchvision's folder.
_BELOW = ("", "python", "omniglot", "omniglot-py", "omniglot/python", "omniglot-master/python", "raw")


OFFICIAL_FILES = (
    OfficialFile("images_background.zip", "68d2efa1b9178cc56df9314c21c6e718", 9_464_212),
    OfficialFile("images_evaluation.zip", "6b91aef0f799c5bb55b94e3f2daec811", 6_462_886),
)


class OmniglotConfig(ClassTasksConfig):
    """Where the drawings lie and how the characters are shared out."""

    name: Literal["omniglot"] = "omniglot"
    path: Path | None = field(None, label="Folder", help="Folder of images_background and images_evaluation, as zips "
                              "or extracted; empty for WORKBENCH_OMNIGLOT, then the place that downloads go to.")
    split: Literal["lake", "finn"] = field(
        "lake", label="Split", help="Lake trains on the background alphabets, five of which validate, and tests on "
        "alphabets never seen. Finn shuffles the characters of all alphabets: 1,100 train, 100 validate, 423 test.",
        source="Lake et al. 2015; Finn et al. 2017", choices={"lake": "By alphabet (Lake)", "finn": "Shuffled (Finn)"})
    rotations: bool = field(True, label="Rotations", help="Count every character turned by 90°, 180° and 270° as a "
                            "class of its own, on the same side of the split.", source="Santoro et al. 2016")


class Omniglot(ClassTasks):
    """Handwritten characters of 50 alphabets, 20 drawings each, light ink on black at 28×28.

    The split "lake" is the official one (Lake et al. 2015), with `VALIDATION_ALPHABETS` taken out of the background;
    "finn" shuffles all characters (Finn et al. 2017). The shuffle is the same for every seed of an experiment, so
    that runs are compared on the same test characters.
    """

    Config = OmniglotConfig
    title = "Omniglot"
    source = "Lake 2015"
    background = "dark"
    downloadable = True

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The convolutional network that everyone uses on it."""
        return {"backbone.name": "conv4"}

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """The two halves of the official files, packed or unpacked; one half alone is named, and what is missing."""
        halves = find_halves(listing.root)
        if not halves or listing.is_file:
            return None
        why = " and ".join(sorted(place.name for place in halves.values())) + " lie in it"
        return Recognition("omniglot", why, 0.9 if len(halves) == 2 else 0.3)

    def load(self, experiment: Experiment) -> Labelled:
        """Read both halves, from the cache where they were read before."""
        assert isinstance(experiment.dataset, OmniglotConfig)  # noqa: S101 - narrows for the type checker
        return read_omniglot(experiment.dataset.path, experiment.dataset.split)

    def turns(self, experiment: Experiment) -> bool:
        """As the person chose."""
        assert isinstance(experiment.dataset, OmniglotConfig)  # noqa: S101 - narrows for the type checker
        return experiment.dataset.rotations

    @classmethod
    def download(cls, to: Path, progress: Progress, cancelled: Cancelled, address: str = _ADDRESS,
                 files: Iterable[OfficialFile] = OFFICIAL_FILES) -> Path:
        """Fetch the two official zips (16 MB); one that is already there and whole is kept.

        Raises:
            DataError: No network or a broken transfer; the message says what to put where by hand.
        """
        fetch_all([address], files, to, progress, cancelled)
        return to


def usual_place() -> Path:
    """Where Omniglot is looked for when the person names no folder."""
    named = os.environ.get("WORKBENCH_OMNIGLOT")
    return Path(named) if named else places.datasets() / "omniglot"


def find_halves(folder: Path) -> dict[str, Path]:
    """The zip or the extracted folder of each half that lies in this folder or where downloads usually put it.

    Raises:
        DataError: The folder cannot be opened.
    """
    starts = [folder.parent] if folder.name.removesuffix(".zip") in HALVES else [folder]
    found: dict[str, Path] = {}
    for half in HALVES:
        candidates = [start / below / name for start in starts for below in _BELOW for name in (f"{half}.zip", half)]
        try:
            place = next((path for path in candidates if path.exists()), None)
        except OSError as error:
            raise DataError(f"{folder} cannot be opened ({error.strerror}); give yourself the right to read it"
                            ) from error
        if place is not None:
            found[half] = place
    return found


def read_omniglot(path: Path | None, split: Literal["lake", "finn"]) -> Labelled:
    """Read Omniglot from a folder, or from the usual place where none is named.

    Raises:
        DataError: A half is missing or damaged; the message says what to put where and how to download it.
    """
    folder = path.expanduser() if path else usual_place()
    halves = find_halves(folder)
    missing = [half for half in HALVES if half not in halves]
    if missing:
        raise DataError(
            f"Omniglot is not complete in {folder}: {' and '.join(f'{half}.zip' for half in missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Download both with `workbench data download omniglot` "
            "or Download… beside the dataset in the window, or put images_background.zip and images_evaluation.zip "
            "from the folder python of github.com/brendenlake/omniglot there, or name their folder in dataset.path")
    sources = [_source(half, halves[half]) for half in HALVES]
    pixels, about, notices = cached("omniglot", [source.key for source in sources], lambda: _decode(sources))
    characters = [tuple(character) for character in about["characters"]]
    counts = np.array(about["counts"], dtype=np.int64)
    names = tuple(f"{alphabet}/{character}".replace("_", " ") for _, alphabet, character in characters)
    drawings = f"{counts[0]} drawings each" if (counts == counts[0]).all() else f"{counts.sum():,} drawings"
    incomplete = (f"{folder} holds {len(counts):,} characters and the official files {_CHARACTERS:,}; results will "
                  "not compare with published ones until both official zips are there")
    problems = () if len(counts) == _CHARACTERS else (incomplete,)
    sides = _lake(characters) if split == "lake" else _finn(len(characters))
    return Labelled(pixels, counts, names, sides, tuple(about["files"]), "omniglot",
                    f"{len(counts):,} characters · {drawings} · {_SIDE}×{_SIDE}" +
                    "".join(f" · {notice}" for notice in notices), problems)


def _lake(characters: list[tuple[str, ...]]) -> tuple[str, ...]:
    def side(half: str, alphabet: str) -> str:
        if half == "images_evaluation":
            return "test"
        return "validation" if alphabet in VALIDATION_ALPHABETS else "train"

    return tuple(side(half, alphabet) for half, alphabet, _ in characters)


def _finn(count: int) -> tuple[str, ...]:
    order = np.argsort(Draws(0, "omniglot/finn", [0]).uniform(count)[0])
    train, validation = count * 1100 // _CHARACTERS, count * 1200 // _CHARACTERS
    sides = np.full(count, "test", dtype=object)
    sides[order[:validation]] = "validation"
    sides[order[:train]] = "train"
    return tuple(sides)


@dataclass(frozen=True)
class _Source:
    """One half, as a zip or as an extracted folder, and the plain values that identify its content."""

    half: str
    place: Path
    key: list[Any]

    def members(self) -> list[str]:
        """The drawings by alphabet, character and name."""
        if self.place.is_dir():
            return _drawings([member for member, *_ in self.key[1]], self.place)
        with zipfile.ZipFile(self.place) as archive:
            return _drawings(archive.namelist(), self.place)

    def read(self, members: Iterable[str]) -> Iterator[bytes]:
        """The files of these drawings."""
        if self.place.is_dir():
            yield from ((self.place / member).read_bytes() for member in members)
            return
        with zipfile.ZipFile(self.place) as archive:
            yield from (archive.read(member) for member in members)


def _source(half: str, place: Path) -> _Source:
    with _named(half, place):
        stat = place.stat()
        stamps: Any = _stamps(place) if place.is_dir() else [stat.st_size, stat.st_mtime_ns]
        return _Source(half, place, [str(place.resolve()), stamps])


def _stamps(folder: Path) -> list[tuple[str, int, int]]:
    """Name, bytes and time of every file below the folder."""
    stamps = []
    for below, _, files in os.walk(folder):
        for name in files:
            path = Path(below, name)
            stat = path.stat()
            stamps.append((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns))
    return sorted(stamps)


@contextmanager
def _named(half: str, place: Path) -> Iterator[None]:
    """Say of what goes wrong inside which file it is and what to do."""
    try:
        yield
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DataError(f"{place} is damaged ({error}); {_ANEW.format(place.name)}") from error
    except OSError as error:
        raise DataError(f"{place} cannot be read ({error.strerror or error}); give yourself the right to read it, or "
                        f"put another copy of {half}.zip there") from error


def _drawings(names: Iterable[str], place: Path) -> list[str]:
    """The names that end in Alphabet/character01/0001_01.png, sorted by alphabet, character and drawing."""
    split = {name: tuple(name.split("/")) for name in names if name.lower().endswith(".png")}
    members = [name for name, parts in split.items() if len(parts) >= 3 and not any(is_clutter(p) for p in parts)]
    if not members:
        raise DataError(f"{place} holds no drawings such as Greek/character01/0394_01.png; put the official "
                        f"{place.stem}.zip in its place")
    return sorted(members, key=lambda name: split[name][-3:])


def _decode(sources: list[_Source]) -> tuple[Tensor, dict[str, Any]]:
    """Pixels [drawings, 1, 28, 28] of both halves, ink 255 on 0, and the characters, counts and names of the files."""
    characters: list[tuple[str, str, str]] = []
    counts: list[int] = []
    files: list[str] = []
    scaled: list[Tensor] = []
    for source in sources:
        with _named(source.half, source.place):
            members = source.members()
            scaled += _scaled(source, members)
        parts = [tuple(member.split("/"))[-3:] for member in members]
        for (alphabet, character), group in groupby(parts, key=lambda part: part[:2]):
            characters.append((source.half, alphabet, character))
            counts.append(len(list(group)))
        files += ["/".join((source.half, *part)) for part in parts]
    return torch.cat(scaled).unsqueeze(1), {"characters": characters, "counts": counts, "files": files}


def _scaled(source: _Source, members: list[str]) -> Iterator[Tensor]:
    """Drawings [n, 28, 28] uint8 in chunks."""
    # Lanczos scaling is linear, so scaling the unit vectors gives its matrix, and one product scales a whole chunk
    # twenty times as fast as Pillow scales its drawings one by one.
    unit = Image.fromarray(np.eye(_DRAWN_SIDE, dtype=np.float32))
    weights = torch.from_numpy(np.array(unit.resize((_SIDE, _DRAWN_SIDE), Image.Resampling.LANCZOS)))
    contents = source.read(members)
    for start in range(0, len(members), _CHUNK):
        chunk = members[start : start + _CHUNK]
        ink = torch.from_numpy(np.stack([_ink(source.place, member, next(contents)) for member in chunk])).float()
        # Both passes end within the range, as in Pillow, so that what rings over in one is not carried to the next.
        narrow = (ink @ (255 * weights)).clamp_(0, 255)
        yield (weights.T @ narrow).clamp_(0, 255).round_().byte()


def _ink(place: Path, member: str, content: bytes) -> NDArray[np.bool_]:
    """[105, 105] where a drawing has ink, which the files keep as black."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            ink = ~np.asarray(image if image.mode == "1" else image.convert("1"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{member} in {place} is damaged ({error}); {_ANEW.format(place.name)}") from error
    if ink.shape != (_DRAWN_SIDE, _DRAWN_SIDE):
        raise DataError(f"{member} in {place} is {ink.shape[1]}×{ink.shape[0]} and a drawing of Omniglot is "
                        f"{_DRAWN_SIDE}×{_DRAWN_SIDE}; {_ANEW.format(place.name)}")
    return ink
