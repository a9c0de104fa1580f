"""Meta-learning of the structure: weights and architecture adapt together, and the structure hardens inside a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Aux, Context, Drawing, Found, Meta, Stage, adapt, noise
from workbench.algorithms.derivatives import grad, grad_and_value
from workbench.algorithms.inner import AnyInnerLoop, Fast, InnerOptimizer, begin, descend, inner_optimizer
from workbench.backbones.base import Backbone, Params
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Task

UNDECIDED = "undecided"
_ARCHITECTURE = "backbone.architecture."
# An operation that outweighs all others together is one that the slot has chosen.
_CLEAR = 0.5


class MetaNASConfig(AnyInnerLoop):
    """The inner loop over weights and architecture, and how the outer loop learns both."""

    name: Literal["meta_nas"] = "meta_nas"
    inner_steps: int = field(5, label="Inner steps", help="Steps of weights and architecture on one task in training.",
                             ge=1, le=1000, source="Elsken et al. 2020, code")
    inner_lr: float = field(0.1, label="Inner rate", help="Learning rate of the weights.", gt=0, le=1000, log=True)
    architecture_lr: float = field(0.1, label="Architecture rate", help="Inner learning rate of the architecture "
                                   "parameters.", ge=0, le=1000, log=True)
    inner_optimizer: InnerOptimizer = inner_optimizer("sgd", source="Elsken et al. 2020 have Adam")
    temperature: float = field(0.1, label="Final temperature", help="The softmax over operations begins a task at "
                               "temperature 1 and ends it at this one, which makes it choose.", gt=0, le=1, log=True,
                               source="Elsken et al. 2020, code for mini-ImageNet; 0.05 for Omniglot")
    warm_up: float = field(0.5, label="Warm-up", help="Share of the training in which only weights are learned, on an "
                           "even mixture.", ge=0, le=1, source="Elsken et al. 2020, code")
    outer: Literal["reptile", "fomaml"] = field(
        "fomaml", label="Outer update", help="Reptile moves weights and architecture towards those that a task ends "
        "at; first-order MAML along the gradient of the query loss there.",
        choices={"reptile": "Reptile", "fomaml": "First-order MAML"},
        source="Elsken et al. 2020 have Reptile, Lian et al. 2020 first-order MAML")
    architecture_outer: float = field(0.6, label="Architecture's outer share", help="What the outer rate is multiplied "
                                      "with for the architecture.", ge=0, le=100, advanced=True,
                                      source="Elsken et al. 2020, code")


class Searched(NamedTuple):
    """Weights and architecture of a task, each with what its inner optimizer remembers."""

    weights: Fast
    architecture: Fast


class MetaNAS(Algorithm[MetaNASConfig]):
    """Learns weights and structure of a network together, so that both adapt to a task in a few steps. Every slot mixes
    several operations, and the mixture hardens inside the task until about one operation a slot is left. No network
    is retrained after the search.

    **Update rule.** Slots compute Σ_o softmax(α / τ)_o · o(x). Inner: α ← α - ξ ∇_α L of one half of the support, then
    w ← w - λ ∇_w L of the other half; where a class has one example, both from one gradient on all. τ falls evenly from
    1 at the first step to its final value after the last. Outer: Reptile, (w, α) ← (w, α) + ε mean over tasks of (w_S -
    w, α_S - α), or first-order MAML, (w, α) ← (w, α) - β mean over tasks of ∇ L_query at (w_S, α_S).

    **Source.** Elsken, Staffler, Metzen and Hutter 2020 (MetaNAS), over the relaxation of Liu, Simonyan and Yang 2019
    (DARTS), first order. The paper's outer loop is Reptile with inner Adam; first-order MAML, which Lian et al. 2020
    (T-NAS) use, is preset because it needs far fewer tasks. Its cells, pruning of weak operations and drop-path are
    left out. Its code draws the batches of α and of w from the same examples rather than from halves, and in testing
    adapts α in the first half of the steps only.

    **Try.** The heat map of operations over the inner steps; Reptile with ten training shots, an inner Adam of rate
    0.001 and an outer SGD of rate 1; a final temperature of 1, which never chooses.

    **Goes wrong.** Too large an architecture rate chooses before the weights say anything of worth, and the slots pass
    their inputs on. Without a warm-up, operations that have no weights win early. A loss that is low until the last
    step and high after it says that the task hardened into something else than it had learned: lower the architecture
    rate.
    """

    changes = True
    Config = MetaNASConfig
    title = "Meta-NAS"
    source = "Elsken 2020"
    searches = True

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A backbone to choose in, few tasks a step, for a step computes every operation, and rates that learn fast."""
        backbone = {"backbone.name": "supernet"}
        if kind == "classification":
            return backbone | {"algorithm.inner_lr": 0.4, "algorithm.inner_steps": 3, "training.meta_batch": 4,
                               "training.outer_lr": 3e-3, "training.iterations": 1000,
                               "training.validation_tasks": 100}
        return backbone | {"algorithm.inner_lr": 0.01, "algorithm.architecture_lr": 0.003, "training.outer_lr": 3e-3,
                           "training.clip": 10.0}

    def outer_rate(self, name: str, stage: Stage) -> float:  # noqa: ARG002
        """The architecture moves more slowly."""
        return self.config.architecture_outer if name.startswith(_ARCHITECTURE) else 1.0

    @classmethod
    def keeps_no_steps(cls, config: Any) -> str:  # noqa: ARG003
        """Nothing is differentiated through the steps."""
        return "does not differentiate through its inner steps, so that nothing of them is kept"

    def inner_loop(self) -> dict[str, Any]:
        """On weights and architecture."""
        return {"adapts": "all weights and the architecture", **super().inner_loop(),
                "architecture_lr": self.config.architecture_lr, "temperature": [1.0, self.config.temperature]}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Searched:  # noqa: ARG002
        """The initialization of both."""
        architecture = {name: value for name, value in meta.params.items() if name.startswith(_ARCHITECTURE)}
        weights = {name: value for name, value in meta.params.items() if name not in architecture}
        return Searched(begin(self.config.inner_optimizer, weights), begin(self.config.inner_optimizer, architecture))

    def step(self, meta: Meta, state: Searched, support: Examples, ctx: Context) -> Searched:  # noqa: ARG002
        """One step of the architecture and one of the weights."""
        def loss(architecture: Params, weights: Params, examples: Examples) -> Tensor:
            params = weights | self._hardened(architecture, ctx)
            return self.loss(self.network(params, examples.inputs), examples.targets)

        weights, architecture = state
        halves = self._halves(support, ctx)
        if not self._searches_now(ctx):
            slope = grad(loss, argnums=1)(architecture.params, weights.params, support)
        elif halves is None:
            choice, slope = grad(loss, argnums=(0, 1))(architecture.params, weights.params, support)
            architecture = self._moved(architecture, choice, self.config.architecture_lr)
        else:
            choice = grad(loss)(architecture.params, weights.params, halves[0])
            architecture = self._moved(architecture, choice, self.config.architecture_lr)
            slope = grad(loss, argnums=1)(architecture.params, weights.params, halves[1])
        return Searched(self._moved(weights, slope, self.config.inner_lr), architecture)

    def predict(self, meta: Meta, state: Searched, inputs: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The network with the adapted weights, its mixture as hard as it is by now."""
        params = state.weights.params | self._hardened(state.architecture.params, ctx)
        return self.network(params, inputs, ctx.reference)

    def meta_gradient(self, meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
        """What moves the initialization of both towards the task; nothing for the architecture while it warms up."""
        state = adapt(self, meta, task.support, ctx)

        def query_loss(params: Params) -> tuple[Tensor, Tensor]:
            weights = {name: params[name] for name in state.weights.params}
            architecture = {name: params[name] for name in state.architecture.params}
            now = Searched(state.weights._replace(params=weights), state.architecture._replace(params=architecture))
            outputs = self.predict(meta, now, task.query.inputs, ctx.adapted)
            return self.loss(outputs, task.query.targets), outputs

        ended = state.weights.params | state.architecture.params
        if self.config.outer == "reptile":
            loss, outputs = query_loss(ended)
            gradient = {name: value - ended[name] for name, value in meta.params.items()}
        else:
            gradient, (loss, outputs) = grad_and_value(query_loss, has_aux=True)(ended)
        if not self._searches_now(ctx):
            gradient |= {name: torch.zeros_like(gradient[name]) for name in state.architecture.params}
        return gradient, self.aux(loss, outputs, task, meta.buffers, ctx)

    def drawings(self) -> dict[str, Drawing]:
        """The mixture of operations."""
        return {"architecture": Drawing(
            "Operations", "How much of every operation each slot mixes; a row that is bright in one place has chosen.",
            "slot", "operation", "share", tuple(f"slot {index + 1}" for index in range(self._slots)),
            self._backbone.operations)}

    def draw(self, meta: Meta, state: Searched, task: Task, ctx: Context) -> Params:  # noqa: ARG002
        """The mixture after these inner steps."""
        return {"architecture": self._shares(state.architecture.params, ctx.step / ctx.steps)}

    def found(self, meta: Meta) -> Found:
        """The network that tasks begin with: in every slot the operation whose hardened share is more than half.

        A slot without such a one is undecided and keeps its mixture.
        """
        params, slots = dict(meta.params), []
        for index, row in enumerate(self._shares(meta.params, 1.0).tolist()):
            shares = dict(zip(self._backbone.operations, row, strict=True))
            first = max(shares, key=lambda name: shares[name])
            is_clear = shares[first] > _CLEAR
            kept = {first: 1.0} if is_clear else shares
            slots.append({"operation": first if is_clear else UNDECIDED, "operations": kept, "shares": shares})
            for name in self._backbone.unused(index, kept):
                del params[f"backbone.{name}"]
        return Found({"slots": slots}, params, {"adapts": "all weights", **self.config.numbers()})

    def _searches_now(self, ctx: Context) -> bool:
        return not ctx.training or ctx.progress >= self.config.warm_up

    def _halves(self, support: Examples, ctx: Context) -> tuple[Examples, Examples] | None:
        """Half of every class for the architecture and the rest for the weights; None where classes have one example.

        Where classes differ in their number of examples, a class with a single one is in one of the two.
        """
        ways = ctx.ways if self.spec.kind == "classification" else 1
        half = ways * (len(support.inputs) // ways // 2)
        if not half:
            return None
        # The salt is that of no step, so that an example stays in its half all through the task.
        place = noise(ctx.key, len(support.inputs), -1)
        is_before = place < place.unsqueeze(-1)
        is_like = (support.targets == support.targets.unsqueeze(-1) if self.spec.kind == "classification"
                   else torch.ones_like(is_before))
        order = (((is_before & is_like).sum(-1) + 0.5) / is_like.sum(-1)).argsort(stable=True)
        first, second = (Examples(support.inputs[rows], support.targets[rows]) for rows in (order[:half], order[half:]))
        return first, second

    def _moved(self, fast: Fast, gradient: Params, rate: float) -> Fast:
        return descend(self.config.inner_optimizer, fast, gradient, rate)

    def _temperature(self, done: float) -> float:
        """From 1 at the start of a task to the final temperature at its end."""
        return 1 + (self.config.temperature - 1) * done

    def _hardened(self, architecture: Params, ctx: Context) -> Params:
        """The parameters whose softmax is that of α / τ."""
        temperature = self._temperature(ctx.step / ctx.steps)
        return {name: value / temperature for name, value in architecture.items()}

    def _shares(self, params: Params, done: float) -> Tensor:
        """[slots, operations]."""
        rows = [params[f"{_ARCHITECTURE}{index}"] for index in range(self._slots)]
        return (torch.stack(rows) / self._temperature(done)).softmax(-1)

    @property
    def _backbone(self) -> Backbone:
        return cast("Backbone", self.network.module.backbone)

    @property
    def _slots(self) -> int:
        return sum(name.startswith(_ARCHITECTURE) for name, _ in self.network.module.named_parameters())
