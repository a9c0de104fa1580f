"""The Task tab: one probe task, after any inner step and at any moment of training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from PySide6.QtWidgets import QFrame, QScrollArea

from workbench.exports.figures import Figure, fitted
from workbench.exports.heat import moments
from workbench.exports.pictures import picture_task, probabilities
from workbench.gui.plots.card import Card, FigureCard
from workbench.gui.plots.grid import NEVER, CardTab
from workbench.gui.plots.looking import Look, LookBar
from workbench.gui.plots.pictures import PicturesView
from workbench.gui.plots.shown import ShownRun
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme

NOTE = ("A probe task of the focused run appears here: its examples, and what is predicted from them after every inner "
        "step and all through training.")


class LookTab(CardTab):
    """A tab that looks at the focused run as a bar of controls says.

    Attributes:
        look: What is looked at.
        bar: The controls.
    """

    def __init__(self, theme: Theme, look: Look, prefix: str = "") -> None:
        super().__init__(theme)
        self.look = look
        self.bar = LookBar(look, prefix)
        self.bar.moved.connect(self.paint)
        self._painted: object = NEVER
        self.grid.addWidget(self.bar, 0, 0)
        self.grid.setRowStretch(1, 1)
        self.panes = [self]

    def set_runs(self, shown: Sequence[ShownRun], focused: ShownRun | None) -> None:
        """Look at the focused run; the choices start anew where it is another one."""
        super().set_runs(shown, focused)
        self.look.at(focused.id if focused else "")
        self._painted = NEVER

    def is_stale(self) -> bool:
        """Whether there is something new to look at."""
        return self._painted != self._state()

    def _state(self) -> object:
        history = self.focused.history if self.focused else None
        return self.look.state, len(moments(history)) if history else 0, bool(history and history.started)

    def paint(self) -> None:
        """Show what the controls say."""
        self.fill()
        self._painted = self._state()
        self.show_look()

    @property
    def painting_seconds(self) -> float:
        """What Qt took for the card in view the last time."""
        return sum(card.painting_seconds for card in self._cards if not card.isHidden())

    @property
    def name(self) -> str:
        """The title of the card in view."""
        return next((card.accessibleName() for card in self._cards if not card.isHidden()), "")

    def fill(self) -> None:
        """Bring the controls' ranges up to date; at the right end the moment follows training."""
        started = self.focused.history.started if self.focused else None
        found = moments(self.focused.history) if self.focused else []
        titles = [f"{number}: {task.title}" for number, task in enumerate(started.shown, 1)] if started else []
        steps = found[-1].shown.inner_steps if found and found[-1].shown else (0,)
        self.bar.fill(titles, steps, [probe.step for probe in found])

    @abstractmethod
    def show_look(self) -> None:
        """Draw what is looked at."""

    def save_state(self) -> dict[str, object]:
        """Nothing: the choices belong to a run."""
        return {}

    def restore_state(self, state: dict[str, object]) -> None:
        """Nothing to take."""


class TaskTab(LookTab):
    """A probe task of the focused run, with controls for which, after which inner step and when."""

    def __init__(self, theme: Theme, look: Look) -> None:
        super().__init__(theme, look)
        self._figure_card = FigureCard("functionCard", theme, has_maximize=False)
        self._view = PicturesView(theme)
        self._scroll = named(QScrollArea(), "picturesScroll", "Pictures of the task")
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidget(self._view)
        self._picture_card = Card("picturesCard", theme, self._scroll, has_maximize=False)
        self._picture_card.set_row_shown(False)
        self.add_card(self._figure_card, 1, 0)
        self.add_card(self._picture_card, 1, 0)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self._view.set_theme(theme)

    def show_look(self) -> None:
        """Draw the pictures or the function of the task."""
        started = self.focused.history.started if self.focused else None
        if started is None or self.focused is None or not started.shown or not moments(self.focused.history):
            self._show_card(self._figure_card)
            self._figure_card.show_figure(Figure("Task", note=NOTE))
            return
        where = (self.focused.history, self.bar.task, self.bar.inner.value(), self.bar.moment.value())
        is_picture = np.ndim(started.shown[where[1]].query_inputs) == 4
        if started.spec.kind == "classification" and is_picture:
            self._show_card(self._picture_card)
            task = picture_task(*where)
            self._picture_card.set_heading(task.title, task.facts, "")
            self._view.show_task(task)
            return
        self._show_card(self._figure_card)
        figure = probabilities(*where) if started.spec.kind == "classification" else fitted(
            *where, color=self.focused.color_index)
        self._figure_card.show_figure(figure)

    def _show_card(self, card: Card) -> None:
        for one in (self._figure_card, self._picture_card):
            one.setVisible(one is card)
