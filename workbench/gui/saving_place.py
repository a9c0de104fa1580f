"""Where the dialogs for saving begin: where something was saved the last time, else among the person's documents."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths
from PySide6.QtWidgets import QWidget


class SavingPlace(QObject):
    """The folder that was last saved to; a window has one.

    Attributes:
        folder: Its path; empty before anything was saved.
    """

    def __init__(self, folder: str = "", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder

    @classmethod
    def of(cls, widget: QWidget) -> SavingPlace:
        """The place of the window that a widget is in."""
        return widget.window().findChild(cls) or cls()

    def suggest(self, name: str = "") -> str:
        """A file of this name where dialogs begin; the place itself for an empty name."""
        documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        known = (Path(one) for one in (self.folder, documents) if one)
        place = next((one for one in known if one.is_dir()), Path.home())
        return str(place / name)

    def took(self, path: Path) -> None:
        """Begin here the next time."""
        self.folder = str(path.parent)
