"""Training in stages: examples before tasks, what is frozen meanwhile, hard tasks, and testing on examples."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from workbench.algorithms.base import Aux
from workbench.engine.events import Checkpoint, Evaluation, Failed, Finished, Probe, Started, Steps
from workbench.engine.executors.base import Setting
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.outer import OuterOptimizer
from workbench.engine.session import Session
from workbench.engine.state import TrainState
from workbench.engine.trainer import train
from workbench.engine.ways.work import work_of
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.resolve import resolve, with_settings
from workbench.exports.learner import LearnerError, of_run, open_session
from workbench.exports.predictions import predict_folder
from workbench.places import sample_tasks
from workbench.runs.recording import recorded
from workbench.runs.store import RunStore
from workbench.tasks.files.errors import DataError

TINY = ("training.iterations=6", "training.meta_batch=2", "training.validation_tasks=2", "evaluation.tasks=3",
        "evaluation.probe_tasks=2", "device=cpu", "training.validate_every=3", "training.checkpoint_every=1",
        "training.keep_checkpoints=10")
PICTURES = ("dataset=glyphs", "backbone.filters=4", "task.queries=2")
TRANSFER = ("algorithm=meta_transfer", "algorithm.inner_steps=2", "algorithm.test_steps=2", "algorithm.example_batch=8")


def tiny(*more: str):
    return resolve(with_settings({}, [*TINY, *more]))


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def finished(experiment, state=None):
    events = list(train(experiment, None, state))
    assert isinstance(events[-1], Finished), events[-1].message if isinstance(events[-1], Failed) else events[-1]
    return events


@pytest.fixture(scope="module")
def transferred():
    """A run of three steps on examples and three on tasks, the second of them hard."""
    return finished(tiny(*PICTURES, *TRANSFER, "algorithm.pretraining=0.5"))


@pytest.mark.parametrize("data", [PICTURES, ("dataset=sinusoids",)])
def test_a_run_resumed_before_at_or_after_the_turn_of_the_stage_ends_bit_equal(data):
    experiment = tiny(*data, *TRANSFER, "algorithm.pretraining=0.5")
    whole = finished(experiment)
    kept = {event.step: event.state for event in of(Checkpoint, whole)}
    assert set(kept) == set(range(7))
    for step in range(6):
        # As it comes back from disk: tensors by name, and numbers as JSON.
        state = TrainState.of(kept[step].tensors(), json.loads(json.dumps(kept[step].numbers())))
        resumed = finished(experiment, state)
        again = of(Checkpoint, resumed)[-1].state
        assert again.numbers() | {"seconds": 0} == kept[6].numbers() | {"seconds": 0}
        assert again.tensors().keys() == kept[6].tensors().keys()
        for name, value in kept[6].tensors().items():
            assert torch.equal(value, again.tensors()[name]), (step, name)
        assert of(Evaluation, resumed)[-1] == of(Evaluation, whole)[-1]


def test_blocks_of_steps_say_their_stage_and_never_mix_two(transferred):
    blocks = of(Steps, transferred)
    stages = [stage for block in blocks for stage in [block.stage] * len(block.loss)]
    assert stages == ["examples"] * 3 + ["tasks"] * 3
    for before, after in pairwise(blocks):
        assert after.first == before.last + 1
    assert all(block.adaptation is None for block in blocks if block.stage == "examples")


def test_what_a_stage_freezes_does_not_move_in_it_and_all_else_does(transferred):
    kept = {event.step: event.state.meta.params for event in of(Checkpoint, transferred)}
    for first, last, frozen in ((0, 3, ("head.", "scale/", "shift/")), (3, 6, ("backbone.", "classifier."))):
        for name, before in kept[first].items():
            # A bias before batch normalization is of no effect, and has no gradient in either stage.
            is_frozen = name.startswith(frozen) or ("convolutions." in name and name.endswith("bias"))
            assert torch.equal(before, kept[last][name]) is is_frozen, (first, name)


def summed(gradient):
    return MetaGradient(gradient, Aux(torch.zeros(1), torch.zeros(1), {}, {}))


def test_the_norm_that_is_clipped_and_told_is_that_of_what_moves():
    def factor(name, stage):
        return {"frozen": 0.0, "slow": 0.1}.get(name, 1.0) if stage == "tasks" else 1.0

    params = {name: torch.zeros(1) for name in ("frozen", "slow", "free")}
    outer = OuterOptimizer(params, factor, "sgd")
    gradient = summed({"frozen": torch.tensor([100.0]), "slow": torch.tensor([3.0]), "free": torch.tensor([4.0])})
    assert outer.update(gradient, 1, 0.5, 1.0, "tasks").norm.item() == pytest.approx(5.0)
    moved = {name: value.item() for name, value in params.items()}
    assert moved == pytest.approx({"frozen": 0.0, "slow": -0.5 * 0.1 * 3 / 5, "free": -0.5 * 4 / 5})
    outer.update(gradient, 1, 0.5, None, "examples")
    assert params["frozen"].item() == pytest.approx(-50.0)


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_a_parameter_frozen_at_first_begins_its_moments_with_its_first_own_step(kind):
    def factor(name, stage):
        return float((name == "early") == (stage == "examples"))

    params = {"early": torch.ones(2), "late": torch.ones(2)}
    outer = OuterOptimizer(params, factor, kind)
    gradient = {"early": torch.tensor([1.0, -2.0]), "late": torch.tensor([3.0, -4.0])}
    for _ in range(5):
        outer.update(summed(gradient), 1, 0.1, None, "examples")
    assert torch.equal(params["late"], torch.ones(2))
    assert not any(name.startswith("late/") for name in outer.tensors())
    before = params["early"].clone()
    alone = torch.ones(2, requires_grad=True)
    optimizer = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[kind]([alone], lr=0.1)
    for _ in range(3):
        outer.update(summed(gradient), 1, 0.1, None, "tasks")
        alone.grad = gradient["late"].clone()
        optimizer.step()
    assert torch.equal(params["late"], alone.detach())
    assert torch.equal(params["early"], before)


def test_every_other_meta_batch_has_the_classes_that_were_answered_worst(transferred):
    experiment = tiny(*PICTURES, *TRANSFER, "algorithm.pretraining=0.5")
    kept = {event.step: event.state for event in of(Checkpoint, transferred)}
    assert [len(kept[step].hardest) for step in range(7)] == [0, 0, 0, 0, 2, 0, 2]
    session = Session(experiment)
    plain, keys = session.batch("train", range(6, 8))
    classes = session.source.classes("train", range(6, 8))
    setting = session.setting(training=True, progress=0.5)
    expected = []
    for index in range(2):
        task = plain.task(index)
        ctx = setting.context(task, keys[index])
        state = session.algorithm.start(kept[3].meta, task.support, ctx)
        for step in range(2):
            state = session.algorithm.step(kept[3].meta, state, task.support, ctx.at(step))
        answers = session.algorithm.predict(kept[3].meta, state, task.query.inputs, ctx.adapted).argmax(-1)
        right = [(answers[task.query.targets == label] == label).float().mean().item() for label in range(5)]
        expected.append(int(classes[index, int(np.argmin(right))]))
    assert list(kept[4].hardest) == expected
    hard, _ = session.batch("train", range(8, 10), "tasks", kept[4].hardest)
    usual, _ = session.batch("train", range(8, 10))
    session.close()
    assert not torch.equal(hard.support.inputs, usual.support.inputs)


def test_no_class_is_hard_where_the_switch_is_off_or_examples_are_shown(transferred):
    assert not any(event.state.hardest for event in of(Checkpoint, transferred) if event.step <= 3)
    easy = finished(tiny(*PICTURES, *TRANSFER, "algorithm.hard_tasks=false", "algorithm.pretraining=0"))
    assert not any(event.state.hardest for event in of(Checkpoint, easy))


@pytest.mark.parametrize("data", [(*PICTURES, "dataset.held_out=examples"), ("dataset=sinusoids",)])
def test_a_learner_that_is_tested_on_examples_is_judged_and_shown_without_any_task(data):
    events = finished(tiny(*data, "algorithm=supervised", "algorithm.example_batch=8"))
    started, result = of(Started, events)[0], of(Evaluation, events)[-1]
    assert started.shown == ()
    assert started.floors == {}
    assert all(probe.shown is None for probe in of(Probe, events))
    assert all(probe.adaptation.loss.shape == (2, 1) for probe in of(Probe, events))
    assert result.split == "test"
    assert result.modes == {}
    assert len(result.by_step) == 1
    assert {block.stage for block in of(Steps, events)} == {"examples"}


def test_a_score_over_examples_is_that_of_the_classifier_on_held_out_ones():
    experiment = tiny(*PICTURES, "algorithm=supervised", "training.iterations=2", "backbone.normalization=group")
    events = finished(experiment)
    best = of(Checkpoint, events)[-1].state.best
    session = Session(experiment)
    batch, _ = session.batch("test", range(3), "examples")
    outputs = session.algorithm.network(best.params, batch.query.inputs.flatten(0, 1))
    session.close()
    right = (outputs.argmax(-1) == batch.query.targets.flatten()).double().view(3, -1).mean(1)
    assert of(Evaluation, events)[-1].score.mean == pytest.approx(right.mean().item())


def test_supervised_learning_on_classes_that_are_held_out_is_refused_before_the_first_event():
    said = (*PICTURES, "algorithm=supervised", "dataset.held_out=classes")
    with pytest.raises(ExperimentError, match=r"dataset\.held_out: .*tells the training classes apart.*to examples"):
        tiny(*said)
    experiment = tiny(*PICTURES, "algorithm=supervised")
    dataset = experiment.dataset.model_copy(update={"held_out": "classes"})
    with pytest.raises(DataError, match=r"tells the training classes apart.*dataset\.held_out to examples"):
        next(train(experiment.model_copy(update={"dataset": dataset})))


def test_supervised_learning_holds_out_examples_where_nothing_else_is_said():
    assert tiny("algorithm=supervised").dataset.held_out == "examples"
    assert tiny("algorithm=maml").dataset.held_out == "classes"


def test_a_supervised_learner_predicts_no_new_task_and_no_other_classes(tmp_path):
    store = RunStore(tmp_path / "runs")
    run = store.create(tiny(*PICTURES, "algorithm=supervised", "training.iterations=2"))
    list(recorded(run))
    learner = of_run(run)
    with pytest.raises(LearnerError, match="adapts to no new task"):
        predict_folder(learner, sample_tasks() / "new_shapes")
    other = tiny(*PICTURES, "algorithm=supervised", "dataset.rotations=false")
    with pytest.raises(LearnerError, match=r"tells \d+ classes apart and these data have \d+"):
        open_session(learner, other)
    session = open_session(learner, learner.experiment)
    session.close()


@pytest.mark.parametrize("name", ["baseline", "baseline_pp"])
def test_a_pretrained_learner_is_judged_on_other_ways_and_other_data_than_it_was_trained_on(name, tmp_path):
    run = RunStore(tmp_path / "runs").create(tiny(*PICTURES, f"algorithm={name}", "algorithm.inner_steps=2",
                                                  "algorithm.example_batch=8", "training.iterations=2"))
    list(recorded(run))
    learner = of_run(run)
    other = tiny("dataset=image_folder", f"dataset.path={sample_tasks() / 'shapes'}", "dataset.size=28",
                 "dataset.color=grey", "backbone.filters=4", "task.queries=2", "task.ways=3", f"algorithm={name}")
    session = open_session(learner, other)
    batch, keys = session.batch("test", range(2))
    trace = session.trace(learner.meta, batch, keys, session.setting(training=False))
    session.close()
    assert torch.isfinite(trace.loss).all()
    assert session.spec.classes == learner.spec.classes != session.source.spec.classes


def test_a_portion_of_examples_is_what_a_pretraining_learner_costs_and_frozen_features_cost_no_step():
    experiment = tiny(*PICTURES, "algorithm=baseline", "algorithm.example_batch=64")
    session = Session(experiment)
    session.close()

    def passes(training: bool, steps: int) -> float:
        work = work_of(session.algorithm, session.spec, experiment.task, steps, session.device, convolves=True,
                       training=training)
        return work.multiplications

    one_input = passes(training=True, steps=100) / (3 * 64)
    assert passes(training=False, steps=100) == pytest.approx(one_input * 5 * (2 + 1))
    assert passes(training=False, steps=1) == passes(training=False, steps=100)


def test_a_setting_over_examples_takes_no_inner_steps_and_has_no_reference():
    session = Session(tiny(*PICTURES, *TRANSFER, "backbone.normalization=inductive"))
    session.close()
    assert session.setting(training=True, stage="examples") == Setting(
        0, 5, training=True, inductive=False, progress=1.0, stage="examples")
    assert session.setting(training=True).inductive


@pytest.mark.parametrize(("trained", "judged"), [("classes", "examples"), ("examples", "classes")])
def test_a_learner_is_not_judged_on_what_it_was_trained_on_by_holding_out_something_else(trained, judged, tmp_path):
    settings = (*PICTURES, "task.queries=1", "algorithm=protonet", "training.ways=5", "training.iterations=2")
    run = RunStore(tmp_path / "runs").create(tiny(*settings, f"dataset.held_out={trained}"))
    list(recorded(run))
    with pytest.raises(LearnerError, match="was trained on"):
        open_session(of_run(run), tiny(*settings, f"dataset.held_out={judged}"))
    open_session(of_run(run), tiny(*settings, f"dataset.held_out={trained}", "task.ways=4")).close()
