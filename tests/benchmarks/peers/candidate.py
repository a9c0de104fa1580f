"""What is timed: one outer step of somebody's, from the tasks to the moved weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tests.benchmarks.peers.networks import network
from tests.benchmarks.peers.problem import Problem

OURS = "ours"


class Candidate(ABC):
    """One way to run a problem."""

    @abstractmethod
    def step(self) -> None:
        """One outer step on the meta-batch: the meta-gradient, the mean query loss and a step of Adam."""

    @abstractmethod
    def gradient(self) -> list[Tensor]:
        """The meta-gradient of the last step, the mean over the tasks, in the order of the network's weights."""

    def running(self) -> AbstractContextManager[None]:
        """In which steps are taken."""
        return nullcontext()


class OnModule(Candidate):
    """A peer that trains an ordinary module with an ordinary optimizer.

    Attributes:
        problem: What is run.
        net: The network, whose weights are the meta-parameters.
        outer: The outer optimizer.
        loss: The mean query loss of the last step.
    """

    def __init__(self, problem: Problem, net: nn.Module | None = None) -> None:
        self.problem = problem
        self.about = problem.about
        self.net = net if net is not None else network(problem)
        self.outer = torch.optim.Adam(self.parameters(), lr=self.about.outer_lr)
        self.loss = 0.0

    def parameters(self) -> Iterable[nn.Parameter]:
        """What the outer optimizer moves."""
        return self.net.parameters()

    def gradient(self) -> list[Tensor]:
        """What the backward pass left on the weights."""
        return [value.grad if value.grad is not None else torch.zeros_like(value) for value in self.parameters()]


@dataclass(frozen=True)
class Peer:
    """Another library.

    Attributes:
        name: What it is called here: its adapter is the module of that name beside this one.
        distribution, version: What has to be installed.
        ways: The ways its documentation shows, each with the methods that it has.
        about: What is to be known of how it is used here.
    """

    name: str
    distribution: str
    version: str
    ways: dict[str, tuple[str, ...]]
    about: str


PEERS: tuple[Peer, ...] = (
    Peer("learn2learn", "learn2learn", "0.2.0", {"loop": ("maml", "reptile", "protonet")},
         "its algorithms and its prototypical classifier, in the loops of its examples; the rest of the package "
         "(data sets, gym environments) is neither imported nor needed"),
    Peer("higher", "higher", "0.2.1", {"loop": ("maml",)}, "`innerloop_ctx` task by task, as in its Omniglot example"),
    Peer("torchopt", "torchopt", "0.7.3", {"loop": ("maml",), "vmap": ("maml",), "vmap, grad inside": ("maml",)},
         "`MetaSGD` task by task and functional `sgd` under `vmap`, as in its two Omniglot examples; `grad inside` "
         "takes the outer derivative inside the map too, which its example does not and batch normalization needs"),
    Peer("parallel_metalearn", "parallel-metalearn", "0.5.6",
         {"vmap": ("maml", "reptile", "protonet"), "sequential": ("maml", "reptile", "protonet")},
         "its two backends, with the chunk as large as the meta-batch, which it calls full vectorization"),
)
