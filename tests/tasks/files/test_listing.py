"""Listing what lies below a folder: at a time it is walked through once, and anew afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.places import sample_tasks
from workbench.tasks.files import listing
from workbench.tasks.files.listing import list_files, walked_once
from workbench.tasks.looking.check import check_data


def test_a_folder_is_walked_through_once_at_a_time_and_anew_afterwards(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    with walked_once():
        before = list_files(tmp_path)
        (tmp_path / "b.csv").write_text("x\n1\n")
        with walked_once():
            assert list_files(tmp_path).files == before.files
        assert list_files(tmp_path).files == before.files
    assert [file.name for file in list_files(tmp_path).files] == ["a.csv", "b.csv"]


@pytest.mark.parametrize("data", ["shapes", "calls", "gestures", "new_shapes"])
def test_a_report_on_a_folder_opens_each_of_its_folders_once(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    scandir = listing.os.scandir
    monkeypatch.setattr(listing.os, "scandir", lambda path: opened.append(str(path)) or scandir(path))
    assert check_data(sample_tasks() / data)["usable"]
    own = [path for path in opened if path.startswith(str(sample_tasks()))]
    assert len(own) == len(set(own)) > 0
