"""The card that shows what a dataset is before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from workbench.gui.form.entries import Combo
from workbench.gui.form.scan import Look
from workbench.gui.preview.drawing import Painter
from workbench.gui.preview.sentences import floor_line
from workbench.gui.style import caption_font, set_property, set_tone
from workbench.gui.theme import LIGHT, Theme
from workbench.tasks.base import Floor
from workbench.tasks.looking.preview import Example
from workbench.words import counted

_SIDE = 26
_WIDE = 56
_GAP = 8
_LOOKING = "Looking at the data …"


class SampleStrip(QWidget):
    """A row of pictures, or of whatever else can be drawn small; as many as fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures: tuple[NDArray[np.uint8], ...] = ()
        self._pixmaps: list[QPixmap] = []
        self._drawn: tuple[Example, ...] = ()
        self._is_ink = False
        self._theme: Theme = LIGHT
        self.setFixedHeight(_SIDE)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """A few pictures."""
        return QSize(4 * (_SIDE + _GAP), _SIDE)

    def show_pictures(self, pictures: tuple[NDArray[np.uint8], ...], drawn: tuple[Example, ...] = (), *,
                      is_ink: bool) -> None:
        """Show other pictures, or what there is in their place."""
        self._pictures, self._drawn, self._is_ink = pictures, drawn, is_ink
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
        if self._drawn:
            self._paint_drawn(painter)
            painter.end()
            return
        fitting = min(len(self._pixmaps), max(1, (self.width() + _GAP) // (_SIDE + _GAP)))
        if fitting:
            step = (self.width() - fitting * _SIDE) / max(1, fitting - 1) if fitting > 5 else _GAP
            for i, pixmap in enumerate(self._pixmaps[:fitting]):
                painter.drawPixmap(round(i * (_SIDE + step)), 0, _SIDE, _SIDE, pixmap)
        painter.end()

    def _paint_drawn(self, painter: QPainter) -> None:
        """A row of small drawings, wider than they are high."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        fitting = min(len(self._drawn), max(1, (self.width() + _GAP) // (_WIDE + _GAP)))
        width = (self.width() + _GAP) // fitting - _GAP
        made = Painter(self._theme)
        for number, one in enumerate(self._drawn[:fitting]):
            made.paint(painter, QRect(number * (width + _GAP), 0, width, _SIDE), one)


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
        preview_requested(): Show the data as they will be trained on.
        cancel_requested(): Look at the data no longer; or look again, where that was given up.
        remedy_requested(): Set what would make the data do.
        details_requested(): Show everything that was found.
        download_requested(): Fetch the official files, or give the download up while one is under way.
    """

    preview_requested = Signal()
    cancel_requested = Signal()
    remedy_requested = Signal()
    details_requested = Signal()
    download_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.shown: Look | None = None
        self.picker = Combo()
        self.picker.setObjectName("dataset.name")
        self.picker.setAccessibleName("Dataset")
        self.open_button = _button("Open data…", "dataset.open", "Train on a folder or a file of your own, or on a "
                                   "sample. They can also be dropped on the window.")
        set_property(self.open_button, "opensMenu", "true")
        self._strip = SampleStrip()
        self._facts = _caption("dataset.facts", "muted")
        self._problems = _caption("dataset.problems", "bad")
        self._floor = _caption("dataset.floor", "")
        self._floor.setToolTip("What a simple method reaches without learning to learn; it is the dashed line in the "
                               "plot of the results.")
        self.preview = _button("Preview…", "dataset.preview", "Classes, random examples, whole tasks and every problem "
                               "(Ctrl+D).")
        self.preview.clicked.connect(self.preview_requested)
        self.cancel = _button("Cancel", "dataset.cancel", "Look at the data no longer.")
        self.cancel.clicked.connect(self.cancel_requested)
        self.remedy = _button("Set it", "dataset.remedy", "Set this, with which the data will do.")
        self.remedy.clicked.connect(self.remedy_requested)
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
        for button in (self.preview, self.details, self.download, self.cancel):
            low.addWidget(button)
        low.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(8)
        column.addLayout(top)
        for widget in (self._strip, self._facts, self._floor, self._problems):
            column.addWidget(widget)
        column.addWidget(self.remedy, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(low)

    def set_theme(self, theme: Theme) -> None:
        """Draw the pictures for another theme."""
        self._strip.set_theme(theme)

    def show_looking(self) -> None:
        """Say that the dataset is being looked at; what was shown stays until there is something new."""
        if self.shown is None:
            self._facts.setText(_LOOKING)
            for widget in (self._strip, self._floor, self._problems, self.remedy, self.preview, self.details,
                           self.download, self.cancel):
                widget.hide()

    def show_busy(self, text: str) -> None:
        """Say what takes a while, and offer to give it up."""
        self._facts.setText(text)
        self._facts.show()
        for widget in (self._floor, self._problems, self.remedy, self.preview, self.details, self.download):
            widget.hide()
        self._show_cancel("Cancel", "Look at the data no longer.")

    def show_given_up(self) -> None:
        """Say that nobody has looked at the data."""
        self.shown = None
        self._strip.hide()
        self.show_busy("Nobody has looked at the data: it was cancelled. They will be read when training starts.")
        self._show_cancel("Look again", "Look at the data after all.")

    def _show_cancel(self, text: str, tip: str) -> None:
        self.cancel.setText(text)
        self.cancel.setAccessibleName(text)
        self.cancel.setToolTip(tip)
        self.cancel.show()

    def show_look(self, look: Look) -> None:
        """Show what was found."""
        self.shown = look
        self._strip.show_pictures(look.samples, look.drawn, is_ink=look.is_ink)
        self._strip.setVisible(bool(look.samples or look.drawn))
        form = "" if look.form in look.facts or (look.is_usable and look.form == "sinusoids") else look.form
        facts = " · ".join(part for part in (form[:1].upper() + form[1:], look.facts) if part)
        splits = ", ".join(f"{classes:,} {split}" for split, classes, _ in look.splits if classes)
        self._facts.setText("\n".join(part for part in (facts, f"Classes: {splits}" if splits else "") if part))
        self._facts.setVisible(bool(self._facts.text()))
        self._show_problems(look)
        self.remedy.setVisible(bool(look.remedy))
        self._floor.setText(floor_line(look.floors))
        self._floor.setVisible(bool(look.floors))
        self.cancel.hide()
        self.preview.setVisible(look.is_usable or bool(look.problems))
        self.details.setVisible(bool(look.problems or look.splits))
        self.download.setVisible(look.can_download)
        self.download.setText("Download…")

    def show_floors(self, floors: Sequence[Floor]) -> None:
        """Say what a learner must beat."""
        if self.shown is not None:
            self.show_look(replace(self.shown, floors=tuple(floors)))

    def set_open_menu(self, menu: QMenu) -> None:
        """What can be opened."""
        self.open_button.setMenu(menu)

    def _show_problems(self, look: Look) -> None:
        first, rest = look.problems[:1], len(look.problems) - 1
        sign = "⚠" if look.is_usable else "✕"
        more = f"\n{counted(rest, 'more problems')}: see Details…" if rest > 0 else ""
        self._problems.setText(f"{sign} {first[0]}{more}" if first else "")
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
