"""A tab of cards, any of which can fill it, and the panes that keep them up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QGridLayout, QWidget

from workbench.exports.figures import Figure
from workbench.gui.plots.card import Card, FigureCard
from workbench.gui.plots.rota import Pane
from workbench.gui.plots.shown import ShownRun
from workbench.gui.theme import Theme

NEVER = object()


class FigurePane:
    """A card and the figure that it shows.

    Args:
        card: The card.
        figure: Makes the figure as it is now.
        state: What the figure depends on and changes with time; the figure is made anew where it changed.
    """

    def __init__(self, card: FigureCard, figure: Callable[[], Figure], state: Callable[[], object]) -> None:
        self.card = card
        self._figure = figure
        self._state = state
        self._painted: object = NEVER

    def is_stale(self) -> bool:
        """Whether what it shows has changed since it was painted."""
        return self._painted != self._state() and not self.card.isHidden()

    def paint(self) -> None:
        """Paint it now."""
        self._painted = self._state()
        self.card.show_figure(self._figure())

    @property
    def painting_seconds(self) -> float:
        """What Qt took for it the last time."""
        return self.card.painting_seconds

    @property
    def name(self) -> str:
        """The card's title."""
        return self.card.accessibleName()


class CardTab(QWidget):
    """Cards in a grid.

    Attributes:
        panes: What a tick may repaint.
        shown: Runs that are overlaid.
        focused: The run that is looked at closely.
        maximized: Name of the card that fills the tab; empty where none does.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.panes: list[Pane] = []
        self.shown: tuple[ShownRun, ...] = ()
        self.focused: ShownRun | None = None
        self.maximized = ""
        self._cards: list[Card] = []
        self._places: list[tuple[int, int, int]] = []
        self.grid = QGridLayout(self)
        self.grid.setContentsMargins(12, 12, 12, 12)
        self.grid.setSpacing(12)

    def add_card(self, card: Card, row: int, column: int, columns: int = 1) -> None:
        """Put a card into the grid; `share_room` then gives it its share."""
        self._cards.append(card)
        self.grid.addWidget(card, row, column, 1, columns)
        self._places.append((row, column, columns))
        card.maximize_asked.connect(lambda: self.maximize("" if self.maximized == card.objectName()
                                                          else card.objectName()))

    def maximize(self, name: str) -> None:
        """Let a card fill the tab; an empty name shows them all again."""
        known = {card.objectName() for card in self._cards}
        self.maximized = name if name in known else ""
        for card in self._cards:
            card.setVisible(self.maximized in ("", card.objectName()))
            card.set_maximized(self.maximized == card.objectName())
        self.share_room()
        self.refresh()

    def share_room(self, heights: tuple[int, ...] = (1, 1)) -> None:
        """Give rows their heights and columns equal widths, and nothing to those without a visible card."""
        rows, columns = set[int](), set[int]()
        for card, (row, column, wide) in zip(self._cards, self._places, strict=True):
            if self.maximized in ("", card.objectName()):
                rows.add(row)
                columns.update(range(column, column + wide))
        for index, height in enumerate(heights):
            self.grid.setRowStretch(index, height if index in rows else 0)
        for index in range(2):
            self.grid.setColumnStretch(index, int(index in columns))

    def set_runs(self, shown: Sequence[ShownRun], focused: ShownRun | None) -> None:
        """Draw these."""
        self.shown, self.focused = tuple(shown), focused

    @property
    def layered(self) -> list[ShownRun]:
        """The runs back to front: the focused one is drawn over the others."""
        return sorted(self.shown, key=lambda run: run is self.focused)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.theme = theme
        for card in self._cards:
            card.set_theme(theme)

    def save_state(self) -> dict[str, object]:
        """Settings of the tab, as plain values."""
        return {"maximized": self.maximized}

    def restore_state(self, state: dict[str, object]) -> None:
        """Take settings that were saved; what makes no sense is left as it is."""
        self.maximize(str(state.get("maximized", "")))

    def refresh(self) -> None:
        """Paint everything that is stale and in view, at once."""
        for pane in self.panes:
            if pane.is_stale():
                pane.paint()

    def repaint_all(self) -> None:
        """Paint everything in view, stale or not: a setting has changed."""
        for pane in self.panes:
            pane.paint()
