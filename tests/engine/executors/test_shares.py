"""Threads that go on with the next portion as soon as they are free: no number depends on who is faster."""

from __future__ import annotations

import threading
from contextlib import closing
from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.problems import make, noise_tasks, setting, spec
from workbench.algorithms.base import Aux
from workbench.engine.executors.gradients import MetaGradient, finished, summed
from workbench.engine.executors.portions import Portions
from workbench.engine.executors.shares import Shares
from workbench.engine.memory.chunks import parts

PATIENCE = 60


def found_of(number):
    """What came of a part; sums of such numbers depend on their order."""
    value = torch.tensor([10.0 ** (number % 5), 1.1 * number])
    return MetaGradient({"weight": value}, Aux(value[:1], value[1:], {}, {}))


@given(st.integers(1, 4), st.integers(0, 12), st.randoms(use_true_random=False))
def test_what_comes_of_parts_is_added_in_their_order_whoever_is_faster(threads, count, random):
    shares = Shares(list(parts(count, 1)), threads)
    takers = [shares.left() for _ in range(threads)]
    at_work: dict[int, int] = {}
    met = []
    for _ in range(3 * count):
        # Who is first in the order is always at work or may go on, so that nobody waits for good.
        free = [one for one in range(threads) if one not in at_work]
        done_before = min(at_work.values(), default=len(met))
        ahead = len(met) - done_before - len(at_work)
        if free and ahead < threads and (not at_work or random.random() < 0.5):
            for number, _ in islice(takers[free[0]], 1):
                met.append(number)
                at_work[free[0]] = number
        elif at_work:
            shares.put(number := at_work.pop(random.choice(sorted(at_work))), found_of(number))
    for number in at_work.values():
        shares.put(number, found_of(number))
    assert met == list(range(count))
    if count:
        assert torch.equal(shares.total.whole().total["weight"], summed(map(found_of, range(count))).total["weight"])
        assert torch.equal(shares.total.whole().aux.metric, torch.tensor([1.1 * one for one in range(count)]))


@pytest.fixture
def on_two_threads():
    """Portions of one task on two threads, what they are given, and what they do: (whether it is the caller, task)."""
    about = spec("regression", 1)
    algorithm, meta = make("maml", about, inner_steps=1)
    batch, keys = noise_tasks(about, tasks=8, ways=1, shots=2, queries=2)
    runner, log = Portions(algorithm, 2), []
    caller = threading.current_thread()

    def begun(part_keys):
        """Whether the caller is at work."""
        is_caller = threading.current_thread() is caller
        log.append((is_caller, int((keys == part_keys[0]).nonzero())))
        return is_caller

    yield runner, (2, meta, batch, keys, setting(algorithm, about)), log, begun
    runner.close()


def test_who_is_far_ahead_waits_for_the_others(on_two_threads):
    runner, arguments, log, begun = on_two_threads
    is_ahead, first = threading.Semaphore(0), []

    def sooner(meta, part, part_keys, chosen):
        if not begun(part_keys):
            is_ahead.release()
        elif not first:
            assert is_ahead.acquire(timeout=PATIENCE)
            assert is_ahead.acquire(timeout=PATIENCE)
            first.extend(log)

    runner.sooner = sooner
    finished(runner.in_chunks(*arguments))
    assert len(first) == 3  # its own, and two of the other


def test_nothing_is_begun_while_the_caller_looks_up(on_two_threads):
    runner, arguments, log, begun = on_two_threads
    goes_on, has_begun = threading.Event(), threading.Event()

    def sooner(meta, part, part_keys, chosen):
        if begun(part_keys):
            assert has_begun.wait(PATIENCE)
        else:
            has_begun.set()
            assert goes_on.wait(PATIENCE)

    runner.sooner = sooner
    running = runner.in_chunks(*arguments)
    next(running)
    goes_on.set()  # the other is done with what it has, and asks for more
    log.append("looked up")
    assert len(finished(running).aux.loss) == 8
    assert log.index("looked up") == 2
    assert sorted(one[1] for one in log if len(one) == 2) == list(range(8))


def test_whoever_stops_half_way_leaves_nobody_at_work(on_two_threads):
    runner, arguments, log, begun = on_two_threads

    def sooner(meta, part, part_keys, chosen):
        begun(part_keys)

    runner.sooner = sooner
    before = torch.get_num_threads()
    with closing(runner.in_chunks(*arguments)) as running:
        next(running)
    assert torch.get_num_threads() == before
    met = list(log)
    assert len(met) < 8
    runner.sooner = None
    assert len(finished(runner.in_chunks(*arguments)).aux.loss) == 8
    assert log == met
