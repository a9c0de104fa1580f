"""Measures what drawing tasks costs on this machine: `python -m tests.benchmarks.drawing`."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from tests.benchmarks.commands import ended
from tests.benchmarks.machine import processor
from workbench.experiment.resolve import resolve
from workbench.tasks.glyphs import Glyphs


def milliseconds(work: Callable[[], object], rounds: int = 50) -> dict[str, float]:
    """Median and fastest of some rounds."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - begun))
    return {"median_ms": round(statistics.median(taken), 3), "fastest_ms": round(min(taken), 3)}


def main() -> None:
    """Print one JSON object: opening the glyphs, and drawing 32 five-way tasks from them."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    experiment, cpu = resolve({}), torch.device("cpu")
    opened = milliseconds(lambda: Glyphs(experiment, cpu), rounds=7)
    source = Glyphs(experiment, cpu)
    found = {
        "machine": processor(),
        "open_glyphs": opened,
        "identities_of_32_tasks": milliseconds(lambda: source._identities("train", range(32))),
        "draw_32_tasks": milliseconds(lambda: source.sample("train", range(32))),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    ended(main)
