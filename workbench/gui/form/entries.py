"""One entry widget for each shape of field, all with the same face towards the form."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent, QStandardItem, QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from workbench.experiment.fields import Parameter
from workbench.gui import words
from workbench.gui.combos import ElidedCombo
from workbench.gui.style import set_property, set_tone

_MUTED_ROLE = Qt.ItemDataRole.UserRole + 1


class Combo(ElidedCombo):
    """A combo box that the wheel only moves when it was clicked, and whose items can be greyed out with a reason."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumContentsLength(6)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the form unless the person is in this field."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def showPopup(self) -> None:
        """Make the list as wide as its longest item."""
        widest = max((self.fontMetrics().horizontalAdvance(self.itemText(i)) for i in range(self.count())), default=0)
        self.view().setMinimumWidth(max(self.width(), widest + 48))
        super().showPopup()

    def fill(self, items: list[tuple[Any, str, str]]) -> None:
        """Replace the items by (value, text, tooltip)."""
        blocked = self.blockSignals(True)
        model = QStandardItemModel(self)
        for value, text, tip in items:
            item = QStandardItem(text)
            item.setData(value, Qt.ItemDataRole.UserRole)
            item.setToolTip(tip)
            model.appendRow(item)
        self.setModel(model)
        self.blockSignals(blocked)

    def grey_out(self, reasons: dict[str, str]) -> None:
        """Disable the items of these values; the reason is their tooltip."""
        model = self.model()
        assert isinstance(model, QStandardItemModel)  # noqa: S101 - `fill` has set it
        for row in range(model.rowCount()):
            item = model.item(row)
            reason = reasons.get(str(item.data(Qt.ItemDataRole.UserRole)), "")
            usual = item.data(_MUTED_ROLE)
            if usual is None:
                usual = item.toolTip()
                item.setData(usual, _MUTED_ROLE)
            item.setEnabled(not reason)
            item.setToolTip(f"{reason}." if reason else usual)

    def value(self) -> Any:
        """Value of the current item."""
        return self.currentData(Qt.ItemDataRole.UserRole)

    def show_value(self, value: Any) -> None:
        """Make the item of this value the current one, without a signal."""
        blocked = self.blockSignals(True)
        self.setCurrentIndex(next((i for i in range(self.count())
                                   if self.itemData(i, Qt.ItemDataRole.UserRole) == value), -1))
        self.blockSignals(blocked)


class Entry(QWidget):
    """Where a field is typed.

    Attributes:
        parameter: The field's declaration.
        dotted: Its name in the experiment, such as "training.outer_lr".
        problem: What is wrong with the text as it stands; empty where it can be read.

    Signals:
        edited(Entry): The person changed this one.
    """

    edited = Signal(object)

    def __init__(self, parameter: Parameter, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.parameter = parameter
        self.dotted = dotted
        self.problem = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(6)

    def _adopt(self, editor: QWidget) -> None:
        """Name the widget that takes the typing."""
        name = self.parameter.label + (f" ({self.parameter.unit})" if self.parameter.unit else "")
        editor.setObjectName(self.dotted)
        editor.setAccessibleName(name)
        editor.setAccessibleDescription(self.parameter.help)
        editor.setToolTip(tooltip(self.parameter))
        self._row.addWidget(editor, 1)
        self.setFocusProxy(editor)

    @abstractmethod
    def value(self) -> Any:
        """What is said; check `problem` first."""

    @abstractmethod
    def show_value(self, value: Any) -> None:
        """Show a value without a signal."""

    def mark(self, *, wrong: bool) -> None:
        """Show whether something is wrong with it."""
        if (editor := self.focusProxy()) is not None:
            set_property(editor, "wrong", "true" if wrong else "false")

    def set_idle(self, reason: str) -> None:
        """Grey it out with a reason, or give it back where there is none."""
        self.setEnabled(not reason)
        if (editor := self.focusProxy()) is not None:
            editor.setToolTip(f"{reason}." if reason else tooltip(self.parameter))
        self.setToolTip(f"{reason}." if reason else "")


class TextEntry(Entry):
    """Text, and the base of what is typed as text."""

    def __init__(self, parameter: Parameter, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parameter, dotted, parent)
        self.line = QLineEdit()
        empty = words.empty_means(parameter.help) if parameter.optional else ""
        self.line.setPlaceholderText(empty)
        self._unit = QLabel(parameter.unit, self.line) if parameter.unit else None
        if self._unit is not None:
            set_tone(self._unit, "muted")
            self._unit.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self._unit.adjustSize()
            self.line.installEventFilter(self)
            self.line.textChanged.connect(self._make_room)
            self._make_room(self.line.text())
        self._adopt(self.line)
        self.line.textEdited.connect(self._typed)
        self.line.editingFinished.connect(self._settled)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Keep the unit at the right end of the field."""
        if watched is self.line and isinstance(event, QResizeEvent) and self._unit is not None:
            hint: QSize = self._unit.sizeHint()
            self._unit.setGeometry(self.line.width() - hint.width() - 9, (self.line.height() - hint.height()) // 2,
                                   hint.width(), hint.height())
        return super().eventFilter(watched, event)

    @Slot(str)
    def _make_room(self, text: str) -> None:
        """Only a number has a unit: what an empty field means has all the room."""
        if self._unit is not None:
            self._unit.setVisible(bool(text))
            self.line.setTextMargins(0, 0, self._unit.sizeHint().width() + 6 if text else 0, 0)

    @Slot(str)
    def _typed(self, _: str) -> None:
        self._read()
        self.edited.emit(self)

    @Slot()
    def _settled(self) -> None:
        if not self.problem:
            self.show_value(self.value())

    def _read(self) -> None:
        text = self.line.text().strip()
        if not text:
            self.problem = "" if self.parameter.optional else "may not be empty"
            return
        try:
            self.problem = self._finding(self._parsed(text))
        except ValueError:
            self.problem = self._unreadable()

    def _parsed(self, text: str) -> Any:
        return text

    def _finding(self, value: Any) -> str:  # noqa: ARG002 - the base takes anything
        return ""

    def _unreadable(self) -> str:
        return "cannot be read"

    def _shown(self, value: Any) -> str:
        return str(value)

    def value(self) -> Any:
        """The parsed text; None where it was left empty."""
        text = self.line.text().strip()
        return self._parsed(text) if text else None

    def show_value(self, value: Any) -> None:
        """Show a value."""
        self.problem = ""
        text = "" if value is None else self._shown(value)
        if text != self.line.text():
            self.line.setText(text)
            self.line.setCursorPosition(0)


class NumberEntry(TextEntry):
    """Whole numbers and others; scientific writing is read, and the arrow keys step."""

    def __init__(self, parameter: Parameter, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parameter, dotted, parent)
        self.line.installEventFilter(self)

    @property
    def _is_whole(self) -> bool:
        return self.parameter.shape == "integer"

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Step with the arrow keys, tenfold with the page keys."""
        keys = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in keys:
            steps = keys[Qt.Key(event.key())]
            for _ in range(min(abs(steps), 3) if self.parameter.log else abs(steps)):
                self._step(1 if steps > 0 else -1)
            return True
        return super().eventFilter(watched, event)

    def _step(self, direction: int) -> None:
        if self.problem:
            return
        start = self.value() if self.line.text().strip() else self.parameter.minimum or 1
        moved = words.next_step(start, direction, by_factors=self.parameter.log, whole=self._is_whole)
        moved = int(moved) if self._is_whole else moved
        if not self._finding(moved):
            self.show_value(moved)
            self.edited.emit(self)

    def _parsed(self, text: str) -> float:
        value = words.read_number(text.removesuffix(self.parameter.unit))
        if not self._is_whole:
            return value
        if value != int(value):
            raise ValueError(text)
        return int(value)

    def _finding(self, value: Any) -> str:
        low, high = self.parameter.minimum, self.parameter.maximum
        below = low is not None and (value <= low if self.parameter.minimum_excluded else value < low)
        if below or (high is not None and value > high):
            return f"must be {range_words(self.parameter)}"
        return ""

    def _unreadable(self) -> str:
        return "is no whole number" if self._is_whole else "is no number; write it such as 0.001 or 1e-3"

    def _shown(self, value: Any) -> str:
        return words.number_text(int(value) if self._is_whole else float(value))


class IntegersEntry(TextEntry):
    """Whole numbers in a row, such as 40, 40."""

    def _parsed(self, text: str) -> list[int]:
        return [int(part) for part in text.replace(";", " ").replace(",", " ").split()]

    def _unreadable(self) -> str:
        return "are whole numbers in a row, such as 40, 40"

    def _shown(self, value: Any) -> str:
        return ", ".join(str(one) for one in value)


class ChoiceEntry(Entry):
    """One of a few."""

    def __init__(self, parameter: Parameter, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parameter, dotted, parent)
        self.combo = Combo()
        items = [(value, text, "") for value, text in parameter.choices]
        if parameter.optional:
            items.insert(0, (None, words.empty_means(parameter.help).capitalize() or "Automatic", ""))
        self.combo.fill(items)
        self._adopt(self.combo)
        self.combo.setEnabled(len(items) > 1)
        self.combo.currentIndexChanged.connect(self._picked)

    @Slot(int)
    def _picked(self, _: int) -> None:
        self.edited.emit(self)

    def value(self) -> Any:
        """The value picked."""
        return self.combo.value()

    def show_value(self, value: Any) -> None:
        """Show a value."""
        self.combo.show_value(value)


class FlagEntry(Entry):
    """Yes or no."""

    def __init__(self, parameter: Parameter, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parameter, dotted, parent)
        self.box = QCheckBox()
        self._adopt(self.box)
        self.box.toggled.connect(self._toggled)

    @Slot(bool)
    def _toggled(self, _: bool) -> None:
        self.edited.emit(self)

    def value(self) -> bool:
        """Whether it is ticked."""
        return self.box.isChecked()

    def show_value(self, value: Any) -> None:
        """Show a value."""
        blocked = self.box.blockSignals(True)
        self.box.setChecked(bool(value))
        self.box.blockSignals(blocked)


class PathEntry(TextEntry):
    """A folder, typed or browsed for."""

    def __init__(self, parameter: Parameter, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parameter, dotted, parent)
        self.line.setPlaceholderText(self.line.placeholderText() or "No folder yet")
        self.browse = QPushButton("…")
        self.browse.setFixedWidth(34)
        self.browse.setObjectName(f"{dotted}.browse")
        self.browse.setAccessibleName(f"Browse for {parameter.label.lower()}")
        self.browse.setToolTip("Browse for a folder.")
        self._row.addWidget(self.browse)
        self.browse.clicked.connect(self._browse)

    @Slot()
    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.parameter.label, str(self.value() or Path.home()))
        if folder:
            self.show_value(folder)
            self.edited.emit(self)

    def _shown(self, value: Any) -> str:
        return str(value)

    def show_value(self, value: Any) -> None:
        """Show the end of a path, which tells folders apart; the whole of it is in the tooltip."""
        super().show_value(value)
        self.line.end(False)
        self.line.setToolTip("\n\n".join(part for part in (str(value or ""), tooltip(self.parameter)) if part))


_BY_SHAPE: dict[str, type[Entry]] = {
    "integer": NumberEntry, "number": NumberEntry, "choice": ChoiceEntry, "flag": FlagEntry, "text": TextEntry,
    "path": PathEntry, "integers": IntegersEntry,
}


def entry_for(parameter: Parameter, dotted: str, parent: QWidget | None = None) -> Entry:
    """The entry that suits a field's shape."""
    return _BY_SHAPE[parameter.shape](parameter, dotted, parent)


def range_words(parameter: Parameter) -> str:
    """The range in words; empty where it is open."""
    low, high = parameter.minimum, parameter.maximum
    whole = parameter.shape == "integer"
    at_least, at_most = (words.number_text(int(one) if whole else float(one)) if one is not None else ""
                         for one in (low, high))
    above = "above" if parameter.minimum_excluded else "from"
    if at_least and at_most:
        return f"{above} {at_least} {'and at most' if parameter.minimum_excluded else 'to'} {at_most}"
    if at_least:
        return f"above {at_least}" if parameter.minimum_excluded else f"at least {at_least}"
    return f"at most {at_most}" if at_most else ""


def tooltip(parameter: Parameter) -> str:
    """Help, range and source of a field."""
    limits = range_words(parameter)
    rows = [parameter.help, f"{limits[:1].upper()}{limits[1:]} {parameter.unit}".strip() + "." if limits else "",
            f"{parameter.source}." if parameter.source else ""]
    return "\n".join(row for row in rows if row)


