"""Taking a plot away: as a picture, as a drawing, as numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from workbench.exports.figures import Figure, to_csv
from workbench.exports.heat import Heat, heat_to_csv
from workbench.gui.plots.widgets import named
from workbench.gui.saving_place import SavingPlace

IMAGE_SCALE = 2


class Saver(QObject):
    """Copies and saves what a card shows.

    Args:
        card: The card.
        shown: Gives the figure or the table that it shows.
    """

    def __init__(self, card: QWidget, shown: Callable[[], Figure | Heat]) -> None:
        super().__init__(card)
        self._card, self._shown = card, shown

    def image(self) -> QImage:
        """The card with its title and legend, at twice the size of the screen."""
        made = QImage(self._card.size() * IMAGE_SCALE, QImage.Format.Format_ARGB32_Premultiplied)
        made.setDevicePixelRatio(IMAGE_SCALE)
        made.fill(Qt.GlobalColor.transparent)
        self._card.render(made)
        return made

    def copy_image(self) -> None:
        """Put the picture on the clipboard."""
        QGuiApplication.clipboard().setImage(self.image())

    def copy_data(self) -> None:
        """Put the numbers on the clipboard."""
        QGuiApplication.clipboard().setText(self._numbers())

    def save_image(self, path: Path) -> None:
        """Write a picture.

        Raises:
            OSError: It cannot be written there.
        """
        if not self.image().save(str(path)):
            raise OSError(f"{path}: "
                          "the picture cannot be written there; choose another folder, or a name that ends in .png")

    def save_vector(self, path: Path) -> None:
        """Write an SVG drawing whose words are words and whose lines are lines.

        Raises:
            OSError: It cannot be written there.
        """
        generator = QSvgGenerator()
        generator.setFileName(str(path))
        generator.setSize(self._card.size())
        generator.setViewBox(QRect(0, 0, self._card.width(), self._card.height()))
        generator.setTitle(self._shown().title)
        painter = QPainter()
        if not painter.begin(generator):
            raise OSError(f"{path}: the drawing cannot be written there; choose another folder")
        self._card.render(painter, QPoint())
        painter.end()

    def save_data(self, path: Path) -> None:
        """Write the numbers.

        Raises:
            OSError: They cannot be written there.
        """
        path.write_text(self._numbers(), encoding="utf8")

    def _numbers(self) -> str:
        shown = self._shown()
        return to_csv(shown) if isinstance(shown, Figure) else heat_to_csv(shown)

    def ask_image(self) -> None:
        """Ask where to, then write a picture."""
        self._ask("Save image", "PNG picture (*.png)", ".png", self.save_image)

    def ask_vector(self) -> None:
        """Ask where to, then write a drawing."""
        self._ask("Save as SVG", "SVG drawing (*.svg)", ".svg", self.save_vector)

    def ask_data(self) -> None:
        """Ask where to, then write the numbers."""
        self._ask("Save data", "Comma-separated values (*.csv)", ".csv", self.save_data)

    def _ask(self, title: str, kind: str, suffix: str, save: Callable[[Path], None]) -> None:
        window: QWidget = self._card.window()
        place = SavingPlace.of(window)
        dialog = named(QFileDialog(window, title, place.suggest(), kind), "saveDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix)
        words = self._shown().title.lower().replace(",", "").replace(" ", "-")
        dialog.selectFile(words + suffix)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: place.took(Path(name)))
        dialog.fileSelected.connect(lambda name: self._try(save, Path(name)))
        dialog.open()

    def _try(self, save: Callable[[Path], None], path: Path) -> None:
        try:
            save(path)
        except OSError as error:
            box = QMessageBox(QMessageBox.Icon.Warning, "Not saved", str(error), QMessageBox.StandardButton.Ok,
                              self._card.window())
            box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            box.open()
