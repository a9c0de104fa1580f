"""Files that are written whole."""

from __future__ import annotations

from pathlib import Path

import torch

from workbench.runs.files import write_tensors


def test_what_is_written_may_be_read_by_whom_the_mask_lets(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    write_tensors(tmp_path / "learner.safetensors", {"w": torch.zeros(2)}, {})
    assert (tmp_path / "learner.safetensors").stat().st_mode == plain.stat().st_mode
