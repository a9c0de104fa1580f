"""Ready-made picture tasks: used as they are, and what is missing is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from workbench.tasks.base import STREAMS, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Listing
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.own.new_task import read_new_task
from workbench.tasks.own.ready_made import Place, placed_at
from workbench.tasks.picture_tasks import PictureTasks

Folders = Callable[..., Path]
Writer = Callable[..., Path]
Opener = Callable[..., TaskSource]
FITS = {"ways": 3, "shots": 2, "queries": 3}


def ready_made(root: Path, class_folders: Folders, tasks: int = 6, queries: int = 3, first: int = 0) -> Path:
    for number in range(first, first + tasks):
        names = [f"{letter}{number}" for letter in "abc"]
        class_folders(root / f"task {number}" / "support", names, pictures=2)
        class_folders(root / f"task {number}" / "query", names, pictures=queries)
    return root


@pytest.mark.parametrize(("name", "place"), [
    ("t/support/cat/1.png", Place("t", "", True, "cat")),
    ("t/query/cat/1.png", Place("t", "", False, "cat")),
    ("train/t/Support/big cat/1.png", Place("t", "train", True, "big cat")),
    ("mine/t/query/a/b/1.png", Place("mine/t", "", False, "a/b")),
    ("t/support/1.png", Place("t", "", True, "")), ("t/unlabelled/1.png", Place("t", "", False, "")),
    ("support/cat/1.png", None), ("query/1.png", None), ("cat/1.png", None)])
def test_a_picture_stands_where_its_folders_say(name: str, place: Place | None) -> None:
    assert placed_at(FileEntry(name, 0, 0, 0)) == place


def test_each_task_has_its_own_support_and_queries(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    root = ready_made(tmp_path, class_folders)
    report = check_data(root)
    assert (report["form"], report["dataset"]) == ("ready-made picture tasks", "picture_tasks")
    assert report["experiment"] == {f"task.{name}": value for name, value in FITS.items()}
    assert (report["tasks"], report["classes"]) == ({"train": 4, "validation": 1, "test": 1}, 18)
    assert report["problems"] == []
    source = opened("picture_tasks", path=root, task=FITS)
    for stream in STREAMS:
        about, batch = source.describe(stream, 0), source.sample(stream, [0])
        assert {"/".join(file.split("/")[:2]) for file in about.support_files} == {f"{about.title}/support"}
        assert len(set(about.query_files)) == 9
        for file, label in zip(about.query_files, batch.query.targets[0].tolist(), strict=True):
            assert file.split("/")[2] == about.class_names[label]
        assert batch.support.inputs.shape == (1, 6, 3, 16, 16)
    assert source.overview().samples is not None
    assert source.floors()[0].tasks == 1


def test_folders_of_splits_are_honoured(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    for number, split in enumerate(("train", "val", "test")):
        ready_made(tmp_path / split, class_folders, tasks=2, first=2 * number)
    source = opened("picture_tasks", path=tmp_path, task=FITS)
    assert source.overview().tasks == {"train": 2, "validation": 2, "test": 2}
    assert not any("taken out of train" in fact for fact in source.overview().facts.split(" · "))


def test_a_task_in_several_splits_is_trained_on_alone_and_named(tmp_path: Path, class_folders: Folders,
                                                                opened: Opener) -> None:
    for number, split in enumerate(("train", "val", "test")):
        ready_made(tmp_path / split, class_folders, tasks=2, first=number)
    source = opened("picture_tasks", path=tmp_path, task=FITS)
    sides = {side: source.names(side) for side in ("train", "validation", "test")}
    assert sides == {"train": {"task 0", "task 1"}, "validation": {"task 2"}, "test": {"task 3"}}
    assert source.overview().problems == tuple(
        f"{name} is in {splits}; only its pictures in {first} were taken; give tasks that are different "
        "another name each" for name, splits, first in (
            ("task 1", "train and in validation", "train"), ("task 2", "validation and in test", "validation")))
    for index in range(2):
        assert all(file.startswith("train/") for file in source.describe("train", index).query_files)


@pytest.mark.parametrize("halves", [("support",), ("support", "query")])
def test_only_tasks_with_support_and_query_are_counted_however_many_there_are(tmp_path: Path,
                                                                              halves: tuple[str, ...]) -> None:
    files = tuple(FileEntry(f"t{task:05}/{half}/{name}/1.png", 0, 0, 0) for task in range(12_000) for half in halves
                  for name in "ab")
    found = PictureTasks.recognize(Listing(tmp_path, files, (), {}))
    assert (None if found is None else found.why) == (
        "12,000 folders hold support and query" if len(halves) == 2 else None)


def test_unlabelled_queries_cannot_be_trained_on_and_are_named(tmp_path: Path, class_folders: Folders,
                                                               write_picture: Writer) -> None:
    root = ready_made(tmp_path, class_folders)
    write_picture(root / "task 0" / "query" / "who.png")
    class_folders(root / "lonely" / "support", ["a", "b"], pictures=2)
    write_picture(root / "lonely" / "query" / "1.png")
    class_folders(root / "task 1" / "query", ["stranger"], pictures=2)
    (root / "task 2" / "support" / "a2" / "broken.png").write_bytes(b"")
    report = check_data(root)
    assert sum(report["tasks"].values()) == 6
    told = "\n".join(report["problems"])
    assert "2 pictures lie in no class folder of a support or a query" in told
    assert "lonely/query/1.png, task 0/query/who.png" in told
    assert "the task lonely has no labelled support of two classes or no labelled query of them" in told
    assert "task 1 has 2 queries of stranger and no support of it; they were left out" in told
    assert "task 2/support/a2/broken.png is empty" in told
    assert recognize_data(root / "lonely").form == "new task"  # which a learner can adapt to


def test_where_no_query_is_labelled_both_parts_are_drawn_from_the_supports(
        tmp_path: Path, class_folders: Folders, write_picture: Writer, opened: Opener) -> None:
    for task in range(6):
        class_folders(tmp_path / f"t{task}" / "support", [f"a{task}", f"b{task}"], pictures=4)
        write_picture(tmp_path / f"t{task}" / "query" / "who.png")
    report = check_data(tmp_path)
    assert (report["form"], report["classes"], report["examples"]) == ("ready-made picture tasks", 12, 48)
    assert [one.split(",")[0] for one in report["problems"]] == ["the queries of no task are labelled"]
    source = opened("picture_tasks", path=tmp_path, task={"ways": 2, "shots": 2, "queries": 2})
    said = source.describe("test", 0)
    assert set(said.support_files).isdisjoint(said.query_files)
    assert {file.split("/")[1] for file in (*said.support_files, *said.query_files)} == {"support"}


def test_one_ready_made_task_is_no_folder_of_classes(tmp_path: Path, class_folders: Folders) -> None:
    report = check_data(ready_made(tmp_path, class_folders, tasks=1))
    assert (report["form"], report["dataset"], report["usable"]) == ("ready-made picture tasks", "picture_tasks", False)
    assert "holds one task" in report["problems"][0]
    assert report["problems"][0].endswith(f"or adapt a trained learner to {tmp_path}/task 0 itself")


def test_a_task_without_labels_is_a_new_task_for_its_learner(tmp_path: Path, class_folders: Folders,
                                                             write_picture: Writer, opened: Opener) -> None:
    source = opened("picture_tasks", path=ready_made(tmp_path / "all", class_folders), task=FITS)
    class_folders(tmp_path / "new" / "support", ["x", "y", "z"], pictures=2)
    write_picture(tmp_path / "new" / "query" / "1.png")
    task = read_new_task(tmp_path / "new", source.spec)
    assert task.class_names == ("x", "y", "z")
    assert task.query_inputs.shape == (1, 3, 16, 16)
    assert task.query_inputs.dtype == torch.float32


def test_pictures_by_class_are_left_to_their_own_dataset(tmp_path: Path, class_folders: Folders) -> None:
    assert recognize_data(class_folders(tmp_path, ["a", "b", "c"])).dataset == "image_folder"


def test_other_ways_and_no_tasks_are_said_with_the_remedy(tmp_path: Path, class_folders: Folders, opened: Opener
                                                          ) -> None:
    root = ready_made(tmp_path / "tasks", class_folders)
    with pytest.raises(DataError, match=r"tasks of 3 classes and training\.ways is 5; set task\.ways to 3"):
        opened("picture_tasks", path=root)
    with pytest.raises(DataError, match=r"holds no pictures in task/support/class"):
        opened("picture_tasks", path=class_folders(tmp_path / "plain", ["a", "b"]))
    with pytest.raises(DataError, match=r"6 [+] 9 pictures in support and query and 15 [+] 9 are needed"):
        opened("picture_tasks", path=root, task={"ways": 3, "shots": 5, "queries": 3})
