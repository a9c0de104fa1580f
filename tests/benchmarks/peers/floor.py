"""What the hardware could do: operations that a problem needs, and the rate of a large matrix product."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from tests.benchmarks.peers.candidate import Candidate
from tests.benchmarks.peers.networks import network
from tests.benchmarks.peers.problem import Problem

FLOOR = "floor"
SIDE = {"cpu": 2048, "cuda": 8192}


class MatrixProduct(Candidate):
    """One product of two square matrices."""

    def __init__(self, problem: Problem) -> None:
        device = problem.keys.device
        side = SIDE[device.type]
        self.left, self.right = (torch.randn(side, side, device=device) for _ in range(2))
        self.product = torch.empty_like(self.left)

    def step(self) -> None:
        """Multiply."""
        torch.mm(self.left, self.right, out=self.product)

    def gradient(self) -> list[Tensor]:
        """It has none."""
        return []


def make(problem: Problem, way: str) -> Candidate:
    """The product, on the problem's device."""
    return MatrixProduct(problem)


def product_operations(device: str) -> int:
    """Floating-point operations of one step of `MatrixProduct`: multiplications and additions."""
    return int(2 * SIDE[device] ** 3)


def operations(problem: Problem) -> int:
    """Floating-point operations that torch counts in the meta-gradient, written out plainly for one task, of all tasks.

    Matrix products and convolutions are counted, multiplications and additions apart; what is done element by element
    is not. The query loss that Reptile only reports is not needed for its gradient and not counted.
    """
    net = network(problem)
    names = [name for name, _ in net.named_parameters()]
    x, y, asked, answers = problem.task(0)
    about = problem.about

    def outputs(weights: list[Tensor], inputs: Tensor) -> Tensor:
        return functional_call(net, dict(zip(names, weights, strict=True)), (inputs,))

    with FlopCounterMode(display=False) as counter:
        weights = [value.detach().requires_grad_() for value in net.parameters()]
        start = weights
        if about.method == "protonet":
            members = torch.nn.functional.one_hot(y, about.outputs).to(x.dtype)
            centres = members.T @ outputs(weights, x) / members.sum(0).unsqueeze(-1)
            features = outputs(weights, asked)
            logits = 2 * features @ centres.T - (centres**2).sum(-1)
            torch.autograd.grad(problem.loss(logits, answers), weights)
        for _ in range(about.steps):
            loss = problem.loss(outputs(weights, x), y)
            gradient = torch.autograd.grad(loss, weights, create_graph=about.method == "maml")
            weights = [value - about.inner_lr * slope for value, slope in zip(weights, gradient, strict=True)]
            if about.method == "reptile":
                weights = [value.detach().requires_grad_() for value in weights]
        if about.method == "maml":
            torch.autograd.grad(problem.loss(outputs(weights, asked), answers), start)
    return counter.get_total_flops() * about.tasks
