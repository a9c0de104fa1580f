"""Groups by a level of folders or a column: speakers, sessions and subjects are on one side of the split each."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.test_recordings import tone, write_wav
from workbench.tasks.base import SPLIT_NAMES, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.own.folders import ClassFolder, Shares
from workbench.tasks.own.groups import ANYWHERE, are_whole, counts_by_side, linked, sides_of

Opener = Callable[..., TaskSource]
Folders = Callable[..., Path]
SMALL = {"ways": 2, "shots": 1, "queries": 2}
WORDS, SPEAKERS = [f"word {i}" for i in range(9)], [f"speaker {i}" for i in range(6)]


def drawn(source: TaskSource) -> dict[str, set[str]]:
    """The files that each split's tasks are drawn from."""
    return {split: {file for index in range(80) for said in (source.describe(split, index),)
                    for file in (*said.support_files, *said.query_files)}
            for split in SPLIT_NAMES}  # type: ignore[arg-type]


def check_are_apart(source: TaskSource, at: dict[str, int]) -> None:
    """Words and speakers, at these places of the path, are in one split each."""
    for one, other in itertools.combinations(drawn(source).values(), 2):
        assert one
        assert other
        for place in at.values():
            assert {file.split("/")[place] for file in one}.isdisjoint(file.split("/")[place] for file in other)


def test_speakers_below_the_words_are_held_out_with_the_words(tmp_path: Path, opened: Opener) -> None:
    for (w, word), (s, speaker), take in itertools.product(enumerate(WORDS), enumerate(SPEAKERS), range(3)):
        write_wav(tmp_path / word / speaker / f"{take}.wav", tone(200 * (w + 1) + 20 * s + take, 0.1))
    source = opened("recordings", path=tmp_path, class_folder="top", group_folder="second", seconds=0.2, task=SMALL)
    check_are_apart(source, {"word": 0, "speaker": 1})
    assert "by the second folder 6 groups, each whole on one side: " in source.overview().facts


def test_words_below_speakers_are_one_class_by_name(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    for speaker in SPEAKERS:
        class_folders(tmp_path / speaker, WORDS, pictures=3)
    source = opened("image_folder", path=tmp_path, class_folder="name", group_folder="top", task=SMALL)
    assert sum(source.overview().classes.values()) == len(WORDS)
    check_are_apart(source, {"speaker": 0, "word": 1})
    whole = opened("image_folder", path=tmp_path, class_folder="name", task=SMALL)
    assert sum(whole.overview().examples.values()) == len(WORDS) * len(SPEAKERS) * 3
    own = opened("image_folder", path=tmp_path, task=SMALL)  # each speaker has classes of their own, held out together
    assert sum(own.overview().classes.values()) == len(WORDS) * len(SPEAKERS)
    check_are_apart(own, {"speaker": 0})


def test_examples_of_held_out_speakers_are_those_that_are_tested_on(tmp_path: Path, class_folders: Folders,
                                                                    opened: Opener) -> None:
    for speaker in SPEAKERS:
        class_folders(tmp_path / speaker, WORDS[:4], pictures=3)
    source = opened("image_folder", path=tmp_path, class_folder="name", group_folder="top", held_out="examples",
                    task=SMALL)
    check_are_apart(source, {"speaker": 0})
    assert all(count == 4 for count in source.overview().classes.values())


def test_a_level_that_is_not_there_is_said(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    class_folders(tmp_path, WORDS)
    with pytest.raises(DataError, match="the second folder has no values, and training, validation and testing need"):
        opened("image_folder", path=tmp_path, group_folder="second", held_out="examples", task=SMALL)
    opened("image_folder", path=tmp_path, group_folder="top", task=SMALL)


def test_a_column_of_subjects_is_no_channel_and_holds_series_out(tmp_path: Path, opened: Opener) -> None:
    rows = [f"{word},{speaker}," + ",".join(f"{np.sin(step * (w + 1) / 9 + take):.3f}" for step in range(16))
            for (w, word), speaker, take in itertools.product(enumerate(WORDS), SPEAKERS, range(3))]
    path = tmp_path / "moves.csv"
    path.write_text("\n".join([",".join(["label", "subject", *(f"t{step}" for step in range(16))]), *rows]) + "\n")
    bare = tmp_path / "bare" / "moves.csv"
    bare.parent.mkdir()
    bare.write_text("\n".join(rows) + "\n")
    of_line = {number: row.split(",")[:2] for number, row in enumerate(rows)}
    for place, named, first in ((path, "subject", 2), (bare, "2", 1)):
        source = opened("series", path=place, group=named, task=SMALL)
        assert source.spec.input_shape == (1, 16)
        found = [{tuple(of_line[int(file.rpartition(" ")[2]) - first]) for file in files}
                 for files in drawn(source).values()]
        for one, other in itertools.combinations(found, 2):
            assert {word for word, _ in one}.isdisjoint(word for word, _ in other)
            assert {speaker for _, speaker in one}.isdisjoint(speaker for _, speaker in other)
    with pytest.raises(DataError, match=r"has no column 'person' for the groups; its columns are: label, subject"):
        opened("series", path=path, group="person", task=SMALL)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), min_size=1, max_size=60), st.integers(0, 99))
def test_no_group_is_on_two_sides_and_linked_classes_belong_together(pairs: list[tuple[int, int]], seed: int) -> None:
    classes = [ClassFolder(f"{i}", "", f"{i}", ()) for i in range(10)]
    owners, groups = np.array([owner for owner, _ in pairs]), [f"g{group}" if group else "" for _, group in pairs]
    found = linked(classes, owners, groups)
    for (one, a), (other, b) in itertools.combinations(zip(owners.tolist(), groups, strict=True), 2):
        if a and a == b:
            assert found[one].group == found[other].group
    assert are_whole(found, ["train"] * 10)
    if len(set(groups) - {""}) < 3:
        with pytest.raises(DataError, match="training, validation and testing need one of their own each"):
            sides_of(groups, Shares(0.2, 0.2, seed), "the column x")
        return
    sides = sides_of(groups, Shares(0.2, 0.2, seed), "the column x")
    assert {group: len(set(sides[np.array(groups) == group])) for group in set(groups)} == dict.fromkeys(groups, 1)
    assert set(sides.tolist()) >= {0, 1, 2}
    free = np.bincount(owners[sides == ANYWHERE], minlength=10)
    assert (counts_by_side(owners, sides, 10).sum(0) == np.bincount(owners, minlength=10) + 2 * free).all()
