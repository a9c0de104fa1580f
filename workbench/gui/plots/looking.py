"""Which probe task is looked at, after which inner step and when in training, and the controls that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QWidget

from workbench.gui.combos import ElidedCombo
from workbench.gui.plots.style import font
from workbench.gui.plots.widgets import named


@dataclass
class Look:
    """What is looked at; the tabs that show a probe task share it, so that they show the same.

    Attributes:
        run_id: The run that was chosen from.
        task: Index among its shown tasks.
        step: Index among the inner steps that were kept; None for the last.
        moment: Index among the probes with something to show; None for the latest, which follows training.
    """

    run_id: str = ""
    task: int = 0
    step: int | None = None
    moment: int | None = None

    def at(self, run_id: str) -> None:
        """Begin anew where it is another run."""
        if run_id != self.run_id:
            self.run_id, self.task, self.step, self.moment = run_id, 0, None, None

    @property
    def state(self) -> object:
        """What was chosen, to compare with."""
        return self.run_id, self.task, self.step, self.moment


class LookBar(QWidget):
    """A row of controls that change a look.

    Args:
        look: What they change.
        prefix: What their names begin with, for there is a bar in several tabs.

    Signals:
        moved: The person wants to look at something else.
    """

    moved = Signal()

    def __init__(self, look: Look, prefix: str = "") -> None:
        super().__init__()
        self._look = look
        self._prefix = prefix
        self.choice = named(ElidedCombo(), self._name("taskChoice"), "Task", "Which of the probe tasks to look at")
        self.inner = self._slider("innerStep", "Inner step", "How far the learner has adapted to this task")
        self.moment = self._slider("trainingMoment", "Moment of training",
                                   "When in training to look at the learner; at the right end it follows training")
        self._inner_words, self._moment_words = self._caption("innerStepWords"), self._caption("momentWords")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self._task_group = self.add("&Task", self.choice, stretch=3)
        self._inner_group = self.add("&Inner step", self.inner, self._inner_words, stretch=2)
        self.add("Trainin&g", self.moment, self._moment_words, stretch=3)
        prepare(self.choice)
        self.choice.currentIndexChanged.connect(self._take)
        self.inner.valueChanged.connect(self._take)
        self.moment.valueChanged.connect(self._take)

    def _name(self, name: str) -> str:
        return f"{self._prefix}{name[0].upper()}{name[1:]}" if self._prefix else name

    def _slider(self, name: str, accessible: str, tip: str) -> QSlider:
        slider = named(QSlider(Qt.Orientation.Horizontal), self._name(name), accessible, tip)
        slider.setRange(0, 0)
        slider.setPageStep(1)
        slider.setMinimumWidth(90)
        return slider

    def _caption(self, name: str) -> QLabel:
        label = named(QLabel(), self._name(name))
        label.setFont(font())
        longest = "iteration 100,000, now" if "moment" in name else "10 of 10"
        label.setMinimumWidth(label.fontMetrics().horizontalAdvance(longest))
        return label

    def add(self, text: str, widget: QWidget, words: QLabel | None = None, *, stretch: int, at: int = -1
            ) -> QWidget:
        """Put a labelled control into the row, and give both together, as what can be hidden."""
        group = QWidget(self)
        inner = QHBoxLayout(group)
        inner.setContentsMargins(0, 0, 8, 0)
        inner.setSpacing(8)
        label = QLabel(text)
        label.setBuddy(widget)
        inner.addWidget(label)
        inner.addWidget(widget, 1)
        if words:
            inner.addWidget(words)
        self._row.insertWidget(at, group, stretch)
        return group

    def show_choices(self, *, of_task: bool, of_step: bool) -> None:
        """Hide the choice of a task or of an inner step where all of them look alike."""
        self._task_group.setVisible(of_task)
        self._inner_group.setVisible(of_step)

    def fill(self, titles: Sequence[str], steps: Sequence[int], iterations: Sequence[int]) -> None:
        """Bring the controls up to date with what there is and what is looked at.

        Args:
            titles: Of the tasks.
            steps: Numbers of the inner steps that were kept.
            iterations: Of the moments in training.
        """
        look = self._look
        for widget in (self.choice, self.inner, self.moment):
            widget.blockSignals(True)
        if list(titles) != [self.choice.itemText(index) for index in range(self.choice.count())]:
            self.choice.clear()
            self.choice.addItems(list(titles))
        self.choice.setCurrentIndex(min(look.task, len(titles) - 1))
        for slider, wanted, count in ((self.inner, look.step, len(steps)), (self.moment, look.moment, len(iterations))):
            last = max(count - 1, 0)
            slider.setRange(0, last)
            slider.setValue(last if wanted is None else wanted)
            slider.setEnabled(last > 0)
        for widget in (self.choice, self.inner, self.moment):
            widget.blockSignals(False)
        self.choice.setEnabled(len(titles) > 1)
        self.setEnabled(bool(iterations))
        self._inner_words.setText(f"{steps[self.inner.value()]} of {steps[-1]}" if iterations and steps else "")
        now = ", now" if self.moment.value() == self.moment.maximum() else ""
        self._moment_words.setText(f"iteration {iterations[self.moment.value()]:,}{now}" if iterations else "")

    @property
    def task(self) -> int:
        """Index of the task that is looked at."""
        return max(self.choice.currentIndex(), 0)

    def _take(self, *_: object) -> None:
        """At the right end a slider follows what comes."""
        self._look.task = self.task
        inner, moment = self.inner, self.moment
        self._look.step = None if inner.value() == inner.maximum() else inner.value()
        self._look.moment = None if moment.value() == moment.maximum() else moment.value()
        self.moved.emit()


def prepare(choice: QComboBox) -> None:
    """Keep a choice of long titles from pushing everything else out of the row."""
    choice.setMinimumWidth(150)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
