"""The report on a folder of pictures: its form, its counts, and the tasks that it suffices for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.tasks.picture_folders import NAMES
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve, with_settings
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data

Folders = Callable[..., Path]
Writer = Callable[..., Path]


def test_the_report_of_a_good_folder_can_be_written_as_json(tmp_path: Path, class_folders: Folders) -> None:
    report = check_data(class_folders(tmp_path, NAMES))
    assert json.loads(json.dumps(report)) == report
    assert report.pop("floor")["name"] == "nearest mean on raw pixels"
    assert report.pop("facts").startswith("20 classes · 120 pictures · 16×16 colour")
    assert report == {
        "form": "pictures by class", "path": str(tmp_path), "classes": 20, "examples": 120,
        "why": "120 of 120 files are pictures, in 20 folders", "dataset": "image_folder",
        "settings": {"path": str(tmp_path)},
        "splits": {"train": {"classes": 10, "examples": 60}, "validation": {"classes": 5, "examples": 30},
                   "test": {"classes": 5, "examples": 30}},
        "size": 16, "color": "rgb", "problems": [], "usable": True, "experiment": {}, "note": "", "otherwise": "",
        "tasks": {}}


@pytest.mark.parametrize(("classes", "each", "task", "fits"), [
    (12, 6, {}, {"task.ways": 4}),
    (6, 6, {}, {"task.ways": 2}),
    (15, 4, {}, {"task.queries": 3}),
    (12, 6, {"shots": 1}, {"task.ways": 4}),
    (15, 6, {}, {}),
])
def test_a_folder_that_lacks_what_is_usual_is_judged_for_what_it_has(
        tmp_path: Path, class_folders: Folders, classes: int, each: int, task: dict[str, int], fits: dict[str, int]
        ) -> None:
    path = class_folders(tmp_path, NAMES[:classes], each)
    report = check_data(path, task)
    assert report["usable"]
    assert report["experiment"] == fits
    said = [f"{name} was set to {value} instead of 5" for name, value in fits.items()]
    assert report["note"].startswith(" and ".join(said))
    settings = [f"{name}={value}" for name, value in fits.items()]
    experiment = resolve(with_settings({"dataset": {"name": "image_folder", "path": path}}, settings))
    assert find("dataset", "image_folder")(experiment, torch.device("cpu")).overview().facts == report["facts"]


def test_what_a_person_decided_of_tasks_is_not_changed_for_a_folder(tmp_path: Path, class_folders: Folders) -> None:
    report = check_data(class_folders(tmp_path, NAMES[:12]), {"ways": 5})
    assert not report["usable"]
    assert (report["experiment"], report["note"]) == ({}, "")
    assert "Set task.ways to 4" in report["problems"][0]


def test_the_report_of_a_folder_that_will_not_do_still_counts_what_it_holds(
        tmp_path: Path, class_folders: Folders) -> None:
    report = check_data(class_folders(tmp_path, NAMES[:8]), {"ways": 5})
    assert (report["form"], report["classes"], report["examples"]) == ("pictures by class", 8, 48)
    assert not report["usable"]
    assert "Set task.ways to 2" in report["problems"][0]
    assert report["splits"] == {}


def test_the_report_knows_every_form(tmp_path: Path, class_folders: Folders, write_picture: Writer,
                                     miniature: Callable[[Path], Path]) -> None:
    for alphabet in "abcd":
        class_folders(tmp_path / "alphabets" / alphabet, [f"{i}" for i in range(6)])
    for split in ("train", "val", "test"):
        class_folders(tmp_path / "split" / split, [f"{split}{i}" for i in range(5)])
    class_folders(tmp_path / "new", ["a", "b"], pictures=2)
    write_picture(tmp_path / "new" / "which.png")
    miniature(tmp_path / "omniglot")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").write_text("words")
    forms = {path.name: check_data(path)["form"] for path in tmp_path.iterdir()}
    assert forms == {"alphabets": "pictures by class, in groups such as alphabets",
                     "split": "pictures by class, split in folders",
                     "new": "new task", "omniglot": "omniglot", "nothing": "unknown", "words": "unknown"}


def test_the_report_is_never_a_fault_of_the_program_whatever_the_folder_holds(
        tmp_path: Path, class_folders: Folders, miniature: Callable[[Path], Path]) -> None:
    class_folders(tmp_path / "broken", NAMES[:2])
    for path in (tmp_path / "broken").rglob("*.png"):
        path.write_bytes(b"broken")
    (miniature(tmp_path / "half") / "images_evaluation.zip").unlink()
    for name in ("broken", "half"):
        report = check_data(tmp_path / name)
        assert not report["usable"]
        assert report["problems"]
    assert "images_evaluation.zip is missing" in check_data(tmp_path / "half")["problems"][0]


def test_only_a_path_where_nothing_is_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file or folder"):
        check_data(tmp_path / "nowhere")
    (tmp_path / "file.xyz").write_text("words")
    (problem,) = check_data(tmp_path / "file.xyz")["problems"]
    assert "which no dataset reads" in problem
