"""The preview agrees with the report on the data, and shows what is in them."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.engine.session import open_source
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.places import sample_tasks
from workbench.tasks.base import Description, Examples, Overview, Spec, Stream, TaskBatch, TaskSource
from workbench.tasks.files.encoding import Cell, Coding
from workbench.tasks.files.watching import GivenUpError, watched
from workbench.tasks.looking.check import check_data, experiment_on
from workbench.tasks.looking.preview import (
    counts_of,
    examples,
    floors_of,
    preview,
    query_pictures,
    sorted_counts,
    tasks,
    whole_task,
)
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.own.new_task import read_new_task, usual_spec
from workbench.tasks.sampling.classes import ClassTasks, Labelled

Opener = Callable[..., TaskSource]



@pytest.mark.parametrize("folder", ["shapes", "alphabets", "knots", "ready_made", "minerals", "machines", "stations",
                                    "assays", "arrays", "calls", "messages", "gestures"])
def test_it_agrees_with_the_report(folder: str) -> None:
    path = sample_tasks() / folder
    report = check_data(path)
    experiment = experiment_on(recognize_data(path))
    source = find("dataset", report["dataset"])(experiment, torch.device("cpu"))
    seen = preview(source, experiment)
    assert seen.form == report["form"]
    assert (seen.why, seen.otherwise) == (report["why"], report["otherwise"])
    assert seen.problems == tuple(report["problems"])
    assert {name: {"classes": classes, "examples": count} for name, (classes, count) in seen.splits.items()
            } == report["splits"]
    assert seen.facts == report["facts"]
    assert report["tasks"] or len(seen.counts) == report["classes"]
    assert sum(one.examples for one in seen.counts) == report["examples"]
    for name, split in report["splits"].items():
        assert sum(one.examples for one in seen.counts if one.split == name) == split["examples"]
    assert (seen.floors[0].mean, seen.floors[0].ci95) == (report["floor"]["mean"], report["floor"]["ci95"])


def test_examples_are_the_pictures_themselves_with_class_and_file(opened: Opener) -> None:
    source = opened("image_folder", path=sample_tasks() / "shapes")
    assert isinstance(source, ClassTasks)
    known = source.labelled
    found = examples(source, 0)
    assert len(found) == 24
    assert {one.label for one in found} == set(known.names)
    for one in found:
        assert one.kind == "picture"
        assert one.file.startswith(one.label)
        assert np.array_equal(one.values, known.inputs[known.files.index(one.file)].numpy())
    assert len({one.file for one in found}) == 24


def test_another_seed_gives_other_examples_and_the_same_seed_the_same(opened: Opener) -> None:
    source = opened("glyphs")
    first, again, other = ([one.values.tobytes() for one in examples(source, seed)] for seed in (0, 0, 1))
    assert first == again
    assert first != other
    titles = [[one.title for one in tasks(source, seed)] for seed in (0, 0, 1)]
    assert titles[0] == titles[1] != titles[2]


def test_few_classes_show_several_examples_of_each_but_none_twice(opened: Opener, class_folders: Callable[..., Path],
                                                                   tmp_path: Path) -> None:
    path = class_folders(tmp_path / "few", ["a", "b", "c", "d", "e", "f"], pictures=3)
    source = opened("image_folder", path=path, task={"ways": 2, "shots": 1, "queries": 1})
    found = examples(source, 0)
    assert len(found) == 18 == len({one.file for one in found})


def test_tasks_show_the_very_examples_that_the_learner_sees(opened: Opener) -> None:
    source = opened("image_folder", path=sample_tasks() / "shapes", task={"ways": 4, "shots": 2, "queries": 3})
    assert isinstance(source, ClassTasks)
    known = source.labelled
    for one in tasks(source, 0):
        assert len(one.rows) == 4
        for row in one.rows:
            assert (len(row.support), len(row.query), row.more) == (2, 3, (0, 0))
            for example in (*row.support, *row.query):
                assert example.label == row.name
                assert np.array_equal(example.values, known.inputs[known.files.index(example.file)].numpy())


def test_a_long_row_says_how_many_are_not_shown(opened: Opener) -> None:
    row = whole_task(opened("glyphs", task={"ways": 2, "shots": 1, "queries": 15}), 0).rows[0]
    assert (len(row.support), len(row.query), row.more) == (1, 12, (0, 3))


def test_a_function_is_shown_as_points_on_its_curve(opened: Opener) -> None:
    source = opened("sinusoids")
    assert counts_of(source, source.overview()) == ()
    found = examples(source, 0)
    assert {one.kind for one in found} == {"points"}
    assert found[0].label.startswith("amplitude")
    one = tasks(source, 0)[0]
    support, curve = one.rows[0].support[0].values, one.curve
    assert support.shape == (source.shapes["train"].shots, 2)
    assert curve is not None
    assert np.allclose(np.interp(support[:, 0], curve[:, 0], curve[:, 1]), support[:, 1], atol=0.02)
    assert floors_of(source, resolve({"dataset": {"name": "sinusoids"}}))[0].metric == "mse"


def test_held_out_examples_are_counted_in_each_split(opened: Opener) -> None:
    source = opened("image_folder", path=sample_tasks() / "shapes", held_out="examples",
                    task={"shots": 1, "queries": 2})
    overview = source.overview()
    counts = counts_of(source, overview)
    for name, count in overview.examples.items():
        assert sum(one.examples for one in counts if one.split == name) == count
    assert [one.split for one in sorted_counts(counts)][:20] == ["train"] * 20


def test_a_learner_tested_on_examples_has_no_floor_and_says_why_there_are_no_tasks(
        class_folders: Callable[..., Path], tmp_path: Path) -> None:
    path = class_folders(tmp_path / "three", ["a", "b", "c"], pictures=8)
    experiment = resolve({"dataset": {"name": "image_folder", "path": str(path), "held_out": "examples"},
                          "algorithm": {"name": "supervised"}, "task": {"ways": 5}})
    source = find("dataset", "image_folder")(experiment, torch.device("cpu"))
    assert isinstance(source, TaskSource)
    seen = preview(source, experiment)
    assert (seen.tasks, seen.floors) == ((), ())
    assert "ways" in seen.refusal
    assert len(seen.examples) == 24


class Rows(ClassTasks):
    """Thirty rows of three numbers in six classes, or as many lines of text."""

    input_kinds = frozenset({"vector"})

    def load(self, experiment: object) -> Labelled:
        inputs = torch.arange(90.0).reshape(30, 3)
        return Labelled(inputs, np.full(6, 5), tuple("abcdef"), ("train", "validation", "test") * 2,
                        tuple(f"rows.csv:{line}" for line in range(2, 32)), form="rows")

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return (1.0, 2.0, 3.0), (10.0, 20.0, 30.0)


class Texts(Rows):
    """The same as texts."""

    def load(self, experiment: object) -> Labelled:
        return replace(super().load(experiment), words=tuple(f"line number {row}" for row in range(30)))


def small_experiment() -> object:
    return resolve({"dataset": {"name": "glyphs"}, "algorithm": {"name": "protonet"},
                    "task": {"ways": 2, "shots": 1, "queries": 2}, "training": {"ways": 2, "shots": 1, "queries": 2}})


def test_rows_are_shown_as_they_were_before_they_were_normalized() -> None:
    source = Rows(small_experiment(), torch.device("cpu"))
    for one in examples(source, 0):
        row = source.labelled.files.index(one.file)
        assert one.kind == "row"
        assert one.values.tolist() == source.labelled.inputs[row].tolist()
        assert one.scaled is not None
        assert np.allclose(one.scaled, (one.values - [1, 2, 3]) / [10, 20, 30])
        assert one.file in one.words
    shown = tasks(source, 0)[0].rows[0].query[1]
    row = source.labelled.files.index(shown.file)
    assert np.allclose(shown.values, source.labelled.inputs[row], atol=1e-4)


def test_rows_of_a_table_are_shown_as_cells_under_the_names_of_their_columns() -> None:
    path = sample_tasks() / "minerals"
    with (path / "minerals.csv").open(encoding="utf8", newline="") as file:
        lines = list(csv.DictReader(file))
    source = find("dataset", "table")(experiment_on(recognize_data(path)), torch.device("cpu"))
    rows = [one for seed in range(4) for one in examples(source, seed)]
    rows += [one for task in tasks(source, 0, 8) for row in task.rows for one in (*row.support, *row.query)]
    gaps = 0
    for one in rows:
        line = lines[int(one.file.rpartition(" ")[2]) - 2]
        assert [cell.column for cell in one.cells] == [name for name in line if name not in ("specimen_id", "mineral")]
        for cell in one.cells:
            said = line[cell.column]
            assert cell.is_missing == (not said)
            assert cell.text == ("missing" if cell.is_number else "missing or new") if not said else \
                float(cell.text) == pytest.approx(float(said)) if cell.is_number else cell.text == said
        assert "hardness_mohs = " in one.words
        assert one.scaled is not None
        assert len(one.scaled) == 14  # without the mark of what is missing
        assert bool(np.isnan(one.scaled).any()) == (not line["hardness_mohs"])
        gaps += any(cell.is_missing for cell in one.cells)
    assert gaps


def test_hashed_names_are_shown_by_their_places_and_notations_by_their_length() -> None:
    name = Coding("item", "hashed", size=16).cell(np.eye(16)[3] + np.eye(16)[11])
    assert name == Cell("item", "#3 and #11", is_number=False, is_missing=False)
    assert Coding("smiles", "letters", size=4).cell(np.array([0.1, 0, 0.2, 0])).text == "2 runs of letters"
    assert Coding("smiles", "letters", size=4).cell(np.zeros(4)).is_missing


def test_texts_are_shown_in_words_in_examples_and_in_tasks() -> None:
    source = Texts(small_experiment(), torch.device("cpu"))
    for one in (*examples(source, 0), *tasks(source, 0)[0].rows[1].query):
        assert one.kind == "text"
        assert one.text == f"line number {source.labelled.files.index(one.file)}"


class Machines(TaskSource):
    """Regression of two numbers from three, a machine a task."""

    task_kinds = frozenset({"regression"})
    input_kinds = frozenset({"vector"})
    spec = Spec("regression", "vector", (3,), 2)

    def sample(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()) -> TaskBatch:
        part = Examples(torch.ones(len(indices), 4, 3), torch.full((len(indices), 4, 2), 0.5))
        return TaskBatch(part, part)

    def describe(self, stream: Stream, index: int) -> Description:
        return Description(f"machine {index}")

    def overview(self) -> Overview:
        return Overview("tables", "many", examples={"train": 40, "validation": 0, "test": 20})


def test_tasks_of_tables_show_rows_with_their_targets_and_the_task_they_are_from() -> None:
    source = Machines(small_experiment(), torch.device("cpu"))
    assert [(one.name, one.examples) for one in counts_of(source, source.overview())] == [("train", 40), ("test", 20)]
    one = examples(source, 0)[0]
    assert (one.kind, one.label) == ("row", "→ 0.5, 0.5")
    assert one.file.startswith("machine")
    row = tasks(source, 0)[0].rows[0]
    assert (len(row.support), len(row.query)) == (4, 4)


# Watching


def test_reading_pictures_is_given_up_when_nobody_waits(class_folders: Callable[..., Path], tmp_path: Path,
                                                        own_places: Path, opened: Opener) -> None:
    path = class_folders(tmp_path / "many", [f"class {number}" for number in range(20)], pictures=8)
    reached: list[int] = []

    def until_ten(done: int, total: int) -> bool:
        reached.append(done)
        return done < 10

    with pytest.raises(GivenUpError), watched(until_ten):
        opened("image_folder", path=path)
    assert max(reached) <= 64  # a block of pictures
    assert not list((own_places / "cache").rglob("*.safetensors"))
    assert not [one for one in threading.enumerate() if one.name.startswith("pictures")]
    assert opened("image_folder", path=path).overview().examples["train"] > 0


@pytest.mark.parametrize(("new", "trained_on", "kind"), [
    ("new_shapes", "shapes", "picture"), ("new_calls", "calls", "spectrogram"), ("new_gestures", "gestures", "series")])
def test_a_new_task_is_drawn_as_the_data_that_its_learner_was_trained_on(new: str, trained_on: str, kind: str) -> None:
    folder, path = sample_tasks() / new, sample_tasks() / trained_on
    found = recognize_data(path)
    source = open_source(experiment_on(found), torch.device("cpu"))
    spec = usual_spec(folder)
    asked = query_pictures(read_new_task(folder, spec), spec)
    assert {one.kind for one in (*asked, *query_pictures(read_new_task(folder, source.spec), source.spec))} == {kind}
    assert {one.kind for one in examples(source, 0)} == {kind}
    assert source.spec.is_of_pixels == spec.is_of_pixels == (kind == "picture")
