"""Tables of tasks in every form, messy ones among them, and new tasks for what was trained on them."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.places import sample_tasks
from workbench.tasks.base import STREAMS, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import list_files
from workbench.tasks.files.watching import GivenUpError, watched
from workbench.tasks.looking.check import check_data, experiment_on
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.own.new_task import read_new_task
from workbench.tasks.table import OneTable
from workbench.tasks.task_tables import ClassTaskTables, TaskTables

Cells = list[list[Any]]


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        if header:
            writer.writerow(header)
        writer.writerows(rows)
    return path


def points(rows: int, seed: int = 0) -> Cells:
    """Load, mode and a target of each row."""
    chance = np.random.default_rng(seed)
    return [[round(float(chance.uniform(0, 9)), 2), str(chance.choice(["eco", "boost"])),
             round(float(chance.normal(50, 20)), 1)] for _ in range(rows)]


def long_table(path: Path, users: int = 8, rows: int = 24, target: Callable[[int], Any] | None = None) -> Path:
    cells = [[f"u{user}", *row[:2], target(place) if target else row[2]] for user in range(users)
             for place, row in enumerate(points(rows, user))]
    return write(path, ["user", "load", "mode", "warmth"], cells)


def opened_as_found(path: Path) -> TaskSource:
    """What the recognizer would train on."""
    found = recognize_data(path)
    kind = {"task_tables": TaskTables, "class_task_tables": ClassTaskTables}[found.dataset]
    return kind(experiment_on(found), torch.device("cpu"))


def opened(dataset: str, *, ways: int = 2, shots: int = 2, queries: int = 2, **config: Any) -> TaskSource:
    """A dataset with these fields, which may be called as the tables of the experiment are."""
    kind = find("dataset", dataset)
    assert issubclass(kind, TaskSource)
    return kind(resolve({"dataset": {"name": dataset, **config}, "algorithm": {"name": "maml"},
                         "task": {"ways": ways, "shots": shots, "queries": queries}}), torch.device("cpu"))


def assays(path: Path, *, columns: int = 6, rows: int = 120, classes: bool = True, group: bool = False) -> Path:
    chance = np.random.default_rng(3)
    cells = []
    for row in range(rows):
        features = [f"C{row:04}", *([f"scaffold {row // 4}"] if group else []),
                    *(f"{chance.normal():.3f}" for _ in "abc")]
        values = [(int(chance.random() < 0.3) if classes else f"{chance.normal():.2f}") if chance.random() < 0.5 else ""
                  for _ in range(columns)]
        cells.append([*features, *values])
    header = ["compound", *(["scaffold"] if group else []), "logp", "weight", "charge",
              *(f"assay_{n}" for n in range(columns))]
    return write(path, header, cells)


def test_many_tables_are_recognized_by_some_and_then_all_are_read(tmp_path: Path) -> None:
    for split, count in (("test", 30), ("train", 90), ("val", 30)):
        for number in range(count):
            write(tmp_path / split / f"{split}{number:03}.csv", ["load", "mode", "warmth"], points(24, number))
    heard: list[tuple[int, int]] = []

    def hear(done: int, total: int) -> bool:
        heard.append((done, total))
        return True

    with watched(hear):
        found = recognize_data(tmp_path)
    assert found.dataset == "task_tables"
    assert found.why == "of 150 tables 22 were looked at, and they have the same columns"
    assert {total for _, total in heard} == {0, 22}
    assert opened("task_tables", path=tmp_path).overview().tasks == {"train": 90, "validation": 30, "test": 30}
    with watched(hear):
        opened("task_tables", path=tmp_path)
    assert (149, 150) in heard
    with pytest.raises(GivenUpError), watched(lambda done, total: done < 3):
        opened("task_tables", path=tmp_path)


def test_many_ready_made_tasks_are_recognized_by_some(tmp_path: Path) -> None:
    for number in range(60):
        for part in ("support", "query"):
            write(tmp_path / f"t{number}" / f"{part}.csv", ["load", "mode", "warmth"], points(6, number))
    found = recognize_data(tmp_path)
    assert found.why == "of 60 folders 20 were looked at, and they hold a support and a query table each"
    assert found.settings["layout"] == "ready"


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


def ratings(path: Path, header: Sequence[str], item: Callable[[int], Any], *, users: int = 12, items: int = 60,
            number: Callable[[float], Any] = str) -> Path:
    """What users think of items: each item is as good for all."""
    chance = np.random.default_rng(5)
    worth = chance.normal(0, 1, items)
    rows = [[f"u{user}", item(one), number(round(float(worth[one] + chance.normal(0, 0.1)), 2))]
            for user in range(users) for one in chance.choice(items, 30, replace=False).tolist()]
    return write(path, header, rows)


@pytest.mark.parametrize(("header", "item"), [
    (["user", "item", "rating"], lambda one: f"film {one}"), (["userId", "movieId", "rating"], lambda one: 7 * one + 3),
    (["reviewer", "book", "stars"], lambda one: f"The Book of {one}")])
def test_names_of_items_are_hashed_and_say_what_each_is_like(tmp_path: Path, header: list[str],
                                                             item: Callable[[int], Any]) -> None:
    path = ratings(tmp_path / "ratings.csv", header, item)
    report = check_data(path)
    assert (report["form"], report["problems"]) == ("one long table with a task column", [])
    assert f"{header[1]} hashed to 128 features, two for each value" in report["facts"]
    source = opened_as_found(path)
    assert source.spec.input_shape == (128,)
    assert source.spec.mean == (0.0,) * 128
    assert source.spec.deviation == (1.0,) * 128
    train, test = (source.sample(stream, range(40)) for stream in ("train", "test"))  # type: ignore[arg-type]
    assert set(train.support.inputs.unique().tolist()) == {0.0, 1.0}
    assert train.support.inputs.sum(-1).max() == 2
    x, y = (part.flatten(0, 1) for part in train.query)
    weights = torch.linalg.solve(x.T @ x + 0.1 * torch.eye(128), x.T @ y)
    # What users thought who were trained on says what others think, so a learner has something to find.
    assert ((test.query.inputs @ weights - test.query.targets) ** 2).mean() < 0.5 * source.floors()[0].mean


def test_a_number_that_names_few_things_is_a_feature_for_each(tmp_path: Path) -> None:
    path = ratings(tmp_path / "r.csv", ["user", "store_id", "rating"], lambda one: one % 5)
    assert opened_as_found(path).spec.input_shape == (5,)
    amount = ratings(tmp_path / "amount.csv", ["user", "humid", "rating"], lambda one: one)
    assert opened_as_found(amount).spec.input_shape == (1,)  # a word that ends with id is no name


def test_assays_have_the_notation_of_compounds_or_are_told_that_they_lack_features(tmp_path: Path) -> None:
    chance = np.random.default_rng(2)
    parts = ["C", "c1ccccc1", "N", "O", "Cl", "C(=O)"]
    rows = [[f"C{row:03}", "".join(chance.choice(parts, 5)),
             *[int(chance.random() < 0.4) if chance.random() < 0.5 else "" for _ in range(6)]] for row in range(90)]
    assays_called = [f"assay_{number}" for number in range(6)]
    report = check_data(write(tmp_path / "a.csv", ["compound", "smiles", *assays_called], rows))
    assert report["form"] == "one table, a task in each column"
    assert "smiles hashed to 256 features, by runs of its letters" in report["facts"]
    bare = check_data(write(tmp_path / "b" / "a.csv", ["compound", *assays_called],
                            [[row[0], *row[2:]] for row in rows]))
    assert (bare["usable"], bare["problems"]) == (False, [
        f"{tmp_path / 'b' / 'a.csv'}: 6 columns, such as assay_0, hold targets for some of the rows each, and no other "
        "column says anything that they could be predicted from; add columns of features, such as descriptors or the "
        "SMILES of each compound"])


def test_a_table_of_classes_is_left_to_its_own_dataset(tmp_path: Path) -> None:
    rows = [[round(n * 0.37 % 5, 2), n % 7, f"species {n % 6}"] for n in range(120)]
    path = write(tmp_path / "flowers.csv", ["length", "width", "species"], rows)
    assert recognize_data(path).dataset == OneTable.name()
    named = write(tmp_path / "named.csv", ["user", "length", "width", "species"],
                  [[f"u{n}", *row] for n, row in enumerate(rows)])
    assert recognize_data(named).dataset == OneTable.name()  # a user a row is no task


def gappy(path: Path, columns: Sequence[str]) -> Path:
    """A table of classes in which these columns have a third of their cells."""
    chance = np.random.default_rng(1)
    rows = [[f"{chance.normal():.2f}", *(f"{chance.normal():.2f}" if chance.random() < 0.3 else "" for _ in columns),
             f"species {n % 6}"] for n in range(240)]
    return write(path, ["length", *columns, "species"], rows)


def panel(path: Path, names: Sequence[str], *, positive: float, gaps: float = 0.0, no: int = 0, quiet: int = 0) -> Path:
    """Assays of 400 compounds that hold 1, `no` or nothing; the first `quiet` rows are all negative."""
    rng = np.random.default_rng(0)
    answers = np.where(rng.random((400, len(names))) < positive, "1", str(no))
    answers[:quiet] = str(no)
    answers[rng.random(answers.shape) < gaps] = ""
    values = rng.normal(size=(400, 3)).round(3)
    return write(path, ["compound", "logp", "mass", "charge", *names],
                 [[f"c{row}", *values[row], *answers[row]] for row in range(400)])


NUMBERED = [f"assay {number}" for number in range(20)]


@pytest.mark.parametrize("names", [NUMBERED, [str(n) for n in range(20)], [chr(97 + n) * 3 for n in range(20)]])
@pytest.mark.parametrize("look", [
    {"positive": 0.05, "quiet": 250}, {"positive": 0.1, "gaps": 0.1}, {"positive": 0.2, "no": -1},
    {"positive": 0.1, "gaps": 0.5, "quiet": 250}])
def test_columns_of_yes_and_no_are_tasks_whatever_their_first_rows_hold(tmp_path: Path, names: list[str],
                                                                       look: dict[str, Any]) -> None:
    report = check_data(panel(tmp_path / "panel.csv", names, **look))
    assert (report["form"], report["dataset"]) == ("one table, a task in each column", "class_task_tables")
    assert sum(report["tasks"].values()) >= 15
    assert report["usable"]


def test_features_of_yes_and_no_are_no_tasks_where_something_says_the_class(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 2, (360, 12)).astype(object)
    for name, header in (("bits", [f"bit{n}" for n in range(12)]), ("words", [chr(97 + n) * 3 for n in range(12)])):
        rows = [[*answers[row], f"kind {row % 18}"] for row in range(360)]
        assert check_data(write(tmp_path / f"{name}.csv", [*header, "kind"], rows))["dataset"] == "table"
    few = write(tmp_path / "few.csv", ["area", *"abcdefg", "price"],
                [[row, *answers[row, :7], 300.5 + row] for row in range(360)])
    assert check_data(few)["form"] == "unknown"


def test_a_panel_without_features_is_told_that_it_lacks_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [[f"c{row}", *(rng.random(20) < 0.1).astype(int)] for row in range(300)]
    report = check_data(write(tmp_path / "panel.csv", ["compound", *NUMBERED], rows))
    assert (report["form"], report["usable"]) == ("unknown", False)
    assert "no other column says anything that they could be predicted from; add columns of features" in report["why"]


def test_numbered_columns_without_order_are_no_series(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(200, 20)).round(3)
    noise = write(tmp_path / "noise.csv", ["name", *(f"v{n}" for n in range(20))],
                  [[f"n{row}", *values[row]] for row in range(200)])
    assert "in none of its columns values repeat" in check_data(noise)["why"]


def test_features_with_gaps_beside_a_label_are_no_tasks(tmp_path: Path) -> None:
    flowers = gappy(tmp_path / "flowers.csv", ["width", "weight", "age"])
    assert recognize_data(flowers).dataset == "table"
    assert recognize_data(gappy(tmp_path / "a.csv", ["age", "area", "amount"])).dataset == "table"
    assert recognize_data(gappy(tmp_path / "b.csv", ["tox a", "tox b", "tox c"])).dataset == "task_tables"
    assert recognize_data(gappy(tmp_path / "c.csv", ["Y1", "Y2", "Y10"])).dataset == "task_tables"
    assert sum(opened("task_tables", path=flowers).overview().tasks.values()) == 3  # whoever names it gets it
    (tmp_path / "dataset.toml").write_text('targets = "width, weight, age"\n')
    assert recognize_data(flowers).dataset == "task_tables"


def test_folders_of_splits_with_a_table_a_task_are_tasks_and_no_series(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    for number in range(9):
        write(tmp_path / ("train", "val", "test")[number % 3] / f"user{number}.csv", ["load", "speed", "warmth"],
              chance.normal(size=(30, 3)).round(2).tolist())
    assert recognize_data(tmp_path).dataset == "task_tables"
    source = opened_as_found(tmp_path)
    assert source.overview().form == "one table a task"
    assert source.names("test") == {"user2", "user5", "user8"}


@pytest.mark.parametrize(("text", "message"), [
    ('targetss = "assay_*"\n', r"dataset\.toml: .*'targetss'"),
    ('targets = "essay_*"\n', "no column whose name begins with 'essay_'"),
    ('ignore = "logb"\n', r"no column 'logb', which dataset\.group or dataset\.ignore names"),
    ('layout = "colums"\n', r"dataset\.toml: layout: "),
    ('metric = "auc"\ntargets = "assay_*"\n', r"dataset\.toml: metric: "),
])
def test_a_wrong_field_in_dataset_toml_is_said(tmp_path: Path, text: str, message: str) -> None:
    assays(tmp_path / "assays.csv")
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(DataError, match=message):
        recognize_data(tmp_path)


def test_a_dataset_toml_for_another_dataset_is_left_to_that(tmp_path: Path) -> None:
    gappy(tmp_path / "flowers.csv", ["width", "weight", "age"])
    for text in ('label = "species"\n', 'form = "table"\nlabl = "species"\n', 'label = "specie"\n'):
        (tmp_path / "dataset.toml").write_text(text)
        assert ClassTaskTables.recognize(list_files(tmp_path)) is TaskTables.recognize(list_files(tmp_path)) is None
    (tmp_path / "dataset.toml").write_text('metric = "auroc"\n')
    assays(tmp_path / "flowers.csv")
    assert recognize_data(tmp_path).dataset == "class_task_tables"


def test_tables_named_after_splits_are_no_tasks(tmp_path: Path) -> None:
    for name in ("train", "val", "test"):
        write(tmp_path / f"{name}.csv", ["load", "mode", "warmth"], points(30))
    assert recognize_data(tmp_path).dataset != "task_tables"


def test_a_dataset_toml_goes_before_the_guesses(tmp_path: Path) -> None:
    cells = [[f"u{n % 6}", n % 5, round(n * 0.7 % 3, 2), round(n * 1.3 % 11, 2), ["low", "high"][n % 2]]
             for n in range(240)]
    write(tmp_path / "log.csv", ["who", "hour", "load", "warmth", "level"], cells)
    (tmp_path / "dataset.toml").write_text('form = "task_tables"\ntask = "who"\ntarget = "warmth"\nignore = "level"\n')
    source = opened_as_found(tmp_path)
    assert isinstance(source, TaskTables)
    assert sum(source.overview().tasks.values()) == 6
    assert source.spec.input_shape == (2,)
    (tmp_path / "dataset.toml").write_text('form = "class_task_tables"\ntask = "who"\ntarget = "hour"\n')
    source = opened_as_found(tmp_path)
    assert source.spec.outputs == 5
    (tmp_path / "dataset.toml").write_text('task = "whom"\nform = "task_tables"\n')
    problems = check_data(tmp_path)["problems"]
    assert "has no column 'whom'" in problems[0]


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


@pytest.mark.parametrize(("folder", "form", "tasks"), [
    ("machines", "one long table with a task column", 40), ("assays", "one table, a task in each column", 24),
    ("stations", "one table a task", 30), ("ready_made", "ready-made picture tasks", 40)])
def test_the_samples_give_tasks_as_they_are_recognized(folder: str, form: str, tasks: int) -> None:
    report = check_data(sample_tasks() / folder)
    assert (report["form"], sum(report["tasks"].values())) == (form, tasks)
    assert report["problems"] == []
    assert report["usable"]


def test_the_new_machine_fits_a_learner_of_the_machines() -> None:
    source = opened_as_found(sample_tasks() / "machines")
    task = read_new_task(sample_tasks() / "new_machine", source.spec)
    assert task.support.inputs.shape == (12, *source.spec.input_shape)
    assert task.query_inputs.shape == (28, *source.spec.input_shape)
    report = check_data(sample_tasks() / "new_machine")
    assert (report["form"], report["usable"], report["examples"], report["problems"]) == ("new task", True, 40, [])
    for stream in STREAMS:
        assert source.sample(stream, range(4)).query.inputs.shape == (4, 10, 5)
