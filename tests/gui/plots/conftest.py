"""An area of plots, shown and closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from workbench.gui.plots.area import PlotArea
from workbench.gui.theme import LIGHT


@pytest.fixture
def area(qtbot: QtBot) -> Iterator[PlotArea]:
    """An area without runs, in light colours."""
    made = PlotArea(LIGHT)
    made.resize(1080, 600)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()
