"""The best meta-parameters that a training had so far."""

from __future__ import annotations

import math

import torch

from workbench.algorithms.base import Meta
from workbench.engine.events import Evaluation
from workbench.engine.session import to_device
from workbench.engine.state import TrainState
from workbench.experiment.metrics import as_error


class Best:
    """The meta-parameters with the best validation.

    Args:
        start: The first ones, which are the best until something was judged.
        state: Where the training goes on; None where it begins.
        device: Where they are kept.

    Attributes:
        meta: The best meta-parameters.
        step: Outer steps behind them.
        score: The error that they were judged by; None before that.
        stale: Validations since then.
    """

    def __init__(self, start: Meta, state: TrainState | None, device: torch.device) -> None:
        self._device = device
        self.meta = to_device(state.best if state else start, device)
        self.step = state.best_step if state else 0
        self.score = state.best_score if state else None
        self.stale = state.stale if state else 0

    def judge(self, result: Evaluation, meta: Meta) -> bool:
        """Remember the meta-parameters that a validation was of if they are better; whether they are."""
        score = as_error(result.metric, result.score.mean)
        if not math.isfinite(score):  # adaptation that diverges is the worst there is, and not the best for ever
            score = math.inf
        is_better = self.score is None or score < self.score
        if is_better:
            self.meta, self.step, self.score = to_device(meta, self._device), result.step, score
        self.stale = 0 if is_better else self.stale + 1
        return is_better
