"""`bench`: how fast and how large each way to run an experiment is on this machine."""

from __future__ import annotations

import platform
from argparse import Namespace
from typing import Any

import torch

from workbench import __version__
from workbench.cli.main import SUCCESS
from workbench.cli.output import Output, UsageError, aligned
from workbench.cli.progress import Progress
from workbench.cli.training import session_of
from workbench.engine import devices
from workbench.engine.measuring.benchmark import Measured, measure, ways_of
from workbench.engine.measuring.chooser import choose, correct
from workbench.engine.ways.work import cores
from workbench.words import counted, size_in_words

_PARTS = 100
_MOST_ROUNDS = 1000
# One noisy round must not replace what is remembered.
_ROUNDS_THAT_CORRECT = 3
_ACCELERATED = {"none": "", "replay": ", replayed", "compile": ", compiled", "graphs": ", CUDA graphs"}


def bench(arguments: Namespace, output: Output) -> int:
    """Measure every executor on an experiment, and say what the chooser takes."""
    if not 1 <= arguments.rounds <= _MOST_ROUNDS:
        raise UsageError(f"--rounds must be 1 to {_MOST_ROUNDS:,}, for each way takes a turn in every round")
    session = session_of(arguments, output)
    choice = choose(session)
    found: list[Measured] = []
    with session.running(), Progress(_PARTS, title="measuring", unit="%") as progress:
        for said in measure(session, ways_of(session, choice.way, compiles=arguments.compile), arguments.rounds):
            if isinstance(said, Measured):
                found.append(said)
            else:
                progress.move_to(round(said * _PARTS))
    as_run = {one.way: one.seconds for one in found if not one.problem
              and one.acceleration == session.acceleration(one.way.executor)}
    better = correct(session, as_run) if arguments.rounds >= _ROUNDS_THAT_CORRECT else None
    table = {
        "device": str(session.device), "device_title": devices.title(session.device),
        "cores": cores(), "system": platform.platform(),
        "versions": {"workbench": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "tasks": session.experiment.training.meta_batch, "rounds": arguments.rounds,
        "ways": [_row(one) for one in found],
        "chosen": {"executor": choice.way.executor, "acceleration": session.acceleration(choice.way.executor),
                   "threads": choice.way.threads, "chunk": choice.way.chunk,
                   "weights_by_columns": list(choice.way.weights_by_columns), "why": choice.why},
        "remembered": str(better.way) if better else None,
    }
    output.result(table, _in_words(table))
    return SUCCESS


def _row(one: Measured) -> dict[str, Any]:
    is_measured = not one.problem
    return {"executor": one.way.executor, "acceleration": one.acceleration, "threads": one.way.threads,
            "chunk": one.way.chunk, "weights_by_columns": list(one.way.weights_by_columns),
            "tasks_per_second": one.tasks_per_second if is_measured else None,
            "ms": 1e3 * one.seconds if is_measured else None, "peak_bytes": one.peak if is_measured else None,
            "rounds_ms": [1e3 * seconds for seconds in one.rounds], "problem": one.problem}


def _in_words(table: dict[str, Any]) -> str:
    rows = [("EXECUTOR", "THREADS", "AT ONCE", "TASKS/S", "MS", "PEAK MEMORY", "")]
    chosen = table["chosen"]
    for one in table["ways"]:
        by_columns = ", weights by columns" * bool(one["weights_by_columns"])
        name = one["executor"] + by_columns + _ACCELERATED[one["acceleration"]]
        numbers = (("–", "–", "–") if one["problem"] else
                   (f"{one['tasks_per_second']:,.1f}", f"{one['ms']:.3g}", size_in_words(one['peak_bytes'])))
        is_chosen = all(one[name] == value for name, value in chosen.items() if name != "why")
        rows.append((name, str(one["threads"]), str(one["chunk"]), *numbers,
                     one["problem"] or "chosen" * is_chosen))
    return "\n".join([
        f"the meta-gradient of a meta-batch of {table['tasks']} tasks on {table['device_title']}, median of "
        f"{table['rounds']} rounds in turns; MS is for all tasks, AT ONCE is how many are run together, memory is what "
        "is taken beyond what was held before; a run draws tasks and takes outer steps beside", aligned(rows),
        f"a run takes {chosen['executor']}{_ACCELERATED[chosen['acceleration']]}, on "
        f"{counted(chosen['threads'], 'threads')}, {chosen['chunk']} at once: {chosen['why']}",
        *([f"that is clearly slower here; from now on a run takes {table['remembered']}"] if table["remembered"] else
          [])])
