"""The host runs only so far ahead of a GPU."""

from __future__ import annotations

import pytest
import torch

from workbench.engine.pacing import Pace

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_few_parts_wait_on_the_device():
    pace, square = Pace(torch.device("cuda")), torch.eye(2000, device="cuda")
    ends = []
    for _ in range(20):
        for _ in range(10):
            square = square @ square
        ends.append(torch.cuda.Event())
        ends[-1].record()
        pace.queued()
        assert all(end.query() for end in ends[:-2])
