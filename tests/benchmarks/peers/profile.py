"""What bounds ours: `python -m tests.benchmarks.peers.profile` times every operation of the replayed meta-gradients.

A portion of the tasks, as one thread is given it, runs on one core: first as the engine replays it, then operation by
operation from Python. Operations are told by kind, convolutions by layer with their rate beside that of a large matrix
product on the same core. Where all workloads are profiled it writes `results/profile.md`.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from tests.benchmarks.commands import ended
from tests.benchmarks.machine import about
from tests.benchmarks.peers.floor import MatrixProduct, product_operations
from tests.benchmarks.peers.ours import Ours, chosen
from tests.benchmarks.peers.problem import draw
from tests.benchmarks.peers.workloads import WORKLOADS
from workbench.engine.acceleration.base import Step
from workbench.engine.acceleration.preparing import flat
from workbench.engine.acceleration.replay import FORMATS, Line, Script, Use, operation
from workbench.engine.acceleration.writing import script

RESULT = Path(__file__).parents[1] / "results" / "profile.md"
FEWEST, SECONDS = 5, 4.0
# The least share of the time that has a row of its own.
_WORTH_A_ROW = 0.01
_SUMS = ("sum", "mean", "amax", "_softmax", "_log_softmax", "argmax", "logsumexp")
_KINDS = {"native_batch_norm": "batch normalization", "native_batch_norm_backward": "derivative of batch normalization",
          **dict.fromkeys(("mm", "bmm", "addmm", "baddbmm"), "matrix products"), **dict.fromkeys(_SUMS, "sums"),
          **dict.fromkeys(("as_strided", "view", "select", "slice", "empty"), "views and memory"),
          **dict.fromkeys(("copy_", "clone", "cat", "stack", "_to_copy", "new_zeros", "zeros_like"), "copies")}


@dataclass
class _Row:
    """What was found of a kind of operations.

    Attributes:
        times: How many there are in a step.
        seconds: Of all of them.
        operations: Floating-point operations of all of them, where they convolve.
    """

    times: int = 0
    seconds: float = 0.0
    operations: float = 0.0


def kind(line: Line, arguments: list[Any], results: list[Tensor]) -> tuple[str, float]:
    """What to call an operation, and how many floating-point operations it takes if it convolves."""
    name = line.operation[0].removeprefix("aten::")
    assert name != "convolution" or not arguments[6], "a transposed convolution is not told from others"
    if name not in ("convolution", "convolution_backward"):
        by_number = torch.Tag.pointwise in operation(*line.operation).tags or name == "threshold_backward"
        return _KINDS.get(name, "number by number" if by_number else name), 0.0
    if name == "convolution":
        what, outputs, weight, inputs = "convolution", results[0], arguments[1], arguments[0]
    else:
        outputs, inputs, weight = arguments[:3]
        what = "gradient of its inputs" if arguments[-1][0] else "gradient of its weights"
    groups = inputs.shape[1] // weight.shape[1]
    layer = (f"{weight.shape[1]} → {len(weight) // groups} channels, {inputs.shape[2]}×{inputs.shape[3]} → "
             f"{outputs.shape[2]}×{outputs.shape[3]}")
    return f"{layer}: {what}", 2.0 * outputs.numel() * math.prod(weight.shape[1:])


def stepped(written: Script, tensors: list[Tensor]) -> dict[str, _Row]:
    """Run a script operation by operation, and time each."""
    formats = {number: one for one, number in FORMATS.items()}
    last: dict[int, int] = {}
    for index, line in enumerate(written.lines):
        last |= {one.number: index for one in pytree.tree_leaves(line.arguments) if isinstance(one, Use)}
    last |= dict.fromkeys(written.outputs, len(written.lines))
    values: dict[int, Any] = dict(enumerate(tensors))
    found: dict[str, _Row] = defaultdict(_Row)
    count = len(values)
    for index, line in enumerate(written.lines):
        leaves, tree = pytree.tree_flatten(list(line.arguments))
        said = pytree.tree_unflatten([values[one.number] if isinstance(one, Use) else one for one in leaves], tree)
        if line.operation[0]:
            target = operation(*line.operation)
            schema = target._schema.arguments
            said = [formats.get(value, value) if one.name == "memory_format" else value
                    for value, one in zip(said, schema, strict=True)]
            plain = [value for value, one in zip(said, schema, strict=True) if not one.kwarg_only]
            named = {one.name: value for value, one in zip(said, schema, strict=True) if one.kwarg_only}
            begun = time.perf_counter()
            result = target(*plain, **named)
            seconds = time.perf_counter() - begun
            results = list(result) if isinstance(result, tuple | list) else [result]
            name, operations = kind(line, said, results)
            row = found[name]
            row.times, row.seconds, row.operations = row.times + 1, row.seconds + seconds, row.operations + operations
        else:
            results = said
        values |= dict(enumerate(results[: line.results], count))
        count += line.results
        for number in [one for one in values if last.get(one, -1) <= index]:
            del values[number]
    return found


def profile(name: str, folder: Path) -> str:
    """The profile of a workload, as a section."""
    problem = draw(WORKLOADS[name].settings, folder)
    ours = Ours(problem, chosen(problem.about.settings, "cpu").partition(", ")[0])
    session, executor = ours.session, ours.session.executor
    portion = max(1, min(session.chunk, len(ours.batch)) // (executor.threads if executor.is_pooled else 1))
    with ours.running(), torch.no_grad():
        torch.set_num_threads(1)
        step = Step.of(ours.meta, ours.batch.part(0, portion), ours.keys[:portion], ours.setting)
        with torch.enable_grad():
            graph, _ = flat(session.algorithm, step)
        written = script(graph, step.tensors)
        run, product = written.run(), MatrixProduct(problem)
        rounds: list[dict[str, _Row]] = []
        whole: list[float] = []
        products: list[float] = []
        end = time.perf_counter() + SECONDS
        while len(rounds) < FEWEST or time.perf_counter() < end:
            whole.append(_seconds(lambda: run(step.tensors)))
            rounds.append(stepped(written, step.tensors))
            products.append(_seconds(product.step))
    rows = {one: _Row(rounds[0][one].times, statistics.median(each[one].seconds for each in rounds),
                      rounds[0][one].operations) for one in rounds[0]}
    return _section(name, portion, statistics.median(whole), product_operations("cpu") / statistics.median(products),
                    rows)


def _seconds(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def _section(name: str, portion: int, whole: float, rate: float, rows: dict[str, _Row]) -> str:
    apart = sum(row.seconds for row in rows.values())
    count = sum(row.times for row in rows.values())
    lines = [f"## {WORKLOADS[name].title}", "",
             f"{portion} task{'s' if portion > 1 else ''} on one core: {1e3 * whole:.2f} ms replayed; {count:,} "
             f"operations called one by one take {1e3 * apart:.2f} ms. A large matrix product runs at "
             f"{rate / 1e9:.0f}·10⁹ operations a second.", "",
             "| operations | how many | ms | share | rate over the matrix product's |", "|---|---|---|---|---|"]
    rest = _Row()
    for what, row in sorted(rows.items(), key=lambda one: -one[1].seconds):
        if row.seconds < _WORTH_A_ROW * apart:
            rest.times, rest.seconds = rest.times + row.times, rest.seconds + row.seconds
            continue
        lines.append(_line(what, row, apart, rate))
    return "\n".join([*lines, *([_line("others", rest, apart, rate)] if rest.times else []), ""])


def _line(what: str, row: _Row, whole: float, rate: float) -> str:
    speed = f"{row.operations / row.seconds / rate:.2f}" if row.operations else ""
    return f"| {what} | {row.times} | {1e3 * row.seconds:.2f} | {100 * row.seconds / whole:.0f} % | {speed} |"


def main() -> None:
    """Profile workloads, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers.profile", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="NAME")
    said = parser.parse_args()
    machine = about()
    head = ["# What bounds ours", "", "Made by `python -m tests.benchmarks.peers.profile`, on one core of an "
            f"{machine['processor']} with torch {machine['torch']}; medians.", ""]
    sections = []
    with tempfile.TemporaryDirectory() as folder:
        for name in said.only:
            sections.append(profile(name, Path(folder)))
            print(sections[-1], flush=True)
    if said.only == list(WORKLOADS):
        RESULT.write_text("\n".join([*head, *sections]), encoding="utf8")


if __name__ == "__main__":
    ended(main)
