"""The data preview, the samples, and data that are opened, dropped and given up."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SECONDS, SHORT, OpenWindow, drop, fill, press
from workbench.experiment.experiment import Experiment
from workbench.experiment.presets import presets
from workbench.gui.actions import OPEN_MENU
from workbench.gui.preview.chart import CountsChart
from workbench.gui.preview.dialog import PreviewDialog
from workbench.gui.samples import samples
from workbench.gui.theme import DARK, LIGHT
from workbench.gui.window import MainWindow
from workbench.places import sample_tasks
from workbench.tasks.base import Count
from workbench.tasks.files import pictures as reading
from workbench.tasks.image_folder import ImageFolder
from workbench.tasks.looking.check import check_data
from workbench.tasks.sampling.classes import Labelled


def settled(window: MainWindow) -> bool:
    """Whether nothing is being looked at."""
    return not any(window._jobs.is_busy(key) for key in ("recognize", "look", "floors", "preview", "preview examples",
                                                         "preview tasks"))


def opened(qtbot: QtBot, window: MainWindow) -> PreviewDialog:
    """The preview of what is in the form, ready."""
    window.actions_["preview"].trigger()
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    dialog = window.preview.dialog
    assert dialog is not None
    return dialog


def said(parent: QWidget, name: str) -> str:
    """What a label says; nothing where it is hidden."""
    label = parent.findChild(QLabel, name)
    assert label is not None, name
    return "" if label.isHidden() else label.text()


def on(dataset: str, **config: Any) -> dict[str, Any]:
    """An experiment on a dataset, with what suits it."""
    return {"dataset": {"name": dataset, **config}, "algorithm": {"name": "protonet"}}


@pytest.fixture
def leaves(tmp_path: Path) -> Path:
    """Twenty classes of eight small pictures, one of them broken."""
    root = tmp_path / "leaves"
    for number in range(20):
        (root / f"class {number}").mkdir(parents=True)
        for one in range(8):
            Image.new("RGB", (20, 20), (12 * number, 30 * one, 99)).save(root / f"class {number}" / f"{one}.png")
    (root / "class 3" / "broken.png").write_bytes(b"no picture")
    return root


def test_the_preview_shows_the_same_numbers_as_the_report(qtbot: QtBot, window: MainWindow) -> None:
    path = sample_tasks() / "shapes"
    fill(window, on("image_folder", path=str(path)))
    assert window.panel.form.experiment is not None
    report = check_data(path, window.panel.form.experiment.task)
    dialog = opened(qtbot, window)
    assert said(dialog, "preview.title") == f"shapes: {report['form']}"
    assert report["why"] in said(dialog, "preview.why")
    assert len(dialog.chart.counts) == report["classes"]
    assert sum(one.examples for one in dialog.chart.counts) == report["examples"]
    for name, split in report["splits"].items():
        assert f"{name}: {split['classes']} classes, {split['examples']} examples" in said(dialog, "preview.legend")
    assert f"{100 * report['floor']['mean']:.1f}" in said(dialog, "preview.floor")
    assert said(dialog, "preview.floor").endswith("a learner must beat this.")
    assert window.panel.form.card.shown is not None
    assert window.panel.form.card.shown.floors[0].mean == report["floor"]["mean"]
    assert said(window.panel, "dataset.floor").startswith(f"To beat: {100 * report['floor']['mean']:.1f} ± ")
    dialog.close()


@pytest.mark.parametrize("dataset", ["glyphs", "sinusoids"])
def test_every_page_has_something_to_look_at(qtbot: QtBot, window: MainWindow, dataset: str) -> None:
    fill(window, SHORT if dataset == "sinusoids" else on(dataset))
    dialog = opened(qtbot, window)
    assert bool(dialog.chart.counts) == (dataset == "glyphs")
    assert len(dialog.examples.gallery.examples) == 24
    assert len(dialog.tasks.tasks) == 3
    pages = []
    for number in range(dialog.tabs.count()):
        dialog.tabs.setCurrentIndex(number)
        pages.append(dialog.tabs.currentWidget().grab().toImage())
    assert all(one != other for number, one in enumerate(pages) for other in pages[:number])
    dialog.close()


def test_other_examples_and_other_tasks_are_drawn(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, on("glyphs"))
    dialog = opened(qtbot, window)
    before = [one.values.tobytes() for one in dialog.examples.gallery.examples], dialog.tasks.tasks
    dialog.tabs.setCurrentIndex(1)
    press(dialog, "preview.other_examples")
    dialog.tabs.setCurrentIndex(2)
    press(dialog, "preview.other_tasks")
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert [one.values.tobytes() for one in dialog.examples.gallery.examples] != before[0]
    assert [one.title for one in dialog.tasks.tasks] != [one.title for one in before[1]]
    dialog.close()


def test_rows_of_a_table_stand_under_the_names_of_their_columns(
        qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "beetles.csv"
    path.write_text("\n".join(["beetle_id,mass,length,colour,species", *(
        f"B{one}-{take},{one}.{take},{'' if take % 2 else take},{('red', 'blue')[take % 2]},kind {one}"
        for one in range(24) for take in range(12))]), encoding="utf8")
    fill(window, on("table", path=str(path)))
    dialog = opened(qtbot, window)
    shown = dialog.examples.table
    heads = [shown.horizontalHeaderItem(column).text() for column in range(shown.columnCount())]
    assert heads == ["Class", "From", "mass", "length", "colour"]
    for row in range(shown.rowCount()):
        length, colour = shown.item(row, 3), shown.item(row, 4)
        assert (length.text() == "missing") == length.font().italic() == (colour.text() == "blue")
        assert not colour.font().italic()
    assert shown.rowCount() == 24
    dialog.close()


def test_every_problem_is_listed_and_copied(qtbot: QtBot, window: MainWindow, leaves: Path) -> None:
    fill(window, on("image_folder", path=str(leaves)) | {"task": {"ways": 2, "shots": 1, "queries": 2},
                                                        "training": {"ways": 2}})
    dialog = opened(qtbot, window)
    assert dialog.tabs.tabText(3) == "Problems (2)"
    dialog.tabs.setCurrentIndex(3)
    press(dialog, "preview.copy")
    broken, flat = QGuiApplication.clipboard().text().split("\n")
    assert "class 3/broken.png" in broken
    assert "one colour throughout" in flat
    dialog.close()


def test_data_that_will_not_do_say_why_in_the_preview(qtbot: QtBot, window: MainWindow, leaves: Path) -> None:
    fill(window, on("image_folder", path=str(leaves)) | {"task": {"ways": 18, "shots": 1, "queries": 2}})
    dialog = opened(qtbot, window)
    assert dialog.preview is None
    assert dialog.tabs.currentIndex() == 3
    listed = [dialog.problems.item(row).text() for row in range(dialog.problems.count())]
    assert "18-way" in listed[0]
    assert any("broken.png" in one for one in listed)
    notes = [note.text() for note in dialog.findChildren(QLabel) if "18-way" in note.text()]
    assert notes == []  # the pages that would show the data send to the one that says why there are none
    dialog.close()


def test_it_follows_the_form_while_it_is_open_and_is_opened_once(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, on("glyphs"))
    dialog = opened(qtbot, window)
    assert opened(qtbot, window) is dialog
    fill(window, SHORT)
    qtbot.waitUntil(lambda: dialog.preview is not None and dialog.preview.form == "sinusoids", timeout=SECONDS)
    dialog.close()
    assert window.preview.dialog is None


def test_its_size_is_kept_while_the_program_runs(qtbot: QtBot, window: MainWindow) -> None:
    dialog = opened(qtbot, window)
    dialog.resize(711, 533)
    dialog.close()
    again = opened(qtbot, window)
    assert (again.width(), again.height()) == (711, 533)
    again.close()


def test_it_takes_other_colors_at_once(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, on("glyphs"))
    dialog = opened(qtbot, window)
    dialog.tabs.setCurrentIndex(1)
    window.actions_["theme_dark"].trigger()
    QApplication.processEvents()
    assert dialog.examples.gallery.grab().toImage().pixelColor(2, 2).name() == DARK.canvas
    dialog.close()


def test_everything_in_it_can_be_reached_and_is_named(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, on("glyphs"))
    dialog = opened(qtbot, window)
    for one in (dialog.chart, dialog.examples.gallery, dialog.tasks, dialog.problems, dialog.tabs):
        assert one.accessibleName(), one.objectName()
        assert one.focusPolicy() & Qt.FocusPolicy.TabFocus, one.objectName()
    for one in (dialog.chart, dialog.examples.gallery, dialog.tasks):
        assert one.accessibleDescription(), one.objectName()
    for button in (*dialog.others.values(), dialog.copy):
        assert button.accessibleName()
        assert button.toolTip()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert window.preview.dialog is None


def test_a_click_sets_what_would_make_the_data_do(qtbot: QtBot, window: MainWindow, leaves: Path) -> None:
    fill(window, on("image_folder", path=str(leaves)) | {"task": {"ways": 18, "shots": 1, "queries": 2}})
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    card = window.panel.form.card
    assert card.remedy.text() == "Set Ways to 6"
    assert said(window.panel, "dataset.problems").startswith("✕ /")
    press(window.panel, "dataset.remedy")
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert window.panel.form.draft.values()["task.ways"] == 6
    assert card.shown is not None
    assert card.shown.is_usable
    assert card.remedy.isHidden()
    assert window.panel.start.isEnabled()


def shades(root: Path, classes: int, each: int = 8) -> Path:
    """A folder of small pictures by class."""
    for number in range(classes):
        (root / f"class {number}").mkdir(parents=True)
        for one in range(each):
            Image.new("L", (16, 16), 9 * number + one).save(root / f"class {number}" / f"{one}.png")
    return root


def ways(window: MainWindow) -> tuple[Any, Any]:
    """Ways of the tasks and of training in the form."""
    values = window.panel.form.draft.values()
    return values["task.ways"], values["training.ways"]


def test_few_classes_set_the_ways_by_themselves_and_the_next_data_set_them_back(
        qtbot: QtBot, window: MainWindow, leaves: Path, tmp_path: Path) -> None:
    name = next(name for name, one in presets().items() if one.tables["training"].get("ways") == 20)
    window.panel.form.take(presets()[name].tables, name)
    drop(window, shades(tmp_path / "few", 12))
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert ways(window) == (4, None)
    assert "“Ways” was set to 4 instead of 5, as the data will not do otherwise. " in window.log.text()
    qtbot.waitUntil(lambda: window.panel.form.preset_picker.currentText() == "None (own data)", timeout=SECONDS)
    qtbot.waitUntil(lambda: "12 classes" in said(window.panel, "dataset.facts"), timeout=SECONDS)
    assert window.panel.start.isEnabled()
    drop(window, leaves)
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert ways(window) == (5, None)


def test_what_suits_the_algorithm_is_set_by_itself_too(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    fill(window, {"dataset": {"name": "glyphs"}, "algorithm": {"name": "reptile"}})
    drop(window, shades(tmp_path / "few", 20, 8))
    qtbot.waitUntil(lambda: window.panel.form.draft.values()["training.shots"] == 7, timeout=SECONDS)
    assert "“Training shots” was set to 7 instead of 10, as the data will not do otherwise" in window.log.text()
    card = window.panel.form.card
    qtbot.waitUntil(lambda: card.shown is not None and card.shown.is_usable and "20 classes" in card.shown.facts,
                    timeout=SECONDS)


def test_data_that_were_just_opened_are_fitted_in_one_look_and_other_looks_leave_the_form_alone(
        qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, loaded = ImageFolder.load, []

    def counted(source: ImageFolder, experiment: Experiment) -> Labelled:
        loaded.append(experiment.training.shots)
        return load(source, experiment)

    monkeypatch.setattr(ImageFolder, "load", counted)
    fill(window, {"dataset": {"name": "glyphs"}, "algorithm": {"name": "reptile"}})
    drop(window, shades(tmp_path / "few", 20, 8))
    card = window.panel.form.card
    qtbot.waitUntil(lambda: card.shown is not None and "20 classes" in card.shown.facts, timeout=SECONDS)
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert loaded == [None, 10, 7]  # the report, which knows no algorithm; the look, and what it demanded
    assert window.panel.form.draft.followed >= {"training.shots"}
    window.panel.form.draft.set("training.shots", 12)  # the person's own say, by which the data are looked at anew
    window.panel.form.check_now()
    qtbot.waitUntil(lambda: card.remedy.text() == "Set Training shots to 7", timeout=SECONDS)
    assert window.panel.form.draft.values()["training.shots"] == 12


def test_an_open_preview_shows_data_as_they_were_fitted(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    fill(window, {"dataset": {"name": "glyphs"}, "algorithm": {"name": "reptile"}})
    dialog = opened(qtbot, window)
    drop(window, shades(tmp_path / "few", 20, 8))
    qtbot.waitUntil(lambda: dialog.preview is not None and "20 classes" in dialog.preview.facts, timeout=SECONDS)
    assert dialog.preview is not None
    assert dialog.preview.refusal == ""
    dialog.close()


def test_ways_that_were_typed_stay(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    fill(window, on("image_folder"))
    window.panel.form.draft.set("task.ways", 3)
    drop(window, shades(tmp_path / "first", 20))
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert ways(window) == (3, None)
    drop(window, shades(tmp_path / "second", 7))
    qtbot.waitUntil(lambda: window.panel.form.card.remedy.text() == "Set Ways to 2", timeout=SECONDS)
    assert ways(window) == (3, None)
    assert "will not do as it is" in window.log.text()


def test_data_that_were_refused_and_mended_are_said_to_do(qtbot: QtBot, window: MainWindow, leaves: Path) -> None:
    fill(window, on("image_folder", path="") | {"task": {"ways": 18, "shots": 1, "queries": 2}})
    drop(window, leaves)
    qtbot.waitUntil(lambda: not window.panel.form.card.remedy.isHidden(), timeout=SECONDS)
    assert "will not do as it is" in said(window, "notice.text")
    press(window.panel, "dataset.remedy")
    qtbot.waitUntil(lambda: "will do now" in said(window, "notice.text"), timeout=SECONDS)


# The chart


@pytest.fixture
def chart(qtbot: QtBot) -> CountsChart:
    made = CountsChart(LIGHT)
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.show()
    return made


@pytest.mark.parametrize("classes", [4, 300])
def test_the_arrows_and_the_pointer_read_the_bars(qtbot: QtBot, chart: CountsChart, classes: int) -> None:
    chart.show_counts([Count(f"class <{number}>", "train" if number % 2 else "test", number + 1)
                       for number in range(classes)])
    assert chart.is_across == (classes == 4)
    assert chart.readout_text == ""
    qtbot.keyClick(chart, Qt.Key.Key_Down)
    largest = chart.counts[0]
    assert (largest.split, largest.examples) == ("train", classes)
    assert f"class &lt;{classes - 1}&gt;" in chart.readout_text
    assert f"{classes} examples" in chart.readout_text
    for _ in range(3):
        qtbot.keyClick(chart, Qt.Key.Key_Right)
    assert chart.reading == 3
    chart.read_at(QPointF(300, 60))
    assert chart.reading not in (None, 3)
    chart.read_at(QPointF(2, 2))
    assert chart.reading is None
    qtbot.keyClick(chart, Qt.Key.Key_Down)
    assert chart.reading == 0
    qtbot.keyClick(chart, Qt.Key.Key_Escape)
    assert chart.readout_text == ""


# Opening


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


# Giving up


FREE = 40
MOST_DECODED = FREE + 2 * 4  # and the picture that each thread held, of a look and of one that it took the place of


class Gate:
    """Holds whoever decodes pictures until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_open = threading.Event()
        self.decoded = 0
        decode = reading.read_picture

        def held(path: Path, height: int, width: int, color: reading.Color) -> reading.Bytes:
            self.decoded += 1
            if self.decoded > FREE:
                self.is_open.wait(20)
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
    assert gate.decoded <= MOST_DECODED
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
    qtbot.waitUntil(lambda: gate.decoded > FREE, timeout=SECONDS)
    fill(window, SHORT)
    gate.is_open.set()
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert gate.decoded <= MOST_DECODED
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
    assert gate.decoded <= MOST_DECODED


def test_the_preview_is_the_only_window_that_comes_with_it(qtbot: QtBot, window: MainWindow) -> None:
    dialog = opened(qtbot, window)
    tops = [one for one in QApplication.topLevelWidgets() if one.isVisible()]
    assert set(tops) == {window, dialog}
    dialog.close()
