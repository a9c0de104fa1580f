"""Splits and groups of one table whose rows belong to classes: what is held out, and that training knows none of it."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.tables_of_classes import SMALL, found, sides, write
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.sampling.classes import ClassTasks

Opener = Callable[..., TaskSource]


def test_a_split_column_is_honoured_and_classes_may_be_in_test_alone(tmp_path: Path, opened: Opener) -> None:
    def side(one: int, _: int) -> str:
        return "train" if one < 6 else "val" if one < 9 else "Test"
    source = opened("table", path=write(tmp_path / "data.csv", extra={"split": side}), **SMALL)
    assert sides(source) == {f"kind {one:02}": {"train": "train", "val": "validation", "Test": "test"}[side(one, 0)]
                             for one in range(12)}
    assert source.spec.input_shape == (3,)
    assert "split by the column split" in source.overview().facts


def test_a_class_in_two_splits_goes_to_the_first_and_is_named(tmp_path: Path, opened: Opener) -> None:
    def side(one: int, place: int) -> str:
        return "test" if one == 0 and place < 3 else "train" if one < 6 else "val" if one < 9 else "test"
    source = opened("table", path=write(tmp_path / "data.csv", extra={"split": side}), **SMALL)
    assert sides(source)["kind 00"] == "train"
    assert found(source).counts.tolist() == [5] + [8] * 11
    assert source.overview().problems == ("the class kind 00 is in train and in test by the column split; only its "
                                          "rows in train were taken",)


def test_splits_with_the_same_classes_are_made_anew(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", each=20, extra={"split": lambda _, place: "test" if place < 2 else "train"})
    source = opened("table", path=path, **SMALL)
    assert "the classes were split anew" in source.overview().facts
    (problem,) = source.overview().problems
    assert problem.startswith("12 of 12 classes are in more than one split by the column split: kind 00, kind 01, kind "
                              "02 and 9 more. The rows of each were put together")
    assert set(sides(source).values()) == {"train", "validation", "test"}
    assert len(found(source).inputs) == 240
    held = opened("table", path=path, held_out="examples", **SMALL)
    assert "the column split was not gone by, as examples are held out" in held.overview().facts


def test_a_split_column_of_other_words_is_named(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"split": lambda one, _: f"fold{one % 3}"})
    source = opened("table", path=path, **SMALL)
    assert source.overview().problems == (
        "data.csv: the column split holds 'fold0', 'fold1', 'fold2', which is none of train, val and test, so it was "
        "left out and the classes were split anew",)
    assert source.spec.input_shape == (3,)


def test_groups_stay_on_one_side_and_are_no_feature(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"site": lambda one, _: f"site {one // 2}"})
    for seed in range(5):
        side = sides(opened("table", path=path, group="site", split_seed=seed, **SMALL))
        assert all(side[f"kind {one:02}"] == side[f"kind {one + 1:02}"] for one in range(0, 12, 2))
    assert opened("table", path=path, group="site", **SMALL).spec.input_shape == (3,)


def test_groups_that_share_a_class_stay_together(tmp_path: Path, opened: Opener) -> None:
    def site(one: int, place: int) -> str:
        return f"site {(one - place % 2) // 3}" if one % 3 else f"site {one // 3}"
    path = write(tmp_path / "data.csv", extra={"site": site})
    side = sides(opened("table", path=path, group="site", **SMALL))
    assert all(len({side[f"kind {3 * group + i:02}"] for i in range(3)}) == 1 for group in range(4))


@pytest.mark.parametrize("held_out", ["classes", "examples"])
def test_groups_that_cut_across_classes_are_held_out_all_the_same(tmp_path: Path, opened: Opener, held_out: str
                                                                  ) -> None:
    path = write(tmp_path / "data.csv", each=20, extra={"person": lambda _, place: f"person {place % 10}"})
    person = {f"data.csv, line {2 + row}": f"person {row // 12 % 10}" for row in range(240)}
    source = opened("table", path=path, group="person", held_out=held_out, **SMALL)
    drawn = {split: {(name, person[file]) for index in range(60) for said in (source.describe(split, index),)
                     for files in (said.support_files, said.query_files)
                     for name, file in zip(np.repeat(said.class_names, len(files) // 2), files, strict=True)}
             for split in ("train", "validation", "test")}
    for one, other in itertools.combinations(drawn, 2):
        assert {person for _, person in drawn[one]}.isdisjoint(person for _, person in drawn[other])
        assert {name for name, _ in drawn[one]}.isdisjoint(name for name, _ in drawn[other]) == (held_out == "classes")
    overview = source.overview()
    assert "by the column person 10 groups, each whole on one side: " in overview.facts
    assert sum(overview.examples.values()) == (8 * 12 + 2 * 4 + 2 * 4 if held_out == "classes" else 240)
    assert overview.problems == ()


def test_groups_that_leave_too_little_are_named_with_what_would_help(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"person": lambda _, place: f"person {place % 4}",
                                               "hand": lambda _, place: ["left", "right"][place % 2]})
    with pytest.raises(DataError, match=r"the column person cuts across the classes, so each split has only the rows "
                                        r"of its own groups, and the validation split holds 0 usable classes .* Set "
                                        r"task\.queries to 1, name another group"):
        opened("table", path=path, group="person", **SMALL)
    with pytest.raises(DataError, match=r"the column hand has 2 values, and training, validation and testing need one"):
        opened("table", path=path, group="hand", **SMALL)


def test_what_columns_tell_is_told_by_the_rows_of_training_alone(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"site": lambda one, _: f"site {one}"})
    source = opened("table", path=path, **SMALL)
    train = {f"site {name.removeprefix('kind ').lstrip('0') or '0'}" for name in source.names("train")}
    coded = {one["name"]: one for one in source.spec.reading["columns"]}
    assert set(coded["site"]["values"]) == train
    lines = path.read_text(encoding="utf-8").splitlines()
    masses = [float(line.split(",")[0]) for line in lines[1:] if line.split(",")[2] in train]
    path.write_text("\n".join([*lines, *[f",red,,{min(source.names('test'))}" for _ in range(3)]]) + "\n",
                    encoding="utf-8")
    mass = opened("table", path=path, **SMALL).spec.reading["columns"][0]
    assert mass["median"] == pytest.approx(statistics.median(masses))
    assert not mass["marks_missing"]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 50))
def test_classes_never_cross_splits_and_a_task_is_the_same_each_time(tmp_path_factory: pytest.TempPathFactory,
                                                                     seed: int, index: int) -> None:
    path = write(tmp_path_factory.mktemp("t") / "data.csv", 10, 6)
    said = {"dataset": {"name": "table", "path": path, "split_seed": seed}, "algorithm": {"name": "protonet"}, **SMALL}
    one, two = (find("dataset", "table")(resolve(said), torch.device("cpu")) for _ in range(2))  # type: ignore[call-arg]
    assert isinstance(one, ClassTasks)
    assert isinstance(two, ClassTasks)
    names = [one.names(split) for split in ("train", "validation", "test")]
    assert sum(map(len, names)) == len(frozenset.union(*names)) == 10
    described = one.describe("test", index)
    assert not set(described.support_files) & set(described.query_files)
    for mine, theirs in zip(one.sample("test", [index]), two.sample("test", [index]), strict=True):
        assert torch.equal(mine.inputs, theirs.inputs)
