"""Every preset is built, and those of papers on Omniglot take training steps."""

from __future__ import annotations

import os

import pytest
import torch

from workbench.engine.events import Evaluation, Steps
from workbench.engine.session import build
from workbench.engine.trainer import train
from workbench.experiment.experiment import Experiment
from workbench.experiment.presets import decided, presets
from workbench.experiment.resolve import dotted, resolve, with_settings
from workbench.tasks.base import Spec

PAPERS = [name for name, one in presets().items() if "omniglot" in name and "as in the" in one.title]
OMNIGLOT = "omniglot" if os.environ.get("WORKBENCH_OMNIGLOT") else "glyphs"
TINY = ("training.iterations=2", "training.meta_batch=1", "training.validate_every=2", "training.validation_tasks=2",
        "evaluation.tasks=2", "evaluation.probe_tasks=1", "device=cpu")


def spec_of(experiment: Experiment) -> Spec:
    if experiment.dataset.name == "sinusoids":
        return Spec("regression", "vector", (1,), outputs=1)
    shape = (3, 84, 84) if experiment.dataset.name == "mini_imagenet" else (1, 28, 28)
    return Spec("classification", "image", shape, outputs=experiment.task.ways, classes=64)


@pytest.mark.parametrize("name", presets())
def test_every_preset_builds_a_network_with_finite_numbers(name: str) -> None:
    experiment = resolve(presets()[name].tables)
    _, algorithm = build(experiment, spec_of(experiment))
    meta = algorithm.init(torch.Generator().manual_seed(0))
    assert meta.params
    assert all(value.isfinite().all() for value in meta.params.values())


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_settings_on_omniglot_train_and_are_tested(name: str) -> None:
    tables = presets()[name].tables
    settings = [*TINY, *([] if OMNIGLOT == "omniglot" else ["dataset=glyphs"])]
    if "test_steps" in tables["algorithm"]:
        settings.append("algorithm.test_steps=1")  # training takes as many as the paper
    events = list(train(resolve(with_settings(tables, settings))))
    steps = [event for event in events if isinstance(event, Steps)]
    assert sum(len(event.loss) for event in steps) == 2
    assert all(torch.tensor(event.loss).isfinite().all() for event in steps)
    (test,) = [event for event in events if isinstance(event, Evaluation) and event.split == "test"]
    assert 0 <= test.score.mean <= 1


def test_every_method_has_presets_for_each_benchmark_that_it_can_work_on() -> None:
    families = {name.partition("-")[0] for name in presets()} - {"first", "supervised"}
    for family in families:
        own = {name for name in presets() if name.startswith(f"{family}-")}
        kinds = {presets()[name].tables["dataset"]["name"] for name in own}
        assert {"omniglot", "mini_imagenet"} <= kinds, family


def test_a_preset_decides_how_tasks_are_trained_on_its_own_data_alone() -> None:
    name = "anil-omniglot-20w1s-paper"
    said = dotted(presets()[name].tables) | {"task.queries": 9, "task.ways": 20, "seed": 3}
    assert decided(said, name, "omniglot") == said
    assert decided(said, "", "image_folder") == said
    for dataset in ("image_folder", ""):
        kept = decided(said, name, dataset)
        assert not any(one.startswith(("training.", "evaluation.")) for one in kept)
        assert {one: value for one, value in kept.items() if one.startswith("task.")} == {"task.queries": 9}
        assert (kept["algorithm.inner_lr"], kept["seed"]) == (2.0, 3)
    assert decided(said, name, "image_folder", ["task.ways"])["task.ways"] == 20
