"""What is written beside the data goes before every guess about them, wherever the data lie."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data

Folders = Callable[..., Path]
Opener = Callable[..., TaskSource]
NAMES = [f"class {number:02}" for number in range(20)]


def test_fields_of_the_file_count_also_where_they_decide_how_examples_are_split(
        tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    class_folders(tmp_path, NAMES[:4], pictures=10)
    (tmp_path / "dataset.toml").write_text('held_out = "examples"\nrotations = true\n')
    source = opened("image_folder", path=tmp_path, task={"ways": 2, "queries": 1})
    assert source.holds_out_examples
    assert source.spec.classes == 16


def test_what_the_person_chose_otherwise_stays(tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    class_folders(tmp_path, NAMES)
    (tmp_path / "dataset.toml").write_text("size = 24\n")
    assert opened("image_folder", path=tmp_path).spec.input_shape == (3, 24, 24)
    assert opened("image_folder", path=tmp_path, size=12).spec.input_shape == (3, 12, 12)


@pytest.mark.parametrize(("text", "message"), [
    ("sise = 24\n", "dataset.toml: no field is called 'sise'; did you mean 'size'"),
    ("size = 2\n", "dataset.toml: size: input should be greater than or equal to 8, not 2"),
    ("size = = 2\n", "dataset.toml is no TOML"),
    ('form = "image_folder"\nsize = "big"\n', "dataset.toml: size: takes a whole number, not 'big'"),
    ("size = nan\n", "dataset.toml: size: input should be a finite number, not nan"),
    ('path = "/etc"\n', "dataset.toml: no field is called 'path'; there are: form, "),
    ('name = "mnist"\n', "dataset.toml: no field is called 'name'; there are: form, "),
    ('form = "nonsense"\n', "dataset.toml: form: no form is called 'nonsense'"),
])
def test_a_mistake_in_it_is_named_and_no_guess_takes_its_place(tmp_path: Path, class_folders: Folders, text: str,
                                                              message: str) -> None:
    class_folders(tmp_path, NAMES)
    (tmp_path / "dataset.toml").write_text(text)
    report = check_data(tmp_path)
    assert not report["usable"]
    assert message in report["problems"][0]


def test_a_pipe_or_a_folder_of_its_name_is_refused_and_never_waited_for(tmp_path: Path, class_folders: Folders) -> None:
    for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        root = class_folders(tmp_path / name, NAMES)
        make(root / "dataset.toml")
        (problem, *_) = check_data(root)["problems"]
        assert "dataset.toml is a folder, a pipe or a device and no file; delete it" in problem


def test_fields_that_one_form_alone_has_decide_between_two(tmp_path: Path) -> None:
    rows = [f"{name},{value}.5,{value},{value % 3}" for value, name in enumerate(list("abcdefgh") * 12)]
    (tmp_path / "data.csv").write_text("\n".join(["kind,width,depth,user", *rows]))
    (tmp_path / "dataset.toml").write_text('label = "kind"\nignore = "user"\n')
    found = recognize_data(tmp_path)
    assert (found.dataset, found.settings["label"]) == ("table", "kind")


def test_a_zip_is_read_as_its_folder_would_be_and_so_is_the_file_inside(
        tmp_path: Path, class_folders: Folders, opened: Opener) -> None:
    folder = class_folders(tmp_path / "folder", NAMES)
    (folder / "dataset.toml").write_text("size = 12\n")
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(folder.rglob("*")):
            packed.write(file, file.relative_to(folder))
    assert check_data(archive)["usable"]
    source = opened("image_folder", path=archive)
    assert source.spec.input_shape == (3, 12, 12)
    assert source.overview().classes == opened("image_folder", path=folder).overview().classes


@pytest.mark.parametrize("member", ["../out.png", "/abs.png"])
def test_a_zip_that_names_files_outside_its_folder_is_refused(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr(member, b"x")
    with pytest.raises(DataError, match="lies outside its folder"):
        recognize_data(tmp_path / "bad.zip")


def test_a_zip_made_to_fill_disks_is_refused_with_the_limit_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    # The list at the end of a zip says how large each file will be, and nothing is unpacked that says too much.
    whole = bytearray(path.read_bytes())
    place = whole.rindex(b"PK\x01\x02") + 24
    whole[place : place + 4] = (4_200_000_000).to_bytes(4, "little")
    path.write_bytes(whole)
    (problem,) = check_data(path)["problems"]
    assert problem == (f"{path} would unpack to 4.2 GB, which is more than 100 times its own size and more than the 4 "
                       "GB that such a zip may take; if you trust it, unpack it by hand and open the folder")


@pytest.mark.parametrize("is_table", [True, False])
def test_a_zip_is_unpacked_for_now_where_the_cache_cannot_be_written(
        *, tmp_path: Path, class_folders: Folders, monkeypatch: pytest.MonkeyPatch, is_table: bool) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        if is_table:
            rows = [f"{row % 20 + row / 1000},kind {row % 20}\n" for row in range(400)]
            packed.writestr("one.csv", "".join(["size,kind\n", *rows]))
        else:
            folder = class_folders(tmp_path / "folder", NAMES)
            for file in folder.rglob("*.*"):
                packed.write(file, file.relative_to(folder))
    report = check_data(tmp_path / "all.zip")
    assert report["usable"]
    assert report["classes"] == 20
    (problem,) = report["problems"]
    assert problem.startswith("all.zip was unpacked for this time only: it is not kept in the cache (")


def test_a_zip_with_names_that_are_too_long_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.writestr(f"{'a' * 300}/b.csv", "x\n1\n")
    (problem,) = check_data(tmp_path / "all.zip")["problems"]
    assert problem == (f"{tmp_path / 'all.zip'} holds names that are too long for this disk, such as {'a' * 40}…; "
                       "unpack it by hand and give shorter ones")


def test_a_zip_in_a_zip_is_told_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as packed:
        packed.writestr("inner.zip", b"PK")
    (problem,) = check_data(tmp_path / "outer.zip")["problems"]
    assert problem.endswith("1 file ends in .zip, which no dataset reads: unpack it and open the folder")


def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 torn")
    (problem,) = check_data(tmp_path / "torn.zip")["problems"]
    assert "is no whole zip" in problem
