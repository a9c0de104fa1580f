"""ResNet-12, in float64, against its blocks written out, and MAML through it, max-pooling included."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import ValidationError
from torch import Tensor

from tests.algorithms.oracles import assert_equal
from tests.backbones.networks import backbone, check_that_blocks_can_be_modulated, learner, maml_gradients, normal
from tests.problems import algorithms_for, executor, noise_tasks, setting
from workbench.backbones.resnet12 import ResNet12Config
from workbench.experiment.registry import find
from workbench.tasks.base import Spec
from workbench.tasks.files.errors import DataError

WIDTHS = (3, 4, 5, 6)
SMALL = Spec("classification", "image", (2, 16, 16), outputs=3, classes=7)
KINDS = ("transductive", "inductive", "group", "none")


def written_out(kind: str, slope: float, *, averages: bool):
    def forward(p: dict[str, Tensor], x: Tensor) -> Tensor:
        for layer in range(4):
            way_around = F.conv2d(x, p[f"layers.{layer}.shortcut.weight"], p.get(f"layers.{layer}.shortcut.bias"))
            way_around = normal(kind, p, f"layers.{layer}.shortcut_normalization", way_around)
            for index in range(3):
                conv = f"layers.{layer}.convolutions.{index}"
                x = F.conv2d(x, p[f"{conv}.weight"], p.get(f"{conv}.bias"), padding=1)
                x = normal(kind, p, f"layers.{layer}.normalizations.{index}", x)
                x = x if index < 2 else x + way_around
                x = torch.where(x > 0, x, slope * x)
            x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
        return x.mean((2, 3)) if averages else x.flatten(1)

    return forward


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("activation", "slope"), [("leaky_relu", 0.1), ("relu", 0.0)])
@pytest.mark.parametrize("averages", [True, False])
def test_its_features_are_those_of_its_blocks_written_out(averages, activation, slope, kind):
    about = Spec("classification", "image", (2, 35, 33), outputs=3)
    body = backbone("resnet12", about, widths=WIDTHS, activation=activation, averages=averages, normalization=kind)
    inputs = torch.randn(5, 2, 35, 33, dtype=torch.float64)
    found = body(inputs)
    theirs = written_out(kind, slope, averages=averages)(dict(body.named_parameters()), inputs)
    torch.testing.assert_close(found, theirs, rtol=1e-9, atol=1e-11)
    assert found.shape == (5, body.width)
    assert body.map_shape == (None if averages else (6, 2, 2))
    assert body.width == (6 if averages else 24)


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["transductive", "group", "none"])
def test_second_order_maml_through_it_is_plain_autograd_through_the_unrolled_steps(kind, how):
    body = backbone("resnet12", SMALL, widths=WIDTHS, normalization=kind)
    ours, theirs = maml_gradients(body, SMALL, written_out(kind, 0.1, averages=True))[how]
    assert_equal(ours, theirs, 1e-9)
    assert ours["backbone.layers.0.convolutions.0.weight"].abs().min() > 0


def test_inductive_normalization_sees_each_query_alone():
    body = backbone("resnet12", SMALL, widths=WIDTHS, normalization="inductive")
    support, queries = torch.randn(2, 4, 2, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(body(queries[:1], support)[0], body(queries, support)[0], rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(body(support, support), body(support), rtol=1e-9, atol=1e-11)
    assert not torch.allclose(body(queries), body(queries, support))


@pytest.mark.parametrize("kind", ["transductive", "none"])
def test_each_of_its_twelve_convolutions_can_be_modulated(kind):
    body = backbone("resnet12", SMALL, widths=WIDTHS, normalization=kind)
    assert len(body.blocks) == 12
    check_that_blocks_can_be_modulated(body, torch.randn(3, 2, 16, 16, dtype=torch.float64))


@pytest.mark.parametrize("averages", [True, False])
@pytest.mark.parametrize("name", [name for name in algorithms_for("classification")
                                  if not find("algorithm", name).searches])
def test_every_algorithm_learns_on_it_batched_as_alone(name, averages):
    body = backbone("resnet12", SMALL, widths=WIDTHS, averages=averages)
    fields = find("algorithm", name).Config.model_fields
    plain = {"inner_optimizer": "sgd", "inner_steps": 2}
    algorithm, meta = learner(name, body, SMALL, **{key: value for key, value in plain.items() if key in fields})
    batch, keys = noise_tasks(SMALL, tasks=2, ways=3, shots=1, queries=2)
    totals = []
    for how in ("vectorized", "threads"):
        runner = executor(how, algorithm)
        totals.append(runner.gradient(meta, batch, keys, setting(algorithm, SMALL, examples=3)).total)
        runner.close()
    assert_equal(*totals, 1e-8)
    # A method that learns nothing asks for no gradient.
    assert name == "scratch" or any(value.abs().max() > 0 for key, value in totals[0].items() if "layers.0" in key)


def test_pictures_that_cannot_be_halved_four_times_are_refused_with_the_remedy():
    with pytest.raises(DataError, match=r"15×40 are too small.*16×16 or more \(dataset\.size\)"):
        backbone("resnet12", Spec("classification", "image", (1, 15, 40), outputs=3))


@pytest.mark.parametrize("widths", [(64, 128, 256), (64, 128, 256, 0), ()])
def test_widths_are_one_a_block(widths):
    with pytest.raises(ValidationError, match="takes four whole numbers"):
        ResNet12Config(widths=widths)


def test_it_has_the_parameters_of_metaoptnets():
    body = backbone("resnet12", Spec("classification", "image", (3, 84, 84), outputs=5), averages=False)
    assert body.map_shape == (640, 5, 5)
    assert body.width == 16_000
    assert sum(value.numel() for value in body.parameters()) == 12_424_320
