"""Measures a large folder of pictures, from the first look to a meta-batch: `python -m tests.benchmarks.pictures`.

It makes 60,000 small pictures in 100 class folders in a temporary folder, and measures in a process of its own each:
the first opening, which decodes them into the cache; opening them again; the memory beyond the mapped pages; and
drawing a meta-batch of 16 tasks as uint8 from the warm cache, and normalized as training gets it. Run it with nothing
else at work.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image

from tests.benchmarks.commands import count, ended, file_to_write
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.sampling.classes import ClassTasks

CLASSES, PICTURES, SIDE = 100, 60_000, 84
TASK = {"ways": 5, "shots": 5, "queries": 15}
TASKS, BATCHES, OPENINGS = 16, 50, 3
RESULT = Path(__file__).parent / "results" / "pictures.json"


def make_pictures(root: Path, count: int) -> None:
    """Write jpegs of 84×84 in class folders; a few hundred different ones, as writing is not what is measured."""
    chance = np.random.default_rng(0)
    contents = []
    for _ in range(300):
        file = io.BytesIO()
        tiles = chance.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(tiles).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        contents.append(file.getvalue())
    for number in range(CLASSES):
        folder = root / f"class {number:03}"
        folder.mkdir(parents=True)
        for place in range(count // CLASSES):
            (folder / f"{place:05}.jpg").write_bytes(contents[(7 * number + place) % len(contents)])


def opened(root: Path) -> ClassTasks:
    """The pictures as a run would open them."""
    kind = find("dataset", "image_folder")
    assert issubclass(kind, ClassTasks)
    experiment = resolve({"dataset": {"name": "image_folder", "path": str(root)}, "task": TASK,
                          "algorithm": {"name": "protonet"},
                          "training": {"ways": None, "shots": None, "queries": None}})
    return kind(experiment, torch.device("cpu"))


def own_memory() -> int:
    """Bytes of this process that are no pages of mapped files."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def measured(root: Path) -> dict[str, Any]:
    """What one process measures on pictures that may lie in the cache or not."""
    before, started = own_memory(), time.perf_counter()
    source = opened(root)
    result: dict[str, Any] = {"open_seconds": round(time.perf_counter() - started, 3)}
    draws: dict[str, Callable[[range], object]] = {
        "uint8": lambda indices: source.gather(source.rows("train", indices).ravel()),
        "normalized": lambda indices: source.sample("train", indices)}
    for name, draw in draws.items():
        for batch in range(BATCHES):  # the pages are mapped, and memory is there
            draw(range(TASKS * batch, TASKS * (batch + 1)))
        times = []
        for batch in range(BATCHES):
            start = time.perf_counter()
            draw(range(TASKS * batch, TASKS * (batch + 1)))
            times.append(1000 * (time.perf_counter() - start))
        result[f"batch_{name}_ms"] = {"median": round(float(np.median(times)), 2), "least": round(min(times), 2)}
    result["memory_mib"] = round((own_memory() - before) / 2**20, 1)
    return result


def main() -> None:
    """Make the pictures, measure, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=count, default=PICTURES, help="how many to make; fewer for a trial")
    parser.add_argument("--to", type=file_to_write, default=RESULT, help="the file to write")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        print(json.dumps(measured(arguments.folder)))
        return
    with tempfile.TemporaryDirectory() as place:
        root, cache = Path(place) / "pictures", Path(place) / "cache"
        make_pictures(root, arguments.pictures)
        command = [sys.executable, "-m", "tests.benchmarks.pictures", "--folder", str(root)]
        runs = [json.loads(subprocess.run(command, env={**os.environ, "XDG_CACHE_HOME": str(cache)}, check=True,
                                          capture_output=True, text=True).stdout) for _ in range(1 + OPENINGS)]
    again = [run["open_seconds"] for run in runs[1:]]
    best = min(runs[1:], key=lambda run: run["batch_uint8_ms"]["median"])
    arguments.to.write_text(json.dumps({
        "what": "a folder of small jpegs by class: indexing and decoding it, opening it again, drawing from it",
        "pictures": arguments.pictures, "classes": CLASSES, "side": SIDE, "task": {**TASK, "tasks": TASKS},
        "machine": platform.machine(), "cores": os.cpu_count(), "system": platform.system(),
        "python": platform.python_version(), "torch": torch.__version__, "threads": torch.get_num_threads(),
        "index_and_cache_seconds": runs[0]["open_seconds"],
        "open_again_seconds": {"least": min(again), "median": sorted(again)[len(again) // 2], "each": again},
        "memory_beyond_mapped_mib": {"first": runs[0]["memory_mib"],
                                     "again": max(run["memory_mib"] for run in runs[1:])},
        "meta_batch_ms": {name: best[f"batch_{name}_ms"] for name in ("uint8", "normalized")},
    }, indent=1) + "\n", encoding="utf-8")
    print(arguments.to.read_text(encoding="utf-8"))


if __name__ == "__main__":
    ended(main)
