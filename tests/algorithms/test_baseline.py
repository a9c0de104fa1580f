"""The baselines and supervised learning against optimizers and layers of torch."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from tests.algorithms.oracles import PlainMLP, assert_equal, by_order, loss_of
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Context, adapt
from workbench.engine.executors.base import Setting
from workbench.tasks.base import Examples, Spec, TaskBatch

RATE, DECAY = 0.3, 0.05
EXAMPLES = Setting(0, 3, training=True, inductive=False, progress=0.0, stage="examples")


def context(keys: Tensor, steps: int, ways: int) -> Context:
    return Context(steps=steps, ways=ways, training=False, reference=None, progress=1.0, key=keys[0])


def portions(about: Spec, count: int = 12) -> tuple[TaskBatch, Tensor]:
    """Two portions of noise, labelled among all training classes."""
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(2, count, *about.input_shape, generator=generator, dtype=torch.float64)
    targets = (torch.randint(0, about.classes, (2, count), generator=generator) if about.kind == "classification"
               else torch.randn(2, count, about.outputs, generator=generator, dtype=torch.float64))
    return (TaskBatch(Examples(inputs[:, :0], targets[:, :0]), Examples(inputs, targets)),
            torch.arange(2, dtype=torch.int64))


class PlainCosine(nn.Module):
    """A layer with torch's own weight normalization on features of length one, times a scale."""

    def __init__(self, direction: Tensor, norm: Tensor, scale: float) -> None:
        super().__init__()
        self.layer = weight_norm(nn.Linear(direction.shape[1], len(direction), bias=False).double(), dim=0)
        with torch.no_grad():
            self.layer.parametrizations.weight.original0.copy_(norm.unsqueeze(1))
            self.layer.parametrizations.weight.original1.copy_(direction)
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        return self.scale * self.layer(features / features.norm(dim=-1, keepdim=True))


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_linear_head_walks_as_sgd_of_torch_does_on_frozen_features(kind):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=4)
    algorithm, meta = make("baseline", about, inner_steps=7, inner_lr=RATE, inner_batch=100, weight_decay=DECAY)
    task, ctx = batch.task(0), context(keys, 7, about.outputs)
    net = PlainMLP(about.classes or about.outputs, meta.params)
    fresh = algorithm.start(meta, task.support, ctx).head.params
    head = nn.Linear(5, about.outputs).double()
    with torch.no_grad():
        head.weight.copy_(fresh["weight"])
        head.bias.copy_(fresh["bias"])
    optimizer = torch.optim.SGD(head.parameters(), lr=RATE, momentum=0.9, dampening=0.9, weight_decay=DECAY)
    for _ in range(7):
        optimizer.zero_grad()
        loss_of(about, head(net.body(task.support.inputs).detach()), task.support.targets).backward()
        optimizer.step()
    state = adapt(algorithm, meta, task.support, ctx)
    assert_equal(state.head.params, {"weight": head.weight.detach(), "bias": head.bias.detach()})
    torch.testing.assert_close(algorithm.predict(meta, state, task.query.inputs, ctx.adapted),
                               head(net.body(task.query.inputs)).detach(), rtol=1e-10, atol=1e-10)


def test_the_cosine_head_walks_as_sgd_of_torch_does_with_weight_normalization():
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=4)
    algorithm, meta = make("baseline_pp", about, inner_steps=6, inner_lr=RATE, inner_batch=100, weight_decay=DECAY)
    task, ctx = batch.task(0), context(keys, 6, 3)
    weights = list(meta.params.values())

    def features(x: Tensor) -> Tensor:
        return torch.tanh(F.linear(torch.tanh(F.linear(x, *weights[:2])), *weights[2:4]))

    fresh = algorithm.start(meta, task.support, ctx).head.params
    head = PlainCosine(fresh["direction"], fresh["norm"], 2.0)
    # The first head is one that weight normalization has not touched: w = v.
    torch.testing.assert_close(head.layer.weight.detach(), fresh["direction"], rtol=1e-12, atol=1e-12)
    optimizer = torch.optim.SGD(head.parameters(), lr=RATE, momentum=0.9, dampening=0.9, weight_decay=DECAY)
    for _ in range(6):
        optimizer.zero_grad()
        F.cross_entropy(head(features(task.support.inputs)), task.support.targets).backward()
        optimizer.step()
    state = adapt(algorithm, meta, task.support, ctx)
    torch.testing.assert_close(algorithm.predict(meta, state, task.query.inputs, ctx.adapted),
                               head(features(task.query.inputs)).detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["baseline", "baseline_pp"])
def test_a_mini_batch_is_drawn_from_the_key_without_repeating_an_example(name):
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=1)
    task, ctx = batch.task(0), context(keys, 1, 3)
    algorithm, meta = make(name, about, inner_steps=1, inner_batch=2)
    whole, _ = make(name, about, inner_steps=1, inner_batch=2)
    ours = adapt(algorithm, meta, task.support, ctx).head.params
    matches = 0
    for chosen in combinations(range(6), 2):
        some = Examples(*(part[list(chosen)] for part in task.support))
        theirs = adapt(whole, meta, some, ctx).head.params
        matches += all(torch.allclose(ours[key], theirs[key], rtol=1e-9, atol=1e-12) for key in ours)
    assert matches == 1
    other = adapt(algorithm, meta, task.support, context(keys + 1, 1, 3)).head.params
    assert not any(torch.equal(ours[key], other[key]) for key in ours)


def test_a_fresh_head_is_spread_as_a_linear_layer_of_torch_begins():
    about = spec("classification", 3)
    algorithm, meta = make("baseline", about)
    features = torch.zeros(1, 64)
    ctx = context(torch.tensor([11]), 1, 500)
    head = algorithm.fresh_head(features, ctx)
    assert head["weight"].shape == (500, 64)
    assert head["weight"].abs().max() <= 1 / 8
    assert abs(head["weight"].mean().item()) < 2e-3
    assert head["weight"].var().item() == pytest.approx(1 / 64 / 3, rel=0.02)
    assert head["bias"].var().item() == pytest.approx(1 / 64 / 3, rel=0.2)
    assert meta.params.keys() == {f"backbone.layers.{layer}.{kind}" for layer in (0, 1)
                                  for kind in ("weight", "bias")} | {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("name", ["baseline", "supervised", "meta_transfer"])
def test_examples_are_learned_from_by_the_gradient_of_an_ordinary_loss_over_all_classes(name, kind, how):
    about = spec(kind, 3)
    batch, keys = portions(about)
    algorithm, meta = make(name, about)
    runner = executor(how, algorithm)
    ours = runner.gradient(meta, batch, keys, EXAMPLES)
    runner.close()
    plain = {key: value for key, value in meta.params.items() if key.startswith(("backbone.", "classifier."))}
    net = PlainMLP(about.classes or about.outputs, plain)
    losses = [loss_of(about, net(batch.query.inputs[i]), batch.query.targets[i]) for i in range(2)]
    theirs = torch.autograd.grad(sum(losses), list(net.parameters()))
    assert_equal({key: ours.total[key] for key in plain}, by_order(plain, list(theirs)))
    for key in ours.total.keys() - plain.keys():
        assert not ours.total[key].any()
    torch.testing.assert_close(ours.aux.loss, torch.stack(losses).detach(), rtol=1e-10, atol=1e-10)
    assert "hardest" not in ours.aux.extra


def test_the_cosine_classifier_learns_by_the_gradient_of_a_layer_with_weight_normalization():
    about = spec("classification", 3)
    batch, keys = portions(about)
    algorithm, meta = make("baseline_pp", about)
    runner = executor("vectorized", algorithm)
    ours = runner.gradient(meta, batch, keys, EXAMPLES).total
    params = meta.params
    body = [value.clone().requires_grad_() for key, value in params.items() if key.startswith("backbone.")]
    head = PlainCosine(params["classifier.direction"], params["classifier.norm"], 2.0)
    total = torch.zeros((), dtype=torch.float64)
    for i in range(2):
        features = torch.tanh(F.linear(torch.tanh(F.linear(batch.query.inputs[i], *body[:2])), *body[2:]))
        total = total + F.cross_entropy(head(features), batch.query.targets[i])
    kept = head.layer.parametrizations.weight
    theirs = torch.autograd.grad(total, [*body, kept.original1, kept.original0])
    expected = by_order(params, [*theirs[:5], theirs[5].squeeze(1)])
    assert list(params)[-2:] == ["classifier.direction", "classifier.norm"]
    assert_equal(ours, expected)


def test_cosines_among_many_classes_are_scaled_five_times_as_much():
    few, many = (Spec("classification", "vector", (3,), 3, classes=count) for count in (200, 201))
    scales = [make("baseline_pp", about)[0].network.module.classifier.scale for about in (few, many)]
    assert scales == [2.0, 10.0]


@pytest.mark.parametrize("name", ["baseline", "baseline_pp", "supervised", "meta_transfer"])
@pytest.mark.parametrize("picture", [False, True])
def test_batched_equals_looped_in_the_stage_over_examples(name, picture):
    about = spec("classification", 3, picture)
    batch, keys = portions(about)
    algorithm, meta = make(name, about)
    found = {}
    for how in ("vectorized", "threads"):
        runner = executor(how, algorithm)
        found[how] = runner.gradient(meta, batch, keys, EXAMPLES)
        runner.close()
    assert_equal(found["vectorized"].total, found["threads"].total)
    torch.testing.assert_close(found["vectorized"].aux.metric, found["threads"].aux.metric)


def test_the_answers_after_every_step_are_what_predict_says():
    about = spec("classification", 3, picture=True)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    task = batch.task(0)
    for name in ("baseline", "baseline_pp", "meta_transfer"):
        algorithm, meta = make(name, about, inner_steps=3)
        ctx = Context(steps=3, ways=3, training=False, reference=task.support.inputs, progress=1.0, key=keys[0])
        answer = algorithm.answers(meta, task.query.inputs, ctx)
        seen = []
        adapt(algorithm, meta, task.support, ctx, lambda state, now, seen=seen: seen.append((state, now)))
        assert len(seen) == 4
        for state, now in seen:
            assert torch.equal(answer(state, now), algorithm.predict(meta, state, task.query.inputs, now))
            assert setting(algorithm, about).steps == 3
