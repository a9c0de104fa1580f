"""The learned optimizer against its update rules, written as plain loops over tables of weights."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from tests.algorithms.oracles import assert_equal, loss_of, meta_gradient
from tests.algorithms.sequences import body, linear
from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Context, adapt
from workbench.algorithms.learned_optimizer import preprocessed
from workbench.tasks.base import Spec, Task

STEPS, RATE, LARGEST = 3, 0.1, 0.2
OPTIONS = {"inner_steps": STEPS, "inner_lr": RATE, "hidden": 4, "largest": LARGEST}


def tables(params: dict[str, Tensor]) -> list[str]:
    return [name for name in params if not name.startswith("optimizer.")]


def plain_loss(about: Spec, params: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
    return loss_of(about, linear(params, "head", body(params, inputs)), targets)


def constants(about: Spec, params: dict[str, Tensor], task: Task) -> tuple[Tensor, dict[str, Tensor]]:
    """The support loss and its gradient, as numbers that nothing is differentiated through."""
    leaves = {name: params[name].detach().requires_grad_() for name in tables(params)}
    loss = plain_loss(about, leaves, *task.support)
    return loss.detach(), dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


def seen_of(x: Tensor) -> Tensor:
    """Two numbers for each: log|x| / 10 and the sign, or -1 and x scaled where |x| is below exp(-10)."""
    rows = [[math.log(abs(value)) / 10, math.copysign(1, value)] if abs(value) >= math.exp(-10)
            else [-1.0, value * math.exp(10)] for value in x.flatten().tolist()]
    return torch.tensor(rows, dtype=x.dtype)


def gated(about: Spec, meta: dict[str, Tensor], task: Task) -> dict[str, Tensor]:
    """Ravi and Larochelle 2017: every weight with an LSTM state and gates of its own."""
    own = {key.removeprefix("optimizer."): value for key, value in meta.items() if key.startswith("optimizer.")}
    cell = nn.LSTMCell(4, 4)
    weights = {"weight_ih": own["cell.input.weight"], "weight_hh": own["cell.recurrent.weight"],
               "bias_ih": own["cell.input.bias"], "bias_hh": own["cell.recurrent.bias"]}
    params = dict(meta)
    states = {name: (torch.zeros(meta[name].numel(), 4).double(),) * 2 for name in tables(meta)}
    gates = {name: torch.zeros(2, meta[name].numel()).double() for name in tables(meta)}
    for _ in range(STEPS):
        loss, gradient = constants(about, params, task)
        for name in tables(meta):
            count = meta[name].numel()
            inputs = torch.cat([seen_of(gradient[name]), seen_of(loss).expand(count, -1)], -1)
            states[name] = torch.func.functional_call(cell, weights, (inputs, states[name]))
            hidden, theta = states[name][0], params[name].flatten()
            forget, take = (
                torch.sigmoid(hidden @ own["gates.weight"][gate, :4] + theta * own["gates.weight"][gate, 4]
                              + gates[name][gate] * own["previous"][gate] + own["gates.bias"][gate])
                for gate in (0, 1))
            gates[name] = torch.stack([forget, take])
            moved = forget * theta - take * gradient[name].flatten()
            change = torch.clamp(moved - theta, -LARGEST, LARGEST)
            params[name] = (theta + change).view_as(meta[name])
    return params


def stepped(about: Spec, meta: dict[str, Tensor], task: Task) -> dict[str, Tensor]:
    """The MLP over running means, table by table."""
    params = dict(meta)
    decays = (0.5, 0.9, 0.99)
    means = {name: [torch.zeros_like(meta[name])] * 3 for name in tables(meta)}
    squares = {name: [torch.zeros_like(meta[name])] * 3 for name in tables(meta)}
    for step in range(STEPS):
        loss, gradient = constants(about, params, task)
        for name in tables(meta):
            g = gradient[name]
            means[name] = [decay * old + (1 - decay) * g for decay, old in zip(decays, means[name], strict=True)]
            squares[name] = [decay * old + (1 - decay) * g**2 for decay, old in zip(decays, squares[name], strict=True)]
            roots = [1 / torch.sqrt(one + 1e-8) for one in squares[name]]
            raw = [params[name], g, *means[name], *(m * r for m, r in zip(means[name], roots, strict=True)), *roots]
            scaled = [one.flatten() / torch.sqrt((one**2).mean() + 1e-8) for one in raw]
            times = [torch.tensor(math.tanh(step / scale), dtype=loss.dtype) for scale in (1, 3, 10, 30, 100)]
            shared = [*seen_of(loss)[0], *times]
            inputs = torch.stack([*scaled, *(one.expand(g.numel()) for one in shared)], -1)
            hidden = F.relu(linear(meta, "optimizer.second", F.relu(linear(meta, "optimizer.first", inputs))))
            turn, size = linear(meta, "optimizer.last", hidden).T
            change = torch.clamp(-RATE * (scaled[1] + turn) * torch.exp(size), -LARGEST, LARGEST)
            params[name] = params[name] + change.view_as(g)
    return params


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("form", ["lstm", "mlp"])
@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_the_meta_gradient_is_that_of_the_rule_unrolled_with_its_inputs_held_constant(kind, form, how):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=3)
    # The last layer of the MLP begins at zero, behind which no other weight would matter.
    params, ours = meta_gradient("learned_optimizer", about, batch, keys, how, moved=0.1, form=form, **OPTIONS)
    assert all((ours[name] != 0).any() for name in ours if name.startswith("optimizer."))
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    rule = gated if form == "lstm" else stepped
    losses = [plain_loss(about, rule(about, leaves, batch.task(i)), *batch.task(i).query) for i in range(2)]
    theirs = torch.autograd.grad(sum(losses), list(leaves.values()), materialize_grads=True)
    assert_equal(ours, dict(zip(params, theirs, strict=True)))


def test_the_preprocessing_by_hand():
    values = torch.tensor([math.e, -math.e**-2, 0.0, math.e**-11]).double()
    expected = torch.tensor([[0.1, 1], [-0.2, -1], [-1, 0], [-1, math.e**-1]]).double()
    torch.testing.assert_close(preprocessed(values), expected)


def test_the_mlp_begins_as_descent_along_the_scaled_gradient():
    about = spec("classification", 3)
    algorithm, meta = make("learned_optimizer", about, form="mlp", inner_steps=1, inner_lr=0.02)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    task = batch.task(0)
    walked = adapt(algorithm, meta, task.support, Context(1, 3, True, None, 0.0, keys[0])).weights
    _, gradient = constants(about, meta.params, task)
    wanted = [meta.params[name] - 0.02 * g / torch.sqrt((g**2).mean() + 1e-8) for name, g in gradient.items()]
    torch.testing.assert_close(walked, torch.cat([one.flatten() for one in wanted]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("form", ["lstm", "mlp"])
def test_twenty_times_the_steps_of_training_stay_within_the_largest_update(form):
    about = spec("regression", 3)
    algorithm, meta = make("learned_optimizer", about, form=form, largest=0.05, inner_lr=0.9)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    walked = []
    ctx = Context(100, 2, training=False, reference=None, progress=1.0, key=keys[0])
    adapt(algorithm, meta, batch.task(0).support, ctx, lambda state, _: walked.append(state.weights))
    for before, after in pairwise(walked):
        assert torch.isfinite(after).all()
        assert (after - before).abs().max() <= 0.05 + 1e-12


def test_what_a_step_costs_is_the_network_once_for_every_weight():
    about = spec("classification", 3)
    weights = (3 * 6 + 6) + (6 * 5 + 5) + (5 * 3 + 3)
    algorithm, _ = make("learned_optimizer", about, hidden=20)
    assert algorithm.cost_of_a_step() == weights * (4 * 20 * (4 + 20) + 2 * (20 + 2))
    algorithm, _ = make("learned_optimizer", about, form="mlp", hidden=32)
    assert algorithm.cost_of_a_step() == weights * (18 * 32 + 32 * 32 + 32 * 2)


def test_the_gates_are_drawn_step_by_step():
    about = spec("classification", 3)
    algorithm, meta = make("learned_optimizer", about, inner_steps=4, inner_lr=0.25)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    task = batch.task(0)
    ctx = Context(4, 3, training=False, reference=None, progress=1.0, key=keys[0])
    drawn = []
    adapt(algorithm, meta, task.support, ctx, lambda state, now: drawn.append(algorithm.draw(meta, state, task, now)))
    assert not drawn[0]["input"].any()
    assert drawn[2]["input"][:, :2].all()
    assert not drawn[2]["input"][:, 2:].any()
    assert 0.1 < drawn[4]["input"].mean() < 0.5
    assert drawn[4]["forget"].min() > 0.97
