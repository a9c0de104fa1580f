"""Experiment files, and the folder that runs are kept in."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.resolve import read_toml, resolve, to_toml
from workbench.gui.desk import RunDesk
from workbench.gui.form.form import ExperimentForm
from workbench.gui.saving_place import SavingPlace
from workbench.runs.store import RunStore

_FILES = "Experiments (*.toml)"


class FileCommands(QObject):
    """Opens and saves what the form says, and moves to another folder of runs.

    Signals:
        said(str, str): Something to tell, and its tone.
        folder_picked(str): Runs are kept in another folder from now on.
    """

    said = Signal(str, str)
    folder_picked = Signal(str)

    def __init__(self, desk: RunDesk, form: ExperimentForm, place: SavingPlace, window: QWidget) -> None:
        super().__init__(window)
        self._place = place
        self._desk, self._form, self._window = desk, form, window

    @Slot()
    def ask_for_experiment(self) -> None:
        """Let the person pick an experiment file."""
        name, _ = QFileDialog.getOpenFileName(self._window, "Open experiment", self._place.suggest(), _FILES)
        if name:
            self._place.took(Path(name))
            self.open_experiment(Path(name))

    def open_experiment(self, path: Path) -> None:
        """Fill the form from an experiment file."""
        try:
            tables = read_toml(path)
            tables.pop("preset", None)
            resolve(tables)
        except ExperimentError as error:
            self.said.emit(f"{path.name} is no experiment that can be run: {error}", "bad")
            return
        self._form.take(tables)

    @Slot()
    def save_experiment(self) -> None:
        """Keep what the form says as a file."""
        experiment = self._form.experiment
        if experiment is None:
            self._form.focus_problem()
            return
        name, _ = QFileDialog.getSaveFileName(self._window, "Save experiment", self._place.suggest("experiment.toml"),
                                              _FILES)
        if name:
            self._place.took(Path(name))
            try:
                Path(name).write_text(to_toml(experiment), encoding="utf8")
            except OSError as error:
                self.said.emit(f"{name} cannot be written ({error})", "bad")

    @Slot()
    def ask_for_runs_folder(self) -> None:
        """Let the person pick where runs are kept."""
        name = QFileDialog.getExistingDirectory(self._window, "Runs folder", str(self._desk.store.folder))
        if name and self._desk.controller.is_training:
            self.said.emit("Another runs folder can be picked when the training has ended", "warn")
        elif name:
            self._desk.move_to(RunStore(Path(name)))
            self.folder_picked.emit(name)
