"""The centre of the window: tabs of plots of the runs that are ticked or focused in the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from workbench.gui.plots.compare import CompareTab
from workbench.gui.plots.grid import CardTab
from workbench.gui.plots.inside import InsideTab
from workbench.gui.plots.live import LiveTab
from workbench.gui.plots.looking import Look
from workbench.gui.plots.rota import Rota
from workbench.gui.plots.shown import ShownRun
from workbench.gui.plots.style import sheet
from workbench.gui.plots.task import TaskTab
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme


class PlotArea(QWidget):
    """Tabs of plots.

    Attributes:
        live: What training looks like right now.
        task: One probe task.
        inside: What is special to a method: learned rates, attention, a memory.
        compare: Results side by side.
        tabs: The tabs.

    Signals:
        repainted(str, float): A plot of this name was painted because it had changed, in so many seconds.
    """

    repainted = Signal(str, float)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plotArea")
        self.live = LiveTab(theme)
        look = Look()
        self.task = TaskTab(theme, look)
        self.inside = InsideTab(theme, look)
        self.compare = CompareTab(theme)
        self.tabs = named(QTabWidget(), "plotTabs", "Plots")
        self.tabs.setDocumentMode(True)
        self._named_tabs: dict[str, CardTab] = {"Live": self.live, "Task": self.task, "Inside": self.inside,
                                               "Compare": self.compare}
        for title, tab in self._named_tabs.items():
            tab.setObjectName(f"{title.lower()}Tab")
            self.tabs.addTab(tab, title)
        self._rota = Rota(told=self.repainted.emit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)
        self.tabs.currentChanged.connect(self._draw_current)
        self.setStyleSheet(sheet(theme))
        self._draw_current()

    @property
    def _current(self) -> CardTab:
        return cast("CardTab", self.tabs.currentWidget())

    def show_runs(self, shown: Sequence[ShownRun], focused: str | None, *, at_once: bool = True) -> None:
        """Overlay these runs.

        Args:
            shown: The runs.
            focused: Id of the one whose tasks are looked at.
            at_once: Whether all plots are painted now; otherwise the next ticks paint one each.
        """
        found = next((run for run in shown if run.id == focused), None)
        for tab in self._named_tabs.values():
            tab.set_runs(shown, found)
        if at_once:
            self._draw_current()

    @Slot()
    def tick(self) -> None:
        """Repaint at most one plot of the tab in view, if what it shows has changed."""
        if self.isVisible():
            self._rota.turn(self._current.panes)

    def _draw_current(self) -> None:
        self._current.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while nobody looked."""
        super().showEvent(event)
        self._draw_current()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.setStyleSheet(sheet(theme))
        for tab in self._named_tabs.values():
            tab.set_theme(theme)
            tab.repaint_all()

    def save_state(self) -> dict[str, object]:
        """What a person has set here, as plain values."""
        return {"tab": self.tabs.tabText(self.tabs.currentIndex()),
                **{title: tab.save_state() for title, tab in self._named_tabs.items()}}

    def restore_state(self, state: dict[str, object]) -> None:
        """Take what was saved; what makes no sense is left as it is."""
        for title, tab in self._named_tabs.items():
            saved = state.get(title)
            if isinstance(saved, dict):
                tab.restore_state(saved)
        titles = list(self._named_tabs)
        if state.get("tab") in titles:
            self.tabs.setCurrentIndex(titles.index(str(state["tab"])))
