"""The table of results: a row a run, numbers to the right, sorted by any column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSize, QSortFilterProxyModel, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableView

from workbench.engine.events import Finished, Score
from workbench.experiment.metrics import is_share
from workbench.gui import words
from workbench.gui.plots.shown import ShownRun
from workbench.gui.plots.style import font, swatch
from workbench.gui.plots.widgets import named
from workbench.gui.theme import Theme

SORT_ROLE = Qt.ItemDataRole.UserRole
COLUMNS = {
    "Run": "What the run is called",
    "Test result": "Mean over test tasks and its 95 % interval, normalized as the experiment says",
    "Transductive": "The same where query examples are normalized together",
    "Inductive": "The same where query examples are normalized with the statistics of the support set",
    "Best validation": "Best result on validation tasks, by which the parameters were chosen",
    "Test tasks": "How many tasks the test result is the mean of",
    "Steps": "Outer steps done",
    "Time": "Time of training and test, pauses left out",
}
Cell = tuple[str, float | str]
NONE: Cell = ("–", float("-inf"))


def cells(run: ShownRun) -> list[Cell]:
    """Words and sorting keys of a run's row."""
    history = run.history
    metric = history.started.metric if history.started else "mse"
    test, best = history.test, history.best_validation
    modes = test.modes if test else {}
    seconds = history.ended.seconds if isinstance(history.ended, Finished) else history.seconds
    return [
        (run.title, run.title), _score(test.score if test else None, metric),
        _score(modes.get("transductive"), metric), _score(modes.get("inductive"), metric),
        _score(best.score if best else None, metric),
        (f"{test.tasks:,}", test.tasks) if test else NONE, (f"{history.step:,}", history.step),
        (words.duration(seconds), seconds)]


def _score(score: Score | None, metric: str) -> Cell:
    if score is None:
        return NONE
    if is_share(metric):
        return f"{100 * score.mean:.1f} ± {100 * score.ci95:.1f} %", score.mean
    return f"{score.mean:.3f} ± {score.ci95:.3f}", score.mean


class ResultsModel(QAbstractTableModel):
    """Results of some runs."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: tuple[ShownRun, ...] = ()
        self._cells: list[list[Cell]] = []
        self._icons: list[QIcon] = []

    def show_runs(self, runs: Sequence[ShownRun], theme: Theme) -> None:
        """Show these."""
        self.beginResetModel()
        self._runs = tuple(runs)
        self._cells = [cells(run) for run in runs]
        self._icons = [swatch(theme, run.color_index, 0.8) for run in runs]
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Runs."""
        return 0 if parent.isValid() else len(self._cells)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        """What is said of each."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A cell."""
        text, key = self._cells[index.row()][index.column()]
        is_first = index.column() == 0
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole:
                return text
            case Qt.ItemDataRole.DecorationRole if is_first:
                return self._icons[index.row()]
            case Qt.ItemDataRole.TextAlignmentRole:
                side = Qt.AlignmentFlag.AlignLeft if is_first else Qt.AlignmentFlag.AlignRight
                return side | Qt.AlignmentFlag.AlignVCenter
        return key if role == SORT_ROLE else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The head of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        name = list(COLUMNS)[section]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return name
            case Qt.ItemDataRole.ToolTipRole:
                return COLUMNS[name]
            case Qt.ItemDataRole.TextAlignmentRole:
                side = Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft
                return side | Qt.AlignmentFlag.AlignVCenter
        return None


class ResultsTable(QTableView):
    """Results of some runs; Ctrl+C copies what is selected, or all, with tabs between."""

    def __init__(self) -> None:
        super().__init__()
        named(self, "resultsTable", "Results of the ticked runs")
        self._model = ResultsModel()
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self._model)
        self._sorted.setSortRole(SORT_ROLE)
        self.setModel(self._sorted)
        self.setFont(font())
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setSortingEnabled(True)
        self.setIconSize(QSize(10, 10))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 10)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)

    def show_runs(self, runs: Sequence[ShownRun], theme: Theme) -> None:
        """Show these."""
        self._model.show_runs(runs, theme)
        self._share_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the room anew."""
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        """Give the first column what the others leave, but never less than its words need."""
        header = self.horizontalHeader()
        needed = sum(max(self.sizeHintForColumn(column), header.sectionSizeHint(column))
                     for column in range(len(COLUMNS)))
        mode = QHeaderView.ResizeMode.Stretch if needed <= self.viewport().width() else (
            QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, mode)

    def copy_text(self) -> str:
        """What is selected, or all, with tabs between."""
        rows = sorted({index.row() for index in self.selectionModel().selectedRows()}) or range(self._sorted.rowCount())
        lines = [[*COLUMNS]] + [[str(self._sorted.index(row, column).data()) for column in range(len(COLUMNS))]
                                for row in rows]
        return "\n".join("\t".join(line) for line in lines)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.copy_text())
        else:
            super().keyPressEvent(event)
