"""Measures what the window costs: `python -m tests.benchmarks.window`.

The same work is trained in the real window and by the command line, each in a process of its own and by the same
executor, which each would otherwise choose anew. First the window trains alone: how late its event loop is then is what
its watchdog keeps with the run, beside the lateness of the same window a moment before, when nothing was trained. Then
one of the two processes is held and the other goes on, in turns of a second, so that both meet the same neighbours;
the ratio is that of the tasks which they trained in all their turns, once what takes over after some seconds has done
so, with a 95 % interval. It needs a system on which processes can be held.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.benchmarks.commands import count, duration, ended
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
WARM_SECONDS, IDLE_SECONDS = 25.0, 5.0
TURN_SECONDS, SETTLING_SECONDS = 1.0, 0.3
GOALS = {"ratio": 0.97, "late_p99_ms": 16.0, "late_worst_ms": 50.0, "repaint_mean_ms": 12.0, "least_repaints": 2.0}
PATIENCE_SECONDS = 300


def record_of(runs: Path) -> Path | None:
    """The record of the one run in a folder; None while there is none."""
    return next(iter(runs.glob("*/events.jsonl")), None)


def tasks_of_a_step(runs: Path) -> int:
    """Of how many tasks a step of the run in a folder is."""
    record = record_of(runs)
    assert record is not None
    return int(json.loads(record.read_text(encoding="utf8").partition("\n")[0])["meta_batch"])


def has_stepped(runs: Path) -> bool:
    """Whether the run in a folder has told of a step."""
    record = record_of(runs)
    return record is not None and '"event": "steps"' in record.read_text(encoding="utf8")


def steps_told(runs: Path) -> tuple[int, float]:
    """The number of the last step that the run in a folder has told of, and its seconds of training then."""
    record = record_of(runs)
    assert record is not None
    whole_lines = record.read_text(encoding="utf8").rpartition("\n")[0].splitlines()
    last = json.loads(next(line for line in reversed(whole_lines) if '"event": "steps"' in line))
    return int(last["first"] + len(last["loss"]) - 1), float(last["seconds"])


class Trained:
    """A process that trains, and can be held with all that it starts; it is killed where the block around it is left.

    Args:
        words: What starts it.
        runs: Where its run will be.
        own: Its environment.
    """

    def __init__(self, words: list[str], runs: Path, own: dict[str, str]) -> None:
        self._words = words
        self.runs = runs
        self._said = tempfile.TemporaryFile("w+", encoding="utf8")  # noqa: SIM115 - closed where its block is left
        self.process = subprocess.Popen(words, env=own, stdout=subprocess.DEVNULL, stderr=self._said,
                                        start_new_session=True)
        self.rates: list[float] = []

    def __enter__(self) -> Trained:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell(signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)
        self._said.close()

    def _last_words(self) -> str:
        self._said.seek(0)
        said = self._said.read().strip().splitlines()
        return f": {said[-1]}" if said else ""

    def _tell(self, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, what)

    def warm_up(self) -> None:
        """Wait until it trains, and until what takes over after some seconds has done so."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not has_stepped(self.runs):
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"{' '.join(self._words[1:5])} does not train{self._last_words()}")
            time.sleep(0.1)
        time.sleep(WARM_SECONDS)

    def hold(self) -> None:
        """Let it wait."""
        assert self.process.poll() is None, "it ended while it trained"
        self._tell(signal.SIGSTOP)

    def take_turn(self, seconds: float) -> None:
        """Let it go on for a while, and note how many steps a second it took once it had found its stride.

        It tells of steps in blocks, so its own clock counts, from one block to another.
        """
        self._tell(signal.SIGCONT)
        time.sleep(SETTLING_SECONDS)
        first, begun = steps_told(self.runs)
        time.sleep(seconds)
        last, ended = steps_told(self.runs)
        self.rates.append((last - first) / (ended - begun))
        self.hold()


def in_window(work: str, runs: Path, switch: float) -> int:
    """Be the program: look at an idle event loop, and train in the window until that is killed."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from workbench.engine.memory import allocator
    from workbench.experiment.presets import find_preset
    from workbench.gui.app import LOADING_MILLISECONDS, application, run_window
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
        QTimer.singleShot(LOADING_MILLISECONDS, lambda: idle_away(found))

    def idle_away(found: MainWindow) -> None:
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
        # Nobody fills in a form and presses Start in one moment.
        QTimer.singleShot(LOADING_MILLISECONDS, found.training.start)

    runs.mkdir(parents=True)
    allocator.separate()  # as every command does
    application()
    poll = QTimer()
    poll.timeout.connect(look)
    poll.start(50)
    return run_window(runs)


def command(work: str, runs: Path) -> list[str]:
    """What trains it without a window."""
    chosen = {name: str(value) for name, value in (WORKS[work]["set"] | ENDLESS).items()}
    words = [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
    return [sys.executable, "-m", "workbench", "run", "--runs", str(runs), "--preset", WORKS[work]["preset"], *words]


def one_round(work: str, seconds: float, turns: int, switch: float) -> dict[str, Any]:
    """Both ways once."""
    from workbench.gui.lateness import read

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        own = environment(folder)
        at, beside = folder / "window", folder / "command"
        child = [sys.executable, "-m", "tests.benchmarks.window", "--child", work, str(at), str(switch)]
        with Trained(child, at, own) as window:
            window.warm_up()
            time.sleep(seconds)
            window.hold()
            record = record_of(at)
            assert record is not None
            kept = list(read(record.parent))
            idle = json.loads((at / "idle.json").read_text(encoding="utf8"))
            with Trained(command(work, beside), beside, own) as alone:
                alone.warm_up()
                alone.hold()
                for turn in range(turns):
                    for one in (window, alone) if turn % 2 == 0 else (alone, window):
                        one.take_turn(TURN_SECONDS)
            tasks = tasks_of_a_step(at)
    pairs = [(tasks * mine, tasks * other) for mine, other in zip(window.rates, alone.rates, strict=True)]
    inside, outside = map(statistics.mean, zip(*pairs, strict=True))
    repaints = [one for second in kept for one in second.repaints.values()]
    count = sum(one.count for one in repaints)
    often = [second.repaints["Meta-loss"].count for second in kept[3:-1] if "Meta-loss" in second.repaints]
    return {
        "window_tasks_per_second": round(inside, 1), "command_tasks_per_second": round(outside, 1),
        "ratio": ratio(pairs)["ratio"], "turns": [[round(rate, 1) for rate in pair] for pair in pairs],
        "late_p99_ms": kept[-1].whole, "late_worst_ms": kept[-1].whole_worst,
        "idle": idle, "looks": sum(one.samples for one in kept),
        "repaint_mean_ms": round(sum(one.count * one.mean for one in repaints) / max(count, 1), 2),
        "repaint_worst_ms": max((one.worst for one in repaints), default=0.0),
        "repaints_of_meta_loss_a_second": round(statistics.mean(often), 2) if often else 0.0,
        "ticks_a_second": round(statistics.mean(one.ticks for one in kept[1:-1]), 1)}


def ratio(turns: list[tuple[float, float]]) -> dict[str, float | None]:
    """How much of the second's work the first did in their turns, and half its 95 % interval, which one turn has not.

    The interval is that of a ratio of sums: of what is left of each turn where the ratio is taken away.
    """
    inside, outside = zip(*turns, strict=True)
    found = sum(inside) / sum(outside)
    half = None
    if len(turns) > 1:
        rest = statistics.stdev(mine - found * other for mine, other in turns)
        half = round(1.96 * rest / math.sqrt(len(turns)) / statistics.mean(outside), 4)
    return {"ratio": round(found, 4), "plus_or_minus": half, "turns": len(turns)}


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The ratio of all turns, and medians over rounds; of the worst lateness the worst too."""
    middle = {name: round(statistics.median(one[name] for one in rounds), 4)
              for name in rounds[0] if name not in ("idle", "looks", "turns")}
    return {"all_turns": ratio([turn for one in rounds for turn in one["turns"]]), "median": middle,
            "worst_of_all_ms": max(one["late_worst_ms"] for one in rounds),
            "idle_median": {name: statistics.median(one["idle"][name] for one in rounds)
                            for name in ("late_p99_ms", "late_worst_ms")}, "rounds": rounds}


def main() -> None:
    """Measure every work, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=count, default=5)
    parser.add_argument("--seconds", type=duration, default=20.0, help="for which the window trains alone")
    parser.add_argument("--turns", type=count, default=20, help="of each, in a round")
    parser.add_argument("--work", choices=list(WORKS), action="append")
    parser.add_argument("--switch", type=duration, default=0.0, help="another interval of Python's threads than "
                        "the window's own, in seconds. Kept beside what that has")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        work, runs, switch = arguments.child
        sys.exit(in_window(work, Path(runs), float(switch)))
    known: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf8")) if RESULT.exists() else {}
    found = {"goals": GOALS, "works": known.get("works", {})}
    for name in arguments.work or WORKS:
        rounds = []
        for number in range(arguments.rounds):
            rounds.append(one_round(name, arguments.seconds, arguments.turns, arguments.switch))
            print(f"{name}, round {number + 1}: {json.dumps(rounds[-1])}", flush=True)
        told = summary(rounds)
        print(f"{name}: {json.dumps(told['all_turns'])}", flush=True)
        key = f"{name}, switch interval {arguments.switch} s" if arguments.switch else name
        found["works"][key] = {"what": WORKS[name]["what"], "machine": about(), "seconds": arguments.seconds,
                                "turns": arguments.turns, "seconds_of_a_turn": TURN_SECONDS, **told}
        RESULT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


if __name__ == "__main__":
    ended(main)
