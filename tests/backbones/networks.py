"""Algorithms on small networks of any backbone, and the meta-gradient of MAML written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from tests.problems import executor, noise_tasks, setting
from workbench.algorithms.base import Algorithm, Meta
from workbench.backbones.base import Backbone, Network, modulated
from workbench.experiment.registry import find
from workbench.tasks.base import Spec


def backbone(name: str, about: Spec, **config: Any) -> Backbone:
    """A backbone in float64 whose normalizations scale and shift by more than one and nothing."""
    torch.manual_seed(5)
    kind = find("backbone", name)
    made = kind(kind.Config(**config), about).double()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def learner(algorithm: str, body: Backbone, about: Spec, **config: Any) -> tuple[Algorithm[Any], Meta]:
    """An algorithm on it, and meta-parameters in float64."""
    torch.manual_seed(6)
    kind = find("algorithm", algorithm)
    chosen = kind.Config(**config)
    made = kind(chosen, Network(kind.build(chosen, body, about)), about)
    meta = made.init(torch.Generator().manual_seed(3))
    return made, Meta(*({key: value.double() for key, value in table.items()} for table in meta))


def maml_gradients(body: Backbone, about: Spec, forward: Callable[[dict[str, Tensor], Tensor], Tensor]
                   ) -> dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Of each executor, second-order MAML's meta-gradient and that of plain autograd through two unrolled steps.

    Args:
        body: The backbone.
        about: Its tasks.
        forward: The backbone's features, written independently: of parameters by name, and inputs.
    """
    algorithm, meta = learner("maml", body, about, inner_steps=2, inner_lr=0.1)
    batch, keys = noise_tasks(about, tasks=2, ways=about.outputs, shots=2, queries=2)
    theirs = {name: torch.zeros_like(value) for name, value in meta.params.items()}
    for task in (batch.task(0), batch.task(1)):
        leaves = {name: value.clone().requires_grad_() for name, value in meta.params.items()}
        fast = leaves
        for _ in range(2):
            loss = _loss(forward, fast, *task.support)
            slopes = torch.autograd.grad(loss, list(fast.values()), create_graph=True)
            fast = {name: value - 0.1 * slope for (name, value), slope in zip(fast.items(), slopes, strict=True)}
        found = torch.autograd.grad(_loss(forward, fast, *task.query), list(leaves.values()))
        theirs = {name: theirs[name] + value for name, value in zip(leaves, found, strict=True)}
    ours = {}
    for how in ("vectorized", "threads"):
        runner = executor(how, algorithm)
        ours[how] = runner.gradient(meta, batch, keys, setting(algorithm, about)).total, theirs
        runner.close()
    return ours


def _loss(forward: Callable[[dict[str, Tensor], Tensor], Tensor], params: dict[str, Tensor], inputs: Tensor,
          targets: Tensor) -> Tensor:
    body = {name.removeprefix("backbone."): value for name, value in params.items()}
    return F.cross_entropy(F.linear(forward(body, inputs), params["head.weight"], params["head.bias"]), targets)


def normal(kind: str, params: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Batch or group normalization of all rows, from its formula; nothing where there is none."""
    if kind == "none":
        return x
    groups = params[f"{name}.weight"].numel() if kind != "group" else max(
        count for count in range(1, 9) if x.shape[1] % count == 0)
    parts = x.view(x.shape[0], groups, -1)
    axes = 2 if kind == "group" else (0, 2)
    mean = parts.mean(axes, keepdim=True)
    spread = ((parts - mean) ** 2).mean(axes, keepdim=True)
    scaled = ((parts - mean) / (spread + 1e-5).sqrt()).view(x.shape)
    along = (-1, *[1] * (x.dim() - 2))
    return scaled * params[f"{name}.weight"].view(along) + params[f"{name}.bias"].view(along)


def check_that_blocks_can_be_modulated(body: Backbone, inputs: Tensor) -> None:
    """Scaling and shifting a block by its parameters is scaling and shifting what its layer puts out."""
    params = dict(body.named_parameters())
    for block in body.blocks:
        scale = torch.linspace(0.5, 1.5, block.channels, dtype=torch.float64)
        shift = torch.linspace(-1.0, 1.0, block.channels, dtype=torch.float64)
        edited = torch.func.functional_call(body, modulated(params, block, scale, shift, prefix=""), (inputs,))
        layer: nn.Module = body.get_submodule(block.weight.rpartition(".")[0])

        def change(_: nn.Module, __: Any, y: Tensor, scale: Tensor = scale, shift: Tensor = shift) -> Tensor:
            sides = [1] * (y.dim() - 2)
            return y * scale.view(-1, *sides) + shift.view(-1, *sides)

        hook = layer.register_forward_hook(change)
        hooked = body(inputs)
        hook.remove()
        torch.testing.assert_close(edited, hooked, rtol=1e-9, atol=1e-11)
        assert not torch.allclose(edited, body(inputs))
