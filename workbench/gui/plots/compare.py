"""The Compare tab: results of the ticked runs side by side."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QComboBox, QLabel

from workbench.exports import figures
from workbench.exports.figures import Against, Figure
from workbench.gui.plots.card import Card, FigureCard
from workbench.gui.plots.grid import NEVER, CardTab, FigurePane
from workbench.gui.plots.results import ResultsTable
from workbench.gui.plots.style import font
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme
from workbench.words import counted

AGAINST: dict[Against, str] = {"iterations": "iterations", "seconds": "training seconds", "tasks": "tasks seen"}
NOTE = "Tick runs in the table below: their results are set side by side here, test results with their 95 % interval."


class ResultsPane:
    """The card with the table.

    Args:
        card: The card.
        paint: Fills it.
        state: What it depends on and changes with time.
    """

    def __init__(self, card: Card, paint: Callable[[], None], state: Callable[[], object]) -> None:
        self._card = card
        self._paint = paint
        self._state = state
        self._painted: object = NEVER

    def is_stale(self) -> bool:
        """Whether what it shows has changed since it was painted."""
        return self._painted != self._state() and not self._card.isHidden()

    def paint(self) -> None:
        """Fill the table."""
        self._painted = self._state()
        self._paint()

    @property
    def painting_seconds(self) -> float:
        """What Qt took for it the last time."""
        return self._card.painting_seconds

    @property
    def name(self) -> str:
        """The card's title."""
        return self._card.accessibleName()


class CompareTab(CardTab):
    """Validation results laid over each other, adaptation at test, and the table of results.

    Attributes:
        against: What validation results are drawn against.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.against: Against = "iterations"
        over, at_test = FigureCard("comparisonCard", theme), FigureCard("testCard", theme)
        self._table = ResultsTable()
        self._results = Card("resultsCard", theme, self._table)
        self._results.set_row_shown(False)
        self._add_choice(over)
        self.add_card(over, 0, 0)
        self.add_card(at_test, 0, 1)
        self.add_card(self._results, 1, 0, columns=2)
        self.share_room()
        self.panes = [
            FigurePane(over, self._comparison, self._validated), FigurePane(at_test, self._at_test, self._tested),
            ResultsPane(self._results, self._fill, lambda: (self._validated(), self._tested(), self._progress()))]

    def _add_choice(self, card: FigureCard) -> None:
        self._choice = named(QComboBox(), "against", "Draw against",
                             "What validation results are drawn against: iterations, training time or tasks seen")
        for key, words in AGAINST.items():
            self._choice.addItem(words, key)
        self._choice.setFont(font(-1))
        self._choice.currentIndexChanged.connect(self._take_choice)
        label = named(QLabel("&against"), "caption")
        label.setBuddy(self._choice)
        label.setFont(font(-1))
        card.controls.addWidget(label)
        card.controls.addWidget(self._choice)

    def share_room(self, heights: tuple[int, ...] = (3, 2)) -> None:
        """The curves are taller than the table."""
        super().share_room(heights)

    def _take_choice(self, index: int) -> None:
        self.against = list(AGAINST)[index]
        self.panes[0].paint()

    def _comparison(self) -> Figure:
        return figures.comparison(self.layered, self.against)

    def _at_test(self) -> Figure:
        return figures.adaptation_at_test(self.layered)

    def _fill(self) -> None:
        count = len(self.shown)
        facts = f"{counted(count, 'runs')} · ± 95 % interval" if count else ""
        self._results.set_heading("Results", facts, "" if count else NOTE)
        self._table.show_runs(self.shown, self.theme)

    def _who(self) -> object:
        return [(run.id, id(run.history), run.title, run.color_index) for run in self.layered]

    def _validated(self) -> object:
        return self._who(), [len(run.history.validations) for run in self.shown]

    def _tested(self) -> object:
        return self._who(), [run.history.test for run in self.shown]

    def _progress(self) -> object:
        """Steps and time are written anew once a second of training."""
        return [(int(run.history.seconds), run.history.ended is None) for run in self.shown]

    def save_state(self) -> dict[str, object]:
        """Settings of the tab."""
        return super().save_state() | {"against": self.against}

    def restore_state(self, state: dict[str, object]) -> None:
        """Take settings that were saved; what makes no sense is left as it is."""
        if state.get("against") in AGAINST:
            self._choice.setCurrentIndex([*AGAINST].index(state["against"]))  # type: ignore[arg-type]
        super().restore_state(state)
