"""CAVIA against networks that take their context as the paper draws it, and the offset against its closed form."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import PlainConv4, PlainMLP, assert_equal, by_order, loss_of, meta_gradient
from tests.problems import KINDS, executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Context, adapt
from workbench.algorithms.cavia import CAVIA, CAVIAConfig
from workbench.backbones.base import Backbone, Network
from workbench.engine.session import build
from workbench.experiment.fields import Choice
from workbench.experiment.registry import found
from workbench.experiment.resolve import resolve, with_settings

RATE = 0.7
CONTEXTS = 4


def concatenated(weights: list[Tensor], x: Tensor, context: Tensor) -> Tensor:
    """3 inputs and the context side by side, 6 and 5 tanh units; the context's columns of the first layer come last."""
    first, first_bias, second, second_bias, head, head_bias, of_context = weights
    wide = torch.cat([x, context.expand(len(x), -1)], 1)
    hidden = torch.tanh(F.linear(wide, torch.cat([first, of_context], 1), first_bias))
    return F.linear(torch.tanh(F.linear(hidden, second, second_bias)), head, head_bias)


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 3])
def test_a_shifted_first_bias_is_a_context_concatenated_to_the_inputs(steps, kind, how):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=3, queries=4)
    params, ours = meta_gradient("cavia", about, batch, keys, how, contexts=CONTEXTS, inner_steps=steps, inner_lr=RATE)
    weights = [value.clone().requires_grad_() for value in params.values()]
    task, context = batch.task(0), torch.zeros(CONTEXTS, dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        loss = loss_of(about, concatenated(weights, task.support.inputs, context), task.support.targets)
        context = context - RATE * torch.autograd.grad(loss, context, create_graph=True)[0]
    loss = loss_of(about, concatenated(weights, task.query.inputs, context), task.query.targets)
    assert_equal(ours, by_order(params, list(torch.autograd.grad(loss, weights))))


def film(net: PlainConv4, x: Tensor, tables: dict[int, tuple[Tensor, Tensor]], context: Tensor) -> Tensor:
    """Four blocks, with a layer between normalization and ReLU that scales by 1 + W φ and shifts by V φ."""
    for block, (conv, norm) in enumerate(zip(net.convs, net.norms, strict=True)):
        x = norm(conv(x))
        if block in tables:
            shift, scale = (table @ context for table in tables[block])
            x = x * (1 + scale).view(-1, 1, 1) + shift.view(-1, 1, 1)
        x = F.relu(x)
    return net.head(x.flatten(1))


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blocks", [(3,), (2, 4)])
def test_film_is_a_layer_between_normalization_and_activation(blocks, kind, how):
    about = spec(kind, 3, picture=True)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=3, queries=4)
    params, ours = meta_gradient("cavia", about, batch, keys, how, contexts=CONTEXTS, conditioning="film",
                                 blocks=blocks, inner_steps=2, inner_lr=RATE)
    net = PlainConv4(about.outputs, {name: value for name, value in params.items() if name != "context.weight"})
    maps = params["context.weight"].clone().requires_grad_()
    rows = maps.split(4)
    tables = {block - 1: (rows[2 * at], rows[2 * at + 1]) for at, block in enumerate(blocks)}
    task, context = batch.task(0), torch.zeros(CONTEXTS, dtype=torch.float64, requires_grad=True)
    for _ in range(2):
        loss = loss_of(about, film(net, task.support.inputs, tables, context), task.support.targets)
        context = context - RATE * torch.autograd.grad(loss, context, create_graph=True)[0]
    loss = loss_of(about, film(net, task.query.inputs, tables, context), task.query.targets)
    assert_equal(ours, by_order(params, list(torch.autograd.grad(loss, [*net.parameters(), maps]))))


@pytest.mark.parametrize("conditioning", ["concatenate", "film", "head"])
@pytest.mark.parametrize("picture", [False, True])
def test_the_context_starts_at_zero_as_the_shared_network_and_has_a_gradient_there(picture, conditioning):
    about = spec("classification", 3, picture)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    algorithm, meta = make("cavia", about, contexts=CONTEXTS, conditioning=conditioning, inner_lr=RATE)
    task = batch.task(0)
    ctx = Context(steps=1, ways=3, training=False, reference=None, progress=1.0, key=keys[0])
    start = algorithm.start(meta, task.support, ctx)
    assert torch.equal(start.context, torch.zeros(CONTEXTS, dtype=torch.float64))
    shared = {name: value for name, value in meta.params.items() if name != "context.weight"}
    net = PlainConv4(3, shared) if picture else PlainMLP(3, shared)
    torch.testing.assert_close(algorithm.predict(meta, start, task.query.inputs, ctx), net(task.query.inputs).detach())
    moved = algorithm.step(meta, start, task.support, ctx)
    assert (moved.context != 0).all()
    assert not torch.allclose(algorithm.predict(meta, moved, task.query.inputs, ctx.adapted),
                              net(task.query.inputs))


@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_the_offset_alone_solves_in_one_step_what_differs_by_a_constant(how):
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=5, queries=4)
    # With two target dimensions the gradient of the mean squared error is the mean residual itself.
    params, ours = meta_gradient("cavia", about, batch, keys, how, bias_only=True, inner_steps=1, inner_lr=1.0)
    net, task = PlainMLP(2, params), batch.task(0)
    offset = (task.support.targets - net(task.support.inputs)).mean(0)
    loss = ((net(task.query.inputs) + offset - task.query.targets) ** 2).mean()
    assert_equal(ours, by_order(params, list(torch.autograd.grad(loss, list(net.parameters())))))
    algorithm, meta = make("cavia", about, bias_only=True, inner_lr=1.0)
    ctx = Context(steps=1, ways=2, training=False, reference=None, progress=1.0, key=keys[0])
    apart = torch.tensor([3.0, -40.0], dtype=torch.float64)
    support = task.support._replace(targets=net(task.support.inputs).detach() + apart)
    state = adapt(algorithm, meta, support, ctx)
    torch.testing.assert_close(state.context, apart, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(algorithm.predict(meta, state, task.query.inputs, ctx.adapted),
                               net(task.query.inputs).detach() + apart, rtol=1e-10, atol=1e-10)


def test_the_offset_alone_has_no_map_from_a_context_to_the_network():
    algorithm, meta = make("cavia", spec("classification", 3), bias_only=True)
    assert "context.weight" not in meta.params
    assert algorithm.contexts == 3


def _backbones() -> list[str]:
    return [name for name, kind in found("backbone").items() if "image" in kind.input_kinds]


@pytest.mark.parametrize("conditioning", ["concatenate", "film", "head"])
@pytest.mark.parametrize("backbone", _backbones())
def test_it_adapts_any_backbone_for_pictures(backbone, conditioning):
    experiment = resolve(with_settings({}, [
        "dataset=glyphs", "algorithm=cavia", f"backbone={backbone}", "algorithm.contexts=3",
        f"algorithm.conditioning={conditioning}", "algorithm.blocks=2", "algorithm.inner_lr=0.001", "device=cpu"]))
    about = spec("classification", 5, picture=True)
    about = type(about)(about.kind, about.input_kind, (1, 28, 28), about.outputs, about.classes)
    _, algorithm = build(experiment, about)
    meta = algorithm.init(torch.Generator())
    batch, keys = noise_tasks(about, tasks=1, ways=5, shots=1, queries=1)
    support = batch.task(0).support
    support = support._replace(inputs=support.inputs.float())
    ctx = Context(steps=2, ways=5, training=False, reference=None, progress=1.0, key=keys[0])
    state = adapt(algorithm, meta, support, ctx)
    before, after = (algorithm.loss(algorithm.predict(meta, at, support.inputs, ctx), support.targets)
                     for at in (algorithm.start(meta, support, ctx), state))
    assert state.context.shape == (3,)
    assert after < before


def test_further_inputs_of_the_head_are_the_context_and_its_products_with_the_features():
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=3, queries=4)
    params, ours = meta_gradient("cavia", about, batch, keys, contexts=CONTEXTS, conditioning="head", inner_steps=2,
                                 inner_lr=RATE)
    net = PlainMLP(2, {name: value for name, value in params.items() if name != "context.weight"})
    maps = params["context.weight"].clone().requires_grad_()

    def outputs(x: Tensor, context: Tensor) -> Tensor:
        features = net.body(x)
        products = torch.outer(torch.ones(len(x), dtype=x.dtype), context).unsqueeze(1) * features.unsqueeze(2)
        further = torch.einsum("nfc,ofc->no", products, maps[:-2].view(2, 5, CONTEXTS))
        return net.head(features) + further + maps[-2:] @ context

    task, context = batch.task(0), torch.zeros(CONTEXTS, dtype=torch.float64, requires_grad=True)
    for _ in range(2):
        loss = loss_of(about, outputs(task.support.inputs, context), task.support.targets)
        context = context - RATE * torch.autograd.grad(loss, context, create_graph=True)[0]
    loss = loss_of(about, outputs(task.query.inputs, context), task.query.targets)
    assert_equal(ours, by_order(params, list(torch.autograd.grad(loss, [*net.parameters(), maps]))))


def test_a_number_beyond_the_last_block_is_the_last():
    about = spec("regression", 2)
    params = [make("cavia", about, contexts=CONTEXTS, blocks=blocks)[1].params for blocks in ((2,), (9,), (2, 9))]
    assert [found["context.weight"].shape for found in params] == [(5, CONTEXTS)] * 3


def test_it_needs_no_blocks_where_it_enters_the_head_or_the_outputs():
    class Flat(Backbone):
        """No blocks."""

        title = "Flat"

        def features(self, inputs: Tensor, rows: int | None = None) -> Tensor:
            """The inputs."""
            return inputs

    about = spec("regression", 2)
    backbone = Flat(Choice(name="flat"), about)
    backbone.width = 3
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=4, queries=1)
    support = batch.task(0).support
    support = support._replace(inputs=support.inputs.float(), targets=support.targets.float())
    ctx = Context(steps=2, ways=2, training=False, reference=None, progress=1.0, key=keys[0])
    with pytest.raises(ValueError, match=r"Flat has no blocks .* set algorithm.conditioning to head"):
        CAVIA.build(CAVIAConfig(), backbone, about)
    for config in (CAVIAConfig(conditioning="head", inner_lr=0.05), CAVIAConfig(bias_only=True, inner_lr=0.5)):
        algorithm = CAVIA(config, Network(CAVIA.build(config, backbone, about)), about)
        meta = algorithm.init(torch.Generator())
        before, after = (algorithm.loss(algorithm.predict(meta, context, support.inputs, ctx), support.targets)
                         for context in (algorithm.start(meta, support, ctx), adapt(algorithm, meta, support, ctx)))
        assert after < before


def test_no_block_at_all_and_a_block_before_the_first_are_refused():
    for wrong in ((), (0, 1)):
        with pytest.raises(ValueError, match="whole numbers from 1 on"):
            CAVIAConfig(blocks=wrong)


def test_the_drawing_is_the_context_of_every_task():
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=3, ways=2, shots=3, queries=1)
    algorithm, meta = make("cavia", about, contexts=CONTEXTS)

    def look(one, meta, task, ctx):
        state = adapt(one, meta, task.support, ctx)
        return state, one.draw(meta, state, task, ctx)["context"]

    states, drawn = executor("vectorized", algorithm).map(look, meta, batch, keys, setting(algorithm, about))
    assert torch.equal(drawn, states.context.unsqueeze(1))
    assert drawn.shape == (3, 1, CONTEXTS)
