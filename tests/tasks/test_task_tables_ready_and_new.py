"""Tables with a support and a query: tasks that lie ready, and new ones for what was trained on tables of tasks."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tasks.tables_of_tasks import Cells, assays, long_table, opened_as_found, points, write
from workbench.places import sample_tasks
from workbench.tasks.base import STREAMS
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.own.new_task import read_new_task


def test_ready_made_tables_are_used_as_they_are(tmp_path: Path) -> None:
    for number in range(6):
        cells = points(9, number)
        write(tmp_path / f"t{number}" / "support.csv", ["load", "mode", "warmth"], cells[:5])
        write(tmp_path / f"t{number}" / "query.csv", ["load", "mode", "warmth"], cells[5:])
    report = check_data(tmp_path)
    assert report["form"] == "ready-made tasks in tables"
    assert report["experiment"] == {"task.shots": 5, "task.queries": 4}
    source = opened_as_found(tmp_path)
    about = source.describe("train", 0)
    assert len(about.support_files) == 5
    assert {file.split(",")[0] for file in about.support_files} == {f"{about.title}/support.csv"}
    assert {file.split(",")[0] for file in about.query_files} == {f"{about.title}/query.csv"}
    assert report["problems"] == []


def test_a_ready_made_task_without_targets_in_its_queries_is_left_out(tmp_path: Path) -> None:
    for number in range(6):
        cells = points(9, number)
        write(tmp_path / f"t{number}" / "support.csv", ["load", "mode", "warmth"], cells[:5])
        short = [row[:2] for row in cells[5:]] if number == 2 else cells[5:]
        write(tmp_path / f"t{number}" / "query.csv", ["load", "mode", "warmth"][: len(short[0])], short)
    report = check_data(tmp_path)
    assert sum(report["tasks"].values()) == 5
    assert any("t2/query.csv has other columns than most tables" in one for one in report["problems"])
    assert any("t2 has a support or a query without the other" in one for one in report["problems"])


@pytest.mark.parametrize("where", ["{part}/{one}/rows.csv", "{part}/{one}/{row}.csv", "{part}/rows.csv"])
def test_tables_in_folders_of_support_and_query_are_ready_made_tasks(tmp_path: Path, where: str) -> None:
    """The folder says the class, or a column of the table does."""
    chance = np.random.default_rng(0)
    is_named = "{one}" not in where
    for task, (part, each) in itertools.product(range(6), (("support", 2), ("query", 3))):
        rows: dict[Path, Cells] = {}
        for one, row in itertools.product("abc", range(each)):
            path = tmp_path / "all" / f"t{task}" / where.format(part=part, one=one, row=row)
            rows.setdefault(path, []).append([f"{chance.normal():.3f}", f"{task}.5", *([one] if is_named else [])])
        for path, cells in rows.items():
            write(path, ["load", "room", *(["kind"] if is_named else [])], cells)
    report = check_data(tmp_path / "all")
    assert (report["form"], report["dataset"], report["problems"]) == (
        "ready-made tasks in tables", "class_task_tables", [])
    assert report["experiment"] == {"task.ways": 3, "task.shots": 2, "task.queries": 3}
    source = opened_as_found(tmp_path / "all")
    batch = source.sample("train", [0])
    assert batch.support.targets[0].bincount().tolist() == [2, 2, 2]
    assert batch.query.targets[0].bincount().tolist() == [3, 3, 3]
    room = 1 if source.spec.input_shape == (2,) else None
    assert room is not None
    assert len(batch.query.inputs[0, :, room].unique()) == 1  # all of one task
    new = read_new_task(tmp_path / "all" / "t3", source.spec)
    assert new.class_names == ("a", "b", "c")
    assert (len(new.support.inputs), len(new.query_inputs)) == (6, 9)


def test_unlabelled_queries_leave_the_support_to_draw_from(tmp_path: Path) -> None:
    for task, one in itertools.product(range(6), "ab"):
        write(tmp_path / f"t{task}" / "support" / one / "rows.csv", ["load", "mode", "warmth"], points(6, task))
        write(tmp_path / f"t{task}" / "query" / "rows.csv", ["load", "mode", "warmth"], points(9, task))
    report = check_data(tmp_path)
    assert (report["form"], report["examples"]) == ("ready-made tasks in tables", 72)
    assert [one.split(",")[0] for one in report["problems"]] == ["the queries of no task are labelled"]
    source = opened_as_found(tmp_path)
    drawn = source.describe("train", 0)
    assert set(drawn.support_files).isdisjoint(drawn.query_files)
    assert source.distinct("train") is None
    assert len(read_new_task(tmp_path / "t1", source.spec).query_inputs) == 9


def test_one_ready_made_task_is_no_folder_of_classes(tmp_path: Path) -> None:
    for part, one in itertools.product(("support", "query"), "abc"):
        write(tmp_path / "only" / part / one / "rows.csv", ["load", "mode", "warmth"], points(3))
    report = check_data(tmp_path)
    assert (report["form"], report["usable"]) == ("ready-made tasks in tables", False)
    assert report["problems"][0].endswith(f"or adapt a trained learner to {tmp_path}/only itself")


def test_a_new_task_of_values_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    spec = opened_as_found(long_table(tmp_path / "log.csv")).spec
    # Columns in another order, one more among them, and a mode that training has not seen.
    write(tmp_path / "new" / "support.csv", ["warmth", "mode", "note", "load"],
          [[40 + n, "eco", "fine", n] for n in range(5)])
    write(tmp_path / "new" / "query.csv", ["mode", "load"], [["boost", 3], ["other", 4]])
    task = read_new_task(tmp_path / "new", spec)
    middle, spread = (spec.reading[name][0] for name in ("target_mean", "target_deviation"))
    assert (task.support.targets[:, 0] * spread + middle).tolist() == pytest.approx([40, 41, 42, 43, 44], abs=1e-3)
    raw = task.query_inputs * torch.tensor(spec.deviation) + torch.tensor(spec.mean)
    assert raw.round(decimals=4).tolist() == [[3, 1, 0], [4, 0, 0]]
    assert task.query_names == ("query.csv, line 2", "query.csv, line 3")


def test_a_new_task_of_classes_keeps_the_classes_of_training(tmp_path: Path) -> None:
    spec = opened_as_found(assays(tmp_path / "assays.csv")).spec
    header = ["logp", "weight", "charge"]
    rows = [[0.1 * n, 1, 2, n % 2] for n in range(6)]
    write(tmp_path / "new" / "support.csv", [*header, "my_assay"], rows)
    write(tmp_path / "new" / "query.csv", header, [row[:3] for row in rows])
    task = read_new_task(tmp_path / "new", spec)
    assert task.class_names == ("0", "1")
    assert task.support.targets.tolist() == [0, 1, 0, 1, 0, 1]
    assert task.query_inputs.shape == (6, 3)


@pytest.mark.parametrize(("support", "message"), [
    (["logp,weight,charge", "1,2,3"], "has no column of the target; add it behind the inputs"),
    (["logp,weight,my", "1,2,1"], "has no column 'charge', which the learner was trained on"),
    (["logp,weight,charge,my", "1,2,3,0", "1,2,3,0"], "no row is of the class 1; add one"),
    (["logp,weight,charge,my", "1,2,3,0", "1,2,3,maybe"], "'maybe' in the target my is none of the classes that the "
                                                          "learner knows: 0, 1"),
    (["logp,weight,charge,my", "1,2,3,", "1,2,3,n/a"], "no row has a class in the target my; fill some in"),
])
def test_a_new_task_that_will_not_do_says_why(tmp_path: Path, support: list[str], message: str) -> None:
    spec = opened_as_found(assays(tmp_path / "assays.csv")).spec
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "support.csv").write_text("\n".join(support) + "\n")
    write(tmp_path / "new" / "query.csv", ["logp", "weight", "charge"], [[1, 2, 3]])
    with pytest.raises(DataError, match=message):
        read_new_task(tmp_path / "new", spec)


def test_rows_of_a_new_task_that_say_nothing_are_counted(tmp_path: Path) -> None:
    spec = opened_as_found(long_table(tmp_path / "log.csv")).spec
    write(tmp_path / "new" / "support.csv", ["load", "mode", "warmth"], [[n, "eco", 40 + n] for n in range(4)])
    write(tmp_path / "new" / "query.csv", ["note", "mode", "load"],
          [["fine", "eco", 3], ["dark", "", ""], ["warm", "eco", ""], ["fine", "", "NaN"]])
    task = read_new_task(tmp_path / "new", spec)
    assert len(task.query_inputs) == 4
    assert task.problems == (
        "2 rows say nothing in any column that the learner goes by, which is as good as a guess: query.csv, line 3, "
        "query.csv, line 5; fill them in or delete them",)


def test_rows_of_a_new_task_without_a_target_are_left_out_and_said(tmp_path: Path) -> None:
    spec = opened_as_found(long_table(tmp_path / "log.csv")).spec
    write(tmp_path / "new" / "support.csv", ["load", "mode", "warmth"],
          [[1, "eco", 40], [2, "eco", "k.A."], ["hot", "eco", 42], [4, "eco", 43]])
    write(tmp_path / "new" / "query.csv", ["mode", "load"], [["boost", 3]])
    task = read_new_task(tmp_path / "new", spec)
    assert len(task.support.targets) == 3
    assert task.problems == (
        "support.csv: 1 of 4 rows has no number in the target warmth and was left out (line 3); fill it in",
        "in the column load 1 cell counts as missing, being no number: 'hot' (support.csv, line 4); correct it")


def test_a_new_task_without_its_tables_says_what_it_needs(tmp_path: Path) -> None:
    spec = opened_as_found(long_table(tmp_path / "log.csv")).spec
    (tmp_path / "new").mkdir()
    with pytest.raises(DataError, match=r"holds no support\.csv; a new task for this learner is a support\.csv"):
        read_new_task(tmp_path / "new", spec)


def test_the_new_machine_fits_a_learner_of_the_machines() -> None:
    source = opened_as_found(sample_tasks() / "machines")
    task = read_new_task(sample_tasks() / "new_machine", source.spec)
    assert task.support.inputs.shape == (12, *source.spec.input_shape)
    assert task.query_inputs.shape == (28, *source.spec.input_shape)
    report = check_data(sample_tasks() / "new_machine")
    assert (report["form"], report["usable"], report["examples"], report["problems"]) == ("new task", True, 40, [])
    for stream in STREAMS:
        assert source.sample(stream, range(4)).query.inputs.shape == (4, 10, 5)
