"""Pictures whose labels stand in lists, as mini-ImageNet comes, and lists that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data

Writer = Callable[..., Path]
Opener = Callable[..., TaskSource]

SPLITS = {"train": 6, "val": 5, "test": 5}


@pytest.fixture
def listed_pictures(tmp_path: Path, write_picture: Writer) -> Path:
    number = 0
    for split, classes in SPLITS.items():
        lines = ["filename,label"]
        for one in range(classes):
            for _ in range(6):
                number += 1
                write_picture(tmp_path / "images" / f"n{number:04}.png", number)
                lines.append(f"n{number:04}.png,{split} kind {one}")
        (tmp_path / f"{split}.csv").write_text("\n".join(lines))
    return tmp_path


def test_the_lists_of_mini_imagenet_are_honoured(listed_pictures: Path, opened: Opener) -> None:
    recognized = recognize_data(listed_pictures)
    assert (recognized.dataset, recognized.form) == ("image_folder", "pictures with a list")
    source = opened("image_folder", path=listed_pictures)
    assert source.overview().form == "pictures with a list"
    assert not source.overview().problems
    for split, name in (("train", "train"), ("val", "validation"), ("test", "test")):
        assert source.names(name) == {f"{split} kind {one}" for one in range(SPLITS[split])}
    assert source.describe("test", 0).support_files[0].startswith("images/n")
    report = check_data(listed_pictures)
    assert (report["form"], report["classes"], report["examples"]) == ("pictures with a list", 16, 96)
    assert report["usable"]
    assert report["problems"] == []


def test_one_list_with_or_without_a_column_of_splits(listed_pictures: Path, opened: Opener) -> None:
    rows = [(split, line) for split in SPLITS
            for line in (listed_pictures / f"{split}.csv").read_text().splitlines()[1:]]
    for split in SPLITS:
        (listed_pictures / f"{split}.csv").unlink()
    path = listed_pictures / "labels.tsv"
    path.write_text("\n".join(["image\tclass\tset", *(f"images/{line}\t{split}".replace(",", "\t")
                                                      for split, line in rows)]))
    assert opened("image_folder", path=listed_pictures).names("test") == {f"test kind {one}" for one in range(5)}
    path.write_text("\n".join(["image,class", *(line.replace(".png", "") for _, line in rows)]))
    source = opened("image_folder", path=listed_pictures)
    assert sum(source.overview().classes.values()) == 16
    assert source.names("test") != {f"test kind {one}" for one in range(5)}


def test_a_list_without_a_split_beside_others_goes_to_train(listed_pictures: Path, write_picture: Writer,
                                                            opened: Opener) -> None:
    lines = ["filename,label"]
    for take in range(6):
        write_picture(listed_pictures / "images" / f"new{take}.png", 500 + take)
        lines.append(f"new{take}.png,new kind")
    (listed_pictures / "more.csv").write_text("\n".join(lines))
    source = opened("image_folder", path=listed_pictures)
    assert source.names("train") == {*(f"train kind {one}" for one in range(6)), "new kind"}
    assert source.names("test") == {f"test kind {one}" for one in range(5)}
    assert source.overview().problems == (
        "no split is given for 6 of 102 pictures, of the class new kind; they count for the split of their class, or "
        "for train where it has none",)


def test_what_is_wrong_with_a_list_is_named(listed_pictures: Path, write_picture: Writer, opened: Opener) -> None:
    with (listed_pictures / "train.csv").open("a") as file:
        file.write("\nn9999.png,train kind 0\nn0001.png,train kind 1\nn0002.png\n,train kind 1\n")
    write_picture(listed_pictures / "images" / "extra.png")
    (listed_pictures / "images" / "n0003.png").write_bytes(b"")
    source = opened("image_folder", path=listed_pictures, task={"queries": 4})
    assert source.overview().problems == (
        "train.csv, line 40: the file or the label is missing; write it or delete the line",
        "train.csv, line 41: the file or the label is missing; write it or delete the line",
        "train.csv, line 38: there is no picture n9999.png; put it into images/ or delete the line",
        "train.csv, line 39: n0001.png stands at train.csv, line 2 as train kind 0 already; delete one of the lines",
        "1 picture stands in no list and was left out: images/extra.png",
        "images/n0003.png is empty (0 bytes); replace or delete it")


def test_labels_in_every_list_are_split_anew(listed_pictures: Path, opened: Opener) -> None:
    lines = [line for split in SPLITS for line in (listed_pictures / f"{split}.csv").read_text().splitlines()[1:]]
    for index, split in enumerate(SPLITS):
        (listed_pictures / f"{split}.csv").write_text("\n".join(["filename,label", *lines[index::3]]))
    overview = opened("image_folder", path=listed_pictures).overview()
    assert sum(overview.classes.values()) == 16
    assert "the classes were split anew" in overview.facts


def test_a_table_that_names_no_picture_is_no_list(tmp_path: Path, write_picture: Writer, opened: Opener) -> None:
    for one in range(15):
        for take in range(6):
            write_picture(tmp_path / f"class {one}" / f"{take}.png", 10 * one + take)
    (tmp_path / "notes.csv").write_text("file,label\nreport.pdf,old\n")
    source = opened("image_folder", path=tmp_path)
    assert source.overview().form == "pictures by class"
    assert source.overview().problems == ("1 file is no picture and was left out: notes.csv",)


def test_lists_whose_pictures_are_gone_say_so(listed_pictures: Path, opened: Opener) -> None:
    for path in sorted((listed_pictures / "images").iterdir())[1:]:
        path.unlink()
    with pytest.raises(DataError, match="will not do"):
        opened("image_folder", path=listed_pictures)
    report = check_data(listed_pictures)
    assert not report["usable"]
    assert any("there is no picture n0002.png" in problem for problem in report["problems"])
