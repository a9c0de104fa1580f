"""Ctrl+C in the terminal that the window was opened from, and the end of the session."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.runs.store import RunStore

CHILD = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from tests.gui.helpers import ENDLESS, fill
from workbench.gui.app import application, run_window
from workbench.gui.window import MainWindow

app = application()
timer = QTimer()

def tell(window):
    if sys.argv[2] == "asked":
        window.close()  # which asks what is to become of the run
    print("ready", flush=True)

def begin():
    window = next((one for one in app.topLevelWidgets() if isinstance(one, MainWindow) and one.is_furnished), None)
    if window is None:
        return
    timer.stop()
    if sys.argv[2] == "idle":
        for one in window.findChildren(QTimer):  # so that none of them has Python look for signals now and then
            one.stop()
        QTimer.singleShot(0, lambda: print("ready", flush=True))
        return
    window.desk.controller.progressed.connect(lambda: tell(window))
    fill(window, ENDLESS)
    window.training.start()

timer.timeout.connect(begin)
timer.start(50)
sys.exit(run_window(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent there by consoles alone")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("state", ["idle", "training", "asked"])
def test_a_signal_closes_the_window_and_keeps_what_is_trained(own_folders: Path, tmp_path: Path, sent: signal.Signals,
                                                              state: str) -> None:
    runs = tmp_path / "runs"
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(runs), state], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(sent)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()  # where it did not leave by itself; it would train on for ever
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    kept = RunStore(runs).runs() if runs.is_dir() else []
    assert [run.summary().status for run in kept] == ([] if state == "idle" else ["stopped"])
