"""Measures how soon the program is there: `python -m tests.benchmarks.startup`.

The real program is started in a process of its own, several times over. Its window counts as on the screen when Qt has
painted it, and the form as usable when it is filled, painted, and the event loop has turned once more.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.commands import count, ended
from tests.benchmarks.machine import about, environment

RESULT = Path(__file__).parent / "results" / "startup.json"
GOALS = {"help": 0.3, "window": 2.0, "form": 4.5}
WHAT = {"help": "`workbench --help`, from the shell's call to its end",
        "window": "from the call to the first painting of the window",
        "form": "from the call to the filled form, painted, in a running event loop"}
PATIENCE_SECONDS = 120


def child(begun: float, place: Path) -> int:
    """Be the program, note when what is on the screen, and leave."""
    from PySide6.QtCore import QEvent, QObject, QTimer

    from workbench.gui.app import application, run_window
    from workbench.gui.window import MainWindow

    marks: dict[str, float] = {}

    class Watch(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - as Qt calls it
            if event.type() == QEvent.Type.Paint:
                window = watched.window() if hasattr(watched, "window") else None
                if isinstance(window, MainWindow):
                    self.painted(window, watched)
            return False

        def painted(self, window: MainWindow, watched: QObject) -> None:
            marks.setdefault("window", time.time() - begun)
            if window.is_furnished and watched is window.panel.start and "seen" not in marks:
                marks["seen"] = time.time() - begun
                QTimer.singleShot(0, lambda: self.usable(window))

        def usable(self, window: MainWindow) -> None:
            assert window.panel.start.isEnabled()
            assert window.panel.form.experiment is not None
            marks["form"] = time.time() - begun
            place.write_text(json.dumps(marks), encoding="utf8")
            window.close()

    watch = Watch()
    application().installEventFilter(watch)
    return run_window()


def started(folder: Path) -> dict[str, float]:
    """Seconds to each mark of one start, and of one call of the help."""
    place, own = folder / "marks.json", environment(folder)
    place.unlink(missing_ok=True)
    begun = time.time()
    subprocess.run([sys.executable, "-m", "tests.benchmarks.startup", "--child", str(begun), str(place)], check=True,
                   env=own, timeout=PATIENCE_SECONDS, stderr=subprocess.DEVNULL)
    marks: dict[str, float] = json.loads(place.read_text(encoding="utf8"))
    begun = time.time()
    subprocess.run([sys.executable, "-m", "workbench", "--help"], check=True, env=own, stdout=subprocess.DEVNULL)
    return {"help": time.time() - begun, "window": marks["window"], "form": marks["form"]}


def main() -> None:
    """Start the program some times, the first to warm the disk's cache, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=count, default=7)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        sys.exit(child(float(arguments.child[0]), Path(arguments.child[1])))
    with tempfile.TemporaryDirectory() as folder:
        started(Path(folder))
        rounds = [started(Path(folder)) for _ in range(arguments.rounds)]
    found: dict[str, Any] = {"machine": about(), "rounds": arguments.rounds, "caches": "warm", "seconds": {}}
    for name, goal in GOALS.items():
        times = [one[name] for one in rounds]
        found["seconds"][name] = {
            "what": WHAT[name], "median": round(statistics.median(times), 3), "least": round(min(times), 3),
            "most": round(max(times), 3), "goal": goal, "is_met": statistics.median(times) < goal}
        print(f"{name}: {statistics.median(times):.2f} s (least {min(times):.2f}, most {max(times):.2f}; goal {goal})")
    RESULT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


if __name__ == "__main__":
    ended(main)
