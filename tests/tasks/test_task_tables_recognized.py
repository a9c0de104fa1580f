"""What tables of tasks are recognized by, and what their columns are taken for: tasks, features or names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tasks.tables_of_tasks import assays, opened, opened_as_found, points, write
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import list_files
from workbench.tasks.files.watching import GivenUpError, watched
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.table import OneTable
from workbench.tasks.task_tables import ClassTaskTables, TaskTables


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
