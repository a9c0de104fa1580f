"""TorchOpt 0.7.3, as in its two examples for MAML on Omniglot: an object task by task, and functions under vmap."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torchopt
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from tests.benchmarks.peers.candidate import Candidate, OnModule
from tests.benchmarks.peers.problem import Problem

Params = dict[str, Tensor]


class Loop(OnModule):
    """`MetaSGD` task by task, with one backward pass through all of them."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.inner = torchopt.MetaSGD(self.net, lr=self.about.inner_lr)

    def step(self) -> None:
        """Clear, task by task from the same state, average, move."""
        self.outer.zero_grad()
        start = torchopt.extract_state_dict(self.net, by="reference", detach_buffers=True)
        begun = torchopt.extract_state_dict(self.inner, by="reference")
        losses = []
        for index in range(self.about.tasks):
            x, y, asked, answers = self.problem.task(index)
            for _ in range(self.about.steps):
                self.inner.step(self.problem.loss(self.net(x), y))
            losses.append(self.problem.loss(self.net(asked), answers))
            torchopt.recover_state_dict(self.net, start)
            torchopt.recover_state_dict(self.inner, begun)
        mean = torch.stack(losses).mean()
        mean.backward()
        self.outer.step()
        self.loss = mean.item()


class Mapped(OnModule):
    """Functional `sgd`, the whole task under vmap, the backward pass over the mapped losses."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.params = dict(self.net.named_parameters())

    def parameters(self) -> Iterable[nn.Parameter]:
        """Those of the network, which is called with them."""
        return self.net.parameters()

    def task_loss(self, params: Params, x: Tensor, y: Tensor, asked: Tensor, answers: Tensor) -> Tensor:
        """Adapt to one task and be judged."""
        def support_loss(fast: Params) -> Tensor:
            return self.problem.loss(functional_call(self.net, fast, (x,)), y)

        optimizer = torchopt.sgd(lr=self.about.inner_lr)
        state = optimizer.init(params)
        fast = params
        for _ in range(self.about.steps):
            gradient, _ = grad_and_value(support_loss)(fast)
            updates, state = optimizer.update(gradient, state, inplace=False)
            fast = torchopt.apply_updates(fast, updates, inplace=False)
        return self.problem.loss(functional_call(self.net, fast, (asked,)), answers)

    def step(self) -> None:
        """Clear, all tasks at once, move."""
        self.outer.zero_grad()
        losses = vmap(self.task_loss, (None, 0, 0, 0, 0))(self.params, *self.problem.support, *self.problem.query)
        mean = losses.mean()
        mean.backward()
        self.outer.step()
        self.loss = mean.item()


class MappedGradient(Mapped):
    """The same with the outer derivative taken of each task inside the map."""

    def step(self) -> None:
        """All tasks at once, average, move."""
        self.params = {name: value.detach() for name, value in self.net.named_parameters()}
        gradient, losses = vmap(grad_and_value(self.task_loss), (None, 0, 0, 0, 0))(
            self.params, *self.problem.support, *self.problem.query)
        for name, value in self.net.named_parameters():
            value.grad = gradient[name].mean(0)
        self.outer.step()
        self.loss = losses.mean().item()


def make(problem: Problem, way: str) -> Candidate:
    """One of its two examples, or the second with the outer derivative inside the map."""
    return {"loop": Loop, "vmap": Mapped, "vmap, grad inside": MappedGradient}[way](problem)
