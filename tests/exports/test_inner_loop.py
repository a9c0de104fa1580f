"""What an export says of each method's inner loop, against what its steps do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from tests.problems import make, noise_tasks, spec
from workbench.algorithms.base import Algorithm, Context, Meta
from workbench.experiment.registry import TaskKind, find, found
from workbench.experiment.resolve import resolve, with_settings
from workbench.exports.export import inner_loop
from workbench.exports.learner import Learner
from workbench.tasks.base import Examples

SGD = {"optimizer": "sgd", "lr": 0.3}
FITTED = {"adapts": "a fresh head", **SGD, "momentum": 0.9, "dampening": 0.9, "weight_decay": 1e-3, "batch": 4}
READ = {"reads": "one example a step, in a random order", "labels": "along"}
TOLD: dict[str, dict[str, Any] | None] = {
    "anil": {"adapts": "the weights of the head", **SGD},
    "baseline": FITTED,
    "baseline_pp": FITTED,
    "boil": {"adapts": "all weights but those of the head", **SGD},
    "cavia": {"adapts": "a context of 5 numbers, from zeros", **SGD},
    "fomaml": {"adapts": "all weights", **SGD},
    "imaml": {"adapts": "all weights", **SGD, "proximal": 1.0},
    "learned_optimizer": {"adapts": "all weights", "optimizer": "learned, under optimizer.", "form": "lstm",
                          "largest": 0.5},
    "maml": {"adapts": "all weights", **SGD},
    "maml_pp": {"adapts": "all weights but those of normalization", "optimizer": "sgd",
                "rates": "learned, one a layer and inner step, under rates/",
                "normalization": "learned, a row of each weight an inner step, under steps/"},
    "mann": {"adapts": "the memory and the activations of its controller", **READ},
    "matching_net": None,
    "meta_nas": {"adapts": "all weights and the architecture", **SGD, "architecture_lr": 0.1,
                 "temperature": [1.0, 0.1]},
    "meta_network": {"adapts": "the adjustment that was put out for the task", **SGD},
    "meta_rnn": {"adapts": "the activations of the cell", **READ},
    "meta_sgd": {"adapts": "all weights", "optimizer": "sgd", "rates": "learned, one a weight, under rates/"},
    "meta_transfer": {"adapts": "the weights of the head", **SGD},
    "protonet": None,
    "relation_net": None,
    "reptile": {"adapts": "all weights", "optimizer": "adam", "lr": 0.3, "betas": [0.0, 0.999], "eps": 1e-8,
                "batch": 25, "moments": "begin as under buffers/"},
    "ridge": None,
    "scratch": {"adapts": "all weights", **SGD},
    "snail": None,
    "supervised": None,
}


def told(name: str, kind: TaskKind = "classification", *settings: str, **config: Any) -> dict[str, Any] | None:
    """What the export of a learner with these fields says."""
    fields = find("algorithm", name).Config.model_fields
    given = {"inner_lr": 0.3, "inner_steps": 3, **config}
    experiment = resolve(with_settings({}, [
        f"algorithm={name}", f"dataset={'glyphs' if kind == 'classification' else 'sinusoids'}", *settings,
        *(f"algorithm.{field}={value}" for field, value in given.items() if field in fields)]))
    about = spec(kind, 3, picture=kind == "classification")
    algorithm, meta = make(name, about, **experiment.algorithm.model_dump(exclude={"name"}))
    return inner_loop(Learner(name, experiment, meta, 0, about), algorithm)


def test_every_method_is_here() -> None:
    assert TOLD.keys() == found("algorithm").keys()


@pytest.mark.parametrize("name", TOLD)
def test_the_manifest_tells_what_a_step_adapts_and_by_which_numbers(name: str) -> None:
    settings = {"contexts": 5, "inner_optimizer": "adam" if name == "reptile" else "sgd"}
    extra = ("dataset.held_out=examples",) if find("algorithm", name).tested_on == "examples" else ()
    inner = told(name, "classification", *extra, **settings)
    expected = TOLD[name]
    if expected is None:
        assert inner is None
        return
    assert inner is not None
    assert inner.pop("rule").endswith(".")
    reads = "reads" in expected
    assert inner.pop("loss") == (None if reads else "mean cross-entropy")
    assert inner.pop("training_steps") == (5 if reads else 3)
    assert inner.pop("steps") > 0
    assert inner == expected


@pytest.mark.parametrize("name", sorted(name for name, one in TOLD.items() if one))
def test_a_rate_is_told_exactly_where_a_step_depends_on_it(name: str) -> None:
    field = "inner_lr"
    if field not in find("algorithm", name).Config.model_fields:
        assert "lr" not in (TOLD[name] or {})
        return
    assert ("lr" in (TOLD[name] or {})) == _depends(name, field)


@pytest.mark.parametrize(("name", "config", "field", "key"), [
    ("learned_optimizer", {"form": "mlp"}, "inner_lr", "scale"),
    ("learned_optimizer", {}, "inner_lr", "scale"),
    ("maml_pp", {"learned_rates": False}, "inner_lr", "lr"),
    ("meta_nas", {"warm_up": 0.0}, "architecture_lr", "architecture_lr"),
    ("imaml", {}, "proximal", "proximal"),
])
def test_a_number_is_told_exactly_where_a_step_depends_on_it(name: str, config: dict[str, Any], field: str, key: str
                                                             ) -> None:
    assert (key in (told(name, **config) or {})) == _depends(name, field, **config)


def _depends(name: str, field: str, **config: Any) -> bool:
    """Whether two inner steps of the same learner end elsewhere with another value of a field."""
    about = spec("classification", 3, picture=True)
    algorithm, meta = make(name, about, **config)
    batch, keys = noise_tasks(about, tasks=1, ways=3, shots=1, queries=1)
    support = Examples(batch.support.inputs[0], batch.support.targets[0])
    other, _ = make(name, about, **config | {field: getattr(algorithm.config, field) / 2})
    ends = [_ended(one, meta, support, keys[0]) for one in (algorithm, other)]
    return any(not torch.equal(*pair) for pair in zip(*ends, strict=True))


def _ended(algorithm: Algorithm[Any], meta: Meta, support: Examples, key: Tensor) -> list[Tensor]:
    ctx = Context(steps=2, ways=3, training=False, reference=None, progress=1.0, key=key)
    state = algorithm.start(meta, support, ctx)
    for step in range(ctx.steps):
        state = algorithm.step(meta, state, support, ctx.at(step))
    return tree_leaves(state)


def test_a_meta_network_that_takes_no_refining_steps_has_no_inner_loop() -> None:
    assert told("meta_network", inner_steps=0) is None
    refined = told("meta_network", inner_steps=0, test_steps=2)
    assert refined is not None
    assert (refined["steps"], refined["training_steps"], refined["lr"]) == (2, 0, 0.3)


def test_the_loss_is_that_of_the_tasks() -> None:
    inner = told("maml", "regression")
    assert inner is not None
    assert inner["loss"] == "mean squared error"
