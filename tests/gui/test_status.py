"""The status bar: what moves in it, and what must not."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QProgressBar
from pytestqt.qtbot import QtBot

from tests.gui.plots.histories import history
from workbench.gui.status import StatusBar
from workbench.gui.theme import LIGHT


def accepts_animation(bar: QProgressBar) -> bool:
    """Whether a bar takes another step of the style's animation, which goes on as long as it does."""
    step = QEvent(QEvent.Type.StyleAnimationUpdate)
    step.setAccepted(False)
    bar.event(step)
    return step.isAccepted()


def test_the_bar_moves_while_a_run_is_prepared_and_stands_still_while_it_trains(qtbot: QtBot) -> None:
    status = StatusBar(LIGHT)
    qtbot.addWidget(status)
    status.show()
    bar = status.findChild(QProgressBar, "status.progress")
    assert bar is not None
    status.show_preparing("maml-0001")
    assert accepts_animation(bar)
    status.show_progress("maml-0001", history(), is_stopping=False)
    assert bar.isVisible()
    assert not accepts_animation(bar)
