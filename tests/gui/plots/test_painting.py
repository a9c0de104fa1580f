"""When plots are painted: one at a tick, each in its turn, only what has changed, and any number of times."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.plots.helpers import child, open_tab
from tests.gui.plots.histories import block, history, run
from workbench.engine.events import Steps
from workbench.exports.figures import meta_loss
from workbench.gui.plots.area import PlotArea
from workbench.gui.plots.card import FigureCard
from workbench.gui.plots.rota import GAP, Rota
from workbench.gui.theme import LIGHT


def test_a_tick_repaints_the_one_plot_whose_numbers_moved(area: PlotArea) -> None:
    one = run()
    area.show_runs([one], one.id)
    one.history.add(block(201, 10))
    stale = [pane for pane in area.live.panes if pane.is_stale()]
    assert len(stale) == 3
    area.tick()
    assert sum(pane.is_stale() for pane in area.live.panes) == 2
    for _ in range(4):
        area.tick()
    assert not any(pane.is_stale() for pane in area.live.panes)
    figure = child(area, FigureCard, "metaLossCard").canvas.figure
    assert len(figure.series[0].x) == 210


def test_hidden_tabs_are_drawn_when_they_are_opened_and_not_before(area: PlotArea) -> None:
    one = run()
    area.show_runs([one], one.id)
    assert area.compare.panes[0].is_stale()
    area.tick()
    assert area.compare.panes[0].is_stale()
    open_tab(area, "Compare")
    assert not area.compare.panes[0].is_stale()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowPane:
    def __init__(self, clock: Clock, cost: float) -> None:
        self.clock, self.cost, self.painted = clock, cost, list[float]()

    name = "slow"

    def is_stale(self) -> bool:
        return True

    painting_seconds = 0.0

    def paint(self) -> None:
        self.painted.append(self.clock.now)
        self.clock.now += self.cost


def test_other_runs_are_painted_one_plot_a_tick_where_ticks_come(area: PlotArea) -> None:
    area.show_runs([run("other", 1)], "other", at_once=False)
    stale = [sum(pane.is_stale() for pane in area.live.panes)]
    while stale[-1]:
        area.tick()
        stale.append(sum(pane.is_stale() for pane in area.live.panes))
    assert stale == [4, 3, 2, 1, 0]


def test_panes_take_turns_and_none_waits_longer_than_half_a_second() -> None:
    clock = Clock()
    panes = [SlowPane(clock, cost) for cost in (0.001, 0.012, 0.012, 0.012)]
    rota = Rota(clock)
    for tick in range(200):
        clock.now = max(clock.now, tick * 0.05)
        rota.turn(panes)
    for pane in panes:
        assert np.diff(pane.painted).max() <= 0.5
        assert np.diff(pane.painted).min() >= GAP - 1e-9
    assert GAP < 0.5


class Paintings(QObject):
    """Counts how often a widget is painted."""

    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - as Qt calls it
        self.count += event.type() == QEvent.Type.Paint
        return False


def test_a_plot_that_follows_its_run_is_painted_once_a_turn(area: PlotArea) -> None:
    shown = run()
    area.show_runs([shown], shown.id)
    for _ in range(3):
        QApplication.processEvents()
    for pane in area.live.panes[:2]:
        viewport = pane.card.canvas.viewport()  # type: ignore[attr-defined]
        paintings = Paintings()
        viewport.installEventFilter(paintings)
        for turn in range(1, 4):
            values = np.linspace(0.5, 0.4, 20)
            shown.history.add(Steps(shown.history.step + 1, values, values, values, values,
                                    shown.history.seconds + 1))
            pane.paint()
            for _ in range(3):
                QApplication.processEvents()
            assert paintings.count == turn
        assert pane.painting_seconds > 0


class PaintCounter(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        self.count += event.type() == QEvent.Type.Paint
        return False


def test_a_plot_is_repainted_ten_thousand_times(qtbot: QtBot) -> None:
    """PySide6 6.12.0 lost a reference to None at every call without a result and aborted after some dozens."""
    card = FigureCard("small", LIGHT)
    qtbot.addWidget(card)
    card.resize(160, 120)
    counter = PaintCounter()
    card.canvas.viewport().installEventFilter(counter)
    with qtbot.waitExposed(card):
        card.show()
    figure = meta_loss([run(one=history(20))], 0.9)
    card.show_figure(figure)
    for number in range(10_000):
        if number % 20 == 0:
            card.canvas.draw(figure)
        card.canvas.viewport().repaint()
    assert counter.count >= 10_000
