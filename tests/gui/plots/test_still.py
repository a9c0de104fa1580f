"""What stands still in a plot is painted once, and anew where it has changed; the picture is the same as without it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from workbench.exports.figures import Figure, Reference, Series, Turn
from workbench.gui.plots.canvas import AHEAD, Canvas, followed
from workbench.gui.theme import DARK, LIGHT


def figure(steps: int = 200, label: str = "meta-loss") -> Figure:
    """A curve over some steps that falls from 2 to 1, a line to compare with and a turn."""
    x = np.arange(1.0, steps + 1)
    y = 1 + np.exp(-x / 50)
    return Figure("Meta-loss", "", "iteration", label,
                  (Series("each", x, y + 0.2 * np.sin(7 * x), "raw", 0), Series("smoothed", x, y, "smoothed", 0)),
                  (Reference("chance", 1.5),), turns=(Turn("first | second", 60.0),))


@pytest.fixture
def canvas(qtbot: QtBot) -> Canvas:
    """A canvas on the screen that has drawn."""
    made = Canvas(LIGHT)
    qtbot.addWidget(made)
    made.resize(500, 260)
    made.show()
    made.draw(figure())
    settle()
    return made


def settle() -> None:
    """Let everything be painted that waits."""
    for _ in range(5):
        QApplication.processEvents()


def picture(canvas: Canvas) -> QImage:
    """What is seen, as numbers can be read from it."""
    return canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)


def pixels(image: QImage) -> np.ndarray:
    """Red, green and blue, [height, width, 3]."""
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4)[..., :3].astype(int)


def test_only_the_curves_are_painted_while_the_view_has_room_for_them(canvas: Canvas) -> None:
    canvas.draw(figure(210))  # the view moves on, and leaves room for the next steps
    settle()
    taken, view = canvas.pictures_taken, canvas.getPlotItem().getViewBox().viewRange()
    before = pixels(picture(canvas))
    for steps in (215, 220):
        canvas.draw(figure(steps))
        settle()
    assert canvas.pictures_taken == taken
    assert canvas.getPlotItem().getViewBox().viewRange() == view
    assert (pixels(picture(canvas)) != before).any()


@pytest.mark.parametrize("change", [
    lambda canvas: canvas.set_theme(DARK),
    lambda canvas: canvas.resize(QSize(440, 220)),
    lambda canvas: canvas.draw(figure(400)),
    lambda canvas: canvas.draw(figure(label="query loss")),
    lambda canvas: canvas.draw(Figure("Meta-loss", "", "iteration", "meta-loss", figure().series)),
    lambda canvas: canvas.getPlotItem().getViewBox().scaleBy((0.5, 0.5)),
], ids=["theme", "size", "range", "label", "references", "zoom"])
def test_the_picture_is_taken_anew_where_anything_in_it_has_changed(canvas: Canvas, change: Callable[[Canvas], None]
                                                                    ) -> None:
    taken = canvas.pictures_taken
    change(canvas)
    settle()
    assert canvas.pictures_taken > taken


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_plot_looks_as_if_it_were_painted_item_by_item(canvas: Canvas, theme: object,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    canvas.set_theme(theme)  # type: ignore[arg-type]
    settle()
    quick = pixels(picture(canvas))
    monkeypatch.setattr(Canvas, "_paint_quickly", lambda _: False)
    whole = pixels(picture(canvas))
    # A dashed line may lie below a thin curve instead of above it, where the two cross.
    assert np.mean(np.abs(quick - whole).max(2) > 8) < 0.003


def test_an_image_at_another_scale_is_painted_item_by_item(canvas: Canvas, monkeypatch: pytest.MonkeyPatch) -> None:
    def enlarged() -> QImage:
        image = QImage(canvas.size() * 2, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(2)
        QWidget.render(canvas, image)
        return image

    taken, made = canvas.pictures_taken, enlarged()
    assert canvas.pictures_taken == taken
    monkeypatch.setattr(Canvas, "_paint_quickly", lambda _: False)
    assert made == enlarged()


def test_a_view_leaves_room_on_the_right_for_a_run_that_grows_and_none_for_one_that_does_not(canvas: Canvas) -> None:
    def across() -> list[float]:
        low, high = canvas.getPlotItem().getViewBox().viewRange()[0]
        return [low, high]

    margin = 0.035 * 199
    assert across() == pytest.approx([1 - margin, 200 + margin])
    canvas.draw(figure())
    assert across() == pytest.approx([1 - margin, 200 + margin])
    canvas.draw(figure(220))
    low, high = across()
    canvas.draw(figure(230))
    assert across() == [low, high]
    assert high == pytest.approx(low + (1 + AHEAD) * 1.07 * 219, abs=2)
    canvas.reset_view()
    assert across() == pytest.approx([1 - 0.035 * 229, 230 + 0.035 * 229])


def test_another_figure_fills_the_view(canvas: Canvas) -> None:
    x = np.arange(1.0, 181.0)
    canvas.draw(Figure("Meta-loss", "", "iteration", "meta-loss", (Series("other", x, 1 + 0.6 / x, "smoothed", 0),)))
    (left, right), (low, high) = canvas.getPlotItem().getViewBox().viewRange()
    assert [left, right] == pytest.approx([1 - 0.035 * 179, 180 + 0.035 * 179])
    assert high - low == pytest.approx(1.12 * 0.6 * (1 - 1 / 180))


@pytest.mark.parametrize(("shown", "wanted", "expected"), [
    ((-7.0, 120.0), (-7.0, 107.0), (-7.0, 120.0)),  # it fits
    ((-7.0, 107.0), (-7.0, 108.0), (-7.0, 107.0)),  # what is lacking is a part of the margin
    ((-7.0, 107.0), (-7.0, 120.0), (-7.0, 120.0)),  # it does not
    ((-7.0, 400.0), (-7.0, 107.0), (-7.0, 107.0)),  # it is lost
])
def test_a_view_stays_while_what_it_shows_fits(shown: tuple[float, float], wanted: tuple[float, float],
                                               expected: tuple[float, float]) -> None:
    assert followed(shown, wanted, 1.25) == expected
