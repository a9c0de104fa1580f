"""One table whose rows belong to classes: labels, splits and groups, what is wrong with them, and new tasks."""

from __future__ import annotations

import itertools
import json
import random
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.places import sample_tasks
from workbench.tasks.base import Spec, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.preview import preview
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.own.new_task import read_new_task
from workbench.tasks.sampling.classes import ClassTasks, Labelled

Opener = Callable[..., TaskSource]
SMALL = {"task": {"ways": 2, "shots": 1, "queries": 2}}


def write(path: Path, classes: int = 12, each: int = 8, extra: Mapping[str, Callable[[int, int], str]] | None = None,
          label: Callable[[int, int], str] = lambda one, _: f"kind {one:02}") -> Path:
    """A csv whose row is (mass, colour, further columns, species); functions of the class and the place in it."""
    chance = random.Random(0)  # noqa: S311 - no secrets are drawn
    more = dict(extra or {})
    lines = [",".join(["mass", "colour", *more, "species"])]
    for place in range(each):
        for one in range(classes):
            cells = [f"{chance.gauss(one, 1):.3f}", chance.choice(["red", "blue"])]
            lines.append(",".join([*cells, *[make(one, place) for make in more.values()], label(one, place)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def found(source: TaskSource) -> Labelled:
    assert isinstance(source, ClassTasks)
    return source.labelled


def sides(source: TaskSource) -> dict[str, str]:
    return dict(zip(found(source).names, found(source).split, strict=True))


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


def test_a_split_column_is_honoured_and_classes_may_be_in_test_alone(tmp_path: Path, opened: Opener) -> None:
    def side(one: int, _: int) -> str:
        return "train" if one < 6 else "val" if one < 9 else "Test"
    source = opened("table", path=write(tmp_path / "data.csv", extra={"split": side}), **SMALL)
    assert sides(source) == {f"kind {one:02}": {"train": "train", "val": "validation", "Test": "test"}[side(one, 0)]
                             for one in range(12)}
    assert source.spec.input_shape == (3,)
    assert "split by the column split" in source.overview().facts


def test_a_class_in_two_splits_goes_to_the_first_and_is_named(tmp_path: Path, opened: Opener) -> None:
    def side(one: int, place: int) -> str:
        return "test" if one == 0 and place < 3 else "train" if one < 6 else "val" if one < 9 else "test"
    source = opened("table", path=write(tmp_path / "data.csv", extra={"split": side}), **SMALL)
    assert sides(source)["kind 00"] == "train"
    assert found(source).counts.tolist() == [5] + [8] * 11
    assert source.overview().problems == ("the class kind 00 is in train and in test by the column split; only its "
                                          "rows in train were taken",)


def test_splits_with_the_same_classes_are_made_anew(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", each=20, extra={"split": lambda _, place: "test" if place < 2 else "train"})
    source = opened("table", path=path, **SMALL)
    assert "the classes were split anew" in source.overview().facts
    (problem,) = source.overview().problems
    assert problem.startswith("12 of 12 classes are in more than one split by the column split: kind 00, kind 01, kind "
                              "02 and 9 more. The rows of each were put together")
    assert set(sides(source).values()) == {"train", "validation", "test"}
    assert len(found(source).inputs) == 240
    held = opened("table", path=path, held_out="examples", **SMALL)
    assert "the column split was not gone by, as examples are held out" in held.overview().facts


def test_a_split_column_of_other_words_is_named(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"split": lambda one, _: f"fold{one % 3}"})
    source = opened("table", path=path, **SMALL)
    assert source.overview().problems == (
        "data.csv: the column split holds 'fold0', 'fold1', 'fold2', which is none of train, val and test, so it was "
        "left out and the classes were split anew",)
    assert source.spec.input_shape == (3,)


def test_groups_stay_on_one_side_and_are_no_feature(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"site": lambda one, _: f"site {one // 2}"})
    for seed in range(5):
        side = sides(opened("table", path=path, group="site", split_seed=seed, **SMALL))
        assert all(side[f"kind {one:02}"] == side[f"kind {one + 1:02}"] for one in range(0, 12, 2))
    assert opened("table", path=path, group="site", **SMALL).spec.input_shape == (3,)


def test_groups_that_share_a_class_stay_together(tmp_path: Path, opened: Opener) -> None:
    def site(one: int, place: int) -> str:
        return f"site {(one - place % 2) // 3}" if one % 3 else f"site {one // 3}"
    path = write(tmp_path / "data.csv", extra={"site": site})
    side = sides(opened("table", path=path, group="site", **SMALL))
    assert all(len({side[f"kind {3 * group + i:02}"] for i in range(3)}) == 1 for group in range(4))


@pytest.mark.parametrize("held_out", ["classes", "examples"])
def test_groups_that_cut_across_classes_are_held_out_all_the_same(tmp_path: Path, opened: Opener, held_out: str
                                                                  ) -> None:
    path = write(tmp_path / "data.csv", each=20, extra={"person": lambda _, place: f"person {place % 10}"})
    person = {f"data.csv, line {2 + row}": f"person {row // 12 % 10}" for row in range(240)}
    source = opened("table", path=path, group="person", held_out=held_out, **SMALL)
    drawn = {split: {(name, person[file]) for index in range(60) for said in (source.describe(split, index),)
                     for files in (said.support_files, said.query_files)
                     for name, file in zip(np.repeat(said.class_names, len(files) // 2), files, strict=True)}
             for split in ("train", "validation", "test")}
    for one, other in itertools.combinations(drawn, 2):
        assert {person for _, person in drawn[one]}.isdisjoint(person for _, person in drawn[other])
        assert {name for name, _ in drawn[one]}.isdisjoint(name for name, _ in drawn[other]) == (held_out == "classes")
    overview = source.overview()
    assert "by the column person 10 groups, each whole on one side: " in overview.facts
    assert sum(overview.examples.values()) == (8 * 12 + 2 * 4 + 2 * 4 if held_out == "classes" else 240)
    assert overview.problems == ()


def test_groups_that_leave_too_little_are_named_with_what_would_help(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"person": lambda _, place: f"person {place % 4}",
                                               "hand": lambda _, place: ["left", "right"][place % 2]})
    with pytest.raises(DataError, match=r"the column person cuts across the classes, so each split has only the rows "
                                        r"of its own groups, and the validation split holds 0 usable classes .* Set "
                                        r"task\.queries to 1, name another group"):
        opened("table", path=path, group="person", **SMALL)
    with pytest.raises(DataError, match=r"the column hand has 2 values, and training, validation and testing need one"):
        opened("table", path=path, group="hand", **SMALL)


def test_what_columns_tell_is_told_by_the_rows_of_training_alone(tmp_path: Path, opened: Opener) -> None:
    path = write(tmp_path / "data.csv", extra={"site": lambda one, _: f"site {one}"})
    source = opened("table", path=path, **SMALL)
    train = {f"site {name.removeprefix('kind ').lstrip('0') or '0'}" for name in source.names("train")}
    coded = {one["name"]: one for one in source.spec.reading["columns"]}
    assert set(coded["site"]["values"]) == train
    lines = path.read_text(encoding="utf-8").splitlines()
    masses = [float(line.split(",")[0]) for line in lines[1:] if line.split(",")[2] in train]
    path.write_text("\n".join([*lines, *[f",red,,{min(source.names('test'))}" for _ in range(3)]]) + "\n",
                    encoding="utf-8")
    mass = opened("table", path=path, **SMALL).spec.reading["columns"][0]
    assert mass["median"] == pytest.approx(statistics.median(masses))
    assert not mass["marks_missing"]


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


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 50))
def test_classes_never_cross_splits_and_a_task_is_the_same_each_time(tmp_path_factory: pytest.TempPathFactory,
                                                                     seed: int, index: int) -> None:
    path = write(tmp_path_factory.mktemp("t") / "data.csv", 10, 6)
    said = {"dataset": {"name": "table", "path": path, "split_seed": seed}, "algorithm": {"name": "protonet"}, **SMALL}
    one, two = (find("dataset", "table")(resolve(said), torch.device("cpu")) for _ in range(2))  # type: ignore[call-arg]
    assert isinstance(one, ClassTasks)
    assert isinstance(two, ClassTasks)
    names = [one.names(split) for split in ("train", "validation", "test")]
    assert sum(map(len, names)) == len(frozenset.union(*names)) == 10
    described = one.describe("test", index)
    assert not set(described.support_files) & set(described.query_files)
    for mine, theirs in zip(one.sample("test", [index]), two.sample("test", [index]), strict=True):
        assert torch.equal(mine.inputs, theirs.inputs)


def new_task(folder: Path, support: str, query: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "support.csv").write_text(support)
    (folder / "query.csv").write_text(query)
    return folder


@pytest.fixture
def spec(tmp_path: Path, opened: Opener) -> Spec:
    path = write(tmp_path / "data.csv", extra={"size": lambda _, place: str(place) if place else "n/a"})
    return Spec.of(json.loads(json.dumps(vars(opened("table", path=path, **SMALL).spec))))


def test_a_new_task_is_encoded_as_in_training(tmp_path: Path, spec: Spec) -> None:
    folder = new_task(tmp_path / "new", "species,colour,mass,size\nnew b,red,1,2\nnew a,blue,2,\n,red,3,3\n",
                      "mass,size,colour,note\n1,2,red,hello\n\n5,n/a,green,\n")
    task = read_new_task(folder, spec)
    assert task.class_names == ("new a", "new b")
    assert task.support.targets.tolist() == [1, 0]
    assert task.query_names == ("query.csv, line 2", "query.csv, line 4")
    assert torch.allclose(task.support.inputs[0], task.query_inputs[0])
    raw = task.query_inputs * torch.tensor(spec.deviation) + torch.tensor(spec.mean)
    assert torch.allclose(raw, torch.tensor([[1, 0, 1, 2, 0], [5, 0, 0, 4, 1]]).float(), atol=1e-5)
    assert task.problems == ("support.csv: 1 of 3 rows has no species and was left out (line 4); fill it in",)


def test_the_label_of_a_new_task_may_have_another_name(tmp_path: Path, spec: Spec) -> None:
    folder = new_task(tmp_path / "new", "mass,size,colour,what\n1,1,red,a\n2,1,red,b\n", "mass,size,colour\n1,1,red\n")
    assert read_new_task(folder, spec).class_names == ("a", "b")


def test_a_word_for_a_number_in_a_new_task_counts_as_missing_and_is_said(tmp_path: Path, spec: Spec) -> None:
    folder = new_task(tmp_path / "new", "mass,colour,size,species\nheavy,red,2,a\n2,red,k.A.,b\n",
                      "mass,colour,size\n1,red,large\n1,red,\n1,red,k. A.\n1,red,3\n")
    task = read_new_task(folder, spec)
    assert len(task.support.inputs) == 2
    assert torch.equal(task.query_inputs[0], task.query_inputs[1])
    assert torch.equal(task.query_inputs[0], task.query_inputs[2])
    assert task.problems == (
        "in the column mass 1 cell counts as missing, being no number: 'heavy' (support.csv, line 2); correct it",
        "in the column size 1 cell counts as missing, being no number: 'large' (query.csv, line 2); correct it")


@pytest.mark.parametrize(("support", "query", "sentence"), [
    ("mass,colour,size,species\n1,red,2,a\n2,red,2,b\n", "mass,colour\n1,red\n",
     r"query\.csv has no column 'size', which the learner was trained on; its columns are mass, colour"),
    ("mass,colour,size,species\n1,red,2,a\n2,red,2,a\n", "mass,colour,size\n1,red,2\n",
     r"the column species of .*support\.csv holds only the class 'a'"),
    ("mass,colour,size\n1,red,2\n2,red,2\n", "mass,colour,size\n1,red,2\n",
     r"support\.csv has no column species, which says the class of each row; its columns are mass, colour, size"),
    ("", "mass,colour,size\n1,red,2\n", r"support\.csv is empty"),
    ("mass,colour,size,species\n1,red,2,a\n2,red,2,b\n", "mass,colour,size\n", r"query\.csv has a header and no rows"),
])
def test_a_new_task_that_will_not_do_is_named(tmp_path: Path, spec: Spec, support: str, query: str,
                                              sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_new_task(new_task(tmp_path / "new", support, query), spec)


def test_a_new_task_without_a_file_is_named(tmp_path: Path, spec: Spec) -> None:
    folder = new_task(tmp_path / "new", "mass,colour,size,species\n1,red,2,a\n2,red,2,b\n", "")
    (folder / "query.csv").unlink()
    with pytest.raises(DataError, match=r"holds no query\.csv; a new task for this learner is a support\.csv with the"):
        read_new_task(folder, spec)


def test_the_minerals_have_a_floor_that_leaves_something_to_learn_and_a_new_task_that_fits(opened: Opener) -> None:
    report = check_data(sample_tasks() / "minerals")
    assert (report["dataset"], report["classes"], report["problems"]) == ("table", 24, [])
    assert 0.4 < report["floor"]["mean"] < 0.75
    source = opened("table", path=sample_tasks() / "minerals", task={"shots": 5})
    assert "specimen_id left out, as it only names the rows" in source.overview().facts
    task = read_new_task(sample_tasks() / "new_minerals", source.spec)
    assert task.support.inputs.shape == (25, *source.spec.input_shape)
    assert task.query_inputs.shape == (20, *source.spec.input_shape)
    assert source.names("train").isdisjoint(task.class_names)
    new: dict[str, Any] = check_data(sample_tasks() / "new_minerals")
    assert (new["form"], new["usable"], new["problems"], new["classes"]) == ("new task", True, [], 5)
