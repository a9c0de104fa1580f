"""Compiled meta-gradients: another process compiles while training already runs, and is then taken over from."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm, Aux
from workbench.backbones.base import Params
from workbench.engine.acceleration import MOST_SHAPES, Accelerated, Step
from workbench.engine.compiling import FAILURE, ORDER, SHAPE, Order, loaded
from workbench.engine.executors import Executor, Gradient

Run = Callable[[list[Tensor]], list[Tensor]]


@dataclass(frozen=True)
class _Ready:
    """What was compiled for one kind of arguments, and a gradient that holds the place of each of its results."""

    run: Run
    places: Gradient

    def gradient(self, tensors: list[Tensor]) -> Gradient:
        with torch.no_grad():
            found = self.run(tensors)

        def named(places: dict[str, Any]) -> Params:
            return {name: found[place] for name, place in places.items()}

        # Written out: for a small network the walk through a tree is a part of the time that counts.
        total, aux = self.places
        loss, metric = (found[cast("int", place)] for place in (aux.loss, aux.metric))
        return Gradient(named(total), Aux(loss, metric, named(aux.buffers), named(aux.extra)))


class _Process:
    """Compiles one kind of meta-gradient in a process of its own, which neither holds up Python nor outlives this one.

    What it is told goes by way of a folder that nobody else may write to.
    """

    def __init__(self, algorithm: Algorithm[Any], step: Step, threads: int) -> None:
        self.begun = time.perf_counter()
        self._folder = tempfile.TemporaryDirectory(prefix="workbench-compile-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        meta, batch, keys = pytree.tree_unflatten([one.detach().cpu() for one in step.tensors], step.tree)
        order = Order(algorithm, meta, batch, keys, step.setting, threads, str(step.tensors[0].device))
        (self.folder / ORDER).write_bytes(pickle.dumps(order))
        self._process = subprocess.Popen(  # noqa: S603 - Python itself, with a module of ours
            [sys.executable, "-m", "workbench.engine.compiling", str(self.folder)], stdin=subprocess.DEVNULL,
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
        return "" if code == 0 else f"the compiling process ended with {code}"

    def close(self) -> None:
        """End it, and remove its folder."""
        if not self.is_done:
            self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def _path() -> str:
    """Where the other process finds the same modules."""
    return os.pathsep.join(one or str(Path.cwd()) for one in sys.path)


class Compiled(Accelerated):
    """Compiles the meta-gradient of every kind of arguments that it meets."""

    def __init__(self, inner: Executor) -> None:
        super().__init__(inner)
        self._ready: dict[tuple[Any, ...], _Ready] = {}
        self._waiting: deque[tuple[tuple[Any, ...], Step]] = deque()
        self._asked: set[tuple[Any, ...]] = set()
        self._process: tuple[tuple[Any, ...], _Process] | None = None
        self._is_refused = False

    def faster(self, step: Step) -> Gradient | None:
        """See Accelerated."""
        key = step.key()
        if self._process or self._waiting:
            self._look()
        if ready := self._ready.get(key):
            return ready.gradient(step.tensors)
        if key not in self._asked and len(self._asked) < MOST_SHAPES and not self._is_refused:
            self._asked.add(key)
            self._waiting.append((key, step._replace(tensors=[one.detach().clone() for one in step.tensors])))
        return None

    def finish(self) -> None:
        """Wait until everything that was asked for is compiled, or refused."""
        while self._process or self._waiting:
            if self._process:
                self._process[1].wait()
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
        if self._waiting and self._process is None and not self._is_refused:
            key, step = self._waiting.popleft()
            try:
                self._process = key, _Process(copy.deepcopy(self.algorithm), step, self.threads)
            except (OSError, pickle.PicklingError, AttributeError, TypeError) as error:
                self._refuse(str(error))

    def _take(self, key: tuple[Any, ...], process: _Process) -> None:
        if failure := process.failure():
            self._refuse(failure)
            return
        try:
            ready = _loaded(process.folder)
        except (RuntimeError, OSError) as error:
            self._refuse(f"what was compiled cannot be loaded: {str(error).strip().splitlines()[0]}")
            return
        if not self._ready:
            seconds = time.perf_counter() - process.begun
            self.say(f"the compiled meta-step takes over, after {seconds:.0f} s of compiling; going on from a "
                     "checkpoint now equals a run that was never stopped to rounding")
        self._ready[key] = ready

    def _refuse(self, why: str) -> None:
        self._is_refused = True
        self._waiting.clear()
        self.say(f"the meta-step is not compiled, and training goes on without: {why}")

    def close(self) -> None:
        """See Executor; what is still being compiled is given up."""
        if self._process:
            self._process[1].close()
        self._process = None
        self._ready.clear()
        super().close()


def _loaded(folder: Path) -> _Ready:
    """What another process compiled."""
    # Written by a process of ours, into a folder that is ours alone.
    return _Ready(loaded(folder), pickle.loads((folder / SHAPE).read_bytes()))  # noqa: S301
