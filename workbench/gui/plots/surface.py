"""What every plot on the screen can do: it is panned, zoomed and reset, by mouse and by keyboard."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGraphicsScene, QToolButton, QWidget

from workbench.gui.plots.style import font, pen
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme, blend

LEFT_WIDTH = 62
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


class Surface(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph is untyped
    """A plot that a person reads, moves and resets. A subclass draws, and calls `_begin` when it has all its items.

    Attributes:
        reading_keys: What a key moves the crosshair by, (down, to the right).
        painting_seconds: What it took to paint it the last time.

    Signals:
        menu_asked: The person wants the menu, at a global point.
        focus_changed: Whether the keyboard goes here.
    """

    menu_asked = Signal(object)
    focus_changed = Signal(bool)
    painting_seconds = 0.0
    reading_keys: ClassVar[Mapping[Qt.Key, tuple[int, int]]]
    _is_begun = False

    def __init__(self, axes: Mapping[str, Any], parent: QWidget | None) -> None:
        super().__init__(parent, viewBox=PlotView(enableMenu=False, defaultPadding=0.0), axisItems=dict(axes))
        self._axes = axes
        self._is_moved = False
        self._plot = cast("Any", self.getPlotItem())
        self._view = self._plot.getViewBox()
        self._back = named(QToolButton(self), "resetView", "Reset view", "Show everything again (A, or double-click)")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # the background of the plot covers it
        # An index of what lies where would be kept for a handful of items, most of which reach over the whole plot.
        self.scene().setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self._plot.hideButtons()
        self._plot.setMenuEnabled(False)
        # Half of the last number below the axis reaches beyond it.
        self._plot.layout.setContentsMargins(0, 4, QFontMetrics(font(-1)).horizontalAdvance("0,000") // 2, 0)
        self._view.disableAutoRange()
        for side in {"left", "bottom", "right", "top"} - set(axes):  # they are not seen, but would follow every range
            self._plot.getAxis(side).unlinkFromView()
        self._back.setText("Reset view")
        self._back.setFont(font(-1))
        self._back.clicked.connect(self.reset_view)
        self._back.hide()

    def _begin(self, theme: Theme) -> None:
        self._view.sigRangeChanged.connect(self._place)
        self._view.sigRangeChangedManually.connect(self._note_move)
        self._is_begun = True
        self.set_theme(theme)

    # What a subclass says.

    @abstractmethod
    def _show_everything(self) -> None:
        """Set the range that shows all there is."""

    @abstractmethod
    def _lay_out(self) -> None:
        """Fit axes and curves to another width or height."""

    @abstractmethod
    def read_at(self, position: QPointF) -> None:
        """Read what is at a point of the widget."""

    @abstractmethod
    def step_reading(self, down: int, right: int) -> None:
        """Move the crosshair, or bring it where there was none."""

    @abstractmethod
    def leave(self) -> None:
        """Put the crosshair away."""

    @property
    @abstractmethod
    def readout_text(self) -> str:
        """What the crosshair says; empty where it is not shown."""

    # What all of them do.

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.setBackground(theme.canvas)
        for axis in self._axes.values():
            color_axis(axis, theme)

    @property
    def is_moved(self) -> bool:
        """Whether a person has panned or zoomed, so that new numbers leave the view where it is."""
        return self._is_moved

    def _note_move(self, *_: object) -> None:
        self._is_moved = True

    def reset_view(self) -> None:
        """Show everything."""
        self._is_moved = False
        self._show_everything()
        self._place()

    def _place(self, *_: object) -> None:
        """Put what lies over the plot where it belongs."""
        self._back.setVisible(self._is_moved)
        corner = self._view.mapRectToScene(self._view.boundingRect()).bottomRight().toPoint()
        self._back.adjustSize()
        self._back.move(corner.x() - self._back.width() - 4, corner.y() - self._back.height() - 4)

    def _pan(self, x: float, y: float) -> None:
        (left, right), (low, high) = self._view.viewRange()
        self._is_moved = True
        up = -1 if self._view.yInverted() else 1
        self._view.translateBy(x=x * (right - left), y=up * y * (high - low))

    # What Qt calls: nothing here may raise, for shiboken would drop references that it does not own.

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint, by the clock."""
        begun = time.perf_counter()
        if not self._paint_quickly():
            super().paintEvent(event)
        self.painting_seconds = time.perf_counter() - begun

    def _paint_quickly(self) -> bool:
        """Paint in a shorter way than item by item, and say whether there was one."""
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit to the new size; closing lays out once more, when there is no plot left."""
        super().resizeEvent(event)
        if self._is_begun and not self.closed:
            self._lay_out()
            self._place()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Read what is under the pointer."""
        super().mouseMoveEvent(event)
        if event.buttons() == Qt.MouseButton.NoButton:
            self.read_at(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        """Put the crosshair away."""
        super().leaveEvent(event)
        self.leave()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show everything."""
        self.reset_view()
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu, by mouse or by keyboard."""
        self.menu_asked.emit(event.globalPos())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A resets, arrows read, Ctrl and arrows pan, + and - zoom, Escape puts the crosshair away."""
        key = Qt.Key(event.key())
        is_control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in (Qt.Key.Key_A, Qt.Key.Key_Home) and not is_control:
            self.reset_view()
        elif key in PAN_KEYS and is_control:
            self._pan(*PAN_KEYS[key])
        elif key in self.reading_keys:
            self.step_reading(*self.reading_keys[key])
        elif key in ZOOM_KEYS:
            self._is_moved = True
            self._view.scaleBy((ZOOM_KEYS[key], ZOOM_KEYS[key]))
        elif key == Qt.Key.Key_Escape and self.readout_text:
            self.leave()
        else:
            event.ignore()

    def focusInEvent(self, event: Any) -> None:
        """Say so."""
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: Any) -> None:
        """Say so."""
        super().focusOutEvent(event)
        self.focus_changed.emit(False)


def color_axis(axis: Any, theme: Theme) -> None:
    """Give an axis the colours and the font of a theme."""
    axis.setPen(pen(blend(theme.line, theme.canvas, 0.9), 1))
    axis.setTextPen(pen(theme.muted, 1))
    axis.setTickFont(font(-1))
    axis.label.setFont(font(-1))


def label_axis(axis: Any, label: str, room: float) -> None:
    """Name an axis, shortened to so many pixels."""
    words = QFontMetrics(font(-1)).elidedText(label, Qt.TextElideMode.ElideRight, max(int(room), 60))
    if axis.labelText != words:
        axis.setLabel(words)
        axis.label.setFont(font(-1))
        # The axis centres its label only when it is resized, and then by the font that it had.
        axis.resizeEvent()
