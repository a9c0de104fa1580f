"""Measures the memory of one meta-gradient against the inner steps: `python -m tests.benchmarks.memory`."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

from tests.benchmarks.commands import ended, output_of
from tests.benchmarks.machine import processor
from tests.peaks import peak_bytes
from workbench.algorithms.base import Algorithm, Context
from workbench.backbones.base import Network
from workbench.backbones.conv4 import Conv4, Conv4Config
from workbench.experiment.registry import find
from workbench.tasks.base import Examples, Spec, Task

# What is measured, by name: the algorithm, and whether its inner steps are recomputed.
CASES = {"maml": ("maml", False), "maml, recomputed": ("maml", True), "imaml": ("imaml", False)}
INNER_STEPS = (1, 2, 4, 8, 16, 32)
WAYS, SHOTS, QUERIES = 5, 5, 5
RESULT = Path(__file__).parent / "results" / "memory.json"


def meta_gradient(name: str, steps: int, *, recompute: bool = False, filters: int = 64, side: int = 28
                  ) -> Callable[[], object]:
    """What computes the meta-gradient of one task of noise.

    Args:
        name: The algorithm.
        steps: Its inner steps.
        recompute: Whether they are computed again in the backward pass.
        filters: Of conv4 with stride 2.
        side: Of the pictures.
    """
    torch.manual_seed(0)
    spec = Spec("classification", "image", (1, side, side), outputs=WAYS, classes=WAYS)
    kind: Any = find("algorithm", name)
    config = kind.Config(inner_steps=steps)
    algorithm: Algorithm[Any] = kind(config, Network(kind.build(config, Conv4(Conv4Config(filters=filters), spec),
                                                                spec)), spec)
    meta = algorithm.init(torch.Generator().manual_seed(0))

    def examples(count: int) -> Examples:
        return Examples(torch.randn(WAYS * count, *spec.input_shape), torch.arange(WAYS).repeat_interleave(count))

    task = Task(examples(SHOTS), examples(QUERIES))
    ctx = Context(steps, WAYS, training=True, reference=None, progress=0.0, key=torch.zeros((), dtype=torch.int64),
                  recompute=recompute)
    if kind.meta_gradient is not Algorithm.meta_gradient:
        return lambda: algorithm.meta_gradient(meta, task, ctx)

    def backward() -> object:
        # An ordinary backward pass frees what it has used as it goes, which is the least that unrolling can hold.
        params = {name: value.clone().requires_grad_() for name, value in meta.params.items()}
        with torch.enable_grad():
            loss, _ = algorithm.meta_loss(meta._replace(params=params), task, ctx)
        return torch.autograd.grad(loss, list(params.values()), materialize_grads=True)

    return backward


def main() -> None:
    """Write the peaks of every algorithm at every number of inner steps, each from a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.child:
        name, steps = said.child
        algorithm, again = CASES[name]
        torch.set_num_threads(1)
        print(peak_bytes(meta_gradient(algorithm, int(steps), recompute=again)))
        return
    found: dict[str, Any] = {
        "what": "peak bytes that torch holds during one meta-gradient of one task, beyond parameters and data",
        "task": f"{WAYS}-way {SHOTS}-shot, {QUERIES} queries a class, 28×28 pixels, float32",
        "network": "conv4, 64 filters, stride 2, transductive normalization",
        "machine": processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "inner_steps": INNER_STEPS,
    }
    for name in CASES:
        peaks = [_alone(name, steps) for steps in INNER_STEPS]
        found[name] = {"peak_mib": [round(peak / 2**20, 2) for peak in peaks],
                       "growth": round(peaks[-1] / peaks[0], 3)}
        print(name, *found[name]["peak_mib"])
    RESULT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf8")


def _alone(name: str, steps: int) -> int:
    return int(output_of([sys.executable, "-m", "tests.benchmarks.memory", "--child", name, str(steps)]))


if __name__ == "__main__":
    ended(main)
