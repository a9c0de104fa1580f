"""Every form can be trained on by commands and in the window, learns something, and predicts for a new task."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.forms import SAMPLES, Sample, tried, tried_in_window
from tests.benchmarks.offscreen import offscreen
from workbench.places import sample_tasks
from workbench.tasks.looking.check import check_data

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.folder)
def test_a_learner_of_the_sample_beats_its_floor_and_predicts_for_a_new_task(sample: Sample, tmp_path: Path) -> None:
    found = tried(sample, tmp_path)
    assert found.is_better, found.row
    assert found.predictions
    assert all(all(row.values()) for row in found.predictions)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.folder)
def test_the_window_does_the_same(sample: Sample, tmp_path: Path) -> None:
    with offscreen() as window:
        found = tried_in_window(window, sample, tmp_path)
    assert found.is_better, found.row
    assert found.predictions


def test_every_sample_that_is_no_new_task_is_among_them() -> None:
    reports = {path.name: check_data(path) for path in sample_tasks().iterdir() if path.is_dir()}
    assert {name for name, report in reports.items() if report["form"] not in ("new task", "unknown")} == {
        sample.folder for sample in SAMPLES}
