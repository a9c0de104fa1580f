"""Keeps the line true that says how much memory the run would take that the form describes."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Slot

from workbench.engine.forecast import Forecast, foretold
from workbench.engine.memory.outline import Outline
from workbench.experiment.experiment import Experiment
from workbench.gui.form.panel import FormPanel
from workbench.gui.jobs import Done, Jobs


class MemoryDesk(QObject):
    """Has the memory of a run forecast whenever what would be run has changed."""

    def __init__(self, panel: FormPanel, jobs: Jobs, parent: QObject) -> None:
        super().__init__(parent)
        self._panel, self._jobs = panel, jobs
        self._outline: Outline | None = None
        self._asked: Experiment | None = None
        panel.form.data_changed.connect(self._forget)
        panel.form.checked.connect(self._ask)
        jobs.job_ended.connect(self._job_ended)

    @Slot()
    def _forget(self) -> None:
        """The data are others: nothing is known until they have been looked at."""
        self._outline = self._asked = None
        for key in ("outline", "forecast"):
            self._jobs.forget(key)
        self._panel.show_memory("")

    @Slot()
    def _ask(self) -> None:
        experiment = self._panel.form.experiment
        if experiment == self._asked or self._outline is None:
            return
        self._asked = experiment
        self._jobs.forget("forecast")
        if experiment is None:
            self._panel.show_memory("")
        else:
            self._jobs.start("forecast", partial(foretold, experiment, self._outline))

    @Slot(object)
    def _job_ended(self, done: Done) -> None:
        if done.key == "outline":
            self._outline = done.result
            self._ask()
        elif done.key == "forecast":
            self._show(done.result)

    def _show(self, found: Forecast | None) -> None:
        # Where nothing could be forecast, as for a device that is not there, the training says what is wrong.
        said = self._panel.form.draft.in_words(found.sentence()) if found else ""
        self._panel.show_memory(said[:1].upper() + said[1:], is_short=found is not None and not found.fits)
