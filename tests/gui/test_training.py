"""Training from the window: start, pause, stop, discard, resume."""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QThread
from PySide6.QtWidgets import QDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.benchmarks.machine import about
from tests.gui.helpers import ENDLESS, SECONDS, SHORT, fill, has_stepped, is_idle, press, status_of, tables
from tests.gui.plots.histories import block, started
from workbench.engine.events import Evaluation, Finished, Score
from workbench.experiment.resolve import resolve
from workbench.gui.controller import Stopwatch, TrainingController
from workbench.gui.plots.results import cells
from workbench.gui.run_rows import TIME, has_trained, text
from workbench.gui.window import MainWindow
from workbench.runs.history import History
from workbench.runs.recording import recorded
from workbench.runs.store import RunStore

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "stop_answers.json"
FIRST = "maml-sinusoids-0001"


def test_start_trains_the_form_s_experiment_to_its_end(qtbot: QtBot, window: MainWindow, runs_folder: Path) -> None:
    expected = window.panel.form.experiment
    press(window.panel, "start")
    assert window.panel.pause.isVisible()
    assert not window.panel.start.isVisible()
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    row = window.desk.model.row(FIRST)
    assert row is not None
    assert row.summary.status == "finished"
    assert row.summary.mean is not None
    assert row.color_index == 0
    assert RunStore(runs_folder).find(FIRST).experiment() == expected
    assert "finished at step 40" in window.log.text()
    assert window.panel.start.isVisible()


def test_a_run_that_is_no_better_than_a_method_without_learning_is_warned_of(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, tables(outer_lr=1e-9, iterations=2))
    press(window.panel, "start")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert f"{FIRST}: no better than best without adapting, which learns nothing: mse " in window.log.text()
    notice = window.findChild(QLabel, "notice.text")
    assert notice is not None
    assert "train longer" in notice.text()


def test_what_the_window_knows_is_what_the_record_says(qtbot: QtBot, window: MainWindow, runs_folder: Path) -> None:
    press(window.panel, "start")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    shown = window.desk.history(FIRST)
    written = RunStore(runs_folder).find(FIRST).history()
    assert shown is not None
    assert shown.loss.values.tolist() == written.loss.values.tolist()
    assert shown.test == written.test


def test_the_run_is_handed_to_the_plots(qtbot: QtBot, window: MainWindow) -> None:
    press(window.panel, "start")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert [(one.id, one.color_index) for one in window.desk.shown()] == [(FIRST, 0)]
    assert window.desk.focused == FIRST


def test_while_a_run_trains_its_plots_are_painted_one_a_tick(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, ENDLESS)
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)
    window.plots.live.set_runs([], None)  # so that every plot shows what is no longer so
    window.desk.shown_changed.emit()
    assert sum(pane.is_stale() for pane in window.plots.live.panes) >= 3
    qtbot.waitUntil(lambda: not any(pane.card.note for pane in window.plots.live.panes[:1]), timeout=SECONDS)
    press(window.panel, "stop")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)


def test_pause_stands_still_until_resume(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, ENDLESS)
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)
    press(window.panel, "pause")
    qtbot.waitUntil(lambda: window.desk.controller.history.is_paused, timeout=SECONDS)
    step = window.desk.controller.history.step
    assert window.panel.pause.text() == "Resume"
    qtbot.waitUntil(lambda: status_of(window, FIRST) == "paused", timeout=SECONDS)
    press(window.panel, "pause")
    qtbot.waitUntil(lambda: window.desk.controller.history.step > step, timeout=SECONDS)
    press(window.panel, "stop")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)


def test_stop_and_keep_leaves_a_run_that_can_be_resumed_to_the_same_end(
        qtbot: QtBot, window: MainWindow, runs_folder: Path, tmp_path: Path) -> None:
    experiment = tables(iterations=300, validate_every=300)
    fill(window, experiment)
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)
    press(window.panel, "stop")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert status_of(window, FIRST) == "stopped"
    window.actions_["resume"].trigger()
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert status_of(window, FIRST) == "finished"
    straight = RunStore(tmp_path / "straight").create(resolve(experiment))
    for _ in recorded(straight):
        pass
    resumed = window.desk.history(FIRST)
    assert resumed is not None
    assert resumed.loss.values.tolist() == straight.history().loss.values.tolist()


def test_a_run_that_is_tested_says_so_everywhere(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, SHORT | {"evaluation": {"tasks": 400_000, "probe_tasks": 2}})
    press(window.panel, "start")
    qtbot.waitUntil(lambda: window.desk.controller.is_testing, timeout=SECONDS)
    row = window.desk.model.row(FIRST)
    assert row is not None
    qtbot.waitUntil(lambda: row.state == "testing", timeout=SECONDS)
    assert "every step is done; testing on 400,000 tasks" in window.log.text()
    assert any(label.text().startswith("Testing.") for label in window.panel.findChildren(QLabel))
    shown = window.findChild(QLabel, "status.left")
    assert shown is not None
    assert shown.text() == "40 of 40 · testing …"
    before = row.summary.seconds
    qtbot.waitUntil(lambda: row.summary.seconds > before or is_idle(window), timeout=SECONDS)
    assert not is_idle(window)
    press(window.panel, "stop")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert row.state == "stopped"
    assert status_of(window, FIRST) == "stopped"


def test_a_run_is_tested_when_its_patience_is_at_an_end() -> None:
    events = [started(), block(1, 30), *(Evaluation(step, "validation", 8, "accuracy", Score(score, 0.1), {}, ())
                                         for step, score in ((10, 0.6), (20, math.nan), (30, 0.4)))]
    history = History.of(events)
    assert not has_trained(history, None)
    assert not has_trained(history, 3)
    assert has_trained(history, 2)
    history.add(block(31, 1))
    assert not has_trained(history, 2)


def test_a_run_that_is_waited_for_before_its_thread_begins_is_kept(qtbot: QtBot, tmp_path: Path) -> None:
    controller = TrainingController()
    run = controller.start(RunStore(tmp_path), resolve(tables(iterations=100_000)))
    with qtbot.waitSignal(controller.run_ended, timeout=0):
        controller.wait()
    assert not controller.is_training
    assert run.summary().status == "stopped"
    assert run.kept()
    steps = run.history().step
    qtbot.waitUntil(lambda: not controller.findChildren(QThread), timeout=SECONDS)
    assert run.history().step == steps


def test_a_stopwatch_stands_still_while_it_is_held() -> None:
    watch = Stopwatch()
    assert watch.seconds == 0
    watch.start_anew()
    watch.hold(is_held=True)
    held = watch.seconds
    assert watch.seconds == held
    watch.hold(is_held=False)
    assert watch.seconds >= held


def test_table_and_comparison_tell_the_same_time(qtbot: QtBot, window: MainWindow) -> None:
    press(window.panel, "start")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    (shown,) = window.desk.shown()
    row = window.desk.model.row(FIRST)
    assert row is not None
    assert cells(shown)[-1] == (text(row, TIME), row.summary.seconds)


def test_discard_asks_and_then_leaves_nothing(qtbot: QtBot, window: MainWindow, runs_folder: Path) -> None:
    fill(window, ENDLESS)
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)
    press(window.panel, "discard")
    question = window.findChild(QDialog, "discardQuestion")
    assert question is not None
    assert not is_idle(window)
    press(question, "answer.discard")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert not (runs_folder / FIRST).exists()
    assert window.desk.model.row(FIRST) is None


def test_a_run_that_is_not_to_be_discarded_goes_on(qtbot: QtBot, window: MainWindow) -> None:
    fill(window, ENDLESS)
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)
    press(window.panel, "discard")
    question = window.findChild(QDialog, "discardQuestion")
    assert question is not None
    question.reject()
    step = window.desk.controller.history.step
    qtbot.waitUntil(lambda: window.desk.controller.history.step > step, timeout=SECONDS)


def test_a_folder_that_will_not_do_is_refused_in_words_and_leaves_no_run(
        qtbot: QtBot, window: MainWindow, runs_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fill(window, {"dataset": {"name": "image_folder", "path": str(tmp_path / "empty")}})
    press(window.panel, "start")
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert "could not be started" in window.log.text()
    assert list(runs_folder.glob("*/experiment.toml")) == []
    assert window.desk.model.rowCount() == 0


def test_an_interrupted_run_says_so_and_can_be_resumed(qtbot: QtBot, window: MainWindow, runs_folder: Path) -> None:
    run = RunStore(runs_folder).create(resolve(SHORT))
    events = recorded(run)
    for event in events:
        if not isinstance(event, Finished) and run.checkpoints() and run.record.stat().st_size > 20_000:
            break
    summary = run.summary()
    events.close()  # type: ignore[attr-defined]
    summary.status = "running"
    run.write_summary(summary)
    window.desk.look_at_disk()
    assert status_of(window, run.id) == "interrupted"
    window.runs.focus(run.id)
    assert window.actions_["resume"].isEnabled()
    window.actions_["resume"].trigger()
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    assert status_of(window, run.id) == "finished"


def _seconds_to_stop(qtbot: QtBot, window: MainWindow) -> float:
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)
    begun = time.perf_counter()
    press(window.panel, "stop")
    assert not window.panel.findChild(QPushButton, "stop").isEnabled()
    qtbot.waitUntil(lambda: is_idle(window), timeout=SECONDS)
    return time.perf_counter() - begun


@pytest.mark.parametrize("presses", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_stop_answers_in_under_a_second(qtbot: QtBot, window: MainWindow, presses: int) -> None:
    fill(window, ENDLESS)
    seconds = sorted(_seconds_to_stop(qtbot, window) for _ in range(presses))
    if presses == 100:
        found = {"what": "seconds from pressing Stop and keep to the run's end, everything on the disk",
                 "presses": presses, "median": seconds[presses // 2], "worst": seconds[-1],
                 "machine": about()}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf8")
    assert seconds[-1] < 1.0


def test_twenty_trainings_in_a_row_stopped_at_random_leave_no_thread(qtbot: QtBot, tmp_path: Path) -> None:
    moments = random.Random(20)  # noqa: S311 - a seed, not a secret
    parent = QObject()
    controller = TrainingController(parent)
    store = RunStore(tmp_path / "runs")
    experiment = resolve(ENDLESS)
    for _ in range(20):
        target = moments.choice([0, 0, 1, 5, 20, 60])
        run = controller.start(store, experiment)
        qtbot.waitUntil(lambda target=target: controller.history.step >= target, timeout=SECONDS)
        controller.stop()
        qtbot.waitUntil(lambda: not controller.is_training, timeout=SECONDS)
        assert run.summary().status == "stopped"
        assert run.checkpoints()
    # The last thread's object goes with the next round of the event loop.
    qtbot.waitUntil(lambda: controller.findChildren(QObject) == [controller.children()[0]], timeout=SECONDS)
