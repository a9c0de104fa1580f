"""Watches the window's event loop: it asks to be woken again and again, and notes how late that happens."""

from __future__ import annotations

import math
import time
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from workbench.gui.controller import TrainingController
from workbench.gui.lateness import Ledger, append
from workbench.runs.store import Run

LOOK_MILLISECONDS = 37
"""Often enough to see what a person could feel, and so seldom that training does not; the window's own ticks, every 50
milliseconds, meet it at every moment in turn."""


class Watchdog(QObject):
    """Looks while a run is trained, and keeps what it saw with the run, or while somebody reads along.

    Signals:
        saw(Second): What the last second was like; it is on the disk where a run is trained.
    """

    saw = Signal(object)

    def __init__(self, controller: TrainingController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("watchdog")
        self._controller = controller
        self._ledger = Ledger()
        self._ledger.end()  # no run has begun yet
        self._folder: Path | None = None
        self._is_read = False
        self._due = self._second_ends = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)  # one that repeats catches up as Qt reckons, which cannot be seen from here
        self._timer.timeout.connect(self._look)
        controller.run_started.connect(self._run_started)
        controller.run_ended.connect(self._run_ended)
        controller.drained.connect(self._drained)

    def read_along(self, is_read: bool) -> None:
        """Look although nothing is trained, or only while something is."""
        self._is_read = is_read
        self._run_or_rest()

    @property
    def is_looking(self) -> bool:
        """Whether it looks now."""
        return self._timer.isActive()

    def stop(self) -> None:
        """Look no longer; for the end of the program."""
        self._timer.stop()

    def _run_or_rest(self) -> None:
        is_wanted = self._is_read or self._folder is not None
        if is_wanted and not self._timer.isActive():
            self._due = now = time.perf_counter()
            self._second_ends = now + 1
            self._look_again(now)
        elif not is_wanted:
            self.stop()

    @Slot(object)
    def _run_started(self, run: Run) -> None:
        self._folder, self._ledger = run.folder, Ledger()
        self._run_or_rest()

    @Slot(str)
    def _run_ended(self, _: str) -> None:
        self._close_second()
        self._folder = None
        self._ledger.end()
        self._run_or_rest()

    @Slot()
    def _look(self) -> None:
        now = time.perf_counter()
        self._ledger.looked(max(1000 * (now - self._due), 0.0), LOOK_MILLISECONDS)
        self._look_again(now)
        if now >= self._second_ends:  # here, for a timer of its own would wake the window once more
            self._second_ends = _next_beat(self._second_ends, now, 1.0)
            self._close_second()

    def _look_again(self, now: float) -> None:
        """At the next beat; whatever held this one up does not move the beats, for it would decide what is seen."""
        self._due = _next_beat(self._due, now, LOOK_MILLISECONDS / 1000)
        self._timer.start(math.ceil(1000 * (self._due - now)))

    @Slot(int)
    def _drained(self, events: int) -> None:
        self._ledger.drained(events)

    @Slot(str, float)
    def note_repaint(self, name: str, seconds: float) -> None:
        """A plot was repainted."""
        self._ledger.repainted(name, seconds)

    def _close_second(self) -> None:
        history = self._controller.history
        is_stepping = self._controller.is_training and not (history.is_paused or self._controller.is_testing)
        second = self._ledger.close_second(history.tasks_per_second() if is_stepping else 0.0)
        if self._folder is not None:
            append(self._folder, second)
        self.saw.emit(second)


def _next_beat(beat: float, now: float, interval: float) -> float:
    """The first moment after now that is a whole number of intervals after a beat."""
    return beat + (math.floor((now - beat) / interval) + 1) * interval
