"""The window that shows the data before training: what they are, how many, examples, whole tasks and problems."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QListWidget,
    QScrollArea,
    QStackedLayout,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.gui.plots.style import sheet
from workbench.gui.plots.widgets import EmptyNote, named, plain_button, read_label
from workbench.gui.preview.chart import CountsChart, split_color
from workbench.gui.preview.gallery import ExamplesView
from workbench.gui.preview.sentences import floor_sentence
from workbench.gui.preview.tasks_view import TasksView
from workbench.gui.theme import Theme
from workbench.tasks.looking.preview import Example, Preview, WholeTask
from workbench.words import counted

LOOKING = "Looking at the data …"
_SIZE = QSize(880, 700)


class PreviewDialog(QDialog):
    """Shows a preview; closing it gives up what is still being looked at.

    Attributes:
        preview: What is shown; None while there is nothing.
        tabs: The pages.

    Signals:
        others_requested(str): Other "examples" or "tasks" are wanted.
    """

    others_requested = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget, size: QSize | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("preview")
        self.setWindowTitle("Data preview")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(size or _SIZE)
        self.preview: Preview | None = None
        self._theme = theme
        self._is_ink = False
        self._title = read_label("preview.title", "", points=2, is_bold=True)
        self._why = read_label("preview.why", "muted")
        self._facts = read_label("preview.facts", "")
        self._floor = read_label("preview.floor", "", is_bold=True)
        self.chart = CountsChart(theme)
        self.examples = ExamplesView(theme)
        self.tasks = TasksView(theme)
        self.problems = named(QListWidget(), "preview.problems", "Problems")
        self._legend = read_label("preview.legend", "muted")
        self._notes = {name: EmptyNote() for name in ("classes", "examples", "tasks", "problems")}
        self._stacks: dict[str, QStackedLayout] = {}
        self.copy = plain_button("Copy all", "preview.copy", "Put every problem on the clipboard.")
        self.others = {one: plain_button(f"Other {one}", f"preview.other_{one}", f"Draw other random {one}.")
                       for one in ("examples", "tasks")}
        self.tabs = named(QTabWidget(), "preview.tabs", "Pages of the preview")
        self._lay_out()
        self.set_theme(theme)
        self.show_busy(LOOKING)

    def _lay_out(self) -> None:
        scroll = QScrollArea()
        scroll.setObjectName("picturesScroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(self.tasks)
        self.problems.setWordWrap(True)
        self.problems.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.problems.setToolTip("What is wrong with the data, each with what would help.")
        self.problems.setFrameShape(QFrame.Shape.NoFrame)
        self.tabs.setDocumentMode(True)
        for name, title, body, tools in (
                ("classes", "Classes", self.chart, (self._legend,)),
                ("examples", "Examples", self.examples, (self.others["examples"],)),
                ("tasks", "Tasks", scroll, (self.others["tasks"],)),
                ("problems", "Problems", self.problems, (self.copy,))):
            self.tabs.addTab(self._page(name, body, tools), title)
        for name, button in self.others.items():
            button.clicked.connect(lambda _=False, wanted=name: self.others_requested.emit(wanted))
        self.copy.clicked.connect(self._copy)
        close = plain_button("Close", "preview.close", "Close the preview (Escape).")
        close.clicked.connect(self.reject)
        head = QVBoxLayout()
        head.setContentsMargins(20, 16, 20, 8)
        head.setSpacing(5)
        for label in (self._title, self._why, self._facts, self._floor):
            head.addWidget(label)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.addStretch(1)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.tabs, 1)
        column.addLayout(foot)
        self.tabs.setFocus()

    def _page(self, name: str, body: QWidget, tools: Sequence[QWidget]) -> QWidget:
        """A page: a row of tools above what it shows, or a note where there is nothing to show."""
        page = QWidget()
        page.setObjectName("previewPage")
        row = QHBoxLayout()
        row.setContentsMargins(20, 10, 20, 6)
        for tool in tools:
            row.addWidget(tool, int(tool is self._legend))
        row.addStretch(0 if self._legend in tools else 1)
        stack = self._stacks[name] = QStackedLayout()
        for one in (body, self._notes[name]):
            stack.addWidget(one)
        margin = 12 if name in ("classes", "problems") else 0
        stack.setContentsMargins(margin, 0, margin, margin // 2)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addLayout(stack, 1)
        return page

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        self.setStyleSheet(sheet(theme) + f"\nQWidget#previewPage {{ background: {theme.canvas}; }}\n"
                           f"QListWidget {{ background: {theme.canvas}; padding: 4px 8px; }}\n"
                           f"QListWidget::item {{ padding: 7px 6px; border-bottom: 1px solid {theme.line}; }}\n"
                           f"QListWidget::item:selected {{ background: {theme.panel}; color: {theme.text}; }}")
        for view in (self.chart, self.examples, self.tasks):
            view.set_theme(theme)
        self._show_legend()

    # What is shown

    def show_busy(self, text: str) -> None:
        """Say that the data are being looked at; what was shown stays until there is something new."""
        if self.preview is None:
            self._head("Data preview", "", text, "")
            for name in self._notes:
                self._say(name, text)
            self._allow()
        else:
            self._title.setText(f"{self._title.text().partition(' · ')[0]} · {text[:1].lower()}{text[1:]}")

    def show_preview(self, title: str, preview: Preview, *, is_ink: bool) -> None:
        """Show what was found."""
        self.preview, self._is_ink = preview, is_ink
        self._head(title if preview.form.casefold() == title.casefold() else f"{title}: {preview.form}",
                   _reason(preview),
                   preview.facts, floor_sentence(preview.floors))
        self.chart.show_counts(preview.counts)
        has_classes = any(classes for classes, _ in preview.splits.values())
        self.tabs.setTabText(0, "Classes" if has_classes else "Amounts")
        self._say("classes", "" if preview.counts else
                  "Tasks of this dataset are drawn without end, so there is nothing to count.")
        self._show_legend()
        self.show_examples(preview.examples)
        self.show_tasks(preview.tasks)
        self._show_problems(preview.problems)
        self._allow()

    def show_examples(self, examples: Sequence[Example]) -> None:
        """Show other examples."""
        self.examples.show_examples(examples, is_ink=self._is_ink)
        self._say("examples", "" if examples else "There are no examples to show.")

    def show_tasks(self, tasks: Sequence[WholeTask]) -> None:
        """Show other tasks."""
        self.tasks.show_tasks(tasks, is_ink=self._is_ink)
        refusal = self.preview.refusal if self.preview else ""
        self._say("tasks", "" if tasks else f"There are no tasks to show: {refusal or 'the data hold too few'}.")

    def show_failure(self, title: str, reason: str, problems: Sequence[str]) -> None:
        """Say why there is nothing to show."""
        self.preview = None
        self._head(title, "", "The data will not do as they are; the problems say why.", "")
        for name in ("classes", "examples", "tasks"):
            self._say(name, "There is nothing to show until the problems on the last page are mended.")
        self._show_problems(problems or (reason,))
        self._show_legend()
        self._allow()
        self.tabs.setCurrentIndex(self.tabs.count() - 1)

    def _head(self, title: str, why: str, facts: str, floor: str) -> None:
        for label, text in ((self._title, title), (self._why, why), (self._facts, facts), (self._floor, floor)):
            label.setText(text)
            label.setVisible(bool(text))

    def _say(self, name: str, note: str) -> None:
        """Show a page, or a note in its place."""
        if note:
            self._notes[name].say(note)
        self._stacks[name].setCurrentIndex(int(bool(note)))

    def _show_legend(self) -> None:
        """What each colour means, and how much it has."""
        splits = self.preview.splits if self.preview else {}
        words_of = [f'<span style="color:{split_color(self._theme, name)}">■</span> {name}: '
                    + (f"{counted(classes, 'classes')}, " if classes else "") + counted(examples, "examples")
                    for name, (classes, examples) in splits.items()]
        self._legend.setText("&nbsp;&nbsp;&nbsp; ".join(words_of))

    def _show_problems(self, problems: Sequence[str]) -> None:
        self.problems.clear()
        self.problems.addItems(list(problems))  # as they are: many begin with the name of a file
        self._say("problems", "" if problems else "Nothing is wrong with the data.")
        count = f" ({len(problems):,})" if problems else ""
        self.tabs.setTabText(self.tabs.count() - 1, f"Problems{count}")

    def _allow(self) -> None:
        for button in self.others.values():
            button.setVisible(self.preview is not None)
        self.others["tasks"].setVisible(bool(self.preview and self.preview.tasks))
        self.copy.setVisible(self.problems.count() > 0)

    @Slot()
    def _copy(self) -> None:
        lines = [self.problems.item(row).text() for row in range(self.problems.count())]
        QGuiApplication.clipboard().setText("\n".join(lines))


def _reason(preview: Preview) -> str:
    """Why the data were taken for what they were, and what they may be otherwise."""
    why = preview.why
    if not why:
        return ""
    said = f"{why[:1].upper()}{why[1:]}." if why.startswith("you picked") else f"Recognized so because {why}."
    return f"{said} Otherwise, {preview.otherwise}." if preview.otherwise else said
