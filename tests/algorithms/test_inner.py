"""The inner optimizers walk as those of torch do, and can be differentiated through."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor

from tests.algorithms.oracles import PlainMLP, assert_equal, by_order, loss_of, meta_gradient
from tests.problems import make, noise_tasks, setting, spec
from workbench.algorithms.base import Meta
from workbench.algorithms.inner import begin, descend
from workbench.engine.executors.vectorized import Vectorized

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import higher

RATE = 0.05
KINDS = ("sgd", "momentum", "adam")
METHODS = ("maml", "boil")


def optimizer(kind: str, parameters: list[Tensor]) -> torch.optim.Optimizer:
    if kind == "adam":
        return torch.optim.Adam(parameters, lr=RATE, betas=(0.0, 0.999))
    return torch.optim.SGD(parameters, lr=RATE, momentum=0.9 if kind == "momentum" else 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_walks_as_the_optimizer_of_torch_does(kind):
    generator = torch.Generator().manual_seed(0)
    shapes = {"weight": (3, 4), "bias": (3,), "scalar": ()}
    params = {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}
    theirs = {name: value.clone().requires_grad_() for name, value in params.items()}
    ours, walker = begin(kind, params), optimizer(kind, list(theirs.values()))
    for step in range(20):
        gradient = {name: torch.randn(shape, generator=generator, dtype=torch.float64) * 10.0 ** (step % 7 - 3)
                    for name, shape in shapes.items()}
        gradient["bias"] = gradient["bias"] * torch.tensor([1.0, 0.0, float(step > 5)])
        ours = descend(kind, ours, gradient, RATE)
        for name, parameter in theirs.items():
            parameter.grad = gradient[name].clone()
        walker.step()
        assert_equal(ours.params, {name: value.detach() for name, value in theirs.items()}, 1e-12)


@pytest.mark.parametrize("kind", ["sgd", "momentum"])
@pytest.mark.parametrize("task_kind", ["classification", "regression"])
@pytest.mark.parametrize("method", METHODS)
def test_the_meta_gradient_through_it_is_that_of_higher(method, task_kind, kind):
    about = spec(task_kind, 3)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=2, queries=3)
    params, ours = meta_gradient(method, about, batch, keys, inner_steps=4, inner_lr=RATE, inner_optimizer=kind)
    net, task = PlainMLP(about.outputs, params), batch.task(0)
    # A parameter that the inner optimizer of higher does not know stays as it is: BOIL's head.
    moving = list(net.parameters() if method == "maml" else net.body.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with higher.innerloop_ctx(net, optimizer(kind, moving), copy_initial_weights=False) as (fast, inner):
            for _ in range(4):
                inner.step(loss_of(about, fast(task.support.inputs), task.support.targets))
            loss = loss_of(about, fast(task.query.inputs), task.query.targets)
            theirs = torch.autograd.grad(loss, list(net.parameters()))
    assert_equal(ours, by_order(params, list(theirs)))


# The Adam of higher adds its ε before the bias is corrected, that of torch after, as the paper does.
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["momentum", "adam"])
def test_the_meta_gradient_through_it_is_that_of_the_formulas_written_out(kind, method):
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=4, queries=3)
    params, ours = meta_gradient(method, about, batch, keys, inner_steps=3, inner_lr=RATE, inner_optimizer=kind)
    net, task = PlainMLP(2, params), batch.task(0)
    names = [name for name, _ in net.named_parameters() if method == "maml" or not name.startswith("head.")]
    start = dict(net.named_parameters())
    fast, memory = dict(start), {name: torch.zeros_like(start[name]) for name in names}
    for step in range(1, 4):
        outputs = torch.func.functional_call(net, fast, (task.support.inputs,))
        slopes = torch.autograd.grad(loss_of(about, outputs, task.support.targets), [fast[name] for name in names],
                                     create_graph=True)
        for name, slope in zip(names, slopes, strict=True):
            if kind == "momentum":
                memory[name] = 0.9 * memory[name] + slope
                fast[name] = fast[name] - RATE * memory[name]
            else:
                memory[name] = 0.999 * memory[name] + 0.001 * slope**2
                fast[name] = fast[name] - RATE * slope / ((memory[name] / (1 - 0.999**step)).sqrt() + 1e-8)
    loss = loss_of(about, torch.func.functional_call(net, fast, (task.query.inputs,)), task.query.targets)
    assert_equal(ours, by_order(params, list(torch.autograd.grad(loss, list(net.parameters())))))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_units_that_are_dead_on_the_support_set_pass_no_nan_to_the_outer_loop(kind, method):
    about = spec("regression", 2)
    batch, keys = noise_tasks(about, tasks=2, ways=2, shots=4, queries=3)
    algorithm, meta = make(method, about, inner_steps=3, inner_lr=RATE, inner_optimizer=kind)
    params = dict(meta.params)
    params["backbone.layers.1.weight"] = params["backbone.layers.1.weight"] * 0
    params["head.weight"] = params["head.weight"] * 0
    gradient = Vectorized(algorithm, 1).gradient(Meta(params, {}), batch, keys, setting(algorithm, about)).total
    assert all(value.isfinite().all() for value in gradient.values())
