"""Lines up a plot where training goes over to something else, labelled at the top."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetrics

from workbench.exports.figures import Figure, Turn
from workbench.gui.plots.style import LABEL_ALPHA, brush, font, pen, run_color
from workbench.gui.theme import Theme


class Turns:
    """The turns of a figure.

    Args:
        plot: Where they are drawn.
    """

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._drawn: object = ()
        self._items: list[tuple[Turn, pg.InfiniteLine, pg.TextItem]] = []

    def set(self, figure: Figure, theme: Theme) -> bool:
        """Draw those of a figure, and say whether they are others than before."""
        if (figure.turns, theme) == self._drawn:
            return False
        for _, line, text in self._items:
            self._plot.removeItem(line)
            self._plot.removeItem(text)
        self._drawn = figure.turns, theme
        # One label for all that stand at the same place; of several runs each line has its run's colour.
        self._items = [self._made(turn, theme, is_alone=len({one.color for one in figure.turns}) == 1)
                       for turn in {(one.x, one.label): one for one in figure.turns}.values()]
        return True

    def _made(self, turn: Turn, theme: Theme, *, is_alone: bool) -> tuple[Turn, pg.InfiniteLine, pg.TextItem]:
        color = theme.muted if is_alone or turn.color is None else run_color(theme, turn.color)
        line = pg.InfiniteLine(pos=turn.x, angle=90, pen=pen(color, 1, Qt.PenStyle.DashLine))
        line.setZValue(3)
        text = pg.TextItem(turn.label, color=theme.muted, fill=brush(theme.canvas, LABEL_ALPHA))
        text.setFont(font(-1))
        text.setZValue(8)
        for item in (line, text):
            self._plot.addItem(item, ignoreBounds=True)
        return turn, line, text

    @property
    def state(self) -> object:
        """What tells whether anything of them has changed, once the view is known."""
        return self._drawn

    @property
    def labels(self) -> list[QRectF]:
        """Where the labels stand, in the scene."""
        return [text.sceneBoundingRect() for _, _, text in self._items]

    def place(self) -> None:
        """Put each label at the top with its bar on the line, or as near to that as the border lets it."""
        view = self._plot.getViewBox()
        (left, right), (_, high) = view.viewRange()
        width, metrics = max(view.width(), 1), QFontMetrics(font(-1))
        for turn, _, text in self._items:
            at = (turn.x - left) / (right - left) * width
            # A text item is somewhat wider than its words.
            whole = text.boundingRect().width() or 1
            margin = (whole - metrics.horizontalAdvance(turn.label)) / 2
            first = turn.label.partition("|")[0]
            before = margin + (metrics.horizontalAdvance(first) + metrics.horizontalAdvance(f"{first}|")) / 2
            begin = min(max(at - before, 0), width - whole) if 0 <= at <= width else at - before
            text.setAnchor(((at - begin) / whole, 0))
            text.setPos(turn.x, high)
