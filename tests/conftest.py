"""What every test stands on: no screen, folders of its own, and nothing left running behind it."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Read when torch is loaded. Several processes test at once, each with threads for every core: those that wait for work
# are to sleep, for where they spin the tests take several times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, data and cache of this test alone."""
    for kind in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    return tmp_path


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]
                              ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test failed: its traceback then holds what it worked with."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test with a window that leaves a thread, a running timer or a top-level widget behind."""
    if not {"qapp", "qtbot"} & set(request.fixturenames):
        yield
        return
    import shiboken6
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    def widgets() -> dict[int, str]:
        return {shiboken6.getCppPointer(one)[0]: f"{type(one).__name__} {one.objectName()!r} {one.windowTitle()!r}"
                for one in QApplication.topLevelWidgets()}

    def left_behind() -> list[str]:
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        return [name for pointer, name in widgets().items() if pointer not in before] + _busy_objects()

    request.getfixturevalue("qapp")
    before = widgets()
    yield
    request.node.funcargs.clear()  # else the test's own arguments would hold what should be gone
    if left_behind():
        gc.collect()  # what only cycles of references hold is no leak, but collecting after every test takes long
        left = left_behind()
        if left and not request.node.stash.get(_FAILED, False):
            pytest.fail(f"left behind: {', '.join(left)}")


def _busy_objects() -> list[str]:
    """Threads that run and timers without a parent that tick."""
    import shiboken6
    from PySide6.QtCore import QCoreApplication, QObject, QThread, QTimer

    app = QCoreApplication.instance()
    own = app.thread() if app is not None else None
    # The registry of Qt's Python objects is small; the garbage collector's is not.
    found = [one for one in shiboken6.getAllValidWrappers() if isinstance(one, QObject)]
    threads = [one for one in found if isinstance(one, QThread) and one is not own and one.isRunning()]
    timers = [one for one in found if isinstance(one, QTimer) and one.isActive() and one.parent() is None]
    return [f"running {one!r}" for one in threads] + [f"active {one!r} without a parent" for one in timers]
