"""How each role of a series looks in a theme: colours, strokes, pens and fonts, made once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QApplication

from workbench.exports.figures import Role, Series
from workbench.gui.theme import Theme, blend

BAND_ALPHA = 56
LABEL_ALPHA = 225
"""Of the patch of canvas behind a label, so that a curve there can be made out but does not disturb."""
SWATCH_PIXELS = 48
Dash = tuple[float, ...]
"""Pixels of ink and of gap in turn; none for a whole line."""


@dataclass(frozen=True)
class Look:
    """How a role is drawn.

    Attributes:
        z: Height in the stack of items.
        width: Of the line in pixels; 0 where there is none.
        share: Opacity of the run's colour before it is blended with the canvas.
        marker: Diameter of points in pixels.
        is_read: Whether the crosshair reads it.
    """

    z: int
    width: int
    share: float = 1.0
    marker: int = 0
    is_read: bool = True


LOOKS: dict[Role, Look] = {
    "raw": Look(0, 1, 0.38, is_read=False),
    "background": Look(1, 1, 0.45),
    "each": Look(1, 1, 0.55, is_read=False),
    "faint": Look(2, 1, 0.45, is_read=False),
    "truth": Look(3, 2),
    "ordered": Look(4, 2, marker=5),
    "smoothed": Look(6, 2),
    "mean": Look(6, 2, marker=7),
    "result": Look(6, 2, marker=6),
    "points": Look(7, 0, marker=8),
}


@dataclass(frozen=True)
class Stroke:
    """How what stands for a run is broken, so that runs of one colour can be told apart.

    Attributes:
        dash: Its bold lines.
        gaps: Where its swatch is left out, from and to in shares of the side.
    """

    dash: Dash = ()
    gaps: tuple[tuple[float, float], ...] = ()


STROKES = (Stroke(), Stroke((5, 3), ((0.38, 0.62),)), Stroke((2, 3), ((0.2, 0.4), (0.6, 0.8))),
           Stroke((7, 2.5, 2, 2.5), ((0.5, 0.72),)))
"""The first for as many runs as there are colours, the next for as many again, and so on."""


def run_color(theme: Theme, index: int) -> str:
    """The colour of a run, "#rrggbb"."""
    return theme.series[index % len(theme.series)]


def run_stroke(theme: Theme, index: int) -> Stroke:
    """The stroke of a run."""
    return STROKES[index // len(theme.series) % len(STROKES)]


def swatch(theme: Theme, index: int | None, share: float) -> QIcon:
    """A square in the colour and the stroke of a run; an empty one where there is no run.

    Args:
        theme: Whose colours.
        index: The run's colour.
        share: Side of the square as a share of the icon's.
    """
    pixmap = QPixmap(SWATCH_PIXELS, SWATCH_PIXELS)
    pixmap.fill(Qt.GlobalColor.transparent)
    if index is not None:
        side = share * SWATCH_PIXELS
        corner = (SWATCH_PIXELS - side) / 2
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(run_color(theme, index)))
        painter.drawRoundedRect(QRectF(corner, corner, side, side), 0.3 * side, 0.3 * side)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Clear)
        for begin, end in run_stroke(theme, index).gaps:
            painter.drawRect(QRectF(corner + begin * side, 0, (end - begin) * side, SWATCH_PIXELS))
        painter.end()
    made = QIcon(pixmap)
    made.addPixmap(pixmap, QIcon.Mode.Selected)  # else a selected row would tint it, and a run's colour is its name
    return made


def ordered_color(theme: Theme, place: float) -> str:
    """The colour of one of a sequence, from 0, the first, to 1, the last."""
    low, high = theme.ordered_range
    return _viridis(round(low + (high - low) * place, 3))


@cache
def _viridis(place: float) -> str:
    color: QColor = pg.colormap.get("viridis").map(place, mode="qcolor")
    return color.name()


def series_color(theme: Theme, series: Series) -> str:
    """The opaque colour of a series."""
    look = LOOKS[series.role]
    if series.role == "ordered":
        return ordered_color(theme, series.place)
    if series.role == "truth":
        return theme.text
    plain = theme.muted if series.color is None else run_color(theme, series.color)
    if series.role == "points" and series.color is None:
        plain = theme.text
    return plain if look.share == 1 else blend(plain, theme.canvas, look.share)


def series_dash(theme: Theme, series: Series) -> Dash:
    """The dash of a series: bold lines of a run have its own, thin ones would be lost in gaps."""
    return () if series.color is None or LOOKS[series.role].width < 2 else run_stroke(theme, series.color).dash


@cache
def pen(color: str, width: int, style: Qt.PenStyle = Qt.PenStyle.SolidLine, dash: Dash = ()) -> QPen:
    """A pen that keeps its width at every zoom."""
    return dashed(pg.mkPen(QColor(color), width=width, style=style), dash)


@cache
def point_pen(color: str, diameter: int) -> QPen:
    """What draws round points."""
    return QPen(QColor(color), diameter, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)


def dashed(made: QPen, dash: Dash) -> QPen:
    """A pen, now broken."""
    if dash:
        made.setDashPattern([pixels / made.widthF() for pixels in dash])
        made.setCapStyle(Qt.PenCapStyle.FlatCap)  # any other would fill the gaps
    return made


@cache
def brush(color: str, alpha: int = 255) -> QBrush:
    """A brush."""
    made = QColor(color)
    made.setAlpha(alpha)
    return QBrush(made)


def font(points: float = 0.0, *, is_bold: bool = False) -> QFont:
    """The system's font, smaller by some points, with figures of one width so that numbers do not dance.

    The same object as long as the system's font is the same, so that two are compared in no time.
    """
    return _fonts.font(points, is_bold=is_bold)


class _Fonts:
    """Fonts that were made from the system's, and are made anew when that is another."""

    def __init__(self) -> None:
        self._system = QFont()
        self._made: dict[tuple[float, bool], QFont] = {}

    def font(self, points: float, *, is_bold: bool) -> QFont:
        system = QApplication.font()
        if system != self._system:
            self._system = system
            self._made.clear()
        if (points, is_bold) not in self._made:
            made = QFont(system)
            made.setPointSizeF(max(made.pointSizeF() + points, 7.0))
            made.setFeature(QFont.Tag("tnum"), 1)
            if is_bold:
                made.setWeight(QFont.Weight.DemiBold)
            self._made[points, is_bold] = made
        return self._made[points, is_bold]


_fonts = _Fonts()


def sheet(theme: Theme) -> str:
    """The style sheet of everything inside the plots' cards."""
    hover = blend(theme.text, theme.canvas, 0.07)
    checked = blend(theme.accent, theme.canvas, 0.16)
    roles: dict[str, Any] = {
        "Card": f"background: {theme.canvas}; border: 1px solid {theme.line}; border-radius: 8px;",
        'Card[isFocused="true"]': f"border-color: {theme.accent};",
        "Card QLabel, EmptyNote, EmptyNote QLabel": f"color: {theme.text}; background: transparent; border: none;",
        "Card QLabel#facts, Card QLabel#caption, EmptyNote QLabel": f"color: {theme.muted};",
        "Card QToolButton": f"color: {theme.muted}; background: transparent; border: 1px solid transparent; "
                            "border-radius: 5px; padding: 1px 5px; min-height: 0px;",
        "Card QToolButton:hover": f"background: {hover}; color: {theme.text};",
        'Card QToolButton[role="switch"]': f"border-color: {theme.line};",
        'Card QToolButton[role="switch"]:checked':
            f"background: {checked}; border-color: {theme.accent}; color: {theme.text};",
        "Card QToolButton:focus": f"border-color: {theme.accent};",
        "Card QToolButton#resetView": f"background: {theme.raised}; color: {theme.text}; border-color: {theme.line};",
        "Card QToolButton#legendEntry": "padding: 0px 2px;",
        "Card QToolButton::menu-indicator": "image: none; width: 0px;",
        "QScrollArea#picturesScroll, QWidget#pictures, QScrollArea#picturesScroll > QWidget":
            f"background: {theme.canvas}; border: none;",
        "QLabel#readout": f"background: {theme.raised}; color: {theme.text}; border: 1px solid {theme.line}; "
                          "border-radius: 6px; padding: 4px 8px;",
    }
    return "\n".join(f"{selector} {{ {rules} }}" for selector, rules in roles.items())
