"""Samples, data and experiments that are opened or dropped on the window, and looking at them that is given up."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QLabel, QMenu, QPlainTextEdit
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SECONDS, SHORT, OpenWindow, drop, fill, on, opened, press, question, said, settled
from workbench.experiment.resolve import resolve, to_toml
from workbench.gui.actions import OPEN_MENU
from workbench.gui.samples import samples
from workbench.gui.window import MainWindow
from workbench.places import sample_tasks
from workbench.tasks.files import pictures as reading


def test_every_sample_is_in_the_menus_and_opens(qtbot: QtBot, window: MainWindow) -> None:
    known = samples()
    there = {path.name for path in sample_tasks().iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {one.path.name for one in known if one.path.is_dir()} == there
    menu = window.actions_["open_samples"].menu()
    assert isinstance(menu, QMenu)
    actions = {action.objectName(): action for action in menu.actions() if not action.isSeparator()}
    assert set(actions) == {f"sample.{one.path.name}" for one in known}
    assert all(action.toolTip() for action in actions.values())
    actions["sample.alphabets"].trigger()
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert window.panel.form.draft.values()["dataset.path"] == str(sample_tasks() / "alphabets")
    assert "Ctrl+D" in window.log.text()
    assert window._data.last_folder == ""


def test_the_empty_pane_lists_the_samples_that_can_be_trained_on(qtbot: QtBot, window: MainWindow) -> None:
    links = window.runs.findChild(QLabel, "empty.links")
    assert links is not None
    for one in samples():
        assert (f'"{one.path.name}"' in links.text()) != one.is_new_task
    links.linkActivated.emit("shapes")
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert window.panel.form.draft.values()["dataset.path"] == str(sample_tasks() / "shapes")


def test_the_button_of_the_card_offers_folder_file_and_samples(window: MainWindow) -> None:
    menu = window.panel.form.card.open_button.menu()
    assert [action.objectName() or "-" for action in menu.actions()] == list(OPEN_MENU)


def test_a_dropped_zip_fills_the_form(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "my shapes"), "zip", sample_tasks() / "shapes")
    drop(window, Path(packed))
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert "was recognized as pictures by class" in window.log.text()
    assert window.panel.form.draft.values()["dataset.path"] == packed
    assert window._data.last_folder == str(tmp_path)


def test_data_are_read_in_another_way_where_the_person_follows_the_advice(qtbot: QtBot, window: MainWindow,
                                                                         tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["reactor,heat,yield", *(f"R{one},{heat},{one * heat + 0.1 * heat:.2f}"
                                                       for one in range(15) for heat in range(20))]), encoding="utf-8")
    drop(window, path)
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert "Otherwise, if each reactor is a task of its own" in window.log.text()
    dialog = opened(qtbot, window)
    assert "rows. Otherwise, if each reactor is" in said(dialog, "preview.why")
    form = window.panel.form
    form.pick("dataset", "task_tables")
    assert form.draft.values()["dataset.path"] == str(path)
    form.draft.set("dataset.task", "reactor")
    form.check_now()
    qtbot.waitUntil(lambda: settled(window) and "task reactor" in said(window, "dataset.facts"), timeout=SECONDS)
    assert opened(qtbot, window).preview.otherwise == ""


def test_data_are_judged_by_what_was_said_of_tasks_and_not_by_what_suited_the_data_before(
        qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / "few" / f"{number}").mkdir(parents=True)
        for one in range(6):
            Image.new("L", (16, 16), 9 * number + one).save(tmp_path / "few" / f"{number}" / f"{one}.png")
    fill(window, on("table", path=str(sample_tasks() / "minerals")) | {"task": {"ways": 2}})
    assert window.panel.form.draft.values()["task.shots"] == 5  # more than these pictures allow
    drop(window, tmp_path / "few")
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert "will not do" not in window.log.text()
    assert "was recognized as pictures by class" in window.log.text()


def test_a_file_that_nothing_reads_is_refused_in_words(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "notes.odt"
    path.write_bytes(b"something else")
    before = window.panel.form.draft.values()
    drop(window, path)
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert "notes.odt was not recognized" in window.log.text()
    assert window.panel.form.draft.values() == before


def test_a_file_that_says_how_to_read_a_folder_stands_for_the_folder(
        qtbot: QtBot, window: MainWindow, leaves: Path) -> None:
    said_so = leaves / "dataset.toml"
    said_so.write_text('form = "image_folder"\nsize = 16\n', encoding="utf8")
    drop(window, said_so)
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert window.panel.form.draft.values()["dataset.path"] == str(leaves)


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


# Giving up


FREE = ("class 0", "class 1")  # as many pictures as are told of at a time, twice
MOST_HELD = 2 * 4  # the picture that each thread held, of a look and of one that it took the place of


class Gate:
    """Holds whoever decodes a picture of any but the first classes until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_open = threading.Event()
        self.held: list[Path] = []
        decode = reading.read_picture

        def held(path: Path, height: int, width: int, color: reading.Color) -> reading.Bytes:
            if path.parent.name not in FREE and not self.is_open.is_set():
                self.held.append(path)
                self.is_open.wait(40)  # not for ever: a look that was given up stands in the way of the next
            return decode(path, height, width, color)

        monkeypatch.setattr(reading, "read_picture", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate(monkeypatch)
    yield made
    made.is_open.set()


def test_looking_that_takes_long_says_how_far_it_is_and_can_be_cancelled(
        qtbot: QtBot, gate: Gate, open_window: OpenWindow, leaves: Path) -> None:
    window = open_window()
    fill(window, on("image_folder", path=str(leaves)))
    qtbot.waitUntil(lambda: "of 161 read" in said(window.panel, "dataset.facts"), timeout=SECONDS)
    press(window.panel, "dataset.cancel")
    assert not window._jobs.is_busy("look")
    assert "it was cancelled" in said(window.panel, "dataset.facts")
    gate.is_open.set()
    qtbot.waitUntil(lambda: window._jobs._pool.activeThreadCount() == 0, timeout=SECONDS)
    assert len(gate.held) <= MOST_HELD
    press(window.panel, "dataset.cancel")  # which is called “Look again” now
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert "20 classes" in said(window.panel, "dataset.facts")
    assert window.panel.findChild(QAbstractButton, "dataset.cancel").isHidden()


def test_opening_that_takes_long_is_given_up_and_changes_nothing(
        qtbot: QtBot, gate: Gate, window: MainWindow, leaves: Path) -> None:
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    before = window.panel.form.draft.values()
    drop(window, leaves)
    qtbot.waitUntil(lambda: "Looking at leaves: " in said(window.panel, "dataset.facts"), timeout=SECONDS)
    press(window.panel, "dataset.cancel")
    gate.is_open.set()
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert window.panel.form.draft.values() == before
    assert "Opening leaves was given up" in window.log.text()
    assert "drawn without end" in said(window.panel, "dataset.facts")


def test_a_newer_look_takes_the_place_of_an_older_one(
        qtbot: QtBot, gate: Gate, window: MainWindow, leaves: Path) -> None:
    fill(window, on("image_folder", path=str(leaves)))
    qtbot.waitUntil(lambda: len(gate.held) > 0, timeout=SECONDS)
    fill(window, SHORT)
    gate.is_open.set()
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert len(gate.held) <= MOST_HELD
    assert "drawn without end" in said(window.panel, "dataset.facts")


def test_closing_the_preview_gives_up_what_it_looks_at(
        qtbot: QtBot, gate: Gate, open_window: OpenWindow, leaves: Path) -> None:
    window = open_window()
    fill(window, on("image_folder", path=str(leaves)))
    window._jobs.forget("look")
    window.actions_["preview"].trigger()
    dialog = window.preview.dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: "of 161 read" in said(dialog, "preview.facts"), timeout=SECONDS)
    dialog.close()
    gate.is_open.set()
    qtbot.waitUntil(lambda: window._jobs._pool.activeThreadCount() == 0, timeout=SECONDS)
    assert len(gate.held) <= MOST_HELD
