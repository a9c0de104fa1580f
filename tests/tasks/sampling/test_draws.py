"""The random draws: uniform, without replacement, and without a history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.tasks.sampling.draws import Draws

seeds = st.integers(0, 2**31 - 1)


@given(seed=seeds, index=st.integers(0, 2**40), others=st.lists(st.integers(0, 2**40), max_size=4))
def test_a_draw_does_not_depend_on_what_is_drawn_beside_it(seed: int, index: int, others: list[int]) -> None:
    alone, beside = Draws(seed, "train", [index]), Draws(seed, "train", [*others, index])
    assert (alone.uniform(3)[0] == beside.uniform(3)[-1]).all()
    assert (alone.choose(9, 4)[0] == beside.choose(9, 4)[-1]).all()
    assert alone.keys()[0] == beside.keys()[-1]


@given(seed=seeds, population=st.integers(1, 50), data=st.data())
def test_what_is_chosen_is_chosen_once_and_lies_below_the_population(
        seed: int, population: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, population))
    chosen = Draws(seed, "train", range(5)).choose(population, count, groups=3)
    assert chosen.shape == (5, 3, count)
    assert chosen.min() >= 0
    assert chosen.max() < population
    assert all(len(set(group)) == count for task in chosen for group in task)


def test_each_group_may_have_a_population_of_its_own() -> None:
    sizes = np.array([[3, 10, 200]] * 4)
    chosen = Draws(0, "train", range(4)).choose(sizes, 3, groups=3)
    assert (chosen < sizes[..., None]).all()
    assert {*chosen[0, 0]} == {0, 1, 2}


def test_more_than_there_are_cannot_be_chosen() -> None:
    with pytest.raises(ValueError, match="cannot draw 4 of 3"):
        Draws(0, "train", [0]).choose(3, 4)


def test_every_ordered_choice_is_equally_likely() -> None:
    chosen = Draws(1, "train", range(24_000)).choose(4, 3)[:, 0]
    _, counts = np.unique(chosen @ [16, 4, 1], return_counts=True)
    assert len(counts) == 24
    # Chi-square with 23 degrees of freedom: 49.7 is exceeded once in a thousand seeds, and this one is fixed.
    assert ((counts - 1000) ** 2 / 1000).sum() < 49.7


def test_uniform_numbers_fill_the_unit_interval_evenly() -> None:
    numbers = Draws(2, "train", range(10_000)).uniform(4)
    assert 0 <= numbers.min() < numbers.max() < 1
    assert np.abs(numbers.mean(0) - 0.5).max() < 0.01
    assert np.abs(np.corrcoef(numbers.T) - np.eye(4)).max() < 0.04


def test_streams_seeds_and_indices_share_no_draw() -> None:
    draws = [Draws(seed, stream, range(100)).uniform(2) for seed in (0, 1) for stream in ("train", "test")]
    assert len(np.unique(np.concatenate(draws).ravel())) == 800
