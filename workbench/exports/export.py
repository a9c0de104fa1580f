"""A learner as one file that plain PyTorch can read: its parameters, and all that is needed to use them."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import workbench
from workbench.algorithms.base import Meta
from workbench.engine.session import build
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve, to_tables
from workbench.exports.learner import Learner, LearnerError, check_fit, of_run
from workbench.runs.files import RunFileError, read_tensors, write_tensors
from workbench.runs.store import Run
from workbench.tasks.base import Spec

FORMAT = "meta-learning-workbench export"
VERSION = 1
SUFFIX = ".safetensors"
_BUFFERS = "buffers/"


def export_run(run: Run, path: Path) -> dict[str, Any]:
    """Write the best learner of a run as a safetensors file.

    Parameters carry their module's own names, such as "backbone.convolutions.0.weight"; what the algorithm carries
    beside them stands under "buffers/". The manifest is JSON under "about" in the file's metadata.

    Args:
        run: The run.
        path: The file, which ends in .safetensors; an earlier export there is replaced.

    Returns:
        The manifest.

    Raises:
        LearnerError: The file may not be written there.
        RunFileError, DataError: The run or its dataset cannot be read.
    """
    _check_target(path)
    learner = of_run(run)
    about = _manifest(run, learner)
    write_tensors(path, _tensors(learner.meta), about)
    return about


def _check_target(path: Path) -> None:
    if path.suffix != SUFFIX:
        raise LearnerError(f"{path}: an export is a safetensors file; name it {path.stem or 'learner'}{SUFFIX}")
    if not path.parent.is_dir():
        raise LearnerError(f"{path.parent} is no folder; make it first, or name another")
    if not path.exists():
        return
    try:
        about = read_tensors(path)[1]
    except RunFileError:
        about = {}
    if about.get("format") != FORMAT:
        raise LearnerError(f"{path} exists and is no export, so it is not overwritten; name another file")


def _tensors(meta: Meta) -> dict[str, Tensor]:
    return {**meta.params, **{_BUFFERS + name: value for name, value in meta.buffers.items()}}


def _manifest(run: Run, learner: Learner) -> dict[str, Any]:
    experiment, spec, summary = learner.experiment, learner.spec, run.summary()
    tables = to_tables(experiment)
    result = None
    if summary.mean is not None:
        result = {"metric": summary.metric, "mean": summary.mean, "ci95": summary.ci95, "tasks": summary.tasks}
    return {
        "format": FORMAT, "version": VERSION, "run": run.id, "step": learner.step,
        "algorithm": tables["algorithm"], "backbone": tables["backbone"], "task": tables["task"],
        "spec": asdict(spec), "inner": _inner(learner, spec), "result": result, "experiment": tables,
        "versions": versions(),
    }


def _inner(learner: Learner, spec: Spec) -> dict[str, Any] | None:
    """The inner loop as it is run in testing; None where nothing iterates."""
    config = learner.experiment.algorithm
    if not find("algorithm", config.name).iterates:
        return None
    _, algorithm = build(learner.experiment, spec)
    return {
        "optimizer": getattr(config, "inner_optimizer", "sgd"), "lr": getattr(config, "inner_lr", None),
        "steps": algorithm.inner_steps(training=False), "training_steps": algorithm.inner_steps(training=True),
        "loss": "mean cross-entropy" if spec.kind == "classification" else "mean squared error",
    }


def versions() -> dict[str, str]:
    """Versions of what computed the numbers."""
    return {"workbench": workbench.__version__, "python": platform.python_version(), "torch": torch.__version__,
            "numpy": version("numpy"), "safetensors": version("safetensors")}


def load_export(path: Path) -> Learner:
    """The learner in a file that `export_run` wrote; its dataset need not be there.

    Raises:
        RunFileError: The file is missing or damaged.
        LearnerError: It is no export, a newer one, or its parameters do not fit what its manifest says.
        ExperimentError: Its algorithm or backbone is not installed here.
    """
    tensors, about = read_tensors(path)
    if about.get("format") != FORMAT:
        raise LearnerError(f"{path} is no export; make one with `workbench export`")
    if about["version"] > VERSION:
        raise LearnerError(f"{path} was made by a newer workbench ({about['versions']['workbench']}); update this one")
    experiment = resolve(about["experiment"])
    spec = Spec.of(about["spec"])
    meta = Meta({name: value for name, value in tensors.items() if not name.startswith(_BUFFERS)},
                {name.removeprefix(_BUFFERS): value for name, value in tensors.items() if name.startswith(_BUFFERS)})
    learner = Learner(path.name, experiment, meta, about["step"], spec)
    check_fit(learner, build(experiment, spec)[1], spec)
    return learner
