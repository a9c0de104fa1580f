"""The card that shows what a dataset is before anything is trained on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from workbench.gui.form.entries import Combo
from workbench.gui.form.scan import Look
from workbench.gui.style import caption_font, set_tone
from workbench.gui.theme import LIGHT, Theme

_SIDE = 26
_GAP = 8
_LOOKING = "Looking at the data …"


class SampleStrip(QWidget):
    """A row of pictures, as many as fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures: tuple[NDArray[np.uint8], ...] = ()
        self._pixmaps: list[QPixmap] = []
        self._is_ink = False
        self._theme: Theme = LIGHT
        self.setFixedHeight(_SIDE)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """A few pictures."""
        return QSize(4 * (_SIDE + _GAP), _SIDE)

    def show_pictures(self, pictures: tuple[NDArray[np.uint8], ...], *, is_ink: bool) -> None:
        """Show other pictures."""
        self._pictures, self._is_ink = pictures, is_ink
        self.set_theme(self._theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw ink in the ink of the theme."""
        self._theme = theme
        self._pixmaps = [_pixmap(one, theme, is_ink=self._is_ink) for one in self._pictures]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - all of it is painted
        """Draw the row."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        fitting = min(len(self._pixmaps), max(1, (self.width() + _GAP) // (_SIDE + _GAP)))
        if fitting:
            step = (self.width() - fitting * _SIDE) / max(1, fitting - 1) if fitting > 5 else _GAP
            for i, pixmap in enumerate(self._pixmaps[:fitting]):
                painter.drawPixmap(round(i * (_SIDE + step)), 0, _SIDE, _SIDE, pixmap)
        painter.end()


def _pixmap(picture: NDArray[np.uint8], theme: Theme, *, is_ink: bool) -> QPixmap:
    height, width, channels = picture.shape
    if is_ink:
        ink = QColor(theme.text)
        drawn = np.empty((height, width, 4), np.uint8)
        drawn[..., :3] = (ink.red(), ink.green(), ink.blue())
        drawn[..., 3] = picture[..., 0]
        form = QImage.Format.Format_RGBA8888
    else:
        drawn = np.ascontiguousarray(np.repeat(picture, 3, 2) if channels == 1 else picture[..., :3])
        form = QImage.Format.Format_RGB888
    image = QImage(drawn.tobytes(), width, height, drawn.strides[0], form)
    return QPixmap.fromImage(image.copy())


class DatasetCard(QFrame):
    """Picks the dataset and shows pictures, facts and problems of it.

    Attributes:
        picker: The combo box of the datasets.
        shown: What is shown; None while it is being looked at.

    Signals:
        open_requested(): Open a folder.
        details_requested(): Show everything that was found.
        download_requested(): Fetch the official files, or give the download up while one is under way.
    """

    open_requested = Signal()
    details_requested = Signal()
    download_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.shown: Look | None = None
        self.picker = Combo()
        self.picker.setObjectName("dataset.name")
        self.picker.setAccessibleName("Dataset")
        self.open_button = _button("Open folder…", "dataset.open", "Train on a folder of your own pictures (Ctrl+O). "
                                   "A folder can also be dropped on the window.")
        self.open_button.clicked.connect(self.open_requested)
        self._strip = SampleStrip()
        self._facts = _caption("dataset.facts", "muted")
        self._problems = _caption("dataset.problems", "bad")
        self.details = _button("Details…", "dataset.details", "Everything that was found in the data.")
        self.details.clicked.connect(self.details_requested)
        self.download = _button("Download…", "dataset.download", "Fetch the official files of this dataset.")
        self.download.clicked.connect(self.download_requested)
        self._lay_out()
        self.show_looking()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.picker, 1)
        top.addWidget(self.open_button)
        low = QHBoxLayout()
        low.setSpacing(6)
        low.addWidget(self.details)
        low.addWidget(self.download)
        low.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(8)
        column.addLayout(top)
        for widget in (self._strip, self._facts, self._problems):
            column.addWidget(widget)
        column.addLayout(low)

    def set_theme(self, theme: Theme) -> None:
        """Draw the pictures for another theme."""
        self._strip.set_theme(theme)

    def show_looking(self) -> None:
        """Say that the dataset is being looked at; what was shown stays until there is something new."""
        if self.shown is None:
            self._facts.setText(_LOOKING)
            self._strip.hide()
            self._problems.hide()
            self.details.hide()
            self.download.hide()

    def show_look(self, look: Look) -> None:
        """Show what was found."""
        self.shown = look
        self._strip.show_pictures(look.samples, is_ink=look.is_ink)
        self._strip.setVisible(bool(look.samples))
        form = "" if look.form in look.facts or (look.is_usable and look.form == "sinusoids") else look.form
        facts = " · ".join(part for part in (form[:1].upper() + form[1:], look.facts) if part)
        splits = ", ".join(f"{classes:,} {split}" for split, classes, _ in look.splits if classes)
        self._facts.setText("\n".join(part for part in (facts, f"Classes: {splits}" if splits else "") if part))
        self._facts.setVisible(bool(self._facts.text()))
        self._show_problems(look)
        self.details.setVisible(bool(look.problems or look.splits))
        self.download.setVisible(look.can_download)
        self.download.setText("Download…")

    def _show_problems(self, look: Look) -> None:
        first, rest = look.problems[:1], len(look.problems) - 1
        sign = "⚠" if look.is_usable else "✕"
        more = f"\n{rest:,} more {'problem' if rest == 1 else 'problems'}: see Details…" if rest > 0 else ""
        self._problems.setText(f"{sign} {first[0][:1].upper()}{first[0][1:]}{more}" if first else "")
        self._problems.setVisible(bool(first))
        set_tone(self._problems, "warn" if look.is_usable else "bad")

    def show_download(self, text: str) -> None:
        """Say how far a download is."""
        self.download.setVisible(True)
        self.download.setText("Cancel")
        self._facts.setText(text)
        self._facts.show()
        self._problems.hide()


def _button(text: str, name: str, tip: str) -> QPushButton:
    made = QPushButton(text)
    made.setObjectName(name)
    made.setToolTip(tip)
    made.setAccessibleName(text.removesuffix("…"))
    return made


def _caption(name: str, tone: str) -> QLabel:
    made = QLabel()
    made.setObjectName(name)
    made.setFont(caption_font())
    made.setWordWrap(True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    set_tone(made, tone)
    return made
