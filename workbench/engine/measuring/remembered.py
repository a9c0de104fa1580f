"""What was measured on this machine before, kept in one file; an answer that is damaged is measured again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch

import workbench
from workbench import places
from workbench.engine import devices
from workbench.engine.executors import EXECUTORS
from workbench.engine.session import Session
from workbench.engine.ways.weight_gradients import convolutions
from workbench.engine.ways.work import MOST_TASKS_AT_ONCE, Way, cores

_MOST = 500
# Counted up where what is chosen among, or how, changes: answers from before hold no longer.
_RULES = 11
# Fields of the training that neither change what a meta-gradient costs nor how it may be run.
_WITHOUT_EFFECT = {"iterations", "optimizer", "outer_lr", "schedule", "clip", "validate_every", "validation_tasks",
                   "patience", "checkpoint_every", "keep_checkpoints", "executor", "acceleration"}


@dataclass(frozen=True)
class Remembered:
    """The best of so many ways that were measured on a day."""

    way: Way
    count: int
    day: str


def way_of(session: Session) -> Remembered | None:
    """What is remembered of an experiment."""
    match _answers().get(_key(session)):
        case {"way": [str(executor), *numbers], "of": int(count), "on": str(day)} if (
                executor in EXECUTORS and _are_counts(numbers) and _is_day(day) and type(count) is int):
            return Remembered(Way(executor, *numbers), count, day)
    return None


def keep_way(session: Session, way: Way, count: int) -> None:
    """Remember a way as the best of so many that were measured today."""
    _keep(_key(session), {"way": [way.executor, way.threads, way.chunk], "of": count,
                          "on": date.today().isoformat()})


def columns_of(session: Session, way: Way) -> tuple[str, ...] | None:
    """Which gradients of weights were found to be faster by columns in a way of running an experiment."""
    return _names(_answers().get(f"{_key(session)} {way}"), convolutions(session.algorithm))


def keep_columns(session: Session, way: Way, columns: tuple[str, ...]) -> None:
    """Remember them."""
    _keep(f"{_key(session)} {way}", {"weights_by_columns": columns})


def _key(session: Session) -> str:
    """What an answer holds for: this machine and program, and everything that a meta-gradient costs time for."""
    experiment = session.experiment
    about: Any = {
        "machine": [platform.node(), platform.machine(), cores(), str(session.device), devices.title(session.device)],
        "versions": [workbench.__version__, torch.__version__, platform.python_version()],
        "data": [session.spec.kind, session.spec.input_shape, session.spec.outputs, session.spec.classes],
        "task": experiment.task.model_dump(mode="json"),
        "backbone": experiment.backbone.model_dump(mode="json"),
        "algorithm": experiment.algorithm.model_dump(mode="json"),
        "training": experiment.training.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
        "processes": session.world.size,
        "rules": _RULES, "is_replayed": session.is_replayed,
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _path() -> Path:
    return places.cache() / "ways.json"


def _answers() -> dict[str, Any]:
    """All of them; nothing where the file is not there or is damaged."""
    try:
        said = json.loads(_path().read_text(encoding="utf8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _are_counts(numbers: list[Any]) -> bool:
    """Whether they are threads that there are and a chunk."""
    return (len(numbers) == 2 and all(type(one) is int and one > 0 for one in numbers)
            and numbers[0] <= cores() and numbers[1] <= MOST_TASKS_AT_ONCE)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _names(answer: Any, known: Container[str]) -> tuple[str, ...] | None:
    match answer:
        case {"weights_by_columns": [*names]} if all(isinstance(name, str) and name in known for name in names):
            return tuple(names)
        case _:
            return None


def _keep(key: str, answer: dict[str, Any]) -> None:
    """Write an answer down, and forget the oldest; where nothing can be written it is measured again next time."""
    path, answers = _path(), _answers()
    answers.pop(key, None)  # who is told anew is the newest
    answers[key] = answer
    text = json.dumps(dict(list(answers.items())[-_MOST:]), indent=1)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf8") as file:
                file.write(text)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
