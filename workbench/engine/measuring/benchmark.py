"""How fast and how large each way to run an experiment's meta-gradients is on this machine, measured in turns."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import torch

from workbench.engine.acceleration.prepared import AT_ONCE, Prepared
from workbench.engine.acceleration.switches import accelerated
from workbench.engine.measuring.chooser import Trial, candidates
from workbench.engine.memory import allocator
from workbench.engine.session import Session
from workbench.engine.ways.work import Way
from workbench.engine.words import is_out_of_memory

_LOOK_SECONDS = 0.002
# A round of a fast way is repeated until the clock has something to measure.
_LEAST_SECONDS = 0.05


@dataclass
class Measured:
    """What was measured of a way.

    Attributes:
        way: The way.
        acceleration: none, replay, compile or graphs.
        tasks: Tasks of a meta-batch.
        rounds: Seconds that the meta-gradient of one took, in each round.
        peak: Bytes that were held at most during one, beyond what was held before.
        problem: Why it could not be measured; empty where it was.
    """

    way: Way
    acceleration: str
    tasks: int
    rounds: list[float] = field(default_factory=list)
    peak: int = 0
    problem: str = ""

    @property
    def seconds(self) -> float:
        """Median seconds of a meta-batch; infinite where it could not be measured."""
        return statistics.median(self.rounds) if self.rounds else float("inf")

    @property
    def tasks_per_second(self) -> float:
        """Tasks a second."""
        return self.tasks / self.seconds


def ways_of(session: Session, chosen: Way, *, compiles: bool = False) -> list[tuple[Way, str]]:
    """Everything that can be measured of an experiment here: ways, each with its acceleration.

    What is replayed by itself is measured so too: the chosen way, and every other executor in the first of its ways.
    """
    found = [(way, "none") for way in dict.fromkeys([*candidates(session), chosen])]
    firsts = {way.executor: way for way, _ in reversed([(chosen, ""), *found])}
    found += [(way, "replay") for way in firsts.values() if session.usual_acceleration(way.executor) == "replay"]
    vectorized = next(way for way, _ in found if way.executor == "vectorized")
    threads = session.training_work.threads("vectorized", session.experiment.training.meta_batch, compiles=True)
    return [*found, *([(Way("vectorized", threads, vectorized.chunk), "compile")] if compiles else []),
            *([(vectorized, "graphs")] if session.device.type == "cuda" else [])]


def measure(session: Session, ways: list[tuple[Way, str]], rounds: int) -> Iterator[Measured | float]:
    """Measure ways in turns.

    Args:
        session: The experiment.
        ways: What to measure, as `ways_of` gives it.
        rounds: How many turns each takes.

    Yields:
        The share that is done, and at the end each way as it was measured, the fastest first.
    """
    tasks = session.experiment.training.meta_batch
    stage = session.algorithm.stage(0.5)
    meta, (batch, keys) = session.init(), session.batch("train", range(tasks), stage)
    found = [Measured(way, acceleration, tasks) for way, acceleration in ways]
    trials = [Trial(session, one.way, batch, keys, meta) for one in found]
    try:
        for number, (one, trial) in enumerate(zip(found, trials, strict=True), 1):
            with _problems(one):
                trial.executor = accelerated(one.acceleration, trial.executor, session.device)
                if isinstance(trial.executor, Prepared):
                    trial.executor.patience = AT_ONCE
                before = _kept(session.device)
                _warm_up(one, trial)
                one.peak = peak_bytes(session.device, trial.seconds)
                if one.acceleration == "graphs":
                    one.peak += _kept(session.device) - before
            yield number / len(found) / 2
        for number in range(rounds):
            for one, trial in zip(found, trials, strict=True):
                if not one.problem:
                    with _problems(one):
                        one.rounds.append(_seconds(trial))
            yield 0.5 + (number + 1) / rounds / 2
    finally:
        for trial in trials:
            trial.close()
    yield from sorted(found, key=lambda one: one.seconds)


@contextmanager
def _problems(one: Measured) -> Iterator[None]:
    """A block whose lack of memory is the result of a way."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        one.problem = "the device has too little memory"


def _warm_up(one: Measured, trial: Trial) -> None:
    """Run until what is measured is there; a compiled meta-step is waited for."""
    for _ in range(2):
        trial.seconds()
        if isinstance(trial.executor, Prepared):
            trial.executor.finish()
    executor = trial.executor
    one.problem = executor.problem if isinstance(executor, Prepared) else " ".join(
        news.sentence for news in executor.news())


def _seconds(trial: Trial) -> float:
    """Seconds of one meta-batch, as the mean of so many that the clock has something to measure."""
    total, count = 0.0, 0
    while total < _LEAST_SECONDS:
        total += trial.seconds()
        count += 1
    return total / count


def _kept(device: torch.device) -> int:
    """What torch keeps of a GPU's memory where all that can be is given back: a captured graph computes in its own."""
    if device.type != "cuda":
        return 0
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved(device)


def peak_bytes(device: torch.device, work: Callable[[], object]) -> int:
    """The most memory that something holds, beyond what was held before: torch's on a GPU, else the process's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    allocator.trim()
    process, done = psutil.Process(), threading.Event()
    before = peak = int(process.memory_info().rss)

    def look() -> None:
        nonlocal peak
        while not done.wait(_LOOK_SECONDS):
            peak = max(peak, int(process.memory_info().rss))

    watcher = threading.Thread(target=look, name="memory")
    watcher.start()
    try:
        work()
        peak = max(peak, int(process.memory_info().rss))
    finally:
        done.set()
        watcher.join()
    return peak - before
