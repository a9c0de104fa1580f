"""MAML++ in float64 against an unrolled loop that is written down from the paper."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from tests.algorithms.oracles import assert_equal, loss_of, meta_gradient
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.engine.executors.base import Setting
from workbench.engine.executors.gradients import MetaGradient

RATE = 0.3
STEPS = 3
OFF = {"multi_step_loss": False, "learned_rates": False, "per_step_normalization": False, "order_annealing": False}
SWITCHES = tuple(OFF)


def scattered(params: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parameters moved a little, so that every layer and step has entries of its own."""
    generator = torch.Generator().manual_seed(5)
    return {name: value + 0.1 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
            for name, value in params.items()}


def ours(about, batch, keys, progress: float, how: str = "threads", steps: int = STEPS, **config
         ) -> tuple[dict[str, Tensor], MetaGradient]:
    algorithm, meta = make("maml_pp", about, inner_steps=STEPS, inner_lr=RATE, **config)
    meta = meta._replace(params=scattered(meta.params))
    runner = executor(how, algorithm)
    wanted: Setting = replace(setting(algorithm, about), progress=progress, steps=steps)
    gradient = runner.gradient(meta, batch, keys, wanted)
    runner.close()
    return meta.params, gradient


def layers_of(picture: bool) -> list[str]:
    if not picture:
        return ["backbone.layers.0", "backbone.layers.1", "head"]
    return [f"backbone.{kind}.{block}" for block in range(4) for kind in ("convolutions", "normalizations")] + ["head"]


def forward(weights: dict[str, Tensor], x: Tensor, picture: bool) -> Tensor:
    if picture:
        for block in range(4):
            conv, norm = f"backbone.convolutions.{block}", f"backbone.normalizations.{block}"
            x = F.conv2d(x, weights[f"{conv}.weight"], weights[f"{conv}.bias"], stride=2, padding=1)
            mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
            x = (x - mean) / (variance + 1e-5).sqrt()
            x = torch.relu(x * weights[f"{norm}.weight"].view(-1, 1, 1) + weights[f"{norm}.bias"].view(-1, 1, 1))
        x = x.flatten(1)
    else:
        for layer in range(2):
            name = f"backbone.layers.{layer}"
            x = torch.tanh(F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"]))
    return F.linear(x, weights["head.weight"], weights["head.bias"])


def unrolled(about, task, params: dict[str, Tensor], *, weights: list[float], first_order: bool, rates: bool,
             normalization: bool, steps: int = STEPS) -> dict[str, Tensor]:
    """Gradient of Σ_s w_s L_query(θ_s); entries of step s are used by its support pass and by the queries after it."""
    picture = about.input_kind == "image"
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    whole = [f"{layer}.{part}" for layer in layers_of(picture) for part in ("weight", "bias")]
    stepped = [name for name in whole if normalization and "normalizations" in name]
    theta = {name: leaves[name] for name in whole if name not in stepped}
    total = torch.zeros((), dtype=torch.float64)
    for step in range(steps):
        entry = min(step, STEPS - 1)
        norms = {name: leaves[f"steps/{name}"][entry] for name in stepped}
        loss = loss_of(about, forward(theta | norms, task.support.inputs, picture), task.support.targets)
        slopes = torch.autograd.grad(loss, list(theta.values()), create_graph=not first_order)
        alpha = {name: leaves["rates/" + name.rsplit(".", 1)[0]][entry] if rates else RATE for name in theta}
        theta = {name: value - alpha[name] * slope for (name, value), slope in zip(theta.items(), slopes, strict=True)}
        judged = loss_of(about, forward(theta | norms, task.query.inputs, picture), task.query.targets)
        total = total + weights[step] * judged
    found = torch.autograd.grad(total, list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, found, strict=True))


def problem(kind: str, picture: bool):
    about = spec(kind, 3, picture)
    return about, *noise_tasks(about, tasks=1, ways=3, shots=3, queries=2)


# The weights of the paper's code at S = 3: equal at first; half faded; then the last step alone.
ANNEALED = [(0.0, [1 / 3, 1 / 3, 1 / 3]), (0.05, [1 / 6, 1 / 6, 4 / 6]), (0.098, [0.01, 0.01, 0.98]),
            (0.1, [0.0, 0.0, 1.0]), (0.7, [0.0, 0.0, 1.0])]


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize(("progress", "weights"), ANNEALED)
@pytest.mark.parametrize("case", [("classification", True), ("classification", False), ("regression", False)])
def test_all_together_is_an_unrolled_loop(case, progress, weights, how):
    about, batch, keys = problem(*case)
    params, gradient = ours(about, batch, keys, progress, how)
    theirs = unrolled(about, batch.task(0), params, weights=weights, first_order=progress < 0.5, rates=True,
                      normalization=True)
    assert_equal(gradient.total, theirs)


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_works_alone(switch):
    about, batch, keys = problem("classification", True)
    params, gradient = ours(about, batch, keys, 0.05, **OFF | {switch: True})
    theirs = unrolled(about, batch.task(0), params,
                      weights=ANNEALED[1][1] if switch == "multi_step_loss" else [0.0, 0.0, 1.0],
                      first_order=switch == "order_annealing", rates=switch == "learned_rates",
                      normalization=switch == "per_step_normalization")
    assert_equal(gradient.total, theirs)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_with_every_switch_off_it_is_maml(kind):
    about, batch, keys = problem(kind, False)
    config = {"inner_steps": STEPS, "inner_lr": RATE}
    _, plain = meta_gradient("maml", about, batch, keys, **config)
    _, switched_off = meta_gradient("maml_pp", about, batch, keys, **config, **OFF)
    assert_equal(switched_off, plain)


def test_rates_that_have_not_been_learned_yet_leave_the_learner_as_it_is_without_them():
    about, batch, keys = problem("classification", True)
    config = {"inner_steps": STEPS, "inner_lr": 0.25}  # which single precision holds exactly
    _, fixed = meta_gradient("maml_pp", about, batch, keys, **config, **OFF)
    _, learned = meta_gradient("maml_pp", about, batch, keys, **config, **OFF | {"learned_rates": True})
    assert_equal({name: learned[name] for name in fixed}, fixed)


@pytest.mark.parametrize("switch", ["learned_rates", "per_step_normalization"])
def test_steps_beyond_those_of_training_use_the_last_entries(switch):
    about, batch, keys = problem("classification", True)
    params, gradient = ours(about, batch, keys, 0.9, steps=STEPS + 2, **OFF | {switch: True})
    theirs = unrolled(about, batch.task(0), params, weights=[0.0] * (STEPS + 1) + [1.0], first_order=False,
                      rates=switch == "learned_rates", normalization=switch == "per_step_normalization",
                      steps=STEPS + 2)
    assert_equal(gradient.total, theirs)


def test_it_reports_the_query_loss_after_the_last_step_whatever_the_weights():
    about, batch, keys = problem("classification", False)
    _, early = ours(about, batch, keys, 0.0)
    _, late = ours(about, batch, keys, 0.9)
    torch.testing.assert_close(early.aux.loss, late.aux.loss, rtol=1e-12, atol=0)


def test_the_drawing_is_the_learned_rates_of_every_layer_and_step():
    about, _, _ = problem("classification", True)
    algorithm, meta = make("maml_pp", about, inner_steps=STEPS, inner_lr=RATE)
    meta = meta._replace(params=scattered(meta.params))
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=1, queries=1)
    task = batch.task(0)
    drawn = algorithm.draw(meta, {}, task, setting(algorithm, about).context(task, keys[0]))["rates"]
    declared = algorithm.drawings()["rates"]
    assert drawn.shape == (len(declared.row_names), len(declared.column_names)) == (5, STEPS)
    for row, layer in enumerate(declared.row_names):
        assert torch.equal(drawn[row], meta.params[f"rates/{layer}"])
    plain, _ = make("maml_pp", about, **OFF)
    assert plain.drawings() == {}
