"""A window on folders of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SHORT, OpenWindow, fill
from workbench.gui.app import application
from workbench.gui.style import ThemeKeeper
from workbench.gui.window import MainWindow


@pytest.fixture
def runs_folder(own_folders: Path) -> Path:
    """Where the windows of this test keep their runs."""
    return own_folders / "runs"


@pytest.fixture
def open_window(qtbot: QtBot, qapp: QApplication, runs_folder: Path) -> Iterator[OpenWindow]:
    """Opens windows that are closed, with everything stopped, at the end."""
    application()
    opened: list[MainWindow] = []

    def open_one() -> MainWindow:
        keeper = ThemeKeeper(qapp)
        window = MainWindow(keeper, runs_folder)
        keeper.setParent(window)
        opened.append(window)
        qtbot.addWidget(window)
        window.show()
        return window

    yield open_one
    for window in opened:
        window.desk.controller.wait()
        window.close()
    qapp.styleHints().unsetColorScheme()


@pytest.fixture
def window(open_window: OpenWindow) -> MainWindow:
    """A window with the short run in its form."""
    made = open_window()
    fill(made, SHORT)
    return made
