"""The convolutional network along time, in float64, against its layers written out, and MAML through it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal
from tests.backbones.networks import backbone, check_that_blocks_can_be_modulated, learner, maml_gradients, normal
from tests.problems import executor, noise_tasks, setting
from workbench.backbones.normalization import Normalize
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.registry import find, found
from workbench.experiment.resolve import resolve
from workbench.tasks.base import Spec

SMALL = Spec("classification", "series", (2, 16), outputs=3, classes=7)
KINDS = ("transductive", "inductive", "group", "none")


def written_out(kind: str):
    def forward(p: dict[str, Tensor], x: Tensor) -> Tensor:
        for block in range(4):
            weight = p[f"convolutions.{block}.weight"]
            half = weight.shape[2] // 2
            windows = F.pad(x, (half, half)).unfold(2, weight.shape[2], 2)
            maps = torch.einsum("nclk,ock->nol", windows, weight) + p[f"convolutions.{block}.bias"].view(-1, 1)
            x = F.relu(normal(kind, p, f"normalizations.{block}", maps))
        return x.sum(2) / x.shape[2]

    return forward


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("channels", "length", "kernel"), [(1, 16, 5), (3, 37, 5), (2, 100, 8), (1, 5, 9)])
def test_its_features_are_those_of_its_layers_written_out(kind, channels, length, kernel):
    about = Spec("classification", "series", (channels, length), outputs=5)
    body = backbone("conv1d", about, filters=8, kernel=kernel, normalization=kind)
    inputs = torch.randn(4, channels, length, dtype=torch.float64)
    found_features = body(inputs)
    expected = written_out(kind)(dict(body.named_parameters()), inputs)
    torch.testing.assert_close(found_features, expected, rtol=1e-9, atol=1e-11)
    assert found_features.shape == (4, body.width) == (4, 8)
    assert body.map_shape is None


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["transductive", "group", "none"])
def test_second_order_maml_through_it_is_plain_autograd_through_the_unrolled_steps(kind, how):
    body = backbone("conv1d", SMALL, filters=4, normalization=kind)
    ours, theirs = maml_gradients(body, SMALL, written_out(kind))[how]
    assert_equal(ours, theirs)


def test_inductive_statistics_are_those_of_the_reference_alone():
    layer = Normalize(3, "transductive").double()
    x = torch.randn(9, 3, 11, dtype=torch.float64)
    known = x[:5].movedim(1, 0).flatten(1)
    mean, variance = known.mean(1).view(-1, 1), known.var(1, correction=0).view(-1, 1)
    torch.testing.assert_close(layer(x, 5), (x - mean) / (variance + 1e-5).sqrt(), rtol=1e-10, atol=1e-12)
    pictures = x.unsqueeze(3)
    assert torch.equal(layer(pictures, 5).squeeze(3), layer(x, 5))


@pytest.mark.parametrize("kind", ["transductive", "none"])
def test_its_blocks_can_be_modulated(kind):
    body = backbone("conv1d", SMALL, filters=4, normalization=kind)
    check_that_blocks_can_be_modulated(body, torch.randn(3, 2, 16, dtype=torch.float64))


def test_series_alone_go_into_it_and_no_network_for_pictures_takes_them():
    fitting = {name for name, kind in found("backbone").items() if "series" in kind.input_kinds}
    assert fitting == {"conv1d", "mlp"}
    assert find("backbone", "conv1d").input_kinds == {"series"}
    with pytest.raises(ExperimentError, match=r"Conv1d reads series inputs and .* gives image ones"):
        resolve({"dataset": {"name": "glyphs"}, "backbone": {"name": "conv1d"}})


@pytest.mark.parametrize("algorithm", sorted(
    name for name, kind in found("algorithm").items()
    if "classification" in kind.task_kinds and kind.tested_on == "tasks" and not kind.searches))
def test_every_algorithm_learns_from_series_through_it(algorithm):
    body = backbone("conv1d", SMALL, filters=4)
    made, meta = learner(algorithm, body, SMALL)
    batch, keys = noise_tasks(SMALL, tasks=2, ways=3, shots=2, queries=2)
    runner = executor("vectorized", made)
    gradient = runner.gradient(meta, batch, keys, setting(made, SMALL)).total
    runner.close()
    assert all(value.isfinite().all() for value in gradient.values())
