"""Opens the preview, and has looked at beside the window whatever it shows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QSize, QTimer, Slot
from PySide6.QtWidgets import QWidget

from workbench.experiment.registry import find
from workbench.gui import words
from workbench.gui.form.form import ExperimentForm
from workbench.gui.form.scan import Previewed, is_ink, previewed
from workbench.gui.jobs import Done, Jobs
from workbench.gui.preview.dialog import LOOKING, PreviewDialog
from workbench.gui.theme import Theme
from workbench.tasks.base import TaskSource
from workbench.tasks.looking.preview import examples, tasks

_PROGRESS_MILLISECONDS = 200
_KEYS = ("preview", "preview examples", "preview tasks")


class PreviewDesk(QObject):
    """Keeps the preview true while it is open.

    Attributes:
        dialog: The preview; None while it is closed.
    """

    def __init__(self, form: ExperimentForm, jobs: Jobs, theme: Theme, window: QWidget) -> None:
        super().__init__(window)
        self._form, self._jobs, self._theme, self._window = form, jobs, theme, window
        self.dialog: PreviewDialog | None = None
        self._source: TaskSource | None = None
        self._seed = 0
        self._size = QSize()
        self._pace = QTimer(self)
        self._pace.setInterval(_PROGRESS_MILLISECONDS)
        self._pace.timeout.connect(self._show_progress)
        form.data_changed.connect(self._look)
        jobs.job_ended.connect(self._job_ended)

    @Slot()
    def open(self) -> None:
        """Show the preview, or bring the open one to the front."""
        if self.dialog is None:
            self.dialog = PreviewDialog(self._theme, self._window, self._size if self._size.isValid() else None)
            self.dialog.others_requested.connect(self._draw_others)
            self.dialog.finished.connect(self._closed)
            self._form.check_now()  # so that what was typed a moment ago counts
            self._look()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        if self.dialog is not None:
            self.dialog.set_theme(theme)

    @Slot()
    @Slot(object)
    def _look(self, _: Any = None) -> None:
        if self.dialog is None:
            return
        for key in _KEYS[1:]:
            self._jobs.forget(key)
        self._seed = 0
        self._jobs.start("preview", partial(previewed, self._form.draft.tables()))
        self.dialog.show_busy(LOOKING)
        self._pace.start()

    @Slot()
    def _show_progress(self) -> None:
        if self.dialog is None or not self._jobs.is_busy("preview"):
            self._pace.stop()
            return
        done, total = self._jobs.progress("preview")
        if total:
            self.dialog.show_busy(f"Looking at the data: {done:,} of {total:,} read …")

    @Slot(str)
    def _draw_others(self, wanted: str) -> None:
        """Draw other examples or tasks; a drawing that is asked for while one is under way takes its place."""
        if self._source is None:
            return
        self._seed += 1
        draw = {"examples": examples, "tasks": tasks}[wanted]
        self._jobs.start(f"preview {wanted}", partial(draw, self._source, self._seed))

    @Slot(object)
    def _job_ended(self, done: Done) -> None:
        if self.dialog is None or done.key not in _KEYS:
            return
        if done.key == "preview":
            self._looked(self.dialog, done)
        elif done.error:
            self.dialog.show_failure(self._title(), done.error, ())
        elif done.key == "preview examples":
            self.dialog.show_examples(done.result)
        else:
            self.dialog.show_tasks(done.result)

    def _looked(self, dialog: PreviewDialog, done: Done) -> None:
        self._pace.stop()
        in_words = self._form.draft.in_words
        if done.error:
            self._source = None
            shown = self._form.card.shown
            known = shown.problems if shown is not None and not shown.is_usable else ()
            dialog.show_failure(self._title(), in_words(done.error), known)
            return
        found: Previewed = done.result
        self._source = found.source
        preview = replace(found.preview, why=in_words(found.preview.why), refusal=in_words(found.preview.refusal),
                          problems=tuple(in_words(one) for one in found.preview.problems))
        pictures = [one.values.transpose(1, 2, 0) for one in preview.examples if one.kind == "picture"]
        dialog.show_preview(self._title(), preview, is_ink=bool(pictures) and is_ink(tuple(pictures)))

    def _title(self) -> str:
        """The data by the name of their file or folder, else of the dataset."""
        name = words.last_part(self._form.draft.values().get("dataset.path"))
        return name or find("dataset", self._form.draft.picks["dataset"]).title

    @Slot()
    def _closed(self) -> None:
        """Give up what is still being looked at."""
        if self.dialog is not None:
            self._size = self.dialog.size()
        self.dialog = self._source = None
        self._pace.stop()
        for key in _KEYS:
            self._jobs.forget(key)
