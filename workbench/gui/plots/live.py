"""The Live tab: what training looks like right now."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QSlider

from workbench.exports import figures
from workbench.exports.curves import Smoothers
from workbench.exports.figures import Figure, Quantity
from workbench.gui.plots.card import FigureCard
from workbench.gui.plots.grid import CardTab, FigurePane
from workbench.gui.plots.shown import ShownRun
from workbench.gui.plots.widgets import named, switch
from workbench.gui.theme import Theme

SMOOTHINGS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
DEFAULT_SMOOTHING = 0.95


class LiveTab(CardTab):
    """Meta-loss, validation metric, adaptation of this meta-batch, and probe tasks through training.

    Attributes:
        smoothing: Weight of the past in smoothed curves.
        is_log: Whether the meta-loss has a logarithmic axis.
        quantity: What the adaptation card draws.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.smoothing = DEFAULT_SMOOTHING
        self.is_log = False
        self.quantity: Quantity = "loss"
        self._loss_smoothers, self._metric_smoothers = Smoothers(), Smoothers()
        names = ("metaLossCard", "metricCard", "adaptationCard", "probesCard")
        cards = [FigureCard(name, theme) for name in names]
        figure_makers = (self._meta_loss, self._metric, self._adaptation, self._probes)
        states = (self._steps, self._results, self._adapted, self._probed)
        for index, (card, figure, state) in enumerate(zip(cards, figure_makers, states, strict=True)):
            self.add_card(card, *divmod(index, 2))
            self.panes.append(FigurePane(card, figure, state))
        self.share_room()
        self._add_smoothing(cards[0])
        self._add_quantities(cards[2])

    def _add_smoothing(self, card: FigureCard) -> None:
        self._slider = named(QSlider(Qt.Orientation.Horizontal), "smoothing", "Smoothing",
                             "How much of the past a smoothed curve remembers, from 0 to 0.999")
        self._slider.setRange(0, len(SMOOTHINGS) - 1)
        self._slider.setPageStep(3)
        self._slider.setFixedWidth(80)
        self._slider.setValue(SMOOTHINGS.index(self.smoothing))
        self._slider.valueChanged.connect(self._take_smoothing)
        self._log = switch("logAxis", "log", "Logarithmic axis", "Draw the meta-loss on a logarithmic axis")
        self._log.toggled.connect(self._take_log)
        card.controls.addWidget(self._slider)
        card.controls.addWidget(self._log)

    def _add_quantities(self, card: FigureCard) -> None:
        self._quantities = QButtonGroup(self)
        for name, words in (("loss", "Draw the query loss"), ("metric", "Draw the query metric")):
            button = switch(f"adaptation{name.title()}", name, words, f"{words} of each task over the inner steps",
                            is_checked=name == self.quantity)
            button.setProperty("quantity", name)
            self._quantities.addButton(button)
            card.controls.addWidget(button)
        self._quantities.buttonToggled.connect(self._take_quantity)

    def _take_smoothing(self, position: int) -> None:
        self.smoothing = SMOOTHINGS[position]
        for pane in self.panes[:2]:
            pane.paint()

    def _take_log(self, is_log: bool) -> None:
        self.is_log = is_log
        self.panes[0].paint()

    def _take_quantity(self) -> None:
        button = self._quantities.checkedButton()
        if button is None:
            return
        self.quantity = "metric" if button.property("quantity") == "metric" else "loss"
        self.panes[2].paint()

    def _meta_loss(self) -> Figure:
        return figures.meta_loss(self.layered, self.smoothing, is_log=self.is_log, smoothers=self._loss_smoothers)

    def _metric(self) -> Figure:
        return figures.metric(self.layered, self.smoothing, self._metric_smoothers)

    def _adaptation(self) -> Figure:
        return figures.adaptation(self.focused, self.quantity)

    def _probes(self) -> Figure:
        return figures.probes(self.focused)

    def _steps(self) -> object:
        return [(run.id, id(run.history), run.title, run.color_index, run.history.step) for run in self.layered]

    def _results(self) -> object:
        return self._steps(), [len(run.history.validations) for run in self.shown]

    def _adapted(self) -> object:
        return _who(self.focused), self.focused.history.adaptation_step if self.focused else 0

    def _probed(self) -> object:
        return _who(self.focused), len(self.focused.history.probes) if self.focused else 0

    def save_state(self) -> dict[str, object]:
        """Settings of the tab."""
        return super().save_state() | {"smoothing": self.smoothing, "is_log": self.is_log, "quantity": self.quantity}

    def restore_state(self, state: dict[str, object]) -> None:
        """Take settings that were saved; what makes no sense is left as it is."""
        smoothing = state.get("smoothing")
        if isinstance(smoothing, int | float):
            nearest = min(SMOOTHINGS, key=lambda one: abs(one - smoothing))
            self._slider.setValue(SMOOTHINGS.index(nearest))
        self._log.setChecked(state.get("is_log") is True)
        for button in self._quantities.buttons():
            if button.property("quantity") == state.get("quantity"):
                button.setChecked(True)
        super().restore_state(state)


def _who(run: ShownRun | None) -> object:
    return (run.id, id(run.history), run.color_index) if run else None
