"""The colours of a table of numbers, which all eyes can tell apart."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from workbench.engine.events import Curve
from workbench.gui.theme import Theme, blend

COLORS = 256
# Blue below zero and orange above it; the further from zero, the further from the canvas.
BELOW = {False: ("#0b3c5d", "#3d8dc4"), True: ("#b5e3ff", "#3a8fc7")}
ABOVE = {False: ("#e08a3c", "#7a3103"), True: ("#d0781f", "#ffd9a3")}


def colors(values: Curve, limits: tuple[float, float], theme: Theme) -> NDArray[np.uint8]:
    """Colours [rows, columns, 4] of numbers; what is not a number is left clear."""
    low, high = limits
    places = np.clip((np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / (high - low), 0, 1)
    table = color_table(theme, is_signed=low < 0)
    found: NDArray[np.uint8] = table[np.round(places * (len(table) - 1)).astype(int)]
    found[np.isnan(values), 3] = 0
    return found


@cache
def color_table(theme: Theme, *, is_signed: bool) -> NDArray[np.uint8]:
    """[colours, 4] from the least to the greatest: viridis, or from blue over the canvas to orange."""
    if is_signed:
        middle = blend(theme.line, theme.canvas, 0.45)
        stops = (*BELOW[theme.is_dark], middle, *ABOVE[theme.is_dark])
        chosen = pg.ColorMap(np.linspace(0, 1, len(stops)), stops)
    else:
        chosen = pg.colormap.get("viridis")
    # An odd number of colours has a middle.
    table: Any = chosen.getLookupTable(nPts=COLORS + 1, alpha=True)
    return np.asarray(table, dtype=np.uint8)


def bar_color(theme: Theme, *, is_below: bool) -> str:
    """Of bars below zero and of all others."""
    return theme.series[1] if is_below else theme.series[0]
