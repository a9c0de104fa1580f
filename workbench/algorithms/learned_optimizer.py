"""A learned optimizer: a network that turns gradients into inner steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Context, Drawing, InnerLoop, Meta
from workbench.algorithms.derivatives import grad_and_value
from workbench.algorithms.sequence import Cell
from workbench.backbones.base import Backbone, Params, WithHead
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Spec, Task

_SMALLEST = 10.0
_DECAYS = (0.5, 0.9, 0.99)
_TIMES = (1.0, 3.0, 10.0, 30.0, 100.0)
_TINY = 1e-8


class LearnedOptimizerConfig(InnerLoop):
    """The optimizer network and its inner loop."""

    name: Literal["learned_optimizer"] = "learned_optimizer"
    form: Literal["lstm", "mlp"] = field(
        "lstm", label="Form", help="The LSTM remembers earlier gradients and decides how much of each weight to keep "
        "and how much of its gradient to take; the MLP sees running means of them and puts out the step itself.",
        choices={"lstm": "LSTM (Ravi 2017)", "mlp": "MLP (Metz 2022)"})
    inner_steps: int = field(5, label="Inner steps", help="Steps on the support set in training.", ge=1, le=1000)
    inner_lr: float = field(0.01, label="First rate", help="What the optimizer begins with before it has learned: the "
                            "LSTM's input gate, or the size of the MLP's steps.", gt=0, lt=1, log=True,
                            source="Ravi and Larochelle 2017, code")
    hidden: int = field(20, label="Hidden units", help="Width of the optimizer network, which runs once for every "
                        "weight of the learner.", ge=1, le=1024, source="Andrychowicz et al. 2016, 3")
    largest: float = field(0.5, label="Largest update", help="What an inner step may change of one weight, so that "
                           "more steps than in training do not diverge.", gt=0, le=1000, log=True, advanced=True)


class GateOptimizer(nn.Module):
    """The LSTM form: a cell with a state of its own for every weight, and the two gates of the meta-learner.

    What it remembers of a weight is the state of the cell, then its forget and its input gate.

    Args:
        hidden: Width of the cell.
        rate: Where the input gate begins.
    """

    def __init__(self, hidden: int, rate: float) -> None:
        super().__init__()
        self.cell = Cell("lstm", 4, hidden)
        self.size = self.cell.size + 2
        self.multiplications = 4 * hidden * (4 + hidden) + 2 * (hidden + 2)
        self.gates = nn.Linear(hidden + 1, 2)
        self.previous = nn.Parameter(torch.empty(2).uniform_(-0.01, 0.01))
        nn.init.uniform_(self.gates.weight, -0.01, 0.01)
        with torch.no_grad():
            self.gates.bias[0].uniform_(4, 5)
            self.gates.bias[1].uniform_(-0.5, 0.5).add_(math.log(rate / (1 - rate)))

    def forward(self, weights: Tensor, gradient: Tensor, loss: Tensor, time: Tensor, memory: Tensor  # noqa: ARG002
                ) -> tuple[Tensor, Tensor]:
        """Updates [n] and memory [n, size] after gradients [n] and the loss that they belong to."""
        seen = torch.cat([preprocessed(gradient), preprocessed(loss).expand(len(gradient), -1)], -1)
        cell = self.cell(seen, memory[:, :-2])
        hidden = cell[:, : self.gates.in_features - 1]
        gates = self.gates(torch.cat([hidden, weights.unsqueeze(-1)], -1)) + self.previous * memory[:, -2:]
        open_gates = gates.sigmoid()
        forget, take = open_gates.unbind(-1)
        return (forget - 1) * weights - take * gradient, torch.cat([cell, open_gates], -1)


class StepOptimizer(nn.Module):
    """The MLP form: a step from running means of the gradient, the loss and the time.

    It begins as descent along the gradient, scaled to a mean square of one in every table of weights. What it remembers
    of a weight is its running means of the gradient and of its square.

    Args:
        hidden: Width of its two hidden layers.
        rate: Size of a step that it begins with.
        sizes: Weights of each table.
    """

    def __init__(self, hidden: int, rate: float, sizes: list[int]) -> None:
        super().__init__()
        self.rate = rate
        self.sizes = sizes
        self.size = 2 * len(_DECAYS)
        inputs = 4 + 3 * len(_DECAYS) + len(_TIMES)
        self.multiplications = hidden * (inputs + hidden + 2)
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, weights: Tensor, gradient: Tensor, loss: Tensor, time: Tensor, memory: Tensor
                ) -> tuple[Tensor, Tensor]:
        """Updates [n] and memory [n, size] after gradients [n] and the loss that they belong to."""
        decays = gradient.new_tensor(_DECAYS)
        means, squares = memory.chunk(2, -1)
        means = torch.lerp(gradient.unsqueeze(-1), means, decays)
        squares = torch.lerp(gradient.square().unsqueeze(-1), squares, decays)
        root = (squares + _TINY).rsqrt()
        by_weight = torch.cat([torch.stack([weights, gradient], -1), means, means * root, root], -1)
        scaled = torch.cat([table / (table.square().mean(0) + _TINY).sqrt()
                            for table in torch.split(by_weight, self.sizes)])
        shared = torch.cat([preprocessed(loss), torch.tanh(time / gradient.new_tensor(_TIMES))])
        hidden = torch.cat([scaled, shared.expand(len(scaled), -1)], -1)
        turn, size = self.last(F.relu(self.second(F.relu(self.first(hidden))))).unbind(-1)
        return -self.rate * (scaled[:, 1] + turn) * size.exp(), torch.cat([means, squares], -1)


class LearnerAndOptimizer(WithHead):
    """The learner, a backbone and a linear head, and beside it the network that optimizes it."""

    def __init__(self, config: LearnedOptimizerConfig, backbone: Backbone, outputs: int) -> None:
        super().__init__(backbone, outputs)
        sizes = [weights.numel() for weights in self.parameters()]
        self.optimizer: GateOptimizer | StepOptimizer = (
            GateOptimizer(config.hidden, config.inner_lr) if config.form == "lstm"
            else StepOptimizer(config.hidden, config.inner_lr, sizes))


class Walk(NamedTuple):
    """Where the learner is, and how it came there.

    Attributes:
        weights: [n], all weights of the learner in one row.
        memory: [n, size], what the optimizer remembers of each.
        seen: Mean size of the updates and, for the LSTM, mean gates: [tables of weights, steps], zero before a step;
            nothing in training, which is not looked at.
    """

    weights: Tensor
    memory: Tensor
    seen: Params


class LearnedOptimizer(Algorithm[LearnedOptimizerConfig]):
    """Learns the update rule itself. A small network sees the gradient of each weight and the loss, and puts out how
    that weight moves; it is the same network for all weights, each of which has a memory of its own. The outer loop
    learns it together with the weights that every task begins at.

    **Update rule.** LSTM: θ_{s+1} = f ∘ θ_s - i ∘ ∇L_support(θ_s), with f = σ(w_f·(h, θ_s, f_{s-1}) + b_f), i likewise,
    and h the state of an LSTM over the loss and the gradient, their logarithm and their sign. MLP: θ_{s+1} = θ_s - α (g
    + d) exp(m), with g the scaled gradient, and d and m put out by the network. In both, what a step changes of a
    weight is cut off at the largest update. Outer: the gradient of L_query(θ_S) with respect to the network and θ_0,
    where the gradients that went into the network count as constants.

    **Source.** Ravi and Larochelle 2017, section 3, over the preprocessing of Andrychowicz et al. 2016, appendix A.
    Ravi's code begins with an input gate of 0.007 to 0.018 and takes up to 12 steps; with fewer steps it has to begin
    larger. The MLP takes its inputs and its form from Metz et al. 2022, without their factored second moments (those of
    Adafactor) and with the loss beside them; that it begins as plain descent, so that minutes suffice, and the limit on
    an update are this program's own.

    **Try.** More inner steps in testing than in training, to see whether the rule goes on to descend; the MLP form;
    MAML with as many steps beside it, to see what the rule is worth.

    **Goes wrong.** It is slow, for it runs once for every weight: take fewer filters. Steps beyond those of training
    are steps that it never learned to make; lower the largest update where they diverge.
    """

    Config = LearnedOptimizerConfig
    title = "Learned optimizer"
    source = "Ravi 2017"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A clipped gradient, a small optimizer network and small meta-batches, for it runs once for every weight; for
        pictures a large first rate and a smaller learner."""
        small = {"training.clip": 1.0, "algorithm.hidden": 4}
        if kind == "classification":
            return small | {"algorithm.inner_lr": 0.3, "algorithm.inner_steps": 3, "backbone.filters": 32,
                            "training.meta_batch": 4, "training.outer_lr": 2e-3}
        return small | {"algorithm.inner_lr": 0.02, "training.meta_batch": 8, "training.outer_lr": 1e-2}

    @classmethod
    def build(cls, config: LearnedOptimizerConfig, backbone: Backbone, spec: Spec) -> nn.Module:
        """The learner and its optimizer."""
        return LearnerAndOptimizer(config, backbone, spec.outputs)

    def cost_of_a_step(self) -> float:
        """The optimizer network, once for every weight."""
        return float(sum(self._sizes.values()) * self._optimizer.multiplications)

    def inner_loop(self) -> dict[str, Any]:
        """As the optimizer network says, which scales the MLP's steps by a fixed number."""
        return {"adapts": "all weights", "optimizer": "learned, under optimizer.", "form": self.config.form,
                **({"scale": self.config.inner_lr} if self.config.form == "mlp" else {}),
                "largest": self.config.largest}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Walk:  # noqa: ARG002
        """The learned weights, and nothing remembered."""
        weights = torch.cat([meta.params[name].flatten() for name in self._sizes])
        drawn = () if ctx.training else self.drawings()
        seen = {name: weights.new_zeros(len(self._sizes), ctx.steps) for name in drawn}
        return Walk(weights, weights.new_zeros(len(weights), self._optimizer.size), seen)

    def step(self, meta: Meta, state: Walk, support: Examples, ctx: Context) -> Walk:
        """One step as the optimizer network says."""
        def loss_at(weights: Tensor) -> Tensor:
            return self.loss(self.network(self._params(meta, weights), support.inputs), support.targets)

        gradient, loss = grad_and_value(loss_at, constant=True)(state.weights.detach())
        time = torch.full_like(loss, ctx.step)
        update, memory = cast("tuple[Tensor, Tensor]", self.network.part(
            "optimizer", meta.params, state.weights, gradient, loss, time, state.memory))
        update = update.clamp(-self.config.largest, self.config.largest)
        return Walk(state.weights + update, memory, self._noted(state.seen, update, memory, ctx))

    def predict(self, meta: Meta, state: Walk, inputs: Tensor, ctx: Context) -> Tensor:
        """The learner with the weights that it came to."""
        return self.network(self._params(meta, state.weights), inputs, ctx.reference)

    def drawings(self) -> dict[str, Drawing]:
        """What the optimizer did."""
        def by_step(title: str, about: str, values: str) -> Drawing:
            return Drawing(title, about, "weights", "inner step", values, row_names=tuple(self._sizes))

        found = {"updates": by_step("Size of the updates", "Which weights the learned rule moves, and when.",
                                    "mean size of an update")}
        if self.config.form == "lstm":
            found["input"] = by_step("Input gate", "The learned rate: how much of its gradient a weight takes.",
                                     "mean i")
            found["forget"] = by_step("Forget gate", "How much of a weight is kept; below one it decays.", "mean f")
        return found

    def draw(self, meta: Meta, state: Walk, task: Task, ctx: Context) -> Params:  # noqa: ARG002
        """Means over each table of weights, at each step so far."""
        return state.seen

    @property
    def _optimizer(self) -> GateOptimizer | StepOptimizer:
        return cast("LearnerAndOptimizer", self.network.module).optimizer

    @property
    def _sizes(self) -> dict[str, int]:
        """How many weights each table of the learner has."""
        return {name: value.numel() for name, value in self.network.module.named_parameters()
                if not name.startswith("optimizer.")}

    def _params(self, meta: Meta, weights: Tensor) -> Params:
        tables = zip(self._sizes, torch.split(weights, list(self._sizes.values())), strict=True)
        return meta.params | {name: table.view_as(meta.params[name]) for name, table in tables}

    def _noted(self, seen: Params, update: Tensor, memory: Tensor, ctx: Context) -> Params:
        """What was seen before, with what there is to see of this step in its column."""
        values = {"updates": update.abs(), "forget": memory[:, -2], "input": memory[:, -1]}
        is_now = torch.arange(ctx.steps, device=update.device) == ctx.step
        sizes = list(self._sizes.values())
        means = {name: torch.stack([table.mean() for table in torch.split(values[name].detach(), sizes)])
                 for name in seen}
        return {name: torch.where(is_now, means[name].unsqueeze(-1), table) for name, table in seen.items()}


def preprocessed(values: Tensor) -> Tensor:
    """Logarithm and sign [..., 2] of numbers of any size (Andrychowicz et al. 2016, appendix A)."""
    size = values.abs()
    is_large = size >= math.exp(-_SMALLEST)
    logarithm = torch.where(is_large, size.clamp(min=math.exp(-_SMALLEST)).log() / _SMALLEST, -1.0)
    return torch.stack([logarithm, torch.where(is_large, values.sign(), values * math.exp(_SMALLEST))], -1)
