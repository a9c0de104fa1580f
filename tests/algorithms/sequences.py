"""What the tests of methods that read a task in random order share: an oracle that tries every order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal, loss_of
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.tasks.base import Spec, Task

Answers = Callable[[dict[str, Tensor], Tensor, Tensor, Tensor], Tensor]
"""Outputs of queries, from parameters, and support features and label vectors in the order of reading."""

Seen = Literal["numbers", "transductive", "inductive"]
"""Numbers through a perceptron, or pictures through normalized blocks."""
SEEN: tuple[Seen, ...] = get_args(Seen)


def body(params: dict[str, Tensor], x: Tensor) -> Tensor:
    """Features of the multilayer perceptron that tests use."""
    for layer in (0, 1):
        x = torch.tanh(x @ params[f"backbone.layers.{layer}.weight"].T + params[f"backbone.layers.{layer}.bias"])
    return x


def standardized_maps(params: dict[str, Tensor], x: Tensor, reference: Tensor | None = None) -> Tensor:
    """Features of four strided blocks, each layer normalized, and the last maps standardized, over x or a reference."""
    seen = x if reference is None else torch.cat([reference, x])
    rows = len(x) if reference is None else len(reference)
    for block in range(4):
        conv, norm = (f"backbone.{part}.{block}" for part in ("convolutions", "normalizations"))
        seen = F.conv2d(seen, params[f"{conv}.weight"], params[f"{conv}.bias"], stride=2, padding=1)
        mean = seen[:rows].mean((0, 2, 3), keepdim=True)
        spread = (seen[:rows].var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        weight, bias = (params[f"{norm}.{name}"].view(-1, 1, 1) for name in ("weight", "bias"))
        seen = F.relu((seen - mean) / spread * weight + bias)
    maps = seen.flatten(1)
    maps = (maps - maps[:rows].mean(0)) / (maps[:rows].var(0, correction=0) + 1e-5).sqrt()
    return maps[-len(x):]


def linear(params: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, params[f"{name}.weight"], params.get(f"{name}.bias"))


def check_against(name: str, kind: Any, how: str, answers: Answers, *, seen: Seen = "numbers", **config: Any) -> None:
    """The meta-gradient on a task of three examples is that of `answers` for one of the six orders of reading."""
    about = spec(kind, 3, picture=seen != "numbers")
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=1 if kind == "classification" else 3, queries=2)
    algorithm, meta = make(name, about, **config)
    runner = executor(how, algorithm)
    ours = runner.gradient(meta, batch, keys, setting(algorithm, about, examples=3, inductive=seen == "inductive"))
    runner.close()
    loss, theirs = _in_the_likeliest_order(about, meta.params, batch.task(0), answers, ours.aux.loss[0], seen)
    torch.testing.assert_close(ours.aux.loss[0], loss, rtol=1e-12, atol=1e-12)
    assert_equal(ours.total, theirs)


def _in_the_likeliest_order(about: Spec, params: dict[str, Tensor], task: Task, answers: Answers, wanted: Tensor,
                            seen: Seen) -> tuple[Tensor, dict[str, Tensor]]:
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    known = task.support.targets
    if about.kind == "classification":
        known = F.one_hot(known, about.outputs).double()
    support, query = task.support.inputs, task.query.inputs
    if seen == "numbers":
        features, asked = body(leaves, support), body(leaves, query)
    else:
        features = standardized_maps(leaves, support)
        asked = standardized_maps(leaves, query, support if seen == "inductive" else None)
    losses = []
    for order in permutations(range(len(known))):
        outputs = answers(leaves, features[list(order)], known[list(order)], asked)
        losses.append(loss_of(about, outputs, task.query.targets))
    best = min(losses, key=lambda loss: float((loss.detach() - wanted).abs()))
    gradients = torch.autograd.grad(best, list(leaves.values()), materialize_grads=True)
    return best.detach(), dict(zip(leaves, gradients, strict=True))
