"""The run table as it is seen and used."""

from __future__ import annotations

from PySide6.QtCore import (
    QByteArray,
    QItemSelection,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QKeyEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStackedLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from workbench.gui.panes import EmptyState
from workbench.gui.run_rows import ALGORITHM, BACKBONE, COLUMNS, DATA, NAME, RESULT, STATE, STEPS, TICK, TIME
from workbench.gui.run_table import RUN_ROLE, SORT_ROLE, RunTableModel
from workbench.gui.samples import samples

_TYPICAL = {STATE: "Interrupted", DATA: "Omniglot 20w1s", BACKBONE: "Conv4 64", ALGORITHM: "First-order MAML",
            RESULT: "validation 95.1 %", STEPS: "41,200 / 70,000", TIME: "1:02:33"}
"""What a column should be wide enough for; the name takes what is left."""
_GROWING = (RESULT, DATA, BACKBONE, ALGORITHM)
"""Those that are given more where their words need it, the most important first."""
_ICON_WIDTH, _PADDING, _TICK_WIDTH, _LEAST_NAME, _ARROW = 22, 16, 36, 150, 20


class _StateInk(QStyledItemDelegate):
    """Keeps the ink of a state where the row is selected."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """Selected or not, the same ink."""
        super().initStyleOption(option, index)
        ink = index.data(Qt.ItemDataRole.ForegroundRole)
        role = QPalette.ColorRole
        option.palette.setColor(role.HighlightedText, ink if ink is not None else option.palette.color(role.Text))


class _Table(QTableView):
    """A table whose space bar ticks the row wherever the cursor is in it."""

    toggled = Signal()
    opened = Signal()
    resized = Signal()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Say so, when the width of the rows is known; the pane's own comes before that."""
        super().resizeEvent(event)
        self.resized.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tick with the space bar; leave the tabulator to the window, so that the keyboard gets out again."""
        if event.key() == Qt.Key.Key_Space:
            self.toggled.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.opened.emit()
        else:
            super().keyPressEvent(event)


class RunPane(QWidget):
    """The table of runs, or what to do where there are none.

    Attributes:
        model: The rows.

    Signals:
        focus_changed(str): Another run is looked at; empty for none.
        menu_requested(QPoint): The context menu is wanted at this place of the screen.
        start_requested(): The empty state's button was pressed.
        sample_requested(str): A sample of the empty state is to be opened; its file name.
    """

    focus_changed = Signal(str)
    menu_requested = Signal(QPoint)
    start_requested = Signal()
    sample_requested = Signal(str)

    def __init__(self, model: RunTableModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSortRole(SORT_ROLE)
        self._sorted.setSourceModel(model)
        self.table = _Table()
        self._is_fitting = False
        self._chosen: set[int] = set()
        self._set_up_table()
        empty = EmptyState("No runs yet", "Pick a preset and press Start, or drop a folder or a file of your own on "
                           "the window. Every run will be listed here with its state and its result.", "Start",
                           links=("Or try a sample:", {one.path.name: one.title for one in samples()
                                                       if not one.is_new_task}))
        empty.action_requested.connect(self.start_requested)
        empty.link_followed.connect(self.sample_requested)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(self.table)
        self.setFocusProxy(self.table)
        for changed in (model.modelReset, model.rowsInserted, model.rowsRemoved):
            changed.connect(self._show_what_there_is)
            changed.connect(self._fit_name)
        self._show_what_there_is()

    def _set_up_table(self) -> None:
        table = self.table
        table.setObjectName("runs")
        table.setAccessibleName("Runs")
        table.setModel(self._sorted)
        table.setSortingEnabled(True)
        table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)  # by none: the newest first, as the model has them
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setTabKeyNavigation(False)
        table.setIconSize(QSize(14, 14))
        table.setItemDelegate(_StateInk(table))
        table.verticalHeader().hide()
        row = max(29, table.fontMetrics().height() + 11)
        table.verticalHeader().setMinimumSectionSize(row)
        table.verticalHeader().setDefaultSectionSize(row)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(32)
        header.setSectionsMovable(True)
        header.setSortIndicatorClearable(True)
        self.reset_columns()
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(self._ask_for_menu)
        table.toggled.connect(self.toggle_focused)
        table.opened.connect(self._ask_for_menu_at_row)
        table.resized.connect(self._fit_name)
        header.sectionResized.connect(self._fit_others)
        table.selectionModel().selectionChanged.connect(self._select)

    def reset_columns(self) -> None:
        """Give the columns their usual widths."""
        header, metrics = self.table.horizontalHeader(), self.table.fontMetrics()
        header.setSectionResizeMode(TICK, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(TICK, _TICK_WIDTH)
        self._chosen.clear()
        self._is_fitting = True
        for column, text in _TYPICAL.items():
            wider = max(metrics.horizontalAdvance(text), metrics.horizontalAdvance(COLUMNS[column]) + _ARROW)
            header.resizeSection(column, wider + _PADDING + (_ICON_WIDTH if column == STATE else 0))
        self._is_fitting = False
        self._fit_name()

    @Slot()
    def _fit_name(self) -> None:
        """Give the name what the other columns leave, after those whose words are cut have taken what it can spare."""
        header = self.table.horizontalHeader()
        self._fill(NAME, _LEAST_NAME)
        spare = header.sectionSize(NAME) - max(_LEAST_NAME, self.table.sizeHintForColumn(NAME))
        for column in _GROWING:
            missing = self.table.sizeHintForColumn(column) - header.sectionSize(column)
            if 0 < missing <= spare and column not in self._chosen:
                spare -= missing
                self._is_fitting = True
                header.resizeSection(column, header.sectionSize(column) + missing)
        self._fill(NAME, _LEAST_NAME)

    @Slot(int, int, int)
    def _fit_others(self, column: int, _: int, __: int) -> None:
        """Where a person gives a column another width, the name makes up for it; for the name, the last column."""
        if self._is_fitting:
            return
        self._chosen.add(column)
        if column != NAME:
            self._fit_name()
            return
        header = self.table.horizontalHeader()
        last = header.logicalIndex(header.count() - 1)
        self._fill(last, self.table.fontMetrics().horizontalAdvance(_TYPICAL.get(last, "")) + _PADDING)

    def _fill(self, column: int, least: int) -> None:
        """Give a column what the others leave, so that rows end at the edge."""
        header = self.table.horizontalHeader()
        others = sum(header.sectionSize(one) for one in range(len(COLUMNS)) if one != column)
        self._is_fitting = True
        header.resizeSection(column, max(least, self.table.viewport().width() - others))
        self._is_fitting = False

    @property
    def focused(self) -> str:
        """The run that is looked at; empty for none."""
        rows = self.table.selectionModel().selectedRows()
        return str(rows[0].data(RUN_ROLE)) if rows else ""

    def focus(self, run_id: str) -> None:
        """Look at a run."""
        number = self.model.row_of(run_id)
        if number is not None:
            index = self._sorted.mapFromSource(self.model.index(number, NAME))
            self.table.setCurrentIndex(index)
            self.table.scrollTo(index)

    @Slot()
    def toggle_focused(self) -> None:
        """Draw the run that is looked at, or draw it no longer."""
        row = self.model.row(self.focused)
        if row is not None:
            self.model.tick(row.run.id, is_on=row.color_index is None)

    @Slot(QItemSelection, QItemSelection)
    def _select(self, _: QItemSelection, __: QItemSelection) -> None:
        self.focus_changed.emit(self.focused)

    @Slot(QPoint)
    def _ask_for_menu(self, place: QPoint) -> None:
        if self.table.indexAt(place).isValid():
            self.menu_requested.emit(self.table.viewport().mapToGlobal(place))

    @Slot()
    def _ask_for_menu_at_row(self) -> None:
        index: QModelIndex = self.table.currentIndex()
        if index.isValid():
            place: QRect = self.table.visualRect(index.siblingAtColumn(NAME))
            self.menu_requested.emit(self.table.viewport().mapToGlobal(place.bottomLeft()))

    @Slot()
    def _show_what_there_is(self) -> None:
        self._stack.setCurrentIndex(1 if self.model.rowCount() else 0)

    def columns_state(self) -> str:
        """Widths, order and sorting, in Qt's own words."""
        return bytes(self.table.horizontalHeader().saveState().toBase64().data()).decode()

    def restore_columns(self, state: str) -> None:
        """Widths, order and sorting as they were; what Qt does not accept is passed over."""
        header = self.table.horizontalHeader()
        if state and header.restoreState(QByteArray.fromBase64(state.encode())) and header.count() == len(COLUMNS):
            self.table.sortByColumn(header.sortIndicatorSection(), header.sortIndicatorOrder())
        self._fit_name()
