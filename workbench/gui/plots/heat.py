"""A card that draws a table of numbers."""

from __future__ import annotations

from workbench.exports.heat import Heat
from workbench.gui.plots.card import Card, plot_menu
from workbench.gui.plots.heat_canvas import HeatCanvas
from workbench.gui.plots.saving import Saver
from workbench.gui.plots.style import font
from workbench.gui.plots.widgets import ElidedLabel, named
from workbench.gui.theme import Theme


class HeatCard(Card):
    """A card that draws tables.

    Attributes:
        canvas: What draws them.
    """

    def __init__(self, name: str, theme: Theme) -> None:
        self.canvas = HeatCanvas(theme)
        super().__init__(name, theme, self.canvas, has_maximize=False)
        self.canvas.setObjectName(f"{name}Canvas")
        self._about = named(ElidedLabel(), "caption")
        self._about.setFont(font(-1))
        self.legend.hide()
        self.controls.addWidget(self._about, 1)
        self.saver = Saver(self, lambda: self.canvas.heat)
        self._menu = plot_menu(self, self.canvas.reset_view, self.saver)
        self.canvas.menu_asked.connect(self._menu.popup)
        self.canvas.focus_changed.connect(self.set_focused)

    def show_heat(self, heat: Heat) -> None:
        """Draw a table, or say what will appear."""
        self.set_heading(heat.title, heat.facts, heat.note if heat.is_empty else "")
        self._about.set_words(heat.about)
        self.canvas.setAccessibleName(heat.title)
        self.canvas.setAccessibleDescription(f"{heat.values_label}: {heat.rows} by {heat.columns}. {heat.about} "
                                             f"{heat.facts}. Arrows read the numbers, Ctrl and arrows pan, plus and "
                                             "minus zoom, A resets.")
        self.canvas.draw(heat)

    @property
    def about(self) -> str:
        """What to see in it."""
        return self._about.text()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.canvas.set_theme(theme)
