"""Takes pictures of the window while it trains, without a screen.

`python -m tests.benchmarks.screenshots` keeps README's, one light and one dark. With `--algorithms FOLDER` it trains
every algorithm for some seconds and keeps there what its tab Inside shows, on characters and, where there is no class
to tell, on sinusoids too; after `--only` stand the names of some of them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.commands import duration, ended
from tests.benchmarks.offscreen import keep, live, offscreen, start
from workbench.experiment.registry import found
from workbench.places import resources

if TYPE_CHECKING:
    from workbench.gui.window import MainWindow

STEPS_SHOWN = 200
# What shows these methods best; all others tell characters apart.
FITTING = {"cavia": ("glyphs", "sinusoids"), "mann": ("glyphs", "sinusoids"), "meta_nas": ("glyphs", "sinusoids"),
           "meta_network": ("glyphs", "sinusoids"), "ridge": ("glyphs", "sinusoids")}


def main() -> None:
    """Take the pictures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", type=Path, metavar="FOLDER", help="of every algorithm, kept here")
    parser.add_argument("--only", nargs="+", choices=found("algorithm"), metavar="NAME",
                        help="of these algorithms alone")
    parser.add_argument("--seconds", type=duration, default=20.0, help="training of each before it is looked at")
    said = parser.parse_args()
    with offscreen() as window:
        if said.algorithms:
            said.algorithms.mkdir(parents=True, exist_ok=True)
            _photograph_all(window, said.algorithms, said.seconds, said.only or [])
        else:
            _photograph(window)


def _photograph(window: MainWindow) -> None:
    """Train the first look, ProtoNet before MAML."""
    from workbench.experiment.presets import find_preset

    for algorithm, iterations in (("protonet", 150), ("maml", 400)):
        tables = find_preset("first-look").tables
        tables = tables | {"training": tables["training"] | {"iterations": iterations, "validate_every": 25}}
        if algorithm == "protonet":
            tables = tables | {"algorithm": {"name": "protonet"}}
        start(window, tables)
        controller = window.desk.controller
        while controller.is_training and (algorithm == "protonet" or controller.history.step < STEPS_SHOWN):
            live(200)
    folder = resources() / "screenshots"
    folder.mkdir(exist_ok=True)
    keep(window, folder / "window")


def _photograph_all(window: MainWindow, folder: Path, seconds: float, only: list[str]) -> None:
    """Train every algorithm, and keep a picture of it with the tab Inside in view."""
    from workbench.experiment.registry import found

    window.plots.tabs.setCurrentWidget(window.plots.inside)
    for name, kind in found("algorithm").items():
        for dataset in FITTING.get(name, ("glyphs",)):
            if only and name not in only:
                continue
            held_out = {"held_out": "examples"} if kind.tested_on == "examples" else {}
            start(window, {"dataset": {"name": dataset, **held_out}, "algorithm": {"name": name},
                            "evaluation": {"tasks": 20}, "training": {"validation_tasks": 20, "validate_every": 100}})
            controller, begun = window.desk.controller, 0.0
            while controller.is_training and (not begun or time.monotonic() - begun < seconds):
                begun = begun or (time.monotonic() if controller.history.step else 0.0)
                live(200)
            keep(window, folder / f"{name}-{dataset}")
            print(f"{name} on {dataset}: {controller.history.step} steps", flush=True)
            window.training.stop()
            while controller.is_training:
                live(100)


if __name__ == "__main__":
    ended(main)
