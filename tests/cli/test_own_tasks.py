"""From a table of tasks to predictions for a new one, as a person types it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.terminal import say
from workbench.experiment.experiment import Experiment
from workbench.experiment.presets import presets
from workbench.gui.form.draft import Draft
from workbench.places import sample_tasks
from workbench.tasks.image_folder import ImageFolder
from workbench.tasks.sampling.classes import Labelled

SHORT = ("--set", "training.iterations=150", "--set", "evaluation.tasks=40", "--set", "training.validation_tasks=20",
         "--set", "training.validate_every=75")
TRIFLE = ("--set", "backbone.filters=4", "--set", "training.iterations=2", "--set", "training.meta_batch=2", "--set",
          "training.executor=vectorized", "--set", "evaluation.tasks=4", "--set", "training.validation_tasks=4")


def shades(root: Path, classes: int, each: int) -> Path:
    """A folder of small pictures by class, to which classes may be added."""
    for number in range(classes):
        (root / f"class {number}").mkdir(parents=True, exist_ok=True)
        for one in range(each):
            Image.new("L", (16, 16), 9 * number + one).save(root / f"class {number}" / f"{one}.png")
    return root


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
    with to.open(encoding="utf-8-sig", newline="") as file:
        values = np.array([float(row["temperature"]) for row in csv.DictReader(file)])
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


def test_data_are_opened_once_for_the_fit_and_the_training(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shades(tmp_path / "few", 12, 20)
    load, loaded = ImageFolder.load, []

    def counted(source: ImageFolder, experiment: Experiment) -> Labelled:
        loaded.append(experiment.task.ways)
        return load(source, experiment)

    monkeypatch.setattr(ImageFolder, "load", counted)
    own = ("--set", "dataset=image_folder", "--set", f"dataset.path={path}", "--device", "cpu", *TRIFLE)
    for words in (("run", *own, "--runs", tmp_path / "runs"), ("run", *own, "--dry-run")):
        loaded.clear()
        said = say(*words)
        assert said.status == 0, said.err
        assert "note: task.ways was set to 4 instead of 5" in said.err
        assert loaded == [5, 4]  # what was wanted will not do, and what will is kept open
    loaded.clear()
    assert say("run", *own, "--set", "task.ways=4", "--dry-run").status == 0
    assert loaded == [4]


def test_a_preset_on_other_data_leaves_how_it_trains_to_these(tmp_path: Path) -> None:
    path = shades(tmp_path / "leaves", 20, 8)
    words = ("run", "--preset", "anil-omniglot-20w1s-paper", "--set", "dataset=image_folder", "--set",
             f"dataset.path={path}", "--device", "cpu", "--dry-run")
    said = say(*words, "--json")
    assert said.status == 0, said.err
    assert ("note: the preset is about omniglot: how it shapes, trains and tests tasks is not taken over for "
            "image_folder") in said.err
    draft = Draft()
    draft.take(presets()["anil-omniglot-20w1s-paper"].tables, "anil-omniglot-20w1s-paper")
    draft.open_data("image_folder", {"dataset.path": str(path)})
    table = said.table["experiment"]
    assert (table["algorithm"]["name"], table["algorithm"]["inner_lr"]) == ("anil", 2.0)
    assert table["task"]["ways"] == 5
    assert table["training"]["iterations"] == draft.values()["training.iterations"]
    assert table["training"].get("ways") == draft.values()["training.ways"] is None
    refused = say(*words, "--set", "task.ways=20")  # which the person says, and not only the preset
    assert refused.status == 2
    assert "20-way" in refused.err


def test_whatever_tasks_are_said_their_training_is_as_the_data_allow(tmp_path: Path) -> None:
    path = shades(tmp_path / "few", 20, 8)
    task = [word for one in ("ways=3", "shots=1", "queries=1") for word in ("--set", f"task.{one}")]
    said = say("run", "--set", "dataset=image_folder", "--set", f"dataset.path={path}", "--set", "algorithm=reptile",
               *task, "--device", "cpu", "--dry-run", "--json")
    assert said.status == 0, said.err
    assert "note: training.shots was set to 7 instead of 10, as the data will not do otherwise" in said.err
    assert said.table["experiment"]["task"] == {"ways": 3, "shots": 1, "queries": 1}


def test_processes_that_are_started_anew_find_their_run_though_the_data_have_grown(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shades(tmp_path / "leaves", 12, 20)
    words = ("run", "--set", "dataset=image_folder", "--set", f"dataset.path={path}", "--device", "cpu", *TRIFLE,
             "--runs", tmp_path / "runs", "--json")
    place = {"TORCHELASTIC_RUN_ID": "mine", "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    first = say(*words)
    assert "task.ways was set to 4" in first.err
    shades(path, 25, 20)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    again = say(*words)
    assert again.table["run_id"] == first.table["run_id"]
    assert "finished already" in again.err
    others = say(*words, "--set", "task.shots=2")
    assert others.table["run_id"] != first.table["run_id"]
    assert "was set to" not in others.err  # there are enough classes for five ways by now
