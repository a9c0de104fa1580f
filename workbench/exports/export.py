"""A learner as one file that plain PyTorch can read: its parameters, and all that is needed to use them."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

import workbench
from workbench.algorithms.base import Algorithm, Found, Meta
from workbench.engine.session import build
from workbench.experiment.experiment import Experiment
from workbench.experiment.mistakes import first_finding
from workbench.experiment.resolve import resolve, to_tables, unnamed
from workbench.exports.help import update_rule
from workbench.exports.learner import Learner, LearnerError, check_fit, of_run
from workbench.runs.files import RunFileError, read_tensors, write_tensors
from workbench.runs.store import Run
from workbench.tasks.base import Spec

FORMAT = "meta-learning-workbench export"
VERSION = 1
SUFFIX = ".safetensors"
FOUND_FORMAT = "meta-learning-workbench found network"
FOUND_SUFFIX = f".found{SUFFIX}"
_BUFFERS = "buffers/"


def export_run(run: Run, path: Path) -> dict[str, Any]:
    """Write the best learner of a run as a safetensors file.

    Parameters carry their module's own names, such as "backbone.convolutions.0.weight"; what the algorithm carries
    beside them stands under "buffers/". The manifest is JSON under "about" in the file's metadata. Where a network was
    found in a larger one, a second file beside it holds that network alone; the manifest names it under found.file.

    Args:
        run: The run.
        path: The file, which ends in .safetensors; an earlier export there is replaced.

    Returns:
        The manifest.

    Raises:
        LearnerError: The file may not be written there.
        RunFileError, DataError: The run or its dataset cannot be read.
    """
    _check_target(path, FORMAT)
    learner = of_run(run)
    _, algorithm = build(learner.experiment, learner.spec)
    found = algorithm.found(learner.meta)
    about = _manifest(run, learner, algorithm)
    if found is not None:
        beside = path.with_name(path.name.removesuffix(SUFFIX) + FOUND_SUFFIX)
        _check_target(beside, FOUND_FORMAT)
        _write(beside, found.params, _found_manifest(about, found))
        about["found"] = {**found.structure, "file": beside.name}
    _write(path, _tensors(learner.meta), about)
    return about


def _write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    try:
        write_tensors(path, tensors, about)
    except OSError as error:
        raise LearnerError(f"{path}: cannot be written ({error}); name another place, or make room there") from error


def _check_target(path: Path, kind: str) -> None:
    if path.suffix != SUFFIX:
        raise LearnerError(f"{path}: an export is a safetensors file; name it {path.stem or 'learner'}{SUFFIX}")
    if not path.parent.is_dir():
        raise LearnerError(f"{path.parent} is no folder; make it first, or name another")
    if not path.exists():
        return
    if not path.is_file():
        raise LearnerError(f"{path} is no file that could be replaced; name another")
    try:
        about = read_tensors(path)[1]
    except RunFileError:
        about = {}
    if not _is_export(about, kind):
        raise LearnerError(f"{path} exists and is no export, so it is not overwritten; name another file")


def _is_export(about: Any, kind: str = FORMAT) -> bool:
    return isinstance(about, dict) and about.get("format") == kind


def _tensors(meta: Meta) -> dict[str, Tensor]:
    return {**meta.params, **{_BUFFERS + name: value for name, value in meta.buffers.items()}}


def _manifest(run: Run, learner: Learner, algorithm: Algorithm[Any]) -> dict[str, Any]:
    experiment, spec, summary = learner.experiment, learner.spec, run.summary()
    tables = to_tables(experiment)
    result = None
    if summary.mean is not None:
        result = {"metric": summary.metric, "mean": summary.mean, "ci95": summary.ci95, "tasks": summary.tasks}
    return {
        "format": FORMAT, "version": VERSION, "run": run.id, "step": learner.step,
        "algorithm": tables["algorithm"], "backbone": tables["backbone"], "task": tables["task"],
        "spec": asdict(spec), "inner": inner_loop(learner, algorithm), "found": None,
        "result": result, "experiment": tables, "versions": versions(),
    }


def _found_manifest(about: dict[str, Any], found: Found) -> dict[str, Any]:
    """What a found network alone tells; the test result is the larger network's, so it is left out."""
    same = ("version", "run", "step", "backbone", "task", "spec", "versions")
    steps = {name: about["inner"][name] for name in ("loss", "steps", "training_steps")}
    return {"format": FOUND_FORMAT, **{name: about[name] for name in same}, "found": found.structure,
            "inner": found.inner | steps}


def inner_loop(learner: Learner, algorithm: Algorithm[Any]) -> dict[str, Any] | None:
    """The inner loop as an export tells it, with the steps of testing; None where nothing iterates."""
    shape = learner.experiment.task
    examples = shape.shots * (shape.ways if learner.spec.kind == "classification" else 1)
    steps, training = (algorithm.inner_steps(training=training, examples=examples) for training in (False, True))
    if not algorithm.iterates or not (steps or training):
        return None
    loss = "mean cross-entropy" if learner.spec.kind == "classification" else "mean squared error"
    return {"rule": update_rule(type(algorithm)), "loss": loss, **algorithm.inner_loop(), "steps": steps,
            "training_steps": training}


def versions() -> dict[str, str]:
    """Versions of what computed the numbers."""
    return {"workbench": workbench.__version__, "python": platform.python_version(), "torch": torch.__version__,
            "numpy": version("numpy"), "safetensors": version("safetensors")}


def load_export(path: Path) -> Learner:
    """The learner in a file that `export_run` wrote; its dataset need not be there.

    Raises:
        RunFileError: The file is missing or damaged.
        LearnerError: It is no export, a newer or a damaged one, or its parameters do not fit what its manifest says.
        ExperimentError: Its algorithm or backbone is not installed here.
    """
    tensors, about = read_tensors(path)
    if _is_export(about, FOUND_FORMAT):
        raise LearnerError(f"{path} is a found network alone, for plain PyTorch; give the export that it lies beside, "
                           "or the run")
    if not _is_export(about):
        raise LearnerError(f"{path} is no export; make one with `workbench export`")
    experiment, spec, step = _read_manifest(path, about)
    meta = Meta({name: value for name, value in tensors.items() if not name.startswith(_BUFFERS)},
                {name.removeprefix(_BUFFERS): value for name, value in tensors.items() if name.startswith(_BUFFERS)})
    learner = Learner(path.name, experiment, meta, step, spec)
    try:
        check_fit(learner, build(experiment, spec)[1], spec)
    except LearnerError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise _damaged(path, f"its tasks fit no network: {error}") from error
    return learner


def _read_manifest(path: Path, about: dict[str, Any]) -> tuple[Experiment, Spec, int]:
    """What of the manifest is needed to use the learner."""
    number, step, tables = about.get("version"), about.get("step"), about.get("experiment")
    if type(number) is not int or number < 1:
        raise _damaged(path, f"version is {number!r} and no number of a version")
    if number > VERSION:
        made_by = about.get("versions")
        made_by = made_by.get("workbench") if isinstance(made_by, dict) else f"version {number} of the file"
        raise LearnerError(f"{path} was made by a newer workbench ({made_by}); update this one")
    if type(step) is not int or step < 0:
        raise _damaged(path, f"step is {step!r} and no number of steps")
    if missing := unnamed(tables):
        raise _damaged(path, f"experiment names no {' and no '.join(missing)}")
    return resolve(tables or {}), _read_spec(path, about.get("spec")), step


def _read_spec(path: Path, table: Any) -> Spec:
    try:
        spec = TypeAdapter(Spec).validate_python(table)
    except ValidationError as error:
        raise _damaged(path, first_finding(error, "spec")) from error
    rank = {"image": 3, "series": 2, "vector": 1}[spec.input_kind]
    if len(spec.input_shape) != rank or min(spec.input_shape) < 1 or spec.outputs < 1:
        raise _damaged(path, f"spec tells of inputs of {list(spec.input_shape)} and {spec.outputs} outputs")
    if any(len(values) not in (1, spec.input_shape[0]) for values in (spec.mean, spec.deviation)):
        raise _damaged(path, "spec has not one mean and deviation a channel")
    return spec


def _damaged(path: Path, why: str) -> LearnerError:
    return LearnerError(f"{path}: its manifest is damaged ({why}); export the run again")
