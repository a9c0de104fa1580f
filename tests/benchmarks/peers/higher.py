"""higher 0.2.1, as in its example for MAML on Omniglot."""

from __future__ import annotations

import higher
import torch

from tests.benchmarks.peers.candidate import Candidate, OnModule
from tests.benchmarks.peers.problem import Problem


class Loop(OnModule):
    """`innerloop_ctx` task by task; every task adds its share to the gradient."""

    def step(self) -> None:
        """Clear, task by task, move."""
        inner = torch.optim.SGD(self.net.parameters(), lr=self.about.inner_lr)
        self.outer.zero_grad()
        self.loss = 0.0
        for index in range(self.about.tasks):
            x, y, asked, answers = self.problem.task(index)
            with higher.innerloop_ctx(self.net, inner, copy_initial_weights=False) as (fast, optimizer):
                for _ in range(self.about.steps):
                    optimizer.step(self.problem.loss(fast(x), y))
                loss = self.problem.loss(fast(asked), answers)
                self.loss += loss.item()
                (loss / self.about.tasks).backward()
        self.outer.step()


def make(problem: Problem, way: str) -> Candidate:
    """The loop of its example."""
    return Loop(problem)
