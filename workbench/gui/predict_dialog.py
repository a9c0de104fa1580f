"""The window that shows what a learner predicts of a new task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QLabel,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.exports.predictions import Predictions
from workbench.gui.combos import ElidedCombo
from workbench.gui.plots.style import sheet
from workbench.gui.plots.widgets import EmptyNote, named, plain_button, read_label
from workbench.gui.predictions_model import PICTURE, PredictionsModel
from workbench.gui.style import set_tone
from workbench.gui.theme import Theme
from workbench.tasks.looking.preview import Example

_SIZE = QSize(820, 620)
_WIDEST_COLUMN, _ROWS_MEASURED = 320, 100


class PredictDialog(QDialog):
    """Shows predictions, each beside what it was made of.

    Attributes:
        predictions: What is shown; None while there is nothing.

    Signals:
        run_picked(str): Predictions of another run are wanted.
        folder_wanted(): Another new task is to be picked.
        saving_wanted(): The predictions are to be saved.
    """

    run_picked = Signal(str)
    folder_wanted = Signal()
    saving_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("predict")
        self.setWindowTitle("Predict a new task")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(_SIZE)
        self.predictions: Predictions | None = None
        self._model = PredictionsModel(theme, self)
        self.runs = named(ElidedCombo(), "predict.run", "Run", "The run whose learner predicts.")
        self.runs.setMinimumWidth(240)
        self._folder = read_label("predict.folder", "muted")
        self._facts = read_label("predict.facts", "")
        self._notices = read_label("predict.notices", "warn")
        self._saved = read_label("predict.saved", "good")
        self.table = named(QTableView(), "predict.table", "Predictions", "What is predicted, one a line.")
        self._note = EmptyNote()
        self.save = plain_button("Save as CSV…", "predict.save", "Keep every prediction as a table.")
        self._lay_out()
        self.set_theme(theme)

    def _lay_out(self) -> None:
        self.table.setModel(self._model)
        self.table.horizontalHeader().setResizeContentsPrecision(_ROWS_MEASURED)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setHighlightSections(False)
        other = plain_button("Another folder…", "predict.other", "Predict another new task.")
        close = plain_button("Close", "predict.close", "Close this window (Escape).")
        for button, clicked in ((other, self.folder_wanted), (self.save, self.saving_wanted), (close, None)):
            button.clicked.connect(clicked or self.reject)
        self.runs.activated.connect(self._pick)
        picked = QHBoxLayout()
        label = QLabel("Run")
        label.setBuddy(self.runs)
        for one, stretch in ((label, 0), (self.runs, 0), (self._folder, 1), (other, 0)):
            picked.addWidget(one, stretch)
        picked.setSpacing(10)
        head = QVBoxLayout()
        head.setContentsMargins(20, 16, 20, 8)
        head.setSpacing(7)
        head.addLayout(picked)
        head.addWidget(self._facts)
        head.addWidget(self._notices)
        self._stack = QStackedLayout()
        self._stack.setContentsMargins(12, 0, 12, 0)
        self._stack.addWidget(self._note)
        self._stack.addWidget(self.table)
        foot = QHBoxLayout()
        foot.setContentsMargins(20, 8, 16, 12)
        foot.setSpacing(8)
        foot.addWidget(self._saved, 1)
        foot.addWidget(self.save)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(self._stack, 1)
        column.addLayout(foot)
        self.runs.setFocus()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.setStyleSheet(sheet(theme))
        self._model.set_theme(theme)

    # What is shown

    def show_busy(self, run_id: str, run_ids: Sequence[str], folder: Path) -> None:
        """Say whose learner adapts, to what, and which others there are."""
        self.runs.clear()
        self.runs.addItems(list(run_ids))
        self.runs.setCurrentText(run_id)
        self._folder.setText(folder.name)
        self._folder.setToolTip(str(folder))
        self._show_note(f"Adapting to {folder.name} …", "")

    def show_failure(self, reason: str) -> None:
        """Say why nothing can be predicted."""
        self._show_note(reason, "This run cannot predict it:")

    def _show_note(self, text: str, facts: str) -> None:
        self.predictions = None
        self._model.show_predictions(None, (), is_ink=False)
        self._say(facts=facts)
        self._note.say(text)
        self._stack.setCurrentWidget(self._note)
        self.save.setEnabled(False)

    def _say(self, facts: str = "", notices: str = "", saved: str = "") -> None:
        for label, text in ((self._facts, facts), (self._notices, notices), (self._saved, saved)):
            label.setText(text)
        self._facts.setVisible(bool(facts))
        self._notices.setVisible(bool(notices))

    def show_predictions(self, predictions: Predictions, pictures: Sequence[Example], *, is_ink: bool,
                         notes: Sequence[str] = (), result: str = "") -> None:
        """Show predictions, with a picture of each query or none at all, and how good the run was in its test."""
        self.predictions = predictions
        self._say(f"{predictions.about} {result}".rstrip(), "\n".join([*notes, *predictions.notices]))
        self._model.show_predictions(predictions, pictures, is_ink=is_ink)
        self._fit()
        self._stack.setCurrentWidget(self.table)
        self.save.setEnabled(True)

    def show_saved(self, path: Path) -> None:
        """Say where the predictions are."""
        set_tone(self._saved, "good")
        self._saved.setText(f"Saved as {path}")

    def show_unsaved(self, reason: str) -> None:
        """Say why the predictions could not be saved."""
        set_tone(self._saved, "bad")
        self._saved.setText(reason)

    def _fit(self) -> None:
        """Give rows room for a picture and columns for their words."""
        side = PICTURE if self._model.has_pictures else 0
        self.table.setIconSize(QSize(side, side))
        self.table.verticalHeader().setDefaultSectionSize(max(side + 8, self.table.fontMetrics().height() + 12))
        self.table.resizeColumnsToContents()
        for column in range(self._model.columnCount()):
            self.table.setColumnWidth(column, min(self.table.columnWidth(column) + 12, _WIDEST_COLUMN))

    @Slot()
    def _pick(self) -> None:
        self.run_picked.emit(self.runs.currentText())
