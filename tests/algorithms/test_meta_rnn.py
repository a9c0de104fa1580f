"""The recurrent meta-learner against torch's own cells in a plain loop."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor, nn

from tests.algorithms.sequences import SEEN, check_against, linear
from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Context, adapt
from workbench.tasks.base import Examples


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("time", ["along", "late"])
@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("seen", SEEN)
def test_the_meta_gradient_is_that_of_torchs_cells_in_a_plain_loop(kind, cell, time, how, seen):
    def answers(params: dict[str, Tensor], x: Tensor, y: Tensor, asked: Tensor) -> Tensor:
        weights = {"weight_ih": params["cell.input.weight"], "weight_hh": params["cell.recurrent.weight"],
                   "bias_ih": params["cell.input.bias"], "bias_hh": params["cell.recurrent.bias"]}
        module = (nn.LSTMCell if cell == "lstm" else nn.GRUCell)(x.shape[1] + y.shape[1], 4)
        found = []
        for query in asked:
            hidden = torch.zeros(1, 4, dtype=x.dtype)
            state = (hidden, hidden) if cell == "lstm" else hidden
            for place in range(4):
                own = torch.zeros_like(y[0]) if place == 3 else y[place]
                before = torch.zeros_like(y[0]) if place == 0 else y[place - 1]
                features = query if place == 3 else x[place]
                seen = torch.cat([features, own if time == "along" else before])[None]
                state = torch.func.functional_call(module, weights, (seen, state))
            found.append((state[0] if cell == "lstm" else state)[0])
        return linear(params, "head", torch.stack(found))

    check_against("meta_rnn", kind, how, answers, seen=seen, cell=cell, hidden=4, labels=time)


def context(steps: int, key: int = 5) -> Context:
    return Context(steps, 3, training=False, reference=None, progress=0.0, key=torch.tensor(key))


def test_the_order_of_reading_differs_from_task_to_task_and_misses_no_example():
    about = spec("classification", 4)
    algorithm, meta = make("meta_rnn", about, hidden=4)
    batch, _ = noise_tasks(about, tasks=1, ways=4, shots=1, queries=1)
    read = [algorithm.start(meta, batch.task(0).support, context(4, key)).tokens.support for key in range(40)]
    orders = {tuple(one[:, -4:].argmax(-1).tolist()) for one in read}
    assert len(orders) > 10
    assert orders <= set(permutations(range(4)))


def test_one_example_is_read_in_every_step():
    about = spec("classification", 3)
    algorithm, meta = make("meta_rnn", about)
    assert algorithm.inner_steps(training=True, examples=6) == 6
    batch, _ = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    support = batch.task(0).support
    after = adapt(algorithm, meta, support, context(2)).cell
    alike = []
    for left_out in range(6):
        inputs = support.inputs.clone()
        inputs[left_out] = 0
        alike.append(torch.equal(adapt(algorithm, meta, Examples(inputs, support.targets), context(2)).cell, after))
    assert sorted(alike) == [False] * 2 + [True] * 4


def test_queries_are_answered_each_for_itself():
    about = spec("regression", 3)
    algorithm, meta = make("meta_rnn", about)
    batch, _ = noise_tasks(about, tasks=1, ways=3, shots=4, queries=5)
    task, ctx = batch.task(0), context(4)
    state = adapt(algorithm, meta, task.support, ctx)
    together = algorithm.predict(meta, state, task.query.inputs, ctx.adapted)
    for number in range(5):
        alone = algorithm.predict(meta, state, task.query.inputs[number:number + 1], ctx.adapted)
        torch.testing.assert_close(alone[0], together[number])
