"""The network that adjusts a network, against the same written with activations and plain autograd."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal, loss_of
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Algorithm, Context, Meta, adapt
from workbench.backbones.base import Network
from workbench.experiment.registry import find
from workbench.tasks.base import Examples, Spec, Task

Table = dict[str, Tensor]
SIZE = 7
RATE = 0.2


def trained(about: Spec, **config: Any) -> tuple[Algorithm[Any], Meta]:
    """As it would be after some training: nothing that starts at zero still is."""
    algorithm, meta = make("meta_network", about, encoding=SIZE, inner_lr=RATE, **config)
    generator = torch.Generator().manual_seed(5)
    params = {name: value + 0.2 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
              for name, value in meta.params.items()}
    return algorithm, Meta(params, meta.buffers)


def perceptron(p: Table, name: str, x: Tensor) -> Tensor:
    for layer in (0, 2):
        x = F.elu(x @ p[f"{name}.{layer}.weight"].T + p[f"{name}.{layer}.bias"])
    return x @ p[f"{name}.4.weight"].T + p[f"{name}.4.bias"]


def mlp_features(p: Table, x: Tensor, film: list[Tensor]) -> Tensor:
    for layer in range(2):
        y = x @ p[f"backbone.layers.{layer}.weight"].T + p[f"backbone.layers.{layer}.bias"]
        x = torch.tanh((1 + film[2 * layer]) * y + film[2 * layer + 1])
    return x


def conv_features(p: Table, x: Tensor, film: list[Tensor]) -> Tensor:
    for layer in range(4):
        y = F.conv2d(x, p[f"backbone.convolutions.{layer}.weight"], p[f"backbone.convolutions.{layer}.bias"], 2, 1)
        mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, correction=0)
        weight, bias = (p[f"backbone.normalizations.{layer}.{part}"].view(-1, 1, 1) for part in ("weight", "bias"))
        y = (y - mean) / (variance + 1e-5).sqrt() * weight + bias
        x = torch.relu((1 + film[2 * layer].view(-1, 1, 1)) * y + film[2 * layer + 1].view(-1, 1, 1))
    return x.flatten(1)


def written_down(about: Spec, p: Table, task: Task, *, slots: int, steps: int, penalty: float
                 ) -> tuple[Tensor, Tensor, Tensor]:
    """L + R, L and the answers of the definition, one class at a time."""
    is_picture = about.input_kind == "image"
    features, widths = (conv_features, [4] * 8) if is_picture else (mlp_features, [6, 6, 5, 5])
    zeros = [p["backbone." + ("convolutions" if is_picture else "layers") + ".0.bias"].new_zeros(w) for w in widths]
    support, query = task
    classifies = about.kind == "classification"
    plain = features(p, support.inputs, zeros)
    labels = range(about.outputs)
    encoded = []
    for index in range(len(plain)):
        told = support.targets[index]
        if classifies:
            told = plain[support.targets == told].mean(0)
        encoded.append(perceptron(p, "encoder", torch.cat([plain[index], told])))
    z = torch.stack(encoded).mean(0)
    if slots:
        scores = [(key * z).sum() / SIZE**0.5 for key in p["memory.keys"]]
        shares = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
        z = z + sum(share * value for share, value in zip(shares, p["memory.values"], strict=True))
    film = list(perceptron(p, "modulator", z).split(widths))
    if classifies:
        adjusted = features(p, support.inputs, film)
        means = torch.stack([adjusted[support.targets == label].mean(0) for label in labels])
        base = 2 * means, -(means**2).sum(1)
        made = torch.stack([perceptron(p, "generator", mean) for mean in means])
    else:
        base = p["head.weight"], p["head.bias"]
        made = perceptron(p, "generator", z).reshape(about.outputs, -1)
    # Clones, so that the head's share in the modulation is left out of the slopes of the refinement.
    delta = [value.clone() for value in (*film, made[:, :-1], made[:, -1])]

    def answer(inputs: Tensor) -> Tensor:
        return features(p, inputs, delta[:-2]) @ (base[0] + delta[-2]).T + base[1] + delta[-1]

    for _ in range(steps):
        slopes = torch.autograd.grad(loss_of(about, answer(support.inputs), support.targets), delta, create_graph=True)
        delta = [value - RATE * slope for value, slope in zip(delta, slopes, strict=True)]
    outputs = answer(query.inputs)
    loss = loss_of(about, outputs, query.targets)
    return loss + penalty * sum((value**2).sum() for value in delta), loss, outputs


CASES = [("classification", False), ("classification", True), ("regression", False), ("regression", True)]


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize(("slots", "steps"), [(0, 0), (3, 0), (0, 2), (2, 1)])
@pytest.mark.parametrize(("kind", "picture"), CASES)
def test_its_meta_gradient_is_that_of_the_definition(kind, picture, slots, steps, how):
    about = spec(kind, 3, picture)
    algorithm, meta = trained(about, memory_slots=slots, inner_steps=steps, penalty=0.03)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=3, queries=3)
    runner = executor(how, algorithm)
    ours = runner.gradient(meta, batch, keys, setting(algorithm, about))
    runner.close()
    weights = {name: value.clone().requires_grad_() for name, value in meta.params.items()}
    found = [written_down(about, weights, batch.task(index), slots=slots, steps=steps, penalty=0.03)
             for index in range(2)]
    theirs = torch.autograd.grad(sum(one[0] for one in found), list(weights.values()), materialize_grads=True)
    assert_equal(ours.total, dict(zip(weights, theirs, strict=True)))
    torch.testing.assert_close(ours.aux.loss, torch.stack([one[1] for one in found]).detach(), rtol=1e-10, atol=1e-10)


def context(about: Spec, steps: int = 0) -> Context:
    return Context(steps=steps, ways=about.outputs, training=False, reference=None, progress=1.0, key=torch.tensor(1))


def answers(algorithm: Algorithm[Any], meta: Meta, support: Examples, inputs: Tensor, about: Spec) -> Tensor:
    ctx = context(about)
    return algorithm.predict(meta, adapt(algorithm, meta, support, ctx), inputs, ctx)


@pytest.mark.parametrize("slots", [0, 3])
def test_before_training_it_adjusts_nothing(slots):
    for kind in ("classification", "regression"):
        about = spec(kind, 3)
        algorithm, meta = make("meta_network", about, memory_slots=slots)
        batch, _ = noise_tasks(about, tasks=1, ways=3, shots=2, queries=3)
        task = batch.task(0)
        ours = answers(algorithm, meta, task.support, task.query.inputs, about)
        plain = [torch.zeros(width, dtype=torch.float64) for width in (6, 6, 5, 5)]
        support, query = (mlp_features(meta.params, part.inputs, plain) for part in task)
        if kind == "regression":
            assert torch.allclose(ours, query @ meta.params["head.weight"].T + meta.params["head.bias"])
        else:
            means = torch.stack([support[task.support.targets == label].mean(0) for label in range(3)])
            distances = -torch.cdist(query, means) ** 2
            torch.testing.assert_close(ours.softmax(-1), distances.softmax(-1), rtol=1e-10, atol=1e-12)
        assert not any(value.any() for value in algorithm.start(meta, task.support, context(about)).adjustment.values())


@pytest.mark.parametrize(("kind", "picture"), CASES)
def test_neither_the_order_nor_the_number_of_the_examples_matters(kind, picture):
    about = spec(kind, 3, picture)
    algorithm, meta = trained(about, memory_slots=2)
    batch, _ = noise_tasks(about, tasks=1, ways=3, shots=3, queries=2)
    support, query = batch.task(0)
    ours = answers(algorithm, meta, support, query.inputs, about)
    order = torch.randperm(len(support.inputs), generator=torch.Generator().manual_seed(1))
    for rows in (order, torch.cat([order, order])):
        other = answers(algorithm, meta, Examples(support.inputs[rows], support.targets[rows]), query.inputs, about)
        torch.testing.assert_close(other, ours, rtol=1e-9, atol=1e-10)


def test_other_numbers_for_the_classes_give_the_same_answers_in_another_order():
    about = spec("classification", 3)
    algorithm, meta = trained(about, memory_slots=2)
    batch, _ = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    support, query = batch.task(0)
    ours = answers(algorithm, meta, support, query.inputs, about)
    turned = Examples(support.inputs, (support.targets + 1) % 3)
    torch.testing.assert_close(answers(algorithm, meta, turned, query.inputs, about), ours.roll(1, 1),
                               rtol=1e-10, atol=1e-10)


def test_it_answers_tasks_of_other_ways_than_it_was_built_for():
    algorithm, meta = trained(spec("classification", 3))
    about = spec("classification", 5)
    batch, _ = noise_tasks(about, tasks=1, ways=5, shots=1, queries=2)
    support, query = batch.task(0)
    assert answers(algorithm, meta, support, query.inputs, about).shape == (10, 5)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_penalty_adds_its_gradient_and_is_not_reported(kind):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    found = {}
    for penalty in (0.0, 0.5):
        algorithm, meta = trained(about, penalty=penalty)
        runner = executor("threads", algorithm)
        found[penalty] = runner.gradient(meta, batch, keys, setting(algorithm, about))
        runner.close()
    assert torch.equal(found[0.0].aux.loss, found[0.5].aux.loss)

    def size(params: Table) -> float:
        state = algorithm.start(Meta(params, {}), batch.task(0).support, context(about))
        return sum((value**2).sum().item() for value in state.adjustment.values())

    generator = torch.Generator().manual_seed(2)
    direction = {name: torch.randn(value.shape, generator=generator, dtype=value.dtype)
                 for name, value in meta.params.items()}
    ends = [size({name: value + shift * direction[name] for name, value in meta.params.items()})
            for shift in (-1e-5, 1e-5)]
    along = sum(((value - found[0.0].total[name]) * direction[name]).sum().item()
                for name, value in found[0.5].total.items())
    assert along == pytest.approx(0.5 * (ends[1] - ends[0]) / 2e-5, rel=1e-6)


def test_what_is_drawn_is_the_modulation_and_the_attention():
    about = spec("regression", 2)
    algorithm, meta = trained(about, memory_slots=4)
    batch, _ = noise_tasks(about, tasks=1, ways=2, shots=3, queries=2)
    task, ctx = batch.task(0), context(about)
    state = algorithm.start(meta, task.support, ctx)
    drawn = algorithm.draw(meta, state, task, ctx)
    assert drawn["modulation"].shape == (4, 5)
    assert torch.equal(drawn["modulation"][3], state.adjustment["shift.1"])
    assert drawn["memory"].shape == (1, 4)
    assert drawn["memory"].sum().item() == pytest.approx(1)


def test_a_backbone_without_blocks_has_no_modulation_to_draw():
    about = spec("classification", 2)
    kind, mlp = find("algorithm", "meta_network"), find("backbone", "mlp")
    backbone = mlp(mlp.Config(widths=(6, 5)), about)
    backbone.blocks = ()
    chosen = kind.Config(inner_steps=1)
    algorithm = kind(chosen, Network(kind.build(chosen, backbone, about)), about)
    meta = algorithm.init(torch.Generator().manual_seed(3))
    batch, _ = noise_tasks(about, tasks=1, ways=2, shots=3, queries=2)
    support = Examples(batch.task(0).support.inputs.float(), batch.task(0).support.targets)
    task, ctx = Task(support, support), context(about, steps=1)
    state = adapt(algorithm, meta, support, ctx)
    assert algorithm.predict(meta, state, support.inputs, ctx).shape == (6, 2)
    assert algorithm.drawings() == algorithm.draw(meta, state, task, ctx) == {}
