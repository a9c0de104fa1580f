"""Folders of pictures: what is read from them in every form, and every kind of dirt."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tasks.conftest import ordinary_user
from tests.tasks.picture_folders import NAMES, pictures, sides, sizes
from workbench import places
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data

Folders = Callable[..., Path]
Writer = Callable[..., Path]
Opener = Callable[..., TaskSource]

links = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="links need special rights on Windows")


def test_a_folder_of_class_folders_works_with_the_defaults(tmp_path: Path, class_folders: Folders,
                                                           opened: Opener) -> None:
    source = opened("image_folder", path=class_folders(tmp_path, NAMES))
    assert sizes(source) == {"train": 10, "validation": 5, "test": 5}
    overview = source.overview()
    assert overview.form == "pictures by class"
    assert overview.facts.startswith("20 classes · 120 pictures · 16×16 colour")
    assert not overview.problems
    batch = source.sample("train", range(3))
    assert batch.support.inputs.shape == (3, 5, 3, 16, 16)
    assert source.describe("test", 0).support_files[0].startswith("class ")


def test_no_folder_is_asked_for_by_the_field_s_name(opened: Opener, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.path: name the folder"):
        opened("image_folder")
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        opened("image_folder", path=tmp_path / "nowhere")
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.zip is no whole zip .*pack it again"):
        opened("image_folder", path=tmp_path / "a.zip")


def test_inputs_of_the_training_classes_are_normalized(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    source = opened("image_folder", path=class_folders(tmp_path, NAMES))
    found = pictures(source)
    is_train = np.repeat(np.array(found.split) == "train", found.counts)
    pixels = found.inputs[torch.from_numpy(is_train)].double() / 255
    assert source.spec.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist())
    assert source.spec.deviation == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist())
    inputs = source.sample("train", range(200)).query.inputs
    assert abs(inputs.mean().item()) < 0.05
    assert inputs.std().item() == pytest.approx(1, abs=0.05)


def test_blank_pictures_do_not_divide_by_nothing(tmp_path: Path, opened: Opener) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
        for i in range(6):
            picture = Image.new("L", (16, 16), 255)
            picture.putpixel((0, 0), 254 if name == NAMES[0] else 255)  # for all alike would be refused
            picture.save(tmp_path / name / f"{i}.png")
    assert opened("image_folder", path=tmp_path).spec.deviation == (1.0,)


def test_a_task_that_lies_ready_beside_classes_is_no_class(tmp_path: Path, class_folders: Folders,
                                                           write_picture: Writer) -> None:
    class_folders(tmp_path, NAMES[:15])
    class_folders(tmp_path / "new photos" / "support", ["a", "b"])
    write_picture(tmp_path / "new photos" / "query" / "1.png")
    write_picture(tmp_path / "later" / "Unlabelled" / "1.png")
    write_picture(tmp_path / "later" / "Support" / "c" / "1.png")
    report = check_data(tmp_path)
    assert (report["usable"], report["classes"], report["examples"]) == (True, 15, 90)
    assert report["problems"] == [
        f"{name} looks like a new task, with a support and a query in it, which were left out as no classes; adapt a "
        "trained learner to it, or rename them if they are classes" for name in ("later", "new photos")]


@pytest.mark.parametrize(("own", "classes"), [
    ((), 20), (("support",), 21), (("query",), 21), (("Predict", "unlabelled"), 22), (("support", "Query"), 20)])
def test_classes_that_are_called_as_parts_of_a_task_are_no_task_until_both_are_there(
        tmp_path: Path, class_folders: Folders, own: tuple[str, ...], classes: int) -> None:
    class_folders(tmp_path / "office", [*NAMES[:10], *own], pictures=2)
    class_folders(tmp_path / "shop", NAMES[10:20], pictures=2)
    report = check_data(tmp_path)
    assert (report["form"], report["classes"], report["examples"]) == (
        "pictures by class, in groups such as alphabets", classes, 2 * classes)
    is_task = len(own) == 2 and classes == 20
    assert ["looks like a new task" in problem for problem in report["problems"]] == [True] * is_task


def test_pictures_with_nothing_to_see_are_named(tmp_path: Path, class_folders: Folders, write_picture: Writer) -> None:
    class_folders(tmp_path, NAMES[:15])
    write_picture(tmp_path / NAMES[0] / "dot.png", size=(1, 1))
    for tone in (0, 120):
        Image.new("RGB", (20, 30), (tone, 7, 7)).save(tmp_path / NAMES[1] / f"tone {tone}.png")
    report = check_data(tmp_path)
    assert report["examples"] == 92
    assert report["problems"] == [
        f"{NAMES[0]}/dot.png is a single pixel, in which there is nothing to see; replace or delete it",
        f"2 pictures have one colour throughout: {NAMES[1]}/tone 0.png, {NAMES[1]}/tone 120.png; delete what is not "
        "meant to be so"]


def test_unlabelled_test_pictures_are_named_and_left_out(tmp_path: Path, class_folders: Folders, write_picture: Writer,
                                                         opened: Opener) -> None:
    class_folders(tmp_path / "train", NAMES)
    write_picture(tmp_path / "test" / "1.png")
    source = opened("image_folder", path=tmp_path)
    assert sum(sizes(source).values()) == 20
    assert "test/1.png" in source.overview().problems[0]


def test_classes_called_train_and_test_are_classes_where_others_are_beside_them(
        tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    source = opened("image_folder", path=class_folders(tmp_path, [*NAMES, "train", "test"]))
    assert len(sides(source)) == 22


def test_names_may_hold_spaces_brackets_and_any_letters(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    names = ["Ж ж", "猫", "a [b] (c)", "émile", "50% off", "quo'te", *NAMES[:9]]
    source = opened("image_folder", path=class_folders(tmp_path, names))
    assert set(sides(source)) == set(names)


def test_what_systems_leave_behind_is_passed_over_in_silence(tmp_path: Path, class_folders: Folders,
                                                             opened: Opener) -> None:
    class_folders(tmp_path, NAMES)
    for clutter in (".DS_Store", "Thumbs.db", "class 00/Thumbs.db", "class 01/._00.png", "class 02/desktop.ini"):
        (tmp_path / clutter).write_bytes(b"clutter")
    class_folders(tmp_path / "__MACOSX", NAMES)
    class_folders(tmp_path, [".hidden"])
    (tmp_path / "empty" / "nested").mkdir(parents=True)
    source = opened("image_folder", path=tmp_path)
    assert sorted(sides(source)) == NAMES
    assert not source.overview().problems


def test_dirt_is_named_file_by_file_and_left_out(tmp_path: Path, class_folders: Folders, write_picture: Writer,
                                                 opened: Opener) -> None:
    class_folders(tmp_path, NAMES, pictures=8)
    (tmp_path / "class 03" / "00.png").write_bytes(b"")
    (tmp_path / "class 04" / "07.png").write_text("words")
    (tmp_path / "class 05" / "notes.txt").write_text("words")
    write_picture(tmp_path / "montage.png")
    class_folders(tmp_path, ["small"], pictures=2)
    problems = "\n".join(opened("image_folder", path=tmp_path).overview().problems)
    parts = ("class 03/00.png is empty", "class 04/07.png is no picture",
             "1 file is no picture and was left out: class 05/notes.txt",
             "1 picture lies in no class folder and was left out: montage.png",
             "the class small has 2 readable pictures and 1 + 5 shots and queries take 6")
    for part in parts:
        assert part in problems


def test_a_thousand_broken_files_do_not_make_a_thousand_sentences(tmp_path: Path, class_folders: Folders,
                                                                  opened: Opener) -> None:
    class_folders(tmp_path, NAMES)
    for i in range(40):
        (tmp_path / NAMES[0] / f"broken{i}.png").write_bytes(b"")
    problems = opened("image_folder", path=tmp_path).overview().problems
    assert len(problems) == 21
    assert problems[-1] == "20 more pictures cannot be read and were left out"


@links
def test_links_are_followed_but_not_in_a_circle(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    elsewhere = class_folders(tmp_path / "elsewhere", ["linked"])
    class_folders(tmp_path / "data", NAMES)
    (tmp_path / "data" / "linked").symlink_to(elsewhere / "linked")
    (tmp_path / "data" / "class 00" / "round").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "class 01" / "gone.png").symlink_to(tmp_path / "gone.png")
    source = opened("image_folder", path=tmp_path / "data")
    assert len(sides(source)) == 21
    problems = "\n".join(source.overview().problems)
    assert "class 00/round is a link to a folder that it lies in" in problems
    assert "class 01/gone.png is a link to nothing" in problems


@links
def test_a_folder_that_may_not_be_opened_is_named(open_folder: Path, class_folders: Folders) -> None:
    root = class_folders(open_folder, NAMES)
    (root / NAMES[0]).chmod(0)
    with ordinary_user():
        problems = check_data(root)["problems"]
        (report,) = check_data(root / NAMES[0])["problems"]
    assert problems == ["class 00 cannot be opened (Permission denied); give yourself the right to read it"]
    assert "cannot be opened" in report


def test_empty_folders_are_said_to_be_empty(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(DataError, match="holds no folder with pictures; put a folder of pictures for each class"):
        opened("image_folder", path=tmp_path)


def test_size_and_colour_are_as_the_person_says(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    class_folders(tmp_path, NAMES, size=(50, 40))
    assert opened("image_folder", path=tmp_path).spec.input_shape == (3, 40, 40)
    assert opened("image_folder", path=tmp_path, size=20, color="grey").spec.input_shape == (1, 20, 20)
    assert "20×20 grey" in opened("image_folder", path=tmp_path, size=20, color="grey").overview().facts


def test_a_folder_is_decoded_once_and_again_when_a_picture_has_changed(
        tmp_path: Path, class_folders: Folders, write_picture: Writer, opened: Opener) -> None:
    class_folders(tmp_path, NAMES)
    first = pictures(opened("image_folder", path=tmp_path))
    (cache,) = (places.cache() / "pictures").iterdir()
    again = pictures(opened("image_folder", path=tmp_path))
    assert torch.equal(first.inputs, again.inputs)
    assert first.files == again.files
    assert [cache] == list((places.cache() / "pictures").iterdir())
    write_picture(tmp_path / NAMES[0] / "00.png", 999_999, size=(24, 24))
    changed = pictures(opened("image_folder", path=tmp_path))
    assert [bool((a == b).all()) for a, b in zip(first.inputs, changed.inputs, strict=True)].index(False) == 0


def test_a_class_that_was_sorted_further_stays_one_class(tmp_path: Path, class_folders: Folders, opened: Opener
                                                         ) -> None:
    class_folders(tmp_path, NAMES[1:])
    class_folders(tmp_path / NAMES[0], ["monday", "tuesday"], pictures=3)
    source = opened("image_folder", path=tmp_path)
    assert sorted(pictures(source).names) == NAMES
    assert pictures(source).counts.tolist() == [6] * len(NAMES)
    assert pictures(source).problems == (f"{NAMES[0]} holds folders of pictures; all below it was taken as one class",)


def test_the_person_decides_which_folder_is_the_class(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    for name in NAMES:
        class_folders(tmp_path / name, ["monday", "tuesday"], pictures=3)
    fits = {"queries": 2}
    found = {level: pictures(opened("image_folder", path=tmp_path, class_folder=level, task=fits))
             for level in ("top", "deepest")}
    assert [len(one.counts) for one in found.values()] == [len(NAMES), 2 * len(NAMES)]
    assert not found["top"].problems


@links
def test_a_link_to_what_is_read_anyway_brings_nothing_twice(tmp_path: Path, class_folders: Folders, opened: Opener
                                                           ) -> None:
    class_folders(tmp_path / "data", NAMES)
    (tmp_path / "data" / "again").symlink_to(tmp_path / "data" / NAMES[0])
    (tmp_path / "data" / NAMES[1] / "up").symlink_to(tmp_path)
    source = opened("image_folder", path=tmp_path / "data")
    assert sorted(pictures(source).names) == NAMES
    assert len(pictures(source).problems) == 2
