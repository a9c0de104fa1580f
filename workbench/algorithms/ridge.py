"""A closed-form head: ridge regression on learned features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Context, Meta
from workbench.backbones.base import Backbone
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Spec


class RidgeConfig(Choice):
    """Where the learned numbers of the head begin."""

    name: Literal["ridge"] = "ridge"
    regularization: float = field(50.0, label="Regularization", help="First value of λ, which is learned: how much the "
                                  "head is held to be small.", gt=0, le=1e6, log=True,
                                  source="Bertinetto et al. 2019, code")
    scale: float = field(10.0, label="Scale", help="First value of a, which is learned: what the head's outputs are "
                         "multiplied with. Logits that fit 0 and 1 have to be scaled up before they can be certain.",
                         gt=0, le=1e4, log=True, source="Bertinetto et al. 2019, code for Omniglot")


class Ridge(Algorithm[RidgeConfig]):
    """Learns features on which ridge regression solves a new task in closed form. The outer loop differentiates through
    the solution, so that the features become those that a linear head generalizes from. Nothing iterates: a task
    costs one pass through the network and one small system of equations.

    **Update rule.** With X the support features and a column of ones, and Y the one-hot labels or the values: W =
    Xᵀ(XXᵀ + λI)⁻¹Y, or the same by (XᵀX + λI)⁻¹XᵀY where there are more examples than features; the answer is a ·
    [f_θ(x), 1] W + b. The outer loop learns θ, a, b and the logarithm of λ.

    **Source.** Bertinetto, Henriques, Torr and Vedaldi 2019 (R2-D2), section 3. The paper learns λ; its code keeps it
    at 50 and divides X and Y by √n, which is left out here. Its a begins at 10 on Omniglot and at 0.0001 on
    mini-ImageNet.

    **Try.** More ways in training than in testing; features as wide as they come, for they cost little.

    **Goes wrong.** λ is as large or small as the features make it: where these are many or large, as with max-pooled
    maps of colour pictures, a λ that begins a hundred times larger helps. Trained at one number of shots it loses a
    little at another, since λ was learned for the former.
    """

    Config = RidgeConfig
    title = "Ridge regression (R2-D2)"
    source = "Bertinetto 2019"
    any_ways = True
    iterates = False

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """Many small steps; values are to be met as they are, and logits are to become certain."""
        if kind == "classification":
            return {"training.meta_batch": 8, "training.outer_lr": 0.002}
        return {"training.outer_lr": 0.002, "algorithm.regularization": 0.1, "algorithm.scale": 1.0}

    @classmethod
    def build(cls, config: RidgeConfig, backbone: Backbone, spec: Spec) -> nn.Module:  # noqa: ARG003 - no head
        """The backbone alone."""
        return backbone

    def init(self, generator: torch.Generator) -> Meta:
        """The backbone's parameters, and the three numbers of the head."""
        meta = super().init(generator)
        head = {"ridge/log_regularization": math.log(self.config.regularization), "ridge/scale": self.config.scale,
                "ridge/shift": 0.0}
        return meta._replace(params=meta.params | {name: torch.tensor(value) for name, value in head.items()})

    def start(self, meta: Meta, support: Examples, ctx: Context) -> dict[str, Tensor]:
        """The solved head [width + 1, outputs]."""
        features = with_one(self.network(meta.params, support.inputs))
        x, y = in_double(features), support.targets
        if self.spec.kind == "classification":
            y = y.unsqueeze(-1) == torch.arange(ctx.ways, device=y.device)
        y = y.to(x.dtype)
        examples, width = x.shape
        regularization = meta.params["ridge/log_regularization"].to(x.dtype).exp()
        # Both are the same matrix; whichever system is the smaller is solved.
        if examples <= width:
            head = x.T @ solved(x @ x.T + regularization * identity(examples, x), y)
        else:
            head = solved(x.T @ x + regularization * identity(width, x), x.T @ y)
        return {"head": head.to(features.dtype)}

    def predict(self, meta: Meta, state: dict[str, Tensor], inputs: Tensor, ctx: Context) -> Tensor:
        """The head on the features of the inputs, scaled and shifted."""
        x = with_one(self.network(meta.params, inputs, ctx.reference))
        return meta.params["ridge/scale"] * (x @ state["head"]) + meta.params["ridge/shift"]


def with_one(features: Tensor) -> Tensor:
    """Features [n, width + 1] of which the last is 1, so that a head on them has a bias."""
    return F.pad(features, (0, 1), value=1.0)


def in_double(features: Tensor) -> Tensor:
    """The same in double precision, where the device has it: with little regularization single loses four digits."""
    return features if features.device.type == "mps" else features.double()


def solved(matrix: Tensor, right: Tensor) -> Tensor:
    """The solution of a system that has one, which a GPU is not waited for to see."""
    solution: Tensor = torch.linalg.solve_ex(matrix, right).result
    return solution


def identity(size: int, like: Tensor) -> Tensor:
    """The identity matrix [size, size] of the type and device of another tensor."""
    return torch.eye(size, dtype=like.dtype, device=like.device)
