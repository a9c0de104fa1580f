"""Reads files one by one on a few threads, and says of each that cannot be used why."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from workbench.tasks.files.errors import DataError, FileError, PassingError
from workbench.tasks.files.watching import tell, watched_alike

A = TypeVar("A")
NO_RIGHT = "may not be read; give yourself the right to read it"


class Tried(NamedTuple, Generic[A]):
    """What came of reading files.

    Attributes:
        good: What was read, by the index of its file.
        broken: Why others could not be read, by theirs.
        is_lasting: Whether all of these would fail again.
    """

    good: dict[int, A]
    broken: dict[int, str]
    is_lasting: bool


def read_each(paths: Sequence[Path], read: Callable[[Path], A]) -> Tried[A]:
    """What a few threads read of the files, and why others could not be read.

    Raises:
        DataError: One vanished meanwhile.
        GivenUpError: Nobody wants them any more.
    """
    def attempt(path: Path) -> A | FileError:
        tell()  # here too: the thread that waits for results in order may wait long for one
        try:
            return read(path)
        except FileError as error:
            return error
        except MemoryError:
            return PassingError("does not fit into memory; make it smaller")

    results: list[A | FileError] = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="files") as pool:
        try:
            for result in pool.map(watched_alike(attempt), paths):
                results.append(result)
                tell(len(results), len(paths))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    good = {index: result for index, result in enumerate(results) if not isinstance(result, FileError)}
    broken = {index: str(result) for index, result in enumerate(results) if isinstance(result, FileError)}
    return Tried(good, broken, not any(isinstance(result, PassingError) for result in results))


def content(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        FileError: It is empty or cannot be read.
        DataError: It is not there any more.
    """
    try:
        found = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    if not found:
        raise FileError("is empty (0 bytes); replace or delete it")
    return found


def may_be_read(path: Path) -> bool:
    """Whether the person has the right to read a file that is there."""
    try:
        path.open("rb").close()
    except PermissionError:
        return False
    except OSError:  # which is another matter
        return True
    return True


def unreadable(path: Path, error: OSError) -> FileError | DataError:
    """Why a file cannot be opened, with the remedy."""
    if isinstance(error, PermissionError):
        return FileError(NO_RIGHT)
    if not os.path.exists(path):  # noqa: PTH110 - which a drive that fails does not raise in
        # A drive that was pulled out must not look like a folder of broken files, which would be kept.
        return DataError(f"{path} vanished while it was read; put the drive back, or look at the folder again")
    return PassingError(f"cannot be read ({error.strerror or error}); check the disk")
