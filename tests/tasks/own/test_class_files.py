"""Files of classes: what vanishes or fails for a moment is never remembered, and who waits may give up."""

from __future__ import annotations

import errno
import os
import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workbench import places
from workbench.tasks.base import TaskSource
from workbench.tasks.files.each import content, read_each, unreadable
from workbench.tasks.files.errors import DataError, FileError, PassingError
from workbench.tasks.files.sound import read_sound
from workbench.tasks.files.watching import GivenUpError, watched
from workbench.tasks.recordings import Recordings, RecordingsConfig
from workbench.tasks.series import SeriesConfig, TimeSeries

Opener = Callable[..., TaskSource]


def kept_files() -> list[Path]:
    return sorted((places.cache() / "pictures").glob("*"))


def write_series(root: Path, classes: int = 3, takes: int = 3) -> Path:
    for name in range(classes):
        for take in range(takes):
            path = root / f"class {name}" / f"{take}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x\n" + "\n".join(f"{(name + 1) * step + take}.5" for step in range(20)))
    return root


def write_sound(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = (10_000 * np.sin(np.arange(4000) / 5)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize("read", [content, read_sound])
@pytest.mark.parametrize("name", ["gone.wav", "gone.csv"])
def test_what_vanished_is_no_broken_file(tmp_path: Path, read: Callable[[Path], object], name: str) -> None:
    with pytest.raises(DataError, match=r"gone\.\w+ vanished while it was read; put the drive back"):
        read(tmp_path / name)


def test_rights_are_lasting_and_a_failing_disk_is_not(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav")
    refused = unreadable(path, PermissionError(errno.EACCES, "Permission denied"))
    failing = unreadable(path, OSError(errno.EIO, os.strerror(errno.EIO)))
    assert isinstance(refused, FileError)
    assert not isinstance(refused, PassingError)
    assert isinstance(failing, PassingError)
    assert str(failing) == "cannot be read (Input/output error); check the disk"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has files that fail so when they are read")
def test_what_fails_for_a_moment_is_named_and_not_kept(tmp_path: Path) -> None:
    config = SeriesConfig(path=write_series(tmp_path))
    failing = tmp_path / "class 0" / "9.csv"
    failing.symlink_to("/proc/self/mem")  # a file whose beginning cannot be read: Input/output error
    assert TimeSeries.read(config).problems == ("class 0/9.csv cannot be read (Input/output error); check the disk",)
    assert kept_files() == []
    failing.unlink()
    assert not TimeSeries.read(config).problems
    assert len(kept_files()) == 1


def test_a_memory_that_is_full_is_not_lasting(tmp_path: Path) -> None:
    def read(path: Path) -> int:
        if path.name == "large":
            raise MemoryError
        if path.name == "bad":
            raise FileError("is bad")
        return len(path.name)

    tried = read_each([tmp_path / name for name in ("small", "large", "bad")], read)
    assert tried.good == {0: 5}
    assert tried.broken == {1: "does not fit into memory; make it smaller", 2: "is bad"}
    assert not tried.is_lasting
    assert read_each([tmp_path / "bad"], read).is_lasting


def test_a_folder_is_known_again_by_another_of_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_series(tmp_path / "data")
    TimeSeries.read(SeriesConfig(path=root))
    monkeypatch.chdir(tmp_path)
    TimeSeries.read(SeriesConfig(path=Path("data")))
    assert len(kept_files()) == 1
    shutil.copytree(tmp_path / "data", tmp_path / "other" / "data")
    monkeypatch.chdir(tmp_path / "other")
    TimeSeries.read(SeriesConfig(path=Path("data")))
    assert len(kept_files()) == 2  # and another folder that is called so is another


def test_who_waits_for_series_or_recordings_hears_how_far_it_is_and_may_give_up(tmp_path: Path) -> None:
    series, sounds = write_series(tmp_path / "series"), tmp_path / "sounds"
    for name in "abc":
        write_sound(sounds / name / "1.wav")
    for read, count in ((lambda: TimeSeries.read(SeriesConfig(path=series)), 9),
                        (lambda: Recordings.read(RecordingsConfig(path=sounds, rate=8000)), 3)):
        heard: list[tuple[int, int]] = []

        def hear(done: int, total: int, heard: list[tuple[int, int]] = heard) -> bool:
            heard.append((done, total))
            return done < 2

        with pytest.raises(GivenUpError), watched(hear):
            read()
        assert heard[-1] == (2, count)
        assert kept_files() == []
