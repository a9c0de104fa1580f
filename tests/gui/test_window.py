"""The window: what it remembers, how it closes, what can be dropped on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QStandardPaths
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QMenu, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.helpers import (
    ENDLESS,
    SECONDS,
    SHORT,
    OpenWindow,
    drop,
    fill,
    has_stepped,
    is_idle,
    press,
    status_of,
    tables,
)
from tests.gui.plots.histories import started
from workbench.experiment.resolve import resolve, to_toml
from workbench.gui import settings
from workbench.gui.actions import COMMANDS, MENUS, SEPARATOR, SUBMENUS
from workbench.gui.background import BackgroundSign
from workbench.gui.dialogs import Notice
from workbench.gui.saving_place import SavingPlace
from workbench.gui.theme import DARK, LIGHT
from workbench.gui.way_back import Door, knock
from workbench.gui.window import MainWindow
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunStore

FIRST = "maml-sinusoids-0001"


def start_endless(qtbot: QtBot, window: MainWindow) -> None:
    """Begin a run that does not end by itself."""
    fill(window, ENDLESS)
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)


def question(window: MainWindow, name: str = "closeQuestion") -> QDialog:
    """The question that is open."""
    found = window.findChild(QDialog, name)
    assert found is not None
    return found


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of nine classes of four small pictures, one of them broken."""
    root = tmp_path / "leaves"
    for number in range(9):
        (root / f"class {number}").mkdir(parents=True)
        for one in range(4):
            Image.new("L", (20, 20), 20 * number + one).save(root / f"class {number}" / f"{one}.png")
    (root / "class 0" / "broken.png").write_bytes(b"no picture")
    return root


class Shown(QObject):
    """Writes down every widget that comes onto the screen as a window of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - as Qt calls it
        """Note, and let it pass."""
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.names.append(f"{type(watched).__name__} {watched.objectName()}".strip())
        return False


def test_nothing_but_the_window_itself_comes_onto_the_screen_as_a_window(
        qtbot: QtBot, qapp: QApplication, open_window: OpenWindow) -> None:
    shown = Shown()
    qapp.installEventFilter(shown)
    window = open_window()
    fill(window, SHORT)
    press(window.panel, "start")
    for number in range(window.plots.tabs.count()):
        window.plots.tabs.setCurrentIndex(number)
        qtbot.wait(60)
    window.actions_["theme_dark"].trigger()
    qapp.removeEventFilter(shown)
    assert shown.names == ["MainWindow mainWindow"]


# Remembering


def test_the_state_is_restored_at_the_next_start(qtbot: QtBot, open_window: OpenWindow, runs_folder: Path) -> None:
    for _ in recorded(RunStore(runs_folder).create(resolve(SHORT))):
        pass
    first = open_window()
    first.actions_["theme_dark"].trigger()
    fill(first, SHORT)
    first.desk.model.tick(FIRST)
    first.runs.focus(FIRST)
    first.resize(777, 555)
    first.close()
    second = open_window()
    assert second.panel.form.experiment == resolve(SHORT)
    assert [row.run.id for row, _ in second.desk.model.drawn()] == [FIRST]
    assert second.desk.focused == FIRST
    assert second.actions_["theme_dark"].isChecked()
    assert (second.width(), second.height()) == (777, 555)
    qtbot.waitUntil(lambda: [one.id for one in second.desk.shown()] == [FIRST], timeout=SECONDS)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 99}',
                                    '{"version": 1, "form": 3, "geometry": "no", "ticked": {"x": "y"}, "tab": "z"}'])
def test_damaged_settings_never_block_the_start(own_folders: Path, open_window: OpenWindow, damage: str) -> None:
    settings.path().parent.mkdir(parents=True)
    settings.path().write_text(damage, encoding="utf8")
    assert open_window().panel.form.experiment is not None


# Closing


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


# Folders


def test_a_dropped_folder_fills_the_form_and_shows_what_it_is(
        qtbot: QtBot, window: MainWindow, pictures: Path) -> None:
    fill(window, {"task": {"ways": 2}})
    drop(window, pictures)
    card = window.panel.form.card
    qtbot.waitUntil(lambda: card.shown is not None and bool(card.shown.problems), timeout=SECONDS)
    assert window.panel.form.draft.picks["dataset"] == "image_folder"
    assert window.panel.form.draft.values()["dataset.path"] == str(pictures)
    facts = window.panel.findChild(QLabel, "dataset.facts")
    assert facts is not None
    assert "Pictures by class" in facts.text()


def test_every_problem_of_a_folder_can_be_read_and_copied(qtbot: QtBot, window: MainWindow, pictures: Path) -> None:
    fill(window, {"dataset": {"name": "image_folder", "path": str(pictures)}, "task": {"ways": 20}})
    card = window.panel.form.card
    qtbot.waitUntil(lambda: card.shown is not None and not card.shown.is_usable, timeout=SECONDS)
    assert not window.panel.start.isEnabled()
    assert "20-way" in window.panel.start.toolTip()
    press(window.panel, "dataset.details")
    report = question(window, "report")
    text = report.findChildren(QPlainTextEdit)[0].toPlainText()
    assert str(pictures) in text
    assert "broken.png" in text
    press(report, "report.copy")
    assert QGuiApplication.clipboard().text() == text
    press(report, "report.close")


def test_a_dropped_experiment_file_fills_the_form(window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    path.write_text(to_toml(resolve(SHORT | {"seed": 9})), encoding="utf8")
    drop(window, path)
    window.panel.form.check_now()
    assert window.panel.form.experiment == resolve(SHORT | {"seed": 9})


def test_a_file_that_is_no_experiment_is_refused_in_words(window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    path.write_text("[dataset]\nname = 'nothing'\n", encoding="utf8")
    drop(window, path)
    assert "no dataset is called 'nothing'" in window.log.text()


# Runs


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


# The whole


def test_light_and_dark_follow_the_pin_at_once(window: MainWindow) -> None:
    window.actions_["theme_dark"].trigger()
    assert window.palette().window().color().name() == DARK.window
    window.actions_["theme_light"].trigger()
    assert window.palette().window().color().name() == LIGHT.window


def test_the_commands_and_the_menus_know_each_other() -> None:
    named = {name for names in MENUS.values() for name in names if name != SEPARATOR} - SUBMENUS.keys()
    named |= {name for _, names in SUBMENUS.values() for name in names}
    assert named == {command.id for command in COMMANDS}
    shortcuts = [command.shortcut for command in COMMANDS if command.shortcut]
    assert len(shortcuts) == len(set(shortcuts))
    assert all(re.fullmatch(r"[A-Z].*\.", command.tip) for command in COMMANDS)


def test_the_colors_are_a_menu_of_their_own(window: MainWindow) -> None:
    view = next(action.menu() for action in window.menuBar().actions() if action.text() == "&View")
    assert isinstance(view, QMenu)
    colors = next(action.menu() for action in view.actions() if action.text() == "Colours")
    assert isinstance(colors, QMenu)
    assert [action.text() for action in colors.actions()] == ["Follow the system", "Light", "Dark"]


def test_a_notice_moves_nothing_and_leaves_the_tabs_free(qtbot: QtBot, window: MainWindow) -> None:
    before = window.plots.geometry()
    many = "so many words that they need a second line, and then a third one, too. " * 6
    for words in ("short", *(many[:count] for count in range(60, len(many), 9))):
        window.say(words, "warn")
        notice = window.findChild(Notice)
        assert notice is not None
        assert notice.isVisible()
        assert window.plots.geometry() == before
        bar = window.plots.tabs.tabBar()
        last = bar.mapTo(window, bar.tabRect(bar.count() - 1).topRight())
        assert not QRect(notice.mapTo(window, QPoint(0, 0)), notice.size()).contains(last)
        text = notice.findChild(QLabel, "notice.text")
        assert text is not None
        assert text.height() >= text.heightForWidth(text.width())
    press(notice, "notice.close")
    assert not notice.isVisible()


def test_a_notice_about_the_same_data_is_shown_once(
        qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, str]] = []
    monkeypatch.setattr("workbench.gui.training_commands.spoken", lambda event: iter([("left out", "warn")]))
    window.training.said.connect(lambda text, tone: said.append((text, tone)))
    run = window.desk.store.create(resolve(SHORT))
    window.desk.controller.run = run
    for _ in range(2):
        window.training._event_arrived(started())
    window.desk.controller.run = None
    assert said == [(f"{run.id}: left out", "warn"), (f"{run.id}: left out", "")]


def test_dialogs_for_saving_begin_where_something_was_saved_the_last_time(
        window: MainWindow, open_window: OpenWindow, tmp_path: Path) -> None:
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    first = Path(documents) if Path(documents).is_dir() else Path.home()
    assert window._place.suggest("one.toml") == str(first / "one.toml")
    window._place.took(tmp_path / "one.toml")
    assert SavingPlace.of(window.plots).suggest("two.svg") == str(tmp_path / "two.svg")
    window.close()
    assert open_window()._place.suggest("three.toml") == str(tmp_path / "three.toml")


def test_help_and_about_open(window: MainWindow) -> None:
    for name, dialog in (("help", "helpPages"), ("about", "aboutProgram")):
        window.actions_[name].trigger()
        opened = question(window, dialog)
        assert opened.isVisible()
        opened.close()


@pytest.mark.parametrize(("width", "height", "points"), [(1440, 900, 10), (1280, 800, 10), (1280, 800, 14),
                                                         (853, 533, 10)])
def test_nothing_is_cut_off(qtbot: QtBot, qapp: QApplication, open_window: OpenWindow, width: int, height: int,
                            points: int) -> None:
    before = qapp.font()
    larger = qapp.font()
    larger.setPointSize(points)
    qapp.setFont(larger)
    try:
        window = open_window()
        window.resize(width, height)
        window._reset_layout()
        qtbot.waitExposed(window)
        assert (window.width(), window.height()) == (width, height)
        cut = [one.objectName() for one in window.panel.findChildren(QWidget)
               if one.objectName() and one.isVisible() and not one.inherits("QLineEdit")
               and one.minimumSizeHint().width() > one.width() + 1]
        assert cut == []
        right = window.panel.mapTo(window, QPoint(window.panel.width(), 0)).x()
        assert right < width * 0.62
    finally:
        qapp.setFont(before)


def test_pages_of_the_keyboard_reach_form_runs_and_log(qtbot: QtBot, window: MainWindow) -> None:
    window.log.say("something happened")
    for action, name in (("go_to_form", "preset"), ("go_to_log", "log")):
        window.actions_[action].trigger()
        focused = window.focusWidget()
        assert focused is not None
        assert focused.objectName() == name


PROGRAM = """
import gc, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from workbench.gui import app
from workbench.gui.window import MainWindow

def look():
    for window in QApplication.topLevelWidgets():
        if isinstance(window, MainWindow) and (is_early or window.is_furnished and gc.isenabled()):
            print(is_early, gc.isenabled(), gc.get_freeze_count() > 0)
            poll.stop()
            window.close()

is_early = sys.argv[1] == "early"
app.LOADING_MILLISECONDS = 1
app.application()
poll = QTimer()
poll.timeout.connect(look)
poll.start(5)
assert app.run_window() == 0
print(gc.isenabled())
"""


@pytest.mark.parametrize(("moment", "said"), [("early", "True False False True"), ("late", "False True True True")])
def test_garbage_is_looked_for_once_everything_is_loaded(own_folders: Path, moment: str, said: str) -> None:
    program = subprocess.run([sys.executable, "-c", PROGRAM, moment], check=True, timeout=120, stdout=subprocess.PIPE,
                             text=True, env=os.environ | {"QT_QPA_PLATFORM": "offscreen"})
    assert program.stdout.split() == said.split()
