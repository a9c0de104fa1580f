"""The status bar: what is trained, how far it is, how fast, and on what."""

from __future__ import annotations

import torch
from PySide6.QtCore import QEvent, QTimer, Slot
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QWidget

from workbench.engine.devices import choose, devices, memory_in_use
from workbench.gui import icons, words
from workbench.gui.plots.widgets import lay_out_now
from workbench.gui.run_rows import STATES
from workbench.gui.theme import Theme
from workbench.runs.history import History

MEMORY_MILLISECONDS = 2000


class ProgressBar(QProgressBar):
    """A bar that stands still while it says how far something is.

    Once it was busy, Qt's style would go on moving it, thirty pictures of the window a second, until it is hidden.
    """

    def event(self, event: QEvent) -> bool:
        """Leave a step of the style's animation unaccepted, which ends it, where nothing moves."""
        if event.type() == QEvent.Type.StyleAnimationUpdate and self.minimum() < self.maximum():
            event.ignore()
            return True
        return super().event(event)


class StatusBar(QStatusBar):
    """State, run, progress and remaining time on the left; rate, memory and device on the right."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.setContentsMargins(10, 0, 12, 0)
        self._theme = theme
        self._state = ""
        self._icon, self._run, self._left = QLabel(), QLabel("Ready"), QLabel()
        self._bar = ProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(170)
        self._bar.setAccessibleName("Progress of the training")
        self._bar.setToolTip("Outer steps done.")
        self._right = QLabel()
        for name, widget in (("status.state", self._icon), ("status.run", self._run), ("status.progress", self._bar),
                             ("status.left", self._left)):
            widget.setObjectName(name)
            self.addWidget(widget)
        self._right.setObjectName("status.machine")
        self._right.setToolTip("Training tasks a second, memory that the program holds, and the device.")
        self.addPermanentWidget(self._right)
        self._fastest = devices()[0]
        self._device = torch.device(self._fastest.name)
        self._device_title = self._fastest.title
        self._rate = 0.0
        self._memory = QTimer(self)
        self._memory.setInterval(MEMORY_MILLISECONDS)
        self._memory.timeout.connect(self._show_machine)
        self._memory.start()
        self.show_idle()
        self._show_machine()

    def set_theme(self, theme: Theme) -> None:
        """Draw the state for another theme."""
        self._theme = theme
        self._draw_state()

    def show_idle(self) -> None:
        """Nothing is trained."""
        self._say(self._run, "Ready")
        self._say(self._left, "")
        self._bar.hide()
        self._rate = 0.0
        self._device, self._device_title = torch.device(self._fastest.name), self._fastest.title
        self._show_state("idle")
        self._show_machine()

    def show_preparing(self, run_id: str) -> None:
        """A run is opened: its data is read and its pace measured."""
        self._say(self._run, run_id)
        self._say(self._left, "preparing …")
        self._bar.setRange(0, 0)
        self._bar.show()
        self._show_state("running")

    def show_progress(self, run_id: str, history: History, *, is_stopping: bool, is_testing: bool = False
                      ) -> None:
        """How far a run is."""
        started = history.started
        if started is None:
            return
        is_testing = is_testing and not (is_stopping or history.is_paused)
        self._bar.setRange(0, 0 if is_testing else 1000)  # a test says nothing before its end
        self._bar.setValue(round(1000 * history.step / max(1, started.iterations)))
        self._bar.show()
        self._say(self._run, run_id)
        remaining = history.remaining_seconds()
        rest = ("stopping …" if is_stopping else "paused" if history.is_paused
                else "testing …" if is_testing
                else f"{words.duration(remaining)} left" if remaining is not None else "")
        done = f"{history.step:,} of {started.iterations:,}"
        self._say(self._left, " · ".join(part for part in (done, rest) if part))
        self._rate = 0.0 if history.is_paused or is_testing else history.tasks_per_second()
        if self._device_title != started.device_title:
            self._device, self._device_title = choose(started.device), started.device_title
        self._show_state("paused" if history.is_paused else "testing" if is_testing else "running")
        self._show_machine()
        self._memory.start()  # not before nothing was said of the run for a while

    def _show_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._draw_state()

    def _draw_state(self) -> None:
        name, word, color = STATES.get(self._state, ("check", "Ready", "muted"))
        self._icon.setPixmap(icons.pixmap(name, getattr(self._theme, color), 12, self.devicePixelRatioF()))
        self._icon.setToolTip(word)
        self._icon.setAccessibleName(word)

    @Slot()
    def _show_machine(self) -> None:
        where = "GPU memory" if self._device.type == "cuda" else "memory"
        rate = f"{self._rate:,.0f} tasks/s" if self._rate else ""
        held = f"{where} {words.size(memory_in_use(self._device))}"
        if self._device.type == "cuda" and self._fastest.name.startswith("cuda"):
            held += f" of {words.size(self._fastest.memory)}"
        self._say(self._right, "  ·  ".join(part for part in (rate, held, self._device_title) if part))

    def _say(self, label: QLabel, text: str) -> None:
        """Say something in a label, and give it room at once."""
        if text != label.text():
            label.setText(text)
            _fit(label)

    def changeEvent(self, event: QEvent) -> None:
        """Give what is said the room that it needs in another font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            for label in (self._run, self._left, self._right):
                _fit(label)


def _fit(label: QLabel) -> None:
    """Give a label the room for what it says. A next number as wide as the last one then leaves the window's layout
    alone, which would be made anew every second: Qt asks nobody about what can have but one size."""
    if label.minimumSize() != label.sizeHint():
        label.setFixedSize(label.sizeHint())
        lay_out_now(label)
