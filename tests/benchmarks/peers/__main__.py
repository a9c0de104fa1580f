"""Measures ours beside learn2learn, higher, TorchOpt and parallel-metalearn: `python -m tests.benchmarks.peers`.

Every workload and curve that has no result yet is measured and written at once, so the command may be interrupted and
goes on where it was; it wants a machine that does nothing else. The results are kept in `results/peers.json` and drawn
in `peers.md` and `peers.svg`. Peers come with `pip install -e '.[peers]'`; learn2learn, which does not build as it is,
takes a few lines more, which stand in the README of this folder. A peer that is not installed is said and left out.
Omniglot is found through WORKBENCH_OMNIGLOT.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.benchmarks.commands import ended
from tests.benchmarks.peers import report
from tests.benchmarks.peers.measuring import ALL, Effort, Field, missing_peers
from tests.benchmarks.peers.problem import Problem, draw
from tests.benchmarks.peers.workloads import CURVES, WORKLOADS, Curve, Workload

RESULTS = Path(__file__).parents[1] / "results"
FULL, CURVE, QUICK = Effort(5, 1.0), Effort(5, 0.3), Effort(3, 0.2)


class Kept:
    """Results in a folder, written after every change.

    Attributes:
        data: `workloads` and `curves`, each by its name and device.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "peers.json"
        self.data: dict[str, Any] = {"workloads": {}, "curves": {}}
        if self.path.exists():
            self.data = json.loads(self.path.read_text(encoding="utf8"))

    def write(self) -> None:
        """Write the numbers, the table and the charts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for part, order in (("workloads", WORKLOADS), ("curves", CURVES)):
            ranks = {name: rank for rank, name in enumerate(order)}
            known = self.data[part]
            self.data[part] = {key: known[key] for key in sorted(known, key=lambda key: (
                key.rpartition("@")[2], ranks.get(key.rpartition("@")[0], len(ranks))))}
        self.path.write_text(json.dumps(self.data, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
        self.path.with_suffix(".md").write_text(report.table(self.data), encoding="utf8")
        try:
            report.draw(self.data, self.path.with_suffix(".svg"))
        except ModuleNotFoundError:
            print("no charts: matplotlib is not installed; install the extra `peers`", file=sys.stderr)


def workload(one: Workload, device: str, effort: Effort, peers: Collection[str], folder: Path) -> dict[str, Any]:
    """Measure a workload."""
    problem = draw(one.settings, folder)
    compiles = any(goal.program == "compiled" and goal.device == device for goal in one.goals)
    with Field(problem.about.method, device, effort, peers, compiles=compiles) as field:
        return {"workload": one.name, **field.measure(problem)}


def curve(one: Curve, device: str, effort: Effort, peers: Collection[str], folder: Path) -> dict[str, Any]:
    """Measure a curve, point by point in the same processes."""
    points: list[dict[str, Any]] = []

    def problem(value: int) -> Problem:
        return draw(one.base.with_settings(f"{one.setting}={value}").settings, folder)

    with Field(problem(one.values[0]).about.method, device, effort, peers, remembers=False) as field:
        for value in one.values:
            print(f" {one.axis}: {value}", flush=True)
            points.append({"value": value, **field.measure(problem(value))})
    return {"curve": one.name, "device": device, "machine": points[0]["machine"], "points": points}


def main() -> int:
    """Measure what is missing, and draw what there is."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*WORKLOADS, *CURVES], metavar="NAME",
                        help=f"only these of {', '.join([*WORKLOADS, *CURVES])}")
    parser.add_argument("--peers", nargs="*", choices=ALL, default=ALL, metavar="NAME",
                        help=f"only these of {', '.join(ALL)}")
    parser.add_argument("--again", action="store_true", help="measure also what has a result")
    parser.add_argument("--quick", action="store_true",
                        help="three short rounds of the workloads, kept in a folder for the moment: a look, no result")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--to", type=Path, help=f"folder of the results; {RESULTS} by default")
    parser.add_argument("--table", action="store_true", help="measure nothing, only draw what there is")
    said = parser.parse_args()
    kept = Kept(said.to or (Path(tempfile.mkdtemp(prefix="peers-")) if said.quick else RESULTS))
    for why in missing_peers().values():
        print(f"left out: {why}", file=sys.stderr)
    names = [] if said.table else said.only or [*WORKLOADS, *(() if said.quick else CURVES)]
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            part, key = ("workloads" if name in WORKLOADS else "curves"), f"{name}@{said.device}"
            if key in kept.data[part] and not said.again:
                continue
            print(name, flush=True)
            if name in WORKLOADS:
                effort = QUICK if said.quick else FULL
                found = workload(WORKLOADS[name], said.device, effort, said.peers, Path(folder))
            else:
                effort = QUICK if said.quick else CURVE
                found = curve(CURVES[name], said.device, effort, said.peers, Path(folder))
            kept.data[part][key] = found
            kept.write()
    kept.write()
    print(kept.path.with_suffix(".md").read_text(encoding="utf8"))
    print(f"kept in {kept.folder}")
    return 0


if __name__ == "__main__":
    ended(main)
