"""Tables of tasks in every form: what is read from them, on which side of the split it is, and what will not do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.tables_of_tasks import Cells, assays, long_table, opened, opened_as_found, points, write
from workbench.places import sample_tasks
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.task_tables import ClassTaskTables, TaskTables


def test_a_column_that_names_the_task_makes_a_task_of_each_value(tmp_path: Path) -> None:
    path = long_table(tmp_path / "log.csv")
    source = opened_as_found(path)
    overview = source.overview()
    assert overview.form == "one long table with a task column"
    assert sum(overview.tasks.values()) == 8
    assert sum(overview.examples.values()) == 8 * 24
    assert "task user · target warmth" in overview.facts
    assert source.spec.input_shape == (3,)  # load, and a feature for each mode
    about = source.describe("test", 0)
    assert about.title.startswith("u")
    assert about.support_files[0].startswith("log.csv, line ")
    lines = [line.split(",") for line in path.read_text().splitlines()]
    for file in about.query_files:
        assert lines[int(file.rpartition(" ")[2]) - 1][0] == about.title
    report = check_data(path)
    assert (report["form"], report["tasks"], report["usable"]) == (overview.form, overview.tasks, True)
    assert report["settings"] == {"layout": "long", "task": "user", "target": "warmth", "path": str(path)}
    assert report["floor"]["metric"] == "mse"


def test_classes_in_a_long_table_keep_their_meaning(tmp_path: Path) -> None:
    path = long_table(tmp_path / "log.csv", target=lambda place: ["likes", "does not"][place % 2])
    source = opened_as_found(path)
    assert isinstance(source, ClassTaskTables)
    assert source.describe("train", 0).class_names == ("does not", "likes")
    assert check_data(path)["classes"] == 2
    assert check_data(path)["experiment"] == {"task.ways": 2, "task.queries": 7}


def test_a_table_a_task_is_read_from_a_folder_with_splits_or_without(tmp_path: Path) -> None:
    for number in range(9):
        write(tmp_path / "flat" / f"site {number}.csv", ["load", "mode", "warmth"], points(24, number))
        split = ("train", "val", "test")[number % 3]
        write(tmp_path / "split" / split / f"site {number}.csv", ["load", "mode", "warmth"], points(24, number))
    flat, split = (opened_as_found(tmp_path / name) for name in ("flat", "split"))
    assert flat.overview().form == split.overview().form == "one table a task"
    assert flat.describe("train", 0).title.startswith("site ")
    assert split.overview().tasks == {"train": 3, "validation": 3, "test": 3}
    assert split.names("validation") == {"site 1", "site 4", "site 7"}
    assert split.spec.outputs == 1


def test_a_user_in_several_splits_is_trained_on_alone_and_named(tmp_path: Path) -> None:
    for split, users in {"train": range(5), "val": (0, 5, 6), "test": (0, 6, 7, 8)}.items():
        for user in users:
            write(tmp_path / split / f"user{user}.csv", ["load", "mode", "warmth"], points(24, user))
    source = opened_as_found(tmp_path)
    sides = {side: source.names(side) for side in ("train", "validation", "test")}
    assert sides == {"train": {f"user{n}" for n in range(5)}, "validation": {"user5", "user6"},
                     "test": {"user7", "user8"}}
    told = source.overview().problems
    assert told[0].startswith("the task user0 is in train and in validation and in test; only its rows in train were")
    assert told[1].startswith("the task user6 is in validation and in test; only its rows in validation were taken")
    assert len(told) == 2


def with_splits(path: Path, split_of: Callable[[int], str], name: str = "split") -> Path:
    """A long table of 9 users that gives each a split, in its last column."""
    rows = [[f"u{user}", *row, split_of(user)] for user in range(9) for row in points(24, user)]
    return write(path, ["user", "load", "mode", "warmth", name], rows)


@pytest.mark.parametrize("column", ["split", "Set"])
def test_a_column_of_splits_is_honoured_and_no_input(tmp_path: Path, column: str) -> None:
    path = with_splits(tmp_path / "log.csv", lambda user: ["train", "train", "val", "test"][user % 4], column)
    source = opened_as_found(path)
    assert source.names("test") == {"u3", "u7"}
    assert source.names("validation") == {"u2", "u6"}
    assert source.spec.input_shape == (3,)  # load, and a feature for each mode
    overview = source.overview()
    assert "target warmth" in overview.facts
    assert f"split by the column {column}" in overview.facts
    assert overview.problems == ()


def test_users_whose_rows_are_in_several_splits_are_trained_on(tmp_path: Path) -> None:
    path = with_splits(tmp_path / "log.csv", lambda user: ["train", "val", "test"][user % 3])
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line.replace(",test", ",train") if line.startswith("u2,") and number % 2 else line
                              for number, line in enumerate(lines)))
    source = opened("task_tables", path=path)
    assert source.names("train") == {"u0", "u2", "u3", "u6"}
    assert source.names("test") == {"u5", "u8"}
    assert "the task u2 is in train and in test; only its rows in train were taken" in source.overview().problems[0]


def test_a_column_of_splits_that_cannot_be_read_is_no_input_either(tmp_path: Path) -> None:
    source = opened_as_found(with_splits(tmp_path / "log.csv", lambda user: "train" if user % 2 else "other"))
    assert source.spec.input_shape == (3,)
    assert source.overview().problems == (
        "log.csv: the column split holds 'other', which is none of train, val and test, so it was left out and the "
        "tasks were split anew",)


def test_a_column_of_splits_beside_columns_of_tasks_is_no_input(tmp_path: Path) -> None:
    path = assays(tmp_path / "assays.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"{line},{'train' if number % 2 else 'test'}" if number else f"{line},split"
                              for number, line in enumerate(lines)))
    source = opened_as_found(path)
    assert source.spec.input_shape == (3,)
    assert "the column split splits rows where each column is a task, so it was left out" in (
        source.overview().problems[0])


def test_a_task_in_each_column_has_the_rows_that_were_tested(tmp_path: Path) -> None:
    source = opened_as_found(assays(tmp_path / "assays.csv"))
    assert source.overview().form == "one table, a task in each column"
    assert source.overview().tasks == {"train": 4, "validation": 1, "test": 1}
    assert source.spec.input_shape == (3,)  # the compound only names the rows
    assert check_data(tmp_path)["settings"]["targets"] == "assay_*"
    lines = (tmp_path / "assays.csv").read_text().splitlines()
    about, batch = source.describe("test", 0), source.sample("test", [0])
    column = lines[0].split(",").index(about.title)
    for file, label in zip(about.query_files, batch.query.targets[0].tolist(), strict=True):
        assert lines[int(file.rpartition(" ")[2]) - 1].split(",")[column] == about.class_names[label]


def test_columns_of_values_are_regression_tasks(tmp_path: Path) -> None:
    source = opened_as_found(assays(tmp_path / "assays.csv", classes=False))
    assert isinstance(source, TaskTables)
    assert source.sample("train", [0]).support.targets.shape == (1, 10, 1)


def test_compounds_of_a_group_are_on_one_side_only(tmp_path: Path) -> None:
    path = assays(tmp_path / "assays.csv", group=True, rows=400)
    source = opened("class_task_tables", path=path, group="scaffold", targets="assay_*", queries=4)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    sides = {}
    for stream in ("train", "validation", "test"):
        about = [source.describe(stream, index) for index in range(60)]
        sides[stream] = {lines[int(file.rpartition(" ")[2]) - 1][1] for one in about
                         for file in (*one.support_files, *one.query_files)}
    assert not sides["train"] & sides["test"]
    assert not sides["train"] & sides["validation"]
    assert "groups, each whole on one side: " in source.overview().facts


def test_patients_of_a_group_are_on_one_side_only(tmp_path: Path) -> None:
    rows = [[f"s{session:02}", f"p{session // 3}", *row] for session in range(18) for row in points(20, session)]
    path = write(tmp_path / "sessions.csv", ["session", "patient", "load", "mode", "warmth"], rows)
    source = opened("task_tables", path=path, group="patient", layout="long", task="session")
    sides = {side: {int(name[1:]) // 3 for name in source.names(side)} for side in ("train", "validation", "test")}
    assert not sides["train"] & (sides["validation"] | sides["test"])
    assert sides["validation"].isdisjoint(sides["test"])


def test_columns_are_named_in_any_case(tmp_path: Path) -> None:
    path = long_table(tmp_path / "log.csv")
    source = opened("task_tables", path=path, layout="long", task="User ", target="WARMTH", ignore="Mode")
    assert source.overview().facts.endswith("task user · target warmth")
    assert [one["name"] for one in source.spec.reading["columns"]] == ["load"]


def long_lines(*bad: str) -> str:
    """A long table with some lines of its own."""
    rows = [f"u{n % 4},{n % 9}.5,{n % 11}.25" for n in range(200)]
    return "\n".join(["user,load,warmth", *rows, *bad]) + "\n"


@pytest.mark.parametrize(("text", "problem"), [
    (long_lines("u1,3.5,", "u2,4.5,nan"), "2 rows have no number in the target warmth and were left out, such as "
                                          "log.csv, line 202; fill it in or delete the row"),
    (long_lines("u1,3.5,warm"), "1 row has no number in the target warmth and was left out"),
    (long_lines(",3.5,4.5"), "1 row has nothing in the column user and was left out, such as log.csv, line 202"),
    (long_lines("u9,3.5,4.5"), "the task u9 has 1 row, and 10 shots and 10 queries take 20; it was left out"),
    (long_lines("u1,many,4.5"), "in the column load these cells are no numbers"),
])
def test_bad_rows_are_left_out_and_said(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    report = check_data(tmp_path / "log.csv")
    assert report["usable"], report["problems"]
    assert any(problem in one for one in report["problems"]), report["problems"]


def named_rows(target: Callable[[int], Any]) -> list[list[Any]]:
    return [[f"u{n % 5}", n % 9 + 0.5, target(n)] for n in range(300)]


@pytest.mark.parametrize(("dataset", "rows", "config", "message"), [
    ("task_tables", named_rows(lambda n: ["good", "bad"][n % 2]), {},
     r"log\.csv, line 2: 'good' in the target warmth is no number; name another column in dataset\.target, or take the "
     "dataset class_task_tables"),
    ("class_task_tables", named_rows(lambda n: n * 0.37), {},
     "holds 300 different numbers, which are values rather than classes; take the dataset task_tables"),
    ("class_task_tables", named_rows(lambda n: "good"), {}, "most tasks hold one class, such as u0"),
    ("class_task_tables", named_rows(lambda n: "abc"[n // 5 % 3]), {}, r"tasks of 3 classes.*set task\.ways to 3"),
    ("class_task_tables", named_rows(lambda n: "ab"[n // 5 % 2]), {"target": "load, warmth"},
     r"classes stand in one column and dataset\.target names 2"),
    ("task_tables", named_rows(lambda n: n), {"task": "whom"}, "has no column 'whom'"),
    ("task_tables", named_rows(lambda n: n), {"target": "wrath"},
     r"has no column 'wrath', which dataset\.target names"),
    ("task_tables", named_rows(lambda n: n), {"group": "ward"}, "has no column 'ward'"),
    ("task_tables", named_rows(lambda n: n), {"targets": "assay_*"}, "has no column whose name begins with 'assay_'"),
    ("task_tables", named_rows(lambda n: n)[::5], {}, "holds one task, and training, validation and testing need one"),
    ("task_tables", named_rows(lambda n: ""), {}, "no row has a target that could be learned"),
])
def test_what_will_not_do_is_named_with_the_remedy(tmp_path: Path, dataset: str, rows: Cells,
                                                   config: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "log.csv", ["user", "load", "warmth"], rows)
    with pytest.raises(DataError, match=message):
        opened(dataset, path=path, **{
            "layout": "columns" if "targets" in config else "long", "task": "user", "target": "warmth", **config})


def test_a_path_that_is_not_there_or_holds_no_tasks_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.path: name the table or the folder of tables"):
        opened("task_tables")
    with pytest.raises(DataError, match="there is no file or folder"):
        opened("task_tables", path=tmp_path / "nothing")
    write(tmp_path / "a.csv", ["x", "y"], [[n, n] for n in range(9)])
    with pytest.raises(DataError, match=r"nothing here looks like tables of tasks; name the column of the tasks in "
                                        r"dataset\.task"):
        opened("task_tables", path=tmp_path)


def test_tables_with_other_columns_and_torn_ones_are_left_out(tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / f"s{number}.csv", ["load", "mode", "warmth"], points(24, number))
    write(tmp_path / "odd.csv", ["wind", "rain"], [[n, n] for n in range(30)])
    (tmp_path / "empty.csv").write_text("")
    report = check_data(tmp_path)
    assert sum(report["tasks"].values()) == 8
    assert any("odd.csv has other columns than most tables (load, mode, warmth) and was left out" in one
               for one in report["problems"])
    assert any("empty.csv is empty" in one and "it was left out" in one for one in report["problems"])


@pytest.mark.parametrize(("folder", "form", "tasks"), [
    ("machines", "one long table with a task column", 40), ("assays", "one table, a task in each column", 24),
    ("stations", "one table a task", 30), ("ready_made", "ready-made picture tasks", 40)])
def test_the_samples_give_tasks_as_they_are_recognized(folder: str, form: str, tasks: int) -> None:
    report = check_data(sample_tasks() / folder)
    assert (report["form"], sum(report["tasks"].values())) == (form, tasks)
    assert report["problems"] == []
    assert report["usable"]
