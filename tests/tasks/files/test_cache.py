"""The cache forgets what is old and what was left half-made, and never loses what is good over it."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from workbench import places
from workbench.tasks.files.cache import cached
from workbench.tasks.files.listing import list_files
from workbench.tasks.files.pictures import read_pictures

DAY = 24 * 3600


def aged(path: Path, seconds: float) -> Path:
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def zero() -> tuple[torch.Tensor, int]:
    return torch.zeros(1, dtype=torch.uint8), 5


def test_what_cannot_be_removed_costs_nothing(tmp_path: Path, write_picture: Callable[..., Path]) -> None:
    picture = write_picture(tmp_path / "a.png")
    cached("kind", 0, zero)
    folder = places.cache() / "pictures"
    (folder / "gone.safetensors").symlink_to(tmp_path / "nowhere")  # as a file that another program has just removed
    assert read_pictures([picture], 8, 8, "auto", "key").notice == ""
    assert read_pictures([picture], 8, 8, "auto", "key").notice == ""
    assert len(list(folder.glob("folder-*"))) == 1


def test_a_good_cache_whose_time_cannot_be_set_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError("as on a disk that may only be read")

    cached("kind", 1, zero)
    monkeypatch.setattr(os, "utime", refused)
    assert cached("kind", 1, lambda: pytest.fail("it was there"))[1] == 5


def test_what_was_left_half_made_goes_after_a_day() -> None:
    cached("kind", 1, zero)
    folder = places.cache() / "pictures"
    old, new = (folder / name for name in ("old.part", "new.part"))
    for path in (old, new):
        path.write_bytes(b"half")
    aged(old, DAY + 60)
    aged(new, DAY - 600)
    cached("kind", 2, zero)
    assert (old.exists(), new.exists()) == (False, True)


def test_the_latest_eight_archives_stay_unpacked(tmp_path: Path) -> None:
    folder = places.cache() / "unpacked"

    def unpack(number: int) -> Path:
        path = tmp_path / f"{number}.zip"
        if not path.exists():
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("below/a.csv", f"x\n{number}\n")
        return list_files(path).root

    roots = [aged(unpack(number), 1000 - number) for number in range(8)]
    assert unpack(0) == roots[0]  # which makes it the latest
    stale = folder / "half.part"
    stale.mkdir()
    aged(stale, DAY + 60)
    newest = unpack(8)
    assert sorted(folder.iterdir()) == sorted([roots[0], *roots[2:], newest])
    assert (unpack(1) / "below" / "a.csv").read_text() == "x\n1\n"
