"""What stands in the window has the room that it needs, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QTableView, QToolButton
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SHORT
from workbench.experiment.resolve import resolve
from workbench.exports.figures import Figure, Reference, Series
from workbench.gui.plots.canvas import Canvas
from workbench.gui.plots.card import Card
from workbench.gui.plots.marks import interval
from workbench.gui.plots.widgets import ElidedLabel, Entry, Legend
from workbench.gui.run_pane import RunPane
from workbench.gui.run_rows import DATA, NAME, STATE
from workbench.gui.run_table import RunTableModel
from workbench.gui.theme import LIGHT
from workbench.gui.window import MainWindow
from workbench.runs.store import RunStore


def test_a_card_makes_room_for_longer_facts_before_they_are_drawn(qtbot: QtBot) -> None:
    card = Card("card", LIGHT, ElidedLabel())
    qtbot.addWidget(card)
    card.resize(500, 200)
    card.show()
    facts = card.findChild(ElidedLabel, "facts")
    assert facts is not None
    for words in ("iteration 7", "iteration 27", "iteration 1,027"):
        card.set_heading("Adaptation", words, "")
        assert facts.width() >= facts.fontMetrics().horizontalAdvance(words)


def test_the_buttons_of_a_training_have_room_however_narrow_the_form_is(window: MainWindow) -> None:
    panel = window.panel
    panel.show_training(is_training=True, is_paused=False, is_stopping=False, is_testing=False)
    window.actions_["show_developer"].trigger()
    window._sides.setSizes([1, 10_000])
    for button in (panel.pause, panel.stop, panel.discard):
        assert button.width() >= button.sizeHint().width()


def test_the_run_table_is_as_wide_as_its_pane_whatever_is_resized(qtbot: QtBot, tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.create(resolve(SHORT))
    pane = RunPane(RunTableModel(LIGHT))
    qtbot.addWidget(pane)
    pane.model.set_runs(store.runs(), {})
    pane.resize(1300, 200)  # whatever the font, there is room for the widths below
    pane.show()
    table: QTableView = pane.table
    header = table.horizontalHeader()
    assert header.length() == table.viewport().width()
    for column, width in ((STATE, 180), (NAME, 200), (NAME, 280)):
        header.resizeSection(column, width)
        assert header.length() == table.viewport().width()
    pane.resize(1500, 200)
    qtbot.waitUntil(lambda: header.length() == table.viewport().width() > 1400)


def test_columns_whose_words_are_cut_take_what_the_name_can_spare(qtbot: QtBot, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    folder = tmp_path / "leaves of the trees in the park of our town"
    store.create(resolve({"dataset": {"name": "image_folder", "path": str(folder)}}))
    pane = RunPane(RunTableModel(LIGHT))
    qtbot.addWidget(pane)
    pane.resize(1400, 200)
    pane.show()
    pane.model.set_runs(store.runs(), {})
    header = pane.table.horizontalHeader()
    assert header.sectionSize(DATA) >= pane.table.sizeHintForColumn(DATA)
    assert header.sectionSize(NAME) >= pane.table.sizeHintForColumn(NAME)
    assert header.length() == pane.table.viewport().width()
    header.resizeSection(DATA, 60)
    assert header.sectionSize(DATA) == 60


def test_a_legend_shortens_its_entries_before_it_hides_them(qtbot: QtBot) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    entries = [Entry(f"maml-glyphs-{number:04}", "#123456") for number in range(3)]
    legend.resize(900, 24)
    legend.show()
    legend.set_entries(entries)
    buttons = legend.findChildren(QToolButton, "legendEntry")
    assert [button.text() for button in buttons] == [entry.text for entry in entries]
    legend.resize(350, 24)
    assert all(button.isVisible() and button.geometry().right() <= 350 for button in buttons)
    assert [button.text()[-4:] for button in buttons] == ["0000", "0001", "0002"]
    legend.resize(900, 24)
    assert [button.text() for button in buttons] == [entry.text for entry in entries]


def test_an_interval_is_cut_where_no_value_can_be() -> None:
    series = Series("one", np.arange(2.0), np.array([1.0, 98.0]), "result", half_width=np.array([3.0, 3.0]))
    low, high = interval(series, (0.0, 100.0))
    assert low.tolist() == [0.0, 95.0]
    assert high.tolist() == [4.0, 100.0]
    assert interval(series, None)[0].tolist() == [-2.0, 95.0]
    assert interval(series, (0.0, np.inf))[1].tolist() == [4.0, 101.0]


def test_a_reference_is_labelled_on_the_side_that_the_curve_leaves_free(qtbot: QtBot) -> None:
    canvas = Canvas(LIGHT)
    qtbot.addWidget(canvas)
    canvas.resize(500, 300)
    canvas.show()
    x = np.arange(50.0)
    reference = Reference("floor", 3.0)
    for offset, is_below in ((0.1, True), (-0.1, False)):
        ends = Series("ends", x, np.linspace(0.0, 6.0, 50), "points")
        curve = Series("curve", x, np.full(50, 3 + offset), "smoothed")
        canvas.draw(Figure("Metric", series=(ends, curve), references=(reference,)))
        (_, _, text), = canvas._references._lines
        assert (text.anchor.y() == 0) is is_below
