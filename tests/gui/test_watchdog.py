"""The watchdog of the event loop, what it keeps, and the panel that shows it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QDockWidget, QLabel
from pytestqt.qtbot import QtBot

from tests.gui.helpers import ENDLESS, SECONDS, OpenWindow, fill, is_idle
from workbench.gui import settings
from workbench.gui.developer_panel import DeveloperPanel, LatenessPlot
from workbench.gui.lateness import Ledger, Repaints, Second, read
from workbench.gui.style import ThemeKeeper
from workbench.gui.theme import DARK, LIGHT
from workbench.gui.watchdog import LOOK_MILLISECONDS, Watchdog, _next_beat
from workbench.gui.window import MainWindow


def watchdog_of(window: MainWindow) -> Watchdog:
    found = window.findChild(QObject, "watchdog")
    assert isinstance(found, Watchdog)
    return found


def panel_of(window: MainWindow) -> QDockWidget:
    found = window.findChild(QDockWidget, "developerPanel")
    assert isinstance(found, QDockWidget)
    return found


def test_lateness_is_kept_with_the_run_and_is_no_matter_of_the_log(window: MainWindow, qtbot: QtBot) -> None:
    fill(window, ENDLESS)
    window.training.start()
    run = window.desk.controller.run
    assert run is not None
    qtbot.waitUntil(lambda: any(one.tasks_per_second and "Meta-loss" in one.repaints for one in read(run.folder)),
                    timeout=SECONDS)
    held_up_until = time.perf_counter() + 0.3
    while time.perf_counter() < held_up_until:
        pass
    window.training.stop()
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    kept = list(read(run.folder))
    assert kept[-1].whole_worst >= 250
    assert kept[-1].whole_worst == max(one.late_worst for one in kept)
    assert any(one.ticks and one.events for one in kept)
    assert "waited" not in window.log.text()


def test_nobody_is_woken_while_nothing_is_trained_and_nobody_reads_along(window: MainWindow, qtbot: QtBot) -> None:
    seen: list[Second] = []
    watchdog = watchdog_of(window)
    watchdog.saw.connect(seen.append)
    assert not watchdog.is_looking
    window.actions_["show_developer"].trigger()
    assert watchdog.is_looking
    qtbot.waitUntil(lambda: bool(seen), timeout=SECONDS)
    assert 0 < seen[0].samples <= 2000 / LOOK_MILLISECONDS
    window.actions_["show_developer"].trigger()
    assert not watchdog.is_looking


def test_the_developer_panel_comes_goes_and_is_remembered(open_window: OpenWindow) -> None:
    window = open_window()
    action = window.actions_["show_developer"]
    assert panel_of(window).isHidden()
    for is_shown in (True, False, True):
        action.trigger()
        assert panel_of(window).isVisible() is is_shown
        assert action.isChecked() is is_shown
    panel_of(window).close()
    assert not action.isChecked()
    action.trigger()
    window.remember()
    assert settings.load().developer
    assert panel_of(open_window()).isVisible()


@pytest.mark.parametrize("name", ["show_form", "show_lower"])
def test_what_the_view_menu_hides_it_shows_again(window: MainWindow, name: str) -> None:
    shown = {"show_form": window.panel, "show_lower": window.log.parentWidget().parentWidget()}[name]
    for is_shown in (False, True):
        window.actions_[name].trigger()
        assert shown.isHidden() is not is_shown


def test_the_panel_shows_a_second_in_figures_and_warns_of_what_was_felt(qtbot: QtBot) -> None:
    panel = DeveloperPanel(LIGHT)
    qtbot.addWidget(panel)
    with qtbot.waitExposed(panel):
        panel.show()

    def said(name: str) -> str:
        label = panel.findChild(QLabel, f"developer.{name}")
        assert label is not None
        return label.text()

    panel.show_second(Ledger().close_second(0.0))
    assert said("rate") == said("events") == "–"
    panel.show_second(Second(1.0, 3.21, 12.0, 17.5, 60.04, 50, 20, 30, 4, 5123.4, {"Meta-loss": Repaints(2, 3.0, 4.5)}))
    assert said("now") == "3.2 / 12.0 ms"
    assert (said("whole"), said("worst")) == ("17.5 ms", "60.0 ms")
    assert (said("rate"), said("events"), said("ticks")) == ("5,123", "1.5 / 4", "20")
    assert said("repaints") == "2 × 3.0 / 4.5 ms"
    assert panel.findChild(QLabel, "developer.worst").property("tone") == "warn"
    assert panel.findChild(QLabel, "developer.now").toolTip() == "At the 99th percentile and at worst (the two lines)"
    light = panel.plot.grab().toImage()
    panel.set_theme(DARK)
    assert panel.plot.grab().toImage() != light


def test_the_whole_run_stays_what_it_was_once_it_is_over() -> None:
    ledger = Ledger()
    ledger.looked(30.0, 100.0)
    assert ledger.close_second(0.0).whole_worst == 30
    ledger.end()
    ledger.looked(90.0, 100.0)
    after = ledger.close_second(0.0)
    assert (after.late_worst, after.whole, after.whole_worst) == (90, 30, 30)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0.001, 1))
def test_what_holds_the_loop_up_does_not_move_the_beats(beat: float, later: float, interval: float) -> None:
    now = beat + later
    following = _next_beat(beat, now, interval)
    assert now - 1e-6 <= following <= now + interval + 1e-6
    beats = (following - beat) / interval
    assert beats == pytest.approx(round(beats), abs=1e-3)


def test_seconds_between_which_nobody_looked_are_not_joined(qtbot: QtBot) -> None:
    plot = LatenessPlot(LIGHT)
    qtbot.addWidget(plot)
    for moment in (0, 100, 101, 102, 200, 201):
        plot.add(Second(1e9 + moment, 1, 1, 1, 1, 20))
    assert [[one.time - 1e9 for one in watched] for watched in plot._in_a_row()] == [[100, 101, 102], [200, 201]]


def test_plots_are_listed_as_they_come_and_left_out_once_they_are_not_painted_any_more(qtbot: QtBot) -> None:
    panel = DeveloperPanel(LIGHT)
    qtbot.addWidget(panel)
    with qtbot.waitExposed(panel):
        panel.show()

    def titles() -> list[str]:
        return [row.title.text() for row in panel._rows.values()]

    one = Repaints(2, 3.0, 4.5)
    for moment, names in enumerate((("Metric", "Meta-loss"), ("Meta-loss", "Accuracy"), ("Probes", "Meta-loss"))):
        panel.show_second(Second(1e9 + 6 * moment, 1, 1, 1, 1, 20, repaints=dict.fromkeys(names, one)))
    assert titles() == ["Meta-loss", "Accuracy", "Probes"]


def test_the_window_is_there_before_torch_is(own_folders: Path) -> None:
    code = ("import sys, workbench.gui.app as app; "
            "from workbench.gui.style import ThemeKeeper; from workbench.gui.window import MainWindow; "
            "qt = app.application(); window = MainWindow(ThemeKeeper(qt), is_furnished=False); window.show(); "
            "assert window.isVisible() and not window.grab().isNull(); "
            "sys.exit('torch' in sys.modules and sys.platform != 'win32')")
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_window_that_is_closed_before_it_is_furnished_goes_without_a_word(qtbot: QtBot, qapp: QApplication,
                                                                           runs_folder: Path) -> None:
    keeper = ThemeKeeper(qapp)
    window = MainWindow(keeper, runs_folder, is_furnished=False)
    keeper.setParent(window)
    qtbot.addWidget(window)
    window.show()
    assert window.close()
    assert not window.is_furnished
    assert not settings.path().exists()
