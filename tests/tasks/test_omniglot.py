"""Omniglot: found wherever it lies, read alike from zips and folders, split without leaks."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from workbench import places
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.omniglot import VALIDATION_ALPHABETS, find_halves, read_omniglot
from workbench.tasks.sampling.classes import ClassTasks

Opener = Callable[..., TaskSource]
Maker = Callable[[Path], Path]
REAL = os.environ.get("WORKBENCH_OMNIGLOT")


def extracted(zips: Path, to: Path, deeper: str = "") -> Path:
    for path in zips.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(to / (path.stem if deeper else ""))
    return to


def test_zips_and_extracted_folders_give_the_same_characters(tmp_path: Path, miniature: Maker) -> None:
    zips = miniature(tmp_path / "zips")
    from_zips = read_omniglot(zips, "lake")
    assert from_zips.inputs.shape == (24 * 8, 1, 28, 28)
    assert from_zips.names[0] == "Greek/character01"
    assert from_zips.names[-1] == "Old Church Slavonic (Cyrillic)/character03"
    assert from_zips.files[0] == "images_background/Greek/character01/0001_01.png"
    for deeper in ("", "deeper"):
        folder = extracted(zips, tmp_path / f"folder{deeper}", deeper)
        from_folder = read_omniglot(folder, "lake")
        assert torch.equal(from_zips.inputs, from_folder.inputs)
        assert (from_zips.names, from_zips.files) == (from_folder.names, from_folder.files)


@pytest.mark.parametrize("below", ["", "python", "omniglot-py", "omniglot/python"])
def test_it_is_found_below_the_folder_that_is_named(tmp_path: Path, miniature: Maker, below: str) -> None:
    miniature(tmp_path / below)
    assert set(find_halves(tmp_path)) == {"images_background", "images_evaluation"}
    assert len(find_halves(tmp_path / below / "images_background.zip")) == 2


def test_it_is_looked_for_where_the_variable_says_and_then_where_downloads_go(
        tmp_path: Path, miniature: Maker, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"not complete in .*images_background\.zip and images_evaluation\.zip are "
                                        r"missing.*workbench data download omniglot.*brendenlake/omniglot"):
        opened("omniglot")
    miniature(places.datasets() / "omniglot")
    opened("omniglot", task={"ways": 2})
    monkeypatch.setenv("WORKBENCH_OMNIGLOT", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="elsewhere"):
        opened("omniglot")


def test_a_missing_half_is_named(tmp_path: Path, miniature: Maker) -> None:
    (miniature(tmp_path) / "images_evaluation.zip").unlink()
    with pytest.raises(DataError, match=r"images_evaluation\.zip is missing"):
        read_omniglot(tmp_path, "lake")


def test_a_damaged_zip_or_drawing_is_named_with_the_remedy(tmp_path: Path, miniature: Maker) -> None:
    path = miniature(tmp_path) / "images_background.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"images_background\.zip is damaged .*delete images_background\.zip and"):
        read_omniglot(tmp_path, "lake")
    scratched = bytearray(whole)
    scratched[whole.index(b"IDAT") + 4 : whole.index(b"IDAT") + 30] = bytes(26)
    path.write_bytes(scratched)
    with pytest.raises(DataError, match="is damaged"):
        read_omniglot(tmp_path, "lake")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images_background/Greek/character01/0001_01.png", b"no picture")
    with pytest.raises(DataError, match=r"0001_01\.png in .* is damaged"):
        read_omniglot(tmp_path, "lake")


def test_another_zip_of_the_same_name_is_refused(tmp_path: Path, miniature: Maker) -> None:
    path = miniature(tmp_path) / "images_background.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday/beach.jpg", b"")
    with pytest.raises(DataError, match=r"holds no drawings such as Greek/.*official images_background\.zip"):
        read_omniglot(tmp_path, "lake")
    file = io.BytesIO()
    Image.new("1", (50, 50)).save(file, "PNG")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images_background/Greek/character01/0001_01.png", file.getvalue())
    with pytest.raises(DataError, match="is 50×50 and a drawing of Omniglot is 105×105"):
        read_omniglot(tmp_path, "lake")


def test_ink_is_bright_on_black_and_scaled_as_pillow_scales(tmp_path: Path, miniature: Maker) -> None:
    pictures = read_omniglot(miniature(tmp_path), "lake")
    with zipfile.ZipFile(tmp_path / "images_background.zip") as archive:
        for row in (0, 9, 40):
            drawn = Image.open(io.BytesIO(archive.read(pictures.files[row]))).convert("L")
            expected = 255 - np.asarray(drawn.resize((28, 28), Image.Resampling.LANCZOS)).astype(int)
            assert np.abs(expected - pictures.inputs[row, 0].numpy()).max() <= 1
    assert pictures.inputs[0, 0, 0, 0] == 0
    assert pictures.inputs[0].max() == 255


def test_lake_tests_on_alphabets_never_seen_and_validates_on_the_named_ones(tmp_path: Path, miniature: Maker) -> None:
    pictures = read_omniglot(miniature(tmp_path), "lake")
    sides = dict(zip(pictures.names, pictures.split, strict=True))
    assert {name.split("/")[0]: side for name, side in sides.items()} == {
        "Greek": "train", "Latin": "train", "Tagalog": "validation", "Angelic": "test",
        "Old Church Slavonic (Cyrillic)": "test"}


def test_finn_shuffles_the_characters_of_all_alphabets_alike_for_every_seed(
        tmp_path: Path, miniature: Maker, opened: Opener) -> None:
    miniature(tmp_path)
    splits = [opened("omniglot", path=tmp_path, split="finn", seed=seed, task={"ways": 2}).labelled.split  # type: ignore[attr-defined]
              for seed in (0, 1)]
    assert splits[0] == splits[1]
    assert Counter(splits[0]) == {"train": 16, "validation": 1, "test": 7}


def test_an_incomplete_omniglot_is_said_to_be_one(tmp_path: Path, miniature: Maker) -> None:
    (problem,) = read_omniglot(miniature(tmp_path), "lake").problems
    assert "holds 24 characters and the official files 1,623" in problem


def test_rotations_are_classes_on_the_same_side_and_can_be_switched_off(
        tmp_path: Path, miniature: Maker, opened: Opener) -> None:
    miniature(tmp_path)
    turned = opened("omniglot", path=tmp_path, task={"ways": 20}, training={"ways": 20})
    assert isinstance(turned, ClassTasks)
    assert turned.spec.background == "dark"
    assert turned.spec.input_shape == (1, 28, 28)
    for index in range(10):
        names = turned.describe("validation", index).class_names
        assert len(set(names)) == 20
        assert {name.split("/")[0] for name in names} == {"Tagalog"}
    with pytest.raises(DataError, match="tasks of 20 ways need 20"):
        opened("omniglot", path=tmp_path, rotations=False, task={"ways": 20}, training={"ways": 20})


def test_it_is_decoded_once_and_again_when_a_file_has_changed(tmp_path: Path, miniature: Maker) -> None:
    miniature(tmp_path)
    read_omniglot(tmp_path, "lake")
    (cache,) = (places.cache() / "pictures").iterdir()
    first = cache.stat().st_ino
    read_omniglot(tmp_path, "finn")
    assert cache.stat().st_ino == first
    with zipfile.ZipFile(tmp_path / "images_background.zip", "a") as archive:
        archive.writestr("images_background/Greek/character07/0099_01.png",
                         archive.read("images_background/Greek/character01/0001_01.png"))
    assert len(read_omniglot(tmp_path, "lake").counts) == 25
    shutil.rmtree(places.cache())
    assert len(read_omniglot(tmp_path, "lake").counts) == 25


@pytest.mark.skipif(not REAL, reason="WORKBENCH_OMNIGLOT names no folder with the real Omniglot")
def test_the_real_omniglot_has_its_published_numbers(opened: Opener) -> None:
    assert REAL
    source = opened("omniglot", path=REAL)
    assert isinstance(source, ClassTasks)
    overview = source.overview()
    assert overview.classes == {"train": 883, "validation": 81, "test": 659}
    assert overview.facts == "1,623 characters · 20 drawings each · 28×28"
    assert not overview.problems
    names, split = source.labelled.names, source.labelled.split
    validation = {name.split("/")[0] for name, side in zip(names, split, strict=True) if side == "validation"}
    assert validation == {alphabet.replace("_", " ") for alphabet in VALIDATION_ALPHABETS}
    batch = source.sample("train", range(32))
    assert batch.support.inputs.shape == (32, 5, 1, 28, 28)
    assert 0.05 < batch.support.inputs.mean() < 0.2
    # The nearest mean on raw pixels is known to be right in less than half of 5-way 1-shot tasks with rotations.
    assert 0.3 < source.floors()[0].mean < 0.6
    assert Counter(read_omniglot(Path(REAL), "finn").split) == {"train": 1100, "validation": 100, "test": 423}
