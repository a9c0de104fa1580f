"""MAML++: what makes MAML train steadily, each a switch of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Aux, Context, Drawing, InnerLoop, Meta, adapt
from workbench.algorithms.derivatives import grad
from workbench.backbones.base import Network, Params, WithHead
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind, picked
from workbench.tasks.base import Examples, Spec, Task

_RATES = "rates/"
_BY_STEP = "steps/"
# The paper's code keeps three per cent of its first weight on every step until the multi-step loss ends.
_LEAST_WEIGHT = 0.03


class MAMLPlusPlusConfig(InnerLoop):
    """The inner loop of MAML++, and a switch for each of its parts."""

    name: Literal["maml_pp"] = "maml_pp"
    inner_steps: int = field(5, label="Inner steps", help="Gradient steps on the support set in training. Learned "
                             "rates and normalization have an entry for each.", ge=1, le=100,
                             source="Antoniou et al. 2019")
    inner_lr: float = field(0.1, label="Inner rate", help="Learning rate of the inner steps, on the mean loss; where "
                            "rates are learned, what they begin with.", gt=0, le=1000, log=True)
    multi_step_loss: bool = field(True, label="Multi-step loss", help="Judge the queries after every inner step, with "
                                  "weights that move to the last step as training goes on.",
                                  source="Antoniou et al. 2019, 4 (MSL)")
    multi_step_share: float = field(0.1, label="Multi-step share", help="Share of the training after which the last "
                                    "step alone counts.", gt=0, le=1, advanced=True, needs={"multi_step_loss": (True,)})
    learned_rates: bool = field(True, label="Learned rates", help="Learn a rate for every layer and inner step, its "
                                "sign included.", source="Antoniou et al. 2019, 4 (LSLR)")
    per_step_normalization: bool = field(True, label="Per-step normalization", help="Learn weight and bias of every "
                                         "normalization layer for each inner step; the inner loop leaves them alone.",
                                         source="Antoniou et al. 2019, 4 (BNWB)")
    order_annealing: bool = field(True, label="Order annealing", help="Begin with first-order gradients, which cost "
                                  "half, and go on with second-order ones.", source="Antoniou et al. 2019, 4 (DA)")
    first_order_share: float = field(0.5, label="First-order share", help="Share of the training that is first order.",
                                     ge=0, le=1, advanced=True, needs={"order_annealing": (True,)})


class MAMLPlusPlus(Algorithm[MAMLPlusPlusConfig]):
    """MAML with five remedies for its unsteady training, each a switch of its own. The queries are judged after every
    inner step, every layer learns a rate for each inner step, normalization has weights for each inner step, and
    second derivatives wait until the first half of training is over. The fifth, an outer rate that falls along a
    cosine, is `training.schedule`.

    **Update rule.** Inner: θ_{s+1} = θ_s - α_{l,s} ∇ L_support(θ_s) for the weights of layer l, with normalization
    weights γ_s, β_s that do not adapt. Outer: θ, α, γ and β follow the mean over tasks of Σ_s w_s L_query(θ_s). The
    weights w_s begin equal; those of the early steps fall linearly, and the last step takes what they lose.

    **Source.** Antoniou, Edwards and Storkey 2019, section 4. Paper and code differ, and the paper is followed: its
    code learns a rate for every tensor rather than layer, and its published settings leave order annealing out. As in
    the code, the queries after a step are normalized with that step's weights, and the early w_s stay above 0.03/S.
    Running statistics by step are left out, for its code too normalizes with the batch at hand; one learner is tested,
    not an ensemble of five. The cosine ends at zero rather than at a hundredth.

    **Try.** One switch at a time against all of them; the map of learned rates, where whole layers stop adapting or
    step uphill; more inner steps in testing, which use the last step's entries.

    **Goes wrong.** With all switches off it is MAML. An outer rate that is large beside the inner rate makes learned
    rates jump: look at their map.
    """

    Config = MAMLPlusPlusConfig
    title = "MAML++"
    source = "Antoniou 2019"

    def __init__(self, config: MAMLPlusPlusConfig, network: Network, spec: Spec) -> None:
        super().__init__(config, network, spec)
        self.changes = config.order_annealing or config.multi_step_loss
        module = cast("WithHead", network.module)
        normalizing = {f"backbone.{layer}.{name}" for layer, normalize in module.backbone.normalizers.items()
                       for name, _ in normalize.named_parameters()}
        names = [name for name, _ in module.named_parameters()]
        self._by_step = [name for name in names if name in normalizing] if config.per_step_normalization else []
        self._adapted = [name for name in names if name not in self._by_step]
        self._layers = tuple(dict.fromkeys(_layer(name) for name in self._adapted))

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """The cosine; for functions, which first-order gradients hardly learn, few of those and a clipped gradient.

        There the outer rate is the paper's, for the rates of the inner steps move by it too, and soon diverge.
        """
        if kind == "classification":
            return {"training.schedule": "cosine", "training.outer_lr": 0.003, "training.meta_batch": 8,
                    "algorithm.inner_lr": 0.1}
        return {"training.schedule": "cosine", "training.outer_lr": 0.001, "training.meta_batch": 25,
                "training.clip": 1.0, "training.iterations": 5000, "algorithm.inner_lr": 0.01,
                "algorithm.first_order_share": 0.1}

    @classmethod
    def idle(cls, config: MAMLPlusPlusConfig, experiment: Experiment) -> Mapping[str, str]:
        """Normalization weights where there is no normalization, and weights of steps where there is one step."""
        reasons = {}
        backbone = picked(experiment, "backbone")
        if not backbone.normalizes(experiment.backbone, experiment):
            reasons["algorithm.per_step_normalization"] = f"{backbone.title} has no normalization layers here"
        if config.inner_steps == 1:
            reason = "with one inner step there is no other to judge the queries after"
            reasons |= dict.fromkeys(("algorithm.multi_step_loss", "algorithm.multi_step_share"), reason)
        return reasons

    def init(self, generator: torch.Generator) -> Meta:
        """What adapts, a rate for each layer and step, and normalization weights [steps, channels] for their own."""
        meta, steps = super().init(generator), self.config.inner_steps
        params = {name: meta.params[name] for name in self._adapted}
        params |= {_BY_STEP + name: meta.params[name].expand(steps, -1).clone() for name in self._by_step}
        if self.config.learned_rates:
            params |= {_RATES + layer: torch.full((steps,), self.config.inner_lr) for layer in self._layers}
        return meta._replace(params=params)

    def inner_loop(self) -> dict[str, Any]:
        """At learned rates and with normalization of each step's own, where these are switched on."""
        told: dict[str, Any] = {"adapts": "all weights", "optimizer": "sgd"}
        if self._by_step:
            told |= {"adapts": "all weights but those of normalization",
                     "normalization": f"learned, a row of each weight an inner step, under {_BY_STEP}"}
        if self.config.learned_rates:
            return told | {"rates": f"learned, one a layer and inner step, under {_RATES}"}
        return told | super().inner_loop()

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Params:  # noqa: ARG002
        """The initialization of what adapts."""
        return {name: meta.params[name] for name in self._adapted}

    def step(self, meta: Meta, state: Params, support: Examples, ctx: Context) -> Params:
        """One step on the support loss, every layer at its rate of this step."""
        def loss(params: Params) -> Tensor:
            return self.loss(self.network(self._at(meta, params, ctx.step), support.inputs), support.targets)

        is_first_order = self.config.order_annealing and ctx.progress < self.config.first_order_share
        gradient = grad(loss, constant=is_first_order)(state)
        return {name: value - self._rate(meta, name, ctx.step) * gradient[name] for name, value in state.items()}

    def predict(self, meta: Meta, state: Params, inputs: Tensor, ctx: Context) -> Tensor:
        """The network with the fast weights, normalized as in the step behind them."""
        return self.network(self._at(meta, state, max(ctx.step - 1, 0)), inputs, ctx.reference)

    def meta_loss(self, meta: Meta, task: Task, ctx: Context) -> tuple[Tensor, Aux]:
        """Weighted sum of the query losses after the inner steps."""
        weights = (0.0, *self.step_weights(ctx))
        judged: list[tuple[Tensor, Tensor]] = []

        def watch(state: Params, now: Context) -> None:
            if weights[now.step]:
                outputs = self.predict(meta, state, task.query.inputs, now)
                judged.append((self.loss(outputs, task.query.targets), outputs))

        adapt(self, meta, task.support, ctx, watch)
        total = sum(weight * loss for weight, (loss, _) in zip(filter(None, weights), judged, strict=True))
        return cast("Tensor", total), self.aux(*judged[-1], task, meta.buffers, ctx)

    def step_weights(self, ctx: Context) -> tuple[float, ...]:
        """What the query loss after each inner step is multiplied with; they sum to one."""
        share = self.config.multi_step_share
        if not self.config.multi_step_loss or ctx.progress >= share:
            return (*[0.0] * (ctx.steps - 1), 1.0)
        early = max(1 - ctx.progress / share, _LEAST_WEIGHT) / ctx.steps
        return (*[early] * (ctx.steps - 1), 1 - early * (ctx.steps - 1))

    def drawings(self) -> dict[str, Drawing]:
        """The learned rates, where they are learned."""
        if not self.config.learned_rates:
            return {}
        return {"rates": Drawing(
            "Learned rates", "A layer near zero has stopped adapting at that step; a negative rate steps uphill.",
            rows="layer", columns="inner step", values="learning rate", row_names=self._layers,
            column_names=tuple(str(step + 1) for step in range(self.config.inner_steps)), per_task=False)}

    def draw(self, meta: Meta, state: Params, task: Task, ctx: Context) -> Params:  # noqa: ARG002
        """Rates [layers, inner steps]."""
        if not self.config.learned_rates:
            return {}
        return {"rates": torch.stack([meta.params[_RATES + layer] for layer in self._layers])}

    def _at(self, meta: Meta, adapted: Params, step: int) -> Params:
        """All of the network's parameters as they are at an inner step."""
        entry = min(step, self.config.inner_steps - 1)
        return {**adapted, **{name: meta.params[_BY_STEP + name][entry] for name in self._by_step}}

    def _rate(self, meta: Meta, name: str, step: int) -> float | Tensor:
        if not self.config.learned_rates:
            return self.config.inner_lr
        return meta.params[_RATES + _layer(name)][min(step, self.config.inner_steps - 1)]


def _layer(name: str) -> str:
    """The layer that a parameter belongs to: weight and bias share a rate."""
    return name.rpartition(".")[0]
