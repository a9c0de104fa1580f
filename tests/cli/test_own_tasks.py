"""From a table of tasks to predictions for a new one, as a person types it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.cli.terminal import say
from workbench.places import sample_tasks

SHORT = ("--set", "training.iterations=150", "--set", "evaluation.tasks=40", "--set", "training.validation_tasks=20",
         "--set", "training.validate_every=75")


def test_a_learner_of_machines_beats_its_floor_and_predicts_degrees_for_a_new_one(tmp_path: Path) -> None:
    report = say("data", "check", sample_tasks() / "machines", "--json").table
    assert report["dataset"] == "task_tables"
    said = say("run", "--set", "dataset=task_tables", "--set", f"dataset.path={sample_tasks() / 'machines'}",
               "--set", "algorithm=ridge", *SHORT, "--runs", tmp_path, "--json")
    result = said.table["evaluation"]
    assert (result["metric"], result["tasks"]) == ("mse", 8)  # however often each was drawn
    assert result["mean"] + result["ci95"] < report["floor"]["mean"]
    to = tmp_path / "out.csv"
    table = say("adapt", "ridge-task_tables-0001", sample_tasks() / "new_machine", "--to", to, "--runs", tmp_path,
                "--json").table
    assert len(table["predictions"]) == 28
    with to.open(encoding="utf8", newline="") as file:
        values = np.array([float(row["value"]) for row in csv.DictReader(file)])
    # The support lies between 26 and about 120 degrees; scaled targets would lie around zero.
    assert 20 < values.min() < values.max() < 180


def test_assays_are_judged_by_auroc_and_said_in_per_cent(tmp_path: Path) -> None:
    said = say("data", "check", sample_tasks() / "assays")
    assert "24 tasks, 2 classes" in said.out
    assert "--set 'dataset.targets=assay_*'" in said.out
    assert "--set task.ways=2" in said.out
    assert "to beat: AUROC" in said.out
    said = say("run", "--set", "dataset=class_task_tables", "--set", f"dataset.path={sample_tasks() / 'assays'}",
               "--set", "algorithm=protonet", *SHORT, "--runs", tmp_path)
    assert said.status == 0, said.err
    assert "test AUROC " in said.out
    assert " % ± " in said.out
    result = say("evaluate", "protonet-class_task_tables-0001", "--runs", tmp_path, "--json").table["evaluation"]
    assert result["metric"] == "auroc"
    assert result["mean"] > 0.6


@pytest.mark.parametrize("algorithm", ["baseline", "baseline_pp", "meta_transfer"])
def test_ready_made_tasks_decide_their_own_ways(algorithm: str) -> None:
    ready = ("--set", "dataset=picture_tasks", "--set", f"dataset.path={sample_tasks() / 'ready_made'}",
             "--set", f"algorithm={algorithm}", "--dry-run", "--json")
    said = say("run", *ready)
    assert said.table["experiment"]["task"] == {"ways": 3, "shots": 1, "queries": 3}
    assert "note: task.ways was set to 3 instead of 5 and task.queries was set to 3 instead of 5, as" in said.err
    refused = say("run", *ready, "--set", "task.ways=5")
    assert refused.status == 2
    assert "set task.ways to 3" in refused.err


def test_ready_made_tasks_are_tested_once_each(tmp_path: Path) -> None:
    shape = [word for name, value in (("ways", 3), ("shots", 2), ("queries", 3))
             for word in ("--set", f"task.{name}={value}")]
    said = say("run", "--set", "dataset=picture_tasks", "--set", f"dataset.path={sample_tasks() / 'ready_made'}",
               *shape, "--set", "algorithm=protonet", "--set", "backbone.filters=4", "--set", "training.iterations=2",
               "--runs", tmp_path, "--json")
    assert said.table["evaluation"]["tasks"] == 8  # and not a thousand times the same eight
