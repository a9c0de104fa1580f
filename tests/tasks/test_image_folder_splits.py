"""Which classes of a folder of pictures are held out: none on two sides, and what is said where they are too few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.picture_folders import NAMES, pictures, sides, sizes
from workbench.experiment.experiment import TaskConfig
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.image_folder import ImageFolderConfig
from workbench.tasks.own.class_splits import Shapes, plan_splits
from workbench.tasks.own.folders import ClassFolder, Shares, share_out

Folders = Callable[..., Path]
Writer = Callable[..., Path]
Opener = Callable[..., TaskSource]


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


def test_a_class_that_strayed_into_two_splits_stays_in_the_first(tmp_path: Path, class_folders: Folders,
                                                                 opened: Opener) -> None:
    for split, names in (("train", NAMES[:10]), ("val", NAMES[10:15]), ("test", [*NAMES[15:], NAMES[0]])):
        class_folders(tmp_path / split, names)
    source = opened("image_folder", path=tmp_path)
    assert sides(source)[NAMES[0]] == "train"
    assert any("class 00 is in train and in test" in problem for problem in source.overview().problems)


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
