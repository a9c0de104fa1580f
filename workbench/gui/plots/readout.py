"""The crosshair and what it reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QLabel

from workbench.exports.figures import Figure
from workbench.gui.plots.marks import Mark
from workbench.gui.plots.style import font, pen, series_color
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme

MOST_LINES = 8
FEW_POINTS = 100


class Readout:
    """Two lines through a point and a label with the values of every curve there.

    Args:
        canvas: The widget of what is read.
    """

    def __init__(self, canvas: pg.PlotWidget) -> None:
        self._plot: Any = canvas.getPlotItem()
        self._lines = [pg.InfiniteLine(angle=angle) for angle in (90, 0)]
        self._label = named(QLabel(canvas), "readout")
        self._label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._label.setTextFormat(Qt.TextFormat.RichText)
        self._canvas = canvas
        self._theme: Theme | None = None
        self._at: tuple[float, float] | None = None
        for line in self._lines:
            line.setZValue(9)
            self._plot.addItem(line, ignoreBounds=True)
        self.leave()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        self._label.setFont(font(-1))
        for line in self._lines:
            line.setPen(pen(theme.muted, 1, Qt.PenStyle.DotLine))

    @property
    def is_shown(self) -> bool:
        """Whether anything is read."""
        return self._at is not None

    def words(self) -> str:
        """What it says; empty where it is put away."""
        return "" if self._label.isHidden() else self._label.text()

    def leave(self) -> None:
        """Put it away."""
        self._at = None
        self._label.hide()
        for line in self._lines:
            line.hide()

    def refresh(self, figure: Figure, marks: Sequence[Mark]) -> None:
        """Read again where it stands, for the numbers have moved."""
        if self._at is not None:
            self.show_at(*self._at, figure, marks)

    def step(self, by: int, span: tuple[float, float], figure: Figure, marks: Sequence[Mark]) -> None:
        """Go to the next point on the left or right, or a hundredth of the view where points stand closer."""
        low, high = span
        here = self._at[0] if self._at else (low + high) / 2
        read = [mark for mark in marks if mark.nearest(here)]
        target = min(max(here + by * (high - low) / 100, low), high)
        if read and all(len(mark.series.x) <= FEW_POINTS for mark in read if mark.series):
            stops = np.unique(np.concatenate([mark.series.x for mark in read if mark.series]))
            beyond = stops[stops > here + 1e-9] if by > 0 else stops[stops < here - 1e-9]
            target = float(stops[-1] if by > 0 else stops[0])
            if len(beyond):
                target = float(beyond[0] if by > 0 else beyond[-1])
        point = read[-1].nearest(target) if read else None
        if point:
            self.show_at(target, self._drawn_y(point[1], figure), figure, marks)

    def _drawn_y(self, y: float, figure: Figure) -> float:
        return math.log10(max(y, 1e-12)) if figure.is_log else y

    def show_at(self, x: float, y: float, figure: Figure, marks: Sequence[Mark]) -> None:
        """Read every curve at x; y is where the pointer is, in the coordinates of the view."""
        found = [(mark, point) for mark in marks if (point := mark.nearest(x))]
        if not found or self._theme is None:
            self.leave()
            return
        found.sort(key=lambda one: abs(self._drawn_y(one[1][1], figure) - y))
        here = found[0][1][0]
        self._at = (x, y)
        self._lines[0].setPos(here)
        self._lines[1].setPos(y)
        for line in self._lines:
            line.show()
        self._label.setText(self._text(here, figure, found))
        self._label.adjustSize()
        self._label.move(self._corner(x, y))
        self._label.show()
        self._label.raise_()

    def _text(self, x: float, figure: Figure, found: Sequence[tuple[Mark, tuple[float, float, float | None]]]) -> str:
        assert self._theme is not None  # noqa: S101 - narrows for the type checker
        place = _place(x, figure)
        rows = []
        chosen = {id(mark) for mark, _ in found[:MOST_LINES]}
        top_first = sorted((one for one in found if id(one[0]) in chosen), key=lambda one: -one[1][1])
        for mark, (own, y, half_width) in top_first:
            assert mark.series is not None  # noqa: S101 - narrows for the type checker
            color = series_color(self._theme, mark.series)
            where = "" if _place(own, figure) == place else f" at {_place(own, figure)}"
            value = f"{y:,.4g}" + (f" ± {half_width:.2g}" if half_width is not None else "")
            name = escape(mark.series.name) + where
            rows.append(f"<tr><td style='color:{color}'>●&nbsp;</td><td>{name}&nbsp;&nbsp;</td>"
                        f"<td align=right>{value}</td></tr>")
        if len(found) > MOST_LINES:
            rows.append(f"<tr><td></td><td colspan=2>and {len(found) - MOST_LINES} more</td></tr>")
        return f"<b>{escape(figure.x_label)} {place}</b><table cellspacing=0>{''.join(rows)}</table>"

    def _corner(self, x: float, y: float) -> Any:
        """Beside the point, on the side where there is room."""
        scene = self._plot.getViewBox().mapViewToScene(QPointF(x, y))
        at = self._canvas.mapFromScene(scene)
        size, area = self._label.size(), self._canvas.size()
        has_room = at.x() + 14 + size.width() <= area.width()
        left = at.x() + 14 if has_room else at.x() - 14 - size.width()
        at.setX(left if left > 0 else area.width() - size.width() - 2)
        at.setY(min(max(at.y() - size.height() - 10, 2), max(area.height() - size.height() - 2, 2)))
        return at


def _place(x: float, figure: Figure) -> str:
    return f"{x:,.0f}" if figure.is_whole else f"{x:,.4g}"
