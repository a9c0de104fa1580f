"""What is kept as the best, and how long it stays that."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from workbench.algorithms.base import Meta
from workbench.engine.best import Best
from workbench.engine.events import Evaluation, Score

CPU = torch.device("cpu")


def meta(number: float) -> Meta:
    return Meta({"weight": torch.tensor([number])}, {})


def validation(step: int, mean: float, metric: Literal["accuracy", "mse"] = "mse") -> Evaluation:
    score = Score(mean, 0.0)
    return Evaluation(step, "validation", 2, metric, score, {}, (score,))


def test_the_first_is_kept_until_one_is_better_and_what_is_kept_is_a_copy():
    best, now = Best(meta(0.0), None, CPU), meta(1.0)
    assert best.score is None
    assert best.judge(validation(10, 2.0), now)
    now.params["weight"].add_(5)
    assert (float(best.meta.params["weight"]), best.step, best.score, best.stale) == (1.0, 10, 2.0, 0)
    assert not best.judge(validation(20, 2.0), meta(2.0))
    assert not best.judge(validation(30, 3.0), meta(3.0))
    assert (float(best.meta.params["weight"]), best.step, best.stale) == (1.0, 10, 2)
    assert best.judge(validation(40, 1.0), meta(4.0))
    assert (float(best.meta.params["weight"]), best.step, best.stale) == (4.0, 40, 0)


def test_a_higher_accuracy_is_better():
    best = Best(meta(0.0), None, CPU)
    assert best.judge(validation(1, 0.5, "accuracy"), meta(1.0))
    assert not best.judge(validation(2, 0.4, "accuracy"), meta(2.0))
    assert best.judge(validation(3, 0.6, "accuracy"), meta(3.0))


@pytest.mark.parametrize("diverged", [float("nan"), float("inf")])
def test_what_diverges_is_worse_than_any_that_does_not(diverged: float):
    best = Best(meta(0.0), None, CPU)
    best.judge(validation(1, diverged), meta(1.0))
    assert best.judge(validation(2, 1e30), meta(2.0))
    assert not best.judge(validation(3, diverged), meta(3.0))
    assert best.step == 2
