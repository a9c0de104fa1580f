"""How the window closes: what it asks, training on in the background, and the way back from there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QDialog, QLabel
from pytestqt.qtbot import QtBot

from tests.gui.helpers import (
    ENDLESS,
    FIRST,
    SECONDS,
    OpenWindow,
    fill,
    has_stepped,
    is_idle,
    press,
    question,
    start_endless,
    status_of,
    tables,
)
from workbench.gui import settings
from workbench.gui.background import BackgroundSign
from workbench.gui.way_back import Door, knock
from workbench.gui.window import MainWindow
from workbench.runs.store import RunStore


def test_an_idle_window_closes_without_a_question(qtbot: QtBot, window: MainWindow) -> None:
    with qtbot.waitSignal(window.left):
        window.close()
    assert not window.isVisible()


def test_staying_changes_nothing(qtbot: QtBot, window: MainWindow) -> None:
    start_endless(qtbot, window)
    window.close()
    assert window.isVisible()
    press(question(window), "answer.stay")
    step = window.desk.controller.history.step
    qtbot.waitUntil(lambda: window.desk.controller.history.step > step, timeout=SECONDS)
    assert window.isVisible()


def test_the_escape_key_stays(qtbot: QtBot, window: MainWindow) -> None:
    start_endless(qtbot, window)
    window.close()
    question(window).reject()
    assert window.isVisible()
    assert not is_idle(window)


def test_stopping_and_closing_loses_no_step(qtbot: QtBot, window: MainWindow, runs_folder: Path) -> None:
    start_endless(qtbot, window)
    window.close()
    with qtbot.waitSignal(window.left, timeout=SECONDS):
        press(question(window), "answer.stop")
    run = RunStore(runs_folder).find(FIRST)
    assert run.summary().status == "stopped"
    assert run.history().step == window.desk.controller.history.step == run.state().step


def test_who_ends_the_session_is_not_asked_any_more(qtbot: QtBot, window: MainWindow, runs_folder: Path) -> None:
    start_endless(qtbot, window)
    window.close()
    asked = question(window)
    with qtbot.waitSignal(window.left, timeout=SECONDS):
        window.closing.stop_and_leave()
        assert not asked.isVisible()
    assert RunStore(runs_folder).find(FIRST).summary().status == "stopped"


def finish_in_background(qtbot: QtBot, window: MainWindow, experiment: dict[str, Any]) -> None:
    """Begin a run and close the window without stopping it."""
    fill(window, experiment)
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)
    window.close()
    press(question(window), "answer.background")
    assert not is_idle(window)


def test_finishing_in_the_background_ends_with_the_run(
        qtbot: QtBot, window: MainWindow, open_window: OpenWindow, runs_folder: Path) -> None:
    finish_in_background(qtbot, window, tables(iterations=400, validate_every=400))
    other = open_window()
    assert status_of(other, FIRST) == "running"
    other.runs.focus(FIRST)
    assert not other.actions_["resume"].isEnabled()
    with qtbot.waitSignal(window.left, timeout=SECONDS):
        pass
    assert RunStore(runs_folder).find(FIRST).summary().status == "finished"
    qtbot.waitUntil(lambda: status_of(other, FIRST) == "finished", timeout=SECONDS)


@pytest.mark.qt_log_ignore("No such signal QPlatformNativeInterface::systemTrayWindowChanged", extend=True)
@pytest.mark.parametrize("has_tray", [True, False])
def test_a_window_in_the_background_can_be_opened_again_and_stays(
        qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch, has_tray: bool) -> None:
    monkeypatch.setattr("workbench.gui.closing.has_tray", lambda: has_tray)
    finish_in_background(qtbot, window, ENDLESS)
    assert window.isMinimized() != has_tray
    assert window.isVisible() != has_tray
    if has_tray:
        window.findChildren(BackgroundSign)[0].window_requested.emit()
    else:
        window.showNormal()
    qtbot.waitUntil(lambda: window.isVisible() and not window.isMinimized())
    with qtbot.assertNotEmitted(window.left):
        window.desk.controller.stop()
        qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert QApplication.quitOnLastWindowClosed()


def test_closing_a_minimized_window_asks_where_it_can_be_seen(qtbot: QtBot, window: MainWindow) -> None:
    finish_in_background(qtbot, window, ENDLESS)
    qtbot.waitUntil(lambda: window.findChild(QDialog, "closeQuestion") is None)
    window.close()
    assert not window.isMinimized()
    press(question(window), "answer.stay")
    assert not is_idle(window)


def test_going_into_the_background_remembers_and_ending_there_overwrites_nothing(
        qtbot: QtBot, window: MainWindow) -> None:
    window.actions_["theme_dark"].trigger()
    finish_in_background(qtbot, window, ENDLESS)
    assert settings.load().theme == "dark"
    assert settings.load().ticked == {FIRST: 0}
    newer = settings.load()
    newer.theme = "light"
    settings.save(newer)
    with qtbot.waitSignal(window.left, timeout=SECONDS):
        window.desk.controller.stop()
    assert settings.load().theme == "light"


def test_the_question_says_how_the_window_comes_back(qtbot: QtBot, window: MainWindow) -> None:
    start_endless(qtbot, window)
    window.close()
    assert any("starting the program again" in label.text() for label in question(window).findChildren(QLabel))
    press(question(window), "answer.stay")


def test_starting_the_program_again_brings_the_window_back_and_ends(qtbot: QtBot, window: MainWindow) -> None:
    finish_in_background(qtbot, window, ENDLESS)
    assert window.isMinimized()
    with subprocess.Popen([sys.executable, "-m", "workbench"], stdout=subprocess.PIPE, text=True,
                          env=os.environ | {"QT_QPA_PLATFORM": "offscreen"}) as again:
        try:
            qtbot.waitUntil(lambda: again.poll() is not None, timeout=2 * SECONDS)
        finally:
            again.kill()
        assert again.stdout is not None
        assert again.stdout.read() == f"The window that trains {FIRST} in the background was brought back.\n"
    assert again.returncode == 0
    assert window.isVisible()
    assert not window.isMinimized()
    assert not is_idle(window)
    assert knock() == ""


def test_the_door_of_a_program_that_was_killed_is_cleared_away(qtbot: QtBot, own_folders: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", "import os\n"
                             "from workbench.gui.way_back import Door\n"
                             "assert Door().open('one')\nos._exit(9)"], check=False)
    assert killed.returncode == 9
    assert knock() == ""
    door = Door()
    assert door.open("another")
    door.close()


def test_each_of_two_windows_in_the_background_has_a_door(qtbot: QtBot, own_folders: Path) -> None:
    doors = Door(), Door()
    assert all(door.open(name) for door, name in zip(doors, ("one", "two"), strict=True))
    for door, name in zip(doors, ("one", "two"), strict=True):
        with subprocess.Popen([sys.executable, "-c", "from workbench.gui.way_back import knock; print(knock())"],
                              stdout=subprocess.PIPE, text=True) as caller:
            qtbot.waitSignal(door.knocked, timeout=SECONDS).wait()
            assert caller.stdout is not None
            assert caller.stdout.read().strip() == name
        door.close()
