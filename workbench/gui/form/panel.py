"""The left side of the window: the form, and below it the command line that does the same and the buttons."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.gui import icons
from workbench.gui.form.form import ExperimentForm
from workbench.gui.sketch import FORM_WIDTH
from workbench.gui.style import caption_font, set_property, set_tone
from workbench.gui.theme import Theme


class FormPanel(QWidget):
    """The form and what can be done with it.

    Attributes:
        form: The fields.

    Signals:
        start_requested(), pause_requested(), stop_requested(), discard_requested(): A button was pressed.
        copied(str): Text was put on the clipboard.
    """

    start_requested = Signal()
    pause_requested = Signal()
    stop_requested = Signal()
    discard_requested = Signal()
    copied = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("formPanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.form = ExperimentForm(theme)
        self._reason = QPushButton()
        self._command = QLineEdit()
        self._copy = QToolButton()
        self.start = _button("Start", "start", "Train what the form says (Ctrl+Return).", is_primary=True)
        self.pause = _button("Pause", "pause", "Let the training wait, or go on (Ctrl+P).")
        self.stop = _button("Stop and keep", "stop", "Stop after the tasks at hand; a checkpoint is kept, and the run "
                            "can be resumed (Ctrl+.).", is_primary=True)
        self.discard = _button("Discard…", "discard", "Stop and delete the run.")
        self._memory = QLabel()
        self._note = QLabel("Training. The form is free for the next run.")
        self._bars = QStackedWidget()
        self._lay_out()
        self._connect()
        self.set_theme(theme)
        self.setMinimumWidth(max(FORM_WIDTH, self.fontMetrics().averageCharWidth() * 36))
        self._show_check()

    def _lay_out(self) -> None:
        self._reason.setObjectName("reason")
        self._reason.setFlat(True)
        set_property(self._reason, "reason", "true")
        self._reason.setFont(caption_font())
        self._command.setObjectName("command")
        self._command.setReadOnly(True)
        self._command.setAccessibleName("Command line that does the same")
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(self.font().pointSizeF() * 0.88)
        self._command.setFont(font)
        self._copy.setObjectName("copy_command")
        self._copy.setAccessibleName("Copy command line")
        self._copy.setToolTip("Copy the command line (Ctrl+Shift+C).")
        self._copy.setIconSize(QSize(15, 15))
        self._memory.setObjectName("memory")
        self._memory.setFont(caption_font())
        self._memory.setWordWrap(True)
        self._memory.setToolTip("Measured by carrying one meta-gradient out on tensors without numbers: data, learner "
                                "and optimizer, and the tasks that are run at once.")
        self._note.setFont(caption_font())
        set_tone(self._note, "muted")
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self._command, 1)
        line.addWidget(self._copy)
        self._bars.addWidget(_bar([self.start]))
        self._bars.addWidget(_bar([self.pause, self.stop, self.discard]))
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 14)
        foot.setSpacing(8)
        for part in (self._memory, self._note, self._reason):
            foot.addWidget(part)
        foot.addLayout(line)
        foot.addWidget(self._bars)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.form, 1)
        column.addLayout(foot)
        self._note.hide()
        self._memory.hide()

    def _connect(self) -> None:
        self.form.checked.connect(self._show_check)
        self._copy.clicked.connect(self.copy_command)
        self._reason.clicked.connect(self.form.focus_problem)
        self.start.clicked.connect(self.start_requested)
        self.pause.clicked.connect(self.pause_requested)
        self.stop.clicked.connect(self.stop_requested)
        self.discard.clicked.connect(self.discard_requested)

    def set_theme(self, theme: Theme) -> None:
        """Draw icons for another theme."""
        self.form.set_theme(theme)
        self._copy.setIcon(icons.icon("copy", theme.muted, theme.line))
        self.start.setIcon(icons.icon("play", theme.on_accent, theme.muted))
        self.start.setIconSize(QSize(12, 12))

    @Slot()
    def _show_check(self) -> None:
        problems = self.form.problems
        in_data = [self.form.data_problem] if self.form.data_problem else []
        draft = self.form.draft
        labels = draft.labels()
        reasons = [f"{labels.get(one.field, one.field)}: {draft.in_words(one.message)}" for one in problems] or in_data
        heading = "The data needs" if not problems else "One field needs" if len(problems) == 1 else \
            f"{len(problems)} fields need"
        self._reason.setVisible(bool(reasons))
        self._reason.setText(f"✕ {heading} attention")
        self._reason.setToolTip("\n".join(reasons))
        self._reason.setAccessibleName(f"{self._reason.text()}: {self._reason.toolTip()}")
        self.start.setEnabled(not reasons)
        self.start.setToolTip(f"Mend this first:\n{self._reason.toolTip()}" if reasons
                              else "Train what the form says (Ctrl+Return).")
        command = "" if problems else self.form.draft.command()
        self._command.setText(command)
        self._command.setPlaceholderText("No command line yet")
        self._command.setCursorPosition(0)
        self._command.setToolTip(f"The command line that does the same:\n{command}" if command else "")
        self._copy.setEnabled(bool(command))

    @property
    def command(self) -> str:
        """The command line that does the same; empty while something is wrong."""
        return self._command.text()

    @Slot()
    def copy_command(self) -> None:
        """Put the command line on the clipboard."""
        if self.command:
            QGuiApplication.clipboard().setText(self.command)
            self.copied.emit(self.command)

    def show_memory(self, text: str, *, is_short: bool = False) -> None:
        """Say how much memory the run would take; nothing where nobody knows."""
        self._memory.setText(f"⚠ {text}" if is_short else text)
        set_tone(self._memory, "warn" if is_short else "muted")
        self._memory.setVisible(bool(text))

    def show_training(self, *, is_training: bool, is_paused: bool = False, is_stopping: bool = False,
                      is_testing: bool = False) -> None:
        """Offer what can be done now; the keyboard's place goes along."""
        had_focus = self.start.hasFocus() or any(one.hasFocus() for one in (self.pause, self.stop, self.discard))
        self._bars.setCurrentIndex(1 if is_training else 0)
        self._note.setVisible(is_training)
        what = "Testing" if is_testing else "Training"
        self._note.setText("Stopping …" if is_stopping else f"{what}{' waits' if is_paused else ''}. The form is free "
                           "for the next run.")
        self.pause.setText("Resume" if is_paused else "Pause")
        self.pause.setAccessibleName(self.pause.text())
        self.stop.setText("Stopping …" if is_stopping else "Stop and keep")
        for button in (self.pause, self.stop, self.discard):
            button.setEnabled(not is_stopping)
        if had_focus and not is_stopping:
            (self.pause if is_training else self.start).setFocus(Qt.FocusReason.OtherFocusReason)


def _button(text: str, name: str, tip: str, *, is_primary: bool = False) -> QPushButton:
    made = QPushButton(text)
    made.setObjectName(name)
    made.setAccessibleName(text.removesuffix("…"))
    made.setToolTip(tip)
    made.setProperty("primary" if is_primary else "tall", "true")
    made.setAutoDefault(False)
    return made


def _bar(buttons: list[QPushButton]) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    for button in buttons:
        row.addWidget(button, 2 if button.property("primary") else 1)
    return holder
