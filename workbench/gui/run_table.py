"""The runs as rows: what each column says, how it sorts, and which runs are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QFont, QIcon

from workbench.gui import icons
from workbench.gui.plots.style import swatch
from workbench.gui.run_rows import (
    COLUMNS,
    NAME,
    RESULT,
    STATE,
    STATES,
    STEPS,
    TICK,
    TIME,
    TIPS,
    Row,
    follow,
    sort_key,
    text,
    tip,
    titles,
)
from workbench.gui.theme import Theme
from workbench.runs.history import History
from workbench.runs.store import Run
from workbench.runs.summary import Summary

Index = QModelIndex | QPersistentModelIndex
SORT_ROLE = Qt.ItemDataRole.UserRole
RUN_ROLE = Qt.ItemDataRole.UserRole + 1


class RunTableModel(QAbstractTableModel):
    """Runs, newest first.

    Attributes:
        colors: The colour that each run had the last time that it was drawn; it gets it again while it is free.

    Signals:
        ticks_changed(): Other runs are to be drawn.
    """

    ticks_changed = Signal()

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: list[Row] = []
        self._guest = ""
        self.colors: dict[str, int] = {}
        self._titles: dict[str, tuple[str, str, str]] = {}
        self._icons: dict[str, QIcon] = {}
        item = Qt.ItemDataRole
        self._answers: dict[int, Callable[[Row, int], Any]] = {
            item.DisplayRole: text, item.CheckStateRole: _check_state, item.DecorationRole: self._decoration,
            item.ForegroundRole: self._ink, item.TextAlignmentRole: _alignment, item.ToolTipRole: tip,
            item.AccessibleTextRole: _spoken, item.FontRole: _font, SORT_ROLE: sort_key, RUN_ROLE: _run_id,
        }

    # What the table holds

    def set_runs(self, runs: Sequence[Run], ticked: dict[str, int], colors: dict[str, int] | None = None) -> None:
        """Show these runs, oldest first, with colours for those that are ticked, and those that others had before."""
        self.beginResetModel()
        self.colors = {**(colors or {}), **ticked}
        self._rows = [row for run in reversed(runs) if (row := self._read(run, ticked.get(run.id))) is not None]
        self.endResetModel()
        self.ticks_changed.emit()

    def _read(self, run: Run, color: int | None, summary: Summary | None = None) -> Row | None:
        """A row of a run's files; None where they cannot be read any more."""
        try:
            if run.id not in self._titles:
                self._titles[run.id] = titles(run.experiment())
            known = summary or run.summary()
            return Row(run, known, self._titles[run.id], color, 0 < known.iterations <= known.steps)
        except ValueError as error:
            summary = Summary(status="failed", message=f"its files cannot be read: {error}")
            return Row(run, summary, ("—", "—", "—"), color)
        except OSError:
            return None

    def add(self, run: Run, summary: Summary | None = None) -> None:
        """Put a run on top.

        Args:
            run: The run.
            summary: Its state; None to read it, which tries the run's lock for a moment and so must not be done while
                another thread is about to take it.
        """
        row = self._read(run, None, summary)
        if row is not None:
            self.beginInsertRows(QModelIndex(), 0, 0)
            self._rows.insert(0, row)
            self.endInsertRows()

    def remove(self, run_id: str) -> None:
        """Take a run out."""
        number = self.row_of(run_id)
        if number is None:
            return
        was_ticked = self._rows[number].color_index is not None
        self.colors.pop(run_id, None)
        self.beginRemoveRows(QModelIndex(), number, number)
        del self._rows[number]
        self.endRemoveRows()
        if was_ticked:
            self.ticks_changed.emit()

    def refresh(self, run_id: str, history: History | None = None, seconds: float = 0.0, *, is_testing: bool = False
                ) -> None:
        """Read a run's state again, or take it from what a run that is trained here has said."""
        number = self.row_of(run_id)
        if number is None:
            return
        row, first = self._rows[number], NAME
        if history is None:
            row.summary = row.run.summary()
            row.is_testing = 0 < row.summary.iterations <= row.summary.steps
        else:
            state = row.state
            follow(row, history, seconds, is_testing=is_testing)
            if row.state == state:
                first = RESULT  # most of the time only numbers have changed
        self.dataChanged.emit(self.index(number, first), self.index(number, len(COLUMNS) - 1))

    def row_of(self, run_id: str) -> int | None:
        """Number of a run's row."""
        return next((i for i, row in enumerate(self._rows) if row.run.id == run_id), None)

    def row(self, run_id: str) -> Row | None:
        """A run's row."""
        number = self.row_of(run_id)
        return None if number is None else self._rows[number]

    def rows(self) -> list[Row]:
        """Every row, newest first."""
        return list(self._rows)

    def drawn(self) -> list[tuple[Row, int]]:
        """Rows that are to be drawn with their colours: those that are ticked, and the guest."""
        colored = [(row, color) for row in self._rows if (color := self.color(row)) is not None]
        return sorted(colored, key=lambda pair: pair[1])

    def color(self, row: Row) -> int | None:
        """Colour that a row is drawn in; None where it is not."""
        if row.color_index is None and row.run.id == self._guest:
            return self._color_for(row.run.id)
        return row.color_index

    def _color_for(self, run_id: str) -> int:
        """The colour that a run had if it is free, else one that no run has had, else the lowest that is free."""
        taken = {row.color_index for row in self._rows}
        known = self.colors.get(run_id)
        if known is not None and known not in taken:
            return known
        unknown = set(range(len(self._theme.series))) - taken - set(self.colors.values())
        return min(unknown) if unknown else next(i for i in range(len(self._rows) + 1) if i not in taken)

    def set_guest(self, run_id: str) -> None:
        """Draw a run although it is not ticked."""
        before, self._guest = self._guest, run_id
        for one in (before, run_id):
            number = self.row_of(one)
            if number is not None:
                if one == run_id and (color := self.color(self._rows[number])) is not None:
                    self.colors[run_id] = color
                self.dataChanged.emit(self.index(number, NAME), self.index(number, NAME))

    def tick(self, run_id: str, *, is_on: bool = True) -> None:
        """Draw a run, or draw it no longer; the lowest free colour becomes its own."""
        number = self.row_of(run_id)
        if number is None or (self._rows[number].color_index is not None) == is_on:
            return
        color = self._color_for(run_id) if is_on else None
        self._rows[number].color_index = color
        if color is not None:
            self.colors[run_id] = color
        self.dataChanged.emit(self.index(number, TICK), self.index(number, NAME))
        self.ticks_changed.emit()

    def set_theme(self, theme: Theme) -> None:
        """Draw states and colours for another theme."""
        self._theme = theme
        self._icons.clear()
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(COLUMNS) - 1))

    # What Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        """Runs."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        """Columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """The first column can be ticked."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == TICK else flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Titles of the columns."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section >= RESULT else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        texts = {Qt.ItemDataRole.DisplayRole: COLUMNS[section], Qt.ItemDataRole.ToolTipRole: TIPS[section],
                 Qt.ItemDataRole.AccessibleTextRole: COLUMNS[section] or "Drawn"}
        return texts.get(Qt.ItemDataRole(role))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What a cell shows."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row, column = self._rows[index.row()], index.column()
        answer = self._answers.get(role)
        return answer(row, column) if answer is not None else None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Tick a run."""
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != TICK:
            return False
        self.tick(self._rows[index.row()].run.id, is_on=Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def _decoration(self, row: Row, column: int) -> QIcon | None:
        if column == STATE:
            name, _, ink = STATES[row.state]
            return self._icon(name, getattr(self._theme, ink))
        if column == NAME:
            return self._swatch(self.color(row))
        return None

    def _icon(self, name: str, color: str) -> QIcon:
        key = f"{name} {color}"
        if key not in self._icons:
            self._icons[key] = icons.icon(name, color)
        return self._icons[key]

    def _swatch(self, color: int | None) -> QIcon:
        key = f"run {color}"
        if key not in self._icons:
            self._icons[key] = swatch(self._theme, color, 0.625)
        return self._icons[key]

    def _ink(self, row: Row, column: int) -> QColor | None:
        if column == STATE:
            return QColor(getattr(self._theme, STATES[row.state][2]))
        is_provisional = column == RESULT and row.summary.mean is None
        return QColor(self._theme.muted) if is_provisional else None


def _check_state(row: Row, column: int) -> Qt.CheckState | None:
    if column != TICK:
        return None
    return Qt.CheckState.Unchecked if row.color_index is None else Qt.CheckState.Checked


def _alignment(_: Row, column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column >= RESULT else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _spoken(row: Row, column: int) -> str:
    return f"Draw {row.run.id}" if column == TICK else text(row, column)


def _run_id(row: Row, _: int) -> str:
    return row.run.id


def _font(_: Row, column: int) -> QFont | None:
    """Digits of one width in columns of numbers."""
    if column not in (RESULT, STEPS, TIME):
        return None
    font = QFont()
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
