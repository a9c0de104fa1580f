"""All executors give the same numbers, for every algorithm there is."""

from __future__ import annotations

import threading
import weakref
from itertools import product
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.problems import KINDS, algorithms_for, executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Aux, Meta
from workbench.engine.executors import EXECUTORS
from workbench.engine.executors.gradients import finished
from workbench.engine.executors.pooled import Threads
from workbench.engine.executors.portions import Halves, Portions, _Relay
from workbench.engine.inner_loop import trace_task
from workbench.experiment.registry import find
from workbench.tasks.base import Examples, TaskBatch

CASES = [(name, kind) for kind in KINDS for name in algorithms_for(kind)]


def config_for(name: str, picture: bool, **wanted: Any) -> dict[str, Any]:
    """The wanted fields that the algorithm has.

    A bias before batch normalization has no gradient but rounding, which an inner Adam would blow up to a step: there
    plain gradient steps are compared.
    """
    known = find("algorithm", name).Config.model_fields
    plain = {"inner_optimizer": "sgd"} if picture else {}
    return {field: value for field, value in (wanted | plain).items() if field in known}


@pytest.mark.parametrize("case", CASES, ids="-".join)
@settings(max_examples=3, deadline=None)
@given(ways=st.integers(2, 4), shots=st.integers(1, 3), queries=st.integers(1, 3),
       steps=st.integers(1, 4), tasks=st.integers(1, 4), picture=st.booleans(), inductive=st.booleans(),
       progress=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 1000))
def test_batched_equals_looped(case, ways, shots, queries, steps, tasks, picture, inductive, progress, seed):
    name, kind = case
    about = spec(kind, ways, picture)
    if kind == "regression":  # it has no ways, and two values are normalized to the same two whatever they are
        shots, queries = shots + 1 + picture, queries + 1 + picture
    if name == "relation_net" and inductive:  # a single example is its class: nothing varies among the pairs of both
        shots += 1
    algorithm, meta = make(name, about, **config_for(name, picture, inner_steps=steps))
    batch, keys = noise_tasks(about, tasks=tasks, ways=ways, shots=shots, queries=queries, seed=seed)
    chosen = setting(algorithm, about, inductive=inductive, examples=len(batch.support.inputs[0]), progress=progress)
    found = {}
    for how in EXECUTORS:
        runner = executor(how, algorithm)
        found[how] = runner.gradient(meta, batch, keys, chosen), runner.map(trace_task, meta, batch, keys, chosen)
        runner.close()
    for how in EXECUTORS:
        assert_same(found[how], found["threads"])


def assert_same(found, expected):
    (batched, batched_trace), (looped, looped_trace) = found, expected
    assert batched.total.keys() == looped.total.keys()
    # A gradient that should be nothing, such as that of a bias before batch normalization, is rounding of the others.
    size = max(1.0, *(value.norm().item() for value in looped.total.values()))
    for key, value in batched.total.items():
        torch.testing.assert_close(value, looped.total[key], rtol=1e-10, atol=1e-10 * size)
    for one, other in zip((*batched_trace, *batched.aux[:2]), (*looped_trace, *looped.aux[:2]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    for key, value in batched.aux.buffers.items():
        torch.testing.assert_close(value, looped.aux.buffers[key], rtol=1e-10, atol=1e-12)


def test_batched_equals_looped_in_single_precision_to_one_in_ten_thousand():
    for (name, kind), picture in product(CASES, (False, True)):
        about = spec(kind, 3, picture)
        algorithm, meta = make(name, about, **config_for(name, picture, inner_lr=0.05))
        # With a handful of examples the last maps, which are single pixels, hardly vary in some channel, and large
        # steps lead far away: either blows rounding up, however the tasks are run.
        shots = 2 if kind == "classification" else 12
        batch, keys = noise_tasks(about, tasks=4, ways=3, shots=shots, queries=shots + 1)
        meta = Meta(*({key: value.float() for key, value in table.items()} for table in meta))
        batch = TaskBatch(*(Examples(part.inputs.float(), part.targets if kind == "classification"
                                     else part.targets.float()) for part in (batch.support, batch.query)))
        totals = []
        for how in EXECUTORS:
            runner = executor(how, algorithm)
            totals.append(runner.gradient(meta, batch, keys, setting(algorithm, about)).total)
            runner.close()
        scale = torch.stack([value.norm() for value in totals[0].values()]).norm()
        for other in totals[1:]:
            gap = torch.stack([(totals[0][key] - other[key]).norm() for key in other]).norm()
            assert gap <= 1e-4 * scale, name


def test_gradients_do_not_depend_on_the_threads():
    about = spec("classification", 3, picture=True)
    algorithm, meta = make("maml", about, inner_steps=2)
    batch, keys = noise_tasks(about, tasks=7, ways=3, shots=1, queries=2)
    totals = []
    for threads in (1, 2, 3):
        runner = Threads(algorithm, threads)
        totals.append(runner.gradient(meta, batch, keys, setting(algorithm, about)).total)
        runner.close()
    for other in totals[1:]:
        assert all(torch.equal(totals[0][key], other[key]) for key in other)


class Frugal(find("algorithm", "maml")):
    """MAML that waits for the gradients of earlier tasks to go, but for a few."""

    room: ClassVar[threading.Semaphore] = threading.Semaphore(3)

    def meta_gradient(self, meta, task, ctx):
        assert self.room.acquire(timeout=20), "gradients are held that nobody needs"
        gradient, aux = super().meta_gradient(meta, task, ctx)
        weakref.finalize(next(iter(gradient.values())), self.room.release)
        return gradient, aux


class Odd(find("algorithm", "maml")):
    """MAML whose gradients cannot be added, for each is longer than the one before."""

    begun: ClassVar[list[int]] = []

    def meta_gradient(self, meta, task, ctx):
        self.begun.append(len(self.begun) + 1)
        return {"odd": torch.zeros(len(self.begun) + 1)}, Aux(torch.zeros(()), torch.zeros(()), {}, {})


def by_threads(kind, tasks, threads=1):
    """An executor on an algorithm of this kind, and what its gradient takes."""
    about = spec("regression", 1)
    made, meta = make("maml", about, inner_steps=1)
    batch, keys = noise_tasks(about, tasks=tasks, ways=1, shots=2, queries=2)
    return Threads(kind(made.config, made.network, about), threads), (meta, batch, keys, setting(made, about))


def test_threads_hold_few_gradients_of_many_tasks():
    runner, arguments = by_threads(Frugal, tasks=16)
    found = runner.gradient(*arguments)
    runner.close()
    assert len(found.aux.loss) == 16
    assert all(value.isfinite().all() for value in found.total.values())


def test_threads_are_done_with_where_a_gradient_cannot_be_added():
    runner, arguments = by_threads(Odd, tasks=64)
    with pytest.raises(RuntimeError) as error:
        runner.gradient(*arguments)
    begun = len(Odd.begun)
    runner._pool.submit(list).result()  # after whatever was still to be done, which the error keeps
    assert len(Odd.begun) == begun
    assert "size" in str(error.value)
    runner.close()


@pytest.mark.parametrize(("tasks", "threads", "portions", "on"), [
    (8, 2, [4, 4], [1, 1]), (5, 2, [2, 2, 1], [1, 1, 2]), (25, 2, [12, 13], [1, 1]), (1, 2, [1], [2]),
    (3, 4, [3], [4]), (6, 4, [1, 1, 1, 1, 2], [1, 1, 1, 1, 4]), (5, 1, [5], [1])])
def test_portions_are_about_alike_and_what_is_left_over_runs_on_all_threads(tasks, threads, portions, on):
    assert met_by_portions(tasks, threads, goes_in_halves=False) == list(zip(portions, on, strict=True))


@pytest.mark.parametrize(("tasks", "threads", "portions", "on"), [
    (5, 2, [2, 2, 1], [1, 1, 1]), (6, 4, [1, 1, 1, 1, 1, 1], [1] * 6), (1, 2, [1], [2]),
    (5, 4, [1, 1, 1, 1, 1], [1, 1, 1, 1, 4]), (7, 4, [1, 1, 1, 1, 3], [1, 1, 1, 1, 4])])
def test_what_goes_in_halves_is_on_one_thread_at_a_time_where_two_are_for_each(tasks, threads, portions, on):
    assert met_by_portions(tasks, threads, goes_in_halves=True) == list(zip(portions, on, strict=True))


@pytest.mark.parametrize(("tasks", "threads", "size", "portions", "on"), [
    (8, 2, 4, [2, 2, 2, 2], [1] * 4), (7, 2, 3, [1] * 6 + [1], [1] * 6 + [2]), (5, 2, 2, [1] * 5, [1] * 4 + [2]),
    (4, 2, 1, [1] * 4, [2] * 4), (10, 3, 9, [3, 3, 3, 1], [1] * 3 + [3]), (5, 4, 3, [3, 2], [4, 4]),
    (15, 16, 15, [1] * 15, [1] * 15), (10, 4, 4, [1] * 8 + [2], [1] * 8 + [4]), (10, 2, 7, [2, 3, 2, 3], [1] * 4),
    (9, 2, 8, [4, 4, 1], [1, 1, 2]), (25, 2, 25, [12, 13], [1, 1])])
def test_so_many_tasks_are_at_once_as_a_chunk_has(tasks, threads, size, portions, on):
    assert met_by_portions(tasks, threads, goes_in_halves=False, size=size) == list(zip(portions, on, strict=True))


def met_by_portions(tasks, threads, goes_in_halves, size=0):
    """Sizes of the portions, and the compute threads that each was on, in the order of the tasks."""
    about = spec("regression", 1)
    algorithm, meta = make("maml", about, inner_steps=1)
    batch, keys = noise_tasks(about, tasks=tasks, ways=1, shots=2, queries=2)
    runner = Portions(algorithm, threads)
    runner.goes_in_halves = goes_in_halves
    met: list[tuple[int, int, int]] = []

    def sooner(meta, part, part_keys, chosen):
        met.append((int((keys == part_keys[0]).nonzero()), len(part), torch.get_num_threads()))

    runner.sooner = sooner
    before = torch.get_num_threads()
    finished(runner.in_chunks(size or tasks, meta, batch, keys, setting(algorithm, about)))
    runner.close()
    assert torch.get_num_threads() == before
    return [(size, count) for _, size, count in sorted(met)]


def test_an_error_in_any_portion_ends_the_others_and_leaves_the_threads_as_they_were():
    about = spec("regression", 1)
    algorithm, meta = make("maml", about, inner_steps=1)
    batch, keys = noise_tasks(about, tasks=5, ways=1, shots=2, queries=2)
    before = torch.get_num_threads()
    for wrong in range(3):
        runner = Portions(algorithm, 2)
        at_work: list[int] = []

        def sooner(meta, part, part_keys, chosen, wrong=wrong, at_work=at_work):
            first = int((keys == part_keys[0]).nonzero())
            if first == (0, 2, 4)[wrong]:
                raise RuntimeError("wrong")
            at_work.append(first)

        runner.sooner = sooner
        with pytest.raises(RuntimeError, match="wrong"):
            runner.gradient(meta, batch, keys, setting(algorithm, about))
        now = list(at_work)
        runner.close()
        assert at_work == now
        assert torch.get_num_threads() == before


@pytest.mark.parametrize("half", ["first", "second"])
def test_an_error_in_either_half_of_a_task_ends_the_other_thread_too(half):
    about = spec("regression", 1)
    algorithm, meta = make("maml", about, inner_steps=1)
    batch, keys = noise_tasks(about, tasks=3, ways=1, shots=2, queries=2)

    has_begun = threading.Event()

    def first():
        has_begun.set()
        if half == "first":
            raise RuntimeError("wrong")
        return [keys]

    def second(_):
        raise RuntimeError("wrong")

    def sooner(meta, part, part_keys, chosen):
        if torch.equal(part_keys[0], keys[0]):
            assert has_begun.wait(60)  # who ends the task is not to be there before who begins it

    runner = Portions(algorithm, 2)
    runner.goes_in_halves = True
    runner.sooner = sooner
    runner.halves = lambda *_: Halves(first, second)
    with pytest.raises(RuntimeError, match="wrong"):
        runner.gradient(meta, batch, keys, setting(algorithm, about))
    runner.close()


@pytest.mark.parametrize(("tasks", "threads"), [(3, 2), (6, 4)])
def test_who_ends_a_task_never_waits_for_who_does_not_begin(tasks, threads):
    about = spec("regression", 1)
    algorithm, meta = make("maml", about, inner_steps=1)
    batch, keys = noise_tasks(about, tasks=tasks, ways=1, shots=2, queries=2)
    runner = Portions(algorithm, threads)
    runner.goes_in_halves = True
    runner.halves = lambda *_: Halves(lambda: [keys], list)

    def sooner(meta, part, part_keys, chosen):
        if torch.equal(part_keys[0], keys[0]):
            raise RuntimeError("wrong")  # at once

    runner.sooner = sooner
    with pytest.raises(RuntimeError, match="wrong"):
        runner.gradient(meta, batch, keys, setting(algorithm, about))
    runner.close()


def test_a_task_that_nobody_begins_is_done_by_who_ends_it():
    relay = _Relay(Halves(list, lambda _: "second half"), lambda algorithm: "all of it")
    assert relay.end(None) == "all of it"
    relay.begin()  # too late, so nothing is done twice
    other = _Relay(Halves(list, lambda _: "second half"), lambda algorithm: "all of it")
    other.begin()
    assert other.end(None) == "second half"


def test_an_evaluation_keeps_no_graph():
    about = spec("classification", 3)
    algorithm, meta = make("maml", about, inner_steps=3)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=1, queries=2)
    for how in EXECUTORS:
        runner = executor(how, algorithm)
        trace = runner.map(trace_task, meta, batch, keys, setting(algorithm, about))
        runner.close()
        assert trace.loss.grad_fn is None
        assert trace.loss.shape == (2, 4)
