"""The colours of the window by their role, light and dark, and what Qt is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from PySide6.QtGui import QColor


@dataclass(frozen=True)
class Theme:
    """Colours by role, each "#rrggbb".

    Attributes:
        is_dark: Whether light ink lies on dark ground.
        canvas: Ground of plots and tables.
        window: Ground of the window.
        panel: Ground of the form.
        raised: Ground of fields and cards.
        line: Borders and rules.
        text, muted: Ink, and ink of what matters less.
        accent, on_accent: The one accent colour, and ink on it.
        good, warn, bad: Inks of states; an icon and a word go with them.
        series: Colours of runs, in order.
        ordered_range: Part of viridis that ordered series are drawn from.
    """

    is_dark: bool
    canvas: str
    window: str
    panel: str
    raised: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    good: str
    warn: str
    bad: str
    series: tuple[str, ...]
    ordered_range: tuple[float, float]


LIGHT = Theme(
    is_dark=False, canvas="#ffffff", window="#f3f4f7", panel="#fbfbfd", raised="#ffffff", line="#d9dde5",
    text="#1d2330", muted="#5d6677", accent="#0b6bcb", on_accent="#ffffff", good="#0d8a63", warn="#a66a00",
    bad="#c63a26", series=("#0072B2", "#D55E00", "#009E73", "#AA5C8A", "#333333", "#B07A00"),
    ordered_range=(0.0, 0.70))

DARK = Theme(
    is_dark=True, canvas="#16181d", window="#1c1f26", panel="#232730", raised="#2b303b", line="#363c49",
    text="#e6e9ef", muted="#9aa3b2", accent="#4c9be8", on_accent="#0d1117", good="#3fb68b", warn="#e0a13a",
    bad="#e5604d", series=("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00"),
    ordered_range=(0.34, 0.98))


@cache
def blend(over: str, under: str, share: float) -> str:
    """The opaque colour that `over` at this opacity makes on `under`."""
    a, b = QColor(over), QColor(under)
    mixed = (round(x * share + y * (1 - share)) for x, y in
             ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue())))
    return QColor(*mixed).name()
