"""Results as commands tell them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workbench.engine.events import Evaluation
from workbench.experiment.metrics import result_in_words
from workbench.words import counted


def evaluation_table(evaluation: Evaluation | None) -> dict[str, Any] | None:
    """A result as JSON has it; accuracies are fractions."""
    if evaluation is None:
        return None
    return {"metric": evaluation.metric, **asdict(evaluation.score), "tasks": evaluation.tasks,
            "split": evaluation.split, "step": evaluation.step,
            "modes": {mode: asdict(score) for mode, score in evaluation.modes.items()},
            "by_step": [asdict(score) for score in evaluation.by_step]}


def test_in_words(evaluation: Evaluation) -> str:
    """A result on test tasks, such as "test accuracy 98.1 % ± 0.3 % after 5 inner steps"."""
    steps = len(evaluation.by_step) - 1
    return (f"test {result_in_words(evaluation.metric, evaluation.score.mean, evaluation.score.ci95)}"
            + f" after {counted(steps, 'inner steps')}" * (steps > 0))
