"""The floor: it adapts as gradient descent does, and learns nothing over tasks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.algorithms.oracles import PlainMLP, assert_equal, by_order, loss_of, meta_gradient
from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Context, adapt
from workbench.engine.events import Checkpoint, Evaluation, Finished
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, with_settings


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_it_adapts_as_plain_gradient_descent_from_the_first_weights(kind):
    about = spec(kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=3)
    algorithm, meta = make("scratch", about, inner_lr=0.1)
    task = batch.task(0)
    ctx = Context(steps=5, ways=3, training=False, reference=None, progress=1.0, key=keys[0])
    state = adapt(algorithm, meta, task.support, ctx)
    net = PlainMLP(about.outputs, meta.params)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        loss_of(about, net(task.support.inputs), task.support.targets).backward()
        optimizer.step()
    assert_equal(state.params, by_order(meta.params, [value.detach() for value in net.parameters()]))
    torch.testing.assert_close(algorithm.predict(meta, state, task.query.inputs, ctx.adapted),
                               net(task.query.inputs).detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_its_meta_gradient_is_zero(how):
    about = spec("classification", 3)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=3)
    params, gradient = meta_gradient("scratch", about, batch, keys, how)
    assert gradient.keys() == params.keys()
    assert all(value.shape == params[name].shape and not value.any() for name, value in gradient.items())


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_changes_nothing_and_every_validation_is_the_same(optimizer):
    tiny = ["dataset=sinusoids", "algorithm=scratch", "training.iterations=4", "training.meta_batch=2", "device=cpu",
            "training.validate_every=1", "training.validation_tasks=20", "training.clip=1", "evaluation.tasks=4",
            f"training.optimizer={optimizer}"]
    events = list(train(resolve(with_settings({}, tiny))))
    assert isinstance(events[-1], Finished)
    kept = [event.state.meta.params for event in events if isinstance(event, Checkpoint)]
    assert all(torch.equal(value, last[name]) for last in kept for name, value in kept[0].items())
    scores = [event.score.mean for event in events if isinstance(event, Evaluation) and event.split == "validation"]
    assert len(scores) == 5
    assert np.ptp(scores) == 0
