"""What every algorithm shares: the inner loop and the random numbers of a task."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import vmap

from tests.problems import algorithms_for, make, noise_tasks, spec
from workbench.algorithms.base import Context, adapt, noise
from workbench.experiment.registry import find
from workbench.tasks.base import Examples


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5), st.integers(1, 40), st.integers(0, 10**9))
@settings(max_examples=50, deadline=None)
def test_the_noise_of_a_task_is_the_same_mapped_and_alone(keys, count, salt):
    keys = torch.tensor(keys)
    mapped = vmap(lambda key: noise(key, count, salt))(keys)
    assert torch.equal(mapped, torch.stack([noise(key, count, salt) for key in keys]))
    assert ((mapped >= 0) & (mapped < 1)).all()


def test_noise_is_even_and_differs_between_keys_and_salts():
    drawn = noise(torch.tensor(5), 20_000, 0)
    assert abs(drawn.mean().item() - 0.5) < 0.01
    assert abs(drawn.var().item() - 1 / 12) < 0.005
    for other in (noise(torch.tensor(6), 20_000, 0), noise(torch.tensor(5), 20_000, 1)):
        assert abs(torch.corrcoef(torch.stack([drawn, other]))[0, 1].item()) < 0.03


def test_the_inner_loop_is_watched_before_the_first_step_and_after_each():
    about = spec("regression", 2)
    algorithm, meta = make("maml", about, inner_lr=0.1)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=3, queries=1)
    ctx = Context(steps=4, ways=2, training=False, reference=None, progress=1.0, key=keys[0])
    seen = []
    steps = []

    def watch(state, now):
        seen.append(state)
        steps.append(now.step)

    last = adapt(algorithm, meta, batch.task(0).support, ctx, watch)
    assert steps == [0, 1, 2, 3, 4]
    assert seen[-1] is last
    assert all(torch.equal(value, meta.params[name]) for name, value in seen[0].params.items())
    support = batch.task(0).support
    losses = [algorithm.loss(algorithm.predict(meta, state, support.inputs, ctx), support.targets) for state in seen]
    assert all(after < before for before, after in pairwise(losses))


@pytest.mark.parametrize("counts", [(1, 2, 4), (3, 2, 2)])
@pytest.mark.parametrize("name", [name for name in algorithms_for("classification")
                                  if find("algorithm", name).tested_on == "tasks"])
def test_classes_may_differ_in_their_number_of_examples(name, counts):
    about = spec("classification", 3, picture=find("algorithm", name).searches)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=4, queries=2)
    task = batch.task(0)
    rows = torch.cat([(task.support.targets == label).nonzero()[:count, 0] for label, count in enumerate(counts)])
    support = Examples(task.support.inputs[rows], task.support.targets[rows])
    algorithm, meta = make(name, about)
    ctx = Context(steps=algorithm.inner_steps(training=False, examples=len(rows)), ways=3, training=False,
                  reference=None, progress=1.0, key=keys[0])
    outputs = algorithm.predict(meta, adapt(algorithm, meta, support, ctx), task.query.inputs, ctx.adapted)
    assert outputs.shape == (6, 3)
    assert outputs.isfinite().all()
