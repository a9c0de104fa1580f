"""The most memory that torch holds while something is computed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile


def peak_bytes(work: Callable[[], object]) -> int:
    """The most bytes that torch held at once beyond what it held before, counted at every allocation and release."""
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        work()  # what is made once and kept is not the work's
        trace = Path(folder) / "trace.json"
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
            work()
        watched.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf8"))["traceEvents"]
    told = [event["args"] for event in events if event["name"] == "[memory]"]
    before = told[0]["Total Allocated"] - told[0]["Bytes"]
    return max(one["Total Allocated"] for one in told) - before
