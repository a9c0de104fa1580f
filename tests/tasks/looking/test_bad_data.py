"""Data of every kind that will not do: the report is a sentence with the place and the remedy, never a fault."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.tasks.conftest import ordinary_user
from workbench.places import sample_tasks
from workbench.tasks.looking.check import check_data

Folders = Callable[..., Path]
Writer = Callable[..., Path]
ROWS = "".join(f"{n}.5,{n % 7},kind {n % 4}\n" for n in range(80))


@pytest.mark.parametrize(("name", "content", "sentence"), [
    ("a.csv", b"", "is empty; write a row with the names of the columns"),
    ("a.csv", b"a,b,kind\n", "has a header and no rows"),
    ("a.csv", ("a,b,kind\n" + ROWS.replace("kind 3", '"kind 3', 1)).encode(),
     "line 5: a quotation mark opens there that is never closed"),
    ("a.csv", bytes(range(256)) * 20, "is no text in UTF-8, UTF-16 or Windows-1252"),
    ("a.csv", b"PK\x03\x04" + bytes(99), "is a spreadsheet or a zip, whatever its name says"),
    ("a.csv", b"a,kind\n" + b"".join(b",k%d\n" % (n % 4) for n in range(80)), "no column of numbers or of few values"),
    ("a.csv", b"name,kind\n" + b"".join(b"n%d,k%d\n" % (n, n) for n in range(80)), "no column whose values repeat"),
    ("a.jsonl", b'{"text": "a b", "label": "x"}\n{"text": \n', "has no column of texts that are mostly different"),
    ("a.png", b"", "is one picture; name the folder that holds a folder of pictures for each class"),
    ("a.wav", b"RIFF", "is one recording; name the folder that holds a folder of recordings for each class"),
    ("a.npz", b"PK\x03\x04junk", "cannot be read (File is not a zip file); save it again"),
    ("a.zip", b"no zip", "is no whole zip (File is not a zip file); download or pack it again"),
    ("a.json", b"[" * 5000, "1 file ends in .json, which no dataset reads")])
def test_a_file_that_will_not_do_has_its_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    report = check_data(tmp_path / name)
    assert not report["usable"]
    assert sentence in report["problems"][0]
    assert name in report["problems"][0]
    assert json.loads(json.dumps(report)) == report


def test_arrays_of_objects_and_without_labels_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", x=np.array([{}] * 9, dtype=object), y=np.arange(9))
    np.savez(tmp_path / "bare.npz", x=np.zeros((9, 2)))
    assert "holds x of shape [9] and type object; save numbers" in check_data(tmp_path / "objects.npz")["problems"][0]
    assert "holds x of shape [9, 2] and type float64 and no y" in check_data(tmp_path / "bare.npz")["problems"][0]


def test_files_of_words_in_class_folders_are_no_series(tmp_path: Path) -> None:
    for one in "abc":
        (tmp_path / one).mkdir()
        (tmp_path / one / "1.csv").write_text("x\n" + "word\n" * 20)
    report = check_data(tmp_path)
    assert (report["form"], report["usable"]) == ("unknown", False)
    assert "a/1.csv has 'word' in line 2, column 1, which is no number" in report["problems"][0]


@pytest.mark.parametrize(("part", "says"), [
    ("query", "6 folders hold a query and no support, such as task 0; put a few labelled examples, in a folder for "
              "each class, into task 0/support"),
    ("support", "6 folders hold a support and no query, such as task 0; put what is to be predicted into task 0/query"),
])
def test_tasks_that_lack_a_part_are_no_groups_of_classes(tmp_path: Path, class_folders: Folders, part: str, says: str
                                                         ) -> None:
    for task in range(6):
        class_folders(tmp_path / f"task {task}" / part, ["a", "b", "c"])
    report = check_data(tmp_path)
    assert (report["form"], report["usable"]) == ("unknown", False)
    assert report["problems"] == [f"{tmp_path}: {says}"]


@pytest.mark.parametrize("below", ["", "a"])
def test_a_query_alone_is_told_where_its_support_belongs(tmp_path: Path, write_picture: Writer, below: str) -> None:
    write_picture(tmp_path / "query" / below / "1.png")
    report = check_data(tmp_path)
    assert (report["form"], report["usable"]) == ("new task", False)
    assert report["why"] == "it holds examples to predict, and no labelled ones"
    assert report["problems"] == [f"{tmp_path} holds no class folders; put a few labelled pictures of each class into "
                                  "the folder support/CLASS beside query"]


def test_a_support_alone_is_told_where_its_query_belongs(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path / "support", ["a", "b", "c"])
    report = check_data(tmp_path)
    assert (report["form"], report["usable"]) == ("new task", False)
    assert report["problems"] == [f"{tmp_path} holds no pictures to predict; put some into the folder query beside "
                                  "support"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are set in another way on Windows")
@pytest.mark.parametrize("sample", [
    "alphabets", "arrays", "assays", "calls", "gestures", "knots", "machines", "messages", "minerals", "ready_made",
    "shapes", "stations", "new_arrays", "new_machine"])
def test_data_that_may_not_be_read_say_so_whatever_their_form(open_folder: Path, sample: str) -> None:
    root = shutil.copytree(sample_tasks() / sample, open_folder / sample)
    for file in root.rglob("*.*"):
        file.chmod(0)
    with ordinary_user():
        report = check_data(root)
    assert not report["usable"]
    assert "give yourself the right to read it" in report["problems"][0]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are set in another way on Windows")
def test_a_zip_or_a_folder_of_pictures_that_may_not_be_read_says_so(open_folder: Path) -> None:
    path = Path(shutil.make_archive(str(open_folder / "z"), "zip", sample_tasks() / "minerals"))
    path.chmod(0)
    root = shutil.copytree(sample_tasks() / "knots", open_folder / "knots")
    (root / "images").chmod(0)
    with ordinary_user():
        assert check_data(path)["problems"] == [f"{path} may not be read; give yourself the right to read it"]
        (problem,) = check_data(root)["problems"]
    assert "none of them is there" in problem
    assert problem.endswith("images cannot be opened (Permission denied); give yourself the right to read it")


def test_ready_made_tasks_of_recordings_are_told_to_be_classes(tmp_path: Path) -> None:
    for task in range(4):
        for part in ("support", "query"):
            (tmp_path / f"task {task}" / part / "a").mkdir(parents=True)
            (tmp_path / f"task {task}" / part / "a" / "1.wav").write_bytes(b"RIFF")
    report = check_data(tmp_path)
    assert report["problems"] == [
        f"{tmp_path}: 4 folders hold support and query, and such tasks are read where they are pictures or tables; put "
        "the files of each class into one folder with its name instead"]


@pytest.mark.parametrize(("name", "remedy"), [
    ("a.xlsx", "save it as CSV in UTF-8"), ("a.txt", "put the texts of each class into a folder with the name of the "
                                                       "class"),
    ("a.mat", "save arrays x and y as .npz, with numpy.savez"), ("a.tgz", "unpack it and open the folder")])
def test_files_that_nobody_reads_are_told_how_to_save_them(tmp_path: Path, name: str, remedy: str) -> None:
    (tmp_path / name).write_bytes(b"words")
    (problem,) = check_data(tmp_path)["problems"]
    suffix = Path(name).suffix
    assert problem == f"{tmp_path} was not recognized: 1 file ends in {suffix}, which no dataset reads: {remedy}"


def test_of_files_that_nobody_reads_each_ending_is_counted(tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx", "c.mat", "notes"):
        (tmp_path / name).write_bytes(b"words")
    (problem,) = check_data(tmp_path)["problems"]
    assert problem.endswith("2 files end in .xlsx, 1 file has no ending, 1 file ends in .mat, which no dataset reads: "
                            "save them as CSV in UTF-8")


@pytest.mark.parametrize(("name", "content", "problem"), [
    ("a.xlsx", b"words", "data was not recognized: 1 file ends in .xlsx, which no dataset reads: save it as CSV"),
    ("a.csv", b"PK\x03\x04", "data/a.csv is a spreadsheet or a zip"),
    ("a.jsonl", b"{", "data/a.jsonl: 1 of 1 line is no object of JSON"),
    ("a.npz", b"PK", "data/a.npz holds Python objects, which could run anything")])
def test_the_place_of_data_is_said_once_whatever_it_is_called(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, problem: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data", name).write_bytes(content)
    report = check_data(Path("data"))
    assert (report["form"], report["usable"]) == ("unknown", False)
    assert report["problems"][0].startswith(problem)
    assert "data/" not in report["why"]


def test_tasks_that_will_not_do_say_what_else_is_wrong(tmp_path: Path) -> None:
    for task in range(6):
        for part in ("support", "query"):
            (tmp_path / f"t{task}").mkdir(exist_ok=True)
            (tmp_path / f"t{task}" / f"{part}.csv").write_text("a,b,y\n" + "1,2,3\n4,5,inf\n" * 4)
    (tmp_path / "t0" / "query.csv").write_text("a,c,y\n1,2,3\n")
    report = check_data(tmp_path, {"shots": 1, "queries": 1})
    assert not report["usable"]
    assert "t0/query.csv has other columns than most tables (a, b, y) and was left out" in report["problems"]
    assert (report["classes"], report["examples"]) == (0, 40)  # eight rows in each of the five that are whole


def test_tasks_of_pictures_that_will_not_do_are_counted_all_the_same(tmp_path: Path, class_folders: Folders) -> None:
    for task in range(2):
        for part in ("support", "query"):
            class_folders(tmp_path / f"t{task}" / part, ["oak", "elm", "fir"], pictures=2)
    report = check_data(tmp_path)
    assert not report["usable"]
    assert (report["classes"], report["examples"]) == (3, 24)


def test_a_pipe_is_no_data(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert "is neither a file nor a folder but a pipe or a device" in check_data(tmp_path / "a.csv")["problems"][0]


def test_pictures_that_are_all_the_same_are_nothing_to_learn_from(tmp_path: Path, write_picture: Writer) -> None:
    for one in range(90):
        write_picture(tmp_path / f"class {one // 6:02}" / f"{one}.png")
    report = check_data(tmp_path)
    assert (report["usable"], report["classes"], report["examples"]) == (False, 15, 90)
    assert "all 90 pictures are the same in what a learner sees of them" in report["problems"][0]


def test_columns_that_never_change_are_nothing_to_learn_from(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,kind\n" + "".join(f"1,2,kind {n % 18}\n" for n in range(216)))
    assert "a.csv: all 216 rows are the same" in check_data(tmp_path / "a.csv")["problems"][0]


@pytest.mark.parametrize(("row", "sentence"), [
    ("{0},5", "the target is 5 in each of the 900 rows, so there is nothing to predict; name another column in "
              "dataset.target"),
    ("7,{0}.5", "all rows are the same but for their targets")])
def test_tasks_with_nothing_to_predict_or_to_predict_from_are_refused(tmp_path: Path, row: str, sentence: str) -> None:
    rows = (f"u{n % 30}," + row.format(n % 71) for n in range(900))
    (tmp_path / "a.csv").write_text("\n".join(["user,x,y", *rows]))
    report = check_data(tmp_path / "a.csv")
    assert (report["form"], report["usable"]) == ("one long table with a task column", False)
    assert sentence in report["problems"][0]


@pytest.mark.parametrize("other", ["CAFE\u0301 AU LAIT", "caf\u00e9  au lait "])
def test_classes_that_are_called_alike_are_said_to_be(tmp_path: Path, other: str) -> None:
    names = ["caf\u00e9 au lait", other, "a", "A", *(f"kind {n}" for n in range(14))]
    rows = [{"text": f"some words {n} and more {7 * n}", "label": names[n % 18]} for n in range(216)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = check_data(tmp_path / "a.jsonl")
    assert (report["usable"], report["classes"]) == (True, 18)
    (problem,) = report["problems"]
    assert "are called the same but for case, spaces or how letters are composed" in problem
    assert repr(names[0]) in problem


def test_lists_whose_pictures_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("filename,label\n" + "".join(f"{n}.png,{n % 6}\n" for n in range(60)))
    (problem,) = check_data(tmp_path)["problems"]
    assert "train.csv lists pictures and none of them is there, such as 0.png; put them into images/" in problem


def test_pipes_and_folders_that_are_called_as_files_are_passed_over(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, [f"class {i:02}" for i in range(15)])
    os.mkfifo(tmp_path / "class 00" / "pipe.png")
    (tmp_path / "class 01" / "folder.png").mkdir()
    report = check_data(tmp_path)
    assert (report["usable"], report["classes"], report["examples"]) == (True, 15, 90)
    assert report["problems"] == ["class 00/pipe.png is a link to nothing or no file at all; delete or mend it"]


def test_labels_that_exist_only_in_test_are_said(tmp_path: Path, class_folders: Folders, write_picture: Writer) -> None:
    class_folders(tmp_path / "test", [f"class {i:02}" for i in range(15)])
    write_picture(tmp_path / "train" / "who.png")
    report = check_data(tmp_path)
    assert report["usable"]
    assert "there is no train folder, so the classes were split anew" in report["facts"]
    assert report["problems"][0].startswith("1 picture lies in no class folder and was left out: train/who.png")


def test_names_of_any_letters_are_no_trouble(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / 'a b [c] (d) \'e" 日本', [f"тест {i:02}\n" for i in range(15)])
    report = check_data(root)
    assert (report["usable"], report["classes"], report["problems"]) == (True, 15, [])
