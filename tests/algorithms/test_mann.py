"""The external memory against arithmetic by hand, and the whole learner against plain loops over heads and rows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tests.algorithms.sequences import SEEN, check_against, linear
from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Context, adapt
from workbench.algorithms.mann import Interface, MANNConfig, Memory, looked_up, remembered
from workbench.algorithms.sequence import reading_order

ROWS, WIDTH, HEADS, HIDDEN = 5, 3, 2, 4


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("time", ["along", "late"])
@pytest.mark.parametrize("sharpness", ["learned", "one"])
@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("seen", SEEN)
def test_the_meta_gradient_is_that_of_loops_over_examples_heads_and_rows(kind, time, sharpness, how, seen):
    def answers(params: dict[str, Tensor], x: Tensor, y: Tensor, asked: Tensor) -> Tensor:
        return torch.stack([answer(params, x, y, query, time, sharpness) for query in asked])

    check_against("mann", kind, how, answers, seen=seen, rows=ROWS, row_width=WIDTH, heads=HEADS, hidden=HIDDEN,
                  labels=time, sharpness=sharpness)


def answer(params: dict[str, Tensor], x: Tensor, y: Tensor, query: Tensor, time: str, sharpness: str) -> Tensor:
    controller = nn.LSTMCell(params["cell.input.weight"].shape[1], HIDDEN)
    weights = {"weight_ih": params["cell.input.weight"], "weight_hh": params["cell.recurrent.weight"],
               "bias_ih": params["cell.input.bias"], "bias_hh": params["cell.recurrent.bias"]}
    hidden = memory = torch.zeros(1, HIDDEN, dtype=x.dtype)
    rows = [torch.full((WIDTH,), 1e-6, dtype=x.dtype) for _ in range(ROWS)]
    usage = [torch.zeros((), dtype=x.dtype)] * ROWS
    looks = [[torch.zeros((), dtype=x.dtype)] * ROWS for _ in range(HEADS)]
    recalled = torch.zeros(HEADS * WIDTH, dtype=x.dtype)
    for place in range(len(x) + 1):
        is_query = place == len(x)
        own = torch.zeros_like(y[0]) if is_query else y[place]
        before = torch.zeros_like(y[0]) if place == 0 else y[place - 1]
        seen = torch.cat([recalled, query if is_query else x[place], own if time == "along" else before])
        hidden, memory = torch.func.functional_call(controller, weights, (seen[None], (hidden, memory)))
        asked = linear(params, "interface", hidden[0])
        keys = [torch.tanh(asked[head * WIDTH:(head + 1) * WIDTH]) for head in range(HEADS)]
        gates = [torch.sigmoid(asked[HEADS * WIDTH + head]) for head in range(HEADS)]
        strengths = [1 + torch.log1p(torch.exp(asked[HEADS * WIDTH + HEADS + head])) if sharpness == "learned" else 1.0
                     for head in range(HEADS)]
        writes = [[torch.zeros((), dtype=x.dtype)] * ROWS for _ in range(HEADS)]
        if not is_query:
            least = sorted(range(ROWS), key=lambda row: (usage[row].item(), row))[:HEADS]
            writes = [[gates[head] * looks[head][row] + (1 - gates[head]) * (row == least[head])
                       for row in range(ROWS)] for head in range(HEADS)]
            rows = [rows[row] * (row not in least) + sum(writes[head][row] * keys[head] for head in range(HEADS))
                    for row in range(ROWS)]
        looks = []
        for head in range(HEADS):
            scores = torch.stack([strengths[head] * torch.cosine_similarity(keys[head], rows[row], dim=0, eps=1e-12)
                                  for row in range(ROWS)])
            looks.append(list(scores.exp() / scores.exp().sum()))
        usage = [0.95 * usage[row] + sum(looks[head][row] + writes[head][row] for head in range(HEADS))
                 for row in range(ROWS)]
        recalled = torch.cat([sum(looks[head][row] * rows[row] for row in range(ROWS)) for head in range(HEADS)])
    return linear(params, "head", torch.cat([hidden[0], recalled]))


def test_the_addressing_by_hand():
    """Three rows, one head, a gate of one half: the least used row is the last."""
    memory = Memory(torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]).double(), torch.tensor([0.9, 0.5, 0.1]).double(),
                    torch.tensor([[0.25, 0.75, 0.0]]).double(), torch.tensor([0, 1, -1]), torch.zeros(2).double())
    asked = Interface(torch.tensor([[0.0, 1.0]]).double(), torch.zeros(1).double(), torch.full((1,), 2.0).double())
    after = remembered(memory, asked, 0.5, 2)
    assert after.written.tolist() == [0, 1, 2]
    # Write 1/2 · (0.25, 0.75, 0) + 1/2 · (0, 0, 1); the last row is erased before.
    rows = torch.tensor([[1.0, 0.125], [0.0, 2.375], [0.0, 0.5]]).double()
    torch.testing.assert_close(after.rows, rows)
    # The cosines with (0, 1) are 0.125/√(1 + 1/64), 1 and 1, twice sharpened.
    scores = [math.exp(2 * 0.125 / math.sqrt(1 + 1 / 64)), math.exp(2), math.exp(2)]
    read = torch.tensor([score / sum(scores) for score in scores]).double()
    torch.testing.assert_close(after.weights[0], read)
    torch.testing.assert_close(after.recalled, read @ rows)
    torch.testing.assert_close(after.usage, torch.tensor([0.575, 0.625, 0.55]).double() + read)


def test_what_was_used_least_is_forgotten_first():
    memory = Memory(torch.full((4, 4), 1e-6), torch.zeros(4), torch.zeros(1, 4), torch.full((4,), -1), torch.zeros(4))
    closed = torch.full((1,), -50.0)
    for number in range(4):
        asked = Interface(torch.eye(4)[number:number + 1], closed, torch.full((1,), 50.0))
        memory = remembered(memory, asked, 0.95, number)
    torch.testing.assert_close(memory.rows, torch.eye(4))
    memory = remembered(memory, Interface(-torch.eye(4)[:1], closed, torch.full((1,), 50.0)), 0.95, 4)
    assert memory.written.tolist() == [4, 1, 2, 3]
    torch.testing.assert_close(memory.rows[0], -torch.eye(4)[0])
    torch.testing.assert_close(memory.rows[1:], torch.eye(4)[1:])


def test_a_query_looks_at_the_row_that_resembles_it_and_writes_nothing():
    weights = looked_up(torch.eye(3), torch.tensor([[[0.0, 4.0, 0.0]]]), torch.full((1, 1), 30.0))
    assert weights.argmax() == 1
    assert weights.max() > 0.999
    about = spec("classification", 3)
    algorithm, meta = make("mann", about, rows=6)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=1, queries=2)
    task = batch.task(0)
    ctx = Context(3, 3, training=False, reference=None, progress=0.0, key=keys[0])
    state = adapt(algorithm, meta, task.support, ctx)
    first = algorithm.predict(meta, state, task.query.inputs, ctx.adapted)
    torch.testing.assert_close(algorithm.predict(meta, state, task.query.inputs.flip(0), ctx.adapted).flip(0), first)


def test_more_heads_than_rows_are_refused():
    with pytest.raises(ValueError, match="4 write to 3 rows"):
        MANNConfig(heads=4, rows=3)


def test_what_is_drawn_is_how_much_each_query_reads_of_the_rows_of_each_example():
    about = spec("classification", 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=2, queries=2)
    task = batch.task(0)
    algorithm, meta = make("mann", about, rows=12, row_width=3, heads=2, hidden=6)
    ctx = Context(steps=4, ways=2, training=False, reference=None, progress=1.0, key=keys[0])
    state = adapt(algorithm, meta, task.support, ctx)
    drawn = algorithm.draw(meta, state, task, ctx.adapted)["reads"]
    assert drawn.shape == (4, 5)
    torch.testing.assert_close(drawn.sum(-1), torch.ones(4).double())
    # With four examples and two heads the first eight rows are cleared two by two, in the order of reading.
    assert state.memory.written.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, -1, -1, -1, -1]
    # Were the rows of the example that was read last nobody's, what it is read would count among the empty rows.
    last = int(reading_order(4, keys[0])[-1])
    nobodys = torch.where(state.memory.written == 3, -1, state.memory.written)
    other = algorithm.draw(meta, state._replace(memory=state.memory._replace(written=nobodys)), task, ctx.adapted)
    expected = drawn.clone()
    expected[:, last], expected[:, -1] = 0, drawn[:, -1] + drawn[:, last]
    torch.testing.assert_close(other["reads"], expected)
