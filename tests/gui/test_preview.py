"""The data preview: its pages, its chart, and that it follows the form."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SECONDS, SHORT, fill, on, opened, press, said, settled
from workbench.gui.preview.chart import CountsChart
from workbench.gui.theme import DARK, LIGHT
from workbench.gui.window import MainWindow
from workbench.places import sample_tasks
from workbench.tasks.base import Count
from workbench.tasks.looking.check import check_data


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


def test_the_preview_is_the_only_window_that_comes_with_it(qtbot: QtBot, window: MainWindow) -> None:
    dialog = opened(qtbot, window)
    tops = [one for one in QApplication.topLevelWidgets() if one.isVisible()]
    assert set(tops) == {window, dialog}
    dialog.close()
