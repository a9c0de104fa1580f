"""What the run table shows of a run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Literal

from workbench.engine.events import Evaluation, Event, Failed, Finished, Paused, Started, Steps
from workbench.experiment.metrics import as_error
from workbench.runs.record import Recorded

Status = Literal["running", "paused", "finished", "stopped", "interrupted", "failed"]


@dataclass
class Summary:
    """What the run table shows, kept beside the record so that a hundred runs open at once.

    Attributes:
        status: The state that it was left in.
        created: Seconds since 1970.
        steps, iterations: Outer steps done and planned.
        seconds: Training time.
        device: What it ran on.
        metric: What the tasks are judged by, such as accuracy or mse.
        mean, ci95, tasks: The test result; None before it is known.
        validation: Best validation result so far; None before it is known.
        message: Why it failed.
    """

    status: Status = "running"
    created: float = field(default_factory=time.time)
    steps: int = 0
    iterations: int = 0
    seconds: float = 0.0
    device: str = ""
    metric: str = ""
    mean: float | None = None
    ci95: float | None = None
    tasks: int | None = None
    validation: float | None = None
    meta_loss: float | None = None
    message: str = ""

    def add(self, event: Event | Recorded) -> None:
        """Take in one event."""
        match event:
            case Started():
                self.status, self.message = "running", ""
                self.iterations, self.device, self.metric = event.iterations, event.device_title, event.metric
            case Steps():
                self.steps, self.seconds, self.meta_loss = event.last, event.seconds, float(event.loss[-1])
            case Evaluation(split="test"):
                self.mean, self.ci95, self.tasks = event.score.mean, event.score.ci95, event.tasks
            case Evaluation():
                means = [event.score.mean, *([] if self.validation is None else [self.validation])]
                if math.isfinite(event.score.mean):
                    self.validation = min(means, key=lambda mean: as_error(event.metric, mean))
            case Paused():
                self.status = "paused" if event.is_paused else "running"
            case Finished():
                self.status, self.seconds = event.status, event.seconds
            case Failed():
                self.status, self.message = "failed", event.message
