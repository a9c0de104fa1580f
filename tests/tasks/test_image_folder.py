"""Folders of pictures: every form, every kind of dirt, and a split that never leaks a class."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.tasks.conftest import ordinary_user
from workbench import places
from workbench.experiment.experiment import TaskConfig
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve, with_settings
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.image_folder import ImageFolderConfig
from workbench.tasks.looking.check import check_data
from workbench.tasks.own.class_splits import Shapes, plan_splits
from workbench.tasks.own.folders import ClassFolder, Shares, share_out
from workbench.tasks.sampling.classes import ClassTasks, Labelled

Folders = Callable[..., Path]
Writer = Callable[..., Path]
Opener = Callable[..., TaskSource]

NAMES = [f"class {i:02}" for i in range(20)]
links = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="links need special rights on Windows")


def pictures(source: TaskSource) -> Labelled:
    assert isinstance(source, ClassTasks)
    return source.labelled


def sides(source: TaskSource) -> dict[str, str]:
    found = pictures(source)
    return dict(zip(found.names, found.split, strict=True))


def sizes(source: TaskSource) -> dict[str, int]:
    return source.overview().classes


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


def test_the_split_seed_alone_decides_which_classes_are_held_out(tmp_path: Path, class_folders: Folders,
                                                                 opened: Opener) -> None:
    class_folders(tmp_path, NAMES)
    splits = [sides(opened("image_folder", path=tmp_path, seed=seed, split_seed=split_seed))
              for seed, split_seed in ((0, 0), (1, 0), (0, 1))]
    assert splits[0] == splits[1] != splits[2]


def test_nothing_that_was_trained_on_is_tested_on_with_other_shots_queries_or_seed(
        tmp_path: Path, class_folders: Folders, write_picture: Writer, opened: Opener) -> None:
    class_folders(tmp_path, [f"large {i}" for i in range(30)], pictures=8)
    class_folders(tmp_path, [f"small {i}" for i in range(10)], pictures=6)
    trained = sides(opened("image_folder", path=tmp_path))
    write_picture(tmp_path / "small 3" / "another.png")
    for seed, task in ((0, {"shots": 3}), (7, {}), (3, {"shots": 1, "queries": 7})):
        source = opened("image_folder", path=tmp_path, seed=seed, task=task)
        assert {name: side for name, side in sides(source).items() if side} == {
            name: trained[name] for name, side in sides(source).items() if side}
        for name in source.describe("test", 0).class_names:
            assert trained[name] == "test"
        some_are_small = bool(task)
        assert any("the class small" in problem for problem in source.overview().problems) == some_are_small


def test_a_class_with_too_few_pictures_takes_no_part_and_is_not_counted(tmp_path: Path, class_folders: Folders,
                                                                        opened: Opener) -> None:
    class_folders(tmp_path, [*NAMES, *(f"small {i}" for i in range(30))], pictures=6)
    for path in tmp_path.glob("small*/0[2-5].png"):
        path.unlink()
    source = opened("image_folder", path=tmp_path, task={"ways": 2})
    found = sides(source)
    assert {side for name, side in found.items() if name.startswith("small")} == {""}
    overview = source.overview()
    assert sum(overview.classes.values()) == len(NAMES)
    assert sum(overview.examples.values()) == 6 * len(NAMES)
    assert any("the class small 0 has 2 readable pictures" in problem for problem in overview.problems)
    drawn = {name for index in range(50) for name in source.describe("test", index).class_names}
    assert drawn == {name for name, side in found.items() if side == "test" and name in NAMES}


def test_classes_with_too_few_pictures_give_their_places_up_to_those_with_enough(
        tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    for small in range(0, 40, 8):
        root = class_folders(tmp_path / str(small), NAMES[:15])
        class_folders(root, [f"small {i}" for i in range(small)], pictures=3)
        overview = opened("image_folder", path=root).overview()
        assert overview.classes == {"train": 5, "validation": 5, "test": 5}
        assert ("gave their places up" in overview.facts) == bool(small)


def test_smaller_shares_are_proposed_where_they_leave_too_few_classes_for_train(
        tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    class_folders(tmp_path, NAMES)
    with pytest.raises(DataError, match=r"leave 4 of 20 classes for train .*Set dataset\.validation_share to 0\.2 "
                                        r"and dataset\.test_share to 0\.2, or add classes"):
        opened("image_folder", path=tmp_path, validation_share=0.4, test_share=0.4)
    with pytest.raises(DataError, match=r"the train split holds 10 usable classes .* Set training\.ways to 10"):
        opened("image_folder", path=tmp_path, training={"ways": 12})


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


@pytest.mark.parametrize(("train", "validation", "test"), [("train", "val", "test"), ("Training", "Validation", "TEST"),
                                                           ("meta-train", "meta_val", "meta-test")])
def test_splits_given_by_the_folder_are_kept(*, tmp_path: Path, class_folders: Folders, opened: Opener, train: str,
                                             validation: str, test: str) -> None:
    for split, names in ((train, NAMES[:8]), (validation, NAMES[8:13]), (test, NAMES[13:])):
        class_folders(tmp_path / split, names)
    source = opened("image_folder", path=tmp_path)
    assert source.overview().form == "pictures by class, split in folders"
    assert sides(source) == {name: "train" if i < 8 else "validation" if i < 13 else "test"
                             for i, name in enumerate(NAMES)}


def test_a_split_that_the_folder_lacks_is_taken_out_of_train(tmp_path: Path, class_folders: Folders,
                                                             opened: Opener) -> None:
    class_folders(tmp_path / "train", NAMES[:14])
    class_folders(tmp_path / "test", NAMES[14:])
    source = opened("image_folder", path=tmp_path)
    assert sizes(source) == {"train": 9, "validation": 5, "test": 6}
    assert {name for name, side in sides(source).items() if side == "test"} == set(NAMES[14:])
    assert "validation taken out of train" in source.overview().facts


def test_folders_made_for_an_ordinary_classifier_are_put_together_and_split_by_class(
        tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    for split in ("train", "test"):
        class_folders(tmp_path / split, NAMES, pictures=3)
    source = opened("image_folder", path=tmp_path)
    assert sizes(source) == {"train": 10, "validation": 5, "test": 5}
    assert set(pictures(source).counts) == {6}
    overview = source.overview()
    assert "the classes were split anew" in overview.facts
    assert overview.problems == (
        f"20 of 20 classes are in more than one split: {', '.join(NAMES[:3])} and 17 more. The pictures of each were "
        "put together and all were split anew: by class, as a meta-learner is tested on classes that it never saw, or "
        "by example where dataset.held_out is examples, as an ordinary classifier is tested",)


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


def test_a_class_that_strayed_into_two_splits_stays_in_the_first(tmp_path: Path, class_folders: Folders,
                                                                 opened: Opener) -> None:
    for split, names in (("train", NAMES[:10]), ("val", NAMES[10:15]), ("test", [*NAMES[15:], NAMES[0]])):
        class_folders(tmp_path / split, names)
    source = opened("image_folder", path=tmp_path)
    assert sides(source)[NAMES[0]] == "train"
    assert any("class 00 is in train and in test" in problem for problem in source.overview().problems)


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


def test_whole_alphabets_are_held_out_together(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    for alphabet in ("Greek", "Latin", "Runes", "Ogham"):
        class_folders(tmp_path / "characters" / alphabet, [f"character{i}" for i in range(6)])
    source = opened("image_folder", path=tmp_path)
    assert source.overview().form == "pictures by class, in groups such as alphabets"
    by_alphabet: dict[str, set[str]] = {}
    for name, side in sides(source).items():
        by_alphabet.setdefault(name.split("/")[0], set()).add(side)
    assert sorted(by_alphabet) == ["Greek", "Latin", "Ogham", "Runes"]
    assert sorted(side for (side,) in by_alphabet.values()) == ["test", "train", "train", "validation"]


def test_two_alphabets_are_too_few_to_hold_out_and_it_is_said(tmp_path: Path, class_folders: Folders,
                                                              opened: Opener) -> None:
    for alphabet in ("Greek", "Latin"):
        class_folders(tmp_path / alphabet, [f"character{i}" for i in range(9)])
    source = opened("image_folder", path=tmp_path)
    assert sizes(source) == {"train": 8, "validation": 5, "test": 5}
    assert "too few groups to hold out whole ones" in source.overview().facts


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


@pytest.mark.parametrize(("count", "ways", "message"), [
    (8, 5, r"holds 8 classes.*15 are needed.*Set task\.ways to 2, or add classes"),
    (14, 5, r"Set task\.ways to 4, or add classes"),
    (5, 5, r"Even 2-way tasks need more: add folders of pictures.*; or set dataset\.held_out to examples, to train"),
    (3, 5, r"or set dataset\.held_out to examples and task\.ways to 3, to train"),
    (1, 5, r"holds one class"),
])
def test_too_few_classes_are_counted_and_the_ways_that_fit_proposed(
        *, tmp_path: Path, class_folders: Folders, opened: Opener, count: int, ways: int, message: str) -> None:
    class_folders(tmp_path / "all", NAMES[:count])
    with pytest.raises(DataError, match=message):
        opened("image_folder", path=tmp_path / "all", task={"ways": ways}, training={"ways": ways})


def test_the_ways_that_are_proposed_do_work(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    class_folders(tmp_path, NAMES[:8])
    assert sizes(opened("image_folder", path=tmp_path, task={"ways": 2})) == {"train": 4, "validation": 2, "test": 2}
    turned = opened("image_folder", path=tmp_path, rotations=True)
    assert turned.sample("test", [0]).support.inputs.shape[1] == 5


def test_examples_held_out_do_where_classes_are_too_few(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    class_folders(tmp_path, NAMES[:3], pictures=30)
    source = opened("image_folder", path=tmp_path, held_out="examples", task={"ways": 3})
    assert source.sample("test", [0]).support.inputs.shape[1] == 3


def test_too_few_pictures_are_told_from_too_few_classes(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    class_folders(tmp_path, NAMES, pictures=4)
    for task, training, remedy in (
        ({}, {}, r"none of them with the 6 pictures that 1 \+ 5 .*Set task\.queries to 3, or add pictures"),
        ({"queries": 2}, {"shots": 10}, r"none of them with the 12 pictures .*Set training\.shots to 2, or add"),
        ({}, {"shots": 10}, r"Add pictures, or lower shots, queries and ways together"),
    ):
        with pytest.raises(DataError, match=remedy):
            opened("image_folder", path=tmp_path, task=task, training=training)
    assert sum(sizes(opened("image_folder", path=tmp_path, task={"queries": 3})).values()) == 20


def test_too_few_classes_in_a_given_split_are_named(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    for split, names in (("train", NAMES[:10]), ("val", NAMES[10:13]), ("test", NAMES[13:])):
        class_folders(tmp_path / split, names)
    with pytest.raises(DataError, match=r"validation folder holds 3 usable classes .* 5\. Set task\.ways to 3"):
        opened("image_folder", path=tmp_path)


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


def drawn_classes(data: st.DataObject, count: int) -> list[ClassFolder]:
    groups = data.draw(st.lists(st.integers(0, 6), min_size=count, max_size=count))
    given_splits = data.draw(st.sampled_from([("",), ("train",), ("train", "test"), ("train", "validation", "test")]))
    return [ClassFolder(f"{group}/{i}", given_splits[i % len(given_splits)], str(group), ())
            for i, group in enumerate(groups)]


@settings(deadline=None, max_examples=100)
@given(count=st.integers(2, 40), ways=st.integers(2, 8), seed=st.integers(0, 2**31 - 1), data=st.data())
def test_every_split_gets_the_classes_that_its_tasks_need_or_the_lack_is_named(
        count: int, ways: int, seed: int, data: st.DataObject) -> None:
    classes = drawn_classes(data, count)
    config = ImageFolderConfig(validation_share=data.draw(st.floats(0.01, 0.33)),
                               test_share=data.draw(st.floats(0.01, 0.33)), split_seed=seed)
    task = TaskConfig(ways=ways)
    try:
        split = plan_splits(classes, np.full(count, 6), config, Shapes(task, task), "pictures").split
    except DataError:
        assert count < ways * 3 or classes[1].split != classes[0].split
        return
    assert len(split) == count
    assert all(split.count(side) >= ways for side in ("train", "validation", "test"))
    assert all(one.split in (side, "", "train") for one, side in zip(classes, split, strict=True))


@settings(deadline=None, max_examples=100)
@given(count=st.integers(10, 60), ways=st.integers(2, 5), data=st.data())
def test_no_class_changes_sides_with_shots_queries_pictures_or_the_order_of_folders(
        count: int, ways: int, data: st.DataObject) -> None:
    classes = drawn_classes(data, count)
    config = ImageFolderConfig(split_seed=data.draw(st.integers(0, 9)))
    found: list[dict[str, str]] = []
    for _ in range(4):
        shape = st.builds(lambda shots, queries: TaskConfig(ways=ways, shots=shots, queries=queries),
                          st.integers(1, 8), st.integers(1, 8))
        counts = np.array(data.draw(st.lists(st.integers(0, 40), min_size=count, max_size=count)))
        order = data.draw(st.permutations(classes))
        try:
            plan = plan_splits(order, counts, config, Shapes(data.draw(shape), data.draw(shape)), "pictures")
        except DataError:
            continue
        if "classes with too few pictures gave their places up" not in plan.notes:
            found.append({one.name: side for one, side in zip(order, plan.split, strict=True)})
    assert all(other == found[0] for other in found)


@settings(deadline=None, max_examples=100)
@given(count=st.integers(6, 60), seed=st.integers(0, 99), validation=st.floats(0.01, 0.8), test=st.floats(0.01, 0.8))
def test_held_out_classes_only_grow_with_the_ways(count: int, seed: int, validation: float, test: float) -> None:
    classes = [ClassFolder(f"{i}", "", f"{i}", ()) for i in range(count)]
    before: set[int] = set()
    for ways in range(2, 9):
        try:
            split, _ = share_out(classes, ways, Shares(validation, test, seed))
        except DataError:
            return
        held = {i for i, side in enumerate(split) if side != "train"}
        assert before <= held
        before = held


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
