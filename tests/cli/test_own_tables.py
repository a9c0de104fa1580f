"""From a table and from texts to predictions for a new task, as a person types it."""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.cli.terminal import say
from workbench.exports.learner import LearnerError
from workbench.exports.predictions import Predictions, check_target, write_predictions
from workbench.places import sample_tasks
from workbench.tasks.files.tables import read_table
from workbench.tasks.own.new_tables import ids_of

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
    with to.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [f"query.csv, line {line}" for line in range(2, 22)]
    assert len({row["predicted"] for row in rows}) > 2
    if dataset == "table":
        assert list(rows[0])[:4] == ["file", "specimen_id", "predicted", "probability"]
        query = (sample_tasks() / "new_minerals" / "query.csv").read_text(encoding="utf8").splitlines()[1:]
        assert [row["specimen_id"] for row in rows] == [line.partition(",")[0] for line in query]


def _predicted(names: dict[str, tuple[str, ...]]) -> Predictions:
    return Predictions(("query.csv, line 2",), ("Ж", "灯"), np.array([[0.25, 0.75]]), 2, 0, (), names)


def test_predictions_open_in_excel_and_are_known_again(tmp_path: Path) -> None:
    to = tmp_path / "predictions.csv"
    write_predictions(_predicted({}), to)
    write_predictions(_predicted({"id": ("A 1",), "Nr.": ("7",)}), to)
    assert to.read_bytes().startswith(BOM_UTF8)
    table = read_table(to)
    assert table.columns == ("file", "id", "Nr.", "predicted", "probability", "Ж", "灯")
    assert table.frame.iloc[0].tolist() == ["query.csv, line 2", "A 1", "7", "灯", "0.750000", "0.250000", "0.750000"]
    write_predictions(_predicted({}), to)
    for others in ("file,size,predicted\na,1,2\n", "file,size,value\n", "\0\n", "", "name,value\na,1\n"):
        to.write_text(f"\ufeff{others}", encoding="utf8")
        with pytest.raises(LearnerError, match="holds no earlier predictions"):
            check_target(to)


def test_predicted_values_stand_below_the_name_of_the_target_and_are_known_again(tmp_path: Path) -> None:
    to = tmp_path / "predictions.csv"
    found = Predictions(("query.csv, line 2",), (), np.array([[1.5]]), 2, 0, (), {"rig": ("A",)}, ("Flow (l/min)",))
    write_predictions(found, to)
    table = read_table(to)
    assert table.columns == ("file", "rig", "Flow (l/min)")
    assert table.frame.iloc[0].tolist() == ["query.csv, line 2", "A", "1.5"]
    check_target(to)
    assert Predictions(found.names, (), found.outputs, 2, 0, ()).columns == ["file", "value"]


def test_predictions_are_written_as_the_table_that_they_are_of(tmp_path: Path) -> None:
    to = tmp_path / "predictions.csv"
    write_predictions(replace(_predicted({"Nr.": ("7",)}), decimal=","), to)
    assert to.read_text(encoding="utf-8-sig").splitlines() == [
        "file;Nr.;predicted;probability;Ж;灯", "query.csv, line 2;7;灯;0,750000;0,250000;0,750000"]
    check_target(to)


def test_columns_that_name_the_rows_of_a_query_are_told_apart_from_inputs_and_targets(tmp_path: Path) -> None:
    path = tmp_path / "query.csv"
    path.write_text("sample id,mass,note,target,key,when,rig\n7,1.5,as before,x,k-1,2024-03-01 9:05,A\n"
                    "7,2.5,as before,y,k-2,2024-03-01 9:05,A\n", encoding="utf8")
    when = ("2024-03-01 9:05",) * 2
    found = ids_of(read_table(path), ("mass", "target"), "rig")
    assert found == {"sample id": ("7", "7"), "key": ("k-1", "k-2"), "when": when, "rig": ("A",) * 2}
