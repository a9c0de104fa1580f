"""Narrower numbers train, stay inside the network's layers, and are refused where a device has none."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from tests.problems import KINDS, algorithms_for, executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Meta
from workbench.backbones.base import Network
from workbench.backbones.conv1d import Conv1d, Conv1dConfig
from workbench.backbones.convolution import Convolution
from workbench.backbones.normalization import Normalize
from workbench.engine.devices import DeviceError
from workbench.engine.events import Evaluation, Steps
from workbench.engine.precision import arithmetic, check, float32_products, narrower, refusal
from workbench.engine.session import Session
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, with_settings
from workbench.exports.learner import Learner
from workbench.tasks.base import Examples, Spec, TaskBatch

CPU = torch.device("cpu")
# Exact zeros on both sides, or nothing to compare.
WITHOUT_GRADIENT = {"scratch"}


def in_single(meta: Meta, batch: TaskBatch) -> tuple[Meta, TaskBatch]:
    own = Meta(*({key: value.float() for key, value in table.items()} for table in meta))
    parts = (Examples(part.inputs.float(), part.targets.float() if part.targets.is_floating_point() else part.targets)
             for part in batch)
    return own, TaskBatch(*parts)


def gradients(name: str, kind: Any, how: str) -> list[torch.Tensor]:
    """The meta-gradient in float32 and in bfloat16, each as one vector."""
    about = spec(kind, 3)
    algorithm, meta = make(name, about)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=3, queries=3)
    meta, batch = in_single(meta, batch)
    found = []
    for precision in ("float32", "bf16"):
        own = copy.deepcopy(algorithm)
        own.network.computes_in = narrower(precision)
        runner = executor(how, own)
        total = runner.gradient(meta, batch, keys, setting(own, about)).total
        runner.close()
        assert {value.dtype for value in total.values()} == {torch.float32}
        found.append(torch.cat([value.flatten() for value in total.values()]))
    return found


@pytest.mark.parametrize("case", [(name, kind) for kind in KINDS for name in algorithms_for(kind)
                                  if name not in WITHOUT_GRADIENT], ids="-".join)
def test_gradients_in_bfloat16_point_where_those_in_single_precision_do(case):
    for how in ("vectorized", "threads"):
        single, narrow = gradients(*case, how)
        assert torch.nn.functional.cosine_similarity(single, narrow, dim=0) > 0.98
        assert not torch.equal(single, narrow)


@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_a_run_in_bfloat16_learns_as_one_in_single_precision_does(how):
    losses, results = {}, {}
    for precision in ("float32", "bf16"):
        events = list(train(resolve(with_settings({}, [
            "dataset=glyphs", "backbone.filters=8", "algorithm.inner_steps=1", "training.iterations=30",
            "training.meta_batch=4", "task.queries=3", "training.validation_tasks=10", "evaluation.tasks=60",
            "evaluation.probe_tasks=1", "device=cpu", "training.validate_every=30", "training.outer_lr=0.01",
            f"training.executor={how}", f"training.precision={precision}"]))))
        losses[precision] = np.concatenate([event.loss for event in events if isinstance(event, Steps)])
        results[precision] = [event.score.mean for event in events if isinstance(event, Evaluation)][-1]
    for loss in losses.values():
        assert loss[-10:].mean() < 0.95 * loss[:5].mean()
    assert losses["bf16"][-10:].mean() == pytest.approx(losses["float32"][-10:].mean(), rel=0.15)
    assert results["bf16"] == pytest.approx(results["float32"], abs=0.08)
    assert not np.array_equal(losses["bf16"], losses["float32"])


@pytest.mark.parametrize(("side", "stride"), [(1, 2), (2, 3), (1, 3), (4, 2)])
def test_weights_that_no_input_reaches_have_no_gradient_in_bfloat16(side, stride):
    layer = Convolution(64, 64, 3, stride=stride, padding=1)
    inputs = torch.randn(10, 64, side, side)
    slopes = []
    for is_narrow in (False, True):
        del [torch.full((64 * 64 * 9,), 1e10) for _ in range(20)][:]  # what lies in freed memory is to be seen
        with torch.autocast("cpu", torch.bfloat16, enabled=is_narrow):
            loss = layer(inputs).float().square().sum()
        slopes.append(torch.autograd.grad(loss, layer.weight)[0])
    torch.testing.assert_close(slopes[1], slopes[0], rtol=0.05, atol=0.05 * slopes[0].abs().max().item())


def test_short_series_have_gradients_in_bfloat16_too():
    about = Spec("classification", "series", (2, 9), outputs=3, classes=3)
    torch.manual_seed(0)
    module = Conv1d(Conv1dConfig(filters=16, normalization="none"), about)
    inputs = torch.randn(6, *about.input_shape)
    found = []
    for precision in ("float32", "bf16"):
        network = Network(copy.deepcopy(module), narrower(precision))
        params = {name: value.detach().clone().requires_grad_() for name, value in module.named_parameters()}
        slopes = torch.autograd.grad(network(params, inputs).square().sum(), list(params.values()))
        found.append(torch.cat([slope.flatten() for slope in slopes]))
    assert torch.nn.functional.cosine_similarity(*found, dim=0) > 0.99


def test_batch_statistics_are_those_of_single_precision():
    layer = Normalize(3, "transductive")
    x = (torch.randn(20, 3, 4, 4) + 100).bfloat16()
    expected = layer(x.float(), None)
    torch.testing.assert_close(layer(x, None).float(), expected, rtol=0.01, atol=0.01)


def test_what_a_device_does_not_compute_in_is_refused_with_the_remedy():
    assert not refusal("float32", CPU)
    assert not refusal("bf16", CPU)
    with pytest.raises(DeviceError, match=r"training\.precision: TF32 is what NVIDIA GPUs .* take float32 or bf16"):
        check("tf32", CPU)
    with pytest.raises(DeviceError, match="TF32"):
        Session(resolve(with_settings({}, ["device=cpu", "training.precision=tf32"])))
    assert "Apple" in refusal("bf16", torch.device("mps"))


def test_a_learner_that_was_trained_in_what_this_device_has_not_is_judged_in_single_precision():
    experiment = resolve(with_settings({}, ["dataset=sinusoids", "device=cpu", "training.precision=tf32"]))
    learner = Learner("mine", experiment, Meta({}, {}), 0, spec("regression", 1))
    here = learner.on_this_machine().experiment
    assert (here.training.precision, here.device) == ("float32", "cpu")


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_gpus_multiply_as_they_are_told_for_as_long_as_a_run_lasts(precision):
    places = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [place.fp32_precision for place in places]
    with arithmetic(precision, torch.device("cpu")):
        wanted = "tf32" if precision == "tf32" else "ieee"
        assert [place.fp32_precision for place in places] == [wanted, wanted]
        assert torch.backends.cudnn.deterministic
        assert float32_products() == ("tf32" if precision == "tf32" else "float32")
    assert [place.fp32_precision for place in places] == before
    assert not torch.backends.cudnn.deterministic
