"""A page of random examples: cells with pictures, series or functions, or a table of rows and texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QHelpEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QScrollArea,
    QStackedLayout,
    QTableWidget,
    QTableWidgetItem,
    QToolTip,
    QWidget,
)

from workbench.gui.plots.style import font
from workbench.gui.plots.widgets import named
from workbench.gui.preview.drawing import Painter
from workbench.gui.theme import Theme
from workbench.tasks.files.encoding import Cell
from workbench.tasks.looking.preview import Example, ExampleKind

CELLS: dict[ExampleKind, QSize] = {"picture": QSize(96, 96), "spectrogram": QSize(144, 96), "series": QSize(168, 84),
                                   "points": QSize(204, 116), "row": QSize(168, 84), "text": QSize(240, 84)}
GAP, MARGIN = 14, 20
MOST_COLUMNS = 10
LONGEST_TEXT = 400


class Gallery(QWidget):
    """Examples as cells, each with its class and its file below it.

    Attributes:
        examples: What is shown.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.examples: tuple[Example, ...] = ()
        self._painter = Painter(theme)
        named(self, "preview.gallery", "Random examples")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def show_examples(self, examples: Sequence[Example], *, is_ink: bool) -> None:
        """Show others."""
        self.examples = tuple(examples)
        self._painter = Painter(self._painter.theme, is_ink=is_ink)
        self.setAccessibleDescription(". ".join(one.words for one in examples))
        self._fit()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._painter = Painter(theme, is_ink=self._painter.is_ink)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many columns as fit."""
        super().resizeEvent(event)
        self._fit()

    def _lines(self) -> int:
        """Lines of words below a cell."""
        return 2 if any(one.file for one in self.examples) else 1

    def _fit(self) -> None:
        if self.examples:
            self.setMinimumHeight(max(place.bottom() for _, place in self._cells()) + MARGIN)

    def _cells(self) -> Iterator[tuple[Example, QRect]]:
        """Every example and its place, words included."""
        cell = CELLS[self.examples[0].kind]
        room = self.width() - 2 * MARGIN + GAP
        columns = max(1, room // (cell.width() + GAP))
        step = room // columns
        height = cell.height() + self._lines() * QFontMetrics(font(-1)).height() + 4
        for number, one in enumerate(self.examples):
            row, column = divmod(number, columns)
            yield one, QRect(MARGIN + column * step, GAP // 2 + row * (height + GAP), step - GAP, height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what is in view."""
        if not self.examples:
            return
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(self._painter.theme.canvas))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(-1))
        metrics, theme = painter.fontMetrics(), self._painter.theme
        cell = CELLS[self.examples[0].kind]
        for one, place in self._cells():
            if not place.intersects(event.rect()):
                continue
            is_wide = one.kind not in ("picture", "spectrogram")
            body = QRect(place.topLeft(), QSize(place.width() if is_wide else cell.width(), cell.height()))
            self._painter.paint(painter, body, one)
            line = QRect(place.x(), body.bottom() + 4, place.width(), metrics.height())
            painter.setPen(QColor(theme.text))
            painter.drawText(line, 0, metrics.elidedText(one.label, Qt.TextElideMode.ElideRight, line.width()))
            painter.setPen(QColor(theme.muted))
            painter.drawText(line.translated(0, metrics.height()), 0,
                             metrics.elidedText(one.file, Qt.TextElideMode.ElideLeft, line.width()))
        painter.end()

    def event(self, event: QEvent) -> bool:
        """Tell what an example is whole, where its words were shortened."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self.examples:
            found = next((one for one, place in self._cells() if place.contains(event.pos())), None)
            QToolTip.showText(event.globalPos(), found.words if found else "", self)
            return True
        return super().event(event)


class ExamplesView(QWidget):
    """Examples as a gallery, or as a table where they are rows of numbers or texts."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.gallery = Gallery(theme)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setObjectName("picturesScroll")
        scroll.setWidget(self.gallery)
        self.table = named(QTableWidget(), "preview.table", "Random examples")
        self.table.setToolTip("Random examples, one a line.")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(scroll)
        self._stack.addWidget(self.table)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.gallery.set_theme(theme)

    def show_examples(self, examples: Sequence[Example], *, is_ink: bool) -> None:
        """Show others."""
        is_table = bool(examples) and examples[0].kind in ("row", "text")
        self._stack.setCurrentIndex(int(is_table))
        margin = MARGIN - 8 if is_table else 0
        self._stack.setContentsMargins(margin, 0, margin, 0)
        self.gallery.show_examples(() if is_table else examples, is_ink=is_ink)
        if is_table:
            self._fill(examples)

    def _fill(self, examples: Sequence[Example]) -> None:
        """Class, place, and the text, the first cells of a table or the first numbers."""
        table = self.table
        is_text = examples[0].kind == "text"
        rows = [_cells(one) for one in examples]
        shown, left_out = rows[0][:MOST_COLUMNS], len(rows[0]) - MOST_COLUMNS
        is_cut = left_out > 0
        heads = [one.column for one in shown]
        has_files = any(one.file for one in examples)
        is_target = examples[0].label.startswith("→")
        heads = ["Target" if is_target else "Class", *(["From"] if has_files else []), *heads,
                 *(["…"] if is_cut else [])]
        table.clear()
        table.setRowCount(len(examples))
        table.setColumnCount(len(heads))
        before = 1 + int(has_files)
        sides = [Qt.AlignmentFlag.AlignRight if one.is_number else Qt.AlignmentFlag.AlignLeft for one in shown]
        sides = [*before * [Qt.AlignmentFlag.AlignLeft], *sides, *is_cut * [Qt.AlignmentFlag.AlignRight]]
        for column, (head, side) in enumerate(zip(heads, sides, strict=True)):
            item = QTableWidgetItem(head)
            item.setTextAlignment(Qt.AlignmentFlag.AlignVCenter | side)
            table.setHorizontalHeaderItem(column, item)
        slanted = QFont(table.font())
        slanted.setItalic(True)
        for row, (one, cells) in enumerate(zip(examples, rows, strict=True)):
            words = [one.label.removeprefix("→ "), *([one.file] if has_files else []),
                     *(cell.text for cell in cells[:MOST_COLUMNS]), *is_cut * [f"{left_out:,} more"]]
            for column, (text, side) in enumerate(zip(words, sides, strict=True)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignVCenter | side)
                if before <= column < before + len(shown) and cells[column - before].is_missing:
                    item.setFont(slanted)  # so that nobody takes it for a value
                table.setItem(row, column, item)
        header = table.horizontalHeader()
        header.setStretchLastSection(is_text)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        table.resizeColumnsToContents()
        for column in range(before):
            table.setColumnWidth(column, min(table.columnWidth(column) + 8, 220))


def _cells(one: Example) -> Sequence[Cell]:
    """What a table shows of an example; numbers without names are counted."""
    if one.kind == "text":
        return [Cell("Text", " ".join(one.text.split())[:LONGEST_TEXT], False, False)]
    return one.cells or [Cell(str(number), f"{value:.4g}", True, False) for number, value in enumerate(one.values, 1)]
