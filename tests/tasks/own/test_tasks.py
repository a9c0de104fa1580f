"""Tasks of a person's own: what is drawn from them, on which side they are, and what will not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.resolve import resolve
from workbench.tasks.base import STREAMS, TaskBatch
from workbench.tasks.files.errors import DataError
from workbench.tasks.own.class_splits import Shapes
from workbench.tasks.own.task_splits import OwnTask, TaskCollection, fitting_shape, plan_tasks, query_quota
from workbench.tasks.own.tasks import OwnClassTasksConfig, OwnTasks, OwnValueTasksConfig

CPU = torch.device("cpu")
HERE = Path("data")


class ClassConfig(OwnClassTasksConfig):
    name: Literal["made_classes"] = "made_classes"


class ValueConfig(OwnValueTasksConfig):
    name: Literal["made_values"] = "made_values"


def collection(tasks: list[OwnTask], features: int = 2, **more: Any) -> TaskCollection:
    """Every row's first feature is its number, so that tests see which rows were drawn."""
    rows = max(int(one.rows.max()) for one in tasks) + 1
    inputs = torch.arange(rows * features, dtype=torch.float32).reshape(rows, features)
    inputs[:, 0] = torch.arange(rows)
    return TaskCollection(tuple(tasks), inputs, lambda row: f"line {row}", "made tasks", "rows", **more)


def of_classes(tasks: int, counts: tuple[int, ...], names: Any = None, **more: Any) -> list[OwnTask]:
    size = sum(counts)
    targets = np.repeat(np.arange(len(counts)), counts)
    own = [np.random.default_rng(i).permutation(size) for i in range(tasks)]
    return [OwnTask(f"task {i:02}", i * size + order, targets[order],
                    names(i) if names else tuple("abcdef"[: len(counts)]), **more) for i, order in enumerate(own)]


def of_values(tasks: int, rows: int) -> list[OwnTask]:
    return [OwnTask(f"task {i:02}", np.arange(i * rows, (i + 1) * rows),
                    np.linspace(100 * i, 100 * i + 50, rows, dtype=np.float32)[:, None]) for i in range(tasks)]


class Made(OwnTasks):
    """Tasks that a test has made."""

    found_by_test: ClassVar[TaskCollection]

    @classmethod
    def read_tasks(cls, config: Any) -> TaskCollection:
        return cls.found_by_test


def opened(found: TaskCollection, *, ways: int = 2, shots: int = 2, queries: int = 3, seed: int = 0,
           training: dict[str, int] | None = None, **config: Any) -> OwnTasks:
    has_classes = bool(found.tasks[0].class_names)
    kind: Any = ClassConfig if has_classes else ValueConfig
    experiment = resolve({"dataset": {"name": "sinusoids"}, "seed": seed, "training": training or {},
                          "task": {"ways": ways, "shots": shots, "queries": queries}})
    source = type("Source", (Made,), {
        "Config": kind, "title": "Made", "found_by_test": found,
        "task_kinds": frozenset({"classification" if has_classes else "regression"})})
    changed: Experiment = experiment.model_copy(update={"dataset": kind(path=HERE, **config)})
    made = source(changed, CPU)
    assert isinstance(made, OwnTasks)
    return made


def raw(source: OwnTasks, batch: TaskBatch) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Numbers of the rows [tasks, n] of support and query."""
    mean, deviation = source.spec.mean[0], source.spec.deviation[0]
    support, query = ((part.inputs[..., 0] * deviation + mean).round().long().numpy() for part in batch)
    return support, query


def test_support_is_balanced_and_queries_are_as_many_as_asked_for() -> None:
    source = opened(collection(of_classes(10, (9, 12, 7))), ways=3)
    for stream in STREAMS:
        batch = source.sample(stream, range(8))
        assert [torch.bincount(row).tolist() for row in batch.support.targets] == [[2, 2, 2]] * 8
        assert [torch.bincount(row).tolist() for row in batch.query.targets] == [[3, 3, 3]] * 8
    assert source.spec.outputs == 3
    assert source.spec.metric == "accuracy"
    assert source.has_shared_classes


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), shots=st.integers(1, 4), queries=st.integers(1, 5),
       counts=st.tuples(st.integers(5, 12), st.integers(5, 30)), index=st.integers(0, 10**6))
def test_support_and_query_never_overlap_and_the_same_index_is_the_same_task(
        seed: int, shots: int, queries: int, counts: tuple[int, int], index: int) -> None:
    if sum(counts) < 2 * (shots + queries):
        return
    found = collection(of_classes(6, counts))
    source = opened(found, shots=shots, queries=queries, seed=seed)
    targets = {int(row): int(target) for one in found.tasks for row, target in zip(one.rows, one.targets, strict=True)}
    for stream in STREAMS:
        batch = source.sample(stream, [index, index + 1])
        support, query = raw(source, batch)
        for mine, asked, row in zip(support, query, range(2), strict=True):
            assert len({*mine.tolist(), *asked.tolist()}) == 2 * (shots + queries)
            assert len({one // sum(counts) for one in [*mine, *asked]}) == 1  # all of one task
            assert [targets[int(one)] for one in mine] == batch.support.targets[row].tolist()
            assert [targets[int(one)] for one in asked] == batch.query.targets[row].tolist()
            assert set(batch.query.targets[row].tolist()) == {0, 1}
        alone = opened(found, shots=shots, queries=queries, seed=seed).sample(stream, [index + 1])
        assert torch.equal(alone.query.inputs[0], batch.query.inputs[1])
        assert torch.equal(alone.support.targets[0], batch.support.targets[1])


@settings(max_examples=40, deadline=None)
@given(names=st.sets(st.text("abcxyz", min_size=1, max_size=4), min_size=3, max_size=20), seed=st.integers(0, 99),
       share=st.sampled_from([0.1, 0.2, 0.3]), shots=st.integers(1, 3))
def test_tasks_never_cross_splits(names: set[str], seed: int, share: float, shots: int) -> None:
    rows = 8
    tasks = [OwnTask(name, np.arange(i * rows, (i + 1) * rows), np.zeros((rows, 1), np.float32))
             for i, name in enumerate(sorted(names))]
    config = ValueConfig(path=HERE, split_seed=seed, validation_share=share, test_share=share)
    plans = [plan_tasks(collection(tasks), config, Shapes(shape, shape), HERE)
             for shape in (TaskConfig(shots=shots, queries=2), TaskConfig(shots=1, queries=4))]
    sides = [dict(zip((one.name for one in plan.tasks), plan.split, strict=True)) for plan in plans]
    assert sides[0] == sides[1]
    assert set(sides[0].values()) == {"train", "validation", "test"}
    assert len(sides[0]) == len(names)


def test_the_streams_draw_only_from_their_own_side() -> None:
    source = opened(collection(of_values(12, 10)))
    drawn = {stream: {int(row) // 10 for part in raw(source, source.sample(stream, range(100))) for row in part.ravel()}
             for stream in STREAMS}
    assert drawn["validation"] == drawn["probe"]
    assert not drawn["train"] & drawn["test"]
    assert not drawn["train"] & drawn["validation"]
    assert not drawn["test"] & drawn["validation"]
    assert len(set().union(*drawn.values())) == 12
    assert source.names("test") == {f"task {number:02}" for number in drawn["test"]}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(2, 60), min_size=2, max_size=5), st.integers(1, 5), st.integers(1, 12))
def test_where_a_class_is_scarce_the_others_make_up_for_it(sizes: list[int], shots: int, queries: int) -> None:
    counts = np.array(sizes)
    if counts.min() <= shots or counts.sum() < len(sizes) * (shots + queries):
        return
    quota = query_quota(counts, TaskConfig(shots=shots, queries=queries))
    assert quota.sum() == len(sizes) * queries
    assert (quota >= 1).all()
    assert (quota + shots <= counts).all()
    assert (quota >= np.minimum(counts - shots, queries)).all()


def test_scarce_classes_are_judged_by_auroc_or_balanced_accuracy() -> None:
    assert opened(collection(of_classes(6, (40, 4)))).spec.metric == "auroc"
    assert opened(collection(of_classes(6, (40, 40, 4))), ways=3).spec.metric == "balanced accuracy"
    other = opened(collection(of_classes(6, (40, 4), names=lambda i: (f"x{i}", f"y{i}"))))
    assert other.spec.metric == "balanced accuracy"
    assert opened(collection(of_classes(6, (40, 4))), metric="accuracy").spec.metric == "accuracy"
    with pytest.raises(DataError, match="AUROC ranks two classes and these tasks have 3; set it to balanced accuracy"):
        opened(collection(of_classes(6, (9, 9, 9))), ways=3, metric="auroc")


def test_labels_are_permuted_only_where_classes_have_no_meaning_in_common() -> None:
    shared = opened(collection(of_classes(8, (9, 9))))
    assert {shared.describe("train", index).class_names for index in range(20)} == {("a", "b")}
    assert shared.spec.reading["classes"] == ["a", "b"]
    own = opened(collection(of_classes(8, (9, 9), names=lambda i: (f"x{i}", f"y{i}"))))
    first = {own.describe("train", index).class_names[0][0] for index in range(20)}
    assert first == {"x", "y"}
    assert "classes" not in own.spec.reading
    batch = own.sample("train", range(20))
    for index in range(20):
        about = own.describe("train", index)
        for files, labels in ((about.support_files, batch.support.targets), (about.query_files, batch.query.targets)):
            for file, label in zip(files, labels[index].tolist(), strict=True):
                row = int(file.removeprefix("line "))
                task = own.found.tasks[row // 18]
                target = int(task.targets[task.rows.tolist().index(row)])
                assert task.class_names[target] == about.class_names[label]


def test_ready_made_tasks_are_drawn_as_they_are() -> None:
    given_support = np.array([True] * 4 + [False] * 6)
    tasks = [OwnTask(f"task {i}", np.arange(10 * i, 10 * i + 10), np.array([0, 0, 1, 1, 0, 0, 0, 1, 1, 1]),
                     (f"a{i}", f"b{i}"), support=given_support) for i in range(6)]
    source = opened(collection(tasks), shots=2, queries=3)
    for stream in STREAMS:
        for support, query in zip(*raw(source, source.sample(stream, range(9))), strict=True):
            task = support[0] // 10
            assert sorted(support - 10 * task) == [0, 1, 2, 3]
            assert sorted(query - 10 * task) == [4, 5, 6, 7, 8, 9]
    assert source.distinct("train") == 4
    assert not source.overview().problems
    smaller = opened(collection(tasks), shots=1, queries=3)
    assert "task.shots=2 and task.queries=3 fit most of them" in smaller.overview().problems[0]
    assert set(smaller.sample("test", [0]).support.targets[0].tolist()) == {0, 1}


def test_a_ready_made_task_whose_support_lacks_a_class_is_left_out() -> None:
    rows = np.arange(8)
    tasks = [OwnTask(f"task {i}", 8 * i + rows, np.tile([0, 1], 4), ("a", "b"),
                     support=(rows < 4) if i else rows % 2 == 0) for i in range(6)]
    source = opened(collection(tasks), shots=2, queries=2)
    assert source.overview().problems == ("task 0 has no b in its support; it was left out",)


def test_targets_are_scaled_and_can_be_turned_back() -> None:
    source = opened(collection(of_values(12, 10)))
    values = np.concatenate([one.targets for one, side in zip(source.tasks, source._plan.split, strict=True)
                             if side == "train"])
    assert source.spec.reading["target_mean"] == pytest.approx([values.mean()])
    assert source.spec.reading["target_deviation"] == pytest.approx([values.std()])
    batch = source.sample("train", range(50))
    assert batch.support.targets.shape == (50, 2, 1)
    assert batch.support.targets.abs().max() < 3
    plain = opened(collection(of_values(12, 10)), scale_targets=False)
    assert "target_mean" not in plain.spec.reading
    assert plain.sample("train", range(50)).query.targets.max() > 100


def test_floors_are_what_simple_methods_reach() -> None:
    found = collection(of_values(12, 10))
    floors = opened(found, shots=4).floors()
    assert {floor.name for floor in floors} == {"ridge regression on the support", "mean of the support"}
    assert floors[0].mean <= floors[1].mean
    assert all(floor.tasks == 2 and floor.ci95 is not None and floor.metric == "mse" for floor in floors)
    nearest = opened(collection(of_classes(6, (40, 4)))).floors()
    assert [(floor.name, floor.metric) for floor in nearest] == [("nearest mean on the inputs", "auroc")]
    assert 0 <= nearest[0].mean <= 1


def test_the_interval_of_a_floor_is_over_the_tasks_and_not_over_their_draws() -> None:
    source = opened(collection(of_values(20, 40)), shots=4)
    assert [source.round_of(stream) for stream in STREAMS] == [
        None if stream == "train" else 4 for stream in STREAMS]
    floor = next(one for one in source.floors() if one.name == "mean of the support")
    batch = source.sample("test", range(200))
    errors = (batch.query.targets - batch.support.targets.mean(1, keepdim=True)).square().mean((1, 2)).numpy()
    means = errors.reshape(50, 4).mean(0)
    assert floor.tasks == 4
    assert floor.mean == pytest.approx(means.mean(), rel=1e-5)
    assert floor.ci95 == pytest.approx(1.96 * means.std(ddof=1) / 2, rel=1e-4)
    one = opened(collection(of_values(3, 10)), shots=4).floors()[0]
    assert (one.tasks, one.ci95 is None) == (200, False)  # of one task there is nothing but its draws


def test_examples_of_all_training_tasks_are_labelled_by_their_class() -> None:
    shared = opened(collection(of_classes(6, (9, 9))))
    batch = shared.examples("train", [0, 1], 16)
    assert batch.query.inputs.shape == (2, 16, 2)
    assert shared.spec.classes == 2
    assert shared.examples("validation", [0], 4).query.targets.max() < 2
    own = opened(collection(of_classes(10, (9, 9), names=lambda i: (f"x{i}", f"y{i}"))))
    assert own.spec.classes == 12
    assert own.examples("train", range(20), 16).query.targets.unique().tolist() == list(range(12))
    with pytest.raises(DataError, match="other classes than those that are trained on"):
        own.examples("validation", [0], 4)


def test_a_task_can_be_asked_for_by_one_of_its_classes() -> None:
    source = opened(collection(of_classes(6, (9, 9))))
    numbers = source.classes("train", range(5))
    again = source.sample("train", [7] * 5, include=numbers[:, 1].tolist())
    wanted, _ = raw(source, source.sample("train", range(5)))
    found, _ = raw(source, again)
    assert (found[:, 0] // 18 == wanted[:, 0] // 18).all()


def test_rows_of_a_group_stay_on_one_side() -> None:
    # Four tasks over the same rows, as assays over compounds.
    tasks = [OwnTask(f"assay {i}", np.arange(60), np.arange(60) % 2, ("no", "yes")) for i in range(4)]
    groups = np.array([f"compound {row // 2}" for row in range(60)], dtype=object)
    source = opened(collection(tasks, row_groups=groups), shots=1, queries=2)
    seen = {stream: {int(row) // 2 for part in raw(source, source.sample(stream, range(200))) for row in part.ravel()}
            for stream in ("train", "validation", "test")}
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    assert "30 groups, each whole on one side: 18 train, 6 validation (" in source.overview().facts
    with pytest.raises(DataError, match=r"dataset\.group has 2 values"):
        opened(collection(tasks, row_groups=np.array(["a", "b"] * 30, dtype=object)))


def test_tasks_of_a_group_stay_on_one_side() -> None:
    tasks = [OwnTask(one.name, one.rows, one.targets, group=f"patient {i // 3}")
             for i, one in enumerate(of_values(18, 8))]
    source = opened(collection(tasks))
    sides: dict[str, set[str]] = {}
    for one, side in zip(source.tasks, source._plan.split, strict=True):
        sides.setdefault(one.group, set()).add(side)
    assert all(len(own) == 1 for own in sides.values())


@pytest.mark.parametrize(("found", "shape", "message"), [
    (of_values(1, 30), {}, "data holds one task, and training, validation and testing need one of their own each"),
    (of_values(2, 30), {}, "data holds 2 tasks, and training"),
    (of_values(6, 4), {"shots": 3, "queries": 5},
     r"has 4 rows, and 3 shots and 5 queries take 8.*Set task\.queries to 1"),
    (of_values(6, 4), {"shots": 9, "queries": 5}, r"Set task\.shots to 3 and task\.queries to 1, or add rows"),
    (of_classes(6, (9, 9, 9)), {}, r"tasks of 3 classes and training\.ways is 2; set task\.ways to 3"),
    (of_classes(6, (9, 9)), {"training": {"ways": 5}}, r"set training\.ways to 2"),
    (of_classes(6, (9, 2)), {}, r"has 2 rows of b, and 2 shots and a query take 3.*Set task.* to 1"),
    (of_classes(6, (9,)), {}, "most tasks hold one class, such as task 00, and a task needs two or more"),
])
def test_tasks_that_will_not_do_are_named_with_the_remedy(found: list[OwnTask], shape: dict[str, Any], message: str
                                                          ) -> None:
    with pytest.raises(DataError, match=message):
        opened(collection(found), **shape)


def test_small_tasks_and_those_with_other_classes_are_left_out_and_said() -> None:
    tasks = of_classes(9, (9, 9))
    last = tasks[-1]
    tasks[-1] = OwnTask(last.name, last.rows, np.zeros(18, np.int64), ("a",))
    tasks[-2] = tasks[-2].only(np.arange(18) < 3)
    problems = opened(collection(tasks)).overview().problems
    assert any("1 task has another number of classes than the 2 of the others and was left out: task 08 (1)" in one
               for one in problems)
    assert any(one.startswith("task 07 has") and "it was left out" in one for one in problems)


def test_a_shape_is_found_that_most_tasks_have_the_rows_for() -> None:
    wanted = TaskConfig(ways=5, shots=10, queries=10)
    shape = fitting_shape(of_values(10, 8), wanted)
    assert (shape.shots, shape.queries) == (4, 4)
    assert opened(collection(of_values(10, 8)), shots=4, queries=4).sample("train", [0])
    shape = fitting_shape(of_classes(10, (30, 5)), TaskConfig(shots=5, queries=10))
    assert (shape.ways, shape.shots, shape.queries) == (2, 4, 10)
    assert fitting_shape(of_values(10, 40), wanted).shots == 10
