"""New tasks: pictures and tables as a trained learner takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from workbench.tasks.base import Spec
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.own.new_task import read_new_task, usual_spec, why_new_task
from workbench.tasks.own.ready_made import part_files

Folders = Callable[..., Path]
Writer = Callable[..., Path]

PHOTOS = Spec("classification", "image", (3, 12, 12), 5, (0.5, 0.4, 0.3), (0.2, 0.25, 0.5))
DRAWINGS = Spec("classification", "image", (1, 28, 28), 5, background="dark")
WAVES = Spec("regression", "vector", (1,), 1)


@pytest.mark.parametrize("place", ["", "unlabelled", "Unlabeled", "query", "predict"])
def test_labelled_and_unlabelled_pictures_are_told_apart(tmp_path: Path, class_folders: Folders, write_picture: Writer,
                                                         place: str) -> None:
    class_folders(tmp_path, ["b", "a", "c"], pictures=2)
    for i in range(4):
        write_picture(tmp_path / place / f"q{i}.png", i)
    task = read_new_task(tmp_path, PHOTOS)
    assert task.class_names == ("a", "b", "c")
    assert task.support.targets.tolist() == [0, 0, 1, 1, 2, 2]
    assert task.support.inputs.shape == (6, 3, 12, 12)
    assert task.query_inputs.shape == (4, 3, 12, 12)
    assert task.query_inputs.dtype == torch.float32
    assert task.query_names == tuple(f"{place}/q{i}.png".removeprefix("/") for i in range(4))
    assert not task.problems
    assert bool(why_new_task(tmp_path)) == bool(place)


def test_ready_made_support_and_query_folders_are_read(tmp_path: Path, class_folders: Folders,
                                                       write_picture: Writer) -> None:
    class_folders(tmp_path / "support", ["cat", "dog"], pictures=3)
    write_picture(tmp_path / "query" / "1.png")
    task = read_new_task(tmp_path, PHOTOS)
    assert task.class_names == ("cat", "dog")
    assert task.query_names == ("query/1.png",)


def test_pictures_are_normalized_as_the_learner_was_trained(tmp_path: Path) -> None:
    for name, tone in (("a/1.png", 255), ("b/1.png", 0), ("q.png", 51)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (9, 9), tone).save(tmp_path / name)
    task = read_new_task(tmp_path, PHOTOS)
    assert task.support.inputs[0, :, 0, 0].tolist() == pytest.approx([2.5, 2.4, 1.4])
    assert task.query_inputs[0, :, 5, 5].tolist() == pytest.approx([-1.5, -0.8, -0.2])


def stroke(path: Path, paper: int, ink: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (60, 60), paper)
    ImageDraw.Draw(image).line((10, 10, 50, 50), fill=ink, width=6)
    image.save(path)


def test_ink_on_paper_is_inverted_for_a_learner_that_knows_light_on_black(tmp_path: Path) -> None:
    for name, paper in (("paper", 255), ("slate", 0)):
        stroke(tmp_path / name / "1.png", paper, 255 - paper)
    stroke(tmp_path / "q.png", 230, 20)
    task = read_new_task(tmp_path, DRAWINGS)
    assert task.inverted
    assert torch.allclose(task.support.inputs[0], task.support.inputs[1], atol=0.02)
    assert task.query_inputs[0, 0, 0, 0] < 0.2
    assert task.query_inputs[0, 0, 14, 14] > 0.8
    as_is = read_new_task(tmp_path, Spec("classification", "image", (1, 28, 28), 5))
    assert not as_is.inverted
    assert as_is.query_inputs[0, 0, 0, 0] > 0.8


def test_broken_pictures_are_named_and_left_out(tmp_path: Path, class_folders: Folders, write_picture: Writer) -> None:
    class_folders(tmp_path, ["a", "b"], pictures=2)
    (tmp_path / "a" / "00.png").write_bytes(b"")
    write_picture(tmp_path / "unlabelled" / "1.png")
    (tmp_path / "unlabelled" / "2.png").write_text("words")
    (tmp_path / "notes.txt").write_text("words")
    task = read_new_task(tmp_path, PHOTOS)
    assert task.support.targets.tolist() == [0, 1, 1]
    assert task.query_names == ("unlabelled/1.png",)
    assert [problem.split(" ")[0] for problem in task.problems] == ["1", "a/00.png", "unlabelled/2.png"]


def test_what_a_folder_lacks_to_be_a_task_is_said(tmp_path: Path, class_folders: Folders,
                                                  write_picture: Writer) -> None:
    def fails(folder: Path, message: str) -> None:
        with pytest.raises(DataError, match=message):
            read_new_task(folder, PHOTOS)

    fails(tmp_path / "nowhere", "there is no folder")
    write_picture(tmp_path / "loose" / "1.png")
    fails(tmp_path / "loose", "holds no class folders; put a few labelled pictures of each class into a folder")
    class_folders(tmp_path / "one", ["a"])
    fails(tmp_path / "one", "holds no pictures to predict; put some into it")
    write_picture(tmp_path / "one" / "1.png")
    fails(tmp_path / "one", "readable pictures of 1 class and a task needs two or more")
    class_folders(tmp_path / "two", ["a", "b"])
    (tmp_path / "two" / "1.png").write_bytes(b"")
    fails(tmp_path / "two", r"none of the 1 picture to predict in .* can be read: 1\.png is empty")


@pytest.mark.parametrize(("support", "query"), [
    ("x,y\n1,2\n3,4\n", "x\n5\n6\n"), ("1,2\n3,4", "5\n6"), ("\ufeffx;y\r\n1,0;2,0\r\n3;4\r\n\r\n", "x\r\n5\r\n6\r\n"),
    ("x\ty\n1\t2\n3\t4e0\n", " 5 \n\n6\n")])
def test_tables_are_read_with_a_header_or_without_and_as_spreadsheets_write_them(
        tmp_path: Path, support: str, query: str) -> None:
    (tmp_path / "support.csv").write_text(support, encoding="utf8")
    (tmp_path / "query.csv").write_text(query, encoding="utf8")
    task = read_new_task(tmp_path, WAVES)
    assert task.support.inputs.tolist() == [[1], [3]]
    assert task.support.targets.tolist() == [[2], [4]]
    assert task.query_inputs.tolist() == [[5], [6]]
    assert task.class_names == ()
    assert usual_spec(tmp_path).input_shape == (1,)


@pytest.mark.parametrize(("support", "query"), [
    ("Support.csv", "Query.csv"), ("SUPPORT.CSV", "query.csv"), ("support.tsv", "query.tsv"),
    ("support.csv", "Query.tab")])
def test_files_of_a_task_are_found_in_capitals_and_with_any_suffix_of_tables(tmp_path: Path, support: str, query: str
                                                                             ) -> None:
    (tmp_path / support).write_text("x\ty\n1\t2\n3\t4\n5\t7\n")
    (tmp_path / query).write_text("x\n5\n6\n")
    assert {part: path.name for part, path in part_files(tmp_path).items()} == {"support": support, "query": query}
    assert why_new_task(tmp_path) == "it holds labelled examples and others to predict"
    assert read_new_task(tmp_path, WAVES).query_names == (f"{query}, line 2", f"{query}, line 3")
    report = check_data(tmp_path)
    assert (report["form"], report["usable"], report["examples"], report["problems"]) == ("new task", True, 5, [])
    (tmp_path / support).unlink()
    assert check_data(tmp_path)["problems"] == [
        f"{tmp_path} holds no support.csv; a new task for this learner is a support.csv with inputs and targets and a "
        "query.csv with inputs"]


def test_of_several_files_of_a_part_one_is_taken_and_others_than_files_of_examples_are_none(tmp_path: Path) -> None:
    for name in ("support.tsv", "support.csv", "support.md", "query.png", "supports.csv", "a/query.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert part_files(tmp_path) == {"support": tmp_path / "support.csv"}
    assert part_files(tmp_path, frozenset({".tsv"})) == {"support": tmp_path / "support.tsv"}


def test_the_lines_of_a_query_table_are_named_as_an_editor_counts_them(tmp_path: Path) -> None:
    (tmp_path / "support.csv").write_text("1,2\n")
    (tmp_path / "query.csv").write_text("x\n5\n\n6\n")
    assert read_new_task(tmp_path, WAVES).query_names == ("query.csv, line 2", "query.csv, line 4")


@pytest.mark.parametrize(("support", "query", "message"), [
    ("x,y\n1,2\n3,four\n", "5\n", r"support\.csv, line 3: 'four' in column 2 is no number; correct it"),
    ("1,2\n3,nan\n", "5\n", r"support\.csv, line 2: 'nan' in column 2 is no number"),
    ("1,2\n3\n", "5\n", r"support\.csv, line 2: 1 cell where the first row has 2"),
    ("1,2,3\n", "5\n", r"support\.csv has 3 columns and this learner needs 2: 1 of inputs and 1 of targets"),
    ("1,2\n", "5,6\n", r"query\.csv has 2 columns and this learner needs 1: the inputs alone"),
    ("x,y\n", "5\n", r"support\.csv holds no numbers"),
    ("1,2\n", None, r"holds no query\.csv; a new task for this learner is a support\.csv"),
])
def test_a_table_that_will_not_do_is_named_with_the_line(tmp_path: Path, support: str, query: str | None,
                                                         message: str) -> None:
    (tmp_path / "support.csv").write_text(support)
    if query is not None:
        (tmp_path / "query.csv").write_text(query)
    with pytest.raises(DataError, match=message):
        read_new_task(tmp_path, WAVES)


def test_tables_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "support.csv").write_bytes(b"1,2\x00\n")
    with pytest.raises(DataError, match=r"support\.csv holds bytes that are no text; save it as CSV in UTF-8"):
        read_new_task(tmp_path, WAVES)
    with pytest.raises(DataError, match="vectors that belong to classes cannot be read"):
        read_new_task(tmp_path, Spec("classification", "vector", (3,), 2))
