"""learn2learn 0.2.0, in the loops of its examples for MAML, Reptile and prototypical networks."""

from __future__ import annotations

import copy
import importlib
import importlib.machinery
import importlib.util
import sys

import torch

from tests.benchmarks.peers.candidate import Candidate, OnModule
from tests.benchmarks.peers.problem import Problem


def _module(name: str) -> object:
    """One module of the package without running the `__init__` of the packages around it.

    Those import everything that the library has, down to data sets and gym environments, which need half a dozen other
    packages of old versions; the algorithms need none of them.
    """
    package = ""
    for part in name.split(".")[:-1]:
        package = f"{package}.{part}" if package else part
        if package not in sys.modules:
            spec = importlib.util.find_spec(package)
            if spec is None or spec.submodule_search_locations is None:
                raise ModuleNotFoundError(f"{package} is not installed")
            bare = importlib.machinery.ModuleSpec(package, None, is_package=True)
            bare.submodule_search_locations = list(spec.submodule_search_locations)
            sys.modules[package] = importlib.util.module_from_spec(bare)
    return importlib.import_module(name)


# The package itself stays bare, but for its utilities, which `maml` imports from a package of their own.
MAML = _module("learn2learn.algorithms.maml").MAML  # type: ignore[attr-defined]
PrototypicalClassifier = _module("learn2learn.nn.protonet").PrototypicalClassifier  # type: ignore[attr-defined]


class _Averaged(OnModule):
    """A loop that adds up the gradients of the tasks and divides them by their number."""

    def step(self) -> None:
        """Clear, task by task, average, move."""
        self.outer.zero_grad()
        self.loss = 0.0
        for index in range(self.about.tasks):
            self.loss += self.one(index)
        for value in self.parameters():
            if value.grad is not None:
                value.grad.mul_(1.0 / self.about.tasks)
        self.outer.step()

    def one(self, index: int) -> float:
        """Add the gradient of one task and return its query loss."""
        raise NotImplementedError


class SecondOrder(_Averaged):
    """`MAML.clone` and `adapt`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.maml = MAML(self.net, lr=self.about.inner_lr, first_order=False)

    def one(self, index: int) -> float:
        x, y, asked, answers = self.problem.task(index)
        learner = self.maml.clone()
        for _ in range(self.about.steps):
            learner.adapt(self.problem.loss(learner(x), y))
        loss = self.problem.loss(learner(asked), answers)
        loss.backward()
        return loss.item()


class Prototypes(_Averaged):
    """`PrototypicalClassifier` on the features of support and query, each normalized by itself, as ours are."""

    def one(self, index: int) -> float:
        x, y, asked, answers = self.problem.task(index)
        classifier = PrototypicalClassifier(support=self.net(x), labels=y)
        loss = self.problem.loss(classifier(self.net(asked)), answers)
        loss.backward()
        return loss.item()


class Reptile(OnModule):
    """A copy of the network for each task, moved by an optimizer of its own."""

    def step(self) -> None:
        """Clear, task by task, average, move."""
        own = list(self.parameters())
        for value in own:
            value.grad = torch.zeros_like(value)
        self.loss = 0.0
        for index in range(self.about.tasks):
            x, y, asked, answers = self.problem.task(index)
            learner = copy.deepcopy(self.net)
            inner = torch.optim.SGD(learner.parameters(), lr=self.about.inner_lr)
            for _ in range(self.about.steps):
                inner.zero_grad()
                self.problem.loss(learner(x), y).backward()
                inner.step()
            with torch.no_grad():
                self.loss += self.problem.loss(learner(asked), answers).item()
                for value, moved in zip(own, learner.parameters(), strict=True):
                    value.grad.sub_(moved)
        with torch.no_grad():
            for value in own:
                value.grad.mul_(1.0 / self.about.tasks).add_(value)
        self.outer.step()


def make(problem: Problem, way: str) -> Candidate:
    """The loop of the method's example."""
    return {"maml": SecondOrder, "protonet": Prototypes, "reptile": Reptile}[problem.about.method](problem)
