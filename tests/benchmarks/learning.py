"""One protocol for every method: the same seconds of training, then the same test tasks.

`python -m tests.benchmarks.learning` runs every cell that has no result yet, each in a process and on a core of its
own, as many side by side as there are cores; it may be interrupted at any time and goes on where it was. `--table`
prints what there is and draws it, `--gates` says which methods miss what is asked of them. Omniglot is found through
WORKBENCH_OMNIGLOT.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import queue
import resource
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from tests.benchmarks.commands import count, duration, ended
from tests.benchmarks.learning_chart import draw
from tests.benchmarks.machine import processor
from workbench.engine.events import Evaluation, Failed, Started, Steps
from workbench.engine.trainer import train
from workbench.engine.ways.work import cores
from workbench.experiment.experiment import Experiment
from workbench.experiment.registry import find, found
from workbench.experiment.resolve import resolve, with_settings

RESULTS = Path(__file__).parent / "results"
PROBLEMS: dict[str, tuple[str, ...]] = {
    "sinusoids": ("dataset=sinusoids", "task.shots=10"),
    "omniglot-5w1s": ("dataset=omniglot", "task.ways=5", "task.shots=1", "task.queries=5"),
    "omniglot-5w5s": ("dataset=omniglot", "task.ways=5", "task.shots=5", "task.queries=5"),
    "omniglot-20w1s": ("dataset=omniglot", "task.ways=20", "task.shots=1", "task.queries=5"),
}
USUAL = ("sinusoids", "omniglot-5w1s")
SECONDS = {"sinusoids": 60.0, "omniglot-5w1s": 480.0, "omniglot-5w5s": 480.0, "omniglot-20w1s": 480.0}
# Half the filters of most papers: four times as many tasks are seen in the same time, which is worth more.
NETWORK = ("backbone=conv4", "backbone.downsampling=stride", "backbone.filters=32")
# As many validations as this where they are quick, for the chart; slow ones may take this share of the seconds.
VALIDATIONS, FEWEST, VALIDATING = 8, 2, 0.2
TEST_TASKS = 1000
COMMON = ("device=cpu", "evaluation.probe_tasks=1", "training.validation_tasks=60")
CALIBRATION_SECONDS = 5.0
# After this share of the steps their pace is held against the calibration; a run that is further off begins again.
CHECKED, TOLERATED, RESTARTS = 0.1, 0.15, 2
# What each method must reach; a method that is not named here must reach the usual gate. Controls have none.
GATE = 0.90
GATES = {"learned_optimizer": 0.80, "meta_network": 0.80, "snail": 0.80, "meta_nas": 0.80, "mann": 0.60,
         "meta_rnn": 0.60}
CONTROLS = ("scratch", "baseline", "baseline_pp", "supervised")
SINUSOID_GATE = 1.5
_ABOUT = (
    "# What every method learns in the same time", "",
    "Made by `python -m tests.benchmarks.learning` from the files beside it. Every method is trained with the settings",
    "that the program suggests for it, for the seconds given, on one core, and tested on the same {tasks} fixed",
    "tasks; ± is the 95 % interval. Controls follow a recipe of their own: baselines pretrain on all training classes",
    "and fine-tune, `scratch` learns nothing before the task. Pictures go through conv4 with 32 filters and stride 2,",
    "but for `meta_nas`, which finds a network of its own, and are normalized by the pictures at hand; the context of",
    "`cavia` enters the head, and `mann` and `meta_rnn` begin as memories, as their help pages say. `supervised` is",
    "left out, for it is tested on examples rather than on tasks.", "",
)
_CHART = ("![What every method reaches against the seconds of its training](learning.svg)", "")


def cells(problems: tuple[str, ...], seeds: int) -> Iterator[tuple[str, str, int]]:
    """(problem, algorithm, seed) of every cell of the table, one seed of everything before the next."""
    for seed in range(seeds):
        for problem in problems:
            kind = "regression" if problem == "sinusoids" else "classification"
            for name, algorithm in found("algorithm").items():
                if kind in algorithm.task_kinds and algorithm.tested_on == "tasks":
                    yield problem, name, seed


def experiment(problem: str, name: str, seed: int, iterations: int, validations: int = VALIDATIONS,
               tasks: int = TEST_TASKS) -> Experiment:
    """The experiment of a cell: the method's own suggestions, and what is the same for all.

    Controls keep their recipe too. Five inner steps are tested at least where a method iterates, so that the table can
    show the first and the fifth.
    """
    settings = [f"algorithm={name}", *PROBLEMS[problem], *COMMON, f"seed={seed}", f"training.iterations={iterations}",
                f"evaluation.tasks={tasks}", f"training.validate_every={-(-iterations // validations)}",
                f"training.checkpoint_every={iterations}"]
    if problem != "sinusoids" and not find("algorithm", name).searches:
        settings += NETWORK
    made = resolve(with_settings({}, settings))
    own = made.algorithm.model_dump()
    steps = own.get("test_steps") or own.get("inner_steps") or 0
    if problem == "sinusoids" and 0 < steps < 5 and "test_steps" in own:
        made = resolve(with_settings({}, [*settings, "algorithm.test_steps=5"]))
    return made


class Cost(NamedTuple):
    """What a short run has shown.

    Attributes:
        step: Seconds of an outer step, over all stages of the training.
        validation: Seconds of a validation.
        is_even: Whether all steps are of one stage.
    """

    step: float
    validation: float
    is_even: bool


def cost(problem: str, name: str, seed: int) -> Cost:
    """Measure whole short runs, until one is long enough."""
    iterations = 4
    while True:
        made = experiment(problem, name, seed, iterations, validations=1)
        begun, validated, first, last, stages = time.perf_counter(), [], 0.0, 0.0, set()
        for event in train(made):
            now = time.perf_counter()
            if isinstance(event, Started):
                begun = now
            elif isinstance(event, Evaluation):
                validated.append(now - begun)
                if event.step == iterations:
                    break
            elif isinstance(event, Steps):
                last += now - begun
                first = first or now - begun
                stages.add(event.stage)
            begun = now
        if last >= CALIBRATION_SECONDS or iterations >= 100_000:
            # The first block pays for what is done once, such as decoding and turning pictures.
            return Cost(last / iterations, min(validated), len(stages) == 1)
        iterations *= 2 if last > CALIBRATION_SECONDS / 4 else 4


class OffPaceError(Exception):
    """The steps take longer or shorter than was thought: so many seconds each."""

    def __init__(self, of_step: float) -> None:
        super().__init__(f"{of_step} s a step")
        self.of_step = of_step


class Trained(NamedTuple):
    """A run from beginning to end.

    Attributes:
        started: Its start.
        test: Its test.
        seconds: Its training, validations included.
        validations: Each with the seconds of training before it.
    """

    started: Started
    test: Evaluation
    seconds: float
    validations: list[tuple[float, Evaluation]]


def trained(made: Experiment, of_step: float | None) -> Trained:
    """Run an experiment, and raise OffPaceError early on where a step does not take the seconds given."""
    started, test, seconds, taken = None, None, 0.0, 0
    validations: list[tuple[float, Evaluation]] = []
    for event in train(made):
        if isinstance(event, Started):
            started = event
        elif isinstance(event, Steps):
            seconds, behind, taken = event.seconds, taken, taken + len(event.loss)
            is_time = behind < CHECKED * made.training.iterations <= taken
            if of_step and is_time and abs(seconds / taken / of_step - 1) > TOLERATED:
                raise OffPaceError(seconds / taken)
        elif isinstance(event, Evaluation) and event.split == "test":
            test = event
        elif isinstance(event, Evaluation):
            validations.append((seconds, event))
        elif isinstance(event, Failed):
            raise RuntimeError(event.message)
    if started is None or test is None:
        raise RuntimeError("the run did not finish")
    return Trained(started, test, seconds, validations)


def run_cell(problem: str, name: str, seed: int, seconds: float, tasks: int = TEST_TASKS) -> dict[str, Any]:
    """Train for so many seconds and test on so many tasks."""
    of_step, of_validation, is_even = cost(problem, name, seed)
    checks = RESTARTS if is_even else 0
    # One more is made before the first step.
    validations = min(VALIDATIONS, max(FEWEST, int(VALIDATING * seconds / of_validation) - 1))
    while True:
        iterations = max(validations, int((seconds - (validations + 1) * of_validation) / of_step))
        made = experiment(problem, name, seed, iterations, validations, tasks)
        before = time.perf_counter()
        try:
            started, test, took, validated = trained(made, of_step if checks else None)
            break
        except OffPaceError as pace:
            of_step, checks = pace.of_step, checks - 1
    by_step = [{"mean": score.mean, "ci95": score.ci95} for score in test.by_step]
    curve = [{"seconds": round(at, 1), "step": one.step, "mean": one.score.mean, "ci95": one.score.ci95}
             for at, one in validated]
    return {
        "problem": problem, "algorithm": name, "seed": seed, "iterations": iterations,
        "tasks_seen": iterations * started.meta_batch, "training_seconds": round(took, 1),
        "seconds": round(time.perf_counter() - before, 1), "metric": test.metric, "mean": test.score.mean,
        "ci95": test.score.ci95, "test_tasks": test.tasks, "step": test.step, "by_step": by_step,
        "validation": curve,
        "modes": {mode: {"mean": score.mean, "ci95": score.ci95} for mode, score in test.modes.items()},
        "parameters": started.parameters, "executor": started.executor, "threads": started.threads,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "hardware": f"{cores()} of {os.cpu_count()} cores, {processor()}", "torch": torch.__version__,
        "python": platform.python_version(), "experiment": made.model_dump(mode="json", exclude={"dataset": {"path"}}),
    }


def path_of(place: Path, problem: str, name: str, seed: int) -> Path:
    """Where below a folder of results that of a cell is kept."""
    return place / "learning" / problem / f"{name}-{seed}.json"


def run_missing(wanted: list[tuple[str, str, int]], said: argparse.Namespace) -> int:
    """Run every cell without a result, so many side by side, each in a process on its own core; how many failed."""
    missing = [cell for cell in wanted if not path_of(said.results, *cell).exists()]
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in _cores()[: said.together]:
        free.put(core)

    def run(cell: tuple[str, str, int]) -> bool:
        core, begun = free.get(), time.perf_counter()
        problem, name, seed = cell
        try:
            done = subprocess.run([sys.executable, "-m", __spec__.name, "--cell", problem, name, str(seed), "--core",
                                   str(core), "--seconds", str(said.seconds or SECONDS[problem]), "--tasks",
                                   str(said.tasks), "--results", str(said.results)], check=False, capture_output=True,
                                  text=True)
        finally:
            free.put(core)
        words = done.stdout.strip() or (done.stderr.strip().splitlines() or ["failed"])[-1]
        print(f"{problem} {name} seed {seed} {words} ({time.perf_counter() - begun:.0f} s)", flush=True)
        return done.returncode == 0

    print(f"{len(missing)} cells to run", flush=True)
    with ThreadPoolExecutor(said.together) as pool:
        return list(pool.map(run, missing)).count(False)


def _cores() -> list[int]:
    """Numbers of the cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def results(place: Path = RESULTS) -> list[dict[str, Any]]:
    """Every result below a folder."""
    return [json.loads(path.read_text(encoding="utf8")) for path in sorted(place.glob("learning/*/*.json"))]


def table(known: list[dict[str, Any]]) -> str:
    """The results as Markdown."""
    tasks = " or ".join(f"{count:,}" for count in sorted({one["test_tasks"] for one in known})) or "1,000"
    about = [line.format(tasks=tasks) for line in _ABOUT]
    lines = [*about, *(_CHART if any(one.get("validation") for one in known) else ())]
    for problem in PROBLEMS:
        rows = sorted((one for one in known if one["problem"] == problem), key=_rank)
        if rows:
            shown = _sinusoids if problem == "sinusoids" else _accuracies
            lines += [f"## {problem}", "", *shown(rows, _machines(known)), ""]
    return "\n".join([*lines, *(f"{mark}: {machine}" for machine, mark in _machines(known).items())]) + "\n"


def _machines(known: list[dict[str, Any]]) -> dict[str, str]:
    """A letter for every machine that cells ran on: the same seconds are not the same work on another."""
    return dict(zip(sorted({_machine(one) for one in known}), string.ascii_uppercase, strict=False))


def _machine(one: dict[str, Any]) -> str:
    return f"{one['hardware']}, torch {one['torch']}, Python {one['python']}"


def _rank(one: dict[str, Any]) -> float:
    return cast("float", one["mean"] if one["metric"] == "mse" else -one["mean"])


def _sinusoids(rows: list[dict[str, Any]], machines: dict[str, str]) -> list[str]:
    lines = ["| method | seed | MSE before | after 1 step | after 5 steps | adapted (steps) | seconds | tasks seen | "
             "machine |", "|---|---|---|---|---|---|---|---|---|"]
    for one in rows:
        steps = one["by_step"]
        shown = [_error(steps[at]) if len(steps) > max(at, 1) else "" for at in (0, 1, 5)]
        lines.append(f"| {one['algorithm']} | {one['seed']} | {' | '.join(shown)} | {_error(one)} ({len(steps) - 1}) | "
                     f"{one['training_seconds']:.0f} | {one['tasks_seen']:,} | {machines[_machine(one)]} |")
    return lines


def _accuracies(rows: list[dict[str, Any]], machines: dict[str, str]) -> list[str]:
    best = {one["seed"]: one["mean"] for one in rows if one["algorithm"] == "baseline_pp"}
    lines = ["| method | seed | accuracy | above baseline_pp | inductive | before adapting | seconds | peak memory | "
             "tasks seen | machine |", "|---|---|---|---|---|---|---|---|---|---|"]
    for one in rows:
        inductive = one["modes"].get("inductive")
        above = f"{100 * (one['mean'] - best[one['seed']]):+.1f}" if one["seed"] in best else ""
        before = _share(one["by_step"][0]) if len(one["by_step"]) > 1 else ""
        lines.append(f"| {one['algorithm']} | {one['seed']} | {_share(one)} | {above} | "
                     f"{_share(inductive) if inductive else ''} | {before} | {one['training_seconds']:.0f} | "
                     f"{one['peak_memory_mb']:,} MB | {one['tasks_seen']:,} | {machines[_machine(one)]} |")
    return lines


def _share(score: dict[str, float]) -> str:
    return f"{100 * score['mean']:.1f} ± {100 * score['ci95']:.1f} %"


def _error(score: dict[str, float]) -> str:
    return f"{score['mean']:.3f} ± {score['ci95']:.3f}"


def missed(known: list[dict[str, Any]]) -> list[str]:
    """Sentences on the methods that miss their gate on the first seed."""
    first = {(one["problem"], one["algorithm"]): one for one in known if one["seed"] == 0}
    found_wanting = []
    for (problem, name), one in first.items():
        if name in CONTROLS:
            continue
        if problem == "omniglot-5w1s" and one["mean"] < (gate := GATES.get(name, GATE)):
            found_wanting.append(f"{name}: {_share(one)} on {problem}, below {100 * gate:.0f} %")
        if problem == "sinusoids" and one["mean"] > SINUSOID_GATE:
            found_wanting.append(f"{name}: {_error(one)} on {problem}, above {SINUSOID_GATE}")
    maml = first.get(("sinusoids", "maml"))
    for name in ("cavia", "meta_sgd"):
        rival = first.get(("sinusoids", name))
        if maml and rival and rival["by_step"][1]["mean"] >= maml["by_step"][1]["mean"]:
            found_wanting.append(f"{name}: not below maml after one step on sinusoids")
    return found_wanting


def main() -> int:
    """Run, show or judge the cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", nargs=3, metavar=("PROBLEM", "ALGORITHM", "SEED"), help="run this one, here")
    parser.add_argument("--core", type=int, help="with --cell: the core to stay on")
    parser.add_argument("--together", type=count, default=cores(),
                        help="cells side by side, as many as cores by default")
    parser.add_argument("--seconds", type=duration, help="training seconds of a cell instead of the usual")
    parser.add_argument("--tasks", type=count, default=TEST_TASKS, help="test tasks of a cell instead of the usual")
    parser.add_argument("--problems", nargs="+", default=USUAL, choices=PROBLEMS)
    parser.add_argument("--algorithms", nargs="+", choices=found("algorithm"), metavar="NAME", help="only these")
    parser.add_argument("--seeds", type=count, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of results instead of the usual")
    parser.add_argument("--table", action="store_true", help="write table and chart from what there is and print it")
    parser.add_argument("--gates", action="store_true", help="exit with 1 where a method misses its gate")
    said = parser.parse_args()
    if said.cell:
        problem, name, seed = said.cell
        if problem not in PROBLEMS or name not in found("algorithm") or not (seed.isascii() and seed.isdigit()):
            parser.error(f"--cell: there is no {problem} by {name} with seed {seed}; PROBLEM is one of "
                         f"{', '.join(PROBLEMS)}, ALGORITHM one of {', '.join(found('algorithm'))}")
        if said.core is not None and said.core not in _cores():
            parser.error(f"--core: there is no core {said.core}; this process may use {_cores()}")
        _run_here(said)
        return 0
    if said.gates:
        if not results(said.results):
            sys.exit(f"{said.results}: holds no results of cells")
        wanting = missed(results(said.results))
        print("\n".join(wanting) or "every method that has a result reaches its gate")
        return 1 if wanting else 0
    failed = 0
    if not said.table:
        wanted = [cell for cell in cells(tuple(said.problems), said.seeds)
                  if not said.algorithms or cell[1] in said.algorithms]
        failed = run_missing(wanted, said)
    known = results(said.results)
    text = table(known)
    (said.results / "learning.md").write_text(text, encoding="utf8")
    draw(known, list(PROBLEMS), said.results / "learning.svg")
    print(text)
    return 1 if failed else 0


def _run_here(said: argparse.Namespace) -> None:
    """Run the cell that was named, keep its result and print it."""
    problem, name, seed = said.cell[0], said.cell[1], int(said.cell[2])
    if said.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {said.core})
    result = run_cell(problem, name, seed, said.seconds or SECONDS[problem], said.tasks)
    path = path_of(said.results, problem, name, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf8")
    print(_share(result) if result["metric"] == "accuracy" else _error(result))


if __name__ == "__main__":
    ended(main)
