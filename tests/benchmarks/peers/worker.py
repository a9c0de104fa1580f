"""One candidate in a process of its own, which does what it is told line by line: `python -m ....worker MODULE WAY`."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import traceback
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors.torch import save_file

from tests.benchmarks.peers.candidate import OURS, Candidate
from tests.benchmarks.peers.problem import Problem, load
from workbench.engine.memory import allocator
from workbench.engine.precision import arithmetic

BRIEF = 0.5
_WARM_UP = 5


class Worker:
    """Opens problems and runs them with one candidate.

    Args:
        module: The adapter's name.
        way: Which of its ways.
        device: cpu or cuda.
    """

    def __init__(self, module: str, way: str, device: str) -> None:
        self.adapter = importlib.import_module(f"{__package__}.{module}")
        self.way, self.device = way, device
        self.candidate: Candidate | None = None
        self.left = ExitStack()
        self.held = 0

    def open(self, path: str, dtype: str) -> dict[str, Any]:
        """Make the candidate for a problem."""
        self.left.close()
        self.candidate = None
        gc.collect()
        problem: Problem = load(Path(path)).to(self.device, getattr(torch, dtype))
        # Everybody's convolutions sum in one order and in float32, which cuDNN would not do by itself.
        self.left.enter_context(arithmetic("float32", torch.device(self.device)))
        self.candidate = self.adapter.make(problem, self.way)
        self.left.enter_context(self.candidate.running())
        self.held = self._reserved()
        return {"threads": torch.get_num_threads()}

    def gradient(self, path: str) -> dict[str, Any]:
        """Take one step from the initial weights and write its meta-gradient."""
        self._steps(1)
        found = {str(index): value.detach().cpu().contiguous().clone()
                 for index, value in enumerate(self._candidate.gradient())}
        save_file(found, path)
        return {}

    def memory(self) -> dict[str, Any]:
        """Bytes that a step needs at its peak beyond what is held between steps, and that the process then holds.

        The step that is watched comes after one that makes what is made once and kept.
        """
        self._steps(1)
        gc.collect()
        if self.device == "cuda":
            # What torch asks the GPU for: captured graphs compute in memory that is not allocated anew in a step.
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self._steps(_WARM_UP)
            peak = torch.cuda.max_memory_reserved()
            return {"step_bytes": peak - self.held, "peak_bytes": peak}
        allocator.trim()
        held = psutil.Process().memory_info().rss
        is_reset = _reset_peak()
        self._steps(1)
        peak = _peak()
        return {"step_bytes": max(0, peak - held) if is_reset else None, "peak_bytes": peak}

    def pace(self) -> dict[str, Any]:
        """Seconds of a step, roughly."""
        if self.device == "cuda":  # libraries choose their kernels, and graphs are captured after a few steps
            self._steps(_WARM_UP)
        first = self._steps(1)
        return {"seconds": min(first, self._steps(1)) if first < BRIEF else first}

    def round(self, steps: int, threads: int = 0) -> dict[str, Any]:
        """Seconds of each of so many steps; a brief one before them warms the caches that others have used.

        Args:
            steps: How many.
            threads: Compute threads for this once; 0 for those that it has.
        """
        usual = torch.get_num_threads()
        torch.set_num_threads(threads or usual)
        if steps > 1:
            self._steps(1)
        seconds = self._steps(steps) / steps
        torch.set_num_threads(usual)
        return {"seconds": seconds}

    @property
    def _candidate(self) -> Candidate:
        assert self.candidate is not None, "nothing is open"
        return self.candidate

    def _steps(self, count: int) -> float:
        self._wait()
        begun = time.perf_counter()
        for _ in range(count):
            self._candidate.step()
        self._wait()
        return time.perf_counter() - begun

    def _reserved(self) -> int:
        """Bytes of a GPU that torch holds and cannot give back."""
        if self.device != "cuda":
            return 0
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved()

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def _reset_peak() -> bool:
    """Let the peak of the resident memory begin anew, which Linux can do; whether it did."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _peak() -> int:
    """The most resident memory since `_reset_peak`, or since the process began."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
        if found:
            return found[0]
    info = psutil.Process().memory_info()
    return int(getattr(info, "peak_wset", info.rss))


def main() -> None:
    """Answer lines of JSON with lines of JSON; what libraries print goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    if sys.argv[1] == OURS:
        allocator.separate()  # as every command of the program does
    worker: Worker | None = None
    for line in sys.stdin:
        said = json.loads(line)
        try:
            if worker is None:
                worker = Worker(*sys.argv[1:4])
            answer = getattr(worker, said.pop("do"))(**said)
        except Exception as error:  # noqa: BLE001 - whatever went wrong with a candidate is a result of it
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
