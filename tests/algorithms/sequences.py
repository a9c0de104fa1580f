"""What the tests of methods that read a task in random order share: an oracle that tries every order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal, loss_of
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.tasks.base import Spec, Task

Answers = Callable[[dict[str, Tensor], Tensor, Tensor, Tensor], Tensor]
"""Outputs of queries, from parameters, and support features and label vectors in the order of reading."""


def body(params: dict[str, Tensor], x: Tensor) -> Tensor:
    """Features of the multilayer perceptron that tests use."""
    for layer in (0, 1):
        x = torch.tanh(x @ params[f"backbone.layers.{layer}.weight"].T + params[f"backbone.layers.{layer}.bias"])
    return x


def linear(params: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, params[f"{name}.weight"], params.get(f"{name}.bias"))


def check_against(name: str, kind: Any, how: str, answers: Answers, **config: Any) -> None:
    """The meta-gradient on a task of three examples is that of `answers` for one of the six orders of reading."""
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=1 if kind == "classification" else 3, queries=2)
    algorithm, meta = make(name, about, **config)
    runner = executor(how, algorithm)
    ours = runner.gradient(meta, batch, keys, setting(algorithm, about, examples=3))
    runner.close()
    loss, theirs = _in_the_likeliest_order(about, meta.params, batch.task(0), answers, ours.aux.loss[0])
    torch.testing.assert_close(ours.aux.loss[0], loss, rtol=1e-12, atol=1e-12)
    assert_equal(ours.total, theirs)


def _in_the_likeliest_order(about: Spec, params: dict[str, Tensor], task: Task, answers: Answers, wanted: Tensor
                            ) -> tuple[Tensor, dict[str, Tensor]]:
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    known = task.support.targets
    if about.kind == "classification":
        known = F.one_hot(known, about.outputs).double()
    losses = []
    for order in permutations(range(len(known))):
        x = body(leaves, task.support.inputs)[list(order)]
        outputs = answers(leaves, x, known[list(order)], body(leaves, task.query.inputs))
        losses.append(loss_of(about, outputs, task.query.targets))
    best = min(losses, key=lambda loss: float((loss.detach() - wanted).abs()))
    gradients = torch.autograd.grad(best, list(leaves.values()), materialize_grads=True)
    return best.detach(), dict(zip(leaves, gradients, strict=True))
