"""Meta-SGD against an unrolled loop, a finite difference, and MAML with the same rate everywhere."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call

from tests.algorithms.oracles import PlainMLP, assert_equal, by_order, loss_of, meta_gradient
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Context, adapt


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("steps", [1, 3])
def test_weights_and_rates_get_the_gradients_of_an_unrolled_loop(steps, kind, how):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=4)
    params, ours = meta_gradient("meta_sgd", about, batch, keys, how, inner_steps=steps)
    weights = {name: value for name, value in params.items() if not name.startswith("rates/")}
    rates = {name: params[f"rates/{name}"].clone().requires_grad_() for name in weights}
    net, task = PlainMLP(about.outputs, weights), batch.task(0)
    names = [name for name, _ in net.named_parameters()]
    fast = list(net.parameters())
    for _ in range(steps):
        outputs = functional_call(net, dict(zip(names, fast, strict=True)), (task.support.inputs,))
        slopes = torch.autograd.grad(loss_of(about, outputs, task.support.targets), fast, create_graph=True)
        fast = [value - rate * slope for value, rate, slope in zip(fast, rates.values(), slopes, strict=True)]
    outputs = functional_call(net, dict(zip(names, fast, strict=True)), (task.query.inputs,))
    theirs = torch.autograd.grad(loss_of(about, outputs, task.query.targets), [*net.parameters(), *rates.values()])
    assert_equal(ours, by_order(params, list(theirs)))
    assert all(ours[f"rates/{name}"].abs().sum() > 0 for name in weights)


def test_after_one_step_the_gradient_of_a_rate_is_minus_the_two_gradients_multiplied():
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=3, queries=3)
    params, ours = meta_gradient("meta_sgd", about, batch, keys, inner_steps=1)
    weights = {name: value for name, value in params.items() if not name.startswith("rates/")}
    net, task = PlainMLP(2, weights), batch.task(0)
    support = torch.autograd.grad(loss_of(about, net(task.support.inputs), task.support.targets),
                                  list(net.parameters()))
    with torch.no_grad():
        for parameter, name, slope in zip(net.parameters(), weights, support, strict=True):
            parameter.sub_(params[f"rates/{name}"] * slope)
    query = torch.autograd.grad(loss_of(about, net(task.query.inputs), task.query.targets), list(net.parameters()))
    products = [-one * other for one, other in zip(support, query, strict=True)]
    assert_equal({name: ours[f"rates/{name}"] for name in weights}, by_order(weights, products))


@pytest.mark.parametrize("picture", [False, True])
def test_with_one_constant_rate_it_moves_the_weights_as_maml_does(picture):
    about = spec("classification", 3, picture)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=2)
    weights, maml = meta_gradient("maml", about, batch, keys, inner_steps=2, inner_lr=0.5)
    _, ours = meta_gradient("meta_sgd", about, batch, keys, inner_steps=2, first_rates="constant", inner_lr=0.5)
    assert_equal({name: ours[name] for name in weights}, maml)


def test_uniform_first_rates_lie_between_those_of_the_paper_and_follow_the_seed():
    algorithm, meta = make("meta_sgd", spec("classification", 5, picture=True))
    drawn = torch.cat([value.flatten() for name, value in meta.params.items() if name.startswith("rates/")])
    assert drawn.min() >= 0.005
    assert drawn.max() <= 0.1
    assert abs(drawn.mean() - 0.0525) < 0.005
    first, again, other = (algorithm.init(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(value, again.params[name]) for name, value in first.params.items())
    assert not torch.equal(first.params["rates/head.weight"], other.params["rates/head.weight"])


def test_a_negative_rate_climbs_and_a_rate_of_zero_stays():
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=3, queries=1)
    algorithm, meta = make("meta_sgd", about)
    support = batch.task(0).support
    ctx = Context(steps=1, ways=2, training=False, reference=None, progress=1.0, key=keys[0])

    def losses(rate: float) -> list[torch.Tensor]:
        params = {name: torch.full_like(value, rate) if name.startswith("rates/") else value
                  for name, value in meta.params.items()}
        state = adapt(algorithm, meta._replace(params=params), support, ctx)
        return [algorithm.loss(algorithm.network(one, support.inputs), support.targets)
                for one in (meta.params, state)]

    before, climbed = losses(-0.01)
    assert climbed > before
    before, fallen = losses(0.01)
    assert fallen < before
    before, same = losses(0.0)
    assert torch.equal(before, same)


def test_the_drawings_tell_mean_percentiles_and_share_below_zero_of_every_layer():
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=1, queries=1)
    algorithm, meta = make("meta_sgd", about)
    weight = torch.linspace(-1, 3, 15, dtype=torch.float64).reshape(3, 5)
    meta = meta._replace(params=meta.params | {"rates/head.weight": weight})
    runner = executor("vectorized", algorithm)
    drawn = runner.map(lambda one, meta, task, ctx: one.draw(meta, one.start(meta, task.support, ctx), task, ctx),
                       meta, batch, keys, setting(algorithm, about))
    declared = algorithm.drawings()["rates"]
    assert drawn["rates"].shape == (2, len(declared.row_names), len(declared.column_names))
    head = declared.row_names.index("head.weight")
    torch.testing.assert_close(drawn["rates"][0, head], torch.tensor([1.0, -0.6, 2.6], dtype=torch.float64))
    torch.testing.assert_close(drawn["against"][0, head], torch.tensor([4 / 15], dtype=torch.float64))
