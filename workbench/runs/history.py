"""A run as growing arrays: fed with live events or with a record, it is what plots and tables are drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from workbench.algorithms.base import Stage
from workbench.engine.events import (
    Adaptation,
    Checkpoint,
    Curve,
    Evaluation,
    Event,
    Failed,
    Finished,
    Paused,
    Probe,
    Started,
    Steps,
)
from workbench.experiment.metrics import as_error, result_in_words
from workbench.runs.record import Kept, Recorded


class Series:
    """A growing array of numbers."""

    def __init__(self) -> None:
        self._buffer = np.empty(1024)
        self._count = 0

    def extend(self, values: Curve) -> None:
        """Append numbers."""
        needed = self._count + len(values)
        if needed > len(self._buffer):
            self._buffer = np.resize(self._buffer, max(needed, 2 * len(self._buffer)))
        self._buffer[self._count : needed] = values
        self._count = needed

    @property
    def values(self) -> Curve:
        """The numbers so far; a view that a later `extend` may leave behind."""
        return self._buffer[: self._count]


class Verdict(NamedTuple):
    """What a test result is beside a method that learns nothing, in words, and whether it is better."""

    words: str
    is_better: bool


@dataclass
class History:
    """Everything that a run has said.

    Attributes:
        started: How it runs; None before it does.
        loss, metric, outer_lr, gradient_norm: One number for every outer step, from step 1.
        stages: What training was shown, and the step that it began with, each time that it changed.
        times: Training seconds at the end of each block, and `times_steps` the step it ended at.
        validations, test: Results.
        probes: Adaptation of the probe tasks through training.
        adaptation: Curves of the latest meta-batch that was looked at, and `adaptation_step` its step.
        checkpoints: Step numbers of checkpoints.
        is_paused: Whether it waits.
        ended: Its last event; None while it goes on.
        revision: Grows with every event, so that a view knows when to draw.
    """

    started: Started | None = None
    loss: Series = field(default_factory=Series)
    metric: Series = field(default_factory=Series)
    outer_lr: Series = field(default_factory=Series)
    gradient_norm: Series = field(default_factory=Series)
    stages: list[tuple[int, Stage]] = field(default_factory=list)
    times: Series = field(default_factory=Series)
    times_steps: Series = field(default_factory=Series)
    validations: list[Evaluation] = field(default_factory=list)
    test: Evaluation | None = None
    probes: list[Probe] = field(default_factory=list)
    adaptation: Adaptation | None = None
    adaptation_step: int = 0
    checkpoints: list[int] = field(default_factory=list)
    is_paused: bool = False
    ended: Finished | Failed | None = None
    revision: int = 0

    @classmethod
    def of(cls, events: Iterable[Event | Recorded]) -> History:
        """The history that some events make."""
        history = cls()
        for event in events:
            history.add(event)
        return history

    def add(self, event: Event | Recorded) -> None:
        """Take in one event."""
        self.revision += 1
        match event:
            case Started():
                self.started, self.ended, self.is_paused = event, None, False
            case Steps():
                self._add_steps(event)
            case Probe():
                self.probes.append(event)
            case Evaluation(split="validation"):
                self.validations.append(event)
            case Evaluation():
                self.test = event
            case Checkpoint() | Kept():
                self.checkpoints.append(event.step)
            case Paused():
                self.is_paused = event.is_paused
            case Finished() | Failed():
                self.ended, self.is_paused = event, False

    def _add_steps(self, event: Steps) -> None:
        for name in ("loss", "metric", "outer_lr", "gradient_norm"):
            getattr(self, name).extend(getattr(event, name))
        if not self.stages or self.stages[-1][1] != event.stage:
            self.stages.append((event.first, event.stage))
        self.times.extend(np.array([event.seconds]))
        self.times_steps.extend(np.array([float(event.last)]))
        if event.adaptation is not None:
            self.adaptation, self.adaptation_step = event.adaptation, event.last

    @property
    def step(self) -> int:
        """Outer steps done."""
        return len(self.loss.values)

    @property
    def seconds(self) -> float:
        """Training seconds so far."""
        return float(self.times.values[-1]) if len(self.times.values) else 0.0

    @property
    def best_validation(self) -> Evaluation | None:
        """The validation that the best checkpoint was chosen by."""
        if not self.validations:
            return None
        return min(self.validations, key=lambda one: as_error(one.metric, one.score.mean))

    def verdicts(self) -> list[Verdict]:
        """The test result beside every floor that it does not beat; where it beats all, beside the foremost.

        Nothing where there is no test yet, or no floor.
        """
        if self.test is None or self.started is None:
            return []
        metric, reached = self.test.metric, as_error(self.test.metric, self.test.score.mean)
        floors = {name: (result_in_words(metric, floor), reached < as_error(metric, floor))
                  for name, floor in self.started.floors.items()}
        lost = [Verdict(f"no better than {name}, which learns nothing: {floor}; train longer, or look at the data "
                        "again", is_better=False) for name, (floor, is_better) in floors.items() if not is_better]
        return lost or [Verdict(f"the floor is {floor}: {name}, which learns nothing", is_better=True)
                        for name, (floor, _) in list(floors.items())[:1]]

    def tasks_per_second(self, window: float = 10.0) -> float:
        """Training tasks a second over the last `window` seconds; 0 where there is too little to say."""
        seconds, steps = self.times.values, self.times_steps.values
        if self.started is None or len(seconds) < 2:
            return 0.0
        begin = min(int(np.searchsorted(seconds, seconds[-1] - window)), len(seconds) - 2)
        span = seconds[-1] - seconds[begin]
        return float((steps[-1] - steps[begin]) * self.started.meta_batch / span) if span > 0 else 0.0

    def remaining_seconds(self) -> float | None:
        """Seconds that the remaining steps will take at the present rate; None where there is too little to say."""
        rate = self.tasks_per_second(30.0)
        if self.started is None or not rate:
            return None
        return (self.started.iterations - self.step) * self.started.meta_batch / rate
