"""N-way K-shot tasks: what may never overlap, what must vary, and what must not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.experiment import Experiment
from workbench.experiment.resolve import resolve
from workbench.tasks.base import STREAMS, Stream, TaskBatch
from workbench.tasks.files.errors import DataError
from workbench.tasks.sampling.classes import ClassTasks, Labelled

SPLIT = ("train",) * 9 + ("validation",) * 6 + ("test",) * 7


class NumberedTasks(ClassTasks):
    """Pictures of 4×4 whose corner says which example they are, so that a tensor tells what it was drawn from."""

    title = "Numbered"

    def load(self, experiment: Experiment) -> Labelled:
        counts = np.array([12 + i % 5 for i in range(len(SPLIT))])
        total = int(counts.sum())
        pixels = torch.zeros(total, 1, 4, 4, dtype=torch.uint8)
        pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = torch.arange(total) // 200 + 1, torch.arange(total) % 200 + 1
        names = tuple(f"class {i}" for i in range(len(SPLIT)))
        files = tuple(f"{i}.png" for i in range(total))
        return Labelled(pixels, counts, names, SPLIT, files, facts="numbered")

    def turns(self, experiment: Experiment) -> bool:
        return experiment.training.clip is not None  # a field that nothing here needs otherwise


@cache
def source(seed: int = 0, ways: int = 5, shots: int = 2, queries: int = 3, turned: bool = False) -> NumberedTasks:
    said = {"dataset": {"name": "image_folder"}, "algorithm": {"name": "maml"}, "seed": seed,
            "task": {"ways": ways, "shots": shots, "queries": queries}, "training": {"clip": 1.0 if turned else None}}
    return NumberedTasks(resolve(said), torch.device("cpu"))


def examples(inputs: torch.Tensor) -> Iterator[tuple[int, int]]:
    """(example, turn) of each picture [n, 1, 4, 4]: found from where its two marks lie."""
    for picture in (inputs[:, 0] * 255).round().long():
        for turn in range(4):
            upright = torch.rot90(picture, -turn)
            if upright[0, 0] and upright[0, 1]:
                yield (int(upright[0, 0]) - 1) * 200 + int(upright[0, 1]) - 1, turn
                break
        else:
            raise AssertionError("the marks are in no place that a turn brings them to")


def class_of(example: int, tasks: NumberedTasks) -> int:
    return int(np.searchsorted(np.cumsum(tasks.labelled.counts), example, side="right"))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 6), shape=st.tuples(*[st.integers(2, 6)] * 3), turned=st.booleans(),
       where=st.tuples(st.sampled_from(STREAMS), st.integers(0, 10**12)))
def test_support_and_query_share_no_picture_and_labels_name_one_class_each(
        seed: int, shape: tuple[int, int, int], turned: bool, where: tuple[Stream, int]) -> None:
    ways, shots, queries = shape
    tasks = source(seed, ways, shots, queries, turned)
    task = tasks.sample(where[0], [where[1]]).task(0)
    support, query = list(examples(task.support.inputs)), list(examples(task.query.inputs))
    assert len({*support, *query}) == ways * (shots + queries)
    labels = [*task.support.targets.tolist(), *task.query.targets.tolist()]
    kinds = {label: {(class_of(example, tasks), turn) for (example, turn), own
                     in zip([*support, *query], labels, strict=True) if own == label} for label in range(ways)}
    assert all(len(kind) == 1 for kind in kinds.values())
    assert len(set.union(*kinds.values())) == ways
    assert Counter(labels) == dict.fromkeys(range(ways), shots + queries)


@pytest.mark.parametrize("turned", [False, True])
def test_classes_never_cross_the_split_however_they_are_turned(turned: bool) -> None:
    tasks = source(turned=turned)
    seen: dict[str, set[int]] = {}
    for stream in STREAMS:
        batch = tasks.sample(stream, range(60))
        found = examples(torch.cat([batch.support.inputs, batch.query.inputs], 1).flatten(0, 1))
        seen[stream] = {class_of(example, tasks) for example, _ in found}
    assert seen["train"] == set(range(9))
    assert seen["validation"] == seen["probe"] == set(range(9, 15))
    assert seen["test"] == set(range(15, 22))


def test_over_many_tasks_every_class_gets_every_label_equally_often() -> None:
    tasks = source(shots=1, queries=1)
    inputs = tasks.sample("train", range(3000)).support.inputs
    table = np.zeros((9, 5))
    for position, (example, _) in enumerate(examples(inputs.flatten(0, 1))):
        table[class_of(example, tasks), position % 5] += 1
    expected = 3000 / 9
    # Chi-square with 44 degrees of freedom: 78.7 is exceeded once in a thousand seeds, and this one is fixed.
    assert ((table - expected) ** 2 / expected).sum() < 78.7


@settings(deadline=None, max_examples=25)
@given(indices=st.lists(st.integers(0, 10**9), min_size=1, max_size=6), data=st.data(), stream=st.sampled_from(STREAMS))
def test_a_task_is_the_same_however_it_is_batched(indices: list[int], data: st.DataObject, stream: Stream) -> None:
    which = data.draw(st.integers(0, len(indices) - 1))
    together = source(turned=True).sample(stream, indices).task(which)
    alone = source(turned=True).sample(stream, [indices[which]]).task(0)
    for one, other in zip(together, alone, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)


def test_another_seed_stream_or_index_is_another_task() -> None:
    def task(seed: int, stream: Stream, index: int) -> bytes:
        return source(seed).sample(stream, [index]).support.inputs.numpy().tobytes()

    drawn = [task(seed, stream, index) for seed in (0, 1) for stream in STREAMS for index in (0, 1)]
    assert len(set(drawn)) == len(drawn)


def test_descriptions_name_the_classes_and_files_that_the_tensors_hold() -> None:
    tasks = source(turned=True)
    for index in range(20):
        task, words = tasks.sample("test", [index]).task(0), tasks.describe("test", index)
        support = list(examples(task.support.inputs))
        assert words.support_files == tuple(f"{example}.png" for example, _ in support)
        assert words.query_files == tuple(f"{example}.png" for example, _ in examples(task.query.inputs))
        names = [f"class {class_of(example, tasks)}" + (f", turned {90 * turn}°" if turn else "")
                 for example, turn in support[::2]]
        assert words.class_names == tuple(names)


def test_training_may_have_a_shape_of_its_own() -> None:
    said = {"dataset": {"name": "image_folder"}, "algorithm": {"name": "protonet"},
            "training": {"ways": 8, "shots": 3, "queries": 2}}
    tasks = NumberedTasks(resolve(said), torch.device("cpu"))
    train, test = tasks.sample("train", [0]), tasks.sample("test", [0])
    assert train.support.inputs.shape == (1, 24, 1, 4, 4)
    assert train.query.inputs.shape == (1, 16, 1, 4, 4)
    assert test.support.inputs.shape == (1, 5, 1, 4, 4)


def test_a_batch_is_cut_into_tasks_and_parts() -> None:
    batch = source().sample("train", range(4))
    assert len(batch) == 4
    part = batch.part(1, 3)
    assert isinstance(part, TaskBatch)
    assert torch.equal(part.query.inputs[0], batch.task(1).query.inputs)


def test_too_few_classes_are_named_with_their_number_and_the_remedy() -> None:
    with pytest.raises(DataError, match=r"validation split has 6 classes, 6 of them .* tasks of 7 ways.*task\.ways"):
        source(ways=7)
    assert source(ways=7, turned=True).rotations == 4


def test_classes_with_too_few_examples_do_not_count() -> None:
    with pytest.raises(DataError, match="the 16 examples that 8 shots and 8 queries need"):
        source(shots=8, queries=8)


def test_the_overview_counts_classes_and_examples_by_split() -> None:
    overview = source().overview()
    assert overview.classes == {"train": 9, "validation": 6, "test": 7}
    assert sum(overview.examples.values()) == int(source().labelled.counts.sum())
    assert overview.samples is not None
    assert overview.samples.shape == (12, 1, 4, 4)


def test_the_floor_is_an_accuracy_of_the_nearest_mean(miniature: Callable[..., object], tmp_path: object,
                                                      opened: Callable[..., ClassTasks]) -> None:
    miniature(tmp_path)
    floor = opened("omniglot", path=tmp_path, task={"ways": 2}).floors()[0].mean
    assert 0.4 < floor <= 1


class OblongTasks(NumberedTasks):
    """The same in 4×5."""

    def load(self, experiment: Experiment) -> Labelled:
        pictures = super().load(experiment)
        return replace(pictures, inputs=torch.nn.functional.pad(pictures.inputs, (0, 1)))


def test_pictures_that_are_no_squares_cannot_be_turned() -> None:
    said = {"dataset": {"name": "image_folder"}, "algorithm": {"name": "maml"}}
    upright = OblongTasks(resolve(said), torch.device("cpu"))
    assert upright.sample("train", [0]).support.inputs.shape == (1, 5, 1, 4, 5)
    with pytest.raises(DataError, match=r"4×5 cannot be turned.*dataset\.rotations"):
        OblongTasks(resolve({**said, "training": {"clip": 1.0}}), torch.device("cpu"))


def test_a_batch_of_numbers_is_not_changed_by_the_next_draw() -> None:
    class OfNumbers(NumberedTasks):
        def load(self, experiment: Experiment) -> Labelled:
            read = super().load(experiment)
            return replace(read, inputs=read.inputs.float())

    tasks = OfNumbers(resolve({"task": {"ways": 2, "shots": 1, "queries": 1}}), torch.device("cpu"))
    first = tasks.sample("train", [0])
    before = first.query.inputs.clone()
    tasks.sample("train", [1])
    assert torch.equal(first.query.inputs, before)
