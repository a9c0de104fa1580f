"""BOIL against an unrolled loop over the body, and what its name promises."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch.func import functional_call

from tests.algorithms.oracles import PlainMLP, assert_equal, by_order, loss_of, meta_gradient
from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Context, adapt

RATE = 0.5


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("steps", [1, 3])
def test_it_is_an_unrolled_loop_over_the_body_alone(steps, kind, how):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=3)
    params, ours = meta_gradient("boil", about, batch, keys, how, inner_steps=steps, inner_lr=RATE)
    net, task = PlainMLP(about.outputs, params), batch.task(0)
    names, fast = [name for name, _ in net.body.named_parameters()], list(net.body.parameters())
    for _ in range(steps):
        outputs = net.head(functional_call(net.body, dict(zip(names, fast, strict=True)), (task.support.inputs,)))
        slopes = torch.autograd.grad(loss_of(about, outputs, task.support.targets), fast, create_graph=True)
        fast = [value - RATE * slope for value, slope in zip(fast, slopes, strict=True)]
    outputs = net.head(functional_call(net.body, dict(zip(names, fast, strict=True)), (task.query.inputs,)))
    theirs = torch.autograd.grad(loss_of(about, outputs, task.query.targets), list(net.parameters()))
    assert_equal(ours, by_order(params, list(theirs)))
    assert ours["head.weight"].abs().sum() > 0


@pytest.mark.parametrize("picture", [False, True])
def test_inner_steps_leave_the_head_and_move_everything_before_it(picture):
    about = spec("classification", 3, picture)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    algorithm, meta = make("boil", about, inner_steps=3, inner_lr=RATE)
    task = batch.task(0)
    ctx = Context(steps=3, ways=3, training=False, reference=None, progress=1.0, key=keys[0])
    state = adapt(algorithm, meta, task.support, ctx)
    moved = meta.params | state.params
    # What stands before batch normalization has a gradient of rounding alone, which may be nothing.
    tested = {name for name in moved if not (picture and "convolutions" in name and name.endswith("bias"))}
    assert {name for name in tested if torch.equal(moved[name], meta.params[name])} == {"head.weight", "head.bias"}
    outputs = algorithm.predict(meta, state, task.query.inputs, ctx.adapted)
    features = algorithm.network.part("backbone", moved, task.query.inputs)
    torch.testing.assert_close(outputs, features @ meta.params["head.weight"].T + meta.params["head.bias"])


def test_without_an_inner_step_it_is_at_chance_over_the_orders_of_the_classes():
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=4)
    algorithm, meta = make("boil", about)
    task = batch.task(0)
    ctx = Context(steps=0, ways=3, training=False, reference=None, progress=1.0, key=keys[0])
    right = []
    for order in permutations(range(3)):
        targets = torch.tensor(order)[task.support.targets]
        state = adapt(algorithm, meta, task.support._replace(targets=targets), ctx)
        outputs = algorithm.predict(meta, state, task.query.inputs, ctx)
        right.append(algorithm.metric(outputs, torch.tensor(order)[task.query.targets]))
    assert torch.stack(right).mean().item() == pytest.approx(1 / 3, abs=1e-12)
