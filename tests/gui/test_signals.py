"""Recordings, series and arrays trained from the window: every tab draws what they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SECONDS, fill, is_idle, press, status_of
from workbench.gui.plots.card import Card, FigureCard
from workbench.gui.plots.pictures import PicturesView
from workbench.gui.window import MainWindow
from workbench.places import sample_tasks

SHORT = {"algorithm": {"name": "protonet"}, "training": {"iterations": 3, "meta_batch": 2, "validation_tasks": 4},
         "evaluation": {"tasks": 4, "probe_tasks": 2}}
# A folder to look at what was drawn, set by hand.
KEEP = os.environ.get("WORKBENCH_TEST_GRABS")


def trained(qtbot: QtBot, window: MainWindow, dataset: str, path: str) -> None:
    """Train a few steps and draw every tab."""
    window.resize(1500, 950)
    fill(window, SHORT | {"dataset": {"name": dataset, "path": str(sample_tasks() / path)}})
    press(window.panel, "start")
    qtbot.waitUntil(lambda: is_idle(window), timeout=3 * SECONDS)
    assert status_of(window, f"protonet-{dataset}-0001") == "finished"
    for number in range(window.plots.tabs.count()):
        window.plots.tabs.setCurrentIndex(number)
        window.grab()
    window.plots.tabs.setCurrentWidget(window.plots.task)
    picture = window.grab()
    if KEEP:
        picture.save(str(Path(KEEP) / f"{dataset}.png"))


@pytest.mark.parametrize(("dataset", "path"), [("recordings", "calls"), ("array_pictures", "arrays/seals.npz")])
def test_spectrograms_and_arrays_are_drawn_as_pictures_that_show_something(qtbot: QtBot, window: MainWindow,
                                                                           dataset: str, path: str) -> None:
    trained(qtbot, window, dataset, path)
    card = window.plots.task.findChild(Card, "picturesCard")
    view = window.plots.task.findChild(PicturesView, "pictures")
    assert card is not None
    assert card.isVisible()
    assert view is not None
    assert view.task is not None
    assert len(view.task.rows) == 5
    for pixels in (view.task.rows[0].support[0], view.task.rows[1].queries[0].pixels):
        assert pixels.dtype == np.uint8
        assert len(np.unique(pixels)) > 8
        assert 5 < pixels.mean() < 250


def test_series_are_drawn_as_the_probability_of_their_true_class(qtbot: QtBot, window: MainWindow) -> None:
    trained(qtbot, window, "series", "gestures")
    card = window.plots.task.findChild(FigureCard, "functionCard")
    assert card is not None
    assert card.isVisible()
    (series,) = card.canvas.figure.series
    assert len(series.x) == 15
    assert ((series.y >= 0) & (series.y <= 100)).all()
