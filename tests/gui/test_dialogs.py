"""Questions answered by hand and by keyboard, and the help that is read."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QListWidget, QPushButton, QTextBrowser, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.helpers import OpenWindow
from workbench.experiment.registry import found
from workbench.gui.dialogs import Answer, HelpDialog, Question
from workbench.gui.window import MainWindow

ANSWERS = (Answer("stop", "Stop", "", is_primary=True), Answer("background", "Background", ""),
           Answer("stay", "Stay", ""))


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    return widget


@pytest.mark.parametrize("focused", ["stop", "background", "stay"])
def test_return_gives_the_answer_that_has_the_focus(qtbot: QtBot, parent: QWidget, focused: str) -> None:
    question = Question("question", "Title", "Text", ANSWERS, parent)
    question.open()
    button = question.findChild(QPushButton, f"answer.{focused}")
    assert button is not None
    button.setFocus()
    qtbot.waitUntil(button.hasFocus)
    with qtbot.waitSignal(question.answered) as given:
        qtbot.keyClick(button, Qt.Key.Key_Return)
    assert given.args == [focused]


def test_the_primary_answer_is_given_where_nothing_was_picked_and_escape_gives_the_last(qtbot: QtBot, parent: QWidget
                                                                                       ) -> None:
    for key, wanted in ((Qt.Key.Key_Return, "stop"), (Qt.Key.Key_Escape, "stay")):
        question = Question("question", "Title", "Text", ANSWERS, parent)
        question.open()
        with qtbot.waitSignal(question.answered) as given:
            qtbot.keyClick(question, key)
        assert given.args == [wanted]


def test_help_opens_on_its_first_page(qtbot: QtBot, parent: QWidget) -> None:
    dialog = HelpDialog(parent)
    dialog.show()
    pages = dialog.findChild(QListWidget, "help.pages")
    assert pages is not None
    assert [pages.item(row).text() for row in range(3)] == ["GUIDE", "Help", "First look"]
    assert pages.currentRow() == 1
    dialog.close()


def test_the_form_opens_the_page_of_what_is_picked(window: MainWindow) -> None:
    button = window.panel.form.findChild(QToolButton, "algorithm.help")
    assert button is not None
    for name in ("maml", "protonet"):
        window.panel.form.pick("algorithm", name)
        button.click()
        dialog = window.findChild(HelpDialog)
        assert dialog is not None
        page = dialog.findChild(QTextBrowser, "help.page")
        assert page is not None
        assert page.toPlainText().startswith(found("algorithm")[name].title)
        assert "Goes wrong." in page.toPlainText()
    dialog.close()


def test_the_first_window_fits_the_screen_with_its_frame(open_window: OpenWindow) -> None:
    window = open_window()
    room = window.screen().availableGeometry()
    assert window.width() < room.width() or window.width() == 1440
    assert window.height() <= room.height() - 40
