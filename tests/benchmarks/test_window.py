"""The ratio that the window's benchmark tells of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.window import ratio


def test_turns_that_agree_leave_no_doubt() -> None:
    assert ratio([(97.0, 100.0), (48.5, 50.0), (194.0, 200.0)]) == {"ratio": 0.97, "plus_or_minus": 0.0, "turns": 3}


def test_the_interval_is_that_of_a_ratio_of_sums() -> None:
    # Residues of -5, 5, -5, 5 around 0.95: a deviation of 5.77, over 2 times a mean of 100.
    found = ratio([(90.0, 100.0), (100.0, 100.0), (90.0, 100.0), (100.0, 100.0)])
    assert found["ratio"] == 0.95
    assert found["plus_or_minus"] == pytest.approx(1.96 * 5.7735 / 2 / 100, abs=1e-4)


def test_one_turn_has_no_interval() -> None:
    assert ratio([(97.0, 100.0)]) == {"ratio": 0.97, "plus_or_minus": None, "turns": 1}


@given(st.floats(0.5, 2.0))
def test_how_fast_the_machine_is_does_not_matter(factor: float) -> None:
    turns = [(96.0, 100.0), (105.0, 101.0), (93.0, 97.0)]
    faster = ratio([(mine * factor, other * factor) for mine, other in turns])
    assert faster == pytest.approx(ratio(turns), abs=2e-4)
