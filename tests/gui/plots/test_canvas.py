"""The canvas as Qt treats it: opened, closed and gone."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication

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
