"""New tasks for what was trained on one table whose rows belong to classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tasks.tables_of_classes import SMALL, write
from workbench.places import sample_tasks
from workbench.tasks.base import Spec, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.own.new_task import read_new_task

Opener = Callable[..., TaskSource]


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
