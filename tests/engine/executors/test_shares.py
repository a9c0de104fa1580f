"""Threads that go on with the next portion as soon as they are free: no number depends on who is faster."""

from __future__ import annotations

import threading
from contextlib import closing

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
# How long is waited for what must not happen.
SOON = 0.2


def found_of(number):
    """What came of a part; sums of such numbers depend on their order."""
    value = torch.tensor([10.0 ** (number % 5), 1.1 * number])
    return MetaGradient({"weight": value}, Aux(value[:1], value[1:], {}, {}))


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 12), st.randoms(use_true_random=False))
def test_what_comes_of_parts_is_added_in_their_order_whoever_is_faster(threads, each, count, random):
    most = threads * each
    shares = Shares(list(parts(count, 1)), most)
    takers = [shares.left() for _ in range(threads)]
    at_work: dict[int, int] = {}
    met: list[int] = []
    while len(met) < count or at_work:
        free = [one for one in range(threads) if one not in at_work]
        ahead = len(met) - min(at_work.values(), default=len(met))
        if free and len(met) < count and ahead < most and (not at_work or random.random() < 0.5):
            at_work[free[0]], _ = next(takers[free[0]])
            met.append(at_work[free[0]])
        else:
            shares.put(number := at_work.pop(random.choice(sorted(at_work))), found_of(number))
    assert met == list(range(count))
    assert not any(list(one) for one in takers)
    if count:
        assert torch.equal(shares.total.whole().total["weight"], summed(map(found_of, range(count))).total["weight"])
        assert torch.equal(shares.total.whole().aux.metric, torch.tensor([1.1 * one for one in range(count)]))


class Watched:
    """Portions of one task on two threads, of which somebody sees what is begun, and by whom."""

    def __init__(self, tasks=12):
        about = spec("regression", 1)
        algorithm, meta = make("maml", about, inner_steps=1)
        batch, self.keys = noise_tasks(about, tasks=tasks, ways=1, shots=2, queries=2)
        self.runner = Portions(algorithm, 2)
        self.runner.sooner = self._sooner
        self.arguments = 2, meta, batch, self.keys, setting(algorithm, about)
        self._caller = threading.current_thread()
        self.met: list[tuple[bool, int]] = []
        self.by_caller, self.by_other = threading.Semaphore(0), threading.Semaphore(0)
        self.caller_goes_on, self.other_goes_on = threading.Event(), threading.Event()
        self._both = threading.Barrier(2)

    def _sooner(self, meta, part, part_keys, chosen):
        is_caller = threading.current_thread() is self._caller
        self.met.append((is_caller, int((self.keys == part_keys[0]).nonzero())))
        (self.by_caller if is_caller else self.by_other).release()
        if sum(one is is_caller for one, _ in self.met) == 1:
            self._both.wait(PATIENCE)  # neither is done before the other has begun
        assert (self.caller_goes_on if is_caller else self.other_goes_on).wait(PATIENCE)

    def run(self):
        return finished(self.runner.in_chunks(*self.arguments))

    def begun_by_other(self):
        """Whether the other thread begins with one more, or has."""
        return self.by_other.acquire(timeout=PATIENCE)


@pytest.fixture
def watched():
    found = Watched()
    yield found
    found.caller_goes_on.set()
    found.other_goes_on.set()
    found.runner.close()


def test_who_is_far_ahead_waits_for_the_others(watched):
    def look():
        try:
            assert watched.by_caller.acquire(timeout=PATIENCE)
            own = next(task for is_caller, task in watched.met if is_caller)
            watched.other_goes_on.set()
            # Four are under way or wait: the caller's, and three that come after it.
            seen.extend(watched.begun_by_other() for _ in range(own + 3))
            seen.append(watched.by_other.acquire(timeout=SOON))
        finally:
            watched.caller_goes_on.set()

    seen: list[bool] = []
    looks = threading.Thread(target=look)
    looks.start()
    assert len(watched.run().aux.loss) == 12
    looks.join()
    assert seen == [True] * (len(seen) - 1) + [False]


def test_nothing_is_begun_while_the_caller_looks_up(watched):
    watched.caller_goes_on.set()
    running = watched.runner.in_chunks(*watched.arguments)
    next(running)
    assert watched.begun_by_other()
    watched.other_goes_on.set()  # it is done with what it has, and asks for more
    assert not watched.by_other.acquire(timeout=SOON)
    assert len(finished(running).aux.loss) == 12
    assert sorted(task for _, task in watched.met) == list(range(12))


def test_whoever_stops_half_way_leaves_nobody_at_work(watched):
    watched.caller_goes_on.set()
    before = torch.get_num_threads()
    with closing(watched.runner.in_chunks(*watched.arguments)) as running:
        next(running)
        assert watched.begun_by_other()
        watched.other_goes_on.set()
    assert torch.get_num_threads() == before
    watched.runner._pool.submit(list).result(PATIENCE)  # the other has time for it
    assert len(watched.met) == 2
    assert len(watched.run().aux.loss) == 12


def test_what_is_left_half_done_keeps_nobody_from_closing(watched):
    watched.caller_goes_on.set()
    watched.other_goes_on.set()
    running = watched.runner.in_chunks(*watched.arguments)
    next(running)
    watched.runner.close()
    assert len(watched.met) < 12
    running.close()
