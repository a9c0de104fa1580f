"""The experiment form: sections of fields, checked on every change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QToolButton, QVBoxLayout, QWidget

from workbench.engine.acceleration.switches import refused_accelerations
from workbench.engine.devices import devices
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Parameter, parameters
from workbench.experiment.mistakes import ExperimentError, Problem
from workbench.experiment.presets import presets
from workbench.experiment.registry import ROLES, Role, found
from workbench.gui.form.dataset_card import DatasetCard
from workbench.gui.form.draft import TABLES, Draft, unavailable
from workbench.gui.form.entries import ChoiceEntry, Combo, Entry, entry_for
from workbench.gui.form.scan import Look, relevant
from workbench.gui.form.sections import Row, Section, titled_row
from workbench.gui.theme import Theme
from workbench.tasks.own.data import OwnData

CHECK_MILLISECONDS = 100
_TITLES = {"dataset": "Dataset", "task": "Task", "backbone": "Backbone", "algorithm": "Algorithm",
           "training": "Training", "evaluation": "Evaluation"}
_PICKERS: dict[Role, tuple[str, str]] = {
    "backbone": ("Network", "The network whose parameters are meta-learned."),
    "algorithm": ("Method", "How learning to learn is done."),
}


class ExperimentForm(QWidget):
    """Fields of an experiment, made from their declarations.

    Attributes:
        draft: The experiment in the making.
        experiment: What would be run; None while something is wrong.
        problems: What is wrong.
        data_problem: Why the data will not do; empty while it is being looked at.
        card: The dataset's card.
        preset_picker: The combo box of the presets.

    Signals:
        checked(): `experiment` and `problems` are up to date again after a change.
        data_changed(object): The dataset would look different now; its part of the experiment.
        noted(str): Something gave way to a pick; a sentence.
        help_wanted(str): The person asks for a page of the help; its name.
    """

    checked = Signal()
    data_changed = Signal(object)
    noted = Signal(str)
    help_wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.draft = Draft()
        self.experiment: Experiment | None = None
        self.problems: list[Problem] = []
        self.data_problem = ""
        self._theme = theme
        self._looked_at: dict[str, Any] = {}
        self._refused: dict[str, str] = {}
        self._sections = {table: Section(table, _TITLES[table]) for table in TABLES}
        self._pickers: dict[Role, Combo] = {}
        self.card = DatasetCard()
        self.preset_picker = Combo()
        self._check = QTimer(self)
        self._check.setSingleShot(True)
        self._check.setInterval(CHECK_MILLISECONDS)
        self._check.timeout.connect(self.check_now)
        self._lay_out()
        self._fill_presets()
        self._fill_pickers()
        self.card.remedy_requested.connect(self._set_remedy)
        self.set_theme(theme)
        self._rebuild()
        self.check_now()

    def _lay_out(self) -> None:
        content = QWidget()
        content.setObjectName("formContent")
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 4, 16, 12)
        self._column = column
        column.setSpacing(14)
        for section in self._sections.values():
            column.addWidget(section)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(content)
        self._scroll = scroll
        scroll.verticalScrollBar().rangeChanged.connect(self._make_room)
        self.preset_picker.setObjectName("preset")
        top = titled_row("Preset", self.preset_picker, "Named experiments to begin with.")
        top.setContentsMargins(16, 12, 16, 6)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(top)
        outer.addWidget(scroll, 1)
        self.preset_picker.activated.connect(self._preset_picked)

    @Slot(int, int)
    def _make_room(self, lowest: int, highest: int) -> None:
        """Let the scroll bar stand in the margin, so that fields end where the buttons below end."""
        bar = self._scroll.verticalScrollBar().sizeHint().width() if highest > lowest else 0
        self._column.setContentsMargins(16, 4, max(2, 16 - bar), 12)

    def _fill_presets(self) -> None:
        items: list[tuple[Any, str, str]] = [("", _no_preset(is_own=False), "Defaults that suit the picks.")]
        self.preset_picker.fill(items + [(name, one.title, one.help) for name, one in presets().items()])
        self.preset_picker.setEnabled(bool(presets()))

    def _fill_pickers(self) -> None:
        self._pickers["dataset"] = self.card.picker
        self._sections["dataset"].put_on_top(self.card)
        for role, (label, tip) in _PICKERS.items():
            picker = Combo()
            picker.setObjectName(f"{role}.name")
            self._pickers[role] = picker
            self._sections[role].put_on_top(titled_row(label, picker, tip, self._help_button(role)))
        for role, picker in self._pickers.items():
            picker.fill([(name, f"{kind.title} · {kind.source}" if kind.source and role == "algorithm" else kind.title,
                          kind.summary()) for name, kind in found(role).items()])
            picker.activated.connect(partial(self._picked, role))

    def _help_button(self, role: Role) -> QToolButton:
        """Opens the help page of what is picked."""
        button = QToolButton()
        button.setObjectName(f"{role}.help")
        button.setText("?")
        button.setAccessibleName(f"Help on this {role}")
        button.setToolTip(f"What this {role} does, where it comes from, what to try and what goes wrong.")
        button.clicked.connect(lambda: self.help_wanted.emit(f"{role}/{self.draft.picks[role]}"))
        return button

    def set_theme(self, theme: Theme) -> None:
        """Draw arrows and pictures for another theme."""
        self._theme = theme
        self.card.set_theme(theme)
        for section in self._sections.values():
            section.set_theme(theme)

    # What the person does

    def _picked(self, role: Role, _: int) -> None:
        self.pick(role, self._pickers[role].value())

    def pick(self, role: Role, name: str) -> None:
        """Pick a dataset, backbone or algorithm by name."""
        for note in self.draft.pick(role, name):
            self.noted.emit(note)
        self._rebuild()
        self._changed()

    @Slot(int)
    def _preset_picked(self, _: int) -> None:
        name = self.preset_picker.value()
        if name:
            self.take(presets()[name].tables, name)
        else:
            self.draft.preset = ""
            self._changed()

    def take(self, tables: Mapping[str, Any], preset: str = "") -> None:
        """Show another experiment."""
        self.draft.take(tables, preset)
        self._rebuild()
        self._changed()

    def take_data(self, dataset: str, settings: Mapping[str, Any],
                  experiment: Mapping[str, Any] | None = None) -> None:
        """Train on data of a person's own, read with these fields of the dataset, and with others that they demand."""
        own = {f"dataset.{name}": value for name, value in settings.items()}
        self.draft.open_data(dataset, {**own, **(experiment or {})})
        self._rebuild()
        self._sections["dataset"].reveal("dataset.path")
        self._scroll.verticalScrollBar().setValue(0)
        self._changed()

    def reset(self) -> None:
        """Go back to the defaults that suit the picks."""
        self.draft.reset()
        self._rebuild()
        self._changed()

    @Slot(object)
    def _edited(self, entry: Entry) -> None:
        self._refused.pop(entry.dotted, None)
        if not entry.problem:
            self.draft.set(entry.dotted, entry.value())
            self._show_idle()
        self._changed()

    def _changed(self) -> None:
        self._check.start()

    # What the form shows

    def _rebuild(self) -> None:
        """Make the rows anew for the picks."""
        self._refused.clear()
        values = self.draft.values()
        for table, section in self._sections.items():
            declared = {f"{table}.{one.name}": one for one in self.draft.fields(table)}
            if table == "training":
                declared |= _top_fields(values["device"])
            # Rows that are declared as before only take new values, so that the focus stays where it is.
            if not declared or declared != {dotted: row.entry.parameter for dotted, row in section.rows.items()}:
                entries = [entry_for(one, dotted) for dotted, one in declared.items()]
                section.set_entries(entries, side_by_side=table == "task")
                section.set_theme(self._theme)
                for entry in entries:
                    entry.edited.connect(self._edited)
            for dotted, row in section.rows.items():
                row.entry.show_value(values[dotted])
        for role in ROLES:
            self._pickers[role].show_value(self.draft.picks[role])
            self._pickers[role].grey_out(self.draft.unfitting(role))
            kind = found(role)[self.draft.picks[role]]
            self._pickers[role].setToolTip(kind.summary())
        self._show_idle()

    def _show_idle(self) -> None:
        """Grey out what has no effect, save what is wrong or being typed, which must stay open."""
        reasons = self.draft.idle_fields()
        wrong, typed_in = {problem.field for problem in self.problems}, QApplication.focusWidget()
        for dotted, row in self._rows().items():
            is_open = dotted in wrong or (typed_in is not None and row.isAncestorOf(typed_in))
            row.set_idle("" if is_open else reasons.get(dotted, ""))
        values = self.draft.values()
        for dotted, refused in (
                ("training.acceleration", refused_accelerations(values["device"], values["training.executor"])),
                ("training.precision", unavailable(values["device"]))):
            entry = self._rows()[dotted].entry
            if isinstance(entry, ChoiceEntry):
                entry.combo.grey_out(refused)

    def _rows(self) -> dict[str, Row]:
        return {dotted: row for section in self._sections.values() for dotted, row in section.rows.items()}

    @Slot()
    def check_now(self) -> None:
        """Check every field, show what is wrong beside it, and say so."""
        self._check.stop()
        try:
            self.experiment, self.problems = self.draft.resolved(), []
        except ExperimentError as error:
            self.experiment, self.problems = None, list(error.problems)
        rows = self._rows()
        typed = [Problem(dotted, row.entry.problem) for dotted, row in rows.items() if row.entry.problem]
        refused = [Problem(dotted, message) for dotted, message in self._refused.items()]
        self.problems = typed + [one for one in refused + self.problems
                                 if one.field not in {problem.field for problem in typed}]
        if self.problems:
            self.experiment = None
        messages = {one.field: one.message for one in reversed(self.problems)}
        for dotted, row in rows.items():
            row.show_problem(self.draft.in_words(messages.get(dotted, "")))
        self._show_idle()
        self._show_preset()
        self._tell_of_data()
        self.checked.emit()

    def _show_preset(self) -> None:
        self.preset_picker.show_value(self.draft.preset)
        preset = presets().get(self.draft.preset)
        changed = preset is not None and not self.draft.is_as_preset(preset)
        for row, name in enumerate(presets(), 1):
            mark = " (changed)" if changed and name == self.draft.preset else ""
            self.preset_picker.setItemText(row, presets()[name].title + mark)
        is_own = preset is None and issubclass(found("dataset")[self.draft.picks["dataset"]], OwnData)
        self.preset_picker.setItemText(0, _no_preset(is_own=is_own))
        self.preset_picker.setToolTip(preset.help if preset else "No preset is about your own data. The method "
                                      "stays, and is trained as suits it." if is_own else "Named experiments to begin "
                                      "with.")

    def _tell_of_data(self) -> None:
        part = relevant(self.draft.tables())
        if part != self._looked_at and not any(one.field.startswith(("dataset.", "task.")) for one in self.problems):
            self._looked_at = part
            self.data_problem = ""
            self.data_changed.emit(part)

    def show_look(self, look: Look) -> None:
        """Show what was found in the data."""
        look = replace(look, problems=tuple(self.draft.in_words(one) for one in look.problems))
        if look.remedy:
            labels = self.draft.labels()
            self.card.remedy.setText("Set " + " and ".join(
                f"{labels.get(dotted, dotted)} to {value}" for dotted, value in look.remedy.items()))
            self.card.remedy.setAccessibleName(self.card.remedy.text())
        self.card.show_look(look)
        self.data_problem = "" if look.is_usable else look.problems[0] if look.problems else "the data will not do"
        if not self._check.isActive():  # else what was said since is about to be checked, and told with this
            self.checked.emit()

    @Slot()
    def _set_remedy(self) -> None:
        """Set what would make the data do."""
        if self.card.shown is not None:
            self.follow(self.card.shown.remedy)

    def follow(self, values: Mapping[str, Any]) -> None:
        """Set what the data at hand demand, by dotted names."""
        self.draft.follow(values)
        self._rebuild()
        self.check_now()

    def look_again(self) -> None:
        """Have the dataset looked at again, for its files have changed."""
        self._looked_at = {}
        self._tell_of_data()

    def refuse(self, field: str, message: str) -> None:
        """Show a problem that only came to light when the experiment was to be run."""
        self._refused[field] = message
        self.check_now()

    def focus_problem(self) -> None:
        """Go to the first field that is wrong."""
        rows = self._rows()
        if self.data_problem and not self.problems:
            self._sections["dataset"].reveal("")
            self._scroll.verticalScrollBar().setValue(0)
            self.card.picker.setFocus(Qt.FocusReason.OtherFocusReason)
        for problem in self.problems:
            if problem.field in rows:
                self._sections[problem.field.rpartition(".")[0] or "training"].reveal(problem.field)
                rows[problem.field].entry.setFocus(Qt.FocusReason.OtherFocusReason)
                self._scroll.ensureWidgetVisible(rows[problem.field])
                return

    # What is remembered

    def folds(self) -> dict[str, bool]:
        """Which sections are open."""
        return {name: is_open for section in self._sections.values() for name, is_open in section.folds().items()}

    def restore(self, state: Mapping[str, Any], folds: dict[str, bool]) -> None:
        """Show what was there the last time; at the first time, the first preset."""
        self.draft = Draft.restored(state)
        if not state and presets():
            first = next(iter(presets().values()))
            self.draft.take(first.tables, first.name)
        self._rebuild()
        for section in self._sections.values():
            section.restore_folds(folds)
        self.check_now()


def _no_preset(*, is_own: bool) -> str:
    """What the presets are called while none is picked, on data of the person's own or on others."""
    return "No presets" if not presets() else "None (own data)" if is_own else "None"


def _top_fields(device: str) -> dict[str, Parameter]:
    """Seed and device, the device as a choice among those of this machine."""
    known = {one.name: one for one in parameters(Experiment)}
    found_here = devices()
    automatic = found_here[0]
    choices: list[tuple[str, str]] = [("auto", f"Auto ({automatic.title})")]
    choices += [(one.name, one.title) for one in found_here]
    if device not in [name for name, _ in choices]:
        choices.append((device, f"{device} (not on this machine)"))
    picker = replace(known["device"], shape="choice", choices=tuple(choices))
    return {"device": picker, "seed": known["seed"]}
