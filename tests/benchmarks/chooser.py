"""Whether the chooser takes what is the fastest, on five workloads: `python -m tests.benchmarks.chooser`.

Each workload is chosen for anew, with nothing remembered, and then every way is measured as `workbench bench` does.
What was chosen counts as a run would run it, replayed where that is so, against the fastest of all.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.commands import count, ended, file_to_write
from tests.benchmarks.machine import about
from workbench import __version__
from workbench.engine import devices
from workbench.engine.measuring.benchmark import Measured, measure, ways_of
from workbench.engine.measuring.chooser import choose
from workbench.engine.memory import allocator
from workbench.engine.session import Session
from workbench.experiment.resolve import resolve, with_settings

RESULT = Path(__file__).parent / "results" / "chooser.json"
WITHIN = 1.1
# Long enough that each is worth measuring.
_COMMON = ("training.iterations=1000000", "training.executor=auto")
_GLYPHS = ("dataset=glyphs", "backbone=conv4", "task.ways=5", "task.shots=1", "task.queries=5")
WORKLOADS: dict[str, tuple[str, ...]] = {
    "MAML, sinusoids, MLP of 40, 25 tasks": (
        "dataset=sinusoids", "backbone.widths=40,40", "algorithm=maml", "training.meta_batch=25", "task.shots=10"),
    "MAML, harmonics, MLP of 400, 16 tasks": (
        "dataset=harmonics", "backbone.widths=400,400", "algorithm=maml", "training.meta_batch=16", "task.shots=20"),
    "MAML, glyphs, conv4 of 64, stride, 16 tasks": (
        *_GLYPHS, "backbone.filters=64", "backbone.downsampling=stride", "algorithm=maml", "training.meta_batch=16"),
    "ProtoNet, glyphs 10-way, conv4 of 64, 16 tasks": (
        *_GLYPHS, "backbone.filters=64", "task.ways=10", "algorithm=protonet", "training.meta_batch=16"),
    "Reptile, glyphs, conv4 of 32, 5 tasks": (
        *_GLYPHS, "backbone.filters=32", "algorithm=reptile", "training.meta_batch=5"),
}


def judged(settings: tuple[str, ...], device: str, rounds: int) -> dict[str, Any]:
    """What was chosen for a workload, and how long that takes over what is the fastest."""
    session = Session(resolve(with_settings({}, [*settings, *_COMMON, f"device={device}"])))
    begun = time.perf_counter()
    choice = choose(session)
    seconds = time.perf_counter() - begun
    with session.running():
        found = [one for one in measure(session, ways_of(session, choice.way), rounds) if isinstance(one, Measured)]
    as_run = session.acceleration(choice.way.executor)
    took = next(one.seconds for one in found if (one.way, one.acceleration) == (choice.way, as_run))
    fastest = min(one.seconds for one in found)
    return {"chosen": str(choice.way), "why": choice.why, "choosing_seconds": round(seconds, 2),
            "over_the_fastest": round(took / fastest, 4), "is_within": took <= WITHIN * fastest,
            "ways": {f"{one.way} ({one.acceleration})": [round(1e3 * value, 4) for value in one.rounds]
                     for one in found}}


def main() -> int:
    """Measure, print a line for each workload and write everything down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=count, default=9)
    parser.add_argument("--to", type=file_to_write, default=RESULT)
    said = parser.parse_args()
    devices.choose(said.device)  # before anything is measured, it may refuse
    allocator.separate()  # as every command does
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        results = {}
        for name, settings in WORKLOADS.items():
            one = results[name] = judged(settings, said.device, said.rounds)
            print(f"{name}: {one['chosen']}, {one['over_the_fastest']:.2f} times the fastest, chosen in "
                  f"{one['choosing_seconds']:.1f} s{'' if one['is_within'] else '  MISSED'}", flush=True)
    found = {
        "what": "median milliseconds of a meta-gradient, by way and round; the chooser's over the fastest way's",
        "goal": f"within {WITHIN} times the fastest", "date": datetime.now(UTC).date().isoformat(),
        "device": devices.title(devices.choose(said.device)), "machine": about(), "workbench": __version__,
        "results": results,
    }
    said.to.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    return 0 if all(one["is_within"] for one in results.values()) else 1


if __name__ == "__main__":
    ended(main)
