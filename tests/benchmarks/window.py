"""Measures what the window costs: `python -m tests.benchmarks.window`.

The same work is trained in the real window and by the command line, in turn, each in a process of its own, so that
both meet the same neighbours, and by the same executor, which each would otherwise choose anew; the ratio of their
tasks a second is taken round by round, once what takes over after some seconds has done so. How late the event loop
was is what its watchdog kept with the run, beside the lateness of the same window a moment before, when nothing was
trained.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.machine import about, environment

RESULT = Path(__file__).parent / "results" / "window.json"
WORKS: dict[str, dict[str, Any]] = {
    "sinusoids": {"what": "MAML on sinusoids, MLP 1-40-40-1, 25 tasks: bound by Python", "preset": "maml-sinusoids",
                  "set": {"training.executor": "vectorized"}},
    "conv4": {"what": "MAML on the built-in characters, conv4 of 64 filters, 8 tasks: bound by arithmetic",
              "preset": "maml-omniglot-5w1s", "set": {"dataset": "glyphs", "training.executor": "portions"}},
}
NEVER = 1_000_000
ENDLESS = {f"training.{name}": NEVER for name in ("iterations", "validate_every", "checkpoint_every")} | {
    "training.validation_tasks": 20}
WARM_SECONDS, IDLE_SECONDS = 12.0, 5.0
GOALS = {"ratio": 0.97, "late_p99_ms": 16.0, "late_worst_ms": 50.0, "repaint_mean_ms": 12.0, "least_repaints": 2.0}
PATIENCE_SECONDS = 300


def record_of(runs: Path) -> Path | None:
    """The record of the one run in a folder; None while there is none."""
    return next(iter(runs.glob("*/events.jsonl")), None)


def steps(record: Path) -> Iterator[dict[str, Any]]:
    """Blocks of steps, and before them what the run began with."""
    for line in record.read_text(encoding="utf8").splitlines():
        event = json.loads(line)
        if event["event"] in ("started", "steps"):
            yield event


def has_stepped(runs: Path) -> bool:
    """Whether the run in a folder has told of a step."""
    record = record_of(runs)
    return record is not None and '"event": "steps"' in record.read_text(encoding="utf8")


def rate(runs: Path) -> float:
    """Training tasks a second, the first seconds left out."""
    record = record_of(runs)
    assert record is not None
    started, *blocks = steps(record)
    ends = [(one["seconds"], one["first"] + len(one["loss"]) - 1) for one in blocks]
    warm = [end for end in ends if end[0] >= ends[0][0] + WARM_SECONDS]
    (begin, first), (end, last) = warm[0], warm[-1]
    return float((last - first) * started["meta_batch"] / (end - begin))


def in_window(work: str, runs: Path, seconds: float, switch: float) -> int:
    """Be the program: look at an idle event loop, train in the window for a while, and leave."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from workbench.experiment.presets import find_preset
    from workbench.gui.app import application, run_window
    from workbench.gui.lateness import Second
    from workbench.gui.watchdog import Watchdog
    from workbench.gui.window import MainWindow

    idle: list[Second] = []

    def watchdog_of(found: MainWindow) -> Watchdog:
        watchdog = found.findChild(Watchdog, "watchdog")
        assert watchdog is not None
        return watchdog

    def window() -> MainWindow | None:
        return next((one for one in QApplication.topLevelWidgets()
                     if isinstance(one, MainWindow) and one.is_furnished), None)

    def look() -> None:
        found = window()
        if found is None:
            return
        poll.stop()
        poll.timeout.disconnect(look)
        if switch:
            sys.setswitchinterval(switch)
        found.resize(1440, 900)
        watchdog_of(found).saw.connect(idle.append)
        watchdog_of(found).read_along(True)
        QTimer.singleShot(round(1000 * IDLE_SECONDS), lambda: begin(found))

    def begin(found: MainWindow) -> None:
        watchdog_of(found).saw.disconnect(idle.append)
        watchdog_of(found).read_along(False)
        (runs / "idle.json").write_text(json.dumps({"late_p99_ms": idle[-1].whole,
                                                    "late_worst_ms": idle[-1].whole_worst}), encoding="utf8")
        tables = dict(find_preset(WORKS[work]["preset"]).tables)
        chosen = WORKS[work]["set"] | ENDLESS
        training = {name.partition(".")[2]: value for name, value in chosen.items() if "." in name}
        changed = {name: {"name": value} for name, value in chosen.items() if "." not in name}
        found.panel.form.take(tables | changed | {"training": tables["training"] | training})
        found.panel.form.check_now()
        found.training.start()
        poll.timeout.connect(lambda: leave_later(found))
        poll.start()

    def leave_later(found: MainWindow) -> None:
        if found.desk.controller.history.step:
            poll.stop()
            QTimer.singleShot(round(1000 * (seconds + WARM_SECONDS)), found.closing.stop_and_leave)

    runs.mkdir(parents=True)
    application()
    poll = QTimer()
    poll.timeout.connect(look)
    poll.start(50)
    return run_window(runs)


def on_command_line(work: str, runs: Path, seconds: float, own: dict[str, str]) -> None:
    """Train by the command line for a while."""
    chosen = {name: str(value) for name, value in (WORKS[work]["set"] | ENDLESS).items()}
    words = [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
    with subprocess.Popen([sys.executable, "-m", "workbench", "run", "--runs", str(runs), "--preset",
                           WORKS[work]["preset"], *words], env=own, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as trained:
        while not has_stepped(runs) and trained.poll() is None:
            time.sleep(0.1)
        time.sleep(seconds + WARM_SECONDS)
        trained.send_signal(signal.SIGINT)
        trained.wait(PATIENCE_SECONDS)


def one_round(work: str, seconds: float, switch: float, *, window_first: bool) -> dict[str, Any]:
    """Both ways once."""
    from workbench.gui.lateness import read

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        own = environment(folder)

        def trained_in_window() -> None:
            subprocess.run([sys.executable, "-m", "tests.benchmarks.window", "--child", work, str(folder / "window"),
                            str(seconds), str(switch)], check=True, env=own, timeout=PATIENCE_SECONDS,
                           stderr=subprocess.DEVNULL)

        ways = [trained_in_window, lambda: on_command_line(work, folder / "command", seconds, own)]
        for way in ways if window_first else reversed(ways):
            way()
        record = record_of(folder / "window")
        assert record is not None
        kept = list(read(record.parent))
        idle = json.loads((folder / "window" / "idle.json").read_text(encoding="utf8"))
        inside, outside = rate(folder / "window"), rate(folder / "command")
    repaints = [one for second in kept for one in second.repaints.values()]
    count = sum(one.count for one in repaints)
    often = [second.repaints["Meta-loss"].count for second in kept[3:-1] if "Meta-loss" in second.repaints]
    return {
        "window_tasks_per_second": round(inside, 1), "command_tasks_per_second": round(outside, 1),
        "ratio": round(inside / outside, 4), "late_p99_ms": kept[-1].whole, "late_worst_ms": kept[-1].whole_worst,
        "idle": idle, "looks": sum(one.samples for one in kept),
        "repaint_mean_ms": round(sum(one.count * one.mean for one in repaints) / max(count, 1), 2),
        "repaint_worst_ms": max((one.worst for one in repaints), default=0.0),
        "repaints_of_meta_loss_a_second": round(statistics.mean(often), 2) if often else 0.0,
        "ticks_a_second": round(statistics.mean(one.ticks for one in kept[1:-1]), 1)}


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over rounds; of the worst lateness the worst too."""
    middle = {name: round(statistics.median(one[name] for one in rounds), 4)
              for name in rounds[0] if name not in ("idle", "looks")}
    return {"median": middle, "worst_of_all_ms": max(one["late_worst_ms"] for one in rounds),
            "idle_median": {name: statistics.median(one["idle"][name] for one in rounds)
                            for name in ("late_p99_ms", "late_worst_ms")}, "rounds": rounds}


def main() -> None:
    """Measure every work, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--work", choices=list(WORKS), action="append")
    parser.add_argument("--switch", type=float, default=0.0, help="another interval of Python's threads, in seconds; "
                        "Python's own is 0.005. Kept beside the window's own")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        work, runs, seconds, switch = arguments.child
        sys.exit(in_window(work, Path(runs), float(seconds), float(switch)))
    known: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf8")) if RESULT.exists() else {}
    found = {"goals": GOALS, "works": known.get("works", {})}
    for name in arguments.work or WORKS:
        rounds = []
        for number in range(arguments.rounds):
            rounds.append(one_round(name, arguments.seconds, arguments.switch, window_first=number % 2 == 0))
            print(f"{name}, round {number + 1}: {json.dumps(rounds[-1])}", flush=True)
        key = f"{name}, switch interval {arguments.switch} s" if arguments.switch else name
        found["works"][key] = {"what": WORKS[name]["what"], "machine": about(), "seconds": arguments.seconds,
                                **summary(rounds)}
        RESULT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
