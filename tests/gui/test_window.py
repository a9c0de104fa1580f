"""The window as a whole: what it remembers, its menus, colours, notices and dialogs, and that nothing is cut off."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QStandardPaths
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.helpers import FIRST, SECONDS, SHORT, OpenWindow, fill, press, question
from tests.gui.plots.histories import started
from workbench.experiment.resolve import resolve
from workbench.gui import settings
from workbench.gui.actions import COMMANDS, MENUS, SEPARATOR, SUBMENUS
from workbench.gui.dialogs import Notice
from workbench.gui.saving_place import SavingPlace
from workbench.gui.theme import DARK, LIGHT
from workbench.gui.window import MainWindow
from workbench.runs.recording import recorded
from workbench.runs.store import RunStore


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
