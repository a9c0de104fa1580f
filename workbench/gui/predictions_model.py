"""Predictions as the rows of a table, each with a picture of what it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap

from workbench.exports.predictions import Predictions
from workbench.gui.plots.style import font
from workbench.gui.preview.drawing import Painter
from workbench.gui.theme import Theme
from workbench.tasks.looking.preview import Example

PICTURE = 44
_MOST_DRAWN = 500
Index = QModelIndex | QPersistentModelIndex


class PredictionsModel(QAbstractTableModel):
    """Rows are put into words and pictures only where they are in view."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._predictions: Predictions | None = None
        self._pictures: tuple[Example, ...] = ()
        self._painter = Painter(theme)
        self._drawn: dict[int, QPixmap] = {}

    def show_predictions(self, predictions: Predictions | None, pictures: Sequence[Example], *, is_ink: bool) -> None:
        """Show others, with a picture of each or none at all."""
        self.beginResetModel()
        self._predictions, self._pictures = predictions, tuple(pictures)
        self._set_painter(Painter(self._painter.theme, is_ink=is_ink))
        self.endResetModel()

    def set_theme(self, theme: Theme) -> None:
        """Draw in other colours."""
        self._set_painter(Painter(theme, is_ink=self._painter.is_ink))
        if self._pictures:
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, 0))

    def _set_painter(self, painter: Painter) -> None:
        self._painter = painter
        self._drawn.clear()

    @property
    def has_pictures(self) -> bool:
        """Whether there is a picture of each."""
        return bool(self._pictures)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        """Predictions."""
        return 0 if parent.isValid() or self._predictions is None else len(self._predictions.names)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        """Columns of the csv."""
        return 0 if parent.isValid() or self._predictions is None else len(self._predictions.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Titles of the columns."""
        if orientation != Qt.Orientation.Horizontal or self._predictions is None:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _aligned(is_number=section >= self._predictions.texts)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        title = self._predictions.columns[section]
        # The names of classes and of a person's columns stay as they are; the other titles are words.
        is_name = title in (*self._predictions.ids, *self._predictions.class_names, *self._predictions.targets)
        return title if is_name else f"{title[:1].upper()}{title[1:]}"

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What a cell shows."""
        if not index.isValid() or self._predictions is None:
            return None
        row, column, found = index.row(), index.column(), self._predictions
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return found.words(row)[column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _aligned(is_number=column >= found.texts)
        if role == Qt.ItemDataRole.FontRole and found.class_names and column == found.texts - 1:
            return font(is_bold=True)
        if role == Qt.ItemDataRole.DecorationRole and column == 0 and self._pictures:
            return self._picture(row)
        return None

    def _picture(self, row: int) -> QPixmap:
        if row not in self._drawn:
            if len(self._drawn) >= _MOST_DRAWN:
                self._drawn.clear()
            self._drawn[row] = _drawn(self._painter, self._pictures[row])
        return self._drawn[row]


def _aligned(*, is_number: bool) -> Qt.AlignmentFlag:
    return Qt.AlignmentFlag.AlignVCenter | (Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag.AlignLeft)


def _drawn(painter: Painter, example: Example, density: int = 2) -> QPixmap:
    pixmap = QPixmap(QSize(PICTURE, PICTURE) * density)
    pixmap.setDevicePixelRatio(density)
    pixmap.fill(QColor(painter.theme.canvas))
    on = QPainter(pixmap)
    painter.paint(on, QRect(0, 0, PICTURE, PICTURE), example)
    on.end()
    return pixmap
