"""Fast context adaptation: one shared network, and a few numbers that tell it which task this is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast

import torch
from pydantic import field_validator
from torch import Tensor, nn

from workbench.algorithms.base import Algorithm, Context, Drawing, InnerLoop, Meta
from workbench.algorithms.derivatives import grad
from workbench.backbones.base import Backbone, Block, Network, Params, WithHead, modulated
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Spec, Task


class CAVIAConfig(InnerLoop):
    """The context and where it enters the network."""

    name: Literal["cavia"] = "cavia"
    contexts: int = field(5, label="Contexts", help="Numbers that adapt to a task.", ge=1, le=4096,
                          source="Zintgraf et al. 2019 and code", needs={"bias_only": (False,)})
    conditioning: Literal["concatenate", "film", "head"] = field(
        "concatenate", label="Conditioning", help="How the context enters: as further inputs of blocks, which shift "
        "their outputs; as a scale and a shift of every channel of blocks (FiLM); or as further inputs of the head, "
        "which change its weights.",
        choices={"concatenate": "Further inputs of blocks", "film": "Scale and shift of blocks (FiLM)",
                 "head": "Further inputs of the head"}, source="Zintgraf et al. 2019, 3", needs={"bias_only": (False,)})
    blocks: tuple[int, ...] = field(
        (1,), label="Blocks", help="Blocks that the context enters, counted from 1 at the input; a number beyond the "
        "last is the last.", source="Zintgraf et al. 2019 and code",
        needs={"bias_only": (False,), "conditioning": ("concatenate", "film")})
    bias_only: bool = field(False, label="Offset only", help="The context is added to the outputs and enters nowhere "
                            "else: g(x) = f(x) + θ.", advanced=True)
    inner_lr: float = field(1.0, label="Inner rate", help="Learning rate of the context, on the mean loss.", gt=0,
                            le=1000, log=True, source="Zintgraf et al. 2019 and code")
    inner_steps: int = field(1, label="Inner steps", help="Gradient steps on the context in training.", ge=1, le=100,
                             source="Zintgraf et al. 2019 and code")

    @field_validator("blocks")
    @classmethod
    def _counted(cls, blocks: tuple[int, ...]) -> tuple[int, ...]:
        if not blocks or min(blocks) < 1:
            raise ValueError("takes one or more whole numbers from 1 on, such as 1, 2")
        return blocks


class Conditioned(WithHead):
    """A network, and the linear map from the context to what it changes there.

    Alone it runs as with a context of zeros.
    """

    def __init__(self, backbone: Backbone, outputs: int, contexts: int, entries: int) -> None:
        super().__init__(backbone, outputs)
        self.context = nn.Linear(contexts, entries, bias=False)


class Adapting(NamedTuple):
    """A task's context [contexts], and what the part of the network reads that it enters: the inputs, or features."""

    context: Tensor
    read: Tensor


class CAVIA(Algorithm[CAVIAConfig]):
    """Shares one network among all tasks and adapts only a small context vector, which is a further input to it. The
    context starts at zero for every task and takes a few gradient steps on the support set. What tasks have in common
    is thereby kept apart from what they differ in, so that little can overfit and the context can be looked at.

    **Update rule.** Inner: φ_0 = 0, φ_{s+1} = φ_s - α ∇_φ L_support(θ, φ_s). Outer: min over θ of the mean L_query(θ,
    φ_S), second derivatives included. In a block the context makes y into y + W φ (further inputs), or into (1 + W φ)
    ∘ y + V φ (FiLM). Further inputs of the head are the context and its products with the features, which make its
    weights A into A + W φ and its biases b into b + V φ.

    **Source.** Zintgraf, Shiarlis, Kurin, Hofmann and Whiteson 2019, algorithm 1 and section 3. Inputs that are
    concatenated to a layer are the shift W φ of its bias, so they are added there. The code's FiLM layer has a bias of
    its own; the block's scale and shift are that bias here. The code can concatenate the context to the features that
    its last layer reads, which shifts the outputs alone. That the context moves the head's weights is this program's
    own: the classes of pictures are learned there within minutes, from the paper's hundred contexts at its rate of one.

    **Try.** Two or three contexts on sinusoids, which have an amplitude and a phase, and their drawing; many more inner
    steps, for there is little to overfit. `bias_only` is the smallest case: deep features shared by all tasks, and an
    offset for each.

    **Goes wrong.** A network that stays at chance on pictures has too small an inner rate, or too few blocks that the
    context enters. Too few contexts cannot say which task it is. With `bias_only` all answers of a task move by the
    same amount: right for functions that differ by a constant, and chance for classes.
    """

    Config = CAVIAConfig
    title = "CAVIA"
    source = "Zintgraf 2019"

    def __init__(self, config: CAVIAConfig, network: Network, spec: Spec) -> None:
        super().__init__(config, network, spec)
        self.contexts = spec.outputs if config.bias_only else config.contexts
        self.keeps_features = config.bias_only or config.conditioning == "head"

    @classmethod
    def build(cls, config: CAVIAConfig, backbone: Backbone, spec: Spec) -> nn.Module:
        """Backbone and head, and what turns the context into changes of them."""
        if config.bias_only:
            return WithHead(backbone, spec.outputs)
        if config.conditioning == "head":
            entries = spec.outputs * (backbone.width + 1)
        elif backbone.blocks:
            channels = sum(block.channels for block in entered(config, backbone))
            entries = 2 * channels if config.conditioning == "film" else channels
        else:
            raise ValueError(f"{backbone.title} has no blocks for a context to enter: set algorithm.conditioning to "
                             "head")
        return Conditioned(backbone, spec.outputs, config.contexts, entries)

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """The paper's numbers of contexts, steps and rates; for pictures a context that enters the head.

        The paper scales and shifts the third of four blocks, which takes long to leave chance: the gradient that
        reaches a context at zero is small there.
        """
        if kind == "regression":
            return {"training.clip": 10.0}
        return {"algorithm.contexts": 100, "algorithm.conditioning": "head", "algorithm.inner_steps": 2,
                "training.clip": 10.0, "training.meta_batch": 8, "training.outer_lr": 0.003}

    def inner_loop(self) -> dict[str, Any]:
        """On the context."""
        return {"adapts": f"a context of {self.contexts} numbers, from zeros", "optimizer": "sgd",
                **super().inner_loop()}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Adapting:  # noqa: ARG002
        """A context of zeros."""
        return Adapting(torch.zeros_like(meta.params["head.bias"][:1]).expand(self.contexts),
                        self._read(meta, support.inputs, None))

    def step(self, meta: Meta, state: Adapting, support: Examples, ctx: Context) -> Adapting:  # noqa: ARG002
        """One gradient step of the context."""
        def loss(context: Tensor) -> Tensor:
            return self.loss(self._outputs(meta, context, state.read, None), support.targets)

        return state._replace(context=state.context - self.config.inner_lr * grad(loss)(state.context))

    def predict(self, meta: Meta, state: Adapting, inputs: Tensor, ctx: Context) -> Tensor:
        """The shared network with the task's context."""
        return self.answers(meta, inputs, ctx)(state, ctx)

    def answers(self, meta: Meta, inputs: Tensor, ctx: Context) -> Callable[[Adapting, Context], Tensor]:
        """One context after another on the inputs, or on their features where the context enters behind them."""
        read = self._read(meta, inputs, ctx.reference)
        return lambda state, _: self._outputs(meta, state.context, read, ctx.reference)

    def _read(self, meta: Meta, inputs: Tensor, reference: Tensor | None) -> Tensor:
        return self.network.part("backbone", meta.params, inputs, reference) if self.keeps_features else inputs

    def _outputs(self, meta: Meta, context: Tensor, read: Tensor, reference: Tensor | None) -> Tensor:
        if self.config.bias_only:
            return self.network.part("head", meta.params, read) + context
        entries = self.network.part("context", meta.params, context)
        if self.config.conditioning == "head":
            return self.network.part("head", _shifted_head(meta.params, entries), read)
        params = meta.params
        for block in entered(self.config, cast("Conditioned", self.network.module).backbone):
            shift, entries = entries[:block.channels], entries[block.channels:]
            scale = torch.ones_like(shift)
            if self.config.conditioning == "film":
                scale, entries = 1 + entries[:block.channels], entries[block.channels:]
            params = modulated(params, block, scale, shift)
        return self.network(params, read, reference)

    def drawings(self) -> dict[str, Drawing]:
        """The context of a task."""
        return {"context": Drawing(
            "Context", "What the learner found out about the task, from zeros before the first inner step.",
            rows="task", columns="context", values="value", row_names=("this task",))}

    def draw(self, meta: Meta, state: Adapting, task: Task, ctx: Context) -> Params:  # noqa: ARG002
        """The context as one row."""
        return {"context": state.context.unsqueeze(0)}


def entered(config: CAVIAConfig, backbone: Backbone) -> list[Block]:
    """The blocks that the context enters, from input to output."""
    return [backbone.blocks[number - 1] for number in sorted({min(number, len(backbone.blocks))
                                                             for number in config.blocks})]


def _shifted_head(params: Params, entries: Tensor) -> Params:
    """Parameters of which the head's weights and biases are shifted by the entries [outputs · (width + 1)]."""
    weight, bias = params["head.weight"], params["head.bias"]
    return {**params, "head.weight": weight + entries[:-len(bias)].view_as(weight),
            "head.bias": bias + entries[-len(bias):]}
