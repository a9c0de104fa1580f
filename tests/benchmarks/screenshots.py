"""Takes README's pictures of the window while it trains: `python -m tests.benchmarks.screenshots`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from workbench.places import resources

STEPS_SHOWN = 200


def main() -> None:
    """Train the first look in a window without a screen, and keep one picture of it light and one dark."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("CONFIG", "DATA", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = str(Path(folder) / kind.lower())
        _photograph(Path(folder) / "runs")


def _photograph(runs: Path) -> None:
    from workbench.experiment.presets import find_preset
    from workbench.gui.app import application
    from workbench.gui.style import ThemeKeeper
    from workbench.gui.window import MainWindow

    app = application()
    window = MainWindow(ThemeKeeper(app, app), runs)
    window.resize(1440, 900)
    window.show()
    for algorithm, iterations in (("protonet", 150), ("maml", 400)):
        tables = find_preset("first-look").tables
        tables = tables | {"training": tables["training"] | {"iterations": iterations, "validate_every": 25}}
        if algorithm == "protonet":
            tables = tables | {"algorithm": {"name": "protonet"}}
        window.panel.form.take(tables)
        window.panel.form.check_now()
        window.training.start()
        controller = window.desk.controller
        while controller.is_training and (algorithm == "protonet" or controller.history.step < STEPS_SHOWN):
            _live(200)
    (resources() / "screenshots").mkdir(exist_ok=True)
    for pin in ("light", "dark"):
        window.actions_[f"theme_{pin}"].trigger()
        _live(2500)
        window.grab().save(str(resources() / "screenshots" / f"window-{pin}.png"))
    window.desk.controller.wait()
    window.close()


def _live(milliseconds: int) -> None:
    """Let the window live for a while; what it deletes goes only inside an event loop."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


if __name__ == "__main__":
    main()
