"""Every meta-gradient, in float64, against a formulation that others wrote or that follows from the paper alone."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from tests.algorithms.oracles import (
    PlainConv4,
    PlainMLP,
    assert_equal,
    by_order,
    loss_of,
    meta_gradient,
)
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.tasks.base import Spec, Task

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import higher

RATE = 0.05


def higher_gradient(net: nn.Module, about: Spec, tasks: list[Task], steps: int) -> list[Tensor]:
    total = [torch.zeros_like(p) for p in net.parameters()]
    for task in tasks:
        inner = torch.optim.SGD(net.parameters(), lr=RATE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with higher.innerloop_ctx(net, inner, copy_initial_weights=False) as (fast, optimizer):
                for _ in range(steps):
                    optimizer.step(loss_of(about, fast(task.support.inputs), task.support.targets))
                loss = loss_of(about, fast(task.query.inputs), task.query.targets)
                total = [t + g for t, g in zip(total, torch.autograd.grad(loss, list(net.parameters())), strict=True)]
    return total


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_maml_gives_the_meta_gradient_of_higher(steps, kind, how):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=3, ways=3, shots=2, queries=4)
    params, ours = meta_gradient("maml", about, batch, keys, how, inner_steps=steps, inner_lr=RATE)
    theirs = higher_gradient(PlainMLP(about.outputs, params), about, [batch.task(i) for i in range(3)], steps)
    assert_equal(ours, by_order(params, theirs))


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_maml_through_transductive_batch_normalization_gives_the_meta_gradient_of_higher(steps, how):
    about = spec("classification", 3, picture=True)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=2)
    params, ours = meta_gradient("maml", about, batch, keys, how, inner_steps=steps, inner_lr=RATE)
    ordered = {name: params[name] for name in sorted(params, key=conv_first)}
    theirs = higher_gradient(PlainConv4(3, ordered), about, [batch.task(i) for i in range(2)], steps)
    assert_equal(ours, by_order(ordered, theirs))


def conv_first(name: str) -> tuple[int, int]:
    """Convolutions, then normalizations, then the head, each in the order of the blocks."""
    group = ("convolutions", "normalizations", "head")
    index = next(i for i, part in enumerate(group) if part in name)
    block = int(name.split(".")[2]) if index < 2 else 0
    return index, block


def test_the_second_order_term_is_there_by_finite_differences():
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=2, ways=2, shots=3, queries=3)
    params, exact = meta_gradient("maml", about, batch, keys, inner_steps=3, inner_lr=0.3)
    _, first_order = meta_gradient("fomaml", about, batch, keys, inner_steps=3, inner_lr=0.3)
    generator = torch.Generator().manual_seed(1)
    direction = {name: torch.randn(value.shape, generator=generator, dtype=value.dtype)
                 for name, value in params.items()}

    def query_loss(shift: float) -> float:
        net = PlainMLP(about.outputs, {name: value + shift * direction[name] for name, value in params.items()})
        total = 0.0
        for index in range(2):
            task, fast = batch.task(index), copy.deepcopy(net)
            for _ in range(3):
                gradients = torch.autograd.grad(loss_of(about, fast(task.support.inputs), task.support.targets),
                                                list(fast.parameters()))
                with torch.no_grad():
                    for parameter, gradient in zip(fast.parameters(), gradients, strict=True):
                        parameter.sub_(0.3 * gradient)
            total += loss_of(about, fast(task.query.inputs), task.query.targets).item()
        return total

    step = 1e-5
    difference = (query_loss(step) - query_loss(-step)) / (2 * step)
    along = sum((exact[name] * direction[name]).sum().item() for name in exact)
    along_first = sum((first_order[name] * direction[name]).sum().item() for name in exact)
    assert along == pytest.approx(difference, rel=1e-7)
    assert abs(along_first - difference) > 1e-3 * abs(difference)


def test_first_order_maml_is_the_gradient_at_the_adapted_weights():
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    params, ours = meta_gradient("fomaml", about, batch, keys, inner_steps=4, inner_lr=RATE)
    net, task = PlainMLP(3, params), batch.task(0)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    for _ in range(4):
        optimizer.zero_grad()
        F.cross_entropy(net(task.support.inputs), task.support.targets).backward()
        optimizer.step()
    theirs = torch.autograd.grad(F.cross_entropy(net(task.query.inputs), task.query.targets), list(net.parameters()))
    assert_equal(ours, by_order(params, list(theirs)))


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_anil_is_an_unrolled_loop_over_the_head_alone(kind):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=3)
    params, ours = meta_gradient("anil", about, batch, keys, inner_steps=3, inner_lr=RATE)
    net, task = PlainMLP(about.outputs, params), batch.task(0)
    weight, bias = net.head.weight, net.head.bias
    for _ in range(3):
        loss = loss_of(about, F.linear(net.body(task.support.inputs), weight, bias), task.support.targets)
        slope, shift = torch.autograd.grad(loss, (weight, bias), create_graph=True)
        weight, bias = weight - RATE * slope, bias - RATE * shift
    loss = loss_of(about, F.linear(net.body(task.query.inputs), weight, bias), task.query.targets)
    assert_equal(ours, by_order(params, list(torch.autograd.grad(loss, list(net.parameters())))))


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_protonet_is_a_softmax_over_distances_to_class_means(distance):
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=3)
    params, ours = meta_gradient("protonet", about, batch, keys, distance=distance)
    weights = [value.clone().requires_grad_() for value in params.values()]

    def features(x: Tensor) -> Tensor:
        return torch.tanh(F.linear(torch.tanh(F.linear(x, weights[0], weights[1])), weights[2], weights[3]))

    task = batch.task(0)
    means = torch.stack([features(task.support.inputs[task.support.targets == way]).mean(0) for way in range(3)])
    found = features(task.query.inputs)
    if distance == "euclidean":
        logits = -torch.stack([((found - mean) ** 2).sum(-1) for mean in means], -1)
    else:
        logits = 10 * torch.stack([F.cosine_similarity(found, mean.expand_as(found)) for mean in means], -1)
    theirs = torch.autograd.grad(F.cross_entropy(logits, task.query.targets), weights)
    assert_equal(ours, by_order(params, list(theirs)))


@pytest.mark.parametrize("inner", ["adam", "sgd"])
def test_reptile_is_the_way_that_an_optimizer_of_torch_walks(inner):
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=4, queries=2)
    params, ours = meta_gradient("reptile", about, batch, keys, inner_steps=6, inner_lr=RATE, inner_optimizer=inner,
                                 inner_batch=100)
    net, task = PlainMLP(3, params), batch.task(0)
    optimizer = (torch.optim.Adam(net.parameters(), lr=RATE, betas=(0.0, 0.999)) if inner == "adam"
                 else torch.optim.SGD(net.parameters(), lr=RATE))
    for _ in range(6):
        optimizer.zero_grad()
        F.cross_entropy(net(task.support.inputs), task.support.targets).backward()
        optimizer.step()
    walked = [before - after.detach() for before, after in zip(params.values(), net.parameters(), strict=True)]
    assert_equal(ours, by_order(params, walked))


def test_reptile_draws_its_inner_batches_from_the_key_without_repeating_an_example():
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=6, queries=2)
    params, ours = meta_gradient("reptile", about, batch, keys, inner_steps=1, inner_lr=RATE, inner_optimizer="sgd",
                                 inner_batch=2)
    task = batch.task(0)
    candidates = []
    for first in range(6):
        for second in range(first + 1, 6):
            net = PlainMLP(2, params)
            loss = F.mse_loss(net(task.support.inputs[[first, second]]), task.support.targets[[first, second]])
            candidates.append([RATE * gradient for gradient in torch.autograd.grad(loss, list(net.parameters()))])
    matches = [one for one in candidates if all(torch.allclose(a, b, rtol=1e-9, atol=1e-12)
                                                for a, b in zip(one, ours.values(), strict=True))]
    assert len(matches) == 1


def test_reptile_carries_the_mean_second_moments_of_its_tasks():
    about = spec("classification", 2)
    batch, keys = noise_tasks(about, tasks=3, ways=2, shots=2, queries=2)
    algorithm, meta = make("reptile", about, inner_steps=2, inner_batch=100)
    aux = executor("vectorized", algorithm).gradient(meta, batch, keys, setting(algorithm, about)).aux
    assert torch.equal(aux.buffers["steps"], torch.full((3,), 2.0, dtype=torch.float64))
    task, net = batch.task(1), PlainMLP(2, meta.params)
    optimizer = torch.optim.Adam(net.parameters(), lr=algorithm.config.inner_lr, betas=(0.0, 0.999))
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(net(task.support.inputs), task.support.targets).backward()
        optimizer.step()
    for name, parameter in zip(meta.params, net.parameters(), strict=True):
        squares = optimizer.state[parameter]["exp_avg_sq"]
        torch.testing.assert_close(aux.buffers[name][1], squares, rtol=1e-10, atol=1e-14)


def test_inductive_normalization_uses_the_statistics_of_the_support_set():
    about = spec("classification", 2, picture=True)
    batch, _ = noise_tasks(about, tasks=1, ways=2, shots=3, queries=2)
    algorithm, meta = make("protonet", about, normalization="inductive")
    task = batch.task(0)
    alone = algorithm.network(meta.params, task.query.inputs[:1], task.support.inputs)
    together = algorithm.network(meta.params, task.query.inputs, task.support.inputs)
    torch.testing.assert_close(alone[0], together[0], rtol=1e-10, atol=1e-12)
    own = algorithm.network(meta.params, task.support.inputs, task.support.inputs)
    torch.testing.assert_close(own, algorithm.network(meta.params, task.support.inputs), rtol=1e-9, atol=1e-12)
    transductive = algorithm.network(meta.params, task.query.inputs)
    assert not torch.allclose(transductive, together)
