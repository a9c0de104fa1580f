"""How the tasks of a step are shared among processes."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.distribution.world import World


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 1000))
def test_every_task_counts_in_exactly_one_process_and_each_has_one_to_run(tasks: int, size: int, begin: int) -> None:
    shares = []
    for rank in range(size):
        world = World()
        world.rank, world.size = rank, size
        shares.append(world.share(range(begin, begin + tasks)))
    assert list(chain.from_iterable(one.run[: one.count] for one in shares)) == list(range(begin, begin + tasks))
    assert all(len(one.run) >= 1 and begin <= one.run[0] <= one.run[-1] < begin + tasks for one in shares)
    assert max(one.count for one in shares) - min(one.count for one in shares) <= 1
    assert shares[0].count >= 1
