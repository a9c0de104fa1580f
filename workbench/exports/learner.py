"""A trained learner, opened from a run or from an exported file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from workbench.algorithms.base import Algorithm, Meta
from workbench.engine import devices
from workbench.engine.events import Started
from workbench.engine.precision import refusal
from workbench.engine.session import Session, open_source, settled
from workbench.experiment.experiment import Experiment
from workbench.runs.files import RunFileError
from workbench.runs.store import Run
from workbench.tasks.base import Spec
from workbench.tasks.files.errors import DataError

_CPU = torch.device("cpu")


class LearnerError(ValueError):
    """A learner that cannot do what is asked of it; the message says why and what to do."""


@dataclass(frozen=True)
class Learner:
    """What was learned, and for what.

    Attributes:
        name: What to call it: the run, or the file.
        experiment: What it was trained by.
        meta: The meta-parameters that were best on validation.
        step: Outer steps behind them.
        spec: The tasks that it was trained for.
    """

    name: str
    experiment: Experiment
    meta: Meta
    step: int
    spec: Spec

    def on_this_machine(self) -> Learner:
        """The same with the device left to choose where this machine has not the one that it was trained on, and in
        single precision where that does not compute in what it was trained in."""
        experiment = self.experiment
        try:
            device = devices.choose(experiment.device)
        except devices.DeviceError:
            device = devices.choose("auto")
            experiment = experiment.model_copy(update={"device": "auto"})
        if refusal(experiment.training.precision, device):
            training = experiment.training.model_copy(update={"precision": "float32"})
            experiment = experiment.model_copy(update={"training": training})
        return self if experiment is self.experiment else replace(self, experiment=experiment)


def of_run(run: Run) -> Learner:
    """The best learner of a run.

    Raises:
        RunFileError: The run has none yet, or its file is damaged.
        DataError: Its record is lost, and its dataset cannot be opened to see what it was trained for.
    """
    meta, step = run.best_meta()
    experiment = run.experiment()
    return Learner(run.id, experiment, meta, step, _recorded_spec(run) or open_source(experiment, _CPU).spec)


def _recorded_spec(run: Run) -> Spec | None:
    """The tasks as the first line of the record tells them; None where it is damaged."""
    try:
        first = next(iter(run.events()), None)
    except (OSError, RunFileError):
        return None
    return first.spec if isinstance(first, Started) else None


def open_session(learner: Learner, experiment: Experiment) -> Session:
    """The experiment opened for judging a learner that may have been trained by another.

    Raises:
        LearnerError: The learner's parameters do not fit the experiment's network, or the experiment would judge it on
            classes that it was trained on.
        DataError, DeviceError: The experiment cannot be run here.
    """
    if experiment.algorithm == learner.experiment.algorithm:
        # Other tasks are judged with the network that the trained ones decided on.
        experiment = experiment.model_copy(update={"algorithm": settled(learner.experiment).algorithm})
    session = Session(experiment, classes=learner.spec.classes)
    try:
        check_fit(learner, session.algorithm, session.spec)
        _check_unseen(learner, session)
        _check_labels(learner, session)
    except LearnerError:
        session.close()
        raise
    return session


def _check_unseen(learner: Learner, session: Session) -> None:
    """Raise LearnerError where other settings bring classes of the training into the test."""
    before, now = learner.experiment, session.experiment
    if now.dataset.name != before.dataset.name:
        return
    if (now.dataset, now.task, now.training_task()) == (before.dataset, before.task, before.training_task()):
        return
    try:
        trained = open_source(before, _CPU)
    except DataError:
        return  # the data that it was trained on is gone, and with it what could be compared
    if trained.holds_out_examples and session.source.holds_out_examples:
        return  # the same classes are what was asked for, and their examples are shared out in one way only
    seen = sorted(trained.names("train") & session.source.names("test"))
    if seen:
        names = ", ".join(seen[:3]) + (f" and {len(seen) - 3} more" if len(seen) > 3 else "")
        raise LearnerError(f"{learner.name} was trained on {len(seen)} of the classes that these settings test on "
                           f"({names}); leave task.ways, task.shots, task.queries and the split of the dataset as they "
                           "were trained, or name a folder of other classes")


def _check_labels(learner: Learner, session: Session) -> None:
    """Raise LearnerError where what is tested on examples of its training classes would meet others."""
    known, asked = learner.spec.classes, session.source.spec.classes
    if session.algorithm.tested_on == "examples" and known != asked:
        raise LearnerError(f"{learner.name} tells {known} classes apart and these data have {asked}; leave the dataset "
                           "as it was trained")


def check_fit(learner: Learner, algorithm: Algorithm[Any], spec: Spec) -> None:
    """Raise LearnerError where the learner's parameters do not fit the algorithm's network."""
    wanted = algorithm.init(torch.Generator().manual_seed(0))
    for own, other in zip(learner.meta, wanted, strict=True):
        if own.keys() != other.keys():
            raise LearnerError(f"{learner.name} holds other parameters than {algorithm.title} with this backbone has; "
                               "leave algorithm and backbone as they were trained")
        for name, value in own.items():
            if value.shape == other[name].shape:
                continue
            if name.startswith("head.") and value.shape[1:] == other[name].shape[1:]:
                raise LearnerError(f"{learner.name} has {len(value)} outputs and this needs {spec.outputs}; leave "
                                   f"task.ways at {len(value)}, or train a learner that takes any number of classes, "
                                   "such as protonet")
            raise LearnerError(f"{learner.name} does not fit {'×'.join(map(str, spec.input_shape))} inputs and this "
                               f"backbone: {name} is {list(value.shape)} and would have to be "
                               f"{list(other[name].shape)}; leave the backbone and the size of the inputs as they "
                               "were trained")


def path_of(name: str) -> Path | None:
    """The exported file that a name stands for; None where it stands for a run."""
    path = Path(name).expanduser()
    return path if path.suffix == ".safetensors" or path.is_file() else None
