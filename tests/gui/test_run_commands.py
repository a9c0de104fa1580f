"""What can be done with a run in the table: loaded into the form, deleted, exported."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from tests.gui.helpers import FIRST, SECONDS, SHORT, is_idle, press, question, start_endless
from workbench.experiment.resolve import resolve
from workbench.gui.window import MainWindow
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunStore


def test_a_run_is_loaded_into_the_form(qtbot: QtBot, window: MainWindow, runs_folder: Path) -> None:
    RunStore(runs_folder).create(resolve(SHORT | {"seed": 5}))
    window.desk.look_at_disk()
    window.runs.focus(FIRST)
    window.actions_["load_run"].trigger()
    window.panel.form.check_now()
    assert window.panel.form.experiment == resolve(SHORT | {"seed": 5})


def test_deleting_a_run_asks(qtbot: QtBot, window: MainWindow, runs_folder: Path) -> None:
    for _ in recorded(RunStore(runs_folder).create(resolve(SHORT))):
        pass
    window.desk.look_at_disk()
    window.runs.focus(FIRST)
    window.actions_["delete"].trigger()
    press(question(window, "deleteQuestion"), "answer.keep")
    assert (runs_folder / FIRST).is_dir()
    qtbot.waitUntil(lambda: window.findChild(QDialog, "deleteQuestion") is None)
    window.actions_["delete"].trigger()
    press(question(window, "deleteQuestion"), "answer.delete")
    assert not (runs_folder / FIRST).exists()
    assert window.desk.model.rowCount() == 0


def test_a_finished_run_is_exported(qtbot: QtBot, window: MainWindow, runs_folder: Path, tmp_path: Path) -> None:
    run = RunStore(runs_folder).create(resolve(SHORT))
    for _ in recorded(run):
        pass
    window.desk.look_at_disk()
    window._run_commands.export_to(run, tmp_path / "learner.safetensors")
    qtbot.waitUntil(lambda: "Exported to" in window.log.text(), timeout=SECONDS)
    assert (tmp_path / "learner.safetensors").stat().st_size > 0


def test_what_cannot_be_done_is_grey_and_says_why(window: MainWindow) -> None:
    assert not window.actions_["resume"].isEnabled()
    assert window.actions_["resume"].toolTip() == "Pick a run in the table first."


def test_a_run_s_folder_is_looked_into_only_when_something_has_happened(
        qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    looked = Run.checkpoints

    def counted(run: Run) -> list[Path]:
        if threading.current_thread() is threading.main_thread():
            looks.append(run.id)
        return looked(run)

    monkeypatch.setattr(Run, "checkpoints", counted)
    start_endless(qtbot, window)
    qtbot.waitUntil(lambda: not window._run_commands.possible().get("export"), timeout=SECONDS)
    before, step = len(looks), window.desk.controller.history.step
    for _ in range(100):
        window.desk.model.refresh(FIRST, window.desk.controller.history)
    qtbot.waitUntil(lambda: window.desk.controller.history.step > step + 20, timeout=SECONDS)
    assert len(looks) == before
    press(window.panel, "stop")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert window.actions_["resume"].isEnabled()
    assert len(looks) > before
