"""What the process that trains and the one that prepares tell each other, by way of a folder."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Meta
from workbench.engine.acceleration.replay import Run, Script
from workbench.engine.executors.base import Setting
from workbench.tasks.base import TaskBatch

ORDER, PACKAGE, SCRIPT, FAILURE, SHAPE = "order", "step.pt2", "script", "failure.txt", "shape"


@dataclass(frozen=True)
class Order:
    """What is to be prepared.

    Attributes:
        kind: Whether it is to be replayed or compiled.
        algorithm: What learns.
        meta, batch, keys: Examples of what it will be given.
        setting: What is the same for every task.
        threads: Compute threads.
        device: Where it will run.
        precision: How GPUs multiply float32 there.
    """

    kind: Literal["replay", "compile"]
    algorithm: Algorithm[Any]
    meta: Meta
    batch: TaskBatch
    keys: Tensor
    setting: Setting
    threads: int
    device: str
    precision: Literal["float32", "tf32"]


def script_in(folder: Path) -> Script:
    """The script in a folder."""
    # Written by a process of ours, into a folder that is ours alone.
    found: Script = pickle.loads((folder / SCRIPT).read_bytes())  # noqa: S301
    return found


def compiled(folder: Path) -> Run:
    """What was compiled into a folder.

    This is what `torch._inductor.aoti_load_package` ends in, less two seconds of importing a compiler. On GPUs it runs
    on the one at hand.
    """
    loader = torch._C._aoti.AOTIModelPackageLoader(str(folder / PACKAGE), "model", True, 1, -1)
    run: Run = loader.run
    return run
