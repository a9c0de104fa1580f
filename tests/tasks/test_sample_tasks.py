"""The sample folders: small, and each of them works as its README says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from workbench.experiment.resolve import resolve
from workbench.places import sample_tasks
from workbench.tasks.base import STREAMS, Spec, TaskSource
from workbench.tasks.image_folder import ImageFolder
from workbench.tasks.looking.check import check_data
from workbench.tasks.own.new_task import read_new_task

Opener = Callable[..., TaskSource]


@pytest.mark.parametrize(("folder", "form", "classes"), [
    ("shapes", "pictures by class", 20), ("alphabets", "pictures by class, in groups such as alphabets", 20),
    ("knots", "pictures with a list", 20)])
def test_it_gives_tasks_with_the_default_settings(opened: Opener, folder: str, form: str, classes: int) -> None:
    source = opened("image_folder", path=sample_tasks() / folder, algorithm="maml")
    overview = source.overview()
    assert (overview.form, sum(overview.classes.values()), overview.problems) == (form, classes, ())
    assert min(overview.classes.values()) >= 5
    for stream in STREAMS:
        assert source.sample(stream, range(4)).query.inputs.shape[:2] == (4, 25)
    # Harder than guessing, easier than impossible: something is left to learn.
    assert 0.2 < source.floors()[0].mean < 0.8


@pytest.mark.parametrize("algorithm", ["maml", "reptile", "protonet"])
def test_they_suit_what_the_algorithms_suggest(algorithm: str) -> None:
    for folder in ("shapes", "alphabets"):
        said = {"dataset": {"name": "image_folder", "path": sample_tasks() / folder}, "algorithm": {"name": algorithm}}
        assert ImageFolder(resolve(said), torch.device("cpu")).sample("train", [0])


@pytest.mark.parametrize("folder", ["shapes", "alphabets", "knots", "new_shapes", "new_wave"])
def test_its_report_finds_nothing_wrong(folder: str) -> None:
    report = check_data(sample_tasks() / folder)
    assert report["usable"]
    assert report["problems"] == []


def test_the_new_shapes_fit_a_learner_of_the_shapes(opened: Opener) -> None:
    spec = opened("image_folder", path=sample_tasks() / "shapes").spec
    task = read_new_task(sample_tasks() / "new_shapes", spec)
    assert len(task.class_names) == spec.outputs == 5
    assert task.support.inputs.shape == (15, *spec.input_shape)
    assert task.query_inputs.shape == (10, *spec.input_shape)
    known = {path.name for path in (sample_tasks() / "shapes").iterdir()}
    assert known.isdisjoint(task.class_names)


def test_the_new_wave_is_one_that_a_learner_of_sine_waves_could_meet() -> None:
    task = read_new_task(sample_tasks() / "new_wave", Spec("regression", "vector", (1,), 1))
    assert task.support.inputs.shape == task.support.targets.shape == (10, 1)
    assert task.query_inputs.shape == (40, 1)
    wave = 3.2 * torch.sin(task.support.inputs - 0.7)
    assert torch.allclose(wave, task.support.targets, atol=1e-3)


def test_they_are_small_enough_to_travel_with_the_program() -> None:
    assert sum(path.stat().st_size for path in sample_tasks().rglob("*") if path.is_file()) < 850_000
