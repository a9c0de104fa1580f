"""The rules for executor, threads and chunk."""

from __future__ import annotations

import torch
from torch import nn

from workbench.engine.session import Session
from workbench.engine.ways.work import Way, Work, cores, largest_result, multiplications, weighted, work_of
from workbench.experiment.experiment import TaskConfig
from workbench.experiment.resolve import resolve, with_settings
from workbench.tasks.base import Spec

CPU = torch.device("cpu")


def opened(*settings: str) -> Session:
    session = Session(resolve(with_settings({}, ["device=cpu", *settings])))
    session.close()
    return session


def test_multiplications_are_counted_by_hand():
    spec = Spec("classification", "image", (1, 8, 8), 3)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(64, 3))
    assert multiplications(net, weighted(net, spec)) == 16 * 4 * 9 + 64 * 3
    assert largest_result(weighted(net, spec)) == 16 * 4
    assert largest_result(weighted(nn.Flatten(), spec)) == 0


def test_a_task_and_its_largest_pass_are_counted_by_hand():
    task = TaskConfig(ways=3, shots=2, queries=5)
    session = opened("dataset=glyphs", "backbone=mlp", "backbone.widths=[8]")
    of_an_input = (28 * 28 + 1) * 8 + (8 + 1) * 5  # at least one a parameter
    for shape, most in ((task, 5), (task.model_copy(update={"shots": 7}), 7)):
        found = work_of(session.algorithm, session.spec, shape, 2, CPU, convolves=False, training=True)
        assert found.in_a_pass == 3 * most * of_an_input
        assert found.largest == 3 * most * 8 * 4
        # Query examples forward and backward, support examples in both steps and once more for their derivative.
        assert found.multiplications == 3 * (shape.queries * 3 + shape.shots * 3 * 2 * 2) * of_an_input


def test_convolutions_on_a_cpu_run_in_portions_and_small_networks_at_once_on_one():
    assert opened().executor.name == "portions"
    small = opened("dataset=sinusoids")
    assert (small.executor.name, small.executor.threads) == ("vectorized", 1)
    assert opened("training.executor=vectorized").executor.name == "vectorized"
    assert [Work(1e9, 1e6, True, CPU).executor(tasks) for tasks in (1, cores(), cores() + 1)] == [
        "vectorized", *(["portions"] * 2 if cores() > 1 else ["vectorized"] * 2)]


def test_a_portion_that_convolves_holds_a_few_tasks_or_as_many_as_have_enough_to_compute():
    assert [Work(1e8, many, True, CPU).chunk("portions", 3) for many in (1e6, 4e7, 7e7, 1e8)] == [12, 9, 6, 3]
    assert Work(3e8, 1e8, False, CPU).chunk("portions", 3) == Work(3e8, 1e8, True, CPU).chunk("threads", 3) == 24


def test_a_chunk_is_a_multiple_of_the_threads_and_never_empty():
    assert Work(1e6, 1e6, True, CPU).chunk("threads", 3) % 3 == 0
    assert Work(1e15, 1e6, True, CPU).chunk("threads", 3) == 3
    assert Work(1e15, 1e6, False, CPU).chunk("vectorized", 1) == 1
    assert [Work(1e6, 1e6, convolves, CPU).chunk("portions", 3) for convolves in (True, False)] == [12, 255]
    assert Work(2e9, 1e6, False, CPU).chunk("vectorized", 1) == 4


def test_large_networks_use_every_core():
    assert Work(1e9, 1e6, False, CPU).threads("vectorized", 16) == cores()
    assert Work(1e5, 1e6, False, CPU).threads("vectorized", 16, compiles=True) == min(cores(), 2)


def test_a_portion_of_over_16_megabytes_in_one_tensor_is_large_where_threads_are_few():
    work = Work(1e9, 1e6, True, CPU, largest=9 * 2**20)
    assert work.has_large_tensors(Way("portions", 2, 4))
    assert not work.has_large_tensors(Way("portions", 2, 2))
    assert not work.has_large_tensors(Way("threads", 2, 4))
    assert not work.has_large_tensors(Way("portions", 8, 16))


def test_a_session_tells_its_executor_of_large_tensors():
    way = Way("portions", 2, 4)
    for filters, is_large in ((64, True), (8, False)):
        session = opened("backbone.downsampling=max_pool", f"backbone.filters={filters}", "task.queries=15")
        session.use(way)
        session.close()
        assert session.executor.has_large_tensors is is_large


def test_counting_leaves_no_hook_behind():
    net = nn.Linear(3, 2)
    assert multiplications(net, weighted(net, Spec("regression", "vector", (3,), 2))) == 8
    assert not net._forward_hooks
