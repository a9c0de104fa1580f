"""The Inside tab: what is special to the method of the focused run, such as learned rates, attention or a memory."""

from __future__ import annotations

from workbench.algorithms.base import Drawing
from workbench.exports.heat import Heat, empty, heat, moments, varies
from workbench.gui.combos import ElidedCombo
from workbench.gui.plots.heat import HeatCard
from workbench.gui.plots.looking import Look, prepare
from workbench.gui.plots.task import LookTab
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme


class InsideTab(LookTab):
    """A drawing of the focused run, with controls for which, of which task, after which inner step and when."""

    def __init__(self, theme: Theme, look: Look) -> None:
        super().__init__(theme, look, "inside")
        self._choice = named(ElidedCombo(), "drawingChoice", "Drawing", "Which of the method's drawings to look at")
        prepare(self._choice)
        self._choice.currentIndexChanged.connect(self.paint)
        self._choice_group = self.bar.add("&Draw", self._choice, stretch=4, at=0)
        self._card = HeatCard("insideCard", theme)
        self.add_card(self._card, 1, 0)

    @property
    def _drawings(self) -> dict[str, Drawing]:
        started = self.focused.history.started if self.focused else None
        return started.drawings if started else {}

    @property
    def _name(self) -> str:
        """The drawing that is chosen; empty for none."""
        return str(self._choice.currentData() or "")

    def _state(self) -> object:
        return super()._state(), tuple(self._drawings), self._name

    def fill(self) -> None:
        """Offer the method's drawings, and only such controls as change what is seen."""
        super().fill()
        drawings = self._drawings
        names = [self._choice.itemData(index) for index in range(self._choice.count())]
        if names != list(drawings):
            self._choice.blockSignals(True)
            self._choice.clear()
            for name, drawing in drawings.items():
                self._choice.addItem(drawing.title, name)
            self._choice.blockSignals(False)
        chosen = drawings.get(self._name)
        self._choice_group.setVisible(len(drawings) > 1)
        self.bar.setEnabled(self.bar.isEnabled() and chosen is not None)
        is_any = chosen is None or chosen.per_task
        self.bar.show_choices(of_task=is_any, of_step=self._moves(is_any=is_any))

    def _moves(self, *, is_any: bool) -> bool:
        """Whether there are inner steps to move over, and the drawing need not be the same after each."""
        if self.focused is None or not moments(self.focused.history):
            return True
        steps = self.bar.inner.maximum()
        return steps > 0 and (is_any or varies(self.focused.history, self._name, self.bar.moment.value()))

    def show_look(self) -> None:
        """Draw the table."""
        self._card.show_heat(self._heat())

    def _heat(self) -> Heat:
        started = self.focused.history.started if self.focused else None
        if self.focused is None or started is None or self._name not in started.drawings:
            return empty(started.drawings if started else None)
        return heat(self.focused.history, self._name, self.bar.task, self.bar.inner.value(), self.bar.moment.value())
