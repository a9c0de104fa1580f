"""Everything about data: looking at the dataset, opening folders of one's own, downloads."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench import places
from workbench.experiment.experiment import TaskConfig
from workbench.experiment.registry import find
from workbench.gui import words
from workbench.gui.dialogs import ReportDialog
from workbench.gui.form.form import ExperimentForm
from workbench.gui.form.scan import Look, Opened, look, open_data
from workbench.gui.jobs import Done, Jobs
from workbench.tasks.base import TaskSource

_PROGRESS_MILLISECONDS = 200


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
        last_folder: Where the last folder was picked.

    Signals:
        said(str, str): Something to tell, and its tone.
    """

    said = Signal(str, str)

    def __init__(self, form: ExperimentForm, jobs: Jobs, window: QWidget) -> None:
        super().__init__(window)
        self._form, self._jobs, self._window = form, jobs, window
        self._download: _Download | None = None
        self.last_folder = ""
        self._pace = QTimer(self)
        self._pace.setInterval(_PROGRESS_MILLISECONDS)
        self._pace.timeout.connect(self._show_download)
        form.data_changed.connect(self._look)
        form.card.open_requested.connect(self.ask_for_folder)
        form.card.details_requested.connect(self.show_details)
        form.card.download_requested.connect(self._download_or_cancel)
        jobs.job_ended.connect(self._job_ended)
        form.look_again()

    @Slot(object)
    def _look(self, tables: dict[str, Any]) -> None:
        self._form.card.show_looking()
        self._jobs.start("look", partial(look, tables))

    @Slot(object)
    def _job_ended(self, done: Done) -> None:
        answers = {"look": self._looked, "recognize": self._recognized, "download": self._downloaded}
        if done.key in answers:
            answers[done.key](done)

    def _looked(self, done: Done) -> None:
        result = done.result if not done.error else Look(
            find("dataset", self._form.draft.picks["dataset"]).title, problems=(done.error,), is_usable=False)
        self._form.show_look(result)

    # Folders of one's own

    @Slot()
    def ask_for_folder(self) -> None:
        """Let the person pick a folder."""
        self._ask(Path(self.last_folder or Path.home()))

    @Slot()
    def ask_for_sample(self) -> None:
        """Let the person pick one of the small folders that come with the program."""
        self._ask(places.sample_tasks())

    def _ask(self, start: Path) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, "Open task folder", str(start))
        if folder:
            self.open_folder(Path(folder))

    def open_folder(self, folder: Path) -> None:
        """Find out what a folder is, and fill the form with it."""
        self.last_folder = str(folder.parent)
        self.said.emit(f"Looking at {folder} …", "muted")
        values = self._form.draft.values()
        task = TaskConfig(**{name: values[f"task.{name}"] for name in ("ways", "shots", "queries")})
        self._jobs.start("recognize", partial(open_data, folder, task))

    def _recognized(self, done: Done) -> None:
        if done.error:
            self.said.emit(done.error, "bad")
            return
        found: Opened = done.result
        if not found.dataset:
            self.said.emit(found.message, "warn")
            return
        will_do = found.report["usable"]
        self.said.emit(f"{found.message}{'' if will_do else ', but it will not do as it is: the form says why'}.",
                       "" if will_do else "warn")
        self._form.take_data(found.dataset, found.settings, found.experiment)

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
        self._show_download()

    @Slot()
    def _show_download(self) -> None:
        if self._download is not None:
            self._form.card.show_download(self._download.text())

    def _downloaded(self, done: Done) -> None:
        was_cancelled = self._download is not None and self._download.cancelled.is_set()
        self._download = None
        self._pace.stop()
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
