"""The form: made from the declarations, checked on every change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QComboBox, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SHORT
from workbench.experiment.presets import presets
from workbench.experiment.registry import ROLES, found
from workbench.gui.form.entries import Combo
from workbench.gui.form.panel import FormPanel
from workbench.gui.form.scan import Look
from workbench.gui.theme import LIGHT


@pytest.fixture
def panel(qtbot: QtBot) -> FormPanel:
    """The form with its buttons."""
    made = FormPanel(LIGHT)
    qtbot.addWidget(made)
    made.show()
    return made


def line(panel: FormPanel, name: str) -> QLineEdit:
    """The field of this name."""
    found_line = panel.findChild(QLineEdit, name)
    assert found_line is not None, name
    return found_line


def retype(qtbot: QtBot, panel: FormPanel, name: str, text: str) -> None:
    """Type something else, and wait for the check."""
    field = line(panel, name)
    field.selectAll()
    if text:
        qtbot.keyClicks(field, text)
    else:
        field.clear()
        field.textEdited.emit("")
    panel.form.check_now()


def problem(panel: FormPanel, name: str) -> str:
    """What stands below a field."""
    label = panel.findChild(QLabel, f"{name}.problem")
    assert label is not None, name
    return label.text() if not label.isHidden() else ""


def test_every_declared_field_is_in_the_form(panel: FormPanel) -> None:
    for role in ROLES:
        for name in found(role):
            panel.form.pick(role, name)
            for dotted in panel.form.draft.values():
                assert panel.form.findChild(QWidget, dotted) is not None, dotted


def test_every_input_has_a_label_a_tooltip_and_an_accessible_name(panel: FormPanel) -> None:
    inputs: Iterator[QWidget] = (one for kind in (QLineEdit, QComboBox, QCheckBox, QAbstractButton)
                                 for one in panel.findChildren(kind))
    for one in inputs:
        assert one.objectName(), one
        assert one.accessibleName(), one.objectName()
        assert one.toolTip() or one.objectName() in ("command", "reason"), one.objectName()


def test_labels_units_and_ranges_come_from_the_declaration(panel: FormPanel) -> None:
    field = line(panel, "training.meta_batch")
    assert field.accessibleName() == "Meta-batch (tasks)"
    assert "From 1 to 10,000 tasks" in field.toolTip()
    assert any(label.text() == "tasks" for label in field.findChildren(QLabel))


def test_an_empty_field_says_what_empty_means(panel: FormPanel) -> None:
    assert line(panel, "training.clip").placeholderText() == "no limit"
    assert line(panel, "training.validate_every").placeholderText() == "a twentieth of the run"


@pytest.mark.parametrize(("text", "value"), [("1e-3", 1e-3), ("0,25", 0.25), ("2e2", None), ("fast", None), ("", None)])
def test_numbers_are_taken_or_refused_in_words(qtbot: QtBot, panel: FormPanel, text: str, value: float | None) -> None:
    retype(qtbot, panel, "training.outer_lr", text)
    if value is None:
        assert problem(panel, "training.outer_lr").startswith("✕ Outer rate ")
        assert panel.form.experiment is None
        assert not panel.start.isEnabled()
        assert "Outer rate" in panel.start.toolTip()
    else:
        assert problem(panel, "training.outer_lr") == ""
        assert panel.form.experiment is not None
        assert panel.form.experiment.training.outer_lr == value


def test_a_mended_field_lets_start_again(qtbot: QtBot, panel: FormPanel) -> None:
    retype(qtbot, panel, "task.ways", "1")
    assert "from 2 to 1,000" in problem(panel, "task.ways")
    retype(qtbot, panel, "task.ways", "3")
    assert problem(panel, "task.ways") == ""
    assert panel.start.isEnabled()


def test_the_arrow_keys_step_through_decades(qtbot: QtBot, panel: FormPanel) -> None:
    retype(qtbot, panel, "training.outer_lr", "0.002")
    qtbot.keyClick(line(panel, "training.outer_lr"), Qt.Key.Key_Up)
    assert panel.form.draft.values()["training.outer_lr"] == 0.005


def test_layers_are_typed_in_a_row(qtbot: QtBot, panel: FormPanel) -> None:
    panel.form.pick("dataset", "sinusoids")
    retype(qtbot, panel, "backbone.widths", "16 16 8")
    assert panel.form.draft.resolved().backbone.model_dump()["widths"] == (16, 16, 8)
    retype(qtbot, panel, "backbone.widths", "wide")
    assert "whole numbers in a row" in problem(panel, "backbone.widths")
    retype(qtbot, panel, "backbone.widths", "0")
    assert "65536" in problem(panel, "backbone.widths")


def test_fields_that_do_not_go_together_mark_the_row_of_one(qtbot: QtBot, panel: FormPanel) -> None:
    panel.form.pick("algorithm", "mann")
    retype(qtbot, panel, "algorithm.rows", "3")
    assert "4 write to 3 rows" in problem(panel, "algorithm.heads")
    assert "“Memory rows”" in problem(panel, "algorithm.heads")
    retype(qtbot, panel, "algorithm.heads", "2")
    assert problem(panel, "algorithm.heads") == ""


def test_pairs_that_do_not_fit_are_grey_with_their_reason(panel: FormPanel) -> None:
    panel.form.pick("dataset", "sinusoids")
    picker = panel.findChild(QComboBox, "backbone.name")
    assert picker is not None
    model = picker.model()
    assert isinstance(model, QStandardItemModel)
    items = {item.data(Qt.ItemDataRole.UserRole): item for item in map(model.item, range(model.rowCount()))}
    assert not items["conv4"].isEnabled()
    assert "vector" in items["conv4"].toolTip()
    assert items["mlp"].isEnabled()
    panel.form.pick("dataset", "glyphs")
    assert items["conv4"].isEnabled()


def test_ways_are_grey_for_regression_and_say_why(panel: FormPanel) -> None:
    panel.form.pick("dataset", "sinusoids")
    field = line(panel, "task.ways")
    assert not field.isEnabled()
    assert "regression" in field.toolTip()


def test_cuda_graphs_are_grey_without_an_nvidia_gpu_and_say_why(panel: FormPanel) -> None:
    combo = panel.findChild(Combo, "training.acceleration")
    assert combo is not None
    model = combo.model()
    assert isinstance(model, QStandardItemModel)
    enabled = {model.item(row).text(): model.item(row).isEnabled() for row in range(model.rowCount())}
    assert enabled == {"Automatic": True, "None": True, "Compile in the background": True, "CUDA graphs": False}
    assert "need an NVIDIA GPU" in model.item(3).toolTip()


def test_a_field_without_effect_is_grey_until_it_has_one(panel: FormPanel) -> None:
    panel.form.pick("algorithm", "meta_sgd")
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # the field of the method picked before
    rate = line(panel, "algorithm.inner_lr")
    assert not rate.isEnabled()
    assert rate.toolTip() == "It matters only where “First rates” is “All at the inner rate”."
    rates = panel.findChild(QComboBox, "algorithm.first_rates")
    assert rates is not None
    rates.setCurrentIndex(1)
    assert rate.isEnabled()
    assert rate.toolTip().startswith("Where every learned rate starts")
    rates.setCurrentIndex(0)
    assert not rate.isEnabled()


def test_a_field_that_is_wrong_stays_open_to_be_mended(qtbot: QtBot, panel: FormPanel) -> None:
    panel.form.pick("algorithm", "matching_net")
    full = panel.findChild(QCheckBox, "algorithm.full_context")
    assert full is not None
    full.setChecked(True)
    retype(qtbot, panel, "algorithm.reads", "0")
    full.setChecked(False)
    panel.form.check_now()
    assert line(panel, "algorithm.reads").isEnabled()
    retype(qtbot, panel, "algorithm.reads", "2")
    line(panel, "algorithm.reads").clearFocus()
    panel.form.check_now()
    assert not line(panel, "algorithm.reads").isEnabled()


def test_a_preset_is_picked_by_name_and_marked_when_changed(qtbot: QtBot, panel: FormPanel) -> None:
    if not presets():
        pytest.skip("no presets")
    name = next(iter(presets()))
    picker = panel.form.preset_picker
    picker.show_value(name)
    picker.activated.emit(picker.currentIndex())
    panel.form.check_now()
    assert panel.form.draft.preset == name
    assert f"--preset {name}" in panel.command
    retype(qtbot, panel, "training.iterations", "123")
    assert picker.currentText().endswith("(changed)")


def test_the_command_line_can_be_copied(qtbot: QtBot, panel: FormPanel) -> None:
    panel.form.take(SHORT)
    panel.form.check_now()
    with qtbot.waitSignal(panel.copied) as copied:
        panel.copy_command()
    assert copied.args == [panel.command]
    assert panel.command.startswith("workbench run --set dataset=sinusoids")


def test_the_fold_opens_for_a_problem(qtbot: QtBot, panel: FormPanel) -> None:
    retype(qtbot, panel, "training.clip", "-1")
    assert not line(panel, "training.clip").isVisible()
    panel.form.focus_problem()
    assert line(panel, "training.clip").isVisible()


def test_folds_are_remembered(panel: FormPanel) -> None:
    folds = panel.form.folds() | {"section.training": False, "section.training.more": True}
    panel.form.restore(panel.form.draft.state(), folds)
    assert panel.form.folds() == folds


def test_a_change_is_checked_by_itself_within_a_moment(qtbot: QtBot, panel: FormPanel) -> None:
    field = line(panel, "task.shots")
    field.selectAll()
    with qtbot.waitSignal(panel.form.checked, timeout=2000):
        qtbot.keyClicks(field, "3")
    assert panel.form.experiment is not None
    assert panel.form.experiment.task.shots == 3


def test_an_empty_field_has_no_unit_beside_what_being_empty_means(qtbot: QtBot, panel: FormPanel) -> None:
    field = line(panel, "training.checkpoint_every")
    unit = field.findChild(QLabel)
    assert unit is not None
    assert unit.isHidden()
    assert field.textMargins().right() == 0
    retype(qtbot, panel, "training.checkpoint_every", "50")
    assert not unit.isHidden()
    assert field.textMargins().right() > unit.sizeHint().width()


def test_the_end_of_a_path_is_in_sight(panel: FormPanel) -> None:
    folder = "/a/very/long/path/to/many/folders/that/nobody/can/read/at/once/leaves"
    panel.form.take_data("image_folder", {"path": folder})
    assert line(panel, "dataset.path").cursorPosition() == len(folder)


def test_a_pick_that_does_not_fit_its_box_ends_in_an_ellipsis(qtbot: QtBot) -> None:
    pictures = []
    for text in ("Automatic (a device of many words)", "Automatic (a device of many other words)"):
        combo = Combo()
        qtbot.addWidget(combo)
        combo.fill([(0, text, "")])
        combo.resize(150, 30)
        pictures.append(combo.grab().toImage())
    assert pictures[0] == pictures[1]


def test_further_problems_of_the_data_do_not_read_as_part_of_the_first(panel: FormPanel) -> None:
    panel.form.show_look(Look("Leaves", problems=("set task.ways to 5: left out are oak, elm", "one", "two")))
    shown = panel.findChild(QLabel, "dataset.problems")
    assert shown is not None
    assert shown.text().splitlines()[0].endswith("set “Ways” to 5: left out are oak, elm")
    assert shown.text().splitlines()[1] == "2 more problems: see Details…"


def test_data_that_was_looked_at_while_the_form_is_changed_waits_for_the_check_of_the_change(
        qtbot: QtBot, panel: FormPanel) -> None:
    panel.form.take({"dataset": {"name": "sinusoids"}, "algorithm": {"name": "maml"}})
    panel.form.check_now()
    assert panel.command
    panel.form.pick("algorithm", "protonet")
    panel.form.show_look(Look("Sinusoids"))
    with qtbot.waitSignal(panel.form.checked):
        pass
    assert panel.form.problems
    assert not panel.start.isEnabled()
    assert not panel.command


def test_what_keeps_from_starting_is_told_with_the_labels_of_the_form(qtbot: QtBot, panel: FormPanel) -> None:
    retype(qtbot, panel, "task.ways", "1")
    assert panel.start.toolTip().splitlines()[1].startswith("Ways: ")
