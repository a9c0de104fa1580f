"""The chooser: measures at the start of a run which executor is the fastest here, and remembers the answer."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import Tensor

from workbench.engine import devices
from workbench.engine.executors import EXECUTORS
from workbench.engine.executors.base import Executor, on_threads
from workbench.engine.executors.gradients import MetaGradient, finished
from workbench.engine.measuring import remembered
from workbench.engine.memory import allocator
from workbench.engine.session import Session, to_device
from workbench.engine.ways.weight_gradients import faster_by_columns, may_have_columns, set_weights_by_columns
from workbench.engine.ways.work import Way, cores
from workbench.engine.words import is_out_of_memory
from workbench.words import counted

if TYPE_CHECKING:
    from workbench.algorithms.base import Meta
    from workbench.tasks.base import TaskBatch

# Those that are close are measured twice, in half as long again if need be.
BUDGET_SECONDS, AT_LEAST = 2.0, 2
# A run that is expected to be over in less gains nothing by measuring.
_WORTH_SECONDS = 20.0
# Who is so much slower than the fastest is out of the race; a few rounds are waited for where it is less, and one round
# alone may be held up by other programs.
_HOPE, _EARLY_HOPE, _FIRST_HOPE, _ROUNDS = 1.2, 1.6, 2.5, 3
# The rule keeps its choice where the fastest is not clearly faster: it leaves cores that gain little to others.
_CLEARLY = 0.95
# What was remembered is replaced where a bench, which measures longer, finds it so many times as long as the fastest.
_FAR = 1.1
# What is measured is not replayed yet, which takes a fifth and more of the time away on the workloads of the benchmark.
# Portions gain a tenth to a fifth more by it, for then they no longer wait for one another's Python; threads, which are
# not replayed, gain nothing.
_REPLAYED = {"portions": 0.85, "threads": 1.2}


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why, as a part of a sentence."""

    way: Way
    why: str


def settle(session: Session) -> str:
    """Let a new run be run in the best way, which the first of its processes finds; why it is that one.

    The others take no more threads than they have cores.
    """
    first = session.world.is_first
    choice = session.world.broadcast(choose(session) if first else None)
    session.use(replace(choice.way, threads=min(choice.way.threads, cores())))
    return choice.why


def choose(session: Session) -> Choice:
    """The best way to run an experiment here: what the person said, what is remembered, or what is measured."""
    with session.computing():
        return _choice(session, measures=session.expected_seconds() >= _WORTH_SECONDS)


def foresee(session: Session) -> Choice:
    """The same as far as it is known before anything is measured."""
    return _choice(session, measures=False)


def correct(session: Session, found: Mapping[Way, float]) -> Choice | None:
    """Remember a way that was measured with more care to be clearly faster than the one that is remembered.

    Args:
        session: The experiment.
        found: Seconds of a meta-batch of each way, as a run would run it.

    Returns:
        What is remembered from now on; None where that is what was, or the person said how to run it.
    """
    if not found or _said(session) or remembered.way_of(session) is None:
        return None
    best = min(found, key=lambda way: found[way])
    if found.get(foresee(session).way, 0.0) <= _FAR * found[best]:
        return None
    remembered.keep_way(session, best, len(found))
    return foresee(session)


def _choice(session: Session, *, measures: bool) -> Choice:
    choice = _executor(session, measures=measures)
    is_open = session.experiment.training.executor == "auto"
    if not is_open or not may_have_columns(session.algorithm, choice.way.executor, session.device):
        return choice
    columns = remembered.columns_of(session, choice.way)
    if columns is None and measures:
        shape = session.experiment.training_task()
        columns = faster_by_columns(session.algorithm, session.spec, shape, choice.way)
        remembered.keep_columns(session, choice.way, columns)
    columns = columns or ()
    said = f"; weight gradients of {counted(len(columns), 'convolutions')} are matrix products" if columns else ""
    return Choice(replace(choice.way, weights_by_columns=columns), choice.why + said)


def _executor(session: Session, *, measures: bool) -> Choice:
    """The best executor, chunk and threads."""
    if known := _known(session):
        return known
    rule = _rule(session)
    if session.expected_seconds() < _WORTH_SECONDS:
        return Choice(rule, "by a rule of thumb, for so short a run gains nothing by measuring")
    if not measures:
        return Choice(rule, "by a rule of thumb, until the start of a run measures which way is the fastest")
    with allocator.keeping():
        found = measure(session)
    if len(found) < 2:
        return Choice(rule, "by a rule of thumb, for nothing could be measured")
    best = _best(found, rule, is_replayed=session.is_replayed)
    remembered.keep_way(session, best, len(found))
    return Choice(best, _in_words(best, found, is_replayed=session.is_replayed))


def _known(session: Session) -> Choice | None:
    """What the person said, or what is remembered."""
    if said := _said(session):
        return said
    if known := remembered.way_of(session):
        why = f"remembered as the best of {known.count} that were measured here on {known.day}"
        return Choice(known.way, why)
    return None


def _said(session: Session) -> Choice | None:
    """What follows from what the person said; None where that leaves it open."""
    training = session.experiment.training
    if training.executor != "auto":
        return Choice(_rule(session), "as training.executor says")
    if training.acceleration not in ("auto", "none") and not session.algorithm.changes:
        threads, tasks = session.usual_threads("vectorized"), session.tasks_at_most
        way = Way("vectorized", threads, min(session.training_work.chunk("vectorized", threads, tasks), tasks))
        return Choice(way, f"as training.acceleration is {training.acceleration}, which is for all tasks at once")
    return None


def _rule(session: Session) -> Way:
    """The way that the rules say, with no more tasks at once than there are."""
    return replace(session.way, chunk=min(session.chunk, session.tasks_at_most))


def _best(found: Mapping[Way, float], rule: Way, *, is_replayed: bool) -> Way:
    gains = {way: _gain(way) if is_replayed else 1.0 for way in found}
    best = min(found, key=lambda way: gains[way] * found[way])
    is_clear = rule not in found or gains[best] * found[best] < _CLEARLY * gains[rule] * found[rule]
    return best if is_clear else rule


def _gain(way: Way) -> float:
    """What a measured time counts for once training is replayed, beside that of all tasks at once."""
    return _REPLAYED.get(way.executor, 1.0) if way.threads > 1 else 1.0


def _in_words(best: Way, found: Mapping[Way, float], *, is_replayed: bool) -> str:
    others: dict[str, float] = {}
    for way, seconds in sorted(found.items(), key=lambda one: one[1]):
        if way.executor != best.executor:
            others.setdefault(way.executor, seconds)
    beside = "".join(f", {name} {seconds / found[best]:.2f} times as long" for name, seconds in others.items())
    fastest = min(found, key=lambda way: found[way])
    measured = f"{len(found)} that were measured"
    if found[best] == found[fastest]:
        lead = f"the fastest of {measured}"
    elif is_replayed and _gain(best) < _gain(fastest):
        lead = f"what should be, once training replays its steps, the fastest of {measured}"
    else:
        lead = f"by a rule of thumb, and hardly slower than the fastest of {measured}"
    as_yet = " before they are replayed" if is_replayed and EXECUTORS[best.executor].has_task_axis else ""
    return f"{lead} ({1e3 * found[best]:.3g} ms a task{as_yet}{beside})"


def candidates(session: Session) -> list[Way]:
    """Ways that may be the best for an experiment, what the rules say first."""
    training = session.training_work
    tasks = session.tasks_at_most
    is_cpu = session.device.type == "cpu"
    # Beside other programs a second thread that has hardly anything to do is waited for a hundred times as long.
    most_threads = cores() if not is_cpu or training.is_worth_threads(tasks) else 1
    kinds = {"vectorized": (most_threads, 1) if is_cpu else (most_threads,)}
    if session.backbone.convolves:
        kinds["columns"] = (cores(),)
    if is_cpu:  # a GPU waits for the one that feeds it: several threads of Python do that no faster
        kinds |= {"portions": (cores(),), "threads": (cores(),)}
    found = []
    for executor, threads in ((name, count) for name, counts in kinds.items() for count in dict.fromkeys(counts)):
        most = min(tasks, training.chunk(executor, threads, tasks))
        # Less at once stays nearer to the core. What works task by task gains nothing, and several threads on one
        # operation lose. By the rules portions are small, which suits some cores, and others take a tenth longer.
        is_parted = not is_cpu or threads == 1 or executor == "portions"
        sizes = [most, most // 2, most // 4] if is_parted else [most]
        if executor == "portions" and (larger := min(2 * most, tasks, training.in_time(threads))) > most:
            sizes.append(larger)
        if executor == "columns" and is_cpu:  # a CPU takes several times as long by them, which few tasks show too
            sizes = [max(1, most // 4)]
        # A portion of nothing on a thread would leave that thread idle.
        least = min(threads, tasks) if EXECUTORS[executor].is_pooled else 1
        found += [Way(executor, threads, size) for size in sizes if size >= least]
    return list(dict.fromkeys([_rule(session), *found]))


class Trial:
    """Meta-gradients of an experiment's first tasks, run in one way.

    Args:
        session: The experiment.
        way: How.
        tasks, keys: What it is run on.
        meta: The meta-parameters.
    """

    def __init__(self, session: Session, way: Way, tasks: TaskBatch, keys: Tensor, meta: Meta) -> None:
        self.way = way
        algorithm = session.algorithm
        if way.weights_by_columns:
            algorithm = copy.deepcopy(algorithm)
            set_weights_by_columns(algorithm, way.weights_by_columns)
        self.executor: Executor = session.executor_of(way, algorithm)
        self._arguments = meta, tasks, keys
        self._setting = session.setting(training=True, progress=0.0, stage=session.algorithm.stage(0.5))
        self.count = len(tasks)
        self.device = session.device

    def seconds(self) -> float:
        """How long all the tasks take."""
        with on_threads(self.executor.threads_of_caller):
            begun = time.perf_counter()
            self.run()
            devices.finish(self.device)
            return time.perf_counter() - begun

    def run(self) -> MetaGradient:
        """All the tasks, as a step of the training runs them."""
        return finished(self.executor.in_chunks(self.way.chunk, *self._arguments, self._setting))

    def close(self) -> None:
        """Give the threads back."""
        self.executor.close()


def measure(session: Session) -> dict[Way, float]:
    """Seconds a task of the ways that were measured, in turns until the time is up; who falls behind drops out."""
    ways = candidates(session)
    meta = to_device(session.drawn(), session.device)
    counts = {way: _tasks_to_time(session, way) for way in ways}
    batch, keys = session.batch("train", range(max(counts.values())), session.algorithm.stage(0.5))
    rounds: dict[Way, list[float]] = {}
    racing = [Trial(session, way, batch.part(0, count), keys[:count], meta) for way, count in counts.items()]
    trials = list(racing)
    begun = time.perf_counter()
    try:
        while len(racing) > 1 and time.perf_counter() - begun < _budget(
                min(len(rounds.get(trial.way, ())) for trial in racing)):
            for trial in racing:
                _time(trial, rounds)
            # The rest of the machine only ever makes a way slower.
            found = {way: min(seconds) for way, seconds in rounds.items()}
            fastest = min(found.values(), default=0.0)
            racing = [trial for trial in racing if trial.way in found
                      and found[trial.way] <= fastest * _hope(len(rounds[trial.way]), is_first=trial.way == ways[0])]
    finally:
        for trial in trials:
            trial.close()
    return {way: min(seconds) for way, seconds in rounds.items()}


def _tasks_to_time(session: Session, way: Way) -> int:
    """A chunk of tasks; several of portions, for threads go on with the next before all are done, if there is time."""
    several = session.training_work.in_time(way.threads) // way.chunk if way.executor == "portions" else 1
    return min(session.tasks_at_most, max(1, several) * way.chunk)


def _hope(rounds: int, *, is_first: bool) -> float:
    """How many times as long as the fastest a way may take after so many rounds and still be in the race.

    The first of all finds no memory and no threads yet, so that its first round tells nothing.
    """
    if rounds < AT_LEAST:
        return math.inf if is_first else _FIRST_HOPE
    return _HOPE if rounds >= _ROUNDS else _EARLY_HOPE


def _budget(rounds: int) -> float:
    """Seconds after which nothing more is measured, after so many rounds."""
    return BUDGET_SECONDS * (1.5 if rounds < AT_LEAST else 1.0)


def _time(trial: Trial, rounds: dict[Way, list[float]]) -> None:
    """Time a way once more; one that has too little memory gets no time."""
    try:
        seconds = trial.seconds()
        # The first time sets up what later ones find. On a GPU that takes longer than most steps; and each thread of a
        # pool has memory of its own, which it first gets from the system.
        is_long = trial.device.type == "cuda" or (trial.executor.is_pooled and seconds < _budget(0))
        if trial.way not in rounds and (seconds < BUDGET_SECONDS / 20 or is_long):
            seconds = trial.seconds()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return
    rounds.setdefault(trial.way, []).append(seconds / trial.count)
