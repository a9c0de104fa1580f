"""Convolutions and batch normalization of one's own against torch's, mapped over tasks and differentiated twice."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, vmap

from workbench.backbones import columns
from workbench.backbones.convolution import Convolution, Geometry, _Convolution, max_pool, weight_gradient
from workbench.backbones.mapping import laid_out
from workbench.backbones.normalization import Normalize


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_batch_norm(x, weight, bias):
    axes = (0, *range(2, x.dim()))
    along = (1, -1, *[1] * (x.dim() - 2))
    centred = x - x.mean(axes, keepdim=True)
    return (weight.view(along) * centred / ((centred**2).mean(axes, keepdim=True) + 1e-5).sqrt() + bias.view(along))


def loss_and_curvature(network, params, inputs):
    """A loss that has the first derivatives in it, and its gradient: everything that MAML asks of a layer."""
    own = {name: value.detach().requires_grad_() for name, value in params.items()}
    inputs = inputs.detach().requires_grad_()
    outputs = network(own, inputs)
    slopes = torch.autograd.grad((outputs**3).sum(), [*own.values(), inputs], create_graph=True)
    outputs = network({name: own[name] - 0.1 * slope for name, slope in zip(own, slopes, strict=False)}, inputs)
    loss = (outputs**2).mean() + (slopes[-1]**2).mean()
    return loss, torch.autograd.grad(loss, [*own.values(), inputs])


@settings(max_examples=25, deadline=None)
@given(channels=st.integers(1, 3), filters=st.integers(1, 3), kernel=st.sampled_from([1, 3, 5]),
       stride=st.integers(1, 2), side=st.integers(5, 9), count=st.integers(1, 3), depthwise=st.booleans(),
       bias=st.booleans(), by_columns=st.booleans())
def test_a_convolution_and_its_two_derivatives_are_those_of_torch(channels, filters, kernel, stride, side, count,
                                                                  depthwise, bias, by_columns):
    groups = channels if depthwise else 1
    layer = Convolution(channels, filters * groups, kernel, stride, kernel // 2, groups=groups, bias=bias)
    layer.by_columns = by_columns
    params = {name: noise(*value.shape, seed=len(name)) for name, value in layer.named_parameters()}
    inputs = noise(count, channels, side, side)

    def theirs(own, x):
        return F.conv2d(x, own["weight"], own.get("bias"), stride, kernel // 2, 1, groups)

    ours = loss_and_curvature(lambda own, x: functional_call(layer, own, (x,)), params, inputs)
    expected = loss_and_curvature(theirs, params, inputs)
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rows", [None, 3], ids=["transductive", "inductive"])
def test_a_bias_that_normalization_takes_away_may_as_well_be_left_out(rows):
    layer = Convolution(2, 3, 3).double()
    normalize, inputs = Normalize(3, "inductive" if rows else "transductive").double(), noise(5, 2, 6, 6)
    assert normalize.takes_mean_away
    torch.testing.assert_close(normalize(layer(inputs, is_shifted=False), rows), normalize(layer(inputs), rows))
    assert not any(Normalize(3, kind).takes_mean_away for kind in ("group", "none"))


def test_derivatives_agree_with_finite_differences():
    layer, normalize = Convolution(2, 3, 3, stride=2, padding=1).double(), Normalize(3, "transductive").double()

    def network(x, weight, bias, scale, shift):
        y = functional_call(layer, {"weight": weight, "bias": bias}, (x,))
        return functional_call(normalize, {"weight": scale, "bias": shift}, (y, None))

    values = [value.requires_grad_() for value in (noise(3, 2, 5, 5), noise(3, 2, 3, 3, seed=1), noise(3, seed=2),
                                                   noise(3, seed=3), noise(3, seed=4))]
    assert gradcheck(network, values)
    assert gradgradcheck(network, values)


@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (4, 3, 7), (6, 3)], ids=["pictures", "series", "vectors"])
def test_batch_normalization_and_its_two_derivatives_are_those_of_the_formula(shape):
    layer = Normalize(3, "transductive").double()
    params = {"weight": noise(3, seed=1), "bias": noise(3, seed=2)}
    ours = loss_and_curvature(lambda own, x: functional_call(layer, own, (x, None)), params, noise(*shape))
    theirs = loss_and_curvature(lambda own, x: plain_batch_norm(x, own["weight"], own["bias"]), params, noise(*shape))
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_a_third_derivative_of_batch_normalization_is_refused():
    x = noise(4, 2, 3, 3).requires_grad_()
    layer = Normalize(2, "transductive").double()
    slope, = torch.autograd.grad((layer(x, None)**3).sum(), x, create_graph=True)
    curvature, = torch.autograd.grad((slope**2).sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="twice at most"):
        torch.autograd.grad(curvature.sum(), x)


@pytest.mark.parametrize("own", [True, False], ids=["own weights", "shared weights"])
@pytest.mark.parametrize("way", ["mapped", "mapped below a gradient"])
@pytest.mark.parametrize("by_columns", ["grouped", "by columns", "weights by columns"])
def test_mapped_over_tasks_they_are_what_they_are_alone(own, way, by_columns):
    tasks, layer, normalize = 3, Convolution(2, 3, 3, padding=1).double(), Normalize(3, "transductive").double()
    layer.by_columns, layer.weights_by_columns = by_columns == "by columns", by_columns == "weights by columns"
    shapes = {"weight": (3, 2, 3, 3), "bias": (3,)}
    params = {name: noise(*([tasks] if own else []), *shape, seed=len(name)) for name, shape in shapes.items()}
    inputs = noise(tasks, 4, 2, 5, 5)

    def network(own, x):
        return normalize(functional_call(layer, own, (x,)), None).pow(3).sum()

    def each(index):
        return {name: value[index] if own else value for name, value in params.items()}, inputs[index]

    alone = [torch.func.grad(network)(*each(index)) for index in range(tasks)]
    alone = {name: torch.stack([one[name] for one in alone]) for name in params}
    where = (0 if own else None, 0)
    if way == "mapped":
        together = vmap(torch.func.grad(network), in_dims=where)(params, inputs)
    else:
        leaves = {name: (value if own else value.expand(tasks, *value.shape)).clone().requires_grad_()
                  for name, value in params.items()}
        total = vmap(network)(leaves, inputs).sum()
        together = dict(zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True))
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-10, atol=1e-10)


@settings(max_examples=50, deadline=None)
@given(tasks=st.integers(1, 3), channels=st.integers(2, 3), count=st.integers(1, 7), kernel=st.sampled_from([1, 2, 3]),
       stride=st.integers(1, 2), padding=st.integers(0, 1), dilation=st.integers(1, 2), height=st.integers(5, 7),
       pictures=st.integers(1, 3))
def test_gradients_of_weights_by_columns_are_the_grouped_ones_a_block_of_pictures_after_another(
        tasks, channels, count, kernel, stride, padding, dilation, height, pictures):
    how = Geometry((stride, 1), (padding, 0), (dilation, 1), 1).of(tasks)
    inputs = laid_out(noise(count, tasks * channels, height, 6))
    weight = laid_out(noise(tasks * 4, channels, kernel, 2))
    gradient = laid_out(noise(*_Convolution.forward(inputs, weight, None, how).shape, seed=1))
    bytes_of_one = 8 * tasks * channels * kernel * 2 * gradient[0, 0].numel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_BLOCK_BYTES", pictures * bytes_of_one)
        found = weight_gradient(inputs, gradient, weight.shape, how._replace(weights_by_columns=True))
    torch.testing.assert_close(found, weight_gradient(inputs, gradient, weight.shape, how), rtol=1e-10, atol=1e-10)
    assert found.is_contiguous(memory_format=torch.channels_last)


@settings(max_examples=25, deadline=None)
@given(tasks=st.integers(2, 4), filters=st.integers(1, 3), kernel=st.sampled_from([1, 3]), stride=st.integers(1, 2),
       side=st.integers(3, 7), depthwise=st.booleans(), by_columns=st.booleans(), bias=st.booleans())
def test_tasks_that_still_have_the_same_weights_are_one_ordinary_batch_where_maps_lie_in_order(
        tasks, filters, kernel, stride, side, depthwise, by_columns, bias):
    groups = 2 if depthwise else 1
    how = Geometry((stride, stride), (kernel // 2, kernel // 2), (1, 1), groups, by_columns)
    inputs = noise(3, tasks * 2, side, side)
    params = {"weight": noise(filters * groups, 2 // groups, kernel, kernel, seed=1),
              **({"bias": noise(filters * groups, seed=2)} if bias else {})}

    def network(how):
        def outputs(own, x):
            shift = own["bias"].repeat(tasks) if bias else None
            return _Convolution.apply(x, own["weight"].repeat(tasks, 1, 1, 1), shift, how)
        return outputs

    assert how.of(tasks, are_alike=True).is_one_batch(inputs)
    one_batch = loss_and_curvature(network(how.of(tasks, are_alike=True)), params, inputs)
    grouped = loss_and_curvature(network(how.of(tasks)._replace(by_columns=False)), params, inputs)
    torch.testing.assert_close(one_batch, grouped, rtol=1e-10, atol=1e-10)


def test_only_weights_at_one_place_in_memory_are_taken_for_the_same(monkeypatch):
    seen = []
    forward = _Convolution.forward
    monkeypatch.setattr(_Convolution, "forward", lambda *values: seen.append(values[3].alike) or forward(*values))
    layer, inputs = Convolution(2, 3, 3), torch.zeros(4, 1, 2, 5, 5)
    weight = layer.weight.detach()
    for own in (weight.expand(4, *weight.shape), torch.stack([weight] * 4)):
        vmap(lambda own, x: functional_call(layer, {"weight": own, "bias": torch.zeros(3)}, (x,)))(own, inputs)
    assert seen == [4, 1]


@pytest.mark.parametrize("settings", [(2,), (3, 2, 1)])
def test_pooling_mapped_over_tasks_is_pooling_alone_and_may_be_differentiated_twice(settings):
    inputs = noise(3, 4, 2, 6, 6)

    def bent(pool, x):
        return (torch.func.grad(lambda own: pool(own, *settings).pow(3).sum())(x) * x).sum() + pool(x, *settings).sum()

    def total(pool, x):
        leaf = x.clone().requires_grad_()
        value = vmap(lambda own: pool(own, *settings).pow(3))(leaf).sum()
        slope, = torch.autograd.grad(value, leaf, create_graph=True)
        return value, slope, torch.autograd.grad(slope.pow(2).sum(), leaf)[0]

    alone = torch.stack([bent(F.max_pool2d, one) for one in inputs])
    torch.testing.assert_close(vmap(lambda one: bent(max_pool, one))(inputs), alone)
    torch.testing.assert_close(total(max_pool, inputs), total(F.max_pool2d, inputs))
