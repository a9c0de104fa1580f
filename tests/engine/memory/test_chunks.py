"""Where memory runs out fewer tasks are run at once, and the numbers stay the same."""

from __future__ import annotations

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.hungry import Hungry
from workbench.engine.events import Checkpoint, Evaluation, Failed, Finished, Noticed, Steps
from workbench.engine.memory.chunks import Chunks, parts
from workbench.engine.trainer import train
from workbench.experiment import registry
from workbench.experiment.resolve import resolve, with_settings


@pytest.fixture
def hungry(monkeypatch):
    """Registers the algorithm as a plug-in would be."""
    known = registry.found("algorithm") | {"hungry": Hungry}
    monkeypatch.setattr(registry, "found", lambda role, before=registry.found:
                        known if role == "algorithm" else before(role))


def told(*more: str):
    experiment = resolve(with_settings({}, [
        "dataset=sinusoids", "training.iterations=6", "training.meta_batch=16", "training.validation_tasks=20",
        "evaluation.tasks=30", "evaluation.probe_tasks=8", "device=cpu", "training.validate_every=3",
        "training.executor=vectorized", *more]))
    return list(train(experiment))


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_a_chunk_that_does_not_fit_is_halved_and_the_run_ends_with_the_same_numbers(hungry):
    short, plain = told("algorithm=hungry"), told("algorithm=hungry", "algorithm.room=1000")
    assert isinstance(short[-1], Finished)
    assert not of(Noticed, plain)
    assert [one.message.partition(":")[0] for one in of(Noticed, short)] == [
        f"memory ran out with {tasks} tasks at once in training" for tasks in (16, 8, 4)]
    assert {one.step for one in of(Noticed, short)} == {0}
    for name in ("loss", "gradient_norm"):
        one, other = (np.concatenate([getattr(block, name) for block in of(Steps, events)])
                      for events in (short, plain))
        np.testing.assert_allclose(one, other, rtol=1e-4)
    kept, whole = (of(Checkpoint, events)[-1].state for events in (short, plain))
    assert (kept.chunk, whole.chunk > 2) == (2, True)
    for name, value in kept.meta.params.items():
        torch.testing.assert_close(value, whole.meta.params[name], rtol=1e-4, atol=1e-5)


def test_portions_are_halved_too_and_the_run_ends_with_the_same_numbers(hungry, monkeypatch):
    monkeypatch.setattr("workbench.engine.ways.work.cores", lambda: 2)
    short, plain = (told("algorithm=hungry", "training.executor=portions", f"algorithm.room={room}")
                    for room in (1, 1000))
    assert isinstance(short[-1], Finished)
    assert [one.message.partition(":")[0] for one in of(Noticed, short)] == [
        f"memory ran out with {tasks} tasks at once in training" for tasks in (16, 8, 4)]
    one, other = (np.concatenate([block.loss for block in of(Steps, events)]) for events in (short, plain))
    np.testing.assert_allclose(one, other, rtol=1e-4)
    assert of(Checkpoint, short)[-1].state.chunk == 2


def test_testing_halves_its_own_chunk_and_gives_the_same_result(hungry):
    short, plain = told("algorithm=hungry", "algorithm.room=99", "algorithm.test_room=5"), told(
        "algorithm=hungry", "algorithm.room=99")
    assert of(Checkpoint, short)[-1].state.test_chunk <= 5
    assert of(Noticed, short)
    for one, other in zip(of(Evaluation, short), of(Evaluation, plain), strict=True):
        assert one.score.mean == pytest.approx(other.score.mean, rel=1e-4)
        assert one.tasks == other.tasks


def test_a_resumed_run_keeps_the_smaller_chunk(hungry):
    kept = of(Checkpoint, told("algorithm=hungry"))[0].state
    experiment = resolve(with_settings({}, [
        "dataset=sinusoids", "training.iterations=6", "training.meta_batch=16", "training.validation_tasks=20",
        "evaluation.tasks=30", "evaluation.probe_tasks=8", "device=cpu", "training.executor=vectorized",
        "algorithm=hungry"]))
    events = list(train(experiment, state=replace(kept, chunk=2)))
    assert not of(Noticed, events)
    assert of(Checkpoint, events)[-1].state.chunk == 2


def test_a_task_that_does_not_fit_alone_ends_the_run_with_the_remedy(hungry):
    failed = told("algorithm=hungry", "algorithm.room=0")[-1]
    assert isinstance(failed, Failed)
    assert "too little memory" in failed.message
    assert "training.recompute" in failed.message


@given(st.integers(0, 40), st.integers(1, 20), st.integers(1, 20))
def test_every_task_is_run_once_whatever_there_is_room_for(tasks, size, room):
    run: list[int] = []
    sizes: list[tuple[int, int]] = []
    chunks = Chunks(tasks, size, lambda now, tried: sizes.append((now, tried)))
    for part in chunks:
        with chunks.fitting(part):
            if part.stop - part.start > room:
                raise MemoryError
            run += range(part.start, part.stop)
    assert run == list(range(tasks))
    assert all(now == tried // 2 for now, tried in sizes)


def test_what_did_not_fit_is_gone_before_anybody_is_told():
    made: list[weakref.ref[torch.Tensor]] = []
    told: list[bool] = []

    def run(tasks: int) -> None:
        value = torch.ones(tasks)
        made.append(weakref.ref(value))
        if tasks > 1:
            raise MemoryError

    chunks = Chunks(2, 2, lambda now, tried: told.append(made[-1]() is None))
    for part in chunks:
        with chunks.fitting(part):
            run(part.stop - part.start)
    assert told == [True]
    assert len(made) == 3


@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 20))
def test_what_is_whole_is_run_again_half_as_many_at_once_where_memory_runs_out(tasks, size, room):
    told = [(size, 0)]
    chunks, run = Chunks(tasks, size, lambda now, tried: told.append((now, tried)), is_whole=True), []
    for part in chunks:
        assert part == slice(0, tasks)
        with chunks.fitting(part):
            if min(told[-1][0], tasks) > room:
                raise MemoryError
            run.append(part)
    assert len(run) == 1
    assert [tried for _, tried in told[1:]] == [min(now, tasks) for now, _ in told[:-1]]


@given(st.integers(0, 40), st.integers(1, 20))
def test_all_parts_but_the_last_are_of_one_size(tasks, size):
    found = list(parts(tasks, size))
    assert [task for part in found for task in range(part.start, part.stop)] == list(range(tasks))
    assert all(part.stop - part.start == size for part in found[:-1])


def test_other_errors_and_a_single_task_are_not_tried_again():
    chunks = Chunks(1, 1, lambda now, tried: None)
    for error in (MemoryError(), ValueError("something else")):
        with pytest.raises(type(error)), chunks.fitting(slice(0, 1)):
            raise error
