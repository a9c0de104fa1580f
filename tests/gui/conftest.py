"""A window on folders of its own, and a folder of pictures for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
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
