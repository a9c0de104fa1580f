"""The same for all: initial weights, tasks and settings, drawn once and handed on in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from workbench.engine.session import Session
from workbench.experiment.experiment import Experiment
from workbench.experiment.resolve import resolve, with_settings

PICTURES_CLASSES, PICTURES_EACH, PICTURES_SIDE = 20, 16, 84


@dataclass(frozen=True)
class About:
    """What a problem is, without its tensors.

    Attributes:
        settings: The experiment, as on the command line of the program.
        method: maml, protonet or reptile.
        kind: classification or regression.
        tasks, steps, inner_lr, outer_lr: Of the meta-batch, the inner loop and the outer step.
        outputs: Ways, or target dimensions.
        input_shape: Of one input.
        network: What the network is, as plain values: its name and settings.
    """

    settings: tuple[str, ...]
    method: str
    kind: str
    tasks: int
    steps: int
    inner_lr: float
    outer_lr: float
    outputs: int
    input_shape: tuple[int, ...]
    network: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """One meta-batch and where training begins.

    Attributes:
        about: What it is.
        params: Initial weights by our names, in the order of the network.
        support, query: Inputs [tasks, n, ...] and targets [tasks, n, ...].
        keys: [tasks] of ours.
    """

    about: About
    params: dict[str, Tensor]
    support: tuple[Tensor, Tensor]
    query: tuple[Tensor, Tensor]
    keys: Tensor

    @property
    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Mean cross-entropy or squared error, from (outputs, targets)."""
        return F.cross_entropy if self.about.kind == "classification" else F.mse_loss

    def task(self, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Support inputs and targets, query inputs and targets."""
        return self.support[0][index], self.support[1][index], self.query[0][index], self.query[1][index]

    def to(self, device: str, dtype: torch.dtype) -> Problem:
        """A copy elsewhere; whole numbers stay whole."""
        def moved(value: Tensor) -> Tensor:
            return value.to(device, dtype if value.is_floating_point() else None, copy=True)

        return replace(self, params={name: moved(value) for name, value in self.params.items()},
                       support=(moved(self.support[0]), moved(self.support[1])),
                       query=(moved(self.query[0]), moved(self.query[1])), keys=moved(self.keys))

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        named = {"support/inputs": self.support[0], "support/targets": self.support[1], "query/inputs": self.query[0],
                 "query/targets": self.query[1], "keys": self.keys,
                 **{f"params/{name}": value for name, value in self.params.items()}}
        order = json.dumps(list(self.params))
        save_file({name: value.contiguous() for name, value in named.items()}, path,
                  {"about": json.dumps(asdict(self.about)), "order": order})


def load(path: Path) -> Problem:
    """What `Problem.save` wrote."""
    with safe_open(path, "pt") as file:
        said = file.metadata()
        about = json.loads(said["about"])
        about = About(**{**about, "settings": tuple(about["settings"]), "input_shape": tuple(about["input_shape"])})
        params = {name: file.get_tensor(f"params/{name}") for name in json.loads(said["order"])}
        support, query = ((file.get_tensor(f"{part}/inputs"), file.get_tensor(f"{part}/targets"))
                          for part in ("support", "query"))
        return Problem(about, params, support, query, file.get_tensor("keys"))


def experiment_of(settings: Sequence[str]) -> Experiment:
    """The experiment that the settings make."""
    return resolve(with_settings({}, list(settings)))


def draw(settings: Sequence[str], folder: Path) -> Problem:
    """Draw the weights and the first meta-batch of an experiment.

    Args:
        settings: As on the command line. Omniglot is found through WORKBENCH_OMNIGLOT; without it, the built-in
            glyphs, which are of the same shape, take its place.
        folder: Where pictures of noise may be made.
    """
    settings = list(settings)
    if "dataset=omniglot" in settings and not os.environ.get("WORKBENCH_OMNIGLOT"):
        settings[settings.index("dataset=omniglot")] = "dataset=glyphs"
    if "dataset=array_pictures" in settings:
        settings.append(f"dataset.path={_pictures(folder)}")
    settings.append("device=cpu")
    experiment = experiment_of(settings)
    session = Session(experiment)
    try:
        batch, keys = session.batch("train", range(experiment.training.meta_batch))
        about = About(
            tuple(settings), experiment.algorithm.name, session.spec.kind, experiment.training.meta_batch,
            session.inner_steps(training=True), float(getattr(experiment.algorithm, "inner_lr", 0.0)),
            experiment.training.outer_lr, session.setting(training=True).ways, tuple(session.spec.input_shape),
            experiment.backbone.model_dump(mode="json"))
        return Problem(about, session.init().params, tuple(batch.support), tuple(batch.query), keys)
    finally:
        session.close()


def _pictures(folder: Path) -> Path:
    """A file of colour pictures of noise around a picture of each class."""
    path = folder / "pictures.npz"
    if not path.exists():
        random = np.random.default_rng(0)
        shape = (PICTURES_SIDE, PICTURES_SIDE, 3)
        classes = random.integers(0, 200, (PICTURES_CLASSES, 1, *shape))
        x = (classes + random.integers(0, 56, (PICTURES_CLASSES, PICTURES_EACH, *shape))).astype(np.uint8)
        y = np.repeat([f"class{number:02}" for number in range(PICTURES_CLASSES)], PICTURES_EACH)
        np.savez(path, x=x.reshape(-1, *shape), y=y)
    return path
