"""The real window without a screen, with settings and data of its own, for scripts that use it as a person does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from workbench.gui.window import MainWindow

THEMES = ("light", "dark")


@contextmanager
def offscreen() -> Iterator[MainWindow]:
    """A window that knows of no earlier one; its runs are gone with it."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("CONFIG", "DATA", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = str(Path(folder) / kind.lower())
        from workbench.gui.app import application
        from workbench.gui.style import ThemeKeeper
        from workbench.gui.window import MainWindow

        app = application()
        window = MainWindow(ThemeKeeper(app, app), Path(folder) / "runs")
        window.resize(1440, 900)
        window.show()
        yield window
        window.desk.controller.wait()
        window.close()


def start(window: MainWindow, tables: Mapping[str, Any]) -> None:
    """Fill the form and press Start."""
    window.panel.form.take(tables)
    window.panel.form.check_now()
    window.training.start()


def keep(window: MainWindow, path: Path, dialog: QWidget | None = None) -> None:
    """Keep a picture of the window, or of a dialog of it, in each theme, named by it."""
    for pin in THEMES:
        window.actions_[f"theme_{pin}"].trigger()
        live(2500)
        (dialog or window).grab().save(f"{path}-{pin}.png")


def live(milliseconds: int) -> None:
    """Let the window live for a while; what it deletes goes only inside an event loop."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def live_while(is_busy: Callable[[], bool]) -> None:
    """Let the window live until something is done."""
    while is_busy():
        live(50)
