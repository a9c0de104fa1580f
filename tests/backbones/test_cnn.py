"""The small CNN, in float64, against its layers written out, and MAML through it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal
from tests.backbones.networks import backbone, check_that_blocks_can_be_modulated, maml_gradients, normal
from workbench.tasks.base import Spec
from workbench.tasks.files.errors import DataError

SMALL = Spec("classification", "image", (2, 14, 14), outputs=3, classes=7)
KINDS = ("transductive", "inductive", "group", "none")


def written_out(kind: str):
    def forward(p: dict[str, Tensor], x: Tensor) -> Tensor:
        x = F.conv2d(x, p["convolution.weight"], p["convolution.bias"], padding=1)
        x = F.relu(normal(kind, p, "normalization", x))
        high, wide = x.shape[2] // 7, x.shape[3] // 7
        pooled = x.unfold(2, high, high).unfold(3, wide, wide).mean((4, 5))
        return F.relu(F.linear(pooled.flatten(1), p["hidden.weight"], p["hidden.bias"]))

    return forward


@pytest.mark.parametrize("kind", KINDS)
def test_its_features_are_those_of_its_layers_written_out(kind):
    about = Spec("classification", "image", (1, 28, 21), outputs=5)
    body = backbone("cnn", about, normalization=kind)
    inputs = torch.randn(4, 1, 28, 21, dtype=torch.float64)
    found = body(inputs)
    torch.testing.assert_close(found, written_out(kind)(dict(body.named_parameters()), inputs), rtol=1e-9, atol=1e-11)
    assert found.shape == (4, 128)
    assert body.width == 128
    assert dict(body.named_parameters())["hidden.weight"].shape == (128, 32 * 7 * 7)


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("kind", ["transductive", "group", "none"])
def test_second_order_maml_through_it_is_plain_autograd_through_the_unrolled_steps(kind, how):
    body = backbone("cnn", SMALL, filters=4, hidden=24, normalization=kind)
    ours, theirs = maml_gradients(body, SMALL, written_out(kind))[how]
    assert_equal(ours, theirs, 1e-9)
    assert ours["backbone.convolution.weight"].abs().min() > 0


def test_inductive_normalization_sees_each_query_alone():
    body = backbone("cnn", SMALL, filters=4, hidden=24, normalization="inductive")
    support, queries = torch.randn(2, 4, 2, 14, 14, dtype=torch.float64)
    torch.testing.assert_close(body(queries[:1], support)[0], body(queries, support)[0], rtol=1e-9, atol=1e-11)
    assert not torch.allclose(body(queries), body(queries, support))


@pytest.mark.parametrize("kind", ["transductive", "none"])
def test_both_of_its_layers_can_be_modulated(kind):
    body = backbone("cnn", SMALL, filters=4, hidden=24, normalization=kind)
    assert [block.channels for block in body.blocks] == [4, 24]
    check_that_blocks_can_be_modulated(body, torch.randn(3, 2, 14, 14, dtype=torch.float64))


def test_sides_that_seven_does_not_divide_are_pooled_too():
    about = Spec("classification", "image", (3, 84, 10), outputs=5)
    assert backbone("cnn", about)(torch.randn(2, 3, 84, 10, dtype=torch.float64)).shape == (2, 128)


def test_pictures_smaller_than_what_it_pools_to_are_refused_with_the_remedy():
    with pytest.raises(DataError, match=r"6×28 are smaller than the 7×7.*dataset\.size"):
        backbone("cnn", Spec("classification", "image", (1, 6, 28), outputs=3))
