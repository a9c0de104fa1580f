"""The program's own icons, drawn in any colour."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QImage, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from workbench import places

SIDE = 16
_DENSITIES = (1, 1.5, 2, 3)


def app_icon() -> QIcon:
    """What stands for the program on the desktop."""
    icon = QIcon(str(places.resources() / "icons" / "workbench.png"))
    icon.addFile(str(places.resources() / "icons" / "workbench.svg"))
    return icon


def icon(name: str, color: str, disabled: str = "") -> QIcon:
    """A monochrome icon in a colour, sharp at every scale of the screen."""
    made = QIcon()
    for density in _DENSITIES:
        for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):  # a selected row would tint it otherwise
            made.addPixmap(pixmap(name, color, density=density), mode)
        if disabled:
            made.addPixmap(pixmap(name, disabled, density=density), QIcon.Mode.Disabled)
    return made


def pixmap(name: str, color: str, side: int = SIDE, density: float = 1) -> QPixmap:
    """A monochrome icon as a picture of `side` points."""
    image = QImage(round(side * density), round(side * density), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(_source(name).replace("currentColor", color).encode()))
    painter = QPainter(image)
    renderer.render(painter, QRectF(image.rect()))
    painter.end()
    image.setDevicePixelRatio(density)
    return QPixmap.fromImage(image)


@cache
def _source(name: str) -> str:
    return (places.resources() / "icons" / f"{name}.svg").read_text(encoding="utf8")
