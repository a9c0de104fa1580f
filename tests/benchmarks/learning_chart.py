"""Draws what every method reaches against the seconds of its training, a small plot a method and problem."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_ACROSS = 6
_WIDTH, _HEIGHT, _TITLE = 1.75, 1.35, 0.55
_OWN, _OTHERS, _WORDS = "#0b63a5", "#d5d9de", "#40464d"

Cell = Mapping[str, Any]


def draw(known: Sequence[Cell], problems: Sequence[str], path: Path) -> None:
    """Write the chart of every result that tells of its validations; without any there is no file.

    Each small plot has one method's validations, all its seeds, over those of all others in grey.

    Args:
        known: Results as `tests.benchmarks.learning` keeps them.
        problems: In the order of drawing.
        path: An SVG file.
    """
    told = {problem: [one for one in known if one["problem"] == problem and one.get("validation")]
            for problem in problems}
    told = {problem: cells for problem, cells in told.items() if cells}
    if not told:
        path.unlink(missing_ok=True)
        return
    # Words stay words, and the same results give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "learning", "font.size": 7, "axes.linewidth": 0.5,
                         "text.color": _WORDS, "axes.edgecolor": _WORDS, "axes.labelcolor": _WORDS,
                         "xtick.color": _WORDS, "ytick.color": _WORDS}):
        rows = {problem: math.ceil(len({one["algorithm"] for one in cells}) / _ACROSS)
                for problem, cells in told.items()}
        heights = [count * _HEIGHT + _TITLE for count in rows.values()]
        figure = Figure(figsize=(_ACROSS * _WIDTH, sum(heights)), layout="constrained")
        for part, (problem, cells) in zip(figure.subfigures(len(told), 1, height_ratios=heights, squeeze=False)[:, 0],
                                          told.items(), strict=True):
            unit = "mean squared error" if cells[0]["metric"] == "mse" else "accuracy, %"
            part.suptitle(f"{problem}: validation {unit}, against seconds of training", fontsize=9, x=0.01, ha="left")
            axes = part.subplots(rows[problem], _ACROSS, sharex=True, sharey=True, squeeze=False)
            _fill(list(axes.flat), cells)
        figure.savefig(path, metadata={"Date": None})


def _fill(axes: list[Axes], cells: Sequence[Cell]) -> None:
    """A plot for each method, best first, and nothing in what is left over."""
    is_error = cells[0]["metric"] == "mse"
    names = sorted({one["algorithm"] for one in cells},
                   key=lambda name: min((1 if is_error else -1) * one["mean"] for one in cells
                                        if one["algorithm"] == name))
    for place, name in zip(axes, names, strict=False):
        place.spines[["top", "right"]].set_visible(False)
        _curves(place, [one for one in cells if one["algorithm"] != name], _OTHERS, 0.6)
        _curves(place, [one for one in cells if one["algorithm"] == name], _OWN, 1.3)
        place.set_title(name, fontsize=7.5, pad=2, color=_OWN)
        place.tick_params(width=0.5, length=2, labelleft=place.get_subplotspec().is_first_col())  # type: ignore[union-attr]
        if is_error:
            place.set_yscale("log")
            place.yaxis.set_major_formatter("{x:g}")
            place.minorticks_off()
    for number, place in enumerate(axes[len(names):], len(names)):
        place.set_visible(False)
        axes[number - _ACROSS].tick_params(labelbottom=True)


def _curves(place: Axes, cells: Sequence[Cell], color: str, width: float) -> None:
    """Validations of some results as one line with gaps between them, so that the file stays small."""
    scale = 1 if cells and cells[0]["metric"] == "mse" else 100
    x: list[float] = []
    y: list[float] = []
    for one in cells:
        x += [*(point["seconds"] for point in one["validation"]), math.nan]
        y += [*(scale * point["mean"] for point in one["validation"]), math.nan]
    place.plot(x, y, color=color, linewidth=width, solid_joinstyle="round")
