"""The runs at hand: those on disk, the one that is trained here, and those that are drawn."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.gui.controller import TrainingController
from workbench.gui.following import Found, Place, read_on
from workbench.gui.jobs import Done, Jobs
from workbench.gui.plots.shown import ShownRun
from workbench.gui.run_table import RunTableModel
from workbench.gui.theme import Theme
from workbench.runs.history import History
from workbench.runs.store import Run, RunStore
from workbench.runs.summary import Summary

WATCH_MILLISECONDS = 2000
TABLE_MILLISECONDS = 950
MOST_TICKED = 6
_HISTORY = "history of "


class RunDesk(QObject):
    """Keeps table, plots and disk of one mind.

    Attributes:
        store: The folder of runs.
        model: The table's rows.
        controller: What trains.

    Signals:
        shown_changed(): Other runs, or other histories of them, are to be drawn.
        progressed(): The run that is trained here has got on; about once a second.
        unreadable(str): A record cannot be read; a sentence.
    """

    shown_changed = Signal()
    progressed = Signal()
    unreadable = Signal(str)

    def __init__(self, store: RunStore, theme: Theme, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self.model = RunTableModel(theme, self)
        self.controller = TrainingController(self)
        self._jobs = jobs
        self._histories: dict[str, History] = {}
        self._places: dict[str, Place | None] = {}
        self._marks: dict[str, tuple[int, int]] = {}
        self._focused = ""
        self._watch = QTimer(self)
        self._watch.setInterval(WATCH_MILLISECONDS)
        self._watch.timeout.connect(self.look_at_disk)
        self._pace = QTimer(self)
        self._pace.setInterval(TABLE_MILLISECONDS)
        self._pace.setSingleShot(True)
        self._pace.timeout.connect(self._tell_progress)
        self.model.ticks_changed.connect(self._fetch)
        self.controller.run_started.connect(self._run_started)
        self.controller.event_arrived.connect(self._event_arrived)
        self.controller.progressed.connect(self._progressed)
        self.controller.run_ended.connect(self._run_ended)
        jobs.job_ended.connect(self._job_ended)

    def open(self, ticked: dict[str, int], colors: dict[str, int] | None = None) -> None:
        """Show the runs of the folder, in the colours of the last time, and go on watching it."""
        for row in self.model.rows():
            self._drop_history(row.run.id)
        self.model.set_runs(self.store.runs(), ticked, colors)
        self._marks = {row.run.id: _mark(row.run) for row in self.model.rows()}
        self._watch.start()

    def move_to(self, store: RunStore) -> None:
        """Show the runs of another folder."""
        self.store = store
        self.open({})

    def close(self) -> None:
        """Watch no longer."""
        self._watch.stop()
        self._pace.stop()

    def focus(self, run_id: str) -> None:
        """Look at a run; it is drawn although it is not ticked."""
        self._focused = run_id
        self.model.set_guest(run_id)
        self._fetch()

    @property
    def focused(self) -> str:
        """The run that is looked at; empty for none."""
        return self._focused

    def shown(self) -> list[ShownRun]:
        """Ticked runs and the one that is looked at, as far as their records were read."""
        return [ShownRun(row.run.id, row.run.id, history, color) for row, color in self.model.drawn()
                if (history := self.history(row.run.id)) is not None]

    def history(self, run_id: str) -> History | None:
        """What a run has said; None where its record was not read yet."""
        if self.is_trained_here(run_id):
            return self.controller.history
        return self._histories.get(run_id)

    def is_trained_here(self, run_id: str) -> bool:
        """Whether the run is the one under way."""
        return self.controller.run is not None and self.controller.run.id == run_id

    @Slot()
    def _fetch(self) -> None:
        """Have the records read that are to be drawn and were not read yet."""
        for row, _ in self.model.drawn():
            if self.history(row.run.id) is None and not self._is_being_read(row.run.id):
                self._read_on(row.run)
        self.shown_changed.emit()

    def _read_on(self, run: Run) -> None:
        """Have what is new in a record read beside the window."""
        self._jobs.start(_HISTORY + run.id, partial(read_on, run.record, self._places.get(run.id)))

    def _is_being_read(self, run_id: str) -> bool:
        return self._jobs.is_busy(_HISTORY + run_id)

    def _drop_history(self, run_id: str) -> None:
        """Forget what a run has said, and what is being read of it."""
        self._jobs.forget(_HISTORY + run_id)
        self._histories.pop(run_id, None)
        self._places.pop(run_id, None)

    @Slot(object)
    def _job_ended(self, done: Done) -> None:
        if not done.key.startswith(_HISTORY):
            return
        run_id = done.key.removeprefix(_HISTORY)
        if done.error:
            self._histories[run_id] = History()
            self._places.pop(run_id, None)
            self.unreadable.emit(done.error)
        else:
            self._take_in(run_id, done.result)
        self.shown_changed.emit()

    def _take_in(self, run_id: str, found: Found) -> None:
        self._places[run_id] = found.place
        if found.history is not None:
            self._histories[run_id] = found.history
        for event in found.appended:  # here, for the plots draw from the history in this thread
            self._histories[run_id].add(event)

    @Slot(object)
    def _run_started(self, run: Run) -> None:
        self._drop_history(run.id)
        if self.model.row_of(run.id) is None:
            self.model.add(run, Summary())
        ticked = [row.run.id for row in self.model.rows() if row.color_index is not None and row.run.id != run.id]
        if len(ticked) >= MOST_TICKED:
            self.model.tick(ticked[-1], is_on=False)  # the oldest makes room for a colour of its own
        self.model.tick(run.id)
        self._refresh_own(run)
        self.shown_changed.emit()

    @Slot(object)
    def _event_arrived(self, _: object) -> None:
        # Going on with a run brings another history object than the empty one that it began with.
        if self.controller.run is not None and self.controller.history.revision <= 2:
            self.shown_changed.emit()

    @Slot()
    def _progressed(self) -> None:
        if not self._pace.isActive():
            self._pace.start()

    @Slot()
    def _tell_progress(self) -> None:
        if self.controller.run is not None:
            self._refresh_own(self.controller.run)
        self.progressed.emit()

    def _refresh_own(self, run: Run) -> None:
        controller = self.controller
        self.model.refresh(run.id, controller.history, controller.seconds, is_testing=controller.is_testing)

    @Slot(str)
    def _run_ended(self, run_id: str) -> None:
        self._pace.stop()
        row = self.model.row(run_id)
        if row is None:
            return
        if not row.run.folder.is_dir():
            self.model.remove(run_id)
            return
        self._histories[run_id] = self.controller.history
        self._marks[run_id] = _mark(row.run)
        self.model.refresh(run_id)
        self.shown_changed.emit()

    @Slot()
    def look_at_disk(self) -> None:
        """Take in what other programs did to the folder."""
        found = {run.id: run for run in self.store.runs()}
        for row in self.model.rows():
            if row.run.id not in found:
                self.forget(row.run.id)
        for run_id, run in found.items():
            row_here = self.model.row(run_id)
            if row_here is None:
                self.model.add(run)
                self._marks[run_id] = _mark(run)
            elif not self.is_trained_here(run_id):
                self._look_at_run(run, is_busy=row_here.summary.status in ("running", "paused"))

    def _look_at_run(self, run: Run, *, is_busy: bool) -> None:
        mark = _mark(run)
        has_changed = self._marks.get(run.id) != mark
        if has_changed or is_busy:
            self.model.refresh(run.id)
        if self._is_being_read(run.id):
            return  # what has changed may have come too late for who reads: the next look finds it changed again
        self._marks[run.id] = mark
        if has_changed and run.id in self._histories:
            self._read_on(run)

    def forget(self, run_id: str) -> None:
        """Take a run that is gone out of everything."""
        self._drop_history(run_id)
        self._marks.pop(run_id, None)
        self.model.remove(run_id)


def _mark(run: Run) -> tuple[int, int]:
    """Tells whether a run's files have changed."""
    marks = []
    for path in (run.folder / "summary.json", run.record):
        try:
            marks.append(path.stat().st_mtime_ns)
        except OSError:
            marks.append(0)
    return marks[0], marks[1]
