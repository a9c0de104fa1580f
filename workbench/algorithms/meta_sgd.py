"""Meta-SGD: an initialization, and a learned rate for every parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Context, Drawing, Meta, State
from workbench.algorithms.derivatives import grad
from workbench.backbones.base import Params
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Task

_LOWEST, _HIGHEST = 0.005, 0.1
_PREFIX = "rates/"


class MetaSGDConfig(Choice):
    """The inner loop of Meta-SGD, and where its rates start."""

    name: Literal["meta_sgd"] = "meta_sgd"
    inner_steps: int = field(1, label="Inner steps", help="Steps on the support set, all with the same learned rates. "
                             "Testing takes as many, for the rates fit no other number.", ge=1, le=100,
                             source="Li et al. 2017, algorithm 1")
    first_rates: Literal["uniform", "constant"] = field(
        "uniform", label="First rates", help="Where the learned rates start: drawn evenly between 0.005 and 0.1, or "
        "all at the inner rate.", choices={"uniform": "Uniform, 0.005 to 0.1", "constant": "All at the inner rate"},
        source="Li et al. 2017")
    inner_lr: float = field(0.1, label="Inner rate", help="Where every learned rate starts if the first rates are "
                            "constant; on the mean loss.", gt=0, le=1000, log=True,
                            needs={"first_rates": ("constant",)})


class MetaSGD(Algorithm[MetaSGDConfig]):
    """Learns an initialization and, for every single parameter of the network, the rate of its inner step. The rates
    say how fast a parameter moves and, where they turn negative, that it moves against its gradient. One step then
    does what takes MAML several, for twice as many numbers to learn.

    **Update rule.** Inner: θ_{s+1} = θ_s - a ∘ ∇ L_support(θ_s), entry by entry. Outer: (θ, a) ← (θ, a) - β ∇_(θ, a)
    mean over tasks of L_query(θ_S), second derivatives included.

    **Source.** Li, Zhou, Chen and Li 2017, algorithm 1, with rates that start between 0.005 and 0.1 as in its
    experiments; libraries often start them all at one constant, which is the other choice here. The rates are neither
    clamped nor decayed.

    **Try.** The drawing of the rates by layer, against MAML's one number; the same run with one inner step and with
    five.

    **Goes wrong.** Rates that were learned for one step are large: three steps of them diverge on sinusoids, so testing
    takes as many steps as training. Weights and rates share one clipped norm, so that a clip slows both.
    """

    Config = MetaSGDConfig
    title = "Meta-SGD"
    source = "Li 2017"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """Small meta-batches for pictures: many outer steps move the rates furthest in little time."""
        return {"training.meta_batch": 8, "training.outer_lr": 0.003} if kind == "classification" else {}

    def init(self, generator: torch.Generator) -> Meta:
        """The network's parameters, and a rate of the same shape for each."""
        meta = super().init(generator)
        rates = {_PREFIX + name: self._first(value, generator) for name, value in meta.params.items()}
        return meta._replace(params=meta.params | rates)

    def _first(self, value: Tensor, generator: torch.Generator) -> Tensor:
        if self.config.first_rates == "constant":
            return torch.full_like(value, self.config.inner_lr)
        return _LOWEST + (_HIGHEST - _LOWEST) * torch.rand(value.shape, generator=generator, dtype=value.dtype)

    def inner_loop(self) -> dict[str, Any]:
        """At learned rates."""
        return {"adapts": "all weights", "optimizer": "sgd",
                "rates": f"learned, one a weight, under {_PREFIX}"}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Params:  # noqa: ARG002
        """The initialization itself."""
        return self.network.own(meta.params)

    def inner_steps(self, *, training: bool, examples: int) -> int:  # noqa: ARG002
        """The same in training and in testing."""
        return self.config.inner_steps

    def step(self, meta: Meta, state: Params, support: Examples, ctx: Context) -> Params:  # noqa: ARG002
        """One step on the support loss, every parameter at its own rate."""
        gradient = grad(self.support_loss(support))(state)
        return {name: value - meta.params[_PREFIX + name] * gradient[name] for name, value in state.items()}

    def predict(self, meta: Meta, state: Params, inputs: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The network with the fast weights."""
        return self.network(state, inputs, ctx.reference)

    def drawings(self) -> dict[str, Drawing]:
        """The learned rates, and how many of them are negative."""
        names = tuple(name for name, _ in self.network.module.named_parameters())
        return {
            "rates": Drawing("Learned rates", "How fast each layer learns, and how much that differs within it.",
                             rows="parameter", columns="rates of its entries", values="rate", row_names=names,
                             column_names=("mean", "10th percentile", "90th percentile"), per_task=False),
            "against": Drawing("Against the gradient", "How much of each layer has learned a rate below zero, and so "
                               "moves up the loss.", rows="parameter", columns="", values="share of its entries",
                               row_names=names, per_task=False)}

    def draw(self, meta: Meta, state: State, task: Task, ctx: Context) -> Params:  # noqa: ARG002
        """Mean and percentiles, and the share below zero, one row a parameter."""
        rates = [meta.params[_PREFIX + name].flatten() for name, _ in self.network.module.named_parameters()]
        return {"rates": torch.stack([torch.stack([one.mean(), *_tails(one)]) for one in rates]),
                "against": torch.stack([(one < 0).to(one.dtype).mean() for one in rates]).unsqueeze(1)}


def _tails(values: Tensor) -> tuple[Tensor, Tensor]:
    """The tenth and the ninetieth percentile of [n], between neighbours as `torch.quantile` is, but for a map."""
    ordered, last = values.sort().values, len(values) - 1

    def at(share: float) -> Tensor:
        below = int(share * last)
        return torch.lerp(ordered[below], ordered[min(below + 1, last)], share * last - below)

    return at(0.1), at(0.9)
