"""What every algorithm owes the engine and the person: it runs, resumes, can be taken home, drawn and read about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.problems import KINDS, algorithms_for
from workbench.engine.events import Checkpoint, Evaluation, Event, Failed, Finished, Probe, Started
from workbench.engine.trainer import train
from workbench.experiment.experiment import Experiment
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve, with_settings
from workbench.exports.export import export_run, load_export
from workbench.exports.help import help_page
from workbench.exports.learner import LearnerError, of_run
from workbench.exports.predictions import predict_folder
from workbench.places import sample_tasks
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunStore

TINY = ("training.iterations=4", "training.meta_batch=2", "training.validation_tasks=2", "evaluation.tasks=3",
        "evaluation.probe_tasks=2", "device=cpu", "training.validate_every=2", "training.checkpoint_every=2")
CASES = [(name, kind) for kind in KINDS for name in algorithms_for(kind)]


def tiny(name: str, kind: str) -> Experiment:
    """A run of six steps with two inner steps, on sample tasks that can be adapted to."""
    fields = find("algorithm", name).Config.model_fields
    inner = [f"algorithm.{field}=2" for field in ("inner_steps", "test_steps") if field in fields]
    data = ["dataset=sinusoids"]
    if kind == "classification":
        # With this split seed every class of the sample falls to a side that has enough of them.
        data = ["dataset=image_folder", f"dataset.path={sample_tasks() / 'shapes'}", "dataset.size=28",
                "task.queries=2"]
        if find("algorithm", name).tested_on == "examples":
            data.append("dataset.held_out=examples")
        if not find("algorithm", name).searches:
            data.append("backbone.filters=4")
    return resolve(with_settings({}, [f"algorithm={name}", *data, *TINY, *inner]))


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Event]]:
    """A run of every algorithm on either kind of task, and what it said."""
    run = RunStore(tmp_path_factory.mktemp("runs")).create(tiny(*request.param))
    return run, list(recorded(run))


def test_it_trains_and_a_run_resumed_from_a_checkpoint_ends_bit_equal(trained: tuple[Run, list[Event]]) -> None:
    run, whole = trained
    assert isinstance(whole[-1], Finished), whole[-1].message if isinstance(whole[-1], Failed) else whole[-1]
    kept = [event for event in whole if isinstance(event, Checkpoint)]
    resumed = list(train(run.experiment(), None, run.state(run.folder / "checkpoints" / "step-00000002.safetensors")))
    again = [event for event in resumed if isinstance(event, Checkpoint)][-1].state
    assert again.numbers() | {"seconds": 0} == kept[-1].state.numbers() | {"seconds": 0}
    for key, value in kept[-1].state.tensors().items():
        assert torch.equal(value, again.tensors()[key]), key
    assert _tests(resumed) == _tests(whole)


def _tests(events: list[Event]) -> list[Evaluation]:
    return [event for event in events if isinstance(event, Evaluation) and event.split == "test"]


def test_its_drawings_are_tables_of_the_names_that_it_declares(trained: tuple[Run, list[Event]]) -> None:
    _, events = trained
    started = next(event for event in events if isinstance(event, Started))
    looks = [event.shown for event in events if isinstance(event, Probe) and event.shown is not None]
    for shown in looks:
        assert shown.drawn.keys() == started.drawings.keys()
        for key, values in shown.drawn.items():
            declared = started.drawings[key]
            assert values.ndim == 4
            assert values.shape[:2] == (len(started.shown), len(shown.inner_steps))
            assert np.isfinite(values).all()
            for axis, names in ((2, declared.row_names), (3, declared.column_names)):
                assert len(names) in (0, values.shape[axis]), key
            if not declared.per_task:
                assert (values == values[:1]).all()
    assert looks or not started.drawings


def test_its_export_adapts_to_a_new_task_as_its_run_does(trained: tuple[Run, list[Event]], tmp_path: Path) -> None:
    run, _ = trained
    learner, path = of_run(run), tmp_path / "learner.safetensors"
    export_run(run, path)
    folder = sample_tasks() / ("new_shapes" if learner.spec.kind == "classification" else "new_wave")
    if find("algorithm", learner.experiment.algorithm.name).tested_on == "examples":
        for one in (learner, load_export(path)):
            with pytest.raises(LearnerError, match="no new task"):
                predict_folder(one, folder)
        return
    own, exported = predict_folder(learner, folder), predict_folder(load_export(path), folder)
    assert own.names == exported.names
    assert np.array_equal(own.outputs, exported.outputs)
    assert np.isfinite(own.outputs).all()


@pytest.mark.parametrize("name", algorithms_for("classification") + sorted(
    set(algorithms_for("regression")) - set(algorithms_for("classification"))))
def test_its_help_page_says_what_it_does_its_rule_its_source_what_to_try_and_what_goes_wrong(name):
    page = help_page(f"algorithm/{name}")
    for heading in ("**Update rule.**", "**Source.**", "**Try.**", "**Goes wrong.**"):
        assert heading in page, heading
    what = page.split("**Update rule.**")[0]
    assert len([sentence for sentence in what.split("\n\n")[2].split(". ") if sentence.strip()]) == 3
