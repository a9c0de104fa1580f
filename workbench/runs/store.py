"""Runs on disk: a folder each, which is the truth."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from workbench.algorithms.base import Meta
from workbench.engine.events import Checkpoint
from workbench.engine.state import TrainState, meta_of
from workbench.experiment.experiment import Experiment
from workbench.experiment.mistakes import first_finding
from workbench.experiment.registry import ROLES, UnknownNameError
from workbench.experiment.resolve import read_toml, resolve, to_toml
from workbench.runs import record
from workbench.runs.files import RunFileError, read_tensors, write_tensors, write_text
from workbench.runs.history import History
from workbench.runs.record import Kept, Recorded
from workbench.runs.summary import Summary

_PATIENCE_SECONDS = 1.0
_SUMMARY = TypeAdapter(Summary)


class RunBusyError(RuntimeError):
    """The run is being trained by another thread or program."""


class Run:
    """A run's folder.

    Attributes:
        folder: Where everything of it lies.
        id: Its name, that of the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        self._lock = FileLock(folder / ".lock")

    @property
    def record(self) -> Path:
        """The append-only record."""
        return self.folder / "events.jsonl"

    @property
    def best(self) -> Path:
        """The meta-parameters that were best on validation."""
        return self.folder / "best.safetensors"

    @property
    def launch(self) -> str:
        """The name of the launch of several processes that trains or trained it; empty where there was none."""
        try:
            return (self.folder / "launch").read_text(encoding="utf8")
        except OSError:
            return ""

    def experiment(self) -> Experiment:
        """What was run.

        Raises:
            RunFileError: Its file says too little; defaults would be another experiment.
            ExperimentError: It cannot be read, or names what is not installed here.
        """
        path = self.folder / "experiment.toml"
        said = read_toml(path)
        if any(not isinstance(said.get(role), dict) or "name" not in said[role] for role in ROLES):
            raise RunFileError(f"{path}: is damaged, for it does not name dataset, backbone and algorithm; put back a "
                               "copy, or start the run again")
        return resolve(said)

    def asked(self) -> Experiment:
        """What the launch was to run, before that was fitted to the data that it found; raises as `experiment`."""
        path = self.folder / "asked.toml"
        return resolve(read_toml(path)) if path.exists() else self.experiment()

    def checkpoints(self) -> list[Path]:
        """Checkpoint files, oldest first; none where the folder is gone, which may happen while one looks."""
        try:
            return sorted((self.folder / "checkpoints").glob("step-*.safetensors"))
        except FileNotFoundError:
            return []

    def kept(self) -> list[Kept]:
        """Checkpoints that the record knows and whose files are there, oldest first."""
        return [kept for kept in record.checkpoints(self.record) if (self.folder / kept.file).is_file()]

    def below(self, path: Path) -> str:
        """The name of a file as the record writes it."""
        return path.relative_to(self.folder).as_posix()

    def state(self, checkpoint: Path | None = None) -> TrainState:
        """The state kept in a checkpoint, by default the latest.

        Raises:
            RunFileError: There is none, or it is damaged.
        """
        if checkpoint is None:
            known = self.checkpoints()
            if not known:
                raise RunFileError(f"{self.folder}: the run has no checkpoint to go on from; start it again")
            checkpoint = known[-1]
        tensors, numbers = read_tensors(checkpoint)
        try:
            return TrainState.of(tensors, numbers)
        except ValidationError as error:
            raise RunFileError(f"{checkpoint}: is damaged ({first_finding(error)}); go on from another checkpoint, or "
                               "start the run again") from error

    def write_checkpoint(self, checkpoint: Checkpoint) -> Path:
        """Keep a checkpoint; one whose step is not settled goes before the settled one of the same step."""
        end = "" if checkpoint.state.is_settled else ".partial"
        path = self.folder / "checkpoints" / f"step-{checkpoint.step:08d}{end}.safetensors"
        write_tensors(path, checkpoint.state.tensors(), checkpoint.state.numbers())
        return path

    def write_best(self, meta: Meta, step: int) -> None:
        """Keep the meta-parameters that are the best on validation."""
        tensors = {f"{table}/{name}": value
                   for table, values in meta._asdict().items() for name, value in values.items()}
        write_tensors(self.best, tensors, {"step": step})

    def best_meta(self) -> tuple[Meta, int]:
        """The meta-parameters that were best on validation, and the outer steps behind them."""
        if not self.best.exists():
            state = self.state()
            return state.meta, state.step
        tensors, about = read_tensors(self.best)
        if not isinstance(about, dict) or not isinstance(about.get("step"), int):
            raise RunFileError(f"{self.best}: is damaged, for it does not say its step; delete it, and the last "
                               "checkpoint is taken")
        return meta_of(tensors), about["step"]

    def events(self) -> Iterator[Recorded]:
        """Everything that the run has said, read as it is asked for."""
        return record.read(self.record) if self.record.exists() else iter(())

    def history(self) -> History:
        """Everything that the run has said, as arrays."""
        return History.of(self.events())

    def summary(self) -> Summary:
        """What the run table shows; a run that nobody trains and that never ended was interrupted."""
        try:
            summary = _SUMMARY.validate_python(json.loads((self.folder / "summary.json").read_text(encoding="utf8")))
        except (OSError, ValueError):
            summary = self._rebuilt_summary()
        if summary.status in ("running", "paused") and not self.is_busy():
            summary.status = "interrupted"
        return summary

    def _rebuilt_summary(self) -> Summary:
        """The summary as the record tells it."""
        summary = Summary(created=self.folder.stat().st_mtime)
        for event in self.events():
            summary.add(event)
        return summary

    def write_summary(self, summary: Summary) -> None:
        """Keep a summary."""
        write_text(self.folder / "summary.json", json.dumps(asdict(summary), indent=1))

    def is_busy(self) -> bool:
        """Whether a thread or program is training it."""
        try:
            with self._lock.acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that nobody may write to is not being trained
            return False

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the run for training.

        Raises:
            RunBusyError: Somebody else does.
        """
        lock = FileLock(self.folder / ".lock")
        try:
            # Whoever only asks whether the run is busy holds the lock for an instant.
            lock.acquire(timeout=_PATIENCE_SECONDS)
        except Timeout as error:
            raise RunBusyError(f"{self.id} is being trained by another window or program; stop it there first"
                               ) from error
        try:
            yield
        finally:
            lock.release()

    def delete(self) -> None:
        """Remove the folder and everything in it."""
        with self.busy():
            # Without its experiment the folder is no run any more, so that nobody can go on with it meanwhile.
            (self.folder / "experiment.toml").unlink(missing_ok=True)
        shutil.rmtree(self.folder)


class RunStore:
    """A folder of runs.

    Args:
        folder: The folder; it is made when the first run is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        if not self.folder.is_dir():
            return []
        found = [Run(path.parent) for path in self.folder.glob("*/experiment.toml")]
        return sorted(found, key=lambda run: (_number(run.id), run.id))

    def find(self, name: str) -> Run:
        """The run of this name, or the run whose folder this is.

        Raises:
            UnknownNameError: There is none.
        """
        for folder in (self.folder / name, Path(name).expanduser()):
            if (folder / "experiment.toml").is_file():
                return Run(folder.resolve())
        raise UnknownNameError(f"run in {self.folder}", name, [run.id for run in self.runs()])

    def launched(self, launch: str) -> Run | None:
        """The latest run of a launch; None where it has none here."""
        return next((run for run in reversed(self.runs()) if launch and run.launch == launch), None)

    def create(self, experiment: Experiment, launch: str = "", asked: Experiment | None = None) -> Run:
        """Open a folder for a new run; it is named after the algorithm, the dataset and a number of its own.

        Args:
            experiment: What will be run.
            launch: The name of the launch of several processes, by which `launched` finds it again.
            asked: What the launch was to run, where that is another experiment.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        number = max((_number(run.name) for run in self.folder.iterdir()), default=0) + 1
        while True:
            folder = self.folder / f"{experiment.algorithm.name}-{experiment.dataset.name}-{number:04d}"
            try:
                folder.mkdir()
                break
            except FileExistsError:
                number += 1
        (folder / "checkpoints").mkdir()
        run = Run(folder)
        run.write_summary(Summary(iterations=experiment.training.iterations))
        if launch:
            write_text(folder / "launch", launch)
        if asked not in (None, experiment):
            write_text(folder / "asked.toml", to_toml(asked))
        write_text(folder / "experiment.toml", to_toml(experiment))
        return run


def _number(name: str) -> int:
    match = re.search(r"-(\d+)$", name)
    return int(match[1]) if match else 0
