"""The search inside a task, against plain autograd on a supernet written down anew, and that it finds what is there."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.algorithms.oracles import assert_equal, loss_of
from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Algorithm, Context, Meta, adapt
from workbench.algorithms.meta_nas import MetaNAS, MetaNASConfig
from workbench.backbones.base import Network
from workbench.backbones.supernet import PictureSlot, Supernet, SupernetConfig, VectorSlot
from workbench.experiment.resolve import resolve, with_settings
from workbench.exports.export import export_run
from workbench.runs.files import read_tensors
from workbench.runs.recording import recorded
from workbench.runs.store import RunStore
from workbench.tasks.base import Examples, Spec, TaskBatch

Table = dict[str, Tensor]
RATE, CHOICE, FINAL = 0.1, 0.7, 0.1
SLOTS = 4


def trained(about: Spec, **config: Any) -> tuple[Algorithm[Any], Meta]:
    """As it would be after some training: no mixture is even."""
    given = {"inner_lr": RATE, "architecture_lr": CHOICE, "temperature": FINAL, "warm_up": 0.0, "inner_steps": 2,
             "inner_optimizer": "sgd"}
    algorithm, meta = make("meta_nas", about, **(given | config))
    generator = torch.Generator().manual_seed(5)
    params = {name: value + 0.2 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
              for name, value in meta.params.items()}
    return algorithm, Meta(params, meta.buffers)


def network(p: Table, x: Tensor, temperature: float) -> Tensor:
    for slot in range(SLOTS):
        own = {name.removeprefix(f"backbone.slots.{slot}."): value for name, value in p.items()}
        relu, tanh, sine = (x @ own[f"{name}.weight"].T + own[f"{name}.bias"] for name in ("relu", "tanh", "sine"))
        count = relu.shape[1]
        results = (relu.clamp(min=0), tanh.tanh(), sine.sin(), x.repeat(1, count)[:, :count])
        scores = (p[f"backbone.architecture.{slot}"] / temperature).exp()
        mixed = sum(score / scores.sum() * result for score, result in zip(scores, results, strict=True))
        x = mixed * own["affine.weight"] + own["affine.bias"]
    return x @ p["head.weight"].T + p["head.bias"]


def is_choice(name: str) -> bool:
    return "architecture" in name


class Walk:
    """The inner loop with optimizers of torch."""

    def __init__(self, about: Spec, params: Table, steps: int, adam: bool = False) -> None:
        self.about, self.steps = about, steps
        self.p = {name: value.clone().requires_grad_() for name, value in params.items()}
        self.optimizers = {}
        for choice in (False, True):
            own, rate = [value for name, value in self.p.items() if is_choice(name) == choice], (RATE, CHOICE)[choice]
            self.optimizers[choice] = (torch.optim.Adam(own, lr=rate, betas=(0.0, 0.999)) if adam
                                       else torch.optim.SGD(own, lr=rate))

    def loss(self, examples: Examples, step: int) -> Tensor:
        temperature = 1 - (1 - FINAL) * step / self.steps
        return loss_of(self.about, network(self.p, examples.inputs, temperature), examples.targets)

    def take(self, examples: Examples, step: int, *which: bool) -> None:
        for value in self.p.values():
            value.grad = None
        self.loss(examples, step).backward()
        for choice in which:
            self.optimizers[choice].step()

    def outer(self, params: Table, query: Examples, outer: str) -> Table:
        if outer == "reptile":
            return {name: value - self.p[name].detach() for name, value in params.items()}
        slopes = torch.autograd.grad(self.loss(query, self.steps), list(self.p.values()))
        return dict(zip(self.p, slopes, strict=True))


def meta_gradient(algorithm: Algorithm[Any], meta: Meta, about: Spec, batch: TaskBatch, keys: Tensor,
                  how: str = "threads", **changes: Any) -> Table:
    runner = executor(how, algorithm)
    shape = replace(setting(algorithm, about, examples=len(batch.support.inputs[0])), **changes)
    gradient = runner.gradient(meta, batch, keys, shape).total
    runner.close()
    return gradient


@pytest.mark.parametrize("how", ["vectorized", "threads"])
@pytest.mark.parametrize("inner", ["sgd", "adam"])
@pytest.mark.parametrize("outer", ["fomaml", "reptile"])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_where_a_class_has_one_example_a_gradient_moves_both(kind, outer, inner, how):
    about = spec(kind, 3)
    algorithm, meta = trained(about, outer=outer, inner_optimizer=inner)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=1, queries=2)
    task, walk = batch.task(0), Walk(about, meta.params, 2, adam=inner == "adam")
    for step in range(2):
        walk.take(task.support, step, False, True)
    ours = meta_gradient(algorithm, meta, about, batch, keys, how)
    assert_equal(ours, walk.outer(meta.params, task.query, outer), tolerance=1e-9 if inner == "adam" else 1e-10)


def possible_halves(about: Spec, support: Examples) -> list[tuple[Examples, Examples]]:
    """Every way to cut each class, or a regression task, into halves."""
    count = len(support.inputs)
    groups = [list(range(count))]
    if about.kind == "classification":
        groups = [[i for i in range(count) if support.targets[i] == label] for label in range(about.outputs)]
    cuts = product(*(list(combinations(group, len(group) // 2)) for group in groups))
    halves = []
    for cut in cuts:
        first = [i for part in cut for i in part]
        rest = [i for i in range(count) if i not in first]
        halves.append(tuple(Examples(support.inputs[rows], support.targets[rows]) for rows in (first, rest)))
    return halves


@pytest.mark.parametrize("outer", ["fomaml", "reptile"])
@pytest.mark.parametrize(("kind", "shots"), [("classification", 2), ("classification", 3), ("regression", 5)])
def test_the_architecture_learns_from_one_half_of_every_class_and_the_weights_from_the_other(kind, shots, outer):
    about = spec(kind, 2)
    algorithm, meta = trained(about, outer=outer)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=shots, queries=2)
    task = batch.task(0)
    ours = meta_gradient(algorithm, meta, about, batch, keys)
    fitting = 0
    for for_choice, for_weights in possible_halves(about, task.support):
        walk = Walk(about, meta.params, 2)
        for step in range(2):
            walk.take(for_choice, step, True)
            walk.take(for_weights, step, False)
        theirs = walk.outer(meta.params, task.query, outer)
        fitting += all(torch.allclose(ours[name], theirs[name], rtol=1e-10, atol=1e-10) for name in ours)
    assert fitting == 1


@pytest.mark.parametrize("outer", ["fomaml", "reptile"])
def test_while_it_warms_up_only_weights_are_learned_and_from_all_examples(outer):
    about = spec("classification", 2)
    algorithm, meta = trained(about, outer=outer, warm_up=0.5)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=2, queries=2)
    task, walk = batch.task(0), Walk(about, meta.params, 2)
    for step in range(2):
        walk.take(task.support, step, False)
    theirs = walk.outer(meta.params, task.query, outer)
    ours = meta_gradient(algorithm, meta, about, batch, keys, progress=0.49)
    assert_equal(ours, {name: value * (not is_choice(name)) for name, value in theirs.items()})
    later = meta_gradient(algorithm, meta, about, batch, keys, progress=0.5)
    assert all(value.any() for name, value in later.items() if is_choice(name))


def test_the_mixture_hardens_inside_the_task():
    about = spec("classification", 2)
    algorithm, meta = trained(about, inner_steps=6)
    batch, keys = noise_tasks(about, tasks=1, ways=2, shots=2, queries=2)
    task = batch.task(0)
    ctx = Context(steps=6, ways=2, training=False, reference=None, progress=1.0, key=keys[0])
    drawn: list[Tensor] = []
    adapt(algorithm, meta, task.support, ctx,
          lambda state, now: drawn.append(algorithm.draw(meta, state, task, now)["architecture"]))
    assert all(torch.allclose(table.sum(1), torch.ones(SLOTS, dtype=torch.float64)) for table in drawn)
    start = torch.stack([meta.params[f"backbone.architecture.{slot}"] for slot in range(SLOTS)])
    torch.testing.assert_close(drawn[0], start.softmax(1))
    surprise = [-(table * table.log()).sum(1).mean().item() for table in drawn]
    assert surprise == sorted(surprise, reverse=True)
    hardened = (start / FINAL).softmax(1)
    for slot, found in zip(hardened, algorithm.found(meta).structure["slots"], strict=True):
        assert list(found["shares"]) == ["relu", "tanh", "sine", "skip"]
        assert list(found["shares"].values()) == pytest.approx(slot.tolist())
        leading = list(found["shares"])[int(slot.argmax())]
        assert found["operation"] == (leading if slot.max() > 0.5 else "undecided")


UNITS, STEPS = 12, 120
PLANTED = {"tanh": torch.tanh, "sine": torch.sin}


def planted(operation: str, weight: Tensor, bias: Tensor, step: int) -> tuple[TaskBatch, Tensor]:
    """Tasks that a layer of this operation fits and no other: the head alone differs between them."""
    generator = torch.Generator().manual_seed(step)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x = 2 * drawn(8, 30, 3)
    common = torch.linspace(-1, 1, UNITS, dtype=torch.float64)
    head = common + 0.2 * drawn(8, UNITS)
    y = PLANTED[operation](x @ weight.T + bias) @ head.unsqueeze(-1)
    return TaskBatch(Examples(x[:, :16], y[:, :16]), Examples(x[:, 16:], y[:, 16:])), torch.arange(8) + 8 * step


def with_equal_layers(about: Spec, **config: Any) -> tuple[Algorithm[Any], Meta]:
    """One slot, in which the layers of all operations begin with the same weights."""
    torch.manual_seed(0)
    backbone = Supernet(SupernetConfig(slots=1, filters=UNITS), about)
    chosen = MetaNASConfig(inner_steps=3, inner_lr=0.02, architecture_lr=0.03, warm_up=0.3, **config)
    algorithm = MetaNAS(chosen, Network(MetaNAS.build(chosen, backbone, about)), about)
    params = {name: value.double() for name, value in algorithm.init(torch.Generator()).params.items()}
    weight, bias = torch.randn(UNITS, 3, dtype=torch.float64), torch.randn(UNITS, dtype=torch.float64)
    for operation in ("relu", "tanh", "sine"):
        params |= {f"backbone.slots.0.{operation}.weight": weight.clone(),
                   f"backbone.slots.0.{operation}.bias": bias.clone()}
    return algorithm, Meta(params, {})


@pytest.mark.parametrize("outer", ["fomaml", "reptile"])
@pytest.mark.parametrize("operation", list(PLANTED))
def test_it_finds_the_operation_that_was_planted(operation, outer):
    about = Spec("regression", "vector", (3,), outputs=1)
    algorithm, meta = with_equal_layers(about, outer=outer)
    weight, bias = (meta.params[f"backbone.slots.0.relu.{part}"].clone() for part in ("weight", "bias"))
    assert set(algorithm.found(meta).structure["slots"][0]["shares"].values()) == {0.25}
    moved = list(meta.params.values())
    optimizer = torch.optim.SGD(moved, lr=0.5) if outer == "reptile" else torch.optim.Adam(moved, lr=0.01)
    runner = executor("vectorized", algorithm)
    shape = setting(algorithm, about, examples=16)
    for step in range(STEPS):
        batch = planted(operation, weight, bias, step)
        gradient = runner.gradient(meta, *batch, replace(shape, progress=step / STEPS))
        for name, value in meta.params.items():
            value.grad = gradient.total[name] / 8
        optimizer.step()
    runner.close()
    (slot,) = algorithm.found(meta).structure["slots"]
    assert slot["operation"] == operation, slot
    assert slot["shares"][operation] > 0.5, slot


def test_an_export_tells_which_operations_were_found(tmp_path):
    run = RunStore(tmp_path).create(resolve(with_settings({}, [
        "algorithm=meta_nas", "dataset=sinusoids", "training.iterations=2", "training.meta_batch=2",
        "training.validation_tasks=2", "evaluation.tasks=2", "evaluation.probe_tasks=1", "device=cpu"])))
    list(recorded(run))
    found = export_run(run, tmp_path / "learner.safetensors")["found"]
    shares = read_tensors(tmp_path / "learner.safetensors")[0]
    assert len(found["slots"]) == 2
    for index, slot in enumerate(found["slots"]):
        hardened = (shares[f"backbone.architecture.{index}"] / 0.1).softmax(0)
        assert list(slot["shares"].values()) == pytest.approx(hardened.tolist(), rel=1e-5)
        assert slot["operation"] == "undecided"
        assert slot["operations"] == slot["shares"]


@pytest.mark.parametrize("picture", [True, False])
def test_only_what_was_chosen_is_found_and_a_slot_without_a_clear_lead_is_undecided(picture):
    algorithm, meta = make("meta_nas", spec("classification", 3, picture=picture), temperature=0.5)
    first = "conv5" if picture else "tanh"
    layer = "wide" if picture else "tanh"
    lead = torch.zeros_like(meta.params["backbone.architecture.0"])
    lead[list((PictureSlot if picture else VectorSlot).operations).index(first)] = 1.0
    params = meta.params | {"backbone.architecture.0": lead, "backbone.architecture.1": 0.5 * lead}
    found = algorithm.found(Meta(params, {}))
    chosen, close, *even = found.structure["slots"]
    assert (chosen["operation"], chosen["operations"]) == (first, {first: 1.0})
    assert chosen["shares"][first] == pytest.approx(math.exp(2) / (math.exp(2) + len(lead) - 1))
    assert {slot["operation"] for slot in (close, *even)} == {"undecided"}
    assert close["operations"] == close["shares"]
    layers = {name.split(".")[3] for name in found.params if name.startswith("backbone.slots.0.")}
    assert layers == {layer, "affine"}
    assert {name for name in meta.params if name.startswith("backbone.slots.1.")} < found.params.keys()
    assert not any("architecture" in name for name in found.params)
    assert found.inner == {"adapts": "all weights", "optimizer": "sgd", "lr": 0.1}
