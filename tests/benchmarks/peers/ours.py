"""Ours, through the engine: the session, the executor's gradient and the outer optimizer, as training runs them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

from torch import Tensor

from tests.benchmarks.peers.candidate import Candidate
from tests.benchmarks.peers.problem import Problem, experiment_of
from workbench.algorithms.base import Meta
from workbench.backbones.base import Params
from workbench.engine.acceleration.base import AccelerationError
from workbench.engine.acceleration.outer import kind_of_optimizer
from workbench.engine.acceleration.prepared import AT_ONCE, Prepared
from workbench.engine.acceleration.switches import accelerated
from workbench.engine.executors import EXECUTORS
from workbench.engine.executors.base import on_threads
from workbench.engine.executors.gradients import MetaGradient, finished
from workbench.engine.session import Session
from workbench.engine.ways.weight_gradients import faster_by_columns, may_have_columns
from workbench.engine.ways.work import Way
from workbench.tasks.base import Examples, TaskBatch

_COMPILED = "vectorized, compiled"
_CAPTURED = "vectorized, CUDA graphs"
_REPLAYED = "{}, replayed"
_ACCELERATIONS = {"compiled": "compile", "CUDA graphs": "graphs", "replayed": "replay"}


def ways(device: str = "cpu", *, compiles: bool = False) -> tuple[str, ...]:
    """Every executor that the engine has; compiling takes a while, and is left out where nobody asks for it.

    Columns are for GPUs: on a CPU they take several times as long.
    """
    is_gpu = device.startswith("cuda")
    executors = (name for name in EXECUTORS if name != "columns" or is_gpu)
    replayed = [] if is_gpu else [_REPLAYED.format(name) for name in ("vectorized", "portions")]
    return (*executors, *replayed, *([_COMPILED] if compiles else []), *([_CAPTURED] if is_gpu else []))


def is_compiled(way: str) -> bool:
    """Whether an executor compiles or captures the meta-step, rather than running it operation by operation."""
    return way in (_COMPILED, _CAPTURED)


def chosen(settings: tuple[str, ...], device: str) -> str:
    """The executor that the rules say for an experiment, and how a run is run by it."""
    session = Session(experiment_of((*settings, f"device={device}")))
    session.close()
    name = session.executor.name
    return _REPLAYED.format(name) if session.usual_acceleration(name) == "replay" else name


class Ours(Candidate):
    """One executor of the engine."""

    def __init__(self, problem: Problem, way: str) -> None:
        device = problem.keys.device
        executor, _, acceleration = way.partition(", ")
        said = ("training.acceleration=compile",) if way == _COMPILED else ()
        self.session = Session(experiment_of((*problem.about.settings, *said, f"device={device}")), Way(executor))
        self._choose_columns()
        self.session.executor = accelerated(_ACCELERATIONS.get(acceleration, "none"), self.session.executor,
                                            self.session.device)
        meta = self.session.init()
        self.meta = Meta({name: value.clone() for name, value in problem.params.items()}, meta.buffers)
        config = self.session.experiment.training
        kind = kind_of_optimizer(self.session.executor, self.session.device)
        self.outer = kind(self.meta.params, self.session.algorithm.outer_rate, config.optimizer)
        self.batch = TaskBatch(Examples(*problem.support), Examples(*problem.query))
        self.keys, self.rate, self.clip = problem.keys, config.outer_lr, config.clip
        self.setting = replace(self.session.setting(training=True), progress=0.0)
        self.total: Params = {}
        with on_threads(self.session.executor.threads_of_caller):
            self._make_ready()

    def _choose_columns(self) -> None:
        """As a run does at its start."""
        session = self.session
        if may_have_columns(session.algorithm, session.way.executor, session.device):
            names = faster_by_columns(session.algorithm, session.spec, session.experiment.training_task(), session.way)
            session.use(replace(session.way, weights_by_columns=names))

    def _make_ready(self) -> None:
        """Wait for what is prepared; raises AccelerationError where it cannot be."""
        if not isinstance(self.session.executor, Prepared):
            return
        self.session.executor.patience = AT_ONCE
        self._gradient()
        self.session.executor.finish()
        if self.session.executor.problem:
            raise AccelerationError(self.session.executor.problem)

    def step(self) -> None:
        """What the trainer does between two looks at the clock."""
        found = self._gradient()
        self.total = found.total
        self.outer.update(found, len(self.batch), self.rate, self.clip)

    def _gradient(self) -> MetaGradient:
        """Of all tasks, as a step of the training runs them."""
        arguments = self.meta, self.batch, self.keys, self.setting
        return finished(self.session.executor.in_chunks(self.session.chunk, *arguments))

    def gradient(self) -> list[Tensor]:
        """What the outer optimizer was given."""
        return [value / len(self.batch) for value in self.total.values()]

    def running(self) -> AbstractContextManager[None]:
        """With the threads that a run would have."""
        return self.session.running()


def make(problem: Problem, way: str) -> Candidate:
    """One executor on a problem."""
    return Ours(problem, way)
