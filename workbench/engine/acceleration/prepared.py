"""Prepared meta-gradients: another process writes down or compiles them while training already runs, and is then taken
over from."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from abc import abstractmethod
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import psutil
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm, Aux, Meta
from workbench.backbones.base import Params
from workbench.engine.acceleration.base import MOST_SHAPES, Accelerated, Key, Step
from workbench.engine.acceleration.order import FAILURE, ORDER, SHAPE, Order, compiled, script_in
from workbench.engine.acceleration.replay import Run, Script
from workbench.engine.executors.base import Executor, Setting, on_threads
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.executors.portions import Halves, Portions
from workbench.engine.precision import float32_products
from workbench.engine.words import in_words, is_out_of_memory
from workbench.tasks.base import TaskBatch

AT_ONCE = 0.0, 0, 0.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ready:
    """What was prepared for one kind of arguments, and a gradient that holds the place of each of its results."""

    run: Run
    places: MetaGradient
    script: Script | None = None
    """What is run, where that is a list of operations."""

    def gradient(self, tensors: list[Tensor]) -> MetaGradient:
        with torch.no_grad():
            return self._placed(self.run(tensors))

    def halves(self, tensors: list[Tensor]) -> Halves | None:
        if self._halves is None:
            return None
        first, second = self._halves
        return Halves(torch.no_grad()(partial(first, tensors)),
                      torch.no_grad()(lambda handed: self._placed(second(handed))))

    @cached_property
    def _halves(self) -> tuple[Run, Run] | None:
        if self.script is None:
            return None
        first, second = self.script.halves()
        return first.run(), second.run()

    def _placed(self, found: list[Tensor]) -> MetaGradient:
        def named(places: dict[str, Any]) -> Params:
            return {name: found[place] for name, place in places.items()}

        # Written out: for a small network the walk through a tree is a part of the time that counts.
        total, aux = self.places
        loss, metric = (found[cast("int", place)] for place in (aux.loss, aux.metric))
        return MetaGradient(named(total), Aux(loss, metric, named(aux.buffers), named(aux.extra)))


@dataclass
class _Met:
    """Since when and how often a kind of arguments was met."""

    since: float = field(default_factory=time.perf_counter)
    times: int = 0


class _Process:
    """Prepares one kind of meta-gradient in a process of its own, which neither holds up Python nor outlives this one.

    What it is told goes by way of a folder that nobody else may write to.
    """

    def __init__(self, kind: Literal["replay", "compile"], algorithm: Algorithm[Any], step: Step, threads: int) -> None:
        self.begun = time.perf_counter()
        self._folder = tempfile.TemporaryDirectory(prefix=f"workbench-{kind}-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        meta, batch, keys = pytree.tree_unflatten([one.detach().cpu() for one in step.tensors], step.tree)
        order = Order(kind, algorithm, meta, batch, keys, step.setting, threads, str(step.tensors[0].device),
                      float32_products())
        (self.folder / ORDER).write_bytes(pickle.dumps(order))
        self._process = subprocess.Popen(  # noqa: S603 - Python itself, with a module of ours
            [sys.executable, "-m", f"{__package__}.preparing", str(self.folder)], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": _path()},
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0))

    @property
    def is_done(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait()

    def failure(self) -> str:
        """Why it gave up; empty where it did not."""
        if (self.folder / FAILURE).exists():
            return (self.folder / FAILURE).read_text(encoding="utf8")
        code = self._process.returncode
        return "" if code == 0 else f"the process for it ended with {code}"

    def close(self) -> None:
        """End it, and remove its folder."""
        if not self.is_done:
            self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


def _path() -> str:
    """Where the other process finds the same modules."""
    return os.pathsep.join(one or str(Path.cwd()) for one in sys.path)


class Prepared(Accelerated):
    """Has the meta-gradient of every kind of arguments that it meets prepared; several threads may meet them at once.

    Attributes:
        problem: Why nothing more is; empty while something may be.
    """

    kind: ClassVar[Literal["replay", "compile"]]
    patience: tuple[float, int, float] = AT_ONCE
    """A kind of arguments is worth being prepared after so many seconds and times that it was met, or after so many
    seconds however seldom."""

    def __init__(self, inner: Executor) -> None:
        super().__init__(inner)
        self._ready: dict[Key, _Ready] = {}
        self._waiting: deque[tuple[Key, Step]] = deque()
        self._met: dict[Key, _Met] = {}
        self._asked: set[Key] = set()
        self._process: tuple[Key, _Process] | None = None
        self.problem = ""
        self._lock = threading.Lock()
        # While it computes an algorithm can be neither copied nor sent.
        self._copy = copy.deepcopy(inner.algorithm)
        if isinstance(inner, Portions):
            inner.sooner, inner.halves, inner.goes_in_halves = self.graph_gradient, self.halves, True

    def graph_gradient(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> MetaGradient | None:
        """See Accelerated."""
        return None if self.problem and not self._ready else super().graph_gradient(meta, batch, keys, setting)

    def halves(self, meta: Meta, batch: TaskBatch, keys: Tensor, setting: Setting) -> Halves | None:
        """The meta-gradient in two halves; None where there are none, or not yet."""
        if self.problem and not self._ready:
            return None
        step = Step.of(meta, batch, keys, setting)
        ready = self._found(step)
        return ready.halves(step.tensors) if ready else None

    @abstractmethod
    def load(self, folder: Path, places: MetaGradient) -> _Ready:
        """What another process left in a folder, and the places of its results."""

    def from_graph(self, step: Step) -> MetaGradient | None:
        """See Accelerated."""
        ready = self._found(step)
        return ready.gradient(step.tensors) if ready else None

    def _found(self, step: Step) -> _Ready | None:
        """What is ready for such arguments; where nothing is, it is asked for."""
        key = step.key()
        if self._process or self._waiting or key not in self._ready:
            with self._lock:
                self._look()
                self._ask(key, step)
        return self._ready.get(key)

    def _ask(self, key: Key, step: Step) -> None:
        """Have one more kind of arguments prepared, if that is worth it by now."""
        met = self._met.setdefault(key, _Met())
        met.times += 1
        seconds, (early, often, late) = time.perf_counter() - met.since, self.patience
        is_worth = seconds >= late or (seconds >= early and met.times >= often)
        is_open = len(self._asked) < MOST_SHAPES and not self.problem
        if is_open and is_worth and key not in self._asked:
            self._asked.add(key)
            self._waiting.append((key, step._replace(tensors=[one.detach().clone() for one in step.tensors])))

    def finish(self) -> None:
        """Wait until everything that was asked for is there, or refused."""
        while self._process or self._waiting:
            if self._process:
                self._process[1].wait()
            with self._lock:
                self._look()

    def _look(self) -> None:
        """Take what is done, and begin with what waits."""
        if self._process and self._process[1].is_done:
            key, process = self._process
            self._process = None
            try:
                self._take(key, process)
            finally:
                process.close()
        if self._waiting and self._process is None and not self.problem:
            key, step = self._waiting.popleft()
            if psutil.virtual_memory().available < psutil.Process().memory_info().rss:
                self._refuse("another process would take as much memory as this one, and less is free")
                return
            try:
                self._process = key, _Process(self.kind, self._copy, step, key.threads)
                if len(self._asked) == 1:
                    self.begun()
            except Exception as error:  # noqa: BLE001 - whatever it was, training goes on without
                self._refuse(in_words(error))

    def _take(self, key: Key, process: _Process) -> None:
        if failure := process.failure():
            self._refuse(failure)
            return
        try:
            # Written by a process of ours, into a folder that is ours alone.
            places = pickle.loads((process.folder / SHAPE).read_bytes())  # noqa: S301
            ready = self.load(process.folder, places)
        except Exception as error:  # noqa: BLE001 - as above
            self._refuse(f"what was prepared cannot be loaded: {in_words(error)}")
            return
        if not self._ready:
            self.taken_over(time.perf_counter() - process.begun)
        self._ready[key] = ready

    def begun(self) -> None:
        """Say that something is being prepared."""

    def taken_over(self, seconds: float) -> None:
        """Say that what was prepared for so long is used from now on."""

    def refused(self, why: str) -> None:
        """Say that nothing will be prepared, and why."""

    def _refuse(self, why: str) -> None:
        self.problem = why
        self._give_up()
        self.refused(why)

    def _give_up(self) -> None:
        """Prepare nothing of what is under way or waits."""
        if self._process:
            self._process[1].close()
        self._process = None
        self._waiting.clear()

    def close(self) -> None:
        """See Executor; what is still being prepared is given up."""
        super().close()
        self._give_up()
        self._ready.clear()


class Compiled(Prepared):
    """Turns the meta-gradient into machine code of its own.

    Args:
        inner: What runs it until then, and what is not compiled.
        plain_threads: The compute threads of that and of whoever calls it. What is compiled may gain by more.
    """

    kind = "compile"

    def __init__(self, inner: Executor, plain_threads: int) -> None:
        super().__init__(inner)
        self._plain_threads = plain_threads

    @property
    def threads_of_caller(self) -> int:
        """See Executor; so many for all that is not compiled, the outer step and tests of the learner too.

        Beside other programs a second thread that has hardly anything to do is waited for a hundred times as long.
        """
        return self._plain_threads

    def from_graph(self, step: Step) -> MetaGradient | None:
        """See Accelerated; what fails is run plainly from then on.

        Whatever happens in compiled code, memory that runs out as well, is only told as a call that failed.
        """
        with on_threads(self.threads):
            try:
                return super().from_graph(step)
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise
                self._ready.pop(step.key(), None)
                self._refuse(f"what was compiled fails, perhaps for want of memory ({in_words(error)})")
                return None

    def load(self, folder: Path, places: MetaGradient) -> _Ready:
        """See Prepared."""
        return _Ready(compiled(folder), places)

    def begun(self) -> None:
        """See Prepared."""
        self.say("the meta-step is being compiled, for half a minute to some minutes; training goes on meanwhile",
                 is_warning=False)

    def taken_over(self, seconds: float) -> None:
        """See Prepared."""
        self.say(f"the compiled meta-step takes over, after {seconds:.0f} s of compiling; going on from a "
                 "checkpoint now equals a run that was never stopped to rounding", is_warning=False)

    def refused(self, why: str) -> None:
        """See Prepared."""
        some = "some meta-steps are" if self._ready else "the meta-step is"
        self.say(f"{some} not compiled, and training goes on without: {why}")


class Replayed(Prepared):
    """Replays the operations of the meta-gradient, which changes no number."""

    kind = "replay"
    # What takes long gains a tenth rather than half, and lends a core to the other process for some seconds.
    patience = 4.0, 100, 30.0

    def load(self, folder: Path, places: MetaGradient) -> _Ready:
        """See Prepared."""
        script = script_in(folder)
        return _Ready(script.run(), places, script)

    def script(self, step: Step) -> tuple[Script, MetaGradient] | None:
        """What is replayed for such arguments, and the places of its results; None where nothing is, or not yet."""
        ready = self._ready.get(step.key())
        return (ready.script, ready.places) if ready and ready.script else None

    def taken_over(self, seconds: float) -> None:
        """See Prepared."""
        self.say(f"the operations of the meta-step, written down within {seconds:.0f} s, are replayed from now on: "
                 "faster, with the same numbers", is_warning=False)

    def refused(self, why: str) -> None:
        """See Prepared."""
        _log.info("no further meta-step is replayed: %s", why)
