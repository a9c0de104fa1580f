"""The metrics of a task, against another implementation and mapped over tasks."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import Tensor

from workbench.experiment.metrics import WORDS, Metric, as_error, is_share, words_of
from workbench.tasks.base import Spec
from workbench.tasks.sampling.judging import auroc, balanced_accuracy, by_task, judged

SEEDS = st.integers(0, 2**31 - 1)


def answers(seed: int, tasks: int, queries: int, ways: int) -> tuple[Tensor, Tensor]:
    """Logits with many ties, and labels."""
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randint(-3, 4, (tasks, queries, ways), generator=generator).float()
    return outputs, torch.randint(0, ways, (tasks, queries), generator=generator)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 30), st.one_of(st.none(), st.integers(1, 40)))
def test_draws_of_a_task_count_once(seed: int, draws: int, around: int | None) -> None:
    values = np.random.default_rng(seed).random((draws, 2))
    found = by_task(values, around)
    if around is None or around == 1 or around >= draws:
        assert found is values
    else:
        assert len(found) == around
        for task, mean in enumerate(found):
            assert mean == pytest.approx(np.mean([value for i, value in enumerate(values) if i % around == task], 0))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 40), st.integers(2, 6))
def test_balanced_accuracy_is_that_of_scikit_learn(seed: int, queries: int, ways: int) -> None:
    outputs, targets = (part[0] for part in answers(seed, 1, queries, ways))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of predicted classes that do not occur
        wanted = balanced_accuracy_score(targets.numpy(), outputs.argmax(-1).numpy())
    assert balanced_accuracy(outputs, targets).item() == pytest.approx(wanted, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 40))
def test_auroc_is_that_of_scikit_learn_with_ties_at_half(seed: int, queries: int) -> None:
    outputs, targets = (part[0] for part in answers(seed, 1, queries, 2))
    targets[:2] = torch.tensor([0, 1])
    wanted = roc_auc_score(targets.numpy(), (outputs[:, 1] - outputs[:, 0]).numpy())
    assert auroc(outputs, targets).item() == pytest.approx(wanted, abs=1e-6)


def test_auroc_says_nothing_where_a_class_is_missing() -> None:
    assert auroc(torch.randn(5, 2), torch.ones(5, dtype=torch.long)).item() == 0.5


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from(["accuracy", "balanced accuracy", "auroc"]), st.integers(2, 4))
def test_a_batch_is_judged_as_its_tasks_are(seed: int, metric: Metric, ways: int) -> None:
    outputs, targets = answers(seed, 7, 12, ways)
    batched = torch.func.vmap(lambda one, labels: judged(metric, one, labels))(outputs, targets)
    looped = torch.stack([judged(metric, *task) for task in zip(outputs, targets, strict=True)])
    assert torch.allclose(batched, looped)


def test_squared_error_is_the_metric_of_regression() -> None:
    outputs, targets = torch.randn(6, 2), torch.randn(6, 2)
    assert judged("mse", outputs, targets).item() == pytest.approx(((outputs - targets) ** 2).mean().item())


def test_always_saying_the_common_class_is_worth_nothing() -> None:
    targets = torch.tensor([0] * 19 + [1])
    outputs = torch.tensor([[1.0, 0.0]]).expand(20, 2)
    assert judged("accuracy", outputs, targets).item() == pytest.approx(0.95)
    assert judged("balanced accuracy", outputs, targets).item() == judged("auroc", outputs, targets).item() == 0.5


def test_a_spec_knows_the_usual_metric_of_its_kind() -> None:
    assert Spec("classification", "vector", (3,), 2).metric == "accuracy"
    assert Spec("regression", "vector", (3,), 1).metric == "mse"
    known = Spec("classification", "vector", (3,), 2, metric="auroc")
    assert Spec.of({"kind": "classification", "input_kind": "vector", "input_shape": [3], "outputs": 2,
                    "metric": "auroc"}) == known


def test_shares_are_better_when_they_are_larger_and_errors_when_they_are_smaller() -> None:
    for metric in WORDS:
        best = min([0.2, 0.7], key=lambda value: as_error(metric, value))
        assert best == (0.7 if is_share(metric) else 0.2)
        assert words_of(metric).label.endswith("%") == is_share(metric)
    assert not np.isnan(as_error("of a plug-in", 1.0))
