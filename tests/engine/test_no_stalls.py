"""Nothing waits for what could be done meanwhile, and the numbers are the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.arriving import Arriving
from workbench.engine.events import Steps
from workbench.engine.session import Session
from workbench.engine.trainer import train
from workbench.experiment.registry import find, found
from workbench.experiment.resolve import resolve, with_settings
from workbench.places import sample_tasks
from workbench.tasks.base import TaskSource
from workbench.tasks.sampling.ahead import NUMBERS, Ahead
from workbench.tasks.sampling.functions import FunctionTasks

SOURCES = {
    "glyphs": ("dataset=glyphs", "backbone.filters=4"),
    "sinusoids": ("dataset=sinusoids", "dataset.noise=0.1"),
    "pictures": ("dataset=image_folder", f"dataset.path={sample_tasks() / 'shapes'}", "task.ways=2", "task.queries=2",
                 "backbone.filters=4"),
    "own tasks": ("dataset=picture_tasks", f"dataset.path={sample_tasks() / 'ready_made'}", "backbone.filters=4",
                  "task.ways=3", "task.shots=2", "task.queries=3"),
}


def opened(*settings: str) -> Session:
    session = Session(resolve(with_settings({}, ["device=cpu", *settings])))
    session.close()
    return session


def batches_equal(one, other) -> bool:
    return all(torch.equal(a, b) for part, its in zip(one, other, strict=True) for a, b in zip(part, its, strict=True))


@pytest.mark.parametrize("name", list(SOURCES))
def test_tasks_drawn_ahead_are_the_tasks_that_are_drawn_when_they_are_wanted(name):
    session = opened(*SOURCES[name])
    for indices in (range(4), range(4, 9)):
        plain, keys = session.batch("train", indices)
        copied = [[tensor.clone() for tensor in part] for part in plain]
        session.draw_ahead("train", indices, "tasks")
        other = session.batch("validation", range(2))[0]
        ahead, ahead_keys = session.batch("train", indices)
        assert batches_equal(copied, ahead)
        assert torch.equal(keys, ahead_keys)
        assert not torch.equal(other.query.inputs, ahead.query.inputs[:2])


def test_portions_of_examples_are_drawn_ahead_too():
    session = opened(*SOURCES["glyphs"], "algorithm=baseline")
    plain = session.batch("train", range(3), "examples")[0].query
    session.draw_ahead("train", range(3), "examples")
    ahead = session.batch("train", range(3), "examples")[0].query
    assert torch.equal(plain.inputs, ahead.inputs)
    assert torch.equal(plain.targets, ahead.targets)


@given(st.integers(1, 30), st.integers(1, 3 * NUMBERS), st.integers(0, 50),
       st.lists(st.tuples(st.sampled_from(["train", "test"]), st.integers(0, 300), st.integers(0, 40)), max_size=8))
def test_whatever_is_drawn_ahead_everybody_gets_the_tasks_asked_for(tasks, numbers, first, asked):
    ahead: Ahead[tuple[np.ndarray]] = Ahead()
    draws, is_kept = [], True

    def work_of(key):
        def work(indices):
            draws.append(indices)
            return (np.array([[len(key), index] for index in indices]).reshape(len(indices), 2),)
        return work

    ahead.draw(("train",), range(first - tasks, first), numbers, work_of("train"))
    assert draws == [range(first - tasks, first)]
    ahead.draw(("train",), range(first, first + tasks), numbers, work_of("train"))
    _, drawn = draws
    assert drawn[:tasks] == range(first, first + tasks)
    assert len(drawn) * numbers <= NUMBERS or len(drawn) == tasks
    assert (len(drawn) + tasks) * numbers > NUMBERS
    ahead.draw(("train",), drawn[-tasks:], numbers, work_of("train"))
    assert len(draws) == 2
    for key, start, count in asked:
        before = len(draws)
        indices = range(start, start + count)
        np.testing.assert_array_equal(ahead.take((key,), indices, work_of(key)), work_of(key)(indices))
        is_known = key == "train" and is_kept and count and drawn.start <= start and start + count <= drawn.stop
        assert len(draws) - before == 2 - bool(is_known)
        is_kept = is_kept and not (is_known and start + count == drawn.stop)  # the last are given once
    listed = ahead.take(("train",), list(drawn[:tasks]), work_of("train"))
    np.testing.assert_array_equal(listed, work_of("train")(drawn[:tasks]))


def test_meta_batches_that_do_not_follow_one_another_are_drawn_one_by_one():
    ahead: Ahead[tuple[np.ndarray]] = Ahead()
    drawn = []
    for first in range(0, 50, 10):  # the first of two processes
        ahead.draw(("train",), range(first, first + 5), 1, lambda indices: (drawn.append(indices) or np.zeros(5),))
    assert drawn == [range(first, first + 5) for first in range(0, 50, 10)]


@pytest.mark.parametrize("name", [name for name, kind in found("dataset").items() if issubclass(kind, FunctionTasks)])
def test_functions_drawn_for_many_meta_batches_are_those_drawn_for_one_to_the_last_bit(name):
    session = opened(f"dataset={name}", "dataset.noise=0.1")
    plain = [session.batch("train", range(first, first + 3)) for first in range(0, 60, 3)]
    for (tasks, keys), first in zip(plain, range(0, 60, 3), strict=True):
        session.draw_ahead("train", range(first, first + 3), "tasks")
        ahead, ahead_keys = session.batch("train", range(first, first + 3))
        assert batches_equal(tasks, ahead)
        assert torch.equal(keys, ahead_keys)
        assert [part.inputs.stride() for part in ahead] == [part.inputs.stride() for part in tasks]


@pytest.mark.parametrize("settings", [
    ("dataset=sinusoids",), ("dataset=glyphs", "backbone.filters=4", "task.queries=1"),
    ("dataset=glyphs", "backbone.filters=4", "algorithm=meta_transfer", "algorithm.pretraining=0.5",
     "algorithm.hard_tasks=true", "algorithm.inner_steps=2", "task.queries=2")], ids=["points", "pictures", "hard"])
def test_a_run_that_draws_ahead_has_the_numbers_of_one_that_does_not(settings, monkeypatch):
    experiment = resolve(with_settings({}, [
        *settings, "training.iterations=6", "training.meta_batch=3", "training.validation_tasks=4", "device=cpu",
        "evaluation.tasks=4", "evaluation.probe_tasks=1", "training.validate_every=6"]))

    def losses() -> np.ndarray:
        return np.concatenate([event.loss for event in train(experiment) if isinstance(event, Steps)])

    ahead = losses()
    for kind in {one for role in ("glyphs", "sinusoids") for one in find("dataset", role).__mro__
                 if "draw_ahead" in vars(one)}:
        monkeypatch.setattr(kind, "draw_ahead", TaskSource.draw_ahead)
    np.testing.assert_array_equal(ahead, losses())


@pytest.mark.parametrize("name", ["glyphs", "pictures", "own tasks"])
def test_pictures_stay_bytes_where_they_are_kept(name):
    source = opened(*SOURCES[name]).source
    source.sample("train", range(2))
    kept = [value for value in vars(source).values() if isinstance(value, torch.Tensor) and value.numel() > 1000]
    assert kept
    assert {value.dtype for value in kept} == {torch.uint8}


def test_numbers_of_the_cpu_have_arrived_at_once():
    arriving = Arriving([torch.arange(3.0), torch.ones(2)])
    assert arriving.has_arrived
    assert [values.tolist() for values in arriving.numbers()] == [[0.0, 1.0, 2.0], [1.0, 1.0]]
