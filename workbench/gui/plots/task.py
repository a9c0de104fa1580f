"""The Task tab: one probe task, after any inner step and at any moment of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QScrollArea, QSlider, QWidget

from workbench.engine.events import Probe
from workbench.exports.figures import Figure, fitted
from workbench.exports.pictures import picture_task, probabilities
from workbench.gui.plots.card import Card, FigureCard
from workbench.gui.plots.grid import NEVER, CardTab
from workbench.gui.plots.pictures import PicturesView
from workbench.gui.plots.shown import ShownRun
from workbench.gui.plots.style import font
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme

NOTE = ("A probe task of the focused run appears here: its examples, and what is predicted from them after every inner "
        "step and all through training.")


class TaskTab(CardTab):
    """A probe task of the focused run, with controls for which, after which inner step and when."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._run_id = ""
        self._painted: object = NEVER
        self._bar = QWidget()
        self._choice = named(QComboBox(), "taskChoice", "Task", "Which of the probe tasks to look at")
        self._inner = self._slider("innerStep", "Inner step", "How far the learner has adapted to this task")
        self._moment = self._slider("trainingMoment", "Moment of training",
                                    "When in training to look at the learner; at the right end it follows training")
        self._inner_words, self._moment_words = (self._caption(name) for name in ("innerStepWords", "momentWords"))
        self._lay_out_bar()
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
        self.grid.addWidget(self._bar, 0, 0)
        self.grid.setRowStretch(1, 1)
        self.panes = [self]

    def _slider(self, name: str, accessible: str, tip: str) -> QSlider:
        slider = named(QSlider(Qt.Orientation.Horizontal), name, accessible, tip)
        slider.setRange(0, 0)
        slider.setPageStep(1)
        slider.setMinimumWidth(90)
        slider.valueChanged.connect(self.paint)
        return slider

    def _caption(self, name: str) -> QLabel:
        label = named(QLabel(), name)
        label.setFont(font())
        longest = "iteration 100,000, now" if "moment" in name else "10 of 10"
        label.setMinimumWidth(label.fontMetrics().horizontalAdvance(longest))
        return label

    def _lay_out_bar(self) -> None:
        row = QHBoxLayout(self._bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self._choice.setMinimumWidth(150)
        self._choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._choice.currentIndexChanged.connect(self.paint)
        for text, widget, words, stretch in (
                ("&Task", self._choice, None, 3), ("&Inner step", self._inner, self._inner_words, 2),
                ("Trainin&g", self._moment, self._moment_words, 3)):
            label = QLabel(text)
            label.setBuddy(widget)
            row.addWidget(label)
            row.addWidget(widget, stretch)
            if words:
                row.addWidget(words)
            row.addSpacing(8)

    def set_runs(self, shown: Sequence[ShownRun], focused: ShownRun | None) -> None:
        """Look at the focused run; the choices start anew where it is another one."""
        super().set_runs(shown, focused)
        if (focused.id if focused else "") != self._run_id:
            self._run_id = focused.id if focused else ""
            self._fill(is_new=True)
        self._painted = NEVER

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self._view.set_theme(theme)

    def _probes(self) -> list[Probe]:
        return [probe for probe in self.focused.history.probes if probe.shown] if self.focused else []

    def _fill(self, *, is_new: bool) -> None:
        """Bring the controls' ranges up to date; at the right end the moment follows training."""
        started = self.focused.history.started if self.focused else None
        titles = [f"{number}: {task.title}" for number, task in enumerate(started.shown, 1)] if started else []
        found = self._probes()
        last = max(len(found) - 1, 0)
        steps = found[-1].shown.inner_steps if found and found[-1].shown else (0,)
        for widget in (self._choice, self._inner, self._moment):
            widget.blockSignals(True)
        if titles != [self._choice.itemText(index) for index in range(self._choice.count())]:
            self._choice.clear()
            self._choice.addItems(titles)
        is_at_end = self._moment.value() == self._moment.maximum()
        self._moment.setRange(0, last)
        if is_new or is_at_end:
            self._moment.setValue(last)
        is_last_step = self._inner.value() == self._inner.maximum()
        self._inner.setRange(0, len(steps) - 1)
        if is_new or is_last_step:
            self._inner.setValue(len(steps) - 1)
        for widget in (self._choice, self._inner, self._moment):
            widget.blockSignals(False)
        self._inner.setEnabled(len(steps) > 1)
        self._moment.setEnabled(last > 0)
        self._choice.setEnabled(len(titles) > 1)

    def is_stale(self) -> bool:
        """Whether there is something new to look at."""
        return self._painted != self._state()

    def _state(self) -> object:
        return self._run_id, len(self._probes()), bool(self.focused and self.focused.history.started)

    def paint(self, *_: object) -> None:
        """Show the task as the controls say."""
        self._painted = self._state()
        self._fill(is_new=False)
        found = self._probes()
        self._bar.setEnabled(bool(found))
        started = self.focused.history.started if self.focused else None
        if started is None or not found or not started.shown or self.focused is None:
            self._inner_words.setText("")
            self._moment_words.setText("")
            self._show_card(self._figure_card)
            self._figure_card.show_figure(Figure("Task", note=NOTE))
            return
        moment = found[self._moment.value()]
        steps = moment.shown.inner_steps if moment.shown else (0,)
        now = ", now" if self._moment.value() == self._moment.maximum() else ""
        self._inner_words.setText(f"{steps[min(self._inner.value(), len(steps) - 1)]} of {steps[-1]}")
        self._moment_words.setText(f"iteration {moment.step:,}{now}")
        where = (self.focused.history, max(self._choice.currentIndex(), 0), self._inner.value(), self._moment.value())
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

    def save_state(self) -> dict[str, object]:
        """Nothing: the choices belong to a run."""
        return {}

    def restore_state(self, state: dict[str, object]) -> None:
        """Nothing to take."""
