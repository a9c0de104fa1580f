"""A network that reads a task and puts out how another network is to be adjusted to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Aux, Context, Drawing, InnerLoop, Meta, adapt
from workbench.algorithms.derivatives import grad
from workbench.backbones.base import Backbone, Block, Params, modulated
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Spec, Task

_DRAWN_CHANNELS = 32


class MetaNetworkConfig(InnerLoop):
    """The encoding of a task, its memory, and the refinement of the adjustment."""

    name: Literal["meta_network"] = "meta_network"
    encoding: int = field(64, label="Encoding", help="Numbers that a task is summed up in, and hidden units of the "
                          "networks that read and write them.", ge=1, le=4096, source="Requeima et al. 2019, code")
    penalty: float = field(1e-3, label="Penalty", help="Weight of the squared norm of the adjustment, which is "
                           "minimized together with the task's loss.", ge=0, le=1000, log=True,
                           source="Requeima et al. 2019, code, on factors of the adjustment")
    memory_slots: int = field(0, label="Memory slots", help="Keys and values, learned over all tasks by the outer "
                              "loop, that a new task reads from by attention and writes nothing to; 0 for no memory.",
                              ge=0, le=10_000)
    inner_steps: int = field(0, label="Refining steps", help="Gradient steps on the adjustment alone, after it was put "
                             "out; 0 for none, so that a new task needs no gradient.", ge=0, le=100,
                             source="Rusu et al. 2019")
    inner_lr: float = field(0.1, label="Refining rate", help="Learning rate of the refining steps.", gt=0, le=1000,
                            log=True)


def _attention(keys: Tensor, encoding: Tensor) -> Tensor:
    """Share [slots] of every slot in what is read."""
    shares: Tensor = (keys @ encoding / math.sqrt(encoding.shape[-1])).softmax(-1)
    return shares


class Memory(nn.Module):
    """Keys and values that an encoding is compared with and reads from."""

    def __init__(self, slots: int, width: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(slots, width))
        self.values = nn.Parameter(torch.zeros(slots, width))

    def forward(self, encoding: Tensor) -> Tensor:
        """What is read [width]."""
        read: Tensor = _attention(self.keys, encoding) @ self.values
        return read


def _perceptron(inputs: int, hidden: int, outputs: int, *, starts_at_zero: bool = False) -> nn.Sequential:
    last = nn.Linear(hidden, outputs)
    if starts_at_zero:
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU(), last)


class Adjusting(nn.Module):
    """The network that is adjusted, and those that read a task and write the adjustment.

    Attributes:
        backbone: What is adjusted, and whose unadjusted features the encoder reads.
        encoder: From an example's features and what its target says to its share in the task's encoding.
        memory: What earlier tasks left; absent where it has no slots.
        modulator: From the encoding to scale - 1 and shift of every channel of every block; absent without blocks.
        generator: To a correction of the head, from the encoding or, for classification, from a class mean.
        head: For regression, the head that is corrected.
    """

    def __init__(self, config: MetaNetworkConfig, backbone: Backbone, spec: Spec) -> None:
        super().__init__()
        size, width, is_regression = config.encoding, backbone.width, spec.kind == "regression"
        self.backbone = backbone
        self._told = spec.outputs if is_regression else width
        self.encoder = _perceptron(width + self._told, size, size)
        if config.memory_slots:
            self.memory = Memory(config.memory_slots, size)
        if backbone.blocks:
            channels = sum(block.channels for block in backbone.blocks)
            self.modulator = _perceptron(size, size, 2 * channels, starts_at_zero=True)
        rows = spec.outputs if is_regression else 1
        self.generator = _perceptron(size if is_regression else width, size, rows * (width + 1), starts_at_zero=True)
        if is_regression:
            self.head = nn.Linear(width, spec.outputs)

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """All that is computed for an example: features, encoding and, unadjusted, the correction of the head."""
        features = self.backbone(inputs, reference)
        encoding = self.encoder(torch.cat([features, features.new_zeros(len(features), self._told)], 1))
        if self.backbone.blocks:
            self.modulator(encoding)
        corrections: Tensor = self.generator(encoding if hasattr(self, "head") else features)
        return corrections


class Adjusted(NamedTuple):
    """A task's adjustment, and what of the head it is added to.

    Attributes:
        adjustment: For block N `scale.N` (minus one) and `shift.N` [channels]; `head.weight` [outputs, width] and
            `head.bias` [outputs]. All zero adjusts nothing.
        head: `weight` and `bias` of the head before the adjustment.
    """

    adjustment: Params
    head: Params


class MetaNetwork(Algorithm[MetaNetworkConfig]):
    """One network reads a task's inputs and targets and puts out how the parameters of another are to be adjusted. It
    scales and shifts every block of the backbone and generates the head, so that nothing has to iterate: steps that
    refine the adjustment are possible, and by default there are none. Outer learning minimizes the loss of the adjusted
    network together with a penalty on the size of the adjustment.

    **Update rule.** z = mean over the support of e(f_θ(x), t), t being the target or, for a class, the mean features of
    its examples; with a memory z ← z + softmax(K z / √d) V. The adjustment Δ = (γ - 1, β, Δw, Δb) is put out from z.
    Regression: head w + Δw(z), b + Δb(z). Classification: with the mean c of a class's adjusted features, logits
    (2c + Δw(c))·f - ‖c‖² + Δb(c). Refinement: Δ ← Δ - α ∇_Δ L_support. Outer: minimize L_query + λ ‖Δ‖².

    **Source.** Requeima et al. 2019 (CNAPs), section 2, for regression Garnelo et al. 2018 (conditional neural
    processes), for the refinement Rusu et al. 2019 (LEO). CNAPs reads pictures by an encoder of its own that sees no
    labels, and adjusts a pretrained backbone that stays frozen; here the encoder reads the features of the backbone
    itself, which costs one more pass over the support and no second convolutional network, sees the targets, and all is
    learned together. A class is told by its mean features rather than by its number, so that order and count of the
    classes are free. CNAPs generates a class's weights and bias from its mean alone, where this head starts as that of
    prototypical networks and is corrected. Its code penalizes learned factors by which what is put out for the backbone
    is multiplied; here the adjustment itself is penalized, the head's included.

    **Try.** Its drawing, which shows which blocks are adjusted; a few refining steps where tasks differ from those of
    training; some memory slots where there are families of tasks; more ways in training than in testing.

    **Goes wrong.** With few training classes the network that writes the adjustment learns them by heart: raise the
    penalty. A large penalty leaves the adjustment at zero.
    """

    Config = MetaNetworkConfig
    title = "Meta-network"
    source = "Requeima 2019"
    any_ways = True

    @classmethod
    def build(cls, config: MetaNetworkConfig, backbone: Backbone, spec: Spec) -> nn.Module:
        """The network that is adjusted and those that adjust it."""
        return Adjusting(config, backbone, spec)

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """Few tasks a step; for functions, whose loss is not bounded, a smaller penalty and more room."""
        if kind == "classification":
            return {"training.meta_batch": 4, "training.outer_lr": 2e-3}
        return {"algorithm.penalty": 1e-5, "algorithm.encoding": 128, "algorithm.inner_lr": 0.01}

    @classmethod
    def idle(cls, config: MetaNetworkConfig, experiment: Experiment) -> Mapping[str, str]:  # noqa: ARG003
        """The rate of steps that are not taken."""
        if config.inner_steps or config.test_steps:
            return {}
        return {"algorithm.inner_lr": "no refining step is taken, neither in training (algorithm.inner_steps) nor in "
                "testing (algorithm.test_steps)"}

    @classmethod
    def keeps_no_steps(cls, config: MetaNetworkConfig) -> str:
        """No refining step is taken in training."""
        return "" if config.inner_steps else "takes no refining step in training"

    def inner_loop(self) -> dict[str, Any]:
        """On the adjustment."""
        return {"adapts": "the adjustment that was put out for the task", "optimizer": "sgd", **super().inner_loop()}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Adjusted:
        """What the network puts out for the task."""
        encoding = self._read(meta, self._encoding(meta, support, ctx))
        adjustment = self._modulation(meta, encoding)
        if self.spec.kind == "regression":
            head = {name: meta.params[f"head.{name}"] for name in ("weight", "bias")}
            corrections = self.network.part("generator", meta.params, encoding).view(self.spec.outputs, -1)
        else:
            means = _class_means(self._features(meta, adjustment, support.inputs, None), _members(support, ctx))
            head = {"weight": 2 * means, "bias": -torch.linalg.vecdot(means, means)}
            corrections = self.network.part("generator", meta.params, means)
        return Adjusted(adjustment | {"head.weight": corrections[:, :-1], "head.bias": corrections[:, -1]}, head)

    def step(self, meta: Meta, state: Adjusted, support: Examples, ctx: Context) -> Adjusted:  # noqa: ARG002
        """One gradient step on the adjustment."""
        def loss(adjustment: Params) -> Tensor:
            outputs = self._answer(meta, state._replace(adjustment=adjustment), support.inputs, None)
            return self.loss(outputs, support.targets)

        gradient = grad(loss)(state.adjustment)
        return state._replace(adjustment={name: value - self.config.inner_lr * gradient[name]
                                          for name, value in state.adjustment.items()})

    def predict(self, meta: Meta, state: Adjusted, inputs: Tensor, ctx: Context) -> Tensor:
        """The adjusted head on the features of the adjusted backbone."""
        return self._answer(meta, state, inputs, ctx.reference)

    def meta_loss(self, meta: Meta, task: Task, ctx: Context) -> tuple[Tensor, Aux]:
        """Query loss plus penalty; only the former is reported."""
        state = adapt(self, meta, task.support, ctx)
        outputs = self.predict(meta, state, task.query.inputs, ctx.adapted)
        loss = self.loss(outputs, task.query.targets)
        size = torch.stack([value.square().sum() for value in state.adjustment.values()]).sum()
        return loss + self.config.penalty * size, self.aux(loss, outputs, task, meta.buffers, ctx)

    def drawings(self) -> dict[str, Drawing]:
        """The modulation, and what is read from memory."""
        drawn = {}
        if self._blocks:
            blocks = range(1, len(self._blocks) + 1)
            drawn["modulation"] = Drawing(
                "Modulation", "How the channels of every block are scaled and shifted for the task, the first "
                f"{_DRAWN_CHANNELS} at most; zero leaves a channel as it was.", "block", "channel", "scale - 1, shift",
                row_names=tuple(f"{what} {block}" for block in blocks for what in ("scale", "shift")))
        if self.config.memory_slots:
            drawn["memory"] = Drawing("Memory reads", "From which slots the task's encoding is completed.", "read",
                                      "slot", "share")
        return drawn

    def draw(self, meta: Meta, state: Adjusted, task: Task, ctx: Context) -> Params:
        """See `drawings`."""
        drawn = {}
        if self._blocks:
            shown = min(_DRAWN_CHANNELS, *(block.channels for block in self._blocks))
            drawn["modulation"] = torch.stack([state.adjustment[f"{what}.{index}"][:shown]
                                               for index in range(len(self._blocks)) for what in ("scale", "shift")])
        if self.config.memory_slots:
            encoding = self._encoding(meta, task.support, ctx)
            drawn["memory"] = _attention(meta.params["memory.keys"], encoding).unsqueeze(0)
        return drawn

    @property
    def _blocks(self) -> tuple[Block, ...]:
        module = self.network.module
        assert isinstance(module, Adjusting)  # noqa: S101 - what `build` made
        return module.backbone.blocks

    def _encoding(self, meta: Meta, support: Examples, ctx: Context) -> Tensor:
        """The task as the mean [size] over its examples, so that neither their order nor their number matters."""
        features = self.network.part("backbone", meta.params, support.inputs)
        told = support.targets
        if self.spec.kind == "classification":
            members = _members(support, ctx)
            told = members @ _class_means(features, members)
        return self.network.part("encoder", meta.params, torch.cat([features, told], 1)).mean(0)

    def _read(self, meta: Meta, encoding: Tensor) -> Tensor:
        """The encoding and what the memory adds to it."""
        return encoding + self.network.part("memory", meta.params, encoding) if self.config.memory_slots else encoding

    def _modulation(self, meta: Meta, encoding: Tensor) -> Params:
        """What the modulator writes, cut into the blocks."""
        if not self._blocks:
            return {}
        written = self.network.part("modulator", meta.params, encoding)
        parts = torch.split(written, [block.channels for block in self._blocks for _ in range(2)])
        return {f"{what}.{index // 2}": part
                for index, (part, what) in enumerate(zip(parts, ("scale", "shift") * len(self._blocks), strict=True))}

    def _features(self, meta: Meta, adjustment: Params, inputs: Tensor, reference: Tensor | None) -> Tensor:
        params = meta.params
        for index, block in enumerate(self._blocks):
            params = modulated(params, block, 1 + adjustment[f"scale.{index}"], adjustment[f"shift.{index}"])
        return self.network.part("backbone", params, inputs, reference)

    def _answer(self, meta: Meta, state: Adjusted, inputs: Tensor, reference: Tensor | None) -> Tensor:
        features = self._features(meta, state.adjustment, inputs, reference)
        weight, bias = (state.head[name] + state.adjustment[f"head.{name}"] for name in ("weight", "bias"))
        return features @ weight.T + bias


def _members(support: Examples, ctx: Context) -> Tensor:
    """[examples, ways]: one where an example is of the class."""
    ways = torch.arange(ctx.ways, device=support.targets.device)
    return (support.targets.unsqueeze(-1) == ways).to(support.inputs.dtype)


def _class_means(features: Tensor, members: Tensor) -> Tensor:
    """[ways, width]."""
    return members.T @ features / members.sum(0).unsqueeze(-1)
