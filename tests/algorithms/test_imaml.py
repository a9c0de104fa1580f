"""The implicit gradient in float64: closed forms, explicit Hessians, finite differences; and its memory."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from tests.algorithms.oracles import PlainConv4, PlainMLP, assert_equal, by_order, loss_of, meta_gradient
from tests.algorithms.test_meta_gradients import conv_first
from tests.benchmarks import memory
from tests.peaks import peak_bytes
from tests.problems import noise_tasks, setting, spec
from workbench.algorithms.base import Algorithm
from workbench.algorithms.imaml import IMAML, IMAMLConfig, conjugate_gradient
from workbench.backbones.base import Network
from workbench.engine.executors import EXECUTORS
from workbench.tasks.base import Spec, Task

PULL, RATE, STEPS = 3.0, 0.2, 4


def flat(tensors) -> Tensor:
    return torch.cat([value.reshape(-1) for value in tensors])


def split(vector: Tensor, like: dict[str, Tensor]) -> dict[str, Tensor]:
    parts = vector.split([value.numel() for value in like.values()])
    return {name: part.view_as(value) for (name, value), part in zip(like.items(), parts, strict=True)}


class Linear(torch.nn.Module):
    """A linear network: with the squared error everything about it has a closed form."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, inputs: Tensor, reference: Tensor | None = None) -> Tensor:
        return self.layer(inputs)


@pytest.mark.parametrize("inner", [("sgd", RATE, 80), ("momentum", RATE / 4, 600)])
@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_on_a_quadratic_problem_it_is_the_exact_implicit_gradient(how, damping, inner):
    about = Spec("regression", "vector", (3,), outputs=2)
    optimizer, rate, steps = inner  # however the minimum is reached
    config = IMAMLConfig(inner_optimizer=optimizer, inner_steps=steps, inner_lr=rate, proximal=PULL, conjugate_steps=4,
                         damping=damping)
    algorithm: Algorithm = IMAML(config, Network(Linear().double()), about)
    meta = algorithm.init(torch.Generator())
    batch, keys = noise_tasks(about, tasks=2, ways=2, shots=6, queries=5)
    gradient = EXECUTORS[how](algorithm, 2).gradient(meta, batch, keys, setting(algorithm, about)).total
    theta = torch.cat([meta.params["layer.weight"], meta.params["layer.bias"].unsqueeze(-1)], 1).T
    total = torch.zeros(4, 2, dtype=torch.float64)
    for task in (batch.task(0), batch.task(1)):
        support, query = (torch.cat([part.inputs, torch.ones(len(part.inputs), 1, dtype=torch.float64)], 1)
                          for part in (task.support, task.query))
        # The mean over examples and both targets of (x W - y)² has the Hessian X'X / n for either target.
        hessian = support.T @ support / len(support)
        identity = torch.eye(4, dtype=torch.float64)
        solved = torch.linalg.solve(hessian + PULL * identity,
                                    support.T @ task.support.targets / len(support) + PULL * theta)
        direct = query.T @ (query @ solved - task.query.targets) / len(query)
        total += torch.linalg.solve((1 + damping) * identity + hessian / PULL, direct)
    assert_equal(gradient, {"layer.weight": total[:3].T, "layer.bias": total[3]})


def walked(net, about, task: Task, steps: int, pull: float = PULL, rate: float = RATE) -> dict[str, Tensor]:
    """Plain gradient steps on the support loss with the proximal term."""
    begun = {name: value.detach().clone() for name, value in net.named_parameters()}
    weights = dict(begun)
    for _ in range(steps):
        leaves = {name: value.detach().requires_grad_() for name, value in weights.items()}
        loss = loss_of(about, functional_call(net, leaves, (task.support.inputs,)), task.support.targets)
        loss = loss + pull / 2 * sum(((leaves[name] - begun[name]) ** 2).sum() for name in leaves)
        slopes = torch.autograd.grad(loss, list(leaves.values()))
        weights = {name: value.detach() - rate * slope
                   for (name, value), slope in zip(leaves.items(), slopes, strict=True)}
    return weights


def explicit(net, about, task: Task, weights: dict[str, Tensor], pull: float = PULL) -> tuple[Tensor, Tensor]:
    """The system I + H/λ as a matrix, and the query gradient."""
    def loss(vector: Tensor, examples) -> Tensor:
        return loss_of(about, functional_call(net, split(vector, weights), (examples.inputs,)), examples.targets)

    at = flat(weights.values())
    hessian = torch.autograd.functional.hessian(partial(loss, examples=task.support), at)
    direct = torch.autograd.functional.jacobian(partial(loss, examples=task.query), at)
    return torch.eye(len(at), dtype=torch.float64) + hessian / pull, direct


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_it_is_the_solution_with_the_explicit_hessian(kind, how):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=3)
    params, ours = meta_gradient("imaml", about, batch, keys, how, inner_steps=STEPS, inner_lr=RATE, proximal=PULL,
                                 conjugate_steps=80)
    net = PlainMLP(about.outputs, params)
    names = dict(net.named_parameters())
    total = sum(torch.linalg.solve(*explicit(net, about, task, walked(net, about, task, STEPS)))
                for task in (batch.task(0), batch.task(1)))
    assert_equal(ours, by_order(params, list(split(total, names).values())))


@pytest.mark.parametrize("conjugate_steps", [1, 2, 3])
def test_few_steps_minimize_the_error_over_their_krylov_space_also_through_batch_normalization(conjugate_steps):
    about = spec("classification", 3, picture=True)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    params, ours = meta_gradient("imaml", about, batch, keys, inner_steps=STEPS, inner_lr=0.02, proximal=20.0,
                                 conjugate_steps=conjugate_steps, damping=0.5)
    ordered = {name: params[name] for name in sorted(params, key=conv_first)}
    net, task = PlainConv4(3, ordered), batch.task(0)
    weights = walked(net, about, task, STEPS, pull=20.0, rate=0.02)
    matrix, direct = explicit(net, about, task, weights, pull=20.0)
    matrix = matrix + 0.5 * torch.eye(len(direct), dtype=torch.float64)
    # What minimizes x'Ax/2 - b'x over span(b, Ab, A²b, …), by an orthonormal basis and a small dense solve.
    powers = [direct / direct.norm()]
    for _ in range(conjugate_steps - 1):
        powers.append(matrix @ powers[-1] / (matrix @ powers[-1]).norm())
    basis = torch.linalg.qr(torch.stack(powers, 1)).Q
    found = basis @ torch.linalg.solve(basis.T @ matrix @ basis, basis.T @ direct)
    assert_equal({name: ours[name] for name in ordered}, by_order(ordered, list(split(found, weights).values())))


def test_it_is_the_slope_of_the_converged_problem_by_finite_differences():
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=4, queries=3)
    params, ours = meta_gradient("imaml", about, batch, keys, inner_steps=150, inner_lr=RATE, proximal=PULL,
                                 conjugate_steps=80)
    generator = torch.Generator().manual_seed(1)
    aside = {name: torch.randn(value.shape, generator=generator, dtype=value.dtype) for name, value in params.items()}
    task = batch.task(0)

    def query_loss(shift: float) -> float:
        net = PlainMLP(about.outputs, {name: value + shift * aside[name] for name, value in params.items()})
        weights = walked(net, about, task, 150)
        return loss_of(about, functional_call(net, weights, (task.query.inputs,)), task.query.targets).item()

    step = 1e-5
    difference = (query_loss(step) - query_loss(-step)) / (2 * step)
    assert sum((ours[name] * aside[name]).sum().item() for name in ours) == pytest.approx(difference, rel=1e-7)


def symmetric(eigenvalues: list[float], seed: int) -> Tensor:
    basis = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues), dtype=torch.float64,
                                        generator=torch.Generator().manual_seed(seed))).Q
    return basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T


def solved(matrix: Tensor, right: Tensor, steps: int) -> Tensor:
    """`conjugate_gradient` on a matrix, with the vector in two named parts."""
    def system(vector: dict[str, Tensor]) -> dict[str, Tensor]:
        image = matrix @ torch.cat([vector["one"], vector["other"]])
        return {"one": image[:2], "other": image[2:]}

    found = conjugate_gradient(system, {"one": right[:2], "other": right[2:]}, steps)
    return torch.cat([found["one"], found["other"]])


def test_the_linear_solver_agrees_with_a_dense_one_and_stays_there():
    matrix, right = symmetric([1.0, 1.5, 2.0, 3.0, 7.0], 0), torch.arange(1.0, 6, dtype=torch.float64)
    for steps in (5, 6, 30):
        torch.testing.assert_close(solved(matrix, right, steps), torch.linalg.solve(matrix, right), rtol=1e-10,
                                   atol=1e-12)


def test_the_linear_solver_stops_where_curvature_is_negative_and_gives_the_right_side_where_it_is_at_once():
    right = torch.arange(1.0, 6, dtype=torch.float64)
    assert torch.equal(solved(-torch.eye(5, dtype=torch.float64), right, 4), right)
    saddle = symmetric([1.0, 1.5, 2.0, 3.0, -2.0], 0)
    path = [solved(saddle, right, steps) for steps in range(1, 8)]
    still = [torch.equal(one, path[-1]) for one in path]
    assert still.index(True) in (0, 1, 2, 3)
    assert all(still[still.index(True):])
    assert torch.isfinite(path[-1]).all()


def test_the_linear_solver_maps_over_systems_that_stop_at_different_steps():
    matrices = torch.stack([symmetric([1.0, 1.5, 2.0, 3.0, 7.0], 0), symmetric([1.0, 1.5, 2.0, 3.0, -2.0], 0),
                            -torch.eye(5, dtype=torch.float64), torch.eye(5, dtype=torch.float64)])
    rights = torch.arange(1.0, 21, dtype=torch.float64).view(4, 5)
    mapped = vmap(lambda matrix, right: solved(matrix, right, 6))(matrices, rights)
    alone = torch.stack([solved(matrix, right, 6) for matrix, right in zip(matrices, rights, strict=True)])
    torch.testing.assert_close(mapped, alone, rtol=1e-12, atol=1e-12)


def test_a_task_without_any_query_gradient_gives_zero_and_no_nan():
    zero = torch.zeros(5, dtype=torch.float64)
    assert torch.equal(solved(torch.eye(5, dtype=torch.float64), zero, 3), zero)


def test_its_peak_memory_does_not_grow_with_the_inner_steps_and_that_of_maml_does():
    peaks = {(name, steps): peak_bytes(memory.meta_gradient(name, steps, filters=8))
             for name in ("maml", "imaml") for steps in (2, 16)}
    assert peaks["imaml", 16] == pytest.approx(peaks["imaml", 2], rel=0.1)
    assert peaks["maml", 16] > 3 * peaks["maml", 2]
