"""A widget that draws a figure: it keeps its items, follows new numbers, and can be read, moved and reset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QToolButton, QWidget

from workbench.exports.figures import Figure
from workbench.gui.plots.axis import NumberAxis
from workbench.gui.plots.marks import Mark
from workbench.gui.plots.readout import Readout
from workbench.gui.plots.references import References
from workbench.gui.plots.style import font, pen
from workbench.gui.plots.turns import Turns
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme, blend

LEFT_WIDTH = 62
CROWD = 12
READ_KEYS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
PAN_KEYS = {Qt.Key.Key_Left: (-0.2, 0.0), Qt.Key.Key_Right: (0.2, 0.0), Qt.Key.Key_Up: (0.0, 0.2),
            Qt.Key.Key_Down: (0.0, -0.2)}
ZOOM_KEYS = {Qt.Key.Key_Plus: 0.8, Qt.Key.Key_Equal: 0.8, Qt.Key.Key_Minus: 1.25}


class PlotView(pg.ViewBox):  # type: ignore[misc]  # pyqtgraph is untyped
    """A view that is panned with the left button, zoomed with the wheel, and leaves the right one to the menu."""

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """Pan, but not with the right button."""
        if event.button() == Qt.MouseButton.RightButton:
            event.ignore()
        else:
            super().mouseDragEvent(event, axis)


class Canvas(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph is untyped
    """A figure on the screen.

    Attributes:
        figure: What is drawn.
        hidden: Legend entries that are switched off.

    Signals:
        menu_asked: The person wants the menu, at a global point.
        focus_changed: Whether the keyboard goes here.
    """

    menu_asked = Signal(object)
    focus_changed = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        axes = {side: NumberAxis(side) for side in ("left", "bottom")}
        super().__init__(parent, viewBox=PlotView(enableMenu=False, defaultPadding=0.0), axisItems=axes)
        self.figure = Figure("")
        self.hidden: set[str] = set()
        self._theme = theme
        self._axes = axes
        self._marks: dict[str, Mark] = {}
        self._is_moved = False
        self._plot = cast("Any", self.getPlotItem())
        self._view = self._plot.getViewBox()
        self._references, self._turns = References(self._plot), Turns(self._plot)
        self._readout = Readout(self)
        self._back = named(QToolButton(self), "resetView")
        self._prepare()
        self.set_theme(theme)

    def _prepare(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._plot.hideButtons()
        self._plot.setMenuEnabled(False)
        self._plot.layout.setContentsMargins(0, 4, QFontMetrics(font(-1)).horizontalAdvance("0,000") // 2, 0)
        self._view.disableAutoRange()
        self._axes["left"].setWidth(LEFT_WIDTH)
        self._axes["left"].setGrid(120)
        self._axes["left"].setZValue(-1000)  # The grid lies behind the curves.
        self._view.sigXRangeChanged.connect(self._refresh)
        self._view.sigRangeChanged.connect(self._place)
        self._view.sigRangeChangedManually.connect(self._note_move)
        self._back.setText("Reset view")
        self._back.setFont(font(-1))
        self._back.setToolTip("Show everything again (A, or double-click)")
        self._back.setAccessibleName("Reset view")
        self._back.clicked.connect(self.reset_view)
        self._back.hide()

    @property
    def is_moved(self) -> bool:
        """Whether a person has panned or zoomed, so that new numbers leave the view where it is."""
        return self._is_moved

    def set_theme(self, theme: Theme) -> None:
        """Take other colours; draw the figure again to see them in its curves."""
        self._theme = theme
        self.setBackground(theme.canvas)
        for axis in self._axes.values():
            axis.setPen(pen(blend(theme.line, theme.canvas, 0.9), 1))
            axis.setTextPen(pen(theme.muted, 1))
            axis.setTickFont(font(-1))
            axis.label.setFont(font(-1))
        self._readout.set_theme(theme)
        self.draw(self.figure)

    def draw(self, figure: Figure) -> None:
        """Draw a figure, keeping the view where a person has moved it."""
        if figure.is_log != self.figure.is_log or figure.x_label != self.figure.x_label:
            self._is_moved = False
        self.figure = figure
        self._label_axes(figure)
        for name in self._marks.keys() - {series.name for series in figure.series}:
            self._marks.pop(name).remove()
        for series in figure.series:
            if series.name not in self._marks:
                self._marks[series.name] = Mark(self._plot)
            mark = self._marks[series.name]
            mark.set(series, self._theme, is_log=figure.is_log, is_crowded=len(figure.series) > CROWD,
                     bounds=figure.bounds)
            mark.set_shown(series.legend not in self.hidden)
        self._references.set(figure, self._theme)
        self._turns.set(figure, self._theme)
        if not self._is_moved:
            self._show_everything()
        self._refresh()
        self._readout.refresh(figure, self._shown_marks())
        self._place()

    def _label_axes(self, figure: Figure) -> None:
        for side, label in (("left", figure.y_label), ("bottom", figure.x_label)):
            axis = self._axes[side]
            room = self._view.height() if side == "left" else self._view.width()
            words = QFontMetrics(font(-1)).elidedText(label, Qt.TextElideMode.ElideRight, max(int(room), 60))
            if axis.labelText != words:
                axis.setLabel(words)
                axis.label.setFont(font(-1))
                # The axis centres its label only when it is resized, and then by the font that it had.
                axis.resizeEvent()
        self._axes["bottom"].is_whole = figure.is_whole
        if self._axes["left"].logMode != figure.is_log:
            self._axes["left"].setLogMode(y=figure.is_log)

    def set_hidden(self, hidden: set[str]) -> None:
        """Switch legend entries off."""
        self.hidden = hidden
        for mark in self._marks.values():
            mark.set_shown(mark.series is not None and mark.series.legend not in hidden)
        if not self._is_moved:
            self._show_everything()

    def _shown_marks(self) -> list[Mark]:
        return [mark for mark in self._marks.values() if mark.series and mark.series.legend not in self.hidden]

    def reset_view(self) -> None:
        """Show everything."""
        self._is_moved = False
        self._show_everything()
        self._place()

    def _show_everything(self) -> None:
        (left, right), (low, high) = extent(self.figure, self._shown_marks() or self._marks.values())
        self._view.setRange(xRange=(left, right), yRange=(low, high), padding=0, disableAutoRange=True)

    def _refresh(self, *_: object) -> None:
        low, high = self._view.viewRange()[0]
        pixels = max(int(self._view.width()), 200)
        for mark in self._marks.values():
            mark.show_range(low, high, pixels)

    def _note_move(self, *_: object) -> None:
        self._is_moved = True

    def _place(self, *_: object) -> None:
        """Put what lies over the plot where it belongs."""
        self._references.place()
        self._turns.place()
        self._back.setVisible(self._is_moved)
        corner = self._view.mapRectToScene(self._view.boundingRect()).bottomRight().toPoint()
        self._back.adjustSize()
        self._back.move(corner.x() - self._back.width() - 4, corner.y() - self._back.height() - 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Thin for the new width.

        Closing lays out once more, when there is no plot left: an error here would be told to nobody, and would make
        shiboken drop a reference that it does not own.
        """
        super().resizeEvent(event)
        if hasattr(self, "_back") and not self.closed:
            self._label_axes(self.figure)
            self._refresh()
            self._place()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read the curves under the pointer."""
        super().mouseMoveEvent(event)
        if event.buttons() == Qt.MouseButton.NoButton:
            self.read_at(event.position())

    def read_at(self, position: QPointF) -> None:
        """Read the curves at a point of the widget."""
        scene = self.mapToScene(position.toPoint())
        if self._view.sceneBoundingRect().contains(scene):
            point = self._view.mapSceneToView(scene)
            self._readout.show_at(point.x(), point.y(), self.figure, self._shown_marks())
        else:
            self._readout.leave()

    @property
    def readout_text(self) -> str:
        """What the crosshair says; empty where it is not shown."""
        return self._readout.words()

    def leaveEvent(self, event: QEvent) -> None:
        """Put the crosshair away."""
        super().leaveEvent(event)
        self._readout.leave()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show everything."""
        self.reset_view()
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu, by mouse or by keyboard."""
        self.menu_asked.emit(event.globalPos())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A resets, arrows read the curves, Ctrl and arrows pan, + and - zoom, Escape puts the crosshair away."""
        key = Qt.Key(event.key())
        is_control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in (Qt.Key.Key_A, Qt.Key.Key_Home) and not is_control:
            self.reset_view()
        elif key in PAN_KEYS and is_control:
            self._pan(*PAN_KEYS[key])
        elif key in READ_KEYS:
            self._readout.step(READ_KEYS[key], self._view.viewRange()[0], self.figure, self._shown_marks())
        elif key in ZOOM_KEYS:
            self._is_moved = True
            self._view.scaleBy((ZOOM_KEYS[key], ZOOM_KEYS[key]))
        elif key == Qt.Key.Key_Escape and self._readout.words():
            self._readout.leave()
        else:
            event.ignore()

    def _pan(self, x: float, y: float) -> None:
        (left, right), (low, high) = self._view.viewRange()
        self._is_moved = True
        self._view.translateBy(x=x * (right - left), y=y * (high - low))

    def focusInEvent(self, event: Any) -> None:
        """Say so."""
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: Any) -> None:
        """Say so."""
        super().focusOutEvent(event)
        self.focus_changed.emit(False)


def extent(figure: Figure, shown: Iterable[Mark]) -> tuple[tuple[float, float], tuple[float, float]]:
    """x and y that show everything, with a margin."""
    xs: list[float] = []
    ys = [reference.value for reference in figure.references if not reference.is_diagonal]
    for mark in shown:
        xs += mark.spans[0]
        ys += mark.spans[1]
    ys = [y for y in ys if np.isfinite(y) and (y > 0 or not figure.is_log)]
    left, right = (min(xs), max(xs)) if xs else (0.0, 1.0)
    low, high = (min(ys), max(ys)) if ys else (0.1, 1.0)
    if figure.is_log:
        low, high = np.log10(low), np.log10(high)
    x_margin, y_margin = (0.035 * (right - left) or 0.5), (0.06 * (high - low) or abs(0.1 * low) or 0.5)
    low, high = low - y_margin, high + y_margin
    if figure.bounds is not None:
        beyond = min(y_margin, 3.0)
        low, high = max(low, figure.bounds[0] - beyond), min(high, figure.bounds[1] + beyond)
    return (left - x_margin, right + x_margin), (float(low), float(high))
