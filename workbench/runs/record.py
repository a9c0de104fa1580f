"""The append-only record of a run: one JSON line an event, read back into the same events."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from workbench.algorithms.base import Drawing
from workbench.engine.events import (
    Adaptation,
    Evaluation,
    Event,
    Failed,
    Finished,
    Noticed,
    Paused,
    Probe,
    Score,
    Shown,
    ShownTask,
    Started,
    Steps,
)
from workbench.runs.files import RunFileError
from workbench.tasks.base import Spec

SYNC_SECONDS = 1.0


@dataclass(frozen=True)
class Kept:
    """A checkpoint as the record knows it: the file it was kept in, below the run's folder."""

    step: int
    file: str
    is_best: bool


Recorded = Started | Steps | Probe | Evaluation | Kept | Paused | Noticed | Finished | Failed
"""What a record gives back: the events, with `Kept` in place of `Checkpoint`."""

_KINDS: dict[str, type[Any]] = {kind.__name__.lower(): kind
                                for kind in (Started, Steps, Probe, Evaluation, Kept, Paused, Noticed, Finished,
                                             Failed)}


class Record:
    """Appends events to a file; what was appended is on the disk a second later at most.

    Args:
        path: The file; it is made where there is none, and added to where there is one.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("a", encoding="utf8")
        self._synced = time.monotonic()

    def append(self, event: Event | Recorded) -> None:
        """Write one event."""
        self._file.write(json.dumps(_plain(event)) + "\n")
        self._file.flush()
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Make sure that everything is on the disk."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        self._file.close()


def read(path: Path) -> Iterator[Recorded]:
    """Events of a record, oldest first; a last line that was cut off while it was written is passed over.

    Raises:
        RunFileError: A line inside the record is damaged.
    """
    for _, event in read_with_ends(path):
        yield event


def read_with_ends(path: Path, begin: int = 0) -> Iterator[tuple[int, Recorded]]:
    """Events from a position on, with the position in the file that each ends at."""
    end = begin
    with path.open("rb") as file:
        file.seek(begin)
        for number, line in enumerate(file, 1):
            end += len(line)
            if not line.endswith(b"\n"):
                return
            try:
                event = _event(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise RunFileError(f"{path}, line {number}: is damaged ({error}); delete the lines from there on and "
                                   "resume the run") from error
            yield end, event


def checkpoints(path: Path) -> list[Kept]:
    """Checkpoints that a record knows, oldest first, as far as it can be read."""
    return [kept for _, kept in _checkpoints(path)]


def _checkpoints(path: Path) -> Iterator[tuple[int, Kept]]:
    if not path.exists():
        return
    try:
        for end, event in read_with_ends(path):
            if isinstance(event, Kept):
                yield end, event
    except RunFileError:
        return  # what is damaged is cut off by going on from before it


def truncate(path: Path, wanted: Kept) -> None:
    """Forget what was recorded after a checkpoint; if it was kept twice, after the second time."""
    ends = [end for end, kept in _checkpoints(path) if kept.file == wanted.file]
    os.truncate(path, ends[-1])


def _plain(event: Event | Recorded) -> dict[str, Any]:
    return {"event": type(event).__name__.lower(), **_plain_table(event)}


def _plain_table(value: Any) -> dict[str, Any]:
    return {field.name: _plain_value(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return {"shape": list(value.shape), "pixels": base64.b64encode(value.tobytes()).decode()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value):
        return _plain_table(value)
    if isinstance(value, dict):
        return {name: _plain_value(one) for name, one in value.items()}
    return [_plain_value(one) for one in value] if isinstance(value, tuple) else value


def _array(value: Any) -> Any:
    if isinstance(value, dict):
        return np.frombuffer(base64.b64decode(value["pixels"]), np.uint8).reshape(value["shape"])
    return None if value is None else np.array(value)


def _shown_task(table: dict[str, Any]) -> ShownTask:
    arrays = {name: _array(value) for name, value in table.items() if name.endswith(("inputs", "targets"))}
    return ShownTask(title=table["title"], class_names=tuple(table["class_names"]), **arrays)


def _drawing(table: dict[str, Any]) -> Drawing:
    names = {name: tuple(table[name]) for name in ("row_names", "column_names")}
    return Drawing(**{**table, **names})


def _event(table: dict[str, Any]) -> Recorded:
    kind = _KINDS[table.pop("event")]
    if kind is Steps:
        for name in ("loss", "metric", "outer_lr", "gradient_norm"):
            table[name] = np.array(table[name])
    if table.get("adaptation"):
        table["adaptation"] = Adaptation(**{name: np.array(curve) for name, curve in table["adaptation"].items()})
    if kind is Evaluation:
        table["score"] = Score(**table["score"])
        table["modes"] = {name: Score(**score) for name, score in table["modes"].items()}
        table["by_step"] = tuple(Score(**score) for score in table["by_step"])
    if kind is Started:
        table["notices"] = tuple(table["notices"])
        table["spec"] = Spec.of(table["spec"])
        table["shown"] = tuple(_shown_task(one) for one in table["shown"])
        table["drawings"] = {name: _drawing(one) for name, one in table.get("drawings", {}).items()}
    if kind is Probe and table["shown"]:
        shown = table["shown"]
        table["shown"] = Shown(tuple(shown["inner_steps"]), np.array(shown["outputs"]),
                               {name: np.array(values) for name, values in shown.get("drawn", {}).items()})
    event: Recorded = kind(**table)
    return event
