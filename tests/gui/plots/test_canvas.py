"""The canvas as Qt treats it: opened, closed and gone."""

from __future__ import annotations

import sys

import numpy as np
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from workbench.exports.figures import Figure, Reference, Series
from workbench.gui.plots.canvas import Canvas
from workbench.gui.theme import LIGHT


def test_closing_raises_nothing_and_drops_no_reference_that_is_not_its_own(qapp: QApplication) -> None:
    """An override that raises while Qt closes a plot makes shiboken drop a reference to the next one it looks up."""
    overrides = {name: value for name, value in vars(Canvas).items() if name.endswith("Event")}
    before = {name: sys.getrefcount(value) for name, value in overrides.items()}
    for _ in range(10):
        canvas = Canvas(LIGHT)
        canvas.show()
        QApplication.processEvents()
        canvas.close()
        canvas.deleteLater()
        QApplication.processEvents()
    assert {name: sys.getrefcount(value) for name, value in overrides.items()} == before


def test_predictions_against_true_values_lie_about_the_diagonal(qtbot: QtBot) -> None:
    canvas = Canvas(LIGHT)
    qtbot.addWidget(canvas)
    values = np.array([1.0, 2.0, 3.0])
    canvas.draw(Figure("machine", "", "true value", "predicted value", (Series("queries", values, values, "points"),),
                       (Reference("predicted = true", 0.0, is_diagonal=True),)))
    ((_, line, label),) = canvas._references._lines
    assert (line.angle, line.pos().x(), line.pos().y()) == (45, 0, 0)
    assert label.toPlainText() == "predicted = true"
