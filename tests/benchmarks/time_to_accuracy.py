"""Measures how long it takes to learn Omniglot: `python -m tests.benchmarks.time_to_accuracy`.

Each goal is an accuracy on 5-way 1-shot tasks of characters that training never saw (Lake's split) and the seconds in
which it is to be there. The clock runs from the call of `workbench run` in a new process, with nothing decoded, to its
end, test included. Omniglot is found through WORKBENCH_OMNIGLOT.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.commands import ended, output_of
from tests.benchmarks.machine import about, environment

RESULT = Path(__file__).parent / "results" / "time_to_accuracy.json"


class Goal(NamedTuple):
    """An accuracy, and the seconds in which a preset is to reach it on a device."""

    preset: str
    accuracy: float
    cpu_seconds: float
    gpu_seconds: float | None = None


GOALS = (Goal("ridge-omniglot-5w1s-quick", 0.95, 150), Goal("protonet-omniglot-5w1s", 0.97, 720, 20))


def measured(goal: Goal, device: str) -> dict[str, Any]:
    """Train a preset in a new process that finds nothing of an earlier one."""
    allowed = goal.cpu_seconds if device == "cpu" else goal.gpu_seconds
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        said = output_of([sys.executable, "-m", "workbench", "run", "--preset", goal.preset, "--device", device,
                          "--runs", str(Path(folder) / "runs"), "--json"], environment(Path(folder)))
        seconds = time.perf_counter() - begun
    test = json.loads(said)["evaluation"]
    return {"preset": goal.preset, "seconds": round(seconds, 1), "accuracy": test["mean"], "ci95": test["ci95"],
            "test_tasks": test["tasks"], "goal": {"accuracy": goal.accuracy, "seconds": allowed},
            "is_reached": test["mean"] >= goal.accuracy and (allowed is None or seconds <= allowed)}


def _within(seconds: float | None) -> str:
    return "" if seconds is None else f" in {seconds:.0f} s"


def main() -> int:
    """Measure every goal, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    said = parser.parse_args()
    known: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf8")) if RESULT.exists() else {}
    found = []
    for goal in GOALS:
        one = measured(goal, said.device)
        found.append(one)
        print(f"{goal.preset}: {100 * one['accuracy']:.1f} ± {100 * one['ci95']:.1f} % over {one['test_tasks']:,} "
              f"tasks after {one['seconds']:.0f} s (goal: {100 * goal.accuracy:.0f} %{_within(one['goal']['seconds'])})"
              f"{'' if one['is_reached'] else '  MISSED'}", flush=True)
    known[said.device] = {"machine": about(), "goals": found}
    RESULT.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    return 0 if all(one["is_reached"] for one in found) else 1


if __name__ == "__main__":
    ended(main)
