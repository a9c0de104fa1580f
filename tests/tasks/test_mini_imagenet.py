"""mini-ImageNet from the lists of Ravi and Larochelle: found where it lies, split as listed, every gap named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from workbench import places
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.mini_imagenet import MiniImagenet
from workbench.tasks.sampling.classes import ClassTasks

Opener = Callable[..., TaskSource]
Maker = Callable[..., Path]
SIZES = {"train": 6, "val": 5, "test": 5}
FEW = {"shots": 1, "queries": 2}


@pytest.fixture
def mini(write_picture: Callable[..., Path]) -> Maker:
    """Writes the three lists and 4 pictures of each of 16 classes; pictures of a class have one colour."""
    def write(folder: Path, *, lists: str = "", nested: bool = False) -> Path:
        (folder / lists).mkdir(parents=True, exist_ok=True)
        number = 0
        for split, size in SIZES.items():
            lines = ["filename,label"]
            for _ in range(size):
                number += 1
                label = f"n{number:08}"
                for place in (2, 0, 3, 1):
                    name = f"{label}{place:08}.png"
                    lines.append(f"{name},{label}")
                    path = folder / "images" / (label if nested else "") / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.new("RGB", (90 + place, 84), (10 * number, 60 * place, 7)).save(path)
            # The official lists are in no order that one could rely on.
            shuffled = [lines[i + 1] for i in np.random.default_rng(0).permutation(len(lines) - 1)]
            (folder / lists / f"{split}.csv").write_text("\n".join([lines[0], *shuffled, ""]))
        return folder
    return write


def test_pictures_are_with_their_class_and_split_as_the_lists_say(tmp_path: Path, mini: Maker, opened: Opener) -> None:
    source = opened("mini_imagenet", path=mini(tmp_path), task=FEW)
    assert isinstance(source, ClassTasks)
    found = source.labelled
    assert found.inputs.shape == (64, 3, 84, 84)
    assert found.counts.tolist() == [4] * 16
    assert found.names == tuple(f"n{number:08}" for number in range(1, 17))
    assert found.split == ("train",) * 6 + ("validation",) * 5 + ("test",) * 5
    red = found.inputs[:, 0, 0, 0].reshape(16, 4)
    assert red.tolist() == [[10 * number] * 4 for number in range(1, 17)]
    assert all(file.startswith(found.names[i // 4]) for i, file in enumerate(found.files))
    assert [int(file[9:17]) * 60 for file in found.files] == found.inputs[:, 1, 0, 0].tolist()
    assert source.overview().classes == {"train": 6, "validation": 5, "test": 5}
    (problem,) = found.problems
    assert "64 pictures of 16 classes (6 in train.csv, 5 in val.csv, 5 in test.csv) can be read" in problem
    assert source.sample("test", [0]).query.inputs.shape == (1, 10, 3, 84, 84)


def test_it_is_found_where_others_put_it(tmp_path: Path, mini: Maker, opened: Opener) -> None:
    first = opened("mini_imagenet", path=mini(tmp_path / "a"), task=FEW)
    mini(places.datasets() / "mini_imagenet")
    mini(tmp_path / "b" / "mini-imagenet")
    mini(tmp_path / "c", lists="split", nested=True)
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "a")
    for path in (None, tmp_path / "b", tmp_path / "c", tmp_path / "packed.zip"):
        other = opened("mini_imagenet", path=path, task=FEW)
        assert torch.equal(first.labelled.inputs, other.labelled.inputs)  # type: ignore[attr-defined]
        assert first.labelled.names == other.labelled.names  # type: ignore[attr-defined]


def test_of_pictures_that_are_called_alike_the_first_is_taken(tmp_path: Path, mini: Maker, opened: Opener) -> None:
    images = mini(tmp_path) / "images"
    wanted = opened("mini_imagenet", path=tmp_path, task=FEW).labelled.inputs.clone()  # type: ignore[attr-defined]
    for place in ("b", "a", "z"):
        (images / place).mkdir()
        Image.new("RGB", (120, 120), (255, 255, 255)).save(images / place / "n0000000100000000.png")
    (images / "n0000000100000001.png").rename(images / "a" / "n0000000100000001.png")
    assert torch.equal(opened("mini_imagenet", path=tmp_path, task=FEW).labelled.inputs, wanted)  # type: ignore[attr-defined]


def test_it_says_exactly_what_to_put_where(tmp_path: Path, mini: Maker, opened: Opener) -> None:
    with pytest.raises(DataError, match=r"not complete in .*mini_imagenet: train\.csv, val\.csv and test\.csv are "
                                        r"missing; put .*twitter-research/meta-learning-lstm.*60,000 pictures.*folder "
                                        r"images beside them.*dataset\.path"):
        opened("mini_imagenet")
    (mini(tmp_path) / "images").rename(tmp_path / "pictures")
    with pytest.raises(DataError, match="the folder images beside its lists is missing; put"):
        opened("mini_imagenet", path=tmp_path)
    assert not MiniImagenet.downloadable
    with pytest.raises(DataError, match=r"mini-ImageNet cannot be downloaded by the program; put train\.csv"):
        MiniImagenet.download(tmp_path, lambda *_: None, lambda: False)


def test_pictures_that_are_missing_or_damaged_are_named_and_left_out(
        tmp_path: Path, mini: Maker, opened: Opener) -> None:
    images = mini(tmp_path) / "images"
    (images / "n0000000100000001.png").unlink()
    (images / "n0000000200000002.png").write_bytes(b"no picture")
    source = opened("mini_imagenet", path=tmp_path, task=FEW)
    assert isinstance(source, ClassTasks)
    assert source.labelled.counts.tolist() == [3, 3] + [4] * 14
    absent, broken, incomplete = source.labelled.problems
    assert absent.startswith("1 of 64 pictures that the lists name are not in")
    assert "n0000000100000001.png; put them there" in absent
    assert broken == "n0000000200000002.png is no picture, whatever its name says; replace or delete it"
    assert incomplete.startswith("62 pictures of 16 classes")
    shutil.rmtree(images)
    images.mkdir()
    with pytest.raises(DataError, match=r"images holds none of the 64 pictures that train\.csv, val\.csv, test\.csv"):
        opened("mini_imagenet", path=tmp_path)


@pytest.mark.parametrize(("text", "message"), [
    ("file,class\na.png,n1\n", r"test\.csv begins with the columns file, class and takes filename,label"),
    ("", r"test\.csv is empty"),
    ("filename,label\n", r"test\.csv names no pictures"),
    ("filename,label\nn0000001200000001.png,\n", r"test\.csv, line 2: a filename or a label is missing"),
    ("filename,label\nn0000001200000001.png,n00000012\nn0000001300000001.png\n", "line 3: a filename or a label"),
    ("filename,label\nn0000000100000001.png,n00000001\n", r"the class n00000001 is in train\.csv and in test\.csv"),
])
def test_a_list_that_will_not_do_is_named_with_its_line(tmp_path: Path, mini: Maker, opened: Opener, text: str,
                                                        message: str) -> None:
    (mini(tmp_path) / "test.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        opened("mini_imagenet", path=tmp_path)


def test_a_list_in_another_encoding_is_refused_and_a_mark_of_utf_8_is_not(
        tmp_path: Path, mini: Maker, opened: Opener) -> None:
    path = mini(tmp_path) / "test.csv"
    content = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + content)
    opened("mini_imagenet", path=tmp_path, task=FEW)
    path.write_bytes(content + b"\xff\xfe.png,n\xe9\n")
    with pytest.raises(DataError, match=r"test\.csv is not in UTF-8"):
        opened("mini_imagenet", path=tmp_path)


def test_it_is_recognized_by_its_lists_and_the_names_of_its_classes(tmp_path: Path, mini: Maker) -> None:
    found = recognize_data(mini(tmp_path / "a"))
    assert (found.dataset, found.settings) == ("mini_imagenet", {"path": str(tmp_path / "a")})
    report = check_data(tmp_path / "a")
    assert report["form"] == "mini-ImageNet"
    other = mini(tmp_path / "b")
    text = (other / "test.csv").read_text()
    (other / "test.csv").write_text(text.replace(",n", ",breed "))
    assert recognize_data(other).dataset != "mini_imagenet"


def test_it_is_decoded_once_and_again_when_a_picture_has_changed(tmp_path: Path, mini: Maker, opened: Opener) -> None:
    mini(tmp_path)
    opened("mini_imagenet", path=tmp_path, task=FEW)
    (cache,) = places.cache().rglob("*.safetensors")
    first = cache.stat().st_ino
    opened("mini_imagenet", path=tmp_path, task=FEW)
    assert cache.stat().st_ino == first
    Image.new("RGB", (120, 120), (255, 255, 255)).save(tmp_path / "images" / "n0000000100000000.png")
    changed = opened("mini_imagenet", path=tmp_path, task=FEW)
    assert changed.labelled.inputs[:4, 0, 0, 0].max() == 255  # type: ignore[attr-defined]
