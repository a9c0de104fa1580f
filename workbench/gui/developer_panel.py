"""A dock that shows what the window costs: how late its event loop is, what plots take, and the training's rate."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QPen, QPolygonF, QShowEvent
from PySide6.QtWidgets import QDockWidget, QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from workbench.gui.lateness import Second
from workbench.gui.plots.style import font
from workbench.gui.plots.widgets import ElidedLabel
from workbench.gui.style import set_tone
from workbench.gui.theme import Theme
from workbench.gui.watchdog import LOOK_MILLISECONDS

SHOWN_SECONDS = 120
LEAST, GOOD, BEARABLE = 1.0, 16.0, 50.0
"""Milliseconds: where the drawing begins; a frame of the screen, which is the goal for 99 of 100 events; and what a
hand begins to feel."""
_WIDTH = 300
_GAP_SECONDS = 2.5
"""Seconds further apart are not joined by a line: nobody looked between them."""
_FORGOTTEN_SECONDS = 10.0
"""After which a plot that is not repainted any more, or has another title by now, is left out."""
_ABOUT = ("How long an event waits until the window turns to it, looked at "
          f"{1000 / LOOK_MILLISECONDS:.0f} times a second while a run is trained and kept with the run in window.jsonl")


class LatenessPlot(QWidget):
    """Lateness of the last two minutes, logarithmic: at worst, and at the 99th percentile, a point a second."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("latenessPlot")
        self.setAccessibleName("Lateness of the event loop over the last two minutes")
        self.setToolTip(_ABOUT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._theme = theme
        self._seconds: deque[Second] = deque(maxlen=SHOWN_SECONDS)

    def sizeHint(self) -> QSize:
        """Wide enough for two minutes."""
        return QSize(260, 116)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        self.update()

    def add(self, second: Second) -> None:
        """Draw one more second."""
        self._seconds.append(second)
        self.update()

    def clear(self) -> None:
        """Begin anew."""
        self._seconds.clear()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - as Qt calls it
        """Draw grid, goals and both lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self._theme.canvas))
        painter.setFont(font(-1))
        top = math.log(max([2 * BEARABLE, *(one.late_worst for one in self._seconds)]) / LEAST)
        room = QRectF(self.rect()).adjusted(1, 8, -46, -8)

        def height(milliseconds: float) -> float:
            return room.bottom() - room.height() * math.log(max(milliseconds, LEAST) / LEAST) / top

        for value in (LEAST, GOOD, BEARABLE):
            y = height(value)
            painter.setPen(QPen(QColor(self._theme.line), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(room.left(), y), QPointF(room.right(), y))
            painter.setPen(QColor(self._theme.muted))
            place = QRectF(room.right() + 5, y - 9, 48, 18)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, f"{value:.0f} ms")
        step = room.width() / (SHOWN_SECONDS - 1)
        now = self._seconds[-1].time if self._seconds else 0.0
        for color, name in ((self._theme.muted, "late_worst"), (self._theme.accent, "late")):
            painter.setPen(QPen(QColor(color), 1.5))
            for watched in self._in_a_row():
                painter.drawPolyline(QPolygonF([QPointF(room.right() - step * (now - one.time),
                                                        height(getattr(one, name))) for one in watched]))
        painter.end()

    def _in_a_row(self) -> Iterator[list[Second]]:
        """The seconds that are in view, in pieces between which nobody looked."""
        shown = [one for one in self._seconds if self._seconds[-1].time - one.time < SHOWN_SECONDS]
        begins = [0, *(place for place, (one, other) in enumerate(pairwise(shown), 1)
                       if other.time - one.time > _GAP_SECONDS), len(shown)]
        return (shown[begin:end] for begin, end in pairwise(begins))


@dataclass
class _Row:
    """What is said of the repaints of one plot, and when it was last repainted, in seconds since 1970."""

    title: ElidedLabel
    value: QLabel
    painted: float = 0.0

    def remove_from(self, grid: QGridLayout) -> None:
        for label in (self.title, self.value):
            grid.removeWidget(label)
            label.deleteLater()


class DeveloperPanel(QDockWidget):
    """Figures of the last second, and of the run so far.

    Signals:
        opened(bool): Whether somebody reads along.
    """

    opened = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("Developer panel", parent)
        self.setObjectName("developerPanel")
        self.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
        self.plot = LatenessPlot(theme)
        self._values: dict[str, QLabel] = {}
        self._rows: dict[str, _Row] = {}
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(8)
        column.addWidget(_heading("Lateness of the event loop"))
        column.addWidget(self.plot)
        column.addLayout(self._figures((
            ("now", "Last second, 99 % / worst", "At the 99th percentile and at worst (the two lines)"),
            ("whole", "The run, 99 %", "99 of 100 events of this run, or of the last one, waited no longer; the goal "
                                       "is 16 ms"),
            ("worst", "The run, worst", "The longest that an event of this run, or of the last one, waited; the goal "
                                        "is 50 ms"))))
        column.addWidget(_heading("Repaints, mean / worst"))
        self._plots = QGridLayout()
        self._plots.setHorizontalSpacing(12)
        self._plots.setColumnStretch(0, 1)
        column.addLayout(self._plots)
        self._none = QLabel("None: nothing that is in view has changed.")
        self._none.setWordWrap(True)
        set_tone(self._none, "muted")
        column.addWidget(self._none)
        column.addWidget(_heading("Training"))
        column.addLayout(self._figures((
            ("rate", "Tasks a second", "As the status bar says, over the last ten seconds"),
            ("events", "Events a tick, mean / most", "What the training has said, taken in twenty times a second"),
            ("ticks", "Ticks a second", "How often it was taken in"))))
        column.addStretch(1)
        body.setMaximumWidth(_WIDTH)
        body.setMinimumWidth(_WIDTH)
        self.setWidget(body)

    def _figures(self, rows: tuple[tuple[str, str, str], ...]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setColumnStretch(0, 1)
        for row, (name, title, tip) in enumerate(rows):
            label, value = QLabel(title), _value(f"developer.{name}", title, "–")
            for one in (label, value):
                one.setToolTip(tip)
            grid.addWidget(label, row, 0)
            grid.addWidget(value, row, 1)
            self._values[name] = value
        return grid

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.plot.set_theme(theme)

    @Slot()
    def begin_anew(self) -> None:
        """Another run begins."""
        self.plot.clear()

    @Slot(object)
    def show_second(self, second: Second) -> None:
        """Show what the last second was like."""
        if not self.isVisible():
            return
        self.plot.add(second)
        said = {"now": f"{second.late:.1f} / {second.late_worst:.1f} ms",
                "whole": f"{second.whole:.1f} ms" if second.whole_worst else "–",
                "worst": f"{second.whole_worst:.1f} ms" if second.whole_worst else "–",
                "rate": f"{second.tasks_per_second:,.0f}" if second.tasks_per_second else "–",
                "events": f"{second.events / second.ticks:.1f} / {second.most_events}" if second.ticks else "–",
                "ticks": f"{second.ticks}" if second.ticks else "–"}
        for name, text in said.items():
            self._values[name].setText(text)
        set_tone(self._values["whole"], "warn" if second.whole > GOOD else "")
        set_tone(self._values["worst"], "warn" if second.whole_worst > BEARABLE else "")
        self._show_repaints(second)

    def _show_repaints(self, second: Second) -> None:
        for name, one in second.repaints.items():
            row = self._rows.get(name) or self._add_row(name)
            row.painted = second.time
            row.value.setText(f"{one.count} × {one.mean:.1f} / {one.worst:.1f} ms")
        for name in self._rows.keys() - second.repaints.keys():
            self._rows[name].value.setText("–")
            if second.time - self._rows[name].painted > _FORGOTTEN_SECONDS:
                self._rows.pop(name).remove_from(self._plots)
        self._none.setVisible(not self._rows)

    def _add_row(self, name: str) -> _Row:
        row = self._rows[name] = _Row(ElidedLabel(), _value("developer.repaints", name, ""))
        row.title.set_words(name)
        row.value.setToolTip("How many, and what one took on average and at worst; the goal is 12 ms")
        place = self._plots.rowCount()
        self._plots.addWidget(row.title, place, 0)
        self._plots.addWidget(row.value, place, 1)
        return row

    def showEvent(self, event: QShowEvent) -> None:
        """Say that somebody reads along."""
        super().showEvent(event)
        self.opened.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Say that nobody does any more."""
        super().hideEvent(event)
        self.opened.emit(False)


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setFont(font(is_bold=True))
    label.setContentsMargins(0, 6, 0, 0)
    return label


def _value(name: str, title: str, text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setAccessibleName(title)
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    digits = label.font()
    digits.setFeature(digits.Tag("tnum"), 1)
    label.setFont(digits)
    return label
