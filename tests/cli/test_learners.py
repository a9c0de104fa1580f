"""`evaluate`, `export` and `adapt`."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import RUN
from tests.cli.terminal import PICTURES, say
from workbench.places import sample_tasks
from workbench.runs.store import RunStore


@pytest.fixture(scope="session")
def picture_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs on the sample shapes: MAML and ProtoNet, named by a path below the working folder."""
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(sample_tasks())
        assert say("run", *PICTURES, "--runs", folder).status == 0
        assert say("run", *PICTURES, "--set", "algorithm=protonet", "--runs", folder).status == 0
    return folder


MAML, PROTONET = "maml-image_folder-0001", "protonet-image_folder-0002"


def test_evaluating_a_run_gives_its_own_test_result(runs: Path) -> None:
    own = say("resume", RUN, "--runs", runs, "--json").table["evaluation"]
    again = say("evaluate", RUN, "--runs", runs, "--json").table
    assert again["evaluation"] == own
    assert again["run_id"] == RUN


def test_an_export_needs_no_run_and_gives_the_same_result(runs: Path, tmp_path: Path) -> None:
    about = say("export", RUN, "--runs", runs, "--to", tmp_path / "learner.safetensors", "--json").table
    again = say("evaluate", tmp_path / "learner.safetensors", "--runs", tmp_path / "none", "--json").table
    own = say("evaluate", RUN, "--runs", runs, "--json").table
    assert again["evaluation"] == own["evaluation"]
    assert again["export"] == about["to"]


def test_evaluation_takes_a_number_of_tasks_and_other_settings(runs: Path) -> None:
    table = say("evaluate", RUN, "--runs", runs, "--tasks", 30, "--set", "algorithm.test_steps=4", "--set",
                "task.shots=5", "--json").table
    assert table["evaluation"]["tasks"] == 30
    assert len(table["evaluation"]["by_step"]) == 5


def test_no_setting_brings_classes_of_the_training_into_the_test(picture_runs: Path) -> None:
    said = say("evaluate", PROTONET, "--runs", picture_runs, "--set", "dataset.split_seed=1")
    assert said.status == 2
    assert "was trained on" in said.err
    assert "leave task.ways" in said.err


def test_evaluation_in_words_has_the_interval_the_modes_and_the_inner_steps(picture_runs: Path) -> None:
    said = say("evaluate", MAML, "--runs", picture_runs)
    for words in ("after 1 inner step (95 % interval over 4 tasks", "transductive: accuracy", "inductive: accuracy",
                  "by inner step"):
        assert words in said.out


def test_the_run_that_was_begun_last_needs_no_name(picture_runs: Path) -> None:
    last = RunStore(picture_runs).runs()[-1].id
    named, unnamed = (say("evaluate", name, "--runs", picture_runs, "--json") for name in (last, "latest"))
    assert unnamed.status == 0
    assert {**unnamed.table, "seconds": 0} == {**named.table, "seconds": 0}


def test_a_run_is_judged_from_any_working_folder_though_its_data_was_named_from_another(picture_runs: Path) -> None:
    said = say("evaluate", MAML, "--runs", picture_runs, "--json")
    assert said.status == 0
    assert said.table["evaluation"]["modes"].keys() == {"transductive", "inductive"}


def test_adapting_writes_a_prediction_for_every_unlabelled_picture(picture_runs: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.csv"
    table = say("adapt", MAML, sample_tasks() / "new_shapes", "--to", to, "--runs", picture_runs, "--json").table
    with to.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert table["classes"] == ["key", "ladder", "mushroom", "sun", "wave"]
    assert table["to"] == str(to)
    assert [row["file"] for row in rows] == [one["file"] for one in table["predictions"]]
    assert len(rows) == 10
    for row, one in zip(rows, table["predictions"], strict=True):
        shares = {name: float(row[name]) for name in table["classes"]}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert row["predicted"] == one["predicted"] == max(shares, key=lambda name: shares[name])
        assert float(row["probability"]) == pytest.approx(one["probability"], abs=1e-6)


def test_an_export_adapts_without_its_dataset_and_predicts_the_same(picture_runs: Path, tmp_path: Path) -> None:
    new = sample_tasks() / "new_shapes"
    export = tmp_path / "learner.safetensors"
    assert say("export", PROTONET, "--runs", picture_runs, "--to", export).status == 0
    own = say("adapt", PROTONET, new, "--to", tmp_path / "a.csv", "--runs", picture_runs, "--json").table
    out = say("adapt", export, new, "--to", tmp_path / "b.csv", "--json").table
    assert out["predictions"] == own["predictions"]


def test_a_metric_learner_takes_any_number_of_classes_and_others_say_what_they_need(picture_runs: Path, tmp_path: Path
                                                                                   ) -> None:
    folder = shutil.copytree(sample_tasks() / "new_shapes", tmp_path / "four")
    shutil.rmtree(folder / "sun")
    assert len(say("adapt", PROTONET, folder, "--runs", picture_runs, "--json").table["classes"]) == 4
    said = say("adapt", MAML, folder, "--runs", picture_runs)
    assert said.status == 2
    assert "tells 5 classes apart" in said.err
    assert "task.ways=4" in said.err


def test_earlier_predictions_are_replaced_without_being_taken_for_a_problem(picture_runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sample_tasks() / "new_shapes", tmp_path / "task")
    for _ in range(2):
        table = say("adapt", MAML, folder, "--runs", picture_runs, "--json").table
        assert table["problems"] == []
        assert table["to"] == str(folder / "predictions.csv")


def test_one_picture_alone_is_normalized_with_the_labelled_ones(picture_runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sample_tasks() / "new_shapes", tmp_path / "task")
    for path in sorted((folder / "unlabelled").iterdir())[1:]:
        path.unlink()
    table = say("adapt", MAML, folder, "--runs", picture_runs, "--json").table
    assert len(table["predictions"]) == 1
    assert "normalized with those of the labelled ones" in table["problems"][0]


def test_adapting_to_a_function_predicts_values(runs: Path, tmp_path: Path) -> None:
    to = tmp_path / "wave.csv"
    said = say("adapt", RUN, sample_tasks() / "new_wave", "--to", to, "--runs", runs, "--json")
    assert len(said.table["predictions"]) == 40
    assert to.read_text(encoding="utf-8-sig").startswith("file,value\n")
    assert say("adapt", RUN, sample_tasks() / "new_wave", "--to", to, "--runs", runs).status == 0


def test_a_network_whose_depth_followed_the_shots_is_judged_with_others(tmp_path: Path) -> None:
    assert say("run", "--set", "algorithm=snail", "--set", "dataset=sinusoids", "--set", "task.shots=3", "--set",
               "training.iterations=2", "--set", "evaluation.tasks=4", "--runs", tmp_path).status == 0
    run = "snail-sinusoids-0001"
    for length in ("algorithm.length=", "algorithm.length=4"):
        table = say("evaluate", run, "--runs", tmp_path, "--set", "task.shots=20", "--set", length, "--json").table
        assert table["evaluation"]["tasks"] == 4
