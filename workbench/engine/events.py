"""What the trainer says as it goes: frozen, picklable, plain numbers and small arrays of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.algorithms.base import Drawing, Stage
from workbench.engine.state import TrainState
from workbench.experiment.metrics import Metric
from workbench.tasks.base import Spec

Curve = NDArray[np.float64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ShownTask:
    """A probe task to look at.

    Attributes:
        title: The task in words.
        class_names: For classification, the name of each target number.
        support_inputs: Pictures [n, channels, height, width] as uint8, or vectors [n, features].
        support_targets: Class numbers [n], or values [n, outputs].
        query_inputs: As the support's; for a function of one variable a grid over its range.
        query_targets: As the support's; on a grid the true function, or None where nobody knows it.
    """

    title: str
    class_names: tuple[str, ...]
    support_inputs: Curve | Pixels
    support_targets: Curve
    query_inputs: Curve | Pixels
    query_targets: Curve | None


@dataclass(frozen=True)
class Shown:
    """What is predicted for the query inputs of the shown tasks.

    Attributes:
        inner_steps: Inner steps behind each prediction, from 0 to the last.
        outputs: [tasks, len(inner_steps), queries, outputs] class probabilities or values.
        drawn: What the algorithm declares as drawings, by name: [tasks, len(inner_steps), rows, columns].
    """

    inner_steps: tuple[int, ...]
    outputs: Curve
    drawn: dict[str, Curve] = field(default_factory=dict)


@dataclass(frozen=True)
class Started:
    """Training is about to take its first step, or its first since it was resumed.

    Attributes:
        step: Steps already behind it.
        iterations: Steps in all.
        meta_batch: Tasks a step.
        device: Name of the device, such as "cuda:0".
        device_title: What it is called on the box.
        executor: Name of the executor.
        chunk: Tasks run at once.
        threads: Compute threads.
        parameters: Numbers that are meta-learned.
        metric: What the tasks are judged by: mse, or a fraction such as accuracy.
        spec: Kind and shape of the tasks, with which a learner can be used without opening the dataset.
        floors: Named results that a learner must beat.
        notices: What the person should know, such as a class left out.
        versions: Of the program, torch and Python.
        shown: Probe tasks to look at.
        drawings: What is special to the algorithm and drawn, by name.
        why: Why it is run by that executor, chunk and threads, as a part of a sentence.
    """

    step: int
    iterations: int
    meta_batch: int
    device: str
    device_title: str
    executor: str
    chunk: int
    threads: int
    parameters: int
    metric: Metric
    spec: Spec
    floors: dict[str, float]
    notices: tuple[str, ...]
    versions: dict[str, str]
    shown: tuple[ShownTask, ...] = ()
    drawings: dict[str, Drawing] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class Adaptation:
    """Query loss and metric [tasks, inner steps + 1] of some tasks, before the first inner step and after each."""

    loss: Curve
    metric: Curve


@dataclass(frozen=True)
class Steps:
    """A block of outer steps, covering at most a tenth of a second or one step.

    Attributes:
        first: Number of the first step in the block, from 1.
        loss: [steps] meta-loss: mean query loss after adaptation.
        metric: [steps] mean query metric after adaptation.
        outer_lr: [steps].
        gradient_norm: [steps] norm of the meta-gradient before clipping.
        seconds: Training time behind the last step, pauses left out, over all sessions of the run.
        adaptation: Curves of the tasks of the last meta-batch, about once a second.
        stage: What these steps were shown: tasks, or examples of all training classes.
    """

    first: int
    loss: Curve
    metric: Curve
    outer_lr: Curve
    gradient_norm: Curve
    seconds: float
    adaptation: Adaptation | None = None
    stage: Stage = "tasks"

    @property
    def last(self) -> int:
        """Number of the last step in the block."""
        return self.first + len(self.loss) - 1


@dataclass(frozen=True)
class Probe:
    """Adaptation of the fixed probe tasks after `step` outer steps, and predictions for those that are shown."""

    step: int
    adaptation: Adaptation
    shown: Shown | None = None


@dataclass(frozen=True)
class Score:
    """Mean of per-task means and the half width of its 95 % interval, 1.96 s / √tasks."""

    mean: float
    ci95: float


@dataclass(frozen=True)
class Evaluation:
    """A result over fixed seeded tasks.

    Attributes:
        step: Outer steps behind the meta-parameters that were judged.
        split: validation or test.
        tasks: How many.
        metric: What the tasks are judged by: mse, or a fraction such as accuracy.
        score: The result, normalized as the experiment says.
        modes: Scores by normalization (transductive, inductive) where they differ; else empty.
        by_step: Score before the first inner step and after each.
    """

    step: int
    split: Literal["validation", "test"]
    tasks: int
    metric: Metric
    score: Score
    modes: dict[str, Score]
    by_step: tuple[Score, ...]


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a run needs to go on, to be kept on disk.

    Attributes:
        state: Tensors on the CPU that nothing else will write to.
        is_best: Whether its parameters are the best on validation so far.
    """

    state: TrainState = field(repr=False)
    is_best: bool

    @property
    def step(self) -> int:
        """Outer steps behind it."""
        return self.state.step


@dataclass(frozen=True)
class Paused:
    """Training waits (`is_paused`) or goes on again."""

    step: int
    is_paused: bool


@dataclass(frozen=True)
class Noticed:
    """Something that the person should know happened after `step` outer steps, and training goes on."""

    step: int
    message: str
    is_warning: bool = True
    """Whether something is not as it was asked for; otherwise it goes well."""


@dataclass(frozen=True)
class Finished:
    """The end: every step is done and the test tasks were run, or the person stopped it and kept it."""

    step: int
    status: Literal["finished", "stopped"]
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The end: what went wrong, in a sentence, and where in the code."""

    step: int
    message: str
    traceback: str


Event = Started | Steps | Probe | Evaluation | Checkpoint | Paused | Noticed | Finished | Failed
