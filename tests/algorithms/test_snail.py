"""The sequence network against a convolution and a masked attention over each query's whole sequence."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.sequences import SEEN, check_against, linear
from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Context, adapt
from workbench.engine.session import build, settled
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.resolve import resolve, with_settings


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("length", [4, 9])
@pytest.mark.parametrize("seen", SEEN)
def test_the_meta_gradient_is_that_of_whole_sequences_with_causal_convolutions_and_attention(kind, length, how, seen):
    def answers(params: dict[str, Tensor], x: Tensor, y: Tensor, asked: Tensor) -> Tensor:
        found = []
        for query in asked:
            tokens = linear(params, "embedding", torch.cat([x, query[None]]))
            tokens = torch.cat([tokens, torch.cat([y, torch.zeros_like(y[:1])])], -1)
            found.append(through(params, tokens, math.ceil(math.log2(length)))[-1])
        return linear(params, "sequence.head", torch.stack(found))

    check_against("snail", kind, how, answers, seen=seen, embedding=4, filters=3, length=length)


def through(params: dict[str, Tensor], x: Tensor, depth: int) -> Tensor:
    """A sequence [n, channels] through attention and blocks of dilated convolutions in turn."""
    later = torch.triu(torch.ones(len(x), len(x), dtype=torch.bool), 1)
    layer = 0
    for block in range(3):
        name = f"sequence.layers.{layer}"
        query, key, value = (linear(params, f"{name}.{part}", x) for part in ("query", "key", "value"))
        x = torch.cat([x, F.scaled_dot_product_attention(query, key, value, ~later)], -1)
        layer += 1
        for power in range(1, depth + 1) if block < 2 else ():
            name, dilation = f"sequence.layers.{layer}", 2**power
            kernel = torch.stack([params[f"{name}.before.weight"], params[f"{name}.now.weight"]], -1)
            padded = F.pad(x.T, (dilation, 0))[None]
            value, gate = F.conv1d(padded, kernel, params[f"{name}.now.bias"], dilation=dilation)[0].T.chunk(2, -1)
            x = torch.cat([x, torch.tanh(value) * torch.sigmoid(gate)], -1)
            layer += 1
    return x


def test_queries_are_answered_each_for_itself_and_their_attention_is_drawn_in_the_order_of_the_support_set():
    about = spec("classification", 3)
    algorithm, meta = make("snail", about)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)
    task = batch.task(0)
    ctx = Context(0, 3, training=False, reference=None, progress=0.0, key=keys[0])
    state = adapt(algorithm, meta, task.support, ctx)
    together = algorithm.predict(meta, state, task.query.inputs, ctx)
    for number in range(6):
        alone = algorithm.predict(meta, state, task.query.inputs[number:number + 1], ctx)
        torch.testing.assert_close(alone[0], together[number])
    drawn = algorithm.draw(meta, state, task, ctx)["attention"]
    assert drawn.shape == (6, 7)
    torch.testing.assert_close(drawn.sum(-1), torch.ones(6).double())
    assert not torch.equal(state.order, torch.arange(6))
    read = algorithm.network.part("sequence", meta.params, state.tokens, state.tokens[:1])[1]
    assert read.shape == (1, 7)


def test_it_looks_at_what_is_alike_before_it_has_learned_anything():
    about = spec("classification", 3)
    _, meta = make("snail", about, embedding=32)
    names = [name for name in meta.params if name.endswith(".query.weight")]
    assert len(names) == 3
    for name in names:
        assert torch.equal(meta.params[name], meta.params[name.replace("query", "key")])


@pytest.mark.parametrize(("settings", "examples"), [
    ((), 6), (("task.shots=5",), 26), (("task.ways=20",), 21), (("training.shots=5",), 26),
    (("training.shots=2", "task.shots=3"), 16), (("algorithm.length=40",), 40),
    (("dataset=sinusoids", "task.shots=10"), 11)])
def test_the_blocks_are_as_deep_as_the_longest_task_asks_for_unless_a_length_is_said(settings, examples):
    experiment = resolve(with_settings({}, ["algorithm=snail", *settings]))
    assert settled(experiment).algorithm.length == examples
    kind = "regression" if "dataset=sinusoids" in settings else "classification"
    _, algorithm = build(experiment, spec(kind, experiment.task.ways, picture=kind == "classification"))
    layers = [name for name, _ in algorithm.network.module.named_parameters() if name.endswith("before.weight")]
    assert len(layers) == 2 * math.ceil(math.log2(examples))


def test_a_length_that_a_training_task_does_not_fit_into_is_refused_with_the_remedy():
    for settings, wanted in ((("task.shots=5",), 26), (("training.shots=3", "task.shots=1"), 16)):
        with pytest.raises(ExperimentError, match=rf"algorithm.length: .*{wanted} examples.*leave it empty"):
            resolve(with_settings({}, ["algorithm=snail", "algorithm.length=8", *settings]))
    assert resolve(with_settings({}, ["algorithm=snail", "algorithm.length=6"])).algorithm.length == 6
