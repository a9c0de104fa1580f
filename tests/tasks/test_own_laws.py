"""Laws of tasks that hold for every form of a person's data, as the sample folders have them."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import places
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.base import SPLIT_NAMES, STREAMS, Stream, TaskBatch
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.own.classes import OwnClasses

SAMPLES = Path(__file__).parents[2] / "sample_tasks"
FORMS = ("shapes", "alphabets", "knots", "minerals", "messages", "calls", "gestures", "arrays")


def opened(folder: str, seed: int) -> OwnClasses:
    found = recognize_data(SAMPLES / folder)
    said = {"dataset": {"name": found.dataset, **found.settings}, "seed": seed,
            "task": {"ways": 3, "shots": 1, "queries": 2}}
    source = find("dataset", found.dataset)(resolve(said), torch.device("cpu"))  # type: ignore[call-arg]
    assert isinstance(source, OwnClasses)
    return source


def same(one: TaskBatch, other: TaskBatch) -> bool:
    return all(torch.equal(mine.inputs, theirs.inputs) and torch.equal(mine.targets, theirs.targets)
               for mine, theirs in zip(one, other, strict=True))


@pytest.mark.parametrize("folder", FORMS)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), stream=st.sampled_from(STREAMS), index=st.integers(0, 10**9))
def test_a_task_is_the_same_in_another_worker_and_after_the_cache_was_made_anew(
        folder: str, seed: int, stream: Stream, index: int) -> None:
    before = opened(folder, seed).sample(stream, [index])
    shutil.rmtree(places.cache(), ignore_errors=True)
    anew = opened(folder, seed)
    with ThreadPoolExecutor(2) as workers:
        drawn = list(workers.map(lambda beside: anew.sample(stream, [beside, index]), (3, 4)))
    assert same(before, anew.sample(stream, [index]))
    assert all(torch.equal(before.query.inputs[0], batch.query.inputs[1]) for batch in drawn)


@pytest.mark.parametrize("folder", FORMS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), stream=st.sampled_from(STREAMS), index=st.integers(0, 10**9))
def test_support_and_query_are_apart_and_classes_stay_in_their_split(
        folder: str, seed: int, stream: Stream, index: int) -> None:
    source = opened(folder, seed)
    task = source.describe(stream, index)
    assert len({*task.support_files, *task.query_files}) == 3 * (1 + 2)
    names = [source.names(split) for split in SPLIT_NAMES]
    assert sum(map(len, names)) == len(frozenset.union(*names))
    own = source.names("validation" if stream == "probe" else stream)
    assert len({*task.class_names}) == 3
    assert {*task.class_names} <= own
    drawn = [source.describe(stream, one).class_names for one in range(index, index + 120)]
    orders = {tuple(sorted(classes).index(name) for name in classes) for classes in drawn}
    assert len(orders) == 6  # the labels of a task are in every order
