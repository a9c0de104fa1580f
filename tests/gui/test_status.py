"""The status bar: what moves in it, and what must not."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QHBoxLayout, QProgressBar, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.plots.histories import history
from workbench.gui.plots.style import font
from workbench.gui.plots.widgets import ElidedLabel
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


class Requests(QObject):
    """Counts how often a widget is asked to lay out anew."""

    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - as Qt calls it
        self.count += event.type() == QEvent.Type.LayoutRequest
        return False


def test_a_number_as_wide_as_the_last_leaves_the_layout_alone(qtbot: QtBot) -> None:
    widget, label, requests = QWidget(), ElidedLabel(), Requests()
    qtbot.addWidget(widget)
    label.setFont(font(-1))
    QHBoxLayout(widget).addWidget(label)
    label.set_words("iteration 3,339")
    widget.show()
    QApplication.processEvents()
    widget.installEventFilter(requests)
    for words, asked in (("iteration 3,448", False), ("iteration 13,448", True)):
        label.set_words(words)
        QApplication.processEvents()
        assert (label.text(), label.toolTip(), label.accessibleName()) == (words, words, words)
        assert bool(requests.count) is asked
