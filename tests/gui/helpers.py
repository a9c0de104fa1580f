"""A run that takes a second or two, and hands that press buttons, drop data, answer questions and read what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QPushButton, QWidget

from workbench.gui.window import MainWindow

if TYPE_CHECKING:  # tests.benchmarks.forms drops data without pytest
    from pytestqt.qtbot import QtBot

    from workbench.gui.preview.dialog import PreviewDialog

OpenWindow = Callable[[], MainWindow]

SHORT: dict[str, Any] = {
    "dataset": {"name": "sinusoids"}, "backbone": {"name": "mlp", "widths": [8]},
    "algorithm": {"name": "maml"}, "task": {"shots": 4, "queries": 4},
    "training": {"iterations": 40, "meta_batch": 2, "validation_tasks": 4, "executor": "vectorized"},
    "evaluation": {"tasks": 8, "probe_tasks": 2},
}
"""A run of a second or two."""
FIRST = "maml-sinusoids-0001"
"""What the first run of this kind in a folder is called."""
SECONDS = 90_000
"""Milliseconds that a test waits at most for what takes a second on a machine that nobody else loads."""


def tables(**training: Any) -> dict[str, Any]:
    """The short run with other training."""
    return SHORT | {"training": SHORT["training"] | training}


ENDLESS = tables(iterations=1_000_000, validate_every=1_000_000)
"""A run that goes on until it is stopped."""


def on(dataset: str, **config: Any) -> dict[str, Any]:
    """An experiment on a dataset, with what suits it."""
    return {"dataset": {"name": dataset, **config}, "algorithm": {"name": "protonet"}}


def press(parent: QWidget, name: str) -> None:
    """Click the button of this name."""
    button = parent.findChild(QPushButton, name)
    assert button is not None, name
    assert button.isEnabled(), button.toolTip()
    button.click()


def fill(window: MainWindow, experiment: dict[str, Any]) -> None:
    """Put an experiment into the form."""
    window.panel.form.take(experiment)
    window.panel.form.check_now()


def drop(window: MainWindow, *paths: Path) -> None:
    """Drop paths on the window, as a person drags them there."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    about = Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for event in (QDragEnterEvent(QPoint(20, 20), *about), QDropEvent(QPointF(20, 20), *about)):
        QApplication.sendEvent(window, event)
        assert event.isAccepted()


def said(parent: QWidget, name: str) -> str:
    """What a label says; nothing where it is hidden."""
    label = parent.findChild(QLabel, name)
    assert label is not None, name
    return "" if label.isHidden() else label.text()


def settled(window: MainWindow) -> bool:
    """Whether nothing is being looked at."""
    return not any(window._jobs.is_busy(key) for key in ("recognize", "look", "floors", "preview", "preview examples",
                                                         "preview tasks"))


def opened(qtbot: QtBot, window: MainWindow) -> PreviewDialog:
    """The preview of what is in the form, ready."""
    window.actions_["preview"].trigger()
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    dialog = window.preview.dialog
    assert dialog is not None
    return dialog


def status_of(window: MainWindow, run_id: str) -> str:
    """What the table says of a run."""
    row = window.desk.model.row(run_id)
    assert row is not None
    return row.summary.status


def is_idle(window: MainWindow) -> bool:
    """Whether nothing is trained."""
    return not window.desk.controller.is_training


def has_stepped(window: MainWindow) -> bool:
    """Whether the run under way has taken a step."""
    return window.desk.controller.history.step > 0


def start_endless(qtbot: QtBot, window: MainWindow) -> None:
    """Begin a run that does not end by itself."""
    fill(window, ENDLESS)
    press(window.panel, "start")
    qtbot.waitUntil(lambda: has_stepped(window), timeout=SECONDS)


def question(window: MainWindow, name: str = "closeQuestion") -> QDialog:
    """The question that is open."""
    found = window.findChild(QDialog, name)
    assert found is not None
    return found
