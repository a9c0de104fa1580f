"""The line above Start that says how much memory a run would take."""

from __future__ import annotations

from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SECONDS, SHORT, fill, tables
from workbench.engine.forecast import Forecast
from workbench.gui.form.entries import ChoiceEntry
from workbench.gui.window import MainWindow


def memory(window: MainWindow) -> QLabel:
    """The line."""
    label = window.panel.findChild(QLabel, "memory")
    assert label is not None
    return label


def test_the_form_says_how_much_memory_the_run_would_take(window: MainWindow, qtbot: QtBot) -> None:
    label = memory(window)
    qtbot.waitUntil(lambda: label.text().startswith("Memory: about ") and label.isVisible(), timeout=SECONDS)
    before = label.text()
    fill(window, tables(meta_batch=64) | {"backbone": {"name": "mlp", "widths": [900, 900]}})
    qtbot.waitUntil(lambda: label.text() not in ("", before), timeout=SECONDS)


def test_what_cannot_be_run_has_no_forecast(window: MainWindow, qtbot: QtBot) -> None:
    label = memory(window)
    qtbot.waitUntil(label.isVisible, timeout=SECONDS)
    fill(window, SHORT | {"task": {"shots": 4, "queries": 0}})
    qtbot.waitUntil(lambda: not label.isVisible(), timeout=SECONDS)


def test_too_little_memory_is_told_before_start(window: MainWindow, qtbot: QtBot) -> None:
    label = memory(window)
    qtbot.waitUntil(label.isVisible, timeout=SECONDS)
    window._memory._show(Forecast(data=0, learner=0, training=3 * 10**12, testing=0, available=10**9,
                                  may_recompute=True))
    assert label.text().startswith("⚠ Memory may run out: the run takes about 3000.0 GB of 1.0 GB")
    assert "Recompute" in label.text()
    assert label.property("tone") == "warn"


def test_a_precision_that_the_device_has_not_is_greyed_with_the_reason(window: MainWindow) -> None:
    fill(window, SHORT | {"device": "cpu"})
    entry = window.panel.form._rows()["training.precision"].entry
    assert isinstance(entry, ChoiceEntry)
    model = entry.combo.model()
    assert isinstance(model, QStandardItemModel)
    items = {item.text(): item for item in (model.item(row) for row in range(model.rowCount()))}
    assert [text for text, item in items.items() if not item.isEnabled()] == ["TF32 (NVIDIA GPUs)"]
    assert "NVIDIA" in items["TF32 (NVIDIA GPUs)"].toolTip()
