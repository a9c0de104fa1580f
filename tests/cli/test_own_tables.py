"""From a table and from texts to predictions for a new task, as a person types it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.terminal import say
from workbench.places import sample_tasks

SHORT = ("--set", "training.iterations=200", "--set", "evaluation.tasks=100", "--set", "training.validation_tasks=20",
         "--set", "training.validate_every=50")


@pytest.mark.parametrize(("dataset", "folder"), [("table", "minerals"), ("texts", "messages")])
def test_a_learner_beats_its_floor_and_names_the_lines_of_a_new_task(tmp_path: Path, dataset: str, folder: str) -> None:
    report = say("data", "check", sample_tasks() / folder, "--json").table
    assert report["dataset"] == dataset
    result = say("run", "--set", f"dataset={dataset}", "--set", f"dataset.path={sample_tasks() / folder}", "--set",
                 "algorithm=protonet", *SHORT, "--runs", tmp_path, "--json").table["evaluation"]
    assert result["metric"] == report["floor"]["metric"] == "accuracy"
    assert result["mean"] - result["ci95"] > report["floor"]["mean"] + report["floor"]["ci95"]
    to = tmp_path / "out.csv"
    assert say("adapt", f"protonet-{dataset}-0001", sample_tasks() / f"new_{folder}", "--to", to, "--runs",
               tmp_path).status == 0
    with to.open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [f"query.csv, line {line}" for line in range(2, 22)]
    assert len({row["predicted"] for row in rows}) > 2
