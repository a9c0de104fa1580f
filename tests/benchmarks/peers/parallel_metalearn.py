"""parallel-metalearn 0.5.6, as in its README: a wrapped network, a loss, an inner optimizer and a meta-learner."""

from __future__ import annotations

from itertools import repeat

import torch
import torch.nn.functional as F  # noqa: N812
from metalearn.algorithms import MAML, PrototypicalNetwork, Reptile
from metalearn.inner_optimizers import InnerSGD
from metalearn.loss import CategoricalAccuracy, CrossEntropy
from metalearn.loss.base import BaseLoss
from metalearn.model_wrappers import MAML_Model, ProtoNet_Model
from metalearn.nn_models.basic_layers import BatchNorm
from torch import Tensor, nn

from tests.benchmarks.peers.candidate import Candidate, OnModule
from tests.benchmarks.peers.networks import body, taken_over
from tests.benchmarks.peers.problem import Problem


def _norm(channels: int) -> nn.Module:
    """Its batch normalization, which it asks for in place of torch's."""
    return BatchNorm(channels, track_running_stats=False)


class _Head(nn.Linear):
    """A linear head that takes and ignores what its wrapper hands on."""

    def forward(self, x: Tensor, **_: object) -> Tensor:
        return super().forward(x)


class _SquaredError(BaseLoss):
    """What it has no loss for, in the form that it asks for."""

    def forward(self, out_dict: dict[str, Tensor], targets: dict[str, Tensor], model_states: object = None,
                **_: object) -> tuple[Tensor, Tensor]:
        loss = F.mse_loss(out_dict["logits"], targets["labels"])
        return loss, loss.detach()


class Learner(OnModule):
    """One of its meta-learners in one of its backends."""

    def __init__(self, problem: Problem, backend: str) -> None:
        about, device = problem.about, problem.keys.device
        inner_body = body(about, _norm)
        if about.method == "protonet":
            net: nn.Module = ProtoNet_Model(inner_body, max_classes=about.outputs, latent_dim=inner_body.width)
        else:
            net = MAML_Model(inner_body, _Head(inner_body.width, about.outputs))
        super().__init__(problem, taken_over(net, problem.params.values()))
        loss = CrossEntropy(CategoricalAccuracy()) if about.kind == "classification" else _SquaredError()
        usual = {"model": self.net, "optimizer": self.outer, "chunk_size": about.tasks, "device": device,
                 "backend": backend}
        if about.method == "protonet":
            self.learner = PrototypicalNetwork(loss_fn=loss, **usual)
        else:
            inner = InnerSGD(self.net.get_fast_weights(), inner_lr=about.inner_lr, learn_lr=False,
                             first_order=about.method == "reptile").to(device, next(self.net.parameters()).dtype)
            kind = MAML if about.method == "maml" else Reptile
            self.learner = kind(inner_optimizer=inner, support_loss_fn=loss, inner_steps=about.steps, **usual)
        (x, y), (asked, answers) = problem.support, problem.query
        self.tasks = repeat((x, {"labels": y}, asked, {"labels": answers}))

    def step(self) -> None:
        """What its trainer does with every meta-batch."""
        with torch.enable_grad():
            self.loss, _ = self.learner.step(self.tasks, training=True)


def make(problem: Problem, way: str) -> Candidate:
    """The method's meta-learner in a backend."""
    return Learner(problem, way)
