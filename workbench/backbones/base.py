"""What every backbone is, and the network that an algorithm calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from workbench.backbones.linear import Linear
from workbench.backbones.normalization import Normalize
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice
from workbench.experiment.registry import Pluggable, Role
from workbench.tasks.base import Spec

Params = dict[str, Tensor]


class Block(NamedTuple):
    """A part of a backbone as its last affine map, by which its output may be scaled and shifted.

    Attributes:
        weight, bias: Names of the parameters, with one row or entry a channel.
        channels: How many.
    """

    weight: str
    bias: str
    channels: int


def only(params: Params, part: str) -> Params:
    """The parameters of one part of a module, such as "head", under the names that they have."""
    return {name: value for name, value in params.items() if name.startswith(f"{part}.")}


def modulated(params: Params, block: Block, scale: Tensor, shift: Tensor, prefix: str = "backbone.") -> Params:
    """Parameters with which a block puts out scale · y + shift in place of y, before its activation.

    This is feature-wise linear modulation (Perez et al. 2018) as an edit of parameters, so that no network needs a
    layer for it.

    Args:
        params: All parameters.
        block: Which block.
        scale, shift: [channels].
        prefix: What stands before the backbone's own names.
    """
    weight, bias = params[prefix + block.weight], params[prefix + block.bias]
    return {**params, prefix + block.weight: weight * scale.view(-1, *[1] * (weight.dim() - 1)),
            prefix + block.bias: bias * scale + shift}


class Backbone(nn.Module, Pluggable):
    """Turns inputs into features. It is only ever called functionally and never changes anything of itself.

    A subclass lives in a file of its own in this folder, or in another package that names it in the entry point group
    `workbench.backbones`. It is built from (config, spec).

    Attributes:
        width: The number of its features; set by the subclass.
        map_shape: (channels, height, width) where the features are flattened maps; else None.
        blocks: Parts whose outputs may be scaled and shifted channel by channel; see `modulated`.
        convolves: Whether convolutions do most of its work.
        operations: Where it `searches`, names of the operations that each slot mixes by the softmax of its parameter
            `architecture.N`.
    """

    role: ClassVar[Role] = "backbone"
    width: int
    map_shape: tuple[int, int, int] | None = None
    blocks: tuple[Block, ...] = ()
    convolves: bool = False
    operations: tuple[str, ...] = ()

    def __init__(self, config: Choice, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.spec = spec

    @classmethod
    def normalizes(cls, config: Any, experiment: Experiment) -> bool:  # noqa: ARG003
        """Whether it has normalization layers: where its `normalization_field`, if it has one, asks for them."""
        return getattr(config, "normalization", "") != "none"

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

    def unused(self, slot: int, operations: Collection[str]) -> tuple[str, ...]:  # noqa: ARG002 - for those that search
        """Names of the parameters that a slot does without where it has only these operations."""
        return ()

    @property
    def normalizers(self) -> dict[str, Normalize]:
        """Its normalization layers by name."""
        return {name: layer for name, layer in self.named_modules() if isinstance(layer, Normalize)}

    @property
    def depends_on_batch(self) -> bool:
        """Whether an input's features depend on which other inputs it is seen with."""
        return any(layer.kind in ("transductive", "inductive") for layer in self.normalizers.values())

    @property
    def is_inductive(self) -> bool:
        """Whether queries are to be normalized with the statistics of the support set."""
        return any(layer.kind == "inductive" for layer in self.normalizers.values())


class WithHead(nn.Module):
    """A backbone and a linear head, the network of every method that has one output a way or target.

    Its parameters are named `backbone.*` and `head.weight`, `head.bias`.
    """

    def __init__(self, backbone: Backbone, outputs: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = Linear(backbone.width, outputs)

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Outputs [n, outputs] of inputs [n, *input_shape]."""
        outputs: Tensor = self.head(self.backbone(inputs, reference))
        return outputs


class Network:
    """A module called with parameters of one's own: `network(params, inputs, reference=None)`.

    While it runs the parameters stand in the module in place of its own, which is what `torch.func.functional_call`
    does too, with so many checks that a small network takes longer to be called than to compute. Swapping is not safe
    across threads, so each worker thread has a network of its own (`copy.deepcopy`).

    Args:
        module: What is called.
        computes_in: Narrower numbers that its layers compute in, such as `torch.bfloat16`; None for those of the
            parameters. What it gives has the parameters' type again, so that only its layers are less exact: losses,
            closed-form solutions and all else that a method computes are not.
    """

    def __init__(self, module: nn.Module, computes_in: torch.dtype | None = None) -> None:
        self.module = module.requires_grad_(False)
        self.computes_in = computes_in
        self._slots = tuple((f"{path}.{name}".lstrip("."), holder._parameters, name)
                            for path, holder in module.named_modules()
                            for name, value in holder._parameters.items() if value is not None)

    def own(self, params: Params) -> Params:
        """Those of the parameters that the module has, without what an algorithm keeps beside them."""
        return {name: params[name] for name, _, _ in self._slots}

    def __call__(self, params: Params, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        """Run the whole module; parameters that it does not have are passed over."""
        with self._holding(params, self._slots):
            outputs: Tensor = self._called(self.module, inputs, reference)
        return outputs

    def part(self, name: str, params: Params, *inputs: Tensor | None) -> Tensor:
        """Run one named child of the module with its share of the parameters, such as "backbone" or "head"."""
        prefix = f"{name}."
        with self._holding(params, [slot for slot in self._slots if slot[0].startswith(prefix)]):
            outputs: Tensor = self._called(getattr(self.module, name), *inputs)
        return outputs

    def _called(self, module: nn.Module, *inputs: Tensor | None) -> Any:
        """What a module that holds its parameters gives, computed in narrower numbers where that is wanted."""
        device = next(one.device.type for one in inputs if one is not None)
        if self.computes_in is None or not torch.amp.is_autocast_available(device):
            return module(*inputs)
        with torch.autocast(device, self.computes_in, cache_enabled=False):
            narrow = module(*inputs)
        return pytree.tree_map_only(Tensor, lambda one: one.float() if one.dtype == self.computes_in else one, narrow)

    @contextmanager
    def _holding(self, params: Params, slots: Iterable[tuple[str, Any, str]]) -> Iterator[None]:
        """The module with these parameters in place of its own."""
        before = []
        try:
            for name, holder, local in slots:
                before.append((holder, local, holder[local]))
                holder[local] = params[name]
            yield
        finally:
            for holder, local, value in before:
                holder[local] = value
