"""Runs on disk: a folder each, which is the truth."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from workbench.algorithms.base import Meta
from workbench.engine.control import Control
from workbench.engine.events import Checkpoint, Evaluation, Event, Failed, Finished, Paused, Started, Steps
from workbench.engine.state import TrainState
from workbench.engine.trainer import train
from workbench.experiment.experiment import Experiment
from workbench.experiment.registry import UnknownNameError
from workbench.experiment.resolve import read_toml, resolve, to_toml
from workbench.runs import record
from workbench.runs.files import RunFileError, read_tensors, write_tensors, write_text
from workbench.runs.history import History
from workbench.runs.record import Recorded

Status = Literal["running", "paused", "finished", "stopped", "interrupted", "failed"]


@dataclass
class Summary:
    """What the run table shows, kept beside the record so that a hundred runs open at once.

    Attributes:
        status: The state that it was left in.
        created: Seconds since 1970.
        steps, iterations: Outer steps done and planned.
        seconds: Training time.
        device: What it ran on.
        metric: accuracy or mse.
        mean, ci95, tasks: The test result; None before it is known.
        validation: Best validation result so far; None before it is known.
        message: Why it failed.
    """

    status: Status = "running"
    created: float = field(default_factory=time.time)
    steps: int = 0
    iterations: int = 0
    seconds: float = 0.0
    device: str = ""
    metric: str = ""
    mean: float | None = None
    ci95: float | None = None
    tasks: int | None = None
    validation: float | None = None
    meta_loss: float | None = None
    message: str = ""

    def add(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case Started():
                self.status, self.message = "running", ""
                self.iterations, self.device, self.metric = event.iterations, event.device_title, event.metric
            case Steps():
                self.steps, self.seconds, self.meta_loss = event.last, event.seconds, float(event.loss[-1])
            case Evaluation(split="test"):
                self.mean, self.ci95, self.tasks = event.score.mean, event.score.ci95, event.tasks
            case Evaluation():
                sign = 1 if event.metric == "accuracy" else -1
                if self.validation is None or sign * event.score.mean > sign * self.validation:
                    self.validation = event.score.mean
            case Paused():
                self.status = "paused" if event.is_paused else "running"
            case Finished():
                self.status, self.seconds = event.status, event.seconds
            case Failed():
                self.status, self.message = "failed", event.message


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

    def experiment(self) -> Experiment:
        """What was run."""
        return resolve(read_toml(self.folder / "experiment.toml"))

    def checkpoints(self) -> list[Path]:
        """Checkpoint files, oldest first."""
        return sorted((self.folder / "checkpoints").glob("step-*.safetensors"))

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
        return TrainState.of(*read_tensors(checkpoint))

    def best_meta(self) -> tuple[Meta, int]:
        """The meta-parameters that were best on validation, and the outer steps behind them."""
        if not self.best.exists():
            state = self.state()
            return state.meta, state.step
        tensors, about = read_tensors(self.best)
        state = TrainState.of(tensors, {"step": about["step"], "best_step": 0, "best_score": None, "stale": 0,
                                        "is_settled": True, "seconds": 0.0, "executor": "", "chunk": 0, "threads": 0})
        return state.meta, state.step

    def events(self) -> Iterator[Recorded]:
        """Everything that the run has said, read as it is asked for."""
        return record.read(self.record) if self.record.exists() else iter(())

    def history(self) -> History:
        """Everything that the run has said, as arrays."""
        return History.of(self.events())

    def summary(self) -> Summary:
        """What the run table shows; a run that nobody trains and that never ended was interrupted."""
        try:
            summary = Summary(**json.loads((self.folder / "summary.json").read_text(encoding="utf8")))
        except (OSError, ValueError, TypeError):
            summary = self._rebuilt_summary()
        if summary.status in ("running", "paused") and not self.is_busy():
            summary.status = "interrupted"
        return summary

    def _rebuilt_summary(self) -> Summary:
        """The summary as the record tells it."""
        summary = Summary(created=self.folder.stat().st_mtime)
        for event in self.events():
            if not isinstance(event, record.Kept):
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

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the run for training.

        Raises:
            RunBusyError: Somebody else does.
        """
        lock = FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=0)
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
            pass
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

    def create(self, experiment: Experiment) -> Run:
        """Open a folder for a new run; it is named after the algorithm, the dataset and a number of its own."""
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
        write_text(folder / "experiment.toml", to_toml(experiment))
        return run


def _number(name: str) -> int:
    match = re.search(r"-(\d+)$", name)
    return int(match[1]) if match else 0


def recorded(run: Run, control: Control | None = None, *, resume: bool = False, checkpoint: Path | None = None
             ) -> Iterator[Event]:
    """Train a run, each event written before it is passed on.

    Args:
        run: The run, new or to be gone on with.
        control: Through which it may be stopped and paused.
        resume: Go on from a checkpoint; what was recorded after it is forgotten.
        checkpoint: Which; by default the latest.

    Raises:
        DataError, DeviceError: The experiment cannot be run here; a new run leaves no folder behind.
        RunBusyError: Somebody else is training it.
        RunFileError: It cannot be gone on with.
    """
    with run.busy():
        summary = run.summary() if resume else Summary(iterations=run.experiment().training.iterations)
        state = None
        if resume:
            checkpoint = checkpoint or (run.checkpoints() or [run.folder / "checkpoints"])[-1]
            state = run.state(checkpoint)
            record.truncate(run.record, str(checkpoint.relative_to(run.folder)))
            for later in run.checkpoints():
                if later.name > checkpoint.name:
                    later.unlink()
        events = train(run.experiment(), control, state)
        try:
            first = next(events)
        except BaseException:
            if not resume:
                shutil.rmtree(run.folder)
            raise
        yield from _written(run, summary, first, events)


def _written(run: Run, summary: Summary, first: Event, events: Iterator[Event]) -> Iterator[Event]:
    log = record.Record(run.record)
    experiment = run.experiment()
    written = 0.0
    try:
        event: Event | None = first
        while event is not None:
            file = _keep(run, event, experiment) if isinstance(event, Checkpoint) else ""
            log.append(record.as_recorded(event, file))
            summary.add(event)
            if not isinstance(event, Steps) or time.monotonic() - written > record.SYNC_SECONDS:
                log.sync()
                run.write_summary(summary)
                written = time.monotonic()
            yield event
            event = next(events, None)
    finally:
        log.close()
        run.write_summary(summary)


def _keep(run: Run, checkpoint: Checkpoint, experiment: Experiment) -> str:
    """Write a checkpoint and forget those that are too many; its name below the run's folder."""
    path = run.folder / "checkpoints" / f"step-{checkpoint.step:08d}.safetensors"
    write_tensors(path, checkpoint.state.tensors(), checkpoint.state.numbers())
    if checkpoint.is_best:
        meta = checkpoint.state.meta
        tensors = {f"{table}/{name}": value for table in ("params", "buffers")
                   for name, value in getattr(meta, table).items()}
        write_tensors(run.best, tensors, {"step": checkpoint.step})
    for old in run.checkpoints()[: -experiment.training.keep_checkpoints]:
        old.unlink()
    return str(path.relative_to(run.folder))
