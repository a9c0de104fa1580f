"""Everything about data: looking at the dataset, opening what is one's own, samples, downloads."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from workbench import places
from workbench.engine.memory.outline import Outline
from workbench.experiment.registry import find
from workbench.experiment.resolve import with_values
from workbench.gui import words
from workbench.gui.dialogs import ReportDialog
from workbench.gui.form.form import ExperimentForm
from workbench.gui.form.scan import Look, Opened, look, open_data
from workbench.gui.jobs import Done, Jobs
from workbench.gui.samples import samples
from workbench.tasks.base import TaskSource
from workbench.tasks.files.array_files import SUFFIXES as ARRAYS
from workbench.tasks.files.delimited import TABLE_SUFFIXES
from workbench.tasks.files.json_lines import JSON_LINES_SUFFIXES
from workbench.tasks.files.series_files import TABLES as SERIES_TABLES
from workbench.tasks.looking.preview import floors_of

_PROGRESS_MILLISECONDS = 200
_PATIENCE_SECONDS = 1.0
_LOOKING = ("recognize", "look")
# What some dataset reads as a file of its own; the archive of CIFAR-100 is the only one that is packed otherwise.
_SUFFIXES = TABLE_SUFFIXES | JSON_LINES_SUFFIXES | SERIES_TABLES | ARRAYS | {".zip", ".tar.gz"}
_FILES = (f"Data ({' '.join(f'*{suffix}' for suffix in sorted(_SUFFIXES))})", "All files (*)")


class _Download:
    """How far a download is; written by its thread and read by the window's."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.done = 0
        self.total = 0
        self.begun = time.monotonic()

    def tell(self, done: int, total: int) -> None:
        """Called as it goes."""
        self.done, self.total = done, total

    def text(self) -> str:
        """How far it is, in words."""
        share = f" of {words.size(self.total)}" if self.total else ""
        return f"Downloading: {words.size(self.done)}{share} …"


class DataDesk(QObject):
    """Keeps the dataset's card true.

    Attributes:
        last_folder: Where the last folder or file was picked.
        sample_menu: The samples, to be opened.

    Signals:
        said(str, str): Something to tell, and its tone.
        began(): Something is being opened.
        new_task_opened(Path): What was opened is one new task, to be predicted and not to be trained on.
    """

    said = Signal(str, str)
    began = Signal()
    new_task_opened = Signal(object)

    def __init__(self, form: ExperimentForm, jobs: Jobs, window: QWidget) -> None:
        super().__init__(window)
        self._form, self._jobs, self._window = form, jobs, window
        self._download: _Download | None = None
        self._opening = ""
        self._refused = self._opened = ""
        self._looked_at: dict[str, Any] = {}
        self._fitted: dict[str, Any] = {}
        self._since = 0.0
        self.last_folder = ""
        self.sample_menu = self._samples(window)
        self._pace = QTimer(self)
        self._pace.setInterval(_PROGRESS_MILLISECONDS)
        self._pace.timeout.connect(self._show_progress)
        form.data_changed.connect(self._look)
        form.card.cancel_requested.connect(self._cancel_or_look)
        form.card.details_requested.connect(self.show_details)
        form.card.download_requested.connect(self._download_or_cancel)
        jobs.job_ended.connect(self._job_ended)
        form.look_again()

    @Slot(object)
    def _look(self, tables: dict[str, Any]) -> None:
        if tables == self._fitted:  # with what they demanded, data that were just opened have been looked at
            return
        self._looked_at = tables
        draft = self._form.draft
        is_new = self._opened and self._opened == str(tables["dataset"].get("path"))
        decided = frozenset(draft.typed(draft.picks["dataset"])) if is_new else None
        self._form.card.show_looking()
        self._jobs.forget("floors")
        self._jobs.start("look", partial(look, tables, decided))
        self._wait()

    def _wait(self) -> None:
        """Say how far it is as soon as it takes a while."""
        self._since = time.monotonic()
        self._pace.start()

    @Slot()
    def _show_progress(self) -> None:
        busy = [key for key in _LOOKING if self._jobs.is_busy(key)]
        if self._download is not None:
            self._form.card.show_download(self._download.text())
        elif not busy:
            self._pace.stop()
        elif time.monotonic() - self._since >= _PATIENCE_SECONDS:
            done, total = self._jobs.progress(busy[0])
            what = self._opening if busy[0] == "recognize" else "the data"
            self._form.card.show_busy(f"Looking at {what}: {done:,} of {total:,} read …" if total else
                                      f"Looking at {what} …")

    @Slot()
    def _cancel_or_look(self) -> None:
        """Give up looking at the data; or look again, where that was given up."""
        busy = [key for key in _LOOKING if self._jobs.is_busy(key)]
        for key in busy:
            self._jobs.forget(key)
        if "recognize" in busy:
            self.said.emit(f"Opening {self._opening} was given up", "muted")
        if not busy or busy == ["recognize"]:
            self._form.look_again()
        else:
            self._form.card.show_given_up()

    @Slot(object)
    def _job_ended(self, done: Done) -> None:
        answers = {"look": self._looked, "floors": self._measured, "recognize": self._recognized,
                   "download": self._downloaded}
        if done.key in answers:
            answers[done.key](done)

    def _looked(self, done: Done) -> None:
        result = done.result if not done.error else Look(
            find("dataset", self._form.draft.picks["dataset"]).title, problems=(done.error,), is_usable=False)
        if not self._follow(result):
            return
        if result.source is not None:  # not kept: what it holds in memory is of no use to the card
            source, experiment = result.source
            self._jobs.start("outline", partial(Outline, experiment, source))
            self._jobs.start("floors", partial(floors_of, source, experiment))
        self._form.show_look(replace(result, source=None))
        path = str(self._form.draft.values().get("dataset.path") or "")
        if path == self._opened:
            self._opened = ""
        if result.is_usable and path and path == self._refused:  # else what was said of them would still stand there
            self._refused = ""
            self.said.emit("The data will do now. “Preview…” (Ctrl+D) shows their classes, examples and tasks.", "good")

    def _follow(self, look: Look) -> bool:
        """Set what data that were just opened demanded, and say whether the look at them still counts: the report on
        them knew neither the algorithm nor the fields of its training."""
        draft = self._form.draft
        if not look.changes.keys().isdisjoint(draft.typed(draft.picks["dataset"])):
            return False  # said since, and about to be looked at
        if look.changes:
            self.said.emit(draft.in_words(look.note), "")
            self._fitted = with_values(self._looked_at, look.changes)
            self._form.follow(look.changes)
            self._fitted = {}
        return not self._jobs.is_busy("look")

    def _measured(self, done: Done) -> None:
        if not done.error:  # else the training will say what is wrong with its tasks
            self._form.card.show_floors(done.result)

    # Data of one's own, and samples

    @Slot()
    def ask_for_folder(self) -> None:
        """Let the person pick a folder."""
        folder = QFileDialog.getExistingDirectory(self._window, "Open data folder", self._start())
        if folder:
            self.open_path(Path(folder))

    @Slot()
    def ask_for_file(self) -> None:
        """Let the person pick a table, an archive or whatever else is one file."""
        file, _ = QFileDialog.getOpenFileName(self._window, "Open data file", self._start(), ";;".join(_FILES))
        if file:
            self.open_path(Path(file))

    def _start(self) -> str:
        """Where the person picked something the last time."""
        return self.last_folder or str(Path.home())

    def _samples(self, window: QWidget) -> QMenu:
        """The samples; those that nothing can be trained on come last."""
        menu = QMenu("Open sample", window)
        menu.setObjectName("samples")
        menu.setToolTipsVisible(True)
        known = sorted(samples(), key=lambda one: one.is_new_task)
        for before, one in zip([None, *known], known, strict=False):
            if before is not None and before.is_new_task != one.is_new_task:
                menu.addSeparator()
            action = menu.addAction(f"{one.title}: {one.form}" if one.form else one.title)
            action.setObjectName(f"sample.{one.path.name}")
            action.setToolTip(one.about)
            action.triggered.connect(partial(self._open_sample, one.path))
        if not known:
            menu.addAction("There are no samples here").setEnabled(False)
        return menu

    def _open_sample(self, path: Path, _: bool = False) -> None:
        """Open a sample; the next dialog begins where the person's own data lie all the same."""
        kept = self.last_folder
        self.open_path(path)
        self.last_folder = kept

    @Slot()
    def pop_samples_up(self) -> None:
        """Show the samples below the button that opens data."""
        button = self._form.card.open_button
        self.sample_menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    @Slot(str)
    def open_named_sample(self, name: str) -> None:
        """Open the sample of this file name."""
        for one in samples():
            if one.path.name == name:
                self._open_sample(one.path)

    def open_path(self, path: Path) -> None:
        """Find out what a folder or a file is, and fill the form with it."""
        self.last_folder, self._opening = str(path.parent), path.name
        self.began.emit()
        self.said.emit(f"Looking at {path} …", "muted")
        # What only suits the data that were there before says nothing about these.
        task = {dotted.removeprefix("task."): value for dotted, value in self._form.draft.typed().items()
                if dotted.startswith("task.")}
        self._jobs.start("recognize", partial(open_data, path, task))
        self._wait()

    def _recognized(self, done: Done) -> None:
        found: Opened | None = done.result
        if found is None or not found.dataset:
            if found is not None and found.is_new_task:
                self.new_task_opened.emit(found.path)
            else:
                self.said.emit(found.message if found else done.error, "warn" if found else "bad")
            if self._form.card.shown is not None and not self._jobs.is_busy("look"):
                self._form.card.show_look(self._form.card.shown)  # in place of how far opening was
            return
        will_do = found.report["usable"]
        self._refused = "" if will_do else found.settings.get("path", "")
        self._opened = found.settings.get("path", "")
        rest = ". “Preview…” (Ctrl+D) shows what is in it." if will_do else \
            ", but it will not do as it is: the form says why." if found.is_known else ": the form says why."
        self._form.take_data(found.dataset, found.settings, found.experiment)
        note = f". {self._form.draft.in_words(found.report['note'])}" if found.report["note"] else ""
        otherwise = f" Otherwise, {found.report['otherwise']}." if found.report["otherwise"] else ""
        self.said.emit(f"{found.message}{note}{rest}{otherwise}", "good" if will_do else "warn")

    @Slot()
    def show_details(self) -> None:
        """Everything that was found, to be read and copied."""
        shown = self._form.card.shown
        if shown is not None:
            path = self._form.draft.values().get("dataset.path")
            text = "\n".join(part for part in (str(path) if path else "", shown.report()) if part)
            ReportDialog(f"Dataset: {shown.title}", text, self._window).open()

    # Downloads

    @Slot()
    def _download_or_cancel(self) -> None:
        if self._download is not None:
            self._download.cancelled.set()
            return
        dataset = cast("type[TaskSource]", find("dataset", self._form.draft.picks["dataset"]))
        self._download = _Download()
        folder = places.datasets() / dataset.name()
        self.said.emit(f"Downloading {dataset.title} to {folder} …", "muted")
        self._jobs.start("download", partial(dataset.download, folder, self._download.tell,
                                             self._download.cancelled.is_set))
        self._pace.start()
        self._show_progress()

    def _downloaded(self, done: Done) -> None:
        was_cancelled = self._download is not None and self._download.cancelled.is_set()
        self._download = None
        if was_cancelled:
            self.said.emit("The download was given up; nothing half-done was left behind", "muted")
        elif done.error:
            self.said.emit(done.error, "bad")
        else:
            self.said.emit(f"Downloaded to {done.result}", "good")
            self._form.draft.set("dataset.path", str(done.result))
        self._form.look_again()

    def close(self) -> None:
        """Give a download up."""
        self._pace.stop()
        if self._download is not None:
            self._download.cancelled.set()
