"""Derivatives of a task's loss are those of torch.func, mapped or not, and to be differentiated again."""

from __future__ import annotations

import pytest
import torch
from torch.func import vmap

from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.algorithms import derivatives
from workbench.backbones import mapping

WAYS = ["alone", "mapped", "mapped, shared"]


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loss(params, inputs):
    return (torch.tanh(inputs @ params["w"] + params["b"])**2).sum()


def stepped(grad):
    """A loss after one inner step."""
    def after(params, inputs):
        slopes = grad(loss)(params, inputs)
        return loss({name: value - 0.1 * slopes[name] for name, value in params.items()}, inputs)

    return after


def run(function, way, params, inputs):
    if way == "alone":
        return function({name: value[0] for name, value in params.items()}, inputs[0])
    if way == "mapped, shared":
        params = {name: value[:1].expand(value.shape) for name, value in params.items()}
    return vmap(function)(params, inputs)


@pytest.fixture
def problem():
    return {"w": noise(5, 3, 2), "b": noise(5, 2, seed=1)}, noise(5, 4, 3, seed=2)


@pytest.mark.parametrize("way", WAYS)
def test_gradients_and_values_are_those_of_torch(way, problem):
    for ours, theirs in ((derivatives.grad(loss), torch.func.grad(loss)),
                         (derivatives.grad_and_value(loss), torch.func.grad_and_value(loss)),
                         (derivatives.grad(loss, argnums=(0, 1)), torch.func.grad(loss, argnums=(0, 1)))):
        torch.testing.assert_close(run(ours, way, *problem), run(theirs, way, *problem))


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_of_a_gradient_is_that_of_torch(way, problem):
    ours = run(derivatives.grad(stepped(derivatives.grad)), way, *problem)
    torch.testing.assert_close(ours, run(torch.func.grad(stepped(torch.func.grad)), way, *problem))


@pytest.mark.parametrize("way", WAYS)
def test_a_constant_gradient_is_not_differentiated(way, problem):
    def first_order(function):
        return derivatives.grad(function, constant=True)

    def stopped(function):
        return lambda *args: {name: value.detach() for name, value in torch.func.grad(function)(*args).items()}

    ours = run(derivatives.grad(stepped(first_order)), way, *problem)
    torch.testing.assert_close(ours, run(torch.func.grad(stepped(stopped)), way, *problem))


@pytest.mark.parametrize("way", WAYS)
def test_the_hessian_is_that_of_torch(way, problem):
    def ours(params, inputs):
        product = derivatives.hessian_product(lambda own: loss(own, inputs), params)
        return product(product(params))

    def theirs(params, inputs):
        pull = torch.func.vjp(torch.func.grad(lambda own: loss(own, inputs)), params)[1]
        return pull(pull(params)[0])[0]

    torch.testing.assert_close(run(ours, way, *problem), run(theirs, way, *problem))


def test_inside_a_transform_of_torch_it_is_torch_that_differentiates(problem):
    params, inputs = problem
    one = {name: value[0] for name, value in params.items()}
    torch.testing.assert_close(torch.func.grad(stepped(derivatives.grad))(one, inputs[0]),
                               torch.func.grad(stepped(torch.func.grad))(one, inputs[0]))


@pytest.mark.parametrize("way", WAYS)
def test_a_torch_without_a_way_below_its_maps_gives_the_same(monkeypatch, way, problem):
    usual = run(derivatives.grad(stepped(derivatives.grad)), way, *problem)
    monkeypatch.setattr(mapping, "can_go_below", False)
    torch.testing.assert_close(run(derivatives.grad(stepped(derivatives.grad)), way, *problem), usual)


@pytest.mark.parametrize("name", ["maml", "imaml", "protonet"])
def test_nor_do_layers_and_executors_differ_there(monkeypatch, name):
    about = spec("classification", 2, picture=True)
    algorithm, meta = make(name, about)
    batch, keys = noise_tasks(about, tasks=2, ways=2, shots=2, queries=2)
    runner = executor("vectorized", algorithm)
    usual = runner.gradient(meta, batch, keys, setting(algorithm, about)).total
    monkeypatch.setattr(mapping, "can_go_below", False)
    torch.testing.assert_close(runner.gradient(meta, batch, keys, setting(algorithm, about)).total, usual)


def test_nothing_is_kept_to_differentiate_again_where_nobody_asks(problem):
    params, inputs = problem
    with torch.no_grad():
        slopes, (value, more) = derivatives.grad_and_value(
            lambda own: (loss(own, inputs[0]), own["w"] * 2), has_aux=True)({"w": params["w"][0], "b": params["b"][0]})
    assert not any(one.requires_grad for one in (*slopes.values(), value, more))
