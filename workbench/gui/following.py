"""Reading the record of a run that is trained elsewhere: once as a whole, then what was appended since."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.runs.files import RunFileError
from workbench.runs.history import History
from workbench.runs.record import Recorded, read_with_ends

_KNOWN_BY = 512


@dataclass(frozen=True)
class Place:
    """How far a record was read.

    Attributes:
        end: The position after the last whole line.
        before: The bytes that lead up to it; where others stand there, somebody has cut the record back meanwhile.
    """

    end: int
    before: bytes


@dataclass(frozen=True)
class Found:
    """What a look at a record found.

    Attributes:
        place: How far it has been read now; None where there is no record.
        history: Everything; None where the reader went on from a place.
        appended: The events since that place.
    """

    place: Place | None
    history: History | None
    appended: tuple[Recorded, ...] = ()


def read_on(path: Path, place: Place | None) -> Found:
    """Read a record from a place on, or as a whole where there is none or the record was cut back before it.

    Raises:
        RunFileError: A line inside the record is damaged.
    """
    if place is not None and path.exists() and _bytes_before(path, place.end) == place.before:
        try:
            found = list(read_with_ends(path, place.end))
        except RunFileError:
            return _read_whole(path)  # which counts the lines from the first, and says where the damage is
        end = found[-1][0] if found else place.end
        return Found(_place(path, end), None, tuple(event for _, event in found))
    return _read_whole(path)


def _read_whole(path: Path) -> Found:
    history, end = History(), 0
    if not path.exists():
        return Found(None, history)
    for end, event in read_with_ends(path):  # noqa: B007 - the last end is the place
        history.add(event)
    return Found(_place(path, end), history)


def _place(path: Path, end: int) -> Place:
    return Place(end, _bytes_before(path, end))


def _bytes_before(path: Path, end: int) -> bytes:
    begin = max(end - _KNOWN_BY, 0)
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(end - begin)
