"""What the dialog for a data file offers is what is read, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from workbench.gui.data_desk import _FILES
from workbench.tasks.files.delimited import TABLE_SUFFIXES
from workbench.tasks.looking.recognizer import recognize_data

OFFERED = re.findall(r"\*(\.[a-z.]+)", _FILES[0])


def test_tables_and_lines_of_json_are_offered_and_read(tmp_path: Path) -> None:
    for suffix in (*TABLE_SUFFIXES, ".jsonl", ".ndjson"):
        path = tmp_path / f"data{suffix}"
        if "json" in suffix:
            lines = [json.dumps({"text": f"the parcel {name} came on day {take} at last", "label": name})
                     for name in "abcdefgh" for take in range(8)]
        else:
            lines = ["mass,size,label", *(f"{take}.5,{take},{name}" for name in "abcdefgh" for take in range(8))]
        path.write_text("\n".join(lines))
        assert suffix in OFFERED
        assert recognize_data(path).dataset, suffix


@pytest.mark.parametrize("suffix", [".json", ".ts", ".gz"])
def test_what_nothing_reads_is_not_offered(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"data{suffix}"
    path.write_text("1,2,a\n3,4,b\n")
    assert suffix not in OFFERED
    assert not recognize_data(path).dataset
