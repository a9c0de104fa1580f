"""Outer steps in blocks of a tenth of a second: taken first, told of once their numbers are here, and refused where
they are none."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from workbench.algorithms.base import Stage
from workbench.engine.arriving import Arriving
from workbench.engine.events import Adaptation, Steps
from workbench.engine.outer import StepMetrics

BLOCK_SECONDS = 0.1


class DivergedError(ArithmeticError):
    """The meta-loss, its gradient or a result is no longer a number.

    Args:
        message: What is none, and the remedy.
        step: Outer steps before it.
    """

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


@dataclass
class _Block:
    """Steps that were taken, the first of which has this number, counted from 1."""

    first: int
    since: float
    told: list[StepMetrics] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    stage: Stage = "tasks"


class _Sent(NamedTuple):
    """A block whose numbers are on their way from the device, the training seconds behind it, and what was looked at.
    """

    block: _Block
    numbers: Arriving
    seconds: float
    adaptation: Adaptation | None


class Blocks:
    """What was taken and not yet told of.

    Args:
        step: Outer steps so far.
        rates: Names of the fields that are to be lower where these diverge.
    """

    def __init__(self, step: int, rates: tuple[str, ...] = ("training.outer_lr",)) -> None:
        self._rates = rates
        self._block = _Block(step + 1, time.perf_counter())
        self._sent: deque[_Sent] = deque()

    @property
    def stage(self) -> Stage | None:
        """What the steps of the block at hand were shown; None where there are none."""
        return self._block.stage if self._block.told else None

    @property
    def seconds_left(self) -> float:
        """How long steps may still be put into the block at hand."""
        return self._block.since + BLOCK_SECONDS - time.perf_counter()

    def put(self, told: StepMetrics, rates: list[float], stage: Stage) -> None:
        """Put steps of one stage into the block at hand."""
        self._block.stage = stage
        self._block.told.append(told)
        self._block.rates.extend(rates)

    def send(self, seconds: float, adaptation: Callable[[], Adaptation | None]) -> None:
        """Have the device send the numbers of the block at hand, if there are any, and begin another.

        Args:
            seconds: Of training behind its last step, which is before anything is looked at.
            adaptation: What looks at how tasks are adapted to, while they are sent.
        """
        block = self._block
        if block.told:
            numbers = Arriving([torch.hstack(values) for values in zip(*block.told, strict=True)])
            self._sent.append(_Sent(block, numbers, seconds, adaptation()))
            self._block = _Block(block.first + len(block.rates), time.perf_counter())

    def arrived(self, *, waits: bool) -> Iterator[Steps]:
        """Tell of the blocks that were sent.

        Args:
            waits: Whether to wait for the device. Without, what it has not done yet is told the next time, and no more
                than one block is ever behind.

        Raises:
            DivergedError: Those that follow are no longer numbers.
        """
        while self._sent and (waits or len(self._sent) > 1 or self._sent[0].numbers.has_arrived):
            yield from self._events(self._sent.popleft())

    def _events(self, sent: _Sent) -> Iterator[Steps]:
        """What to tell of a block; where it is no longer numbers, of the steps before, and then it raises."""
        block = sent.block
        loss, metric, norm = sent.numbers.numbers()
        rates = np.array(block.rates)
        bad = np.flatnonzero(~(np.isfinite(loss) & np.isfinite(norm)))
        if not len(bad):
            yield Steps(block.first, loss, metric, rates, norm, sent.seconds, sent.adaptation, block.stage)
            return
        good = int(bad[0])
        if good:
            yield Steps(block.first, loss[:good], metric[:good], rates[:good], norm[:good], sent.seconds,
                        stage=block.stage)
        what = "meta-loss" if not math.isfinite(loss[good]) else "meta-gradient"
        raise DivergedError(
            f"training diverged: the {what} of step {block.first + good} is not a number; lower "
            f"{' or '.join(self._rates)}, or set training.clip, and start again; the last checkpoint is kept",
            block.first - 1 + good)
