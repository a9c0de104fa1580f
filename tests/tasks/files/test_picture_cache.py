"""Pictures are decoded once, into a file that is mapped into memory, and nothing half-made is ever read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workbench import places
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.pictures import Decoded, read_picture, read_pictures
from workbench.tasks.files.watching import GivenUpError, watched

Writer = Callable[..., Path]


def folder(tmp_path: Path, write_picture: Writer, modes: list[str]) -> list[Path]:
    return [write_picture(tmp_path / f"{number}.png", number, mode=mode) for number, mode in enumerate(modes)]


def kept_files() -> list[Path]:
    return sorted((places.cache() / "pictures").glob("*"))


def expected(paths: list[Path], color: Any) -> torch.Tensor:
    return torch.from_numpy(np.stack([read_picture(path, 8, 8, color) for path in paths]))


@pytest.mark.parametrize(("modes", "color", "channels"), [
    (["RGB", "RGB", "RGB"], "auto", 3), (["L", "L"], "auto", 1), (["L", "RGB"], "auto", 3), (["RGB", "RGB"], "grey", 1),
    (["L", "L"], "rgb", 3)])
def test_the_cache_gives_what_was_decoded(tmp_path: Path, write_picture: Writer, modes: list[str], color: Any,
                                          channels: int) -> None:
    paths = folder(tmp_path, write_picture, modes)
    wanted = expected(paths, "rgb" if channels == 3 else color)
    for read in (read_pictures(paths, 8, 8, color), *(read_pictures(paths, 8, 8, color, "key") for _ in "12")):
        assert torch.equal(read.pixels, wanted)
        assert read.kept.tolist() == list(range(len(paths)))
        unit = wanted.double() / 255
        torch.testing.assert_close(read.moments, torch.stack([unit.mean((2, 3)), (unit**2).mean((2, 3))], -1))


def test_broken_pictures_are_left_out_of_it_and_named_again(tmp_path: Path, write_picture: Writer) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 4)
    paths[1].write_bytes(b"")
    first, again = (read_pictures(paths, 8, 8, "auto", "key") for _ in "12")
    for read in (first, again):
        assert torch.equal(read.pixels, expected([paths[0], *paths[2:]], "rgb"))
        assert read.kept.tolist() == [0, 2, 3]
        assert "0 bytes" in read.broken[1]


def test_the_second_time_no_picture_is_opened(tmp_path: Path, write_picture: Writer) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 3)
    first = read_pictures(paths, 8, 8, "auto", "key")
    for path in paths:
        path.unlink()
    assert torch.equal(read_pictures(paths, 8, 8, "auto", "key").pixels, first.pixels)


def test_other_sizes_and_other_keys_are_other_pictures(tmp_path: Path, write_picture: Writer) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 2)
    assert read_pictures(paths, 8, 8, "auto", "key").pixels.shape == (2, 3, 8, 8)
    assert read_pictures(paths, 6, 6, "auto", "key").pixels.shape == (2, 3, 6, 6)
    assert len(read_pictures(paths[:1], 8, 8, "auto", "other").pixels) == 1


def test_a_cache_that_cannot_be_written_is_done_without_and_said(
        tmp_path: Path, write_picture: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 2)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    read = read_pictures(paths, 8, 8, "auto", "key")
    assert torch.equal(read.pixels, expected(paths, "rgb"))
    assert read.notice.startswith("not kept in the cache")


def test_a_cache_that_was_cut_off_is_made_anew(tmp_path: Path, write_picture: Writer) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 2)
    first = read_pictures(paths, 8, 8, "auto", "key").pixels.clone()
    (file,) = kept_files()
    file.write_bytes(file.read_bytes()[:-50])
    assert torch.equal(read_pictures(paths, 8, 8, "auto", "key").pixels, first)


def test_who_watches_hears_how_far_it_is_and_may_give_it_up(tmp_path: Path, write_picture: Writer) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 3)
    heard: list[tuple[int, int]] = []
    def hear(done: int, total: int) -> bool:
        heard.append((done, total))
        return True

    with watched(hear):
        read_pictures(paths, 8, 8, "auto", "key")
    assert [one for one in heard if one[1]] == [(3, 3)]

    with pytest.raises(GivenUpError), watched(lambda done, total: False):
        read_pictures(paths, 9, 9, "auto", "key")
    assert all(file.suffix == ".safetensors" for file in kept_files())
    assert len(kept_files()) == 1


def test_every_thread_asks_before_each_picture_whether_anybody_waits(tmp_path: Path, write_picture: Writer) -> None:
    paths = folder(tmp_path, write_picture, ["L"] * 80)
    asked: list[int] = []

    def until_the_third(done: int, total: int) -> bool:
        asked.append(done)
        return len(asked) <= 3

    with pytest.raises(GivenUpError), watched(until_the_third):
        read_pictures(paths, 8, 8, "auto")
    assert set(asked) == {0}  # no block of eight was read to its end
    assert len(asked) <= 3 + len(paths) / 8  # each block asks once more at most


def test_two_programs_at_once_make_the_same_file(tmp_path: Path, write_picture: Writer) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 3)
    inside: list[Decoded] = []

    def other(done: int, total: int) -> bool:
        with watched(lambda *_: True):
            inside.append(read_pictures(paths, 8, 8, "auto", "key"))
        return True

    with watched(other):
        outside = read_pictures(paths, 8, 8, "auto", "key")
    assert torch.equal(outside.pixels, inside[0].pixels)
    assert len(kept_files()) == 1


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has files that fail so when they are read")
def test_a_disk_that_fails_for_a_moment_is_named_and_nothing_is_kept(tmp_path: Path, write_picture: Writer) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 3)
    paths[1].unlink()
    paths[1].symlink_to("/proc/self/mem")
    read = read_pictures(paths, 8, 8, "auto", "key")
    assert read.broken == {1: "cannot be read (Input/output error); check the disk"}
    assert read.notice == "not kept in the cache (some files could not be read just now)"
    assert kept_files() == []


def test_a_drive_that_vanishes_while_it_is_read_is_named_and_nothing_is_kept(tmp_path: Path, write_picture: Writer
                                                                            ) -> None:
    paths = folder(tmp_path, write_picture, ["RGB"] * 3)
    paths[1].unlink()
    with pytest.raises(DataError, match=r"1\.png vanished while it was read"):
        read_pictures(paths, 8, 8, "auto", "key")
    assert kept_files() == []
