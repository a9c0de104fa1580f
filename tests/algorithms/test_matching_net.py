"""Matching networks, in float64, against the paper's equations and the LSTMs of torch."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.func import functional_call

from tests.algorithms.oracles import assert_equal, by_order, meta_gradient
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Context
from workbench.tasks.base import Spec, Task

WIDTH = 5


def features(weights: list[Tensor], x: Tensor) -> Tensor:
    return torch.tanh(F.linear(torch.tanh(F.linear(x, weights[0], weights[1])), weights[2], weights[3]))


def query_loss(about: Spec, attention: Tensor, task: Task) -> Tensor:
    if about.kind == "regression":
        return ((attention @ task.support.targets - task.query.targets) ** 2).mean()
    chances = attention @ F.one_hot(task.support.targets).double()
    return -torch.stack([row[label] for row, label in zip(chances, task.query.targets, strict=True)]).log().mean()


def context(task: Task, key: Tensor, ways: int) -> Context:
    return Context(steps=0, ways=ways, training=False, reference=None, progress=1.0, key=key)


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
def test_the_answer_is_the_mean_of_the_targets_under_the_attention(similarity, kind, how):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=3)
    params, ours = meta_gradient("matching_net", about, batch, keys, how, similarity=similarity, temperature=0.3)
    weights = [value.clone().requires_grad_() for value in params.values()]
    task = batch.task(0)
    known, asked = (features(weights, part.inputs) for part in (task.support, task.query))
    if similarity == "cosine":
        scores = torch.stack([F.cosine_similarity(asked, one.expand_as(asked)) for one in known], -1) / 0.3
    else:
        scores = -torch.stack([((asked - one) ** 2).sum(-1) for one in known], -1)
    loss = query_loss(about, scores.softmax(-1), task)
    assert_equal(ours, by_order(params, list(torch.autograd.grad(loss, weights))))


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_full_context_embeddings_are_those_of_torchs_lstms_over_the_support_set_in_one_of_its_orders(how, kind):
    about = spec(kind, 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=2 if kind == "classification" else 4, queries=3)
    params, ours = meta_gradient("matching_net", about, batch, keys, how, full_context=True, reads=3)
    task = batch.task(0)
    matches = [order for order in permutations(range(4))
               if all(torch.allclose(ours[name], value, rtol=1e-10, atol=1e-12)
                      for name, value in gradient_in_order(about, params, task, list(order)).items())]
    assert len(matches) == 1


def gradient_in_order(about: Spec, params: dict[str, Tensor], task: Task, order: list[int]) -> dict[str, Tensor]:
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    body = [leaves[name] for name in leaves if name.startswith("backbone.")]
    known, asked = features(body, task.support.inputs), features(body, task.query.inputs)

    both = nn.LSTM(WIDTH, WIDTH, bidirectional=True).double()
    state = {}
    for end, name in (("l0", "onward"), ("l0_reverse", "back")):
        weight, bias = (leaves[f"support_context.{name}.gates.{part}"] for part in ("weight", "bias"))
        state |= {f"weight_ih_{end}": weight[:, :WIDTH], f"weight_hh_{end}": weight[:, WIDTH:],
                  f"bias_ih_{end}": bias, f"bias_hh_{end}": torch.zeros_like(bias)}
    outputs = functional_call(both, state, known[order].unsqueeze(1))[0].squeeze(1)
    known = torch.stack([outputs[order.index(i)].view(2, WIDTH).sum(0) + known[i] for i in range(len(order))])

    # What our cell recalls is the hidden state and what was read; torch's takes the latter as a part of its input.
    cell = nn.LSTMCell(2 * WIDTH, WIDTH).double()
    weight, bias = (leaves[f"query_context.cell.gates.{part}"] for part in ("weight", "bias"))
    of_input, of_hidden, of_read = weight.split(WIDTH, 1)
    state = {"weight_ih": torch.cat([of_input, of_read], 1), "weight_hh": of_hidden, "bias_ih": bias,
             "bias_hh": torch.zeros_like(bias)}
    hidden = read = memory = torch.zeros_like(asked)
    for _ in range(3):
        hidden, memory = functional_call(cell, state, (torch.cat([asked, read], 1), (hidden, memory)))
        hidden = hidden + asked
        read = torch.stack([torch.einsum("n,nw->w", (known @ row).softmax(0), known) for row in hidden])

    scores = torch.stack([F.cosine_similarity(hidden, one.expand_as(hidden)) for one in known], -1) / 0.1
    gradient = torch.autograd.grad(query_loss(about, scores.softmax(-1), task), list(leaves.values()))
    return dict(zip(leaves, gradient, strict=True))


def test_the_order_of_the_support_set_changes_from_task_to_task():
    about = spec("classification", 3)
    algorithm, meta = make("matching_net", about, full_context=True)
    batch, _ = noise_tasks(about, tasks=1, ways=3, shots=2, queries=1)
    task = batch.task(0)
    starts = [algorithm.start(meta, task.support, context(task, torch.tensor(key), 3))["features"] for key in range(4)]
    assert all(not torch.allclose(starts[0], other) for other in starts[1:])


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_with_full_context_tasks_of_other_ways_and_shots_are_answered_alike_batched_and_alone(how, kind):
    algorithm, meta = make("matching_net", spec(kind, 3), full_context=True)
    for ways, shots in ((2, 3), (4, 2)):
        about = spec(kind, ways)
        batch, keys = noise_tasks(about, tasks=3, ways=ways, shots=shots, queries=2)
        runner = executor(how, algorithm)
        found = runner.map(answer, meta, batch, keys, setting(algorithm, about))
        runner.close()
        alone = [answer(algorithm, meta, batch.task(i), context(batch.task(i), keys[i], about.outputs))
                 for i in range(3)]
        torch.testing.assert_close(found, torch.stack(alone), rtol=1e-10, atol=1e-12)
        assert found.shape == (3, 2 * (ways if kind == "classification" else 1), about.outputs)


def answer(algorithm, meta, task, ctx) -> Tensor:
    return algorithm.predict(meta, algorithm.start(meta, task.support, ctx), task.query.inputs, ctx)


def test_the_attention_that_is_drawn_is_what_the_answer_is_made_of():
    about = spec("classification", 3)
    algorithm, meta = make("matching_net", about)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    task, ctx = batch.task(0), context(batch.task(0), keys[0], 3)
    state = algorithm.start(meta, task.support, ctx)
    drawn = algorithm.draw(meta, state, task, ctx)["attention"]
    chances = algorithm.predict(meta, state, task.query.inputs, ctx).softmax(-1)
    torch.testing.assert_close(drawn.view(6, 3, 2).sum(-1), chances, rtol=1e-10, atol=1e-12)


def test_in_regression_the_attention_is_drawn_in_the_order_of_the_inputs():
    about = spec("regression", 2)
    algorithm, meta = make("matching_net", about, similarity="euclidean")
    batch, keys = noise_tasks(about, tasks=1, ways=1, shots=5, queries=4)
    task, ctx = batch.task(0), context(batch.task(0), keys[0], 2)
    rows, columns = (sorted(range(len(part.inputs)), key=lambda i, part=part: part.inputs[i, 0].item())
                     for part in (task.query, task.support))
    state = algorithm.start(meta, task.support, ctx)
    drawn = algorithm.draw(meta, state, task, ctx)["attention"]
    answers = algorithm.predict(meta, state, task.query.inputs, ctx)[rows]
    torch.testing.assert_close(drawn @ task.support.targets[columns], answers, rtol=1e-10, atol=1e-12)
