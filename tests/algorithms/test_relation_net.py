"""Relation networks, in float64, against the paper's equations with the features really put side by side."""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal, meta_gradient
from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Context
from workbench.tasks.base import Spec, Task

FILTERS = 5
LARGER = Spec("classification", "image", (1, 32, 32), outputs=3, classes=7)


def context(task: Task, ways: int, *, inductive: bool = False) -> Context:
    return Context(steps=0, ways=ways, training=False, reference=task.support.inputs if inductive else None,
                   progress=1.0, key=torch.tensor(0))


def squared_distance(scores: list[list[Tensor]], task: Task) -> Tensor:
    """Equation 2, as a mean."""
    wanted = [[float(way == label) for way in range(3)] for label in task.query.targets.tolist()]
    return torch.stack([(one.sigmoid().squeeze() - is_right) ** 2 for row, rights in zip(scores, wanted, strict=True)
                        for one, is_right in zip(row, rights, strict=True)]).mean()


def sums(features: Tensor, task: Task) -> list[Tensor]:
    return [features[task.support.targets == way].sum(0) for way in range(3)]


def oracle_gradient(loss: Tensor, leaves: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_on_vectors_it_is_a_perceptron_over_the_query_and_the_sum_of_the_class_side_by_side(how):
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=3)
    params, ours = meta_gradient("relation_net", about, batch, keys, how, filters=FILTERS, hidden=4)
    p = {name: value.clone().requires_grad_() for name, value in params.items()}

    def features(x: Tensor) -> Tensor:
        for layer in (0, 1):
            x = torch.tanh(F.linear(x, p[f"backbone.layers.{layer}.weight"], p[f"backbone.layers.{layer}.bias"]))
        return x

    def relation(query: Tensor, of_class: Tensor) -> Tensor:
        weight = torch.cat([p["relation.of_query.weight"], p["relation.of_class.weight"]], 1)
        x = F.relu(F.linear(torch.cat([query, of_class]), weight, p["relation.of_query.bias"]))
        for name in ("second", "hidden"):
            x = F.relu(F.linear(x, p[f"relation.{name}.weight"], p[f"relation.{name}.bias"]))
        return F.linear(x, p["relation.score.weight"], p["relation.score.bias"])

    task = batch.task(0)
    classes = sums(features(task.support.inputs), task)
    scores = [[relation(query, one) for one in classes] for query in features(task.query.inputs)]
    assert_equal(ours, oracle_gradient(squared_distance(scores, task), p))


@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_on_maps_it_is_convolutions_over_the_maps_of_both_side_by_side_normalized_over_all_pairs(how):
    batch, keys = noise_tasks(LARGER, tasks=1, ways=3, shots=2, queries=2)
    params, ours = meta_gradient("relation_net", LARGER, batch, keys, how, filters=FILTERS, hidden=4)
    p = {name: value.clone().requires_grad_() for name, value in params.items()}

    def normal(x: Tensor, name: str) -> Tensor:
        return F.batch_norm(x, None, None, p[f"{name}.weight"], p[f"{name}.bias"], training=True)

    def features(x: Tensor) -> Tensor:
        for block in range(4):
            conv = f"backbone.convolutions.{block}"
            x = F.conv2d(x, p[f"{conv}.weight"], p[f"{conv}.bias"], stride=2, padding=1)
            x = F.relu(normal(x, f"backbone.normalizations.{block}"))
        assert x.shape[1:] == (4, 2, 2)
        return x

    task = batch.task(0)
    classes = sums(features(task.support.inputs), task)
    pairs = torch.stack([torch.cat([query, one]) for query in features(task.query.inputs) for one in classes])
    weight = torch.cat([p["relation.of_query.weight"], p["relation.of_class.weight"]], 1)
    x = F.conv2d(pairs, weight, p["relation.of_query.bias"], padding=1)
    x = F.max_pool2d(F.relu(normal(x, "relation.normalizations.0")), 2)
    x = F.conv2d(x, p["relation.second.weight"], p["relation.second.bias"], padding=1)
    x = F.relu(normal(x, "relation.normalizations.1")).flatten(1)
    x = F.relu(F.linear(x, p["relation.hidden.weight"], p["relation.hidden.bias"]))
    scores = F.linear(x, p["relation.score.weight"], p["relation.score.bias"]).view(6, 3)
    assert_equal(ours, oracle_gradient(squared_distance([list(row) for row in scores], task), p))


def test_at_first_a_query_is_compared_with_a_class_by_their_difference():
    _, meta = make("relation_net", LARGER)
    assert torch.equal(meta.params["relation.of_class.weight"], -meta.params["relation.of_query.weight"])


@pytest.mark.parametrize("normalization", ["inductive", "group", "none"])
def test_without_statistics_of_the_queries_a_relation_does_not_depend_on_the_other_queries(normalization):
    batch, _ = noise_tasks(LARGER, tasks=1, ways=3, shots=2, queries=3)
    algorithm, meta = make("relation_net", LARGER, normalization=normalization)
    task = batch.task(0)
    ctx = context(task, 3, inductive=normalization == "inductive")
    state = algorithm.start(meta, task.support, ctx)
    alone = algorithm.predict(meta, state, task.query.inputs[:1], ctx)
    together = algorithm.predict(meta, state, task.query.inputs, ctx)
    torch.testing.assert_close(alone[0], together[0], rtol=1e-9, atol=1e-12)


def test_the_softmax_of_the_outputs_is_the_chance_of_each_class_if_exactly_one_of_independent_relations_holds():
    about = spec("classification", 3)
    algorithm, meta = make("relation_net", about)
    batch, _ = noise_tasks(about, tasks=1, ways=3, shots=1, queries=2)
    task, ctx = batch.task(0), context(batch.task(0), 3)
    state = algorithm.start(meta, task.support, ctx)
    outputs = algorithm.predict(meta, state, task.query.inputs, ctx)
    for row in outputs:
        relations, chances = row.sigmoid().tolist(), [0.0] * 3
        for holds in product((False, True), repeat=3):
            if sum(holds) == 1:
                chance = 1.0
                for one, is_so in zip(relations, holds, strict=True):
                    chance *= one if is_so else 1 - one
                chances[holds.index(True)] += chance
        wanted = torch.tensor(chances, dtype=torch.float64) / sum(chances)
        torch.testing.assert_close(row.softmax(-1), wanted, rtol=1e-10, atol=1e-12)
    drawn = algorithm.draw(meta, state, task, ctx)["relations"]
    torch.testing.assert_close(drawn, outputs.sigmoid(), rtol=1e-12, atol=1e-12)


def test_a_learner_answers_tasks_of_any_number_of_classes():
    algorithm, meta = make("relation_net", spec("classification", 3))
    for ways in (2, 5):
        batch, _ = noise_tasks(spec("classification", ways), tasks=1, ways=ways, shots=2, queries=1)
        task, ctx = batch.task(0), context(batch.task(0), ways)
        outputs = algorithm.predict(meta, algorithm.start(meta, task.support, ctx), task.query.inputs, ctx)
        assert outputs.shape == (ways, ways)
