"""Questions, reports and pages; none of them blocks the window's own work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from workbench import __version__, places
from workbench.exports.help import help_page, help_pages
from workbench.gui.icons import app_icon
from workbench.gui.style import caption_font, set_tone

# Pixels between a notice and what is beside it, and the least width that it is read in.
_EDGE, _BORDER, _LEAST_WIDTH = 12, 1, 360


@dataclass(frozen=True)
class Answer:
    """One way to answer a question."""

    id: str
    text: str
    tip: str = ""
    is_primary: bool = False


class Question(QDialog):
    """Asks, with a button for each answer; the escape key gives the last one.

    Signals:
        answered(str): The id of the answer.
    """

    answered = Signal(str)

    def __init__(self, name: str, title: str, text: str, answers: Sequence[Answer], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(QGuiApplication.applicationDisplayName())
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._answer = answers[-1].id
        heading = QLabel(title)
        font = heading.font()
        font.setBold(True)
        heading.setFont(font)
        body = QLabel(text)
        body.setWordWrap(True)
        body.setMinimumWidth(420)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        self._buttons = [_answer_button(one) for one in answers]
        for button in reversed(self._buttons):
            button.clicked.connect(self._give)
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        column.addWidget(heading)
        column.addWidget(body)
        column.addSpacing(8)
        column.addLayout(row)
        self.finished.connect(self._tell)
        self._buttons[0].setFocus()

    @Slot()
    def _give(self) -> None:
        button = self.sender()
        assert isinstance(button, QPushButton)  # noqa: S101 - only the buttons are connected
        self._answer = button.objectName().removeprefix("answer.")
        self.accept()

    @Slot()
    def _tell(self) -> None:
        self.answered.emit(self._answer)


def _answer_button(answer: Answer) -> QPushButton:
    button = QPushButton(answer.text)
    button.setObjectName(f"answer.{answer.id}")
    button.setAccessibleName(answer.text)
    button.setToolTip(answer.tip)
    button.setProperty("primary" if answer.is_primary else "tall", "true")
    button.setAutoDefault(True)  # so that Return gives the answer that has the focus, and no other
    button.setDefault(answer.is_primary)
    return button


class ReportDialog(QDialog):
    """A text that can be read and copied whole."""

    def __init__(self, title: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("report")
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(640, 420)
        self._text = QPlainTextEdit(text)
        self._text.setReadOnly(True)
        self._text.setAccessibleName(title)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse
                                           | Qt.TextInteractionFlag.TextSelectableByKeyboard)
        copy, close = QPushButton("Copy all"), QPushButton("Close")
        copy.setObjectName("report.copy")
        copy.setToolTip("Put the whole text on the clipboard.")
        close.setObjectName("report.close")
        copy.clicked.connect(self._copy)
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(copy)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(10)
        column.addWidget(self._text, 1)
        column.addLayout(row)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._text.toPlainText())


class HelpDialog(QDialog):
    """The help pages, and one for every dataset, backbone and algorithm.

    Args:
        parent: Where it belongs.
        page: Name of the page to open first.
    """

    def __init__(self, parent: QWidget, page: str = "index") -> None:
        super().__init__(parent)
        self.setObjectName("helpPages")
        self.setWindowTitle("Help")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(960, 680)
        self._list = QListWidget()
        self._list.setObjectName("help.pages")
        self._list.setAccessibleName("Help pages")
        self._list.setToolTip("Pick a page.")
        self._items = self._filled()
        self._browser = QTextBrowser()
        self._browser.setObjectName("help.page")
        self._browser.setAccessibleName("Help page")
        self._browser.setOpenLinks(False)
        self._browser.document().setDocumentMargin(20)
        self._browser.document().setBaseUrl(QUrl.fromLocalFile(f"{places.resources() / 'help'}/"))
        self._browser.anchorClicked.connect(self._follow)
        split = QSplitter()
        split.addWidget(self._list)
        split.addWidget(self._browser)
        split.setStretchFactor(1, 1)
        split.setSizes([220, 740])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(split)
        self._list.currentItemChanged.connect(self._show)
        self.open_page(page)

    def _filled(self) -> dict[str, QListWidgetItem]:
        """An item for every page by its name, under headings that cannot be picked."""
        items: dict[str, QListWidgetItem] = {}
        section = ""
        for page in help_pages():
            if page.section != section:
                section = page.section
                heading = QListWidgetItem(section.upper(), self._list)
                heading.setFlags(Qt.ItemFlag.NoItemFlags)
                heading.setFont(caption_font())
            items[page.name] = QListWidgetItem(page.title, self._list)
            items[page.name].setData(Qt.ItemDataRole.UserRole, page.name)
        return items

    def open_page(self, name: str) -> None:
        """Show a page by its name; one that is not there leaves what is shown."""
        if name in self._items:
            self._list.setCurrentItem(self._items[name])

    @Slot()
    def _show(self) -> None:
        item = self._list.currentItem()
        if item is not None:
            self._browser.setMarkdown(help_page(item.data(Qt.ItemDataRole.UserRole)))

    @Slot(QUrl)
    def _follow(self, url: QUrl) -> None:
        """Other pages open here, everything else where the system opens it."""
        if url.scheme() in ("http", "https"):
            QDesktopServices.openUrl(url)
        else:
            self.open_page(Path(url.path()).stem)


class AboutDialog(QDialog):
    """Version, licence and what the program stands on."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("aboutProgram")
        self.setWindowTitle("About")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        picture = QLabel()
        picture.setPixmap(app_icon().pixmap(72, 72))
        text = QLabel(f"<h3>Meta-Learning Workbench {__version__}</h3><p>Pick, train, watch, and take home an "
                      "initialization that works elsewhere.</p><p>MIT licence. It stands on PyTorch, Qt for Python, "
                      "pyqtgraph, NumPy and pydantic.</p>")
        text.setWordWrap(True)
        text.setMinimumWidth(360)
        close = QPushButton("Close")
        close.setObjectName("about.close")
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(text, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 14)
        column.addLayout(row)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)


class Notice(QFrame):
    """A line over the pane that it lies on, which says that something went wrong, or well, until it is put away.

    It lies at the upper right, over what is there: nothing moves when it comes and goes.

    Args:
        pane: What it lies on.
        beside: What it leaves free at the upper left.
    """

    def __init__(self, pane: QWidget, beside: QWidget) -> None:
        super().__init__(pane)
        self.setObjectName("notice")
        self._pane, self._beside = pane, beside
        self._text = QLabel()
        self._text.setObjectName("notice.text")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QPushButton("Put away")
        close.setObjectName("notice.close")
        close.setToolTip("Put this message away; it stays in the log.")
        close.clicked.connect(self.hide)
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(12, 3, 4, 3)
        row.setSpacing(12)
        row.addWidget(self._text, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        pane.installEventFilter(self)
        self.hide()

    def say(self, text: str, tone: str) -> None:
        """Show a message."""
        self._text.setText(f"{'✕' if tone == 'bad' else '⚠' if tone == 'warn' else '✓'}  {text}")
        set_tone(self._text, tone)
        self._place()
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner."""
        if event.type() == QEvent.Type.Resize and watched is self._pane:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        """As wide as its words and as high as its lines, beside the tabs, or below them where there is little room."""
        room, top = self._pane.width() - self._beside.sizeHint().width() - 2 * _EDGE, 2
        if room < _LEAST_WIDTH:
            room, top = self._pane.width() - 2 * _EDGE, self._beside.sizeHint().height() + 2
        words = self._text.fontMetrics().horizontalAdvance(self._text.text()) + 8
        others = self._row.minimumSize().width() - self._text.minimumSizeHint().width()
        width = min(words + others, room)
        self._row.invalidate()
        height = self._row.heightForWidth(width - 2 * _BORDER) + 2 * _BORDER
        self.setGeometry(self._pane.width() - width - _EDGE, top, width, height)
