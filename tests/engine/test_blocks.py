"""Blocks of outer steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.arriving import Arriving
from workbench.engine.blocks import BLOCK_SECONDS, Blocks, DivergedError
from workbench.engine.events import Adaptation, Steps
from workbench.engine.outer import StepMetrics

LOOK = Adaptation(*(np.zeros((1, 1)) for _ in range(2)))


class Late(Arriving):
    """Numbers that a device has not sent yet, and sends once they are waited for."""

    has_arrived = False


def put(blocks: Blocks, losses: list[float], rate: float = 0.5, norm: float = 1.0) -> None:
    """Put so many steps, which were taken in one call where they are several."""
    loss = torch.tensor(losses if len(losses) > 1 else losses[0])
    blocks.put(StepMetrics(loss, 2 * loss, torch.full_like(loss, norm)), [rate] * len(losses), "examples")


def told(blocks: Blocks) -> list[Steps]:
    blocks.send(3.0, lambda: None)
    return list(blocks.arrived(waits=True))


@given(first=st.integers(0, 9), blocks=st.lists(st.lists(st.integers(1, 3), max_size=4), max_size=4))
def test_every_step_is_told_of_once_and_in_order(first, blocks):
    kept, found, losses = Blocks(first), [], []
    for sizes in blocks:
        for size in sizes:
            losses += [float(len(losses) + place) for place in range(size)]
            put(kept, losses[-size:])
        found += told(kept)
    assert [event.first for event in found] == [
        first + 1 + sum(map(sum, blocks[:place])) for place, sizes in enumerate(blocks) if sizes]
    assert [value for event in found for value in event.loss] == losses
    assert [value for event in found for value in event.metric] == [2 * value for value in losses]
    assert all(len(event.loss) == len(event.outer_lr) == len(event.gradient_norm) for event in found)


@pytest.mark.parametrize(("loss", "norm", "what"), [(math.nan, 1.0, "meta-loss"), (math.inf, 1.0, "meta-loss"),
                                                    (0.5, math.nan, "meta-gradient")])
def test_steps_before_the_first_that_is_no_number_are_told_of(loss: float, norm: float, what: str):
    kept = Blocks(4)
    put(kept, [1.0, 2.0])
    put(kept, [loss], norm=norm)
    put(kept, [3.0])
    kept.send(3.0, lambda: LOOK)
    steps = kept.arrived(waits=True)
    before = next(steps)
    assert (before.first, before.loss.tolist(), before.outer_lr.tolist()) == (5, [1.0, 2.0], [0.5, 0.5])
    assert before.adaptation is None  # of parameters that are no numbers any more
    with pytest.raises(DivergedError, match=rf"the {what} of step 7 is not a number") as error:
        next(steps)
    assert error.value.step == 6


def test_a_block_that_begins_with_no_number_tells_of_nothing():
    kept = Blocks(0, ("training.outer_lr", "algorithm.inner_lr"))
    put(kept, [math.nan])
    remedy = r"of step 1 is .* lower training\.outer_lr or algorithm\.inner_lr, or set"
    with pytest.raises(DivergedError, match=remedy) as error:
        told(kept)
    assert error.value.step == 0


def test_an_empty_block_is_not_sent_and_time_goes_on():
    kept = Blocks(0)
    left = kept.seconds_left
    assert told(kept) == []
    assert kept.stage is None
    assert kept.seconds_left <= left <= BLOCK_SECONDS
    put(kept, [1.0])
    assert kept.stage == "examples"
    kept.send(3.0, lambda: LOOK)
    assert kept.stage is None
    (event,) = kept.arrived(waits=True)
    assert (event.stage, event.seconds, event.adaptation) == ("examples", 3.0, LOOK)


def test_no_more_than_one_block_is_ever_behind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("workbench.engine.blocks.Arriving", Late)
    kept, found = Blocks(0), []
    for count in range(1, 5):
        put(kept, [float(count)])
        kept.send(3.0, lambda: None)
        found += kept.arrived(waits=False)
        assert [event.first for event in found] == list(range(1, count))
    found += kept.arrived(waits=True)
    assert [event.first for event in found] == [1, 2, 3, 4]
