"""Data that need other settings: what is set by itself once they are opened, what a click sets, and what stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from tests.gui.helpers import SECONDS, drop, fill, on, opened, press, said, settled
from workbench.experiment.experiment import Experiment
from workbench.experiment.presets import presets
from workbench.gui.window import MainWindow
from workbench.tasks.image_folder import ImageFolder
from workbench.tasks.sampling.classes import Labelled


def test_a_click_sets_what_would_make_the_data_do(qtbot: QtBot, window: MainWindow, leaves: Path) -> None:
    fill(window, on("image_folder", path=str(leaves)) | {"task": {"ways": 18, "shots": 1, "queries": 2}})
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    card = window.panel.form.card
    assert card.remedy.text() == "Set Ways to 6"
    assert said(window.panel, "dataset.problems").startswith("✕ /")
    press(window.panel, "dataset.remedy")
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert window.panel.form.draft.values()["task.ways"] == 6
    assert card.shown is not None
    assert card.shown.is_usable
    assert card.remedy.isHidden()
    assert window.panel.start.isEnabled()


def shades(root: Path, classes: int, each: int = 8) -> Path:
    """A folder of small pictures by class."""
    for number in range(classes):
        (root / f"class {number}").mkdir(parents=True)
        for one in range(each):
            Image.new("L", (16, 16), 9 * number + one).save(root / f"class {number}" / f"{one}.png")
    return root


def ways(window: MainWindow) -> tuple[Any, Any]:
    """Ways of the tasks and of training in the form."""
    values = window.panel.form.draft.values()
    return values["task.ways"], values["training.ways"]


def test_few_classes_set_the_ways_by_themselves_and_the_next_data_set_them_back(
        qtbot: QtBot, window: MainWindow, leaves: Path, tmp_path: Path) -> None:
    name = next(name for name, one in presets().items() if one.tables["training"].get("ways") == 20)
    window.panel.form.take(presets()[name].tables, name)
    drop(window, shades(tmp_path / "few", 12))
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert ways(window) == (4, None)
    assert "“Ways” was set to 4 instead of 5, as the data will not do otherwise. " in window.log.text()
    qtbot.waitUntil(lambda: window.panel.form.preset_picker.currentText() == "None (own data)", timeout=SECONDS)
    qtbot.waitUntil(lambda: "12 classes" in said(window.panel, "dataset.facts"), timeout=SECONDS)
    assert window.panel.start.isEnabled()
    drop(window, leaves)
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert ways(window) == (5, None)


def test_what_suits_the_algorithm_is_set_by_itself_too(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    fill(window, {"dataset": {"name": "glyphs"}, "algorithm": {"name": "reptile"}})
    drop(window, shades(tmp_path / "few", 20, 8))
    qtbot.waitUntil(lambda: window.panel.form.draft.values()["training.shots"] == 7, timeout=SECONDS)
    assert "“Training shots” was set to 7 instead of 10, as the data will not do otherwise" in window.log.text()
    card = window.panel.form.card
    qtbot.waitUntil(lambda: card.shown is not None and card.shown.is_usable and "20 classes" in card.shown.facts,
                    timeout=SECONDS)


def test_data_that_were_just_opened_are_fitted_in_one_look_and_other_looks_leave_the_form_alone(
        qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, loaded = ImageFolder.load, []

    def counted(source: ImageFolder, experiment: Experiment) -> Labelled:
        loaded.append(experiment.training.shots)
        return load(source, experiment)

    monkeypatch.setattr(ImageFolder, "load", counted)
    fill(window, {"dataset": {"name": "glyphs"}, "algorithm": {"name": "reptile"}})
    drop(window, shades(tmp_path / "few", 20, 8))
    card = window.panel.form.card
    qtbot.waitUntil(lambda: card.shown is not None and "20 classes" in card.shown.facts, timeout=SECONDS)
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert loaded == [None, 10, 7]  # the report, which knows no algorithm; the look, and what it demanded
    assert window.panel.form.draft.followed >= {"training.shots"}
    window.panel.form.draft.set("training.shots", 12)  # the person's own say, by which the data are looked at anew
    window.panel.form.check_now()
    qtbot.waitUntil(lambda: card.remedy.text() == "Set Training shots to 7", timeout=SECONDS)
    assert window.panel.form.draft.values()["training.shots"] == 12


def test_an_open_preview_shows_data_as_they_were_fitted(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    fill(window, {"dataset": {"name": "glyphs"}, "algorithm": {"name": "reptile"}})
    dialog = opened(qtbot, window)
    drop(window, shades(tmp_path / "few", 20, 8))
    qtbot.waitUntil(lambda: dialog.preview is not None and "20 classes" in dialog.preview.facts, timeout=SECONDS)
    assert dialog.preview is not None
    assert dialog.preview.refusal == ""
    dialog.close()


def test_ways_that_were_typed_stay(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    fill(window, on("image_folder"))
    window.panel.form.draft.set("task.ways", 3)
    drop(window, shades(tmp_path / "first", 20))
    qtbot.waitUntil(lambda: settled(window), timeout=SECONDS)
    assert ways(window) == (3, None)
    drop(window, shades(tmp_path / "second", 7))
    qtbot.waitUntil(lambda: window.panel.form.card.remedy.text() == "Set Ways to 2", timeout=SECONDS)
    assert ways(window) == (3, None)
    assert "will not do as it is" in window.log.text()


def test_data_that_were_refused_and_mended_are_said_to_do(qtbot: QtBot, window: MainWindow, leaves: Path) -> None:
    fill(window, on("image_folder", path="") | {"task": {"ways": 18, "shots": 1, "queries": 2}})
    drop(window, leaves)
    qtbot.waitUntil(lambda: not window.panel.form.card.remedy.isHidden(), timeout=SECONDS)
    assert "will not do as it is" in said(window, "notice.text")
    press(window.panel, "dataset.remedy")
    qtbot.waitUntil(lambda: "will do now" in said(window, "notice.text"), timeout=SECONDS)
