"""The affine map of one's own against torch's, mapped over tasks and differentiated twice."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch.func import functional_call, vmap

from tests.backbones.test_convolution import loss_and_curvature, noise
from workbench.backbones.linear import Linear

TASKS = 3


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)], ids=["one example", "examples", "sequences"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("where", [0, 1, None], ids=["tasks first", "tasks second", "shared inputs"])
def test_mapped_over_tasks_it_gives_what_torch_gives(shape, bias, where):
    layer = Linear(3, 2, bias=bias).double()
    params = {name: noise(TASKS, *value.shape, seed=len(name)) for name, value in layer.named_parameters()}
    inputs = noise(*shape) if where is None else noise(TASKS, *shape).movedim(0, where if len(shape) > 1 else 0)
    dims = (0, where if where is None or len(shape) > 1 else 0)

    def layer_of_ours(own, x):
        return functional_call(layer, own, (x,))

    def layer_of_theirs(own, x):
        return F.linear(x, own["weight"], own.get("bias"))

    ours, theirs = (loss_and_curvature(vmap(one, in_dims=dims), params, inputs)
                    for one in (layer_of_ours, layer_of_theirs))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_weights_may_be_shared_and_maps_nested():
    layer, inputs = Linear(3, 2).double(), noise(2, TASKS, 4, 3)
    torch.testing.assert_close(vmap(vmap(layer))(inputs), layer(inputs), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(vmap(torch.func.grad(lambda x: layer(x).pow(2).sum()))(inputs[0]),
                               2 * layer(inputs[0]) @ layer.weight, rtol=1e-10, atol=1e-10)
