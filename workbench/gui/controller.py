"""Trains a run on a QThread of its own and brings what it says to the window's thread, twenty times a second."""

from __future__ import annotations

import gc
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import torch
from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot
from wakepy import keep

from workbench.engine.control import Control
from workbench.engine.devices import DeviceError
from workbench.engine.events import Event, Paused, Steps
from workbench.engine.memory import allocator
from workbench.experiment.experiment import Experiment
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.registry import UnknownNameError
from workbench.gui.run_rows import has_trained
from workbench.runs.files import RunFileError
from workbench.runs.history import History
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunBusyError, RunStore
from workbench.tasks.files.errors import DataError

TICK_MILLISECONDS = 50
_STACK_BYTES = 16 * 2**20  # the system's own choice is too small for some linear algebra libraries
_REFUSALS = (DataError, DeviceError, ExperimentError, RunBusyError, RunFileError, UnknownNameError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refused:
    """A run could not begin: the kind of error, a sentence, and where in the code if it was not expected."""

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Noted:
    """Something that the log should say."""

    message: str


Said = Event | Refused | Noted | History
"""What the training thread puts into the queue; a history comes first where a run is gone on with."""


class _Worker(QObject):
    """Iterates the recorded training; it lives on the training thread and knows no widget."""

    ended = Signal()

    def __init__(self, run: Run, control: Control, *, resume: bool) -> None:
        super().__init__()
        self._run, self._control, self._resume = run, control, resume
        self.said: SimpleQueue[Said] = SimpleQueue()
        self.has_begun = threading.Event()

    @Slot()
    def train(self) -> None:
        """Train to the end; every event is on the disk before it is in the queue."""
        self.has_begun.set()
        try:
            with _awake(self.said):
                self._iterate()
        except _REFUSALS as error:
            self.said.put(Refused(type(error).__name__, str(error)))
        except Exception as error:  # noqa: BLE001 - a thread must not die without a word
            self.said.put(Refused(type(error).__name__, str(error) or type(error).__name__, traceback.format_exc()))
        finally:
            if torch.cuda.is_available():
                gc.collect()  # cycles would keep the memory of the device; it takes a while, so only there
                torch.cuda.empty_cache()
            self.ended.emit()

    def _iterate(self) -> None:
        with closing(recorded(self._run, self._control, resume=self._resume)) as events:
            if self._resume:
                next(events)
                # The record was cut back to the checkpoint and has its first new line: it is the history to go on from.
                self.said.put(self._run.history())
            for event in events:
                self.said.put(event)


@contextmanager
def _awake(said: SimpleQueue[Said]) -> Iterator[None]:
    """Keep the computer from falling asleep, where the system allows it."""
    with keep.running(on_fail="pass") as mode:
        if not mode.active:
            said.put(Noted("This system does not let the program keep the computer awake; switch its sleep off by hand "
                           "for long runs."))
        yield


class Stopwatch:
    """Counts seconds, and stands still now and then."""

    def __init__(self) -> None:
        self._counted = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """What it has counted."""
        return self._counted + (time.monotonic() - self._since if self._since is not None else 0.0)

    def start_anew(self) -> None:
        """Count from nothing."""
        self._counted, self._since = 0.0, time.monotonic()

    def hold(self, *, is_held: bool) -> None:
        """Stand still, or go on."""
        self._counted, self._since = self.seconds, None if is_held else time.monotonic()


def _ends(run: Run) -> tuple[int | None, int]:
    """After how many vain validations a run stops, and how many tasks it is tested on."""
    try:
        experiment = run.experiment()
    except (ValueError, OSError):  # the training thread comes upon it too, and says what is wrong
        return None, 0
    return experiment.training.patience, experiment.evaluation.tasks


class TrainingController(QObject):
    """Trains one run at a time.

    Attributes:
        run: The run that is trained; None while there is none.
        history: What it has said.
        is_stopping: Whether it was asked to stop.
        is_discarding: Whether its folder goes when it has stopped.
        is_testing: Whether it has nothing left to do but its test.

    Signals:
        run_started(Run): A thread is about to work on a run.
        event_arrived(object): An event other than a block of steps, or a `Noted`.
        progressed(): Something arrived since the last tick.
        drained(int): A tick took in so many events.
        test_began(int): The run is tested from now on, on so many tasks.
        run_ended(str): The run of this name is no longer trained; everything that it said has arrived.
        run_refused(Refused): It could not begin; comes before `run_ended`.
        run_discarded(str): The run of this name was stopped and its folder deleted; comes before `run_ended`.
    """

    run_started = Signal(object)
    event_arrived = Signal(object)
    progressed = Signal()
    drained = Signal(int)
    test_began = Signal(int)
    run_ended = Signal(str)
    run_refused = Signal(object)
    run_discarded = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run: Run | None = None
        self.history = History()
        self.is_discarding = self.is_testing = False
        self._patience: int | None = None
        self._test_tasks = 0
        self._since_step = Stopwatch()
        self._control = Control()
        self._worker: _Worker | None = None
        self._thread: QThread | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.timeout.connect(self._drain)

    @property
    def is_training(self) -> bool:
        """Whether a run is under way."""
        return self._thread is not None

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self.is_training and self._control.is_stopping

    @property
    def is_paused(self) -> bool:
        """Whether it was asked to wait."""
        return self.is_training and self._control.is_paused

    @property
    def seconds(self) -> float:
        """Seconds of training so far, and of testing while it is tested, pauses left out."""
        return self.history.seconds + (self._since_step.seconds if self.is_testing else 0.0)

    def start(self, store: RunStore, experiment: Experiment) -> Run:
        """Open a folder for an experiment and train it."""
        run = store.create(experiment)
        self._begin(run, resume=False)
        return run

    def go_on(self, run: Run) -> None:
        """Train a run on from its latest checkpoint."""
        self._begin(run, resume=True)

    def _begin(self, run: Run, *, resume: bool) -> None:
        if self.is_training:
            raise RunBusyError("another run is being trained in this window; stop it first")
        self.run, self.history, self.is_discarding, self.is_testing = run, History(), False, False
        self._patience, self._test_tasks = _ends(run)
        self._since_step.start_anew()
        self._control = Control()
        self._worker = _Worker(run, self._control, resume=resume)
        self._thread = QThread(self)
        self._thread.setStackSize(_STACK_BYTES)
        self._worker.moveToThread(self._thread)
        self._thread.started.connect(self._worker.train)
        # Straight from the training thread, so that its end does not wait for the window.
        self._worker.ended.connect(self._thread.quit, Qt.ConnectionType.DirectConnection)
        self._thread.finished.connect(self._finish)
        self._timer.start()
        self.run_started.emit(run)
        # After the window has drawn what that changes, which comes before timers that take time: a thread that asks for
        # Python would hold up each widget's turn.
        QTimer.singleShot(1, self, self._let_begin)

    @Slot()
    def _let_begin(self) -> None:
        """Start the thread, once; whether it runs is asked first, or its end could be missed between the two."""
        thread, worker = self._thread, self._worker
        if thread is None or worker is None or thread.isRunning() or thread.isFinished():
            return
        with allocator.in_the_first_part():
            thread.start()
            worker.has_begun.wait(allocator.START_SECONDS)

    def pause(self) -> None:
        """Let the run wait after the tasks at hand."""
        self._control.pause()

    def resume(self) -> None:
        """Let a run that waits go on."""
        self._control.resume()

    def stop(self) -> None:
        """Stop and keep: a checkpoint is written at the step at hand."""
        self._control.stop()

    def discard(self) -> None:
        """Stop, and delete the run's folder."""
        self.is_discarding = True
        self._control.stop()

    def wait(self) -> None:
        """Stop and keep, and return when everything is on the disk; for the end of the program."""
        if self._thread is not None:
            self.stop()
            self._let_begin()
            self._thread.wait()
            self._finish()

    @Slot()
    def _drain(self) -> None:
        worker = self._worker
        if worker is None:
            return
        arrived = 0
        while True:
            try:
                said = worker.said.get_nowait()
            except Empty:
                break
            arrived += 1
            self._take(said)
        if arrived:
            self._look_for_test()
        self.drained.emit(arrived)
        if arrived or self.is_testing:  # nothing arrives while a run is tested, but time passes
            self.progressed.emit()

    def _look_for_test(self) -> None:
        was_testing = self.is_testing
        self.is_testing = self._thread is not None and has_trained(self.history, self._patience)
        if self.is_testing and not was_testing:
            self.test_began.emit(self._test_tasks)

    def _take(self, said: Said) -> None:
        match said:
            case History():
                self.history = said
                self.event_arrived.emit(said.started)
            case Refused():
                self.run_refused.emit(said)
            case Noted():
                self.event_arrived.emit(said)
            case Steps():
                self.history.add(said)
                self._since_step.start_anew()
            case _:
                if isinstance(said, Paused):
                    self._since_step.hold(is_held=said.is_paused)
                self.history.add(said)
                self.event_arrived.emit(said)

    @Slot()
    def _finish(self) -> None:
        """The thread has left its event loop: take what is left, and let everything go."""
        thread, run = self._thread, self.run
        if thread is None or run is None:
            return
        thread.wait()
        self._timer.stop()
        self._drain()
        self._thread = self._worker = None
        self.is_testing = False
        thread.deleteLater()
        self.run = None
        if self.is_discarding and run.folder.is_dir():
            self._delete(run)
        self.run_ended.emit(run.id)

    def _delete(self, run: Run) -> None:
        try:
            run.delete()
        except OSError as error:
            _log.warning("%s cannot be deleted: %s", run.folder, str(error))
            self.event_arrived.emit(Noted(f"{run.folder} cannot be deleted ({error})"))
        else:
            self.run_discarded.emit(run.id)
