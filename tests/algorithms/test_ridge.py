"""The closed-form head, in float64, against least squares of numpy, finite differences and the normal equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal, loss_of, meta_gradient
from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Context
from workbench.tasks.base import Examples, Spec, Task

SIZES = {"fewer examples than features": 1, "more examples than features": 4}


def design(params: dict[str, Tensor], x: Tensor) -> Tensor:
    """Features of the tiny network, and ones."""
    for layer in (0, 1):
        x = torch.tanh(F.linear(x, params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]))
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)


def wanted(about: Spec, support: Examples) -> Tensor:
    return F.one_hot(support.targets).double() if about.kind == "classification" else support.targets


def least_squares(params: dict[str, Tensor], about: Spec, support: Examples) -> np.ndarray:
    """The minimum of ‖XW - Y‖² + λ‖W‖² as an ordinary least-squares problem with √λ I below X and zeros below Y."""
    x, y = design(params, support.inputs).numpy(), wanted(about, support).numpy()
    root = np.exp(params["ridge/log_regularization"].item() / 2)
    below = root * np.eye(x.shape[1])
    return np.linalg.lstsq(np.vstack([x, below]), np.vstack([y, np.zeros((len(below), y.shape[1]))]), rcond=None)[0]


def context(about: Spec) -> Context:
    return Context(steps=0, ways=about.outputs, training=False, reference=None, progress=1.0, key=torch.tensor(0))


def task_of(about: Spec, shots: int) -> Task:
    count = shots if about.kind == "classification" else 3 * shots
    return noise_tasks(about, tasks=1, ways=3, shots=count, queries=3)[0].task(0)


@pytest.mark.parametrize("shots", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_head_is_the_least_squares_solution_whichever_system_is_solved(kind, shots):
    about = spec(kind, 3)
    task = task_of(about, shots)
    assert (len(task.support.inputs) > 6) == (shots == 4)
    algorithm, meta = make("ridge", about, regularization=0.3)
    head = algorithm.start(meta, task.support, context(about))["head"]
    theirs = torch.from_numpy(least_squares(meta.params, about, task.support))
    torch.testing.assert_close(head, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("shots", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_meta_gradient_is_that_through_the_inverse_of_the_normal_equations(kind, shots, how):
    about = spec(kind, 3)
    task = task_of(about, shots)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=shots if kind == "classification" else 3 * shots, queries=3)
    params, ours = meta_gradient("ridge", about, batch, keys, how, regularization=0.3, scale=4.0)
    p = {name: value.clone().requires_grad_() for name, value in params.items()}
    x = design(p, task.support.inputs)
    damped = x.T @ x + p["ridge/log_regularization"].exp() * torch.eye(x.shape[1], dtype=x.dtype)
    head = torch.linalg.inv(damped) @ x.T @ wanted(about, task.support)
    outputs = p["ridge/scale"] * design(p, task.query.inputs) @ head + p["ridge/shift"]
    loss = loss_of(about, outputs, task.query.targets)
    assert_equal(ours, dict(zip(p, torch.autograd.grad(loss, list(p.values())), strict=True)))


@pytest.mark.parametrize("shots", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_meta_gradient_is_a_finite_difference_of_the_loss_after_least_squares(kind, shots):
    about = spec(kind, 3)
    task = task_of(about, shots)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=shots if kind == "classification" else 3 * shots, queries=3)
    params, exact = meta_gradient("ridge", about, batch, keys, regularization=0.3, scale=4.0)
    generator = torch.Generator().manual_seed(1)
    numbers = [{name: torch.full_like(value, float(name == one)) for name, value in params.items()}
               for one in params if one.startswith("ridge/")]
    everything = {name: torch.randn(value.shape, generator=generator, dtype=value.dtype)
                  for name, value in params.items()}

    def query_loss(shift: float, direction: dict[str, Tensor]) -> float:
        moved = {name: value + shift * direction[name] for name, value in params.items()}
        head = torch.from_numpy(least_squares(moved, about, task.support))
        outputs = moved["ridge/scale"] * design(moved, task.query.inputs) @ head + moved["ridge/shift"]
        return loss_of(about, outputs, task.query.targets).item()

    for direction in (*numbers, everything):
        step = 1e-5
        difference = (query_loss(step, direction) - query_loss(-step, direction)) / (2 * step)
        along = sum((exact[name] * direction[name]).sum().item() for name in exact)
        assert along == pytest.approx(difference, rel=1e-7, abs=1e-9)


def test_its_numbers_begin_where_the_config_says():
    _, meta = make("ridge", spec("regression", 2), regularization=7.0, scale=3.0)
    assert meta.params["ridge/log_regularization"].exp().item() == pytest.approx(7.0, rel=1e-6)
    assert (meta.params["ridge/scale"].item(), meta.params["ridge/shift"].item()) == (3.0, 0.0)


def test_in_single_precision_the_head_is_right_to_four_digits_with_many_examples_and_little_regularization():
    about = spec("classification", 3)
    task = task_of(about, 50)
    algorithm, meta = make("ridge", about, regularization=0.01)
    exact = algorithm.start(meta, task.support, context(about))["head"]
    single = meta._replace(params={name: value.float() for name, value in meta.params.items()})
    head = algorithm.start(single, Examples(task.support.inputs.float(), task.support.targets), context(about))["head"]
    assert head.dtype == torch.float32
    assert (head.double() - exact).norm() < 1e-4 * exact.norm()


def test_a_learner_answers_tasks_of_any_number_of_classes():
    algorithm, meta = make("ridge", spec("classification", 3))
    for ways in (2, 5):
        about = spec("classification", ways)
        batch, _ = noise_tasks(about, tasks=1, ways=ways, shots=2, queries=1)
        task, ctx = batch.task(0), context(about)
        assert algorithm.predict(meta, algorithm.start(meta, task.support, ctx), task.query.inputs,
                                 ctx).shape == (ways, ways)
