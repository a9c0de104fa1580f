"""Whole tasks as the learner will see them: a row a class with its support and query, or points of a function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QHelpEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QToolTip, QWidget

from workbench.gui.plots.style import font
from workbench.gui.plots.widgets import named
from workbench.gui.preview.drawing import DOT, Painter, paint_points
from workbench.gui.theme import Theme
from workbench.tasks.looking.preview import Example, ExampleKind, TaskRow, WholeTask

CELLS: dict[ExampleKind, QSize] = {"picture": QSize(46, 46), "spectrogram": QSize(69, 46), "series": QSize(92, 46),
                                   "points": QSize(92, 46), "row": QSize(92, 46), "text": QSize(216, 60)}
GAP, MARGIN = 6, 20
SMALLEST, LARGEST = 0.75, 1.4
NAME_WIDTH = 150
PLOT_HEIGHT = 190
BETWEEN = 22


class _Cell(NamedTuple):
    """An example at its place; or words, where there is none."""

    place: QRect
    example: Example | None = None
    words: str = ""
    tone: str = "muted"


class TasksView(QWidget):
    """A few tasks below one another.

    Attributes:
        tasks: What is shown.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.tasks: tuple[WholeTask, ...] = ()
        self._painter = Painter(theme)
        named(self, "preview.tasks", "Whole tasks")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def show_tasks(self, tasks: Sequence[WholeTask], *, is_ink: bool) -> None:
        """Show others."""
        self.tasks = tuple(tasks)
        self._painter = Painter(self._painter.theme, is_ink=is_ink)
        self.setAccessibleDescription(". ".join(_spoken(task) for task in tasks))
        self._fit()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._painter = Painter(theme, is_ink=self._painter.is_ink)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many examples as fit."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self.tasks:
            self.setMinimumHeight(self._top(len(self.tasks)))

    def _line(self) -> int:
        return QFontMetrics(font()).height()

    def _height(self, task: WholeTask) -> int:
        """Pixels that a task takes with its heading."""
        head = 2 * self._line() + 12
        if _is_function(task):
            return head + PLOT_HEIGHT
        return head + sum(self._row_height(row) for row in task.rows)

    def _row_height(self, row: TaskRow) -> int:
        return self._size(row).height() + GAP + (self._line() if _has_targets(row) else 0)

    def _size(self, row: TaskRow) -> QSize:
        """Of a cell, as large as lets all examples be shown, within bounds."""
        shown = row.support or row.query
        usual = CELLS[shown[0].kind if shown else "row"]
        if shown and shown[0].kind == "text":  # words do not shrink
            return usual
        count = len(row.support) + len(row.query) + sum(bool(more) for more in row.more)
        room = self.width() - 2 * MARGIN - NAME_WIDTH - 3 * GAP
        share = (room / max(count, 1) - GAP) / usual.width()
        return usual * min(max(share, SMALLEST), LARGEST)

    def _top(self, number: int) -> int:
        return GAP + sum(self._height(task) + BETWEEN for task in self.tasks[:number])

    def _cells(self) -> Iterator[_Cell]:
        """Everything but titles, headings and functions, at its place."""
        for number, task in enumerate(self.tasks):
            if _is_function(task):
                continue
            top = self._top(number) + 2 * self._line() + 12
            for row in task.rows:
                yield from self._row_cells(row, top)
                top += self._row_height(row)

    def _row_cells(self, row: TaskRow, top: int) -> Iterator[_Cell]:
        size = self._size(row)
        yield _Cell(QRect(MARGIN, top, NAME_WIDTH - 2 * GAP, size.height()), None, row.name, "text")
        middle = self._queries_left(row)
        for left, right, shown, more in ((MARGIN + NAME_WIDTH, middle - 3 * GAP, row.support, row.more[0]),
                                         (middle, self.width() - MARGIN, row.query, row.more[1])):
            room = max(1, (right - left + GAP) // (size.width() + GAP))
            # The last place says how many there are beyond what fits.
            fitting = len(shown) if len(shown) + bool(more) <= room else max(1, room - 1)
            for place, one in enumerate(shown[:fitting]):
                at = QRect(left + place * (size.width() + GAP), top, size.width(), size.height())
                yield _Cell(at, one)
                if _has_targets(row):
                    yield _Cell(QRect(at.left(), at.bottom() + 2, at.width(), self._line()), None, one.label)
            left_out = len(shown) - fitting + more
            if left_out:
                yield _Cell(QRect(left + fitting * (size.width() + GAP), top, size.width(), size.height()), None,
                            f"+ {left_out:,}")

    def _queries_left(self, row: TaskRow) -> int:
        """Where the query begins: after the support, which takes half of the width at most."""
        room = self.width() - 2 * MARGIN - NAME_WIDTH
        wanted = (len(row.support) + bool(row.more[0])) * (self._size(row).width() + GAP) + 3 * GAP
        return MARGIN + NAME_WIDTH + min(wanted, max(room // 2, self._size(row).width() + 4 * GAP))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what is in view."""
        if not self.tasks:
            return
        painter = QPainter(self)
        theme = self._painter.theme
        painter.fillRect(event.rect(), QColor(theme.canvas))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, task in enumerate(self.tasks):
            top = self._top(number)
            if QRect(0, top, self.width(), self._height(task)).intersects(event.rect()):
                self._paint_heading(painter, task, top)
                if _is_function(task):
                    self._paint_function(painter, task, top + 2 * self._line() + 12)
        painter.setFont(font(-1))
        for cell in self._cells():
            if not cell.place.intersects(event.rect()):
                continue
            if cell.example is not None:
                self._painter.paint(painter, cell.place, cell.example)
                continue
            painter.setPen(QColor(getattr(theme, cell.tone)))
            painter.drawText(cell.place, int(Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap), cell.words)
        painter.end()

    def _paint_heading(self, painter: QPainter, task: WholeTask, top: int) -> None:
        theme, width = self._painter.theme, self.width() - 2 * MARGIN
        painter.setFont(font(is_bold=True))
        painter.setPen(QColor(theme.text))
        title = painter.fontMetrics().elidedText(task.title, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(MARGIN, top, width, self._line()), 0, title)
        painter.setFont(font(-1))
        painter.setPen(QColor(theme.muted))
        below = QRect(MARGIN, top + self._line() + 4, width, self._line())
        if _is_function(task):
            self._paint_legend(painter, below, has_curve=task.curve is not None)
            return
        places = ((MARGIN, "class" if len(task.rows) > 1 else ""), (MARGIN + NAME_WIDTH, "support: learned from"),
                  (self._queries_left(task.rows[0]), "query: judged on"))
        for place, (left, words) in enumerate(places):
            room = (places[place + 1][0] if place < 2 else self.width()) - left - GAP
            fitted = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room)
            short = words.partition(":")[0]
            painter.drawText(QRect(left, below.top(), room, below.height()), 0, fitted if fitted == words else short)

    def _paint_legend(self, painter: QPainter, line: QRect, *, has_curve: bool) -> None:
        """What is filled, what is hollow and what is a line."""
        theme, x = self._painter.theme, float(line.left())
        middle = line.center().y()
        for words, color, is_filled in (("support: learned from", theme.series[0], True),
                                        ("query: judged on", theme.series[1], False)):
            painter.setPen(QPen(QColor(color), 1.6))
            painter.setBrush(QColor(color if is_filled else theme.canvas))
            painter.drawEllipse(QPointF(x + DOT + 1, middle), DOT, DOT)
            x = self._paint_words(painter, line, x + 12, words)
        if has_curve:
            painter.setPen(QPen(QColor(theme.muted), 1.4))
            painter.drawLine(QPointF(x, middle), QPointF(x + 16, middle))
            self._paint_words(painter, line, x + 22, "the function")

    def _paint_words(self, painter: QPainter, line: QRect, x: float, words: str) -> float:
        painter.setPen(QColor(self._painter.theme.muted))
        painter.drawText(QRectF(x, line.top(), line.width(), line.height()), 0, words)
        return x + painter.fontMetrics().horizontalAdvance(words) + 18

    def _paint_function(self, painter: QPainter, task: WholeTask, top: int) -> None:
        place = QRectF(MARGIN, top, self.width() - 2 * MARGIN, PLOT_HEIGHT)
        painter.setPen(QPen(QColor(self._painter.theme.line), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(place, 4, 4)
        row = task.rows[0]
        paint_points(painter, place.adjusted(12, 12, -12, -12), self._painter.theme, row.support[0].values,
                     row.query[0].values, task.curve)

    def event(self, event: QEvent) -> bool:
        """Tell of an example where it comes from."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            found = next((one for one in self._cells() if one.place.contains(event.pos())), None)
            words = "" if found is None else found.example.words if found.example else found.words
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)


def _is_function(task: WholeTask) -> bool:
    return len(task.rows) == 1 and bool(task.rows[0].support) and task.rows[0].support[0].kind == "points"


def _has_targets(row: TaskRow) -> bool:
    """Whether what is written below each example is its own: the target of a regression."""
    return any(one.label.startswith("→") for one in row.support[:1])


def _spoken(task: WholeTask) -> str:
    """A task for people who listen."""
    rows = "; ".join(f"{row.name}: {len(row.support) + row.more[0]} support, {len(row.query) + row.more[1]} query"
                     for row in task.rows if row.name)
    return f"{task.title}: {rows}" if rows else task.title
