"""Everything that an experiment needs in memory: tasks, network, algorithm and the way they are run."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import workbench
from workbench.algorithms.base import Algorithm, Meta, Stage
from workbench.backbones.base import Backbone, Network
from workbench.engine import devices, precision
from workbench.engine.acceleration.switches import accelerated, fitting
from workbench.engine.distribution.world import ALONE, World
from workbench.engine.executors import EXECUTORS
from workbench.engine.executors.base import Executor, Setting, on_threads
from workbench.engine.executors.portions import Portions
from workbench.engine.executors.vectorized import Vectorized
from workbench.engine.inner_loop import Trace, trace_task
from workbench.engine.memory import allocator
from workbench.engine.memory.chunks import Chunks
from workbench.engine.ways.weight_gradients import set_weights_by_columns
from workbench.engine.ways.work import Way, Work, work_of
from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.idle import idle
from workbench.experiment.metrics import Metric
from workbench.experiment.registry import find
from workbench.tasks.base import Spec, Stream, TaskBatch, TaskSource
from workbench.tasks.sampling.ahead import Ahead, placed
from workbench.tasks.sampling.draws import Draws

# Modules draw from the one global generator, which a window that forecasts and trains needs in two threads.
_drawing = threading.Lock()
# Of each stream, processes that are to have the same data compare so many: a few labels that differ move examples from
# one class to another, and so into other tasks.
_COMPARED_TASKS = 32


class Session:
    """An experiment opened: its tasks on its device, its network and its algorithm.

    Attributes:
        experiment: What was opened.
        device: Where tensors live.
        source: Where tasks come from.
        algorithm: What learns.
        executor: What runs it.
        metric: What the tasks are judged by.
        training_work, testing_work: What a task costs in training and in testing.
        chunk, test_chunk: Tasks run at once in training and in testing; fewer after memory ran out. Of several
            processes each has a `chunk` of its own, and all have the same `test_chunk` while they test.
        weights_by_columns: Convolutions that have the gradient of their weights as a matrix product.
        notices: What happened since somebody looked that the person should know.
        world: The processes that it is run by.
    """

    def __init__(self, experiment: Experiment, way: Way | None = None, *, test_chunk: int = 0,
                 classes: int | None = None, world: World = ALONE, source: TaskSource | None = None) -> None:
        self.experiment = experiment
        self.world = world
        self.device = devices.choose(world.device(experiment.device))
        precision.check(experiment.training.precision, self.device)
        self.source = source or open_source(experiment, self.device)
        self.spec = self.source.spec if classes is None else replace(self.source.spec, classes=classes)
        self.metric: Metric = self.spec.metric
        self.backbone, self.algorithm = build(experiment, self.spec)
        self._check_examples()
        self.training_work, self.testing_work = self._work(training=True), self._work(training=False)
        chosen = experiment.training.executor
        self.notices: list[str] = []
        self._settings: dict[tuple[bool, Stage], Setting] = {}
        self._keys: Ahead[tuple[NDArray[np.int64]]] = Ahead()
        self.executor: Executor = Vectorized(self.algorithm, 1)
        way = way or Way(world.broadcast(self._usual() if chosen == "auto" else chosen))
        self.use(way, test_chunk)

    def use(self, way: Way, test_chunk: int = 0) -> None:
        """Run tasks in another way, of which chunks or threads of 0 are as the rules say.

        Args:
            way: For training.
            test_chunk: Tasks at once in testing.
        """
        set_weights_by_columns(self.algorithm, way.weights_by_columns)
        self.weights_by_columns = way.weights_by_columns
        executor, threads = way.executor, way.threads or self.usual_threads(way.executor)
        chunk = way.chunk or self.training_work.chunk(executor, threads, self.tasks_at_most)
        test_chunk = test_chunk or self.testing_work.chunk(executor, threads)
        self.chunk, self.test_chunk = self.world.broadcast((chunk, test_chunk))
        self.executor.close()
        self.executor = self.executor_of(Way(executor, threads, self.chunk), self.algorithm)

    def executor_of(self, way: Way, algorithm: Algorithm[Any]) -> Executor:
        """What runs tasks in a way, of which nothing is 0."""
        found = EXECUTORS[way.executor](algorithm, way.threads)
        found.has_large_tensors = found.is_pooled and self.training_work.has_large_tensors(way)
        if isinstance(found, Portions):
            found.goes_in_halves = self.usual_acceleration(way.executor) == "replay"
        return found

    @property
    def way(self) -> Way:
        """How tasks are run in training."""
        return Way(self.executor.name, self.executor.threads, self.chunk, self.weights_by_columns)

    def usual_threads(self, executor: str) -> int:
        """Compute threads that the rules say for an executor."""
        compiles = self.acceleration(executor) == "compile"
        return self.training_work.threads(executor, self.experiment.training.meta_batch, compiles=compiles)

    def _usual(self) -> str:
        """The executor that the rules say."""
        return self.training_work.executor(self.tasks_at_most)

    @property
    def tasks_at_most(self) -> int:
        """Tasks of a meta-batch that one process runs: the first's, which has the most."""
        return len(self.world.share(range(self.experiment.training.meta_batch)).run)

    def accelerate(self) -> None:
        """Put the switch of the experiment on the executor; raises AccelerationError where that is not possible."""
        training = self.experiment.training
        kind = self.acceleration(self.executor.name)
        # Where what was said leaves it without effect, that is said before the run.
        if training.acceleration not in ("auto", kind) and "training.acceleration" not in idle(self.experiment):
            why = (f"the meta-step of {self.algorithm.title} changes as the training goes on, and no one graph holds it"
                   if self.algorithm.changes else
                   f"it is for all tasks at once, and training.executor is {self.executor.name}")
            self.notices.append(f"training.acceleration {training.acceleration} has no effect: {why}")
        # What is compiled may have more threads than the plain operations of a small network gain by.
        plain = min(self.executor.threads, self.training_work.threads(self.executor.name, training.meta_batch))
        if kind == "compile":  # until it is, training goes on as it does without
            self.executor = accelerated(self.usual_acceleration(self.executor.name), self.executor, self.device)
        self.executor = accelerated(kind, self.executor, self.device, plain)

    def acceleration(self, executor: str) -> str:
        """The switch that the experiment puts on an executor."""
        said = self.experiment.training.acceleration
        if said == "auto":
            return self.usual_acceleration(executor)
        return "none" if self.algorithm.changes else fitting(said, EXECUTORS[executor])

    def usual_acceleration(self, executor: str) -> str:
        """The switch on an executor where nobody says one.

        The process that writes the meta-step down would need as much of a GPU's memory again, and what is computed
        twice on purpose, or changes as the training goes on, is not written down.
        """
        is_possible = (self.device.type == "cpu" and not self.experiment.training.recompute
                       and not self.algorithm.changes)
        return fitting("replay", EXECUTORS[executor]) if is_possible else "none"

    @property
    def is_replayed(self) -> bool:
        """Whether training is replayed after some seconds."""
        return self.acceleration(self.executor.name) == "replay"

    def expected_seconds(self) -> float:
        """How long the training will roughly take, as the rules have it."""
        training = self.experiment.training
        return training.iterations * self.training_work.seconds(training.meta_batch)

    def _check_examples(self) -> None:
        """Raise DataError where the algorithm wants examples of a stream that has none, rather than hours later."""
        wanted: dict[Stream, Stage] = {"train": self.algorithm.stage(0.0), "validation": self.algorithm.tested_on}
        for stream, stage in wanted.items():
            if stage == "examples":
                self.source.examples(stream, [0], 1)

    def _work(self, training: bool) -> Work:
        shape = self.experiment.training_task() if training else self.experiment.task
        return work_of(self.algorithm, self.spec, shape, self.inner_steps(training=training), self.device,
                       convolves=self.backbone.convolves, training=training)

    def inner_steps(self, *, training: bool, shape: TaskConfig | None = None) -> int:
        """Inner steps in training and in testing, on tasks of that kind or of another shape."""
        shape = shape or (self.experiment.training_task() if training else self.experiment.task)
        ways = shape.ways if self.spec.kind == "classification" else 1
        return self.algorithm.inner_steps(training=training, examples=ways * shape.shots)

    def floors(self) -> dict[str, float]:
        """Named results that the learner must beat; nothing where it is not tested on tasks."""
        return {one.name: one.mean for one in self.source.floors()} if self.algorithm.tested_on == "tasks" else {}

    def init(self) -> Meta:
        """The first meta-parameters, on the device, the same in all processes."""
        return to_device(self.world.broadcast(self.drawn()), self.device)

    def drawn(self) -> Meta:
        """The first meta-parameters as this process draws them, without asking another."""
        return self.algorithm.init(torch.Generator().manual_seed(self.experiment.seed))

    def batch(self, stream: Stream, indices: range, stage: Stage = "tasks", include: Sequence[int] = ()
              ) -> tuple[TaskBatch, Tensor]:
        """Tasks and their random keys.

        Args:
            stream: Which tasks.
            indices: Of each task in the stream.
            stage: In the stage over examples every task is a portion of examples, all of them queries.
            include: For each task the number of a class that it must have; empty for any.
        """
        (numbers,) = self._keys.take((stream,), indices, partial(self._drawn_keys, stream))
        keys = placed(numbers, self.device)
        if stage == "examples":
            return self.source.examples(stream, indices, self.algorithm.example_batch), keys
        return self.source.sample(stream, indices, *([include] if include else [])), keys

    def draw_ahead(self, stream: Stream, indices: range, stage: Stage) -> None:
        """Draw what `batch` will be asked for next, without `include`, while the device is at work."""
        self._keys.draw((stream,), indices, 1, partial(self._drawn_keys, stream))
        self.source.draw_ahead(stream, indices, self.algorithm.example_batch if stage == "examples" else 0)

    def _drawn_keys(self, stream: Stream, indices: Sequence[int]) -> tuple[NDArray[np.int64]]:
        return (Draws(self.experiment.seed, f"keys/{stream}", indices).keys(),)

    def facts(self) -> dict[str, Any]:
        """What must be the same wherever this experiment is run by several processes, by name."""
        overview = self.source.overview()
        stages: dict[Stream, Stage] = {"train": self.algorithm.stage(0.0), "validation": self.algorithm.tested_on,
                                       "test": self.algorithm.tested_on}
        return {
            "version of the workbench": workbench.__version__, "version of torch": torch.__version__.split("+")[0],
            "kind of device": self.device.type,
            "data": (overview.form, overview.facts, overview.classes, overview.examples, overview.tasks),
            **{f"weighted mean square of the first {stream} {name}": value for stream, stage in stages.items()
               for name, value in self._mean_squares(stream, stage).items()},
        }

    def _mean_squares(self, stream: Stream, stage: Stage) -> dict[str, float]:
        """Of inputs and targets of the first tasks of a stream, weighted by their place in a task, so that their order
        counts. One task at a time is held.
        """
        sums, counts = {"inputs": 0.0, "targets": 0.0}, {"inputs": 0, "targets": 0}
        for index in range(_COMPARED_TASKS):
            batch, _ = self.batch(stream, range(index, index + 1), stage)
            for examples in (batch.support, batch.query):
                for name, values in examples._asdict().items():
                    weights = 1.5 + torch.arange(values.numel(), dtype=torch.float64).cos()
                    sums[name] += (weights * values.cpu().double().square().flatten()).sum().item()
                    counts[name] += values.numel()
        return {name: total / counts[name] for name, total in sums.items()}

    def setting(self, *, training: bool, progress: float = 1.0, stage: Stage = "tasks") -> Setting:
        """What is the same for every task."""
        if (training, stage) not in self._settings:
            self._settings[training, stage] = self._setting(training=training, stage=stage)
        return replace(self._settings[training, stage], progress=progress)

    def _setting(self, *, training: bool, stage: Stage) -> Setting:
        shape = self.experiment.training_task() if training else self.experiment.task
        return Setting(
            steps=self.inner_steps(training=training) if stage == "tasks" else 0,
            ways=shape.ways if self.spec.kind == "classification" else self.spec.outputs,
            training=training,
            inductive=stage == "tasks" and self.backbone.is_inductive,
            progress=1.0,
            stage=stage,
            recompute=training and self.experiment.training.recompute,
        )

    def chunks(self, tasks: int, *, training: bool) -> Chunks:
        """The parts that so many tasks are run in, which is all of them in training; what memory has no room for is
        remembered, and told.
        """
        name = "chunk" if training else "test_chunk"

        def told(size: int, tried: int) -> None:
            setattr(self, name, size)
            what = "training" if training else "testing"
            self.notices.append(f"memory ran out with {tried} tasks at once in {what}: from here on {size} "
                                f"{'is' if size == 1 else 'are'} run at once, with the same results to rounding")

        return Chunks(tasks, getattr(self, name), told, is_whole=training)

    def trace(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Trace:
        """Adapt to every task and judge it after every inner step; tensors are [tasks, steps + 1]."""
        return cast("Trace", self.executor.map(trace_task, meta, batch, keys, setting))

    def computing(self) -> AbstractContextManager[None]:
        """A block that computes on the session's device in its precision."""
        return precision.arithmetic(self.experiment.training.precision, self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Give this thread the compute threads of the executor and its precision, and everything back afterwards.

        What lies in memory at the start is not searched for garbage meanwhile: every step leaves objects behind, and
        searching hundreds of thousands of others after every few steps takes up to a tenth of the time.
        """
        with allocator.keeping(), on_threads(self.executor.threads_of_caller):
            gc.freeze()
            try:
                with self.computing():
                    yield
            finally:
                gc.unfreeze()
                self.close()
                devices.empty_cache()

    def close(self) -> None:
        """Give threads back."""
        self.executor.close()


def open_source(experiment: Experiment, device: torch.device) -> TaskSource:
    """Open the experiment's dataset; raises DataError where its files will not do."""
    return cast("type[TaskSource]", find("dataset", experiment.dataset.name))(experiment, device)


def settled(experiment: Experiment) -> Experiment:
    """The experiment with what its algorithm lets the shape of the tasks decide said in so many numbers."""
    kind = cast("type[Algorithm[Any]]", find("algorithm", experiment.algorithm.name))
    return experiment.model_copy(update={"algorithm": kind.settled(experiment.algorithm, experiment)})


def build(experiment: Experiment, spec: Spec) -> tuple[Backbone, Algorithm[Any]]:
    """Backbone and algorithm for tasks of this kind; their tensors are `Algorithm.init`'s to draw."""
    kind = cast("type[Algorithm[Any]]", find("algorithm", experiment.algorithm.name))
    config = settled(experiment).algorithm
    # Modules draw initial values that the algorithm may use: they follow the seed and leave the global state alone.
    with _drawing, torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.seed)
        backbone = cast("type[Backbone]", find("backbone", experiment.backbone.name))(experiment.backbone, spec)
        network = Network(kind.build(config, backbone, spec), precision.narrower(experiment.training.precision))
    return backbone, kind(config, network, spec)


def to_device(meta: Meta, device: torch.device) -> Meta:
    """A copy of the meta-parameters that shares no memory."""
    return Meta(*({name: value.detach().to(device, copy=True) for name, value in table.items()} for table in meta))
