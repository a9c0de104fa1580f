"""The canvas as Qt treats it: opened, closed and gone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.plots.helpers import pixels_in
from workbench.exports.figures import Figure, Reference, Role, Series
from workbench.gui.plots.canvas import Canvas
from workbench.gui.plots.card import FigureCard
from workbench.gui.plots.style import series_color
from workbench.gui.theme import LIGHT


def test_closing_raises_nothing_and_drops_no_reference_that_is_not_its_own(qapp: QApplication) -> None:
    """An override that raises while Qt closes a plot makes shiboken drop a reference to the next one it looks up."""
    overrides = {name: value for name, value in vars(Canvas).items() if name.endswith("Event")}
    before = {name: sys.getrefcount(value) for name, value in overrides.items()}
    for _ in range(10):
        canvas = Canvas(LIGHT)
        canvas.show()
        QApplication.processEvents()
        canvas.close()
        canvas.deleteLater()
        QApplication.processEvents()
    assert {name: sys.getrefcount(value) for name, value in overrides.items()} == before


def test_predictions_against_true_values_lie_about_the_diagonal(qtbot: QtBot) -> None:
    canvas = Canvas(LIGHT)
    qtbot.addWidget(canvas)
    values = np.array([1.0, 2.0, 3.0])
    canvas.draw(Figure("machine", "", "true value", "predicted value", (Series("queries", values, values, "points"),),
                       (Reference("predicted = true", 0.0, is_diagonal=True),)))
    ((_, line, label),) = canvas._references._lines
    assert (line.angle, line.pos().x(), line.pos().y()) == (45, 0, 0)
    assert label.toPlainText() == "predicted = true"


class ItemByItem(Canvas):
    """One that is painted as it is into a picture or a drawing that is saved."""

    def _paint_quickly(self) -> bool:
        return False


def pixels_of(image: QImage, color: str) -> int:
    wanted = QColor(color)
    return int((pixels_in(image) == (wanted.blue(), wanted.green(), wanted.red())).all(2).sum())


def ordered(first: int, *, shift: float = 0.0, has_markers: bool = True, is_wide: bool = False) -> tuple[Series, ...]:
    x = np.arange(5.0)
    return tuple(Series(f"iteration {number}", x, x + number + shift, "ordered", f"{number}", place=place,
                        has_markers=has_markers, half_width=np.ones(5) if is_wide else None)
                 for number, place in zip(range(first, first + 3), (0.0, 0.5, 1.0), strict=True))


def test_points_of_a_line_are_discs_on_the_screen_and_in_a_drawing(qtbot: QtBot, tmp_path: Path) -> None:
    card = FigureCard("card", LIGHT)
    card.resize(500, 400)
    qtbot.addWidget(card)
    card.show()
    color = series_color(LIGHT, ordered(0)[1])
    inked = {}
    for has_markers in (False, True):
        card.show_figure(Figure("probes", series=ordered(0, has_markers=has_markers)))
        inked[has_markers] = pixels_of(card.canvas.grab().toImage(), color)
        card.saver.save_vector(tmp_path / f"{has_markers}.svg")
    # A disc of five pixels covers some twenty, of which the line has a few.
    assert inked[True] - inked[False] > 5 * 8
    drawings = {has: (tmp_path / f"{has}.svg").read_text("utf8").count("<circle") for has in inked}
    assert drawings == {False: 0, True: 15}


def test_a_point_that_is_not_a_number_is_not_marked(qtbot: QtBot, tmp_path: Path) -> None:
    card = FigureCard("card", LIGHT)
    card.resize(500, 400)
    qtbot.addWidget(card)
    for y, points in (([1.0, np.nan, 2.0, 3.0, np.nan], 3), ([np.nan] * 5, 0)):
        one = Series("run", np.arange(5.0), np.array(y), "result", has_markers=True)
        card.show_figure(Figure("validation", series=(one,)))
        card.saver.save_vector(tmp_path / "drawing.svg")
        assert (tmp_path / "drawing.svg").read_text("utf8").count("<circle") == points


@pytest.mark.parametrize("is_quick", [True, False], ids=["over a still picture", "item by item"])
@pytest.mark.parametrize("hidden", [set(), {"1"}], ids=["all shown", "one hidden"])
def test_what_is_drawn_after_other_names_is_what_a_new_plot_draws(
        qtbot: QtBot, hidden: set[str], is_quick: bool) -> None:
    kind = Canvas if is_quick else ItemByItem
    figures = [Figure("probes", series=ordered(0)), Figure("probes", series=ordered(1, is_wide=True)),
               Figure("probes", series=ordered(2, shift=-2.0)),
               Figure("points", series=(Series("a", np.arange(5.0), np.arange(5.0), "points"), *ordered(1)[:1]))]

    def drawn(shown: list[Figure]) -> QImage:
        canvas = kind(LIGHT)
        canvas.resize(500, 400)
        qtbot.addWidget(canvas)
        canvas.show()
        for figure in shown:
            canvas.draw(figure)
            canvas.set_hidden(hidden)
            canvas.reset_view()
            canvas.grab()
        return canvas.grab().toImage()

    for count in range(1, len(figures) + 1):
        assert drawn(figures[:count]) == drawn(figures[count - 1 : count])


@pytest.mark.parametrize("role", ["background", "smoothed"])
@pytest.mark.parametrize("points", [300, 700, 3000])
def test_a_curve_that_is_nearly_level_has_no_holes(qtbot: QtBot, role: Role, points: int) -> None:
    """Qt leaves out pixels of a thin line whose points lie closer than a pixel."""
    canvas = Canvas(LIGHT)
    canvas.resize(560, 309)
    qtbot.addWidget(canvas)
    with qtbot.waitExposed(canvas):
        canvas.show()
    x = np.arange(float(points))
    y = 90 + np.sqrt(x / points) + 0.2 * np.sin(3 * x)
    canvas.draw(Figure("metric", series=(Series("run", x, y, role, color=0),), bounds=(0.0, 100.0),
                       references=(Reference("chance", 0.0),)))
    view = canvas._view
    first, last = (int(view.mapViewToScene(QPointF(one, 90)).x()) for one in (x[0], x[-1]))
    top, bottom = (int(view.mapViewToScene(QPointF(0, one)).y()) for one in (94.0, 85.0))
    pixels = pixels_in(canvas.grab().toImage())[top:bottom, first + 1:last]
    color = np.ptp(pixels, axis=2)  # which grid and canvas hardly have
    assert (color.max(0) > 20).all()
