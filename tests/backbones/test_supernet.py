"""A backbone of several operations a slot: what each computes, how they are mixed, and that everybody can use it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.func import functional_call

from tests.problems import KINDS, algorithms_for, executor, noise_tasks, setting, spec
from workbench.algorithms.base import Meta
from workbench.backbones.base import Network, modulated
from workbench.backbones.supernet import PictureSlot, Supernet, SupernetConfig, VectorSlot
from workbench.experiment.registry import find
from workbench.tasks.base import Spec

CERTAIN = 1e4


def pictures(side: int, channels: int = 1) -> Spec:
    return Spec("classification", "image", (channels, side, side), outputs=3, classes=7)


def chosen(net: Supernet, *operations: int) -> dict[str, Tensor]:
    """Its parameters with one operation a slot."""
    params = {name: value.detach().double() for name, value in net.named_parameters()}
    for slot, operation in enumerate(operations):
        row = torch.zeros(len(net.operations), dtype=torch.float64)
        row[operation] = CERTAIN
        params[f"architecture.{slot}"] = row
    return params


@pytest.mark.parametrize("operation", range(len(PictureSlot.operations)))
@pytest.mark.parametrize(("side", "channels"), [(8, 1), (7, 3), (1, 4)])
def test_a_slot_that_has_chosen_is_that_operation_normalized_and_cut_at_zero(operation, side, channels):
    torch.manual_seed(1)
    net = Supernet(SupernetConfig(filters=4, slots=1), pictures(side, channels))
    params = chosen(net, operation)
    x = torch.randn(5, channels, side, side, dtype=torch.float64)
    own = {name.removeprefix("slots.0."): value for name, value in params.items()}
    repeated = x.repeat(1, 4, 1, 1)[:, :4]
    y = {
        "conv3": lambda: F.conv2d(x, own["narrow.weight"], stride=2, padding=1),
        "conv5": lambda: F.conv2d(x, own["wide.weight"], stride=2, padding=2),
        "sep3": lambda: F.conv2d(F.conv2d(x, own["depthwise.weight"], stride=2, padding=1, groups=channels),
                                 own["pointwise.weight"]),
        "skip": lambda: repeated[:, :, ::2, ::2],
        "pool": lambda: F.max_pool2d(F.pad(repeated, (1, 1, 1, 1), value=-torch.inf), 3, stride=2),
    }[net.operations[operation]]()
    mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, correction=0)
    wanted = ((y - mean) / (variance + 1e-5).sqrt()).clamp(min=0).flatten(1)
    assert wanted.shape[1] == net.width
    torch.testing.assert_close(functional_call(net, params, (x,)), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("operation", range(len(VectorSlot.operations)))
def test_a_slot_of_vectors_that_has_chosen_is_that_layer(operation):
    torch.manual_seed(1)
    net = Supernet(SupernetConfig(filters=5, slots=1), Spec("regression", "vector", (2,), outputs=1))
    params = chosen(net, operation)
    x = torch.randn(6, 2, dtype=torch.float64)
    name = net.operations[operation]
    if name == "skip":
        wanted = x[:, [0, 1, 0, 1, 0]]
    else:
        wanted = x @ params[f"slots.0.{name}.weight"].T + params[f"slots.0.{name}.bias"]
        wanted = {"relu": torch.relu, "tanh": torch.tanh, "sine": torch.sin}[name](wanted)
    torch.testing.assert_close(functional_call(net, params, (x,)), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mixture_is_the_softmax_of_a_row_a_slot(kind):
    torch.manual_seed(2)
    net = Supernet(SupernetConfig(filters=5, slots=1), Spec(kind, "vector", (2,), outputs=3))
    x = torch.randn(6, 2, dtype=torch.float64)
    params = chosen(net)
    row = torch.tensor([0.3, -1.0, 0.5, 0.1], dtype=torch.float64)
    alone = [functional_call(net, chosen(net, operation), (x,)) for operation in range(4)]
    shares = row.exp() / row.exp().sum()
    wanted = sum(share * one for share, one in zip(shares, alone, strict=True))
    ours = functional_call(net, params | {"architecture.0": row}, (x,))
    torch.testing.assert_close(ours, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("side", [28, 84, 9, 1])
def test_its_features_are_the_last_maps_flattened(side):
    net = Supernet(SupernetConfig(filters=4), pictures(side, 3))
    assert net.map_shape is not None
    assert net(torch.randn(2, 3, side, side)).shape == (2, net.width)
    channels, height, width = net.map_shape
    assert channels * height * width == net.width
    assert height == -(-side // 16)


@pytest.mark.parametrize("normalization", ["transductive", "inductive", "group", "none"])
def test_a_modulated_block_scales_and_shifts_a_slot_before_it_is_cut_at_zero(normalization):
    torch.manual_seed(3)
    net = Supernet(SupernetConfig(filters=4, slots=2, normalization=normalization), pictures(8))
    params = {f"backbone.{name}": value.detach().double() for name, value in net.named_parameters()}
    x = torch.randn(6, 1, 8, 8, dtype=torch.float64)
    scale, shift = torch.randn(2, 4, dtype=torch.float64)
    edited = modulated(params, net.blocks[1], scale, shift)
    before = []
    hook = net.slots[1].affine.register_forward_hook(lambda module, given, y: before.append(y))
    bare, ours = (functional_call(net, {key.removeprefix("backbone."): value for key, value in table.items()}, (x,))
                  for table in (params, edited))
    hook.remove()
    wanted = torch.relu(before[0] * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)).flatten(1)
    torch.testing.assert_close(ours, wanted, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(bare, ours)
    assert net.depends_on_batch == (normalization in ("transductive", "inductive"))


@pytest.mark.parametrize("picture", [False, True])
@pytest.mark.parametrize(("name", "kind"), [(name, kind) for kind in KINDS for name in algorithms_for(kind)])
def test_every_algorithm_can_use_it_as_a_plain_backbone(name, kind, picture):
    about = spec(kind, 3, picture)
    method = find("algorithm", name)
    config = method.Config()
    torch.manual_seed(4)
    net = Supernet(SupernetConfig(filters=4, slots=2), about)
    algorithm = method(config, Network(method.build(config, net, about)), about)
    meta = Meta(*({key: value.double() for key, value in table.items()}
                  for table in algorithm.init(torch.Generator().manual_seed(3))))
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=2)
    shape = setting(algorithm, about)
    totals = []
    for how in ("vectorized", "threads"):
        runner = executor(how, algorithm)
        totals.append(runner.gradient(meta, batch, keys, shape).total)
        runner.close()
    assert totals[0].keys() == meta.params.keys()
    for key, value in totals[0].items():
        assert value.isfinite().all(), key
        torch.testing.assert_close(value, totals[1][key], rtol=1e-8, atol=1e-8)
    assert name == "scratch" or any(value.any() for value in totals[0].values())
