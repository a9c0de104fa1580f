"""Meta-transfer learning against a plain unrolled loop, and its two stages."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal, loss_of
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Meta
from workbench.tasks.base import Task

RATE = 0.2


def moved(meta: Meta) -> Meta:
    """The same with scales and shifts that are no longer one and zero."""
    generator = torch.Generator().manual_seed(2)
    return meta._replace(params={
        name: value + 0.3 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
        if name.startswith(("scale/", "shift/")) else value for name, value in meta.params.items()})


def plain_mlp(params: dict[str, Tensor], x: Tensor) -> Tensor:
    for layer in (0, 1):
        name = f"backbone.layers.{layer}."
        weight = params[name + "weight"] * params[f"scale/{name}weight"]
        x = torch.tanh(x @ weight.T + params[name + "bias"] + params[f"shift/{name}bias"])
    return x


def plain_conv(params: dict[str, Tensor], x: Tensor) -> Tensor:
    for layer in range(4):
        name, norm = f"backbone.convolutions.{layer}.", f"backbone.normalizations.{layer}."
        kernels = torch.einsum("oihw,oi->oihw", params[name + "weight"], params[f"scale/{name}weight"][:, :, 0, 0])
        x = F.conv2d(x, kernels, params[name + "bias"] + params[f"shift/{name}bias"], 2, 1)
        mean, deviation = x.mean((0, 2, 3), keepdim=True), (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        gain = params[norm + "weight"] * params[f"scale/{norm}weight"]
        offset = params[norm + "bias"] + params[f"shift/{norm}bias"]
        x = ((x - mean) / deviation * gain.view(-1, 1, 1) + offset.view(-1, 1, 1)).relu()
    return x.flatten(1)


def unrolled(features, params: dict[str, Tensor], about, task: Task, steps: int, exact: bool, momentum: float = 0.0
             ) -> dict[str, Tensor]:
    """The meta-gradient by autograd through every step of the head."""
    own = {name: value.clone().requires_grad_() for name, value in params.items()}
    weight, bias = own["head.weight"], own["head.bias"]
    support = features(own, task.support.inputs)
    slope = shift = torch.zeros(())
    for _ in range(steps):
        loss = loss_of(about, F.linear(support, weight, bias), task.support.targets)
        gradient = torch.autograd.grad(loss, (weight, bias), create_graph=exact, retain_graph=True)
        slope, shift = momentum * slope + gradient[0], momentum * shift + gradient[1]
        weight, bias = weight - RATE * slope, bias - RATE * shift
    loss = loss_of(about, F.linear(features(own, task.query.inputs), weight, bias), task.query.targets)
    found = torch.autograd.grad(loss, list(own.values()), materialize_grads=True, allow_unused=True)
    return dict(zip(own, found, strict=True))


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("kind", "picture", "optimizer"), [
    ("classification", False, "sgd"), ("regression", False, "sgd"), ("classification", True, "sgd"),
    ("classification", False, "momentum")])
def test_the_meta_gradient_is_that_of_an_unrolled_loop_over_the_head_of_a_scaled_and_shifted_network(
        kind, picture, optimizer, order, how):
    about = spec(kind, 3, picture)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=3)
    algorithm, meta = make("meta_transfer", about, inner_steps=4, inner_lr=RATE, order=order,
                           inner_optimizer=optimizer)
    meta = moved(meta)
    runner = executor(how, algorithm)
    ours = runner.gradient(meta, batch, keys, setting(algorithm, about)).total
    runner.close()
    features = plain_conv if picture else plain_mlp
    momentum = 0.9 if optimizer == "momentum" else 0.0
    theirs = [unrolled(features, meta.params, about, batch.task(i), 4, exact=order == 2, momentum=momentum)
              for i in range(2)]
    assert_equal(ours, {name: theirs[0][name] + theirs[1][name] for name in ours})
    assert ours["scale/backbone." + ("convolutions.1.weight" if picture else "layers.0.weight")].abs().max() > 1e-4


def test_every_kernel_and_every_unit_has_a_scale_of_one_and_every_bias_a_shift_of_zero_to_begin_with():
    for picture, shapes in ((False, {"layers.0.weight": (6, 1), "layers.1.weight": (5, 1)}),
                            (True, {"convolutions.1.weight": (4, 4, 1, 1), "normalizations.1.weight": (4,)})):
        about = spec("classification", 3, picture)
        algorithm, meta = make("meta_transfer", about)
        for name, shape in shapes.items():
            assert meta.params[f"scale/backbone.{name}"].shape == shape
        for name, value in meta.params.items():
            if name.startswith("scale/"):
                assert (value == 1).all()
            if name.startswith("shift/"):
                assert (value == 0).all()
                assert value.shape == meta.params[name.removeprefix("shift/")].shape
        backbone = {name for name in meta.params if name.startswith("backbone.")}
        assert {name.partition("/")[2] for name in meta.params if "/" in name} == backbone
        inputs = noise_tasks(about, tasks=1, ways=3, shots=2, queries=2)[0].query.inputs[0]
        torch.testing.assert_close(algorithm.features(meta.params, inputs),
                                   algorithm.network.part("backbone", meta.params, inputs), rtol=0, atol=0)


def test_pretraining_moves_backbone_and_classifier_and_meta_learning_all_the_rest():
    algorithm, meta = make("meta_transfer", spec("classification", 3), pretraining=0.25, scale_rate=0.1)
    assert [algorithm.stage(progress) for progress in (0.0, 0.24, 0.25, 1.0)] == ["examples"] * 2 + ["tasks"] * 2
    for name in meta.params:
        rates = algorithm.outer_rate(name, "examples"), algorithm.outer_rate(name, "tasks")
        if name.startswith(("backbone.", "classifier.")):
            assert rates == (1.0, 0.0)
        elif name.startswith("head."):
            assert rates == (0.0, 1.0)
        else:
            assert rates == (0.0, 0.1)


def test_hard_tasks_are_a_switch_and_for_classes_only():
    for kind, switch, expected in (("classification", True, True), ("classification", False, False),
                                   ("regression", True, False)):
        assert make("meta_transfer", spec(kind, 3), hard_tasks=switch)[0].draws_hard_tasks is expected


def test_the_drawing_tells_how_far_scales_and_shifts_have_moved():
    about = spec("classification", 3, picture=True)
    algorithm, meta = make("meta_transfer", about)
    drawing = algorithm.drawings()["transfer"]
    assert not algorithm.draw(meta, None, None, None)["transfer"].any()
    meta = moved(meta)
    table = algorithm.draw(meta, None, None, None)["transfer"]
    assert table.shape == (len(drawing.row_names), 2)
    row = drawing.row_names.index("shift of convolutions.2.bias")
    shift = meta.params["shift/backbone.convolutions.2.bias"].abs()
    assert table[row].tolist() == [shift.mean().item(), shift.max().item()]
    row = drawing.row_names.index("scale of normalizations.0.weight")
    scale = (meta.params["scale/backbone.normalizations.0.weight"] - 1).abs()
    assert table[row].tolist() == [scale.mean().item(), scale.max().item()]
