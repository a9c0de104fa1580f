"""One table whose rows belong to classes: what is read from it, what it is recognized by, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.tasks.tables_of_classes import SMALL, found, write
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.preview import preview
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.sampling.classes import ClassTasks

Opener = Callable[..., TaskSource]


def test_a_table_gives_tasks_of_normalized_rows(tmp_path: Path, opened: Opener) -> None:
    source = opened("table", path=write(tmp_path / "data.csv"), **SMALL)
    assert source.spec.input_shape == (3,)
    assert source.spec.input_kind == "vector"
    batch = source.sample("train", range(4))
    assert batch.support.inputs.shape == (4, 2, 3)
    assert batch.query.targets.tolist() == [[0, 0, 1, 1]] * 4
    overview = source.overview()
    assert overview.form == "one table, classes in a column"
    assert overview.facts.startswith("12 classes · 96 rows · 3 features")
    assert sum(overview.classes.values()) == 12
    assert overview.problems == ()
    assert source.describe("train", 0).support_files[0].startswith("data.csv, line ")
    assert isinstance(source, ClassTasks)
    inputs = source.labelled.inputs[torch.from_numpy(source.training_examples())]
    mean, deviation = torch.tensor(source.spec.mean), torch.tensor(source.spec.deviation)
    assert torch.allclose(((inputs - mean) / deviation).mean(0), torch.zeros(3), atol=1e-4)
    assert torch.allclose(((inputs - mean) / deviation).std(0, correction=0), torch.ones(3), atol=1e-4)


def test_the_facts_say_what_became_of_names_gaps_and_ids(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={
        "size": lambda one, place: "" if place == 0 and one < 9 else str(one + place / 10),
        "tone": lambda one, place: "NA" if (one, place) == (3, 2) else ["dark", "pale", "mid"][place % 3],
        "sample_id": lambda one, place: f"S-{one}-{place}"})
    facts = opened("table", path=path, **SMALL).overview().facts
    assert facts.split(" · ")[2:] == [
        "8 features", "categories: colour (2), tone (3)",
        "9 missing numbers filled with the median of the training rows (size)",
        "1 empty cell taken for no category (tone)", "label species", "sample_id left out, as it only names the rows"]
    assert check_data(path, SMALL["task"])["facts"] == facts
    assert "missing" not in opened("table", path=write(tmp_path / "whole.csv"), **SMALL).overview().facts


def test_it_is_recognized_as_a_file_in_a_folder_and_in_a_zip(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "Мои данные (2024)" / "表 один.csv")
    (path.parent / "notes.txt").write_text("What I measured.")
    for place in (path, path.parent):
        report = recognize_data(place)
        assert (report.dataset, report.settings["label"]) == ("table", "species")
        assert report.why == "the column species of 表 один.csv has 12 values in 96 rows"
        assert sum(opened("table", path=place, **SMALL).overview().classes.values()) == 12


def test_check_agrees_with_the_source(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", 15, 12)
    report = check_data(path)
    source = opened("table", path=path, task={"shots": 5})
    overview = source.overview()
    assert report["usable"]
    assert (report["form"], report["classes"], report["examples"]) == (overview.form, 15, 180)
    assert {name: part["classes"] for name, part in report["splits"].items()} == overview.classes
    assert report["floor"]["mean"] == source.floors()[0].mean
    json.dumps(report)


def test_rows_without_a_label_are_left_out_and_named(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", label=lambda one, place: ["", "NaN", "n/a"][place % 3] if one == 3 and place < 3
                 else f"kind {one:02}")
    source = opened("table", path=path, **SMALL)
    assert source.overview().problems == ("data.csv: 3 of 96 rows have no species and were left out (lines 5, 17, 29); "
                                          "fill it in",)
    assert len(found(source).names) == 12
    assert found(source).counts.sum() == 93


def test_stray_words_among_numbers_and_columns_to_ignore(tmp_path: Path, opened: Opener) -> None:
    sizes = {"size": lambda one, place: "abc" if one == 4 and not place else str(place)}
    path = write(tmp_path / "data.csv", extra=sizes)
    source = opened("table", path=path, **SMALL)
    assert source.overview().problems == (
        "in the column size these cells are no numbers, and their rows were left out: 'abc' (data.csv, line 6); "
        "correct them",)
    assert found(source).counts.sum() == 95
    ignoring = opened("table", path=path, ignore="size, colour", **SMALL)
    assert ignoring.spec.input_shape == (1,)
    assert ignoring.overview().problems == ()
    assert ignoring.spec.reading["columns"][0]["name"] == "mass"


@pytest.mark.parametrize(("config", "sentence"), [
    ({"label": "kind"}, r"has no column 'kind', which dataset\.label names; its columns are mass, colour, species"),
    ({"group": "place"}, r"has no column 'place', which dataset\.group names"),
    ({"ignore": "mass,weight"}, r"has no column 'weight', which dataset\.ignore names"),
    ({"label": "mass"}, r"the column mass of .* holds \d+ different numbers in 96 rows, which are values rather than"),
    ({"ignore": "mass,colour"}, "has no column of numbers or of few values"),
])
def test_columns_that_will_not_do_are_named(tmp_path: Path, opened: Opener, config: dict[str, str],
                                            sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        opened("table", path=write(tmp_path / "data.csv"), **config, **SMALL)


@pytest.mark.parametrize(("label", "holds"), [("all", "only the class 'all'"), ("", "nothing")])
def test_one_class_or_none_is_an_error(tmp_path: Path, opened: Opener, label: str, holds: str) -> None:
    path = write(tmp_path / "data.csv", label=lambda *_: label)
    with pytest.raises(DataError, match=f"the column species of .* holds {holds}, and a task needs two classes"):
        opened("table", path=path, label="species", **SMALL)
    report = check_data(path)
    assert not report["usable"]
    assert report["problems"]


def test_too_few_rows_of_a_class_are_named_with_what_would_help(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", 12, 4)
    with pytest.raises(DataError, match=r"holds 12 classes.*Set .*queries to 3"):
        opened("table", path=path, task={"ways": 2, "shots": 1, "queries": 5})
    report = check_data(path)
    assert (report["usable"], report["classes"], report["examples"]) == (False, 12, 48)


def test_a_column_that_is_mostly_empty_is_no_label(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv")
    lines = path.read_text().replace("species", "sort").splitlines()
    remarks = ["remark", *["label torn" if place % 10 == 0 else "" for place in range(len(lines) - 1)]]
    path.write_text("\n".join(f"{line},{remark}" for line, remark in zip(lines, remarks, strict=True)))
    recognized = recognize_data(path)
    assert recognized.settings["label"] == "sort"
    assert recognized.why == "the column sort of data.csv has 12 values in 96 rows"


def of_reactors(path: Path, label: str = "reactor") -> Path:
    """Rows of (reactor, heat, yield), where each reactor yields in a way of its own."""
    rows = [f"R{one},{heat / 10},{one * heat / 10 + 0.01 * heat:.3f}" for one in range(9) for heat in range(12)]
    path.write_text("\n".join([f"{label},heat,yield", *rows]), encoding="utf-8")
    return path


def test_what_may_be_tasks_rather_than_classes_is_told_how_to_be_them(tmp_path: Path) -> None:
    recognized = recognize_data(of_reactors(tmp_path / "data.csv"))
    assert recognized.dataset == "table"
    assert recognized.otherwise == (
        "if each reactor is a task of its own, whose rows have a value to be predicted, pick Tables of tasks "
        "(dataset.name=task_tables) with reactor as the task column (dataset.task=reactor)")
    experiment = resolve({"dataset": {"name": "task_tables", "path": str(recognized.path), "task": "reactor"},
                          "task": {"shots": 2, "queries": 4}})
    source = find("dataset", "task_tables")(experiment, torch.device("cpu"))
    assert sum(source.overview().tasks.values()) == 9
    assert "target yield" in source.overview().facts
    assert recognize_data(of_reactors(tmp_path / "species.csv", "Species")).otherwise == ""
    assert recognize_data(of_reactors(tmp_path / "flower.csv", "Species name")).otherwise == ""
    assert recognize_data(write(tmp_path / "last.csv")).otherwise == ""
    bare = ["reactor,yield", *(f"R{one % 9},{one / 7:.3f}" for one in range(99))]
    (tmp_path / "bare.csv").write_text("\n".join(bare), encoding="utf-8")
    assert recognize_data(tmp_path / "bare.csv").otherwise == ""  # nothing would be left to predict it from
    spaced = recognize_data(of_reactors(tmp_path / "spaced.csv", "plot of land")).otherwise
    assert spaced.endswith("with plot of land as the task column ('dataset.task=plot of land')")


def test_who_picks_another_dataset_is_not_told_of_it_again(tmp_path: Path) -> None:
    path = of_reactors(tmp_path / "data.csv")
    suited = {"task": {"ways": 3, "shots": 2, "queries": 4}}
    for dataset, says in (({"name": "table", "label": "reactor"}, True),
                          ({"name": "task_tables", "task": "reactor"}, False)):
        experiment = resolve({"dataset": {"path": str(path), **dataset}, **suited})
        seen = preview(find("dataset", dataset["name"])(experiment, torch.device("cpu")), experiment)
        assert seen.otherwise.startswith("if each reactor") is says
        assert "if each" not in seen.why
    assert check_data(path)["otherwise"] == recognize_data(path).otherwise


def test_too_few_classes_are_told_with_the_column_that_was_taken(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", classes=3)
    with pytest.raises(DataError, match=r"holds 3 classes in the column species, which will not do for 2-way tasks: .*"
                                        r": add classes, or name another column in dataset\.label; or set "
                                        r"dataset\.held_out to examples, to train and to test on other examples"):
        opened("table", path=path, **SMALL)


def test_columns_are_named_in_any_case(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"Tone": lambda _, place: str(place), "tonE": lambda one, _: str(one)})
    source = opened("table", path=path, label=" Species", ignore="MASS, tonE", **SMALL)
    assert found(source).names[0] == "kind 00"
    assert [one["name"] for one in source.spec.reading["columns"]] == ["colour", "Tone"]
    with pytest.raises(DataError, match=r"has no column 'tone', .*; its columns are mass, colour, Tone, tonE, species"):
        opened("table", path=path, ignore="tone", **SMALL)


def test_a_folder_of_several_tables_and_one_without_any(tmp_path: Path, opened: Opener) -> None:
    for name in ("a", "b"):
        write(tmp_path / "two" / f"{name}.csv")
    with pytest.raises(DataError, match=r"holds 2 tables: a\.csv, b\.csv; name one of them in dataset\.path"):
        opened("table", path=tmp_path / "two", **SMALL)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "x.bin").write_bytes(b"1")
    with pytest.raises(DataError, match="holds no csv or tsv file; name the file itself"):
        opened("table", path=tmp_path / "none", **SMALL)
    with pytest.raises(DataError, match=r"dataset\.path: name your csv or tsv file"):
        opened("table", **SMALL)


def test_a_table_that_cannot_be_read_is_reported_not_raised(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a,b\n1,\x00\x01\n")
    report = check_data(tmp_path / "data.csv")
    assert (report["usable"], report["dataset"]) == (False, "table")
    assert "holds bytes that are no text" in report["problems"][0]


def test_a_table_without_classes_is_reported_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("\n".join(["x,z", *[f"{i}.5,{i * i}" for i in range(30)]]))
    report = check_data(tmp_path / "data.csv")
    assert not report["usable"]
    assert "has no column whose values repeat as those of a class do; name it in dataset.label" in report["problems"][0]


def test_what_stands_beside_the_data_goes_before_every_guess(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", extra={"batch": lambda one, place: "abc"[(one + place) % 3]})
    (tmp_path / "dataset.toml").write_text('label = "species"\nignore = "batch"\n')
    report = check_data(path)
    assert report["settings"]["ignore"] == "batch"
    assert report["classes"] == 12


def test_numbers_may_be_classes_where_a_person_says_so(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", label=lambda one, _: str(one))
    assert recognize_data(path).settings["label"] == "species"
    lines = path.read_text().replace("species", "code")
    path.write_text(lines)
    assert len(found(opened("table", path=path, label="code", **SMALL)).names) == 12
