"""Lists what lies below a folder, in a zip or as a single file, before anybody says what it is."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import zipfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar, overload

from workbench import places
from workbench.experiment.fields import Choice
from workbench.tasks.files.cache import forget_old, not_kept
from workbench.tasks.files.dataset_toml import NAME as DATASET_TOML
from workbench.tasks.files.dataset_toml import beside, overridden
from workbench.tasks.files.each import NO_RIGHT, may_be_read
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.watching import tell
from workbench.tasks.files.words import shown

C = TypeVar("C", bound=Choice)
# An archive that unpacks to more than this and to more than a hundred times its own size is made to fill disks.
_LARGEST, _MOST_TIMES = 4_000_000_000, 100
_UNPACKED = 8  # archives that stay unpacked
_CLUTTER = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir"})
_BY_NAME = attrgetter("name")
_aside: dict[Path, tuple[tempfile.TemporaryDirectory[str], str]] = {}
"""By its place in the cache, the folder of this program that a zip was unpacked into instead, and why."""


class FileEntry(NamedTuple):
    """A file: its path below the folder, and what tells whether it has changed."""

    name: str
    size: int
    changed: int
    mode: int

    @property
    def suffix(self) -> str:
        """Its suffix in lower case, with the dot."""
        # As of a path, which takes five times as long to make.
        base = self.name[self.name.rfind("/") + 1 :]
        dot = base.rfind(".")
        return base[dot:].lower() if 0 < dot < len(base) - 1 else ""

    @property
    def folder(self) -> str:
        """The folder that it lies in, below the root; empty for the root itself."""
        return self.name.rpartition("/")[0]


class Files(Sequence[Path]):
    """Paths of files below a folder, made only where they are asked for: thousands of them take a while.

    Args:
        root: The folder.
        entries: The files.
    """

    def __init__(self, root: Path, entries: Sequence[FileEntry]) -> None:
        self.root, self.entries = root, entries

    def __len__(self) -> int:
        """How many."""
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Files: ...
    def __getitem__(self, index: int | slice) -> Path | Files:
        """One path, or some of them."""
        if isinstance(index, slice):
            return Files(self.root, self.entries[index])
        return self.root / self.entries[index].name

    @property
    def stamp(self) -> str:
        """Letters that tell these files from others, and from what they were before a change."""
        names = "\0".join([str(self.root.resolve()), *(entry.name for entry in self.entries)])
        digest = hashlib.sha256(names.encode(errors="surrogatepass"))
        for column in ([entry.size for entry in self.entries], [entry.changed for entry in self.entries],
                       [entry.mode for entry in self.entries]):
            digest.update(array("q", column).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Listing:
    """Every file below a folder, or the one file that was named.

    Attributes:
        root: The folder, that of the file, or where a zip was unpacked.
        files: The files in order of their names; what systems leave behind is passed over.
        problems: What cannot be opened, is a link in a circle or no file at all.
        said: What `dataset.toml` beside the data says.
        is_file: Whether a single file was named.
    """

    root: Path
    files: tuple[FileEntry, ...]
    problems: tuple[str, ...]
    said: Mapping[str, Any]
    is_file: bool = False

    @cached_property
    def suffixes(self) -> dict[str, list[FileEntry]]:
        """The files by suffix."""
        found: dict[str, list[FileEntry]] = {}
        for file in self.files:
            found.setdefault(file.suffix, []).append(file)
        return found

    def having(self, suffixes: frozenset[str]) -> list[FileEntry]:
        """The files that have one of these suffixes, in order of their names."""
        found = [files for suffix, files in self.suffixes.items() if suffix in suffixes]
        # Who has many files mostly has them of one kind.
        if len(found) <= 1:
            return list(found[0]) if found else []
        return [file for file in self.files if file.suffix in suffixes]

    def path(self, file: FileEntry) -> Path:
        """Where a file lies."""
        return self.root / file.name


def list_files(path: Path) -> Listing:
    """List a folder, the contents of a zip, or a single file.

    Raises:
        DataError: It is not there, cannot be opened, or is a zip that will not do.
    """
    path = path.expanduser()
    check_is_there(path)
    notices: tuple[str, ...] = ()
    if path.suffix.lower() == ".zip" and path.is_file():
        archive, path = path, unpacked(path)
        notices = unpacked_for_now(archive)
    if path.is_file():
        stat = path.stat()
        entry = FileEntry(path.name, stat.st_size, stat.st_mtime_ns, stat.st_mode)
        return Listing(path.parent, (entry,), (), beside(path), is_file=True)
    if not path.is_dir():
        raise DataError(f"{path} is neither a file nor a folder but a pipe or a device; name the file or the folder "
                        "that holds the data")
    files, problems = walk(path)
    data = tuple(file for file in files if file.name != DATASET_TOML)
    return Listing(path, data, (*notices, *problems), beside(path) if len(data) < len(files) else {})


def with_notes(config: C) -> C:
    """The config of a dataset of a person's own with what `dataset.toml` beside or inside its data says.

    Raises:
        DataError: The file will not do; see `overridden`.
    """
    path: Path | None = getattr(config, "path", None)
    if path is None:
        return config
    place = path.expanduser()
    if place.suffix.lower() == ".zip" and place.is_file():
        place = unpacked(place)
    return overridden(config, beside(place), (place if place.is_dir() else place.parent) / DATASET_TOML)


def check_is_there(path: Path) -> None:
    """Raise DataError where nothing is at the path."""
    try:
        is_there = path.exists()
    except OSError as error:
        raise DataError(f"{path} cannot be reached ({error.strerror}); give yourself the right to read it") from error
    if not is_there:
        raise DataError(f"there is no file or folder {path}; check the spelling")


def check_is_folder(path: Path) -> None:
    """Raise DataError where the path is not there or is no folder."""
    try:
        is_there, is_folder = path.exists(), path.is_dir()
    except OSError as error:
        raise DataError(f"{path} cannot be reached ({error.strerror}); give yourself the right to read it") from error
    if not is_there:
        raise DataError(f"there is no folder {path}; check the spelling")
    if not is_folder:
        raise DataError(f"{path} is a file; name the folder that it lies in" +
                        (", and unpack the zip first" if path.suffix.lower() == ".zip" else ""))


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name was left there by a system rather than by a person."""
    return name.startswith(".") or name.lower() in _CLUTTER


_Walk = tuple[tuple[FileEntry, ...], tuple[str, ...]]
_walked: ContextVar[dict[Path, _Walk] | None] = ContextVar("walked", default=None)


@contextmanager
def walked_once() -> Iterator[None]:
    """Walk through no folder twice in this thread meanwhile, as recognizing data and then reading them would."""
    if _walked.get() is not None:
        yield
        return
    token = _walked.set({})
    try:
        yield
    finally:
        _walked.reset(token)


def walk(root: Path) -> _Walk:
    """Every file below a folder in order of names, and what cannot be opened.

    Raises:
        DataError: The folder itself cannot be opened.
    """
    known = _walked.get()
    if known is None:
        return _walk(root)
    if root not in known:
        known[root] = _walk(root)
    return known[root]


def _walk(root: Path) -> _Walk:
    files: list[FileEntry] = []
    problems: list[str] = []
    waiting, links = [""], list[str]()
    seen: set[tuple[int, int]] = set()
    while waiting or links:
        tell()
        # Links come last, so that what they lead to is read under its own name where it lies here as well.
        below = waiting.pop() if waiting else links.pop(0)
        try:
            own = _identity(root / below)
            if own in seen:
                problems.append(f"{shown(below)} is a link to a folder that it lies in, or that is read anyway; it was "
                                "left out")
                continue
            if not below:
                seen = {_identity(parent) for parent in root.resolve().parents}
            seen.add(own)
            with os.scandir(root / below) as found:
                entries = sorted((e for e in found if not is_clutter(e.name)), key=_BY_NAME)
        except OSError as error:
            if not below:
                raise DataError(f"{root} cannot be opened ({error.strerror}); give yourself the right to read it"
                                ) from error
            problems.append(f"{shown(below)} cannot be opened ({error.strerror}); give yourself the right to read it")
            continue
        for entry in entries:
            name = f"{below}/{entry.name}" if below else entry.name
            try:
                if entry.is_file():
                    stat = entry.stat()
                    files.append(FileEntry(name, stat.st_size, stat.st_mtime_ns, stat.st_mode))
                elif entry.is_dir():
                    (links if entry.is_symlink() else waiting).append(name)
                else:
                    problems.append(f"{shown(name)} is a link to nothing or no file at all; delete or mend it")
            except OSError as error:  # it vanished meanwhile, or links go round in a circle
                problems.append(f"{shown(name)} cannot be reached ({error.strerror}); delete or mend it")
    return tuple(sorted(files, key=_BY_NAME)), tuple(problems)


def _identity(folder: Path) -> tuple[int, int]:
    """What tells a folder from all others, by whatever path it was reached."""
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def unpacked_for_now(archive: Path) -> tuple[str, ...]:
    """A sentence where a zip lies unpacked in no lasting folder."""
    aside = _aside.get(_place_of(archive.expanduser())) if _aside else None
    return (f"{archive.name} was unpacked for this time only: it is {aside[1]}",) if aside else ()


def _place_of(archive: Path) -> Path:
    """The folder in the cache that a zip is unpacked into, another one after every change."""
    stat = archive.stat()
    key = f"{archive.absolute()}/{stat.st_size}/{stat.st_mtime_ns}"
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:24]
    return places.cache() / "unpacked" / digest


def unpacked(archive: Path) -> Path:
    """The folder that a zip is unpacked into, which is made where the zip has not been seen before.

    Where the cache cannot be written, it is a folder that lasts as long as this program runs.

    Raises:
        DataError: It is damaged, has a password, would fill the disk, or names files outside its folder.
    """
    target = _place_of(archive)
    if os.path.isdir(target):  # noqa: PTH112 - which a folder that may not be entered does not raise in
        with suppress(OSError):  # it is only forgotten sooner
            os.utime(target)
        return target
    if target in _aside:
        return Path(_aside[target][0].name)
    try:
        with zipfile.ZipFile(archive) as packed:
            whole = sum(member.file_size for member in packed.infolist())
            if whole > _LARGEST and whole > _MOST_TIMES * archive.stat().st_size:
                raise DataError(f"{archive} would unpack to {whole / 1e9:.1f} GB, which is more than {_MOST_TIMES} "
                                f"times its own size and more than the {_LARGEST / 1e9:.0f} GB that such a zip may "
                                "take; if you trust it, unpack it by hand and open the folder")
            _check_members(archive, packed)
            try:
                _unpack(packed, target)
            except OSError as error:
                if os.path.isdir(target) or error.errno == errno.ENAMETOOLONG:  # noqa: PTH112 - as above
                    raise
                return _unpacked_aside(packed, target, not_kept(error))
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise DataError(f"{archive} is no whole zip ({error}); download or pack it again") from error
    except RuntimeError as error:
        raise DataError(f"{archive} cannot be unpacked ({error}); unpack it by hand") from error
    except OSError as error:
        if not os.path.isdir(target):  # noqa: PTH112 - as above; else another program was faster
            raise _not_unpacked(archive, target, error) from error
    return target


def _not_unpacked(archive: Path, target: Path, error: OSError) -> DataError:
    """Why a zip is unpacked neither into its folder in the cache nor aside."""
    if not may_be_read(archive):
        return DataError(f"{archive} {NO_RIGHT}")
    if error.errno == errno.ENAMETOOLONG:
        return DataError(f"{archive} holds names that are too long for this disk, such as {_longest(archive)[:40]}…; "
                         "unpack it by hand and give shorter ones")
    remedy = "give yourself the right to write" if isinstance(error, PermissionError) else "make room"
    return DataError(f"{archive} cannot be unpacked into {target.parent} ({error.strerror}); {remedy} there, or unpack "
                     "it by hand")


def _unpack(packed: zipfile.ZipFile, target: Path) -> None:
    """Unpack a zip beside its folder, which it becomes once it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, suffix=".part"))
    try:
        packed.extractall(part)
        part.rename(target)
        forget_old(target.parent, "*", _UNPACKED)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _unpacked_aside(packed: zipfile.ZipFile, target: Path, why: str) -> Path:
    """The folder of this program that a zip is unpacked into where the cache cannot be written."""
    folder = tempfile.TemporaryDirectory(prefix="unpacked-", ignore_cleanup_errors=True)
    packed.extractall(folder.name)
    return Path(_aside.setdefault(target, (folder, why))[0].name)  # another thread may have been faster


def _longest(archive: Path) -> str:
    """The longest name that a file or a folder has in a zip."""
    with zipfile.ZipFile(archive) as packed:
        return max((part for name in packed.namelist() for part in name.split("/")), key=len)


def _check_members(archive: Path, packed: zipfile.ZipFile) -> None:
    for member in packed.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if ".." in parts or member.filename.startswith("/"):
            raise DataError(f"{archive} holds {member.filename!r}, which lies outside its folder; unpack it by hand if "
                            "you trust it")
