"""Hands that open tabs of plots and find what is in them, and eyes that count colours."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from workbench.gui.plots.area import PlotArea

Found = TypeVar("Found", bound=QWidget)
TABS = ("Live", "Task", "Inside", "Compare")


def child(area: QWidget, kind: type[Found], name: str) -> Found:
    """The widget of this kind and name, which must be there."""
    found = area.findChild(kind, name)
    assert found is not None, f"there is no {kind.__name__} called {name}"
    return found


def open_tab(area: PlotArea, title: str) -> None:
    """Open the tab of this title."""
    area.tabs.setCurrentIndex(TABS.index(title))


def pixels_in(image: QImage) -> NDArray[np.uint8]:
    """Blue, green and red of a picture, [height, width, 3]."""
    wide = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(wide.constBits(), np.uint8).reshape(wide.height(), wide.width(), 4)[:, :, :3].copy()


def colors_in(image: QImage) -> int:
    """How many colours a picture has."""
    return len(np.unique(pixels_in(image) @ np.array([1, 2**8, 2**16])))
