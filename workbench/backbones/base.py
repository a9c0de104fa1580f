"""What every backbone is, its normalization, and the network that an algorithm calls."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor, nn
from torch.func import functional_call

from workbench.experiment.fields import Choice
from workbench.experiment.registry import Pluggable, Role
from workbench.tasks.base import Spec

Params = dict[str, Tensor]
Normalization = Literal["transductive", "inductive", "group", "none"]

NORMALIZATION_CHOICES = {
    "transductive": "Batch, transductive",
    "inductive": "Batch, inductive",
    "group": "Group",
    "none": "None",
}
NORMALIZATION_HELP = (
    "Transductive batch normalization uses the statistics of the pictures at hand, the query set included; inductive "
    "uses those of the support set alone, as when queries come one by one; group normalization looks at one picture."
)


class Backbone(nn.Module, Pluggable):
    """Turns inputs into features. It is only ever called functionally and never changes anything of itself.

    A subclass lives in a file of its own in this folder, or in another package that names it in the entry point group
    `workbench.backbones`. It is built from (config, spec) and sets `width`, the number of its features.
    """

    role: ClassVar[Role] = "backbone"
    width: int
    convolves: ClassVar[bool] = False

    def __init__(self, config: Choice, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.spec = spec

    @abstractmethod
    def features(self, inputs: Tensor, rows: int | None = None) -> Tensor:
        """Features [n, width] of inputs [n, *input_shape].

        Args:
            inputs: The inputs; where `rows` is given, the first `rows` of them are the reference.
            rows: Batch normalization takes its statistics from so many first rows; None for all.
        """

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Features [n, width] of inputs, normalized with the statistics of `reference` where one is given."""
        if reference is None:
            return self.features(inputs)
        rows = len(reference)
        return self.features(torch.cat([reference, inputs]), rows)[rows:]

    @property
    def depends_on_batch(self) -> bool:
        """Whether an input's features depend on which other inputs it is seen with."""
        return getattr(self.config, "normalization", "none") in ("transductive", "inductive")

    @property
    def is_inductive(self) -> bool:
        """Whether queries are to be normalized with the statistics of the support set."""
        return getattr(self.config, "normalization", "none") == "inductive"


class Normalize(nn.Module):
    """Batch, group or no normalization of [n, channels, height, width], without running statistics.

    It keeps no state, so that it may be mapped over tasks and differentiated twice.

    Args:
        channels: Channels to scale and shift.
        kind: Which one.
        groups: Groups of group normalization; lowered to the nearest divisor of the channels.
    """

    epsilon: ClassVar[float] = 1e-5

    def __init__(self, channels: int, kind: Normalization, groups: int = 8) -> None:
        super().__init__()
        self.kind = kind
        self.groups = max(count for count in range(1, groups + 1) if channels % count == 0)
        if kind != "none":
            self.weight = nn.Parameter(torch.ones(channels))
            self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, rows: int | None) -> Tensor:
        """Normalize x, batch normalization with the statistics of its first `rows` rows (None for all)."""
        if self.kind == "none":
            return x
        if self.kind == "group":
            return F.group_norm(x, self.groups, self.weight, self.bias, self.epsilon)
        if rows is None:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.epsilon)
        variance, mean = torch.var_mean(x[:rows], (0, 2, 3), correction=0)
        scale = self.weight * torch.rsqrt(variance + self.epsilon)
        return x * scale.view(-1, 1, 1) + (self.bias - mean * scale).view(-1, 1, 1)


class WithHead(nn.Module):
    """A backbone and a linear head, the network of every method that has one output a way or target.

    Its parameters are named `backbone.*` and `head.weight`, `head.bias`.
    """

    def __init__(self, backbone: Backbone, outputs: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.width, outputs)

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Outputs [n, outputs] of inputs [n, *input_shape]."""
        outputs: Tensor = self.head(self.backbone(inputs, reference))
        return outputs


class Network:
    """A module called with parameters of one's own: `network(params, inputs, reference=None)`.

    Swapping parameters inside a module is not safe across threads, so each worker thread has a network of its own
    (`copy.deepcopy`).
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module.requires_grad_(False)

    def __call__(self, params: Params, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Run the whole module."""
        outputs: Tensor = functional_call(self.module, params, (inputs, reference))
        return outputs

    def part(self, name: str, params: Params, *inputs: Tensor | None) -> Tensor:
        """Run one named child of the module with its share of the parameters, such as "backbone" or "head"."""
        prefix = f"{name}."
        own = {key.removeprefix(prefix): value for key, value in params.items() if key.startswith(prefix)}
        outputs: Tensor = functional_call(getattr(self.module, name), own, inputs)
        return outputs
