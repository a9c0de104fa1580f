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


def test_a_view_stays_where_what_it_shows_fits_and_leaves_room_where_it_does_not() -> None:
    assert followed((-7, 120), (-7, 107), 1.25) == (-7, 120)
    low, high = followed((-7, 107), (-7, 110), 1.25)
    assert (low, high) == (-7, pytest.approx(110 + AHEAD * 117))
    assert followed((-7, 400), (-7, 107), 1.25) == (-7, 107)
    assert followed((0, 1), (-7, 107), 1.25) == (-7, 107)
