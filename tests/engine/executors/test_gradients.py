"""Meta-gradients of several tasks, added up."""

from __future__ import annotations

import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.algorithms.base import Aux
from workbench.engine.executors.gradients import MetaGradient, Sum, summed


@given(tasks=st.lists(st.integers(1, 3), min_size=1, max_size=6))
def test_gradients_are_added_up_in_their_order_and_let_go(tasks):
    drawn = [torch.randn(3) for _ in tasks]
    parts = [MetaGradient({"w": value.clone()}, Aux(torch.full((count,), float(place)), torch.zeros(count), {}, {}))
             for place, (value, count) in enumerate(zip(drawn, tasks, strict=True))]
    found = summed(iter(parts))
    wanted = drawn[0]
    for value in drawn[1:]:
        wanted = wanted + value
    assert torch.equal(found.total["w"], wanted)
    assert found.aux.loss.tolist() == [float(place) for place, count in enumerate(tasks) for _ in range(count)]
    assert all(torch.equal(part.total["w"], value) for part, value in zip(parts, drawn, strict=True))
    held = [weakref.ref(part.total["w"]) for part in parts]
    total = Sum()
    while parts:
        total.add(parts.pop())
    assert [one() is not None for one in held] == [False] * (len(held) - 1) + [len(held) == 1]


def test_a_part_that_cannot_be_added_changes_nothing():
    total = Sum()
    told = Aux(torch.zeros(1), torch.zeros(1), {}, {})
    total.add(MetaGradient({"a": torch.ones(2), "b": torch.ones(2)}, told))
    with pytest.raises(RuntimeError):
        total.add(MetaGradient({"a": torch.ones(2), "b": torch.ones(3)}, told))
    total.add(MetaGradient({"a": torch.ones(2), "b": torch.ones(2)}, told))
    assert {name: value.tolist() for name, value in total.whole().total.items()} == {"a": [2, 2], "b": [2, 2]}
    assert len(total.whole().aux.loss) == 2
