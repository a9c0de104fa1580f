"""Takes pictures of the window while it trains, without a screen.

`python -m tests.benchmarks.screenshots` keeps README's, one light and one dark. With `--algorithms FOLDER` it trains
every algorithm for some seconds and keeps there what its tab Inside shows, on characters and, where there is no class
to tell, on sinusoids too; after `--only` stand the names of some of them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.places import resources

if TYPE_CHECKING:
    from workbench.gui.window import MainWindow

STEPS_SHOWN = 200
THEMES = ("light", "dark")
# What shows these methods best; all others tell characters apart.
FITTING = {"cavia": ("glyphs", "sinusoids"), "mann": ("glyphs", "sinusoids"), "meta_nas": ("glyphs", "sinusoids"),
           "meta_network": ("glyphs", "sinusoids"), "ridge": ("glyphs", "sinusoids")}


def main() -> None:
    """Take the pictures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", type=Path, metavar="FOLDER", help="of every algorithm, kept here")
    parser.add_argument("--only", nargs="+", help="of these algorithms alone")
    parser.add_argument("--seconds", type=float, default=20.0, help="training of each before it is looked at")
    said = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("CONFIG", "DATA", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = str(Path(folder) / kind.lower())
        with _window(Path(folder) / "runs") as window:
            if said.algorithms:
                said.algorithms.mkdir(parents=True, exist_ok=True)
                _photograph_all(window, said.algorithms, said.seconds, said.only or [])
            else:
                _photograph(window)


@contextmanager
def _window(runs: Path) -> Iterator[MainWindow]:
    from workbench.gui.app import application
    from workbench.gui.style import ThemeKeeper
    from workbench.gui.window import MainWindow

    app = application()
    window = MainWindow(ThemeKeeper(app, app), runs)
    window.resize(1440, 900)
    window.show()
    yield window
    window.desk.controller.wait()
    window.close()


def _photograph(window: MainWindow) -> None:
    """Train the first look, ProtoNet before MAML."""
    from workbench.experiment.presets import find_preset

    for algorithm, iterations in (("protonet", 150), ("maml", 400)):
        tables = find_preset("first-look").tables
        tables = tables | {"training": tables["training"] | {"iterations": iterations, "validate_every": 25}}
        if algorithm == "protonet":
            tables = tables | {"algorithm": {"name": "protonet"}}
        _start(window, tables)
        controller = window.desk.controller
        while controller.is_training and (algorithm == "protonet" or controller.history.step < STEPS_SHOWN):
            _live(200)
    folder = resources() / "screenshots"
    folder.mkdir(exist_ok=True)
    _keep(window, folder / "window")


def _photograph_all(window: MainWindow, folder: Path, seconds: float, only: list[str]) -> None:
    """Train every algorithm, and keep a picture of it with the tab Inside in view."""
    from workbench.experiment.registry import found

    window.plots.tabs.setCurrentWidget(window.plots.inside)
    for name, kind in found("algorithm").items():
        for dataset in FITTING.get(name, ("glyphs",)):
            if only and name not in only:
                continue
            held_out = {"held_out": "examples"} if kind.tested_on == "examples" else {}
            _start(window, {"dataset": {"name": dataset, **held_out}, "algorithm": {"name": name},
                            "evaluation": {"tasks": 20}, "training": {"validation_tasks": 20, "validate_every": 100}})
            controller, begun = window.desk.controller, 0.0
            while controller.is_training and (not begun or time.monotonic() - begun < seconds):
                begun = begun or (time.monotonic() if controller.history.step else 0.0)
                _live(200)
            _keep(window, folder / f"{name}-{dataset}")
            print(f"{name} on {dataset}: {controller.history.step} steps", flush=True)
            window.training.stop()
            while controller.is_training:
                _live(100)


def _start(window: MainWindow, tables: Mapping[str, Any]) -> None:
    """Fill the form and press Start."""
    window.panel.form.take(tables)
    window.panel.form.check_now()
    window.training.start()


def _keep(window: MainWindow, path: Path) -> None:
    """Keep a picture of the window in each theme, named by it."""
    for pin in THEMES:
        window.actions_[f"theme_{pin}"].trigger()
        _live(2500)
        window.grab().save(f"{path}-{pin}.png")


def _live(milliseconds: int) -> None:
    """Let the window live for a while; what it deletes goes only inside an event loop."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


if __name__ == "__main__":
    main()
