"""The outer loop: what it says, when it stops, and that an interruption leaves no trace in the numbers."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch

from workbench.algorithms.maml import MAML, MAMLConfig
from workbench.engine.control import Control
from workbench.engine.evaluation import metrics
from workbench.engine.events import Checkpoint, Evaluation, Failed, Finished, Paused, Probe, Started, Steps
from workbench.engine.outer import outer_lr
from workbench.engine.session import Session
from workbench.engine.trainer import train
from workbench.experiment import registry
from workbench.experiment.resolve import resolve, with_settings
from workbench.places import sample_tasks
from workbench.tasks.files.errors import DataError

TINY = ("dataset=sinusoids", "training.iterations=12", "training.meta_batch=4", "training.validation_tasks=6",
        "evaluation.tasks=8", "evaluation.probe_tasks=3", "device=cpu", "training.validate_every=4",
        "training.checkpoint_every=3")


def tiny(*more: str):
    return resolve(with_settings({}, [*TINY, *more]))


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def losses(events):
    return np.concatenate([event.loss for event in of(Steps, events)])


def test_a_run_says_everything_in_order():
    events = list(train(tiny()))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert events[-1].status == "finished"
    assert len(losses(events)) == 12
    assert next(block.first for block in of(Steps, events)) == 1
    for before, after in pairwise(of(Steps, events)):
        assert after.first == before.last + 1
    validations = [event.step for event in of(Evaluation, events) if event.split == "validation"]
    assert validations == [0, 4, 8, 12]
    assert [event.step for event in of(Probe, events)] == [0, 1, 2, 4, 5, 8, 10, 12]
    assert {0, 3, 6, 9, 12} <= {event.step for event in of(Checkpoint, events)}


def test_the_test_tasks_are_drawn_once_at_the_end_with_the_best_parameters():
    events = list(train(tiny("training.iterations=40", "training.outer_lr=0.02")))
    tests = [event for event in of(Evaluation, events) if event.split == "test"]
    assert len(tests) == 1
    assert isinstance(events[-2], Evaluation)
    validations = [event for event in of(Evaluation, events) if event.split == "validation"]
    assert tests[0].step == min(validations, key=lambda event: event.score.mean).step


@pytest.mark.parametrize("algorithm", ["maml", "reptile", "anil"])
def test_a_run_resumed_from_any_checkpoint_ends_bit_equal_to_one_never_interrupted(algorithm):
    experiment = tiny(f"algorithm={algorithm}", "training.meta_batch=4", "algorithm.inner_steps=2")
    whole = list(train(experiment))
    final = of(Checkpoint, whole)[-1].state
    for checkpoint in of(Checkpoint, whole)[:-1]:
        resumed = list(train(experiment, None, checkpoint.state))
        again = of(Checkpoint, resumed)[-1].state
        assert again.tensors().keys() == final.tensors().keys()
        for name, value in final.tensors().items():
            assert torch.equal(value, again.tensors()[name]), (checkpoint.step, name)
        assert np.array_equal(losses(resumed), losses(whole)[checkpoint.step:])
        assert of(Evaluation, resumed)[-1] == of(Evaluation, whole)[-1]


@pytest.mark.parametrize("executor", ["threads", "portions"])
def test_convolutions_on_threads_resume_bit_equal_too(executor):
    experiment = resolve(with_settings({}, ["training.iterations=3", "training.meta_batch=3", "backbone.filters=4",
                                            "training.validation_tasks=2", "evaluation.tasks=2", "device=cpu",
                                            "evaluation.probe_tasks=1", "training.checkpoint_every=1",
                                            f"training.executor={executor}"]))
    whole = list(train(experiment))
    assert whole[0].executor == executor
    first = next(event for event in of(Checkpoint, whole) if event.step == 1)
    final, again = (of(Checkpoint, events)[-1].state for events in (whole, train(experiment, None, first.state)))
    assert all(torch.equal(value, again.tensors()[name]) for name, value in final.tensors().items())


@pytest.mark.parametrize("stop_at", [1, 4, 7])
def test_a_stopped_run_keeps_a_checkpoint_from_which_it_ends_as_if_never_stopped(stop_at):
    experiment, control, stopped = tiny(), Control(), []
    for event in train(experiment, control):
        stopped.append(event)
        if isinstance(event, Probe) and event.step >= stop_at:
            control.stop()
    assert stopped[-1].status == "stopped"
    kept = of(Checkpoint, stopped)[-1].state
    assert len(losses(stopped)) == kept.step
    resumed, whole = list(train(experiment, None, kept)), list(train(experiment))
    assert np.array_equal(np.concatenate([losses(stopped), losses(resumed)]), losses(whole))
    assert of(Evaluation, resumed)[-1] == of(Evaluation, whole)[-1]


def test_a_paused_run_waits_and_goes_on_with_the_same_numbers():
    control, events = Control(), []
    for event in train(tiny(), control):
        events.append(event)
        if isinstance(event, Probe) and event.step == 5:
            control.pause()
        if isinstance(event, Paused) and event.is_paused:
            control.resume()
    assert [event.is_paused for event in of(Paused, events)] == [True, False]
    assert np.array_equal(losses(events), losses(list(train(tiny()))))


def test_a_stop_ends_a_pause():
    control, events = Control(), []
    for event in train(tiny(), control):
        events.append(event)
        if isinstance(event, Probe) and event.step == 2:
            control.pause()
        if isinstance(event, Paused) and event.is_paused:
            control.stop()
    assert events[-1].status == "stopped"


class PressingConfig(MAMLConfig):
    """MAML in whose middle somebody presses a button."""

    name: Literal["pressing"] = "pressing"


class Pressing(MAML):
    """MAML that tells of every portion of a meta-batch that the training thread is at."""

    Config = PressingConfig
    press: ClassVar[Callable[[], object]] = staticmethod(lambda: None)

    def meta_loss(self, meta, task, ctx):
        if ctx.training and threading.current_thread() is threading.main_thread():
            type(self).press()
        return super().meta_loss(meta, task, ctx)


@pytest.fixture(params=[1, 2, 4, 12])
def pressed(request, monkeypatch):
    """What has something done the so-manieth time that a portion is at work."""
    known = registry.found("algorithm") | {"pressing": Pressing}
    monkeypatch.setattr(registry, "found", lambda role, before=registry.found:
                        known if role == "algorithm" else before(role))
    left = [request.param]

    def midway(do):
        def press():
            left[0] -= 1
            if left[0] == 0:
                do()

        monkeypatch.setattr(Pressing, "press", staticmethod(press))
        return left

    return midway


def with_portions():
    """A run of few steps, each of several portions for every thread."""
    return tiny("dataset=glyphs", "backbone.filters=2", "training.meta_batch=25", "training.iterations=6",
                "training.executor=portions", "task.ways=2", "task.queries=1", "algorithm=pressing",
                "algorithm.inner_steps=1")


def test_who_pauses_in_the_middle_of_a_meta_batch_changes_no_number(pressed, monkeypatch):
    monkeypatch.setattr("workbench.engine.trainer.ADAPTATION_SECONDS", 0.0)  # which is not the time to look at one
    wanted, events, control = losses(list(train(with_portions()))), [], Control()
    left = pressed(control.pause)
    for event in train(with_portions(), control):
        events.append(event)
        if isinstance(event, Paused) and event.is_paused:
            control.resume()
    assert left[0] <= 0
    assert [event.is_paused for event in of(Paused, events)] == [True, False]
    assert np.array_equal(losses(events), wanted)


def test_who_stops_in_the_middle_of_a_meta_batch_goes_on_from_before_it(pressed):
    wanted, control = losses(list(train(with_portions()))), Control()
    left = pressed(control.stop)
    stopped = list(train(with_portions(), control))
    assert left[0] == 0
    assert stopped[-1].status == "stopped"
    kept = of(Checkpoint, stopped)[-1].state
    found = [block.loss for block in of(Steps, [*stopped, *train(with_portions(), None, kept)])]
    assert np.array_equal(np.concatenate(found), wanted)


def test_divergence_stops_the_run_with_the_step_and_the_remedy():
    events = list(train(tiny("algorithm.inner_lr=1000", "training.outer_lr=100", "training.optimizer=sgd")))
    told = of(Steps, events)
    assert isinstance(events[-1], Failed)
    assert f"of step {events[-1].step + 1} is not a number" in events[-1].message
    assert "training.outer_lr" in events[-1].message
    assert events[-1].step == sum(len(one.loss) for one in told) > 0
    assert all(np.isfinite(one.loss).all() and np.isfinite(one.gradient_norm).all() for one in told)
    for checkpoint in of(Checkpoint, events):
        assert all(torch.isfinite(value).all() for value in checkpoint.state.meta.params.values())


def test_a_validation_that_is_not_a_number_is_never_the_best():
    # Three hundred steps of a rate that is too large overflow in validation, where one step in training does not.
    events = list(train(tiny("algorithm.inner_lr=0.5", "algorithm.test_steps=300", "training.iterations=8")))
    validations = [event for event in of(Evaluation, events) if event.split == "validation"]
    assert any(not math.isfinite(event.score.mean) for event in validations)
    score = of(Checkpoint, events)[-1].state.best_score
    assert score is not None
    assert not math.isnan(score)
    assert isinstance(events[-1], Failed)
    assert "algorithm.test_steps" in events[-1].message


def test_early_stopping_ends_the_run_after_validations_without_a_better_result():
    # A rate of almost nothing changes nothing, so no validation after the first is better by more than rounding.
    events = list(train(tiny("training.outer_lr=1e-12", "training.optimizer=sgd", "training.iterations=40",
                             "training.patience=2")))
    assert events[-1].status == "finished"
    assert events[-1].step < 40
    assert of(Checkpoint, events)[-1].step == events[-1].step
    assert of(Evaluation, events)[-1].split == "test"


def test_an_interval_is_over_per_task_means():
    events = list(train(tiny("evaluation.tasks=50")))
    result, final = of(Evaluation, events)[-1], of(Checkpoint, events)[-1].state
    assert result.tasks == 50
    session = Session(tiny("evaluation.tasks=50"))
    judged = np.concatenate([curve for curve, in metrics(session, final.best, "test", 50)])[:, -1]
    session.close()
    assert result.score.mean == pytest.approx(judged.mean(), rel=1e-6)
    assert result.score.ci95 == pytest.approx(1.96 * judged.std(ddof=1) / math.sqrt(50), rel=1e-6)
    assert len(result.by_step) == 2
    assert result.by_step[-1] == result.score


def test_an_interval_is_over_the_tasks_of_a_persons_own_and_not_over_their_draws():
    settings = [f"dataset.path={sample_tasks() / 'machines'}", "dataset=task_tables", "dataset.test_share=0.1",
                "backbone.name=mlp", "training.iterations=1", *TINY[2:], "evaluation.tasks=50"]
    experiment = resolve(with_settings({}, settings))
    events = list(train(experiment))
    result, final = of(Evaluation, events)[-1], of(Checkpoint, events)[-1].state
    session = Session(experiment)
    assert session.source.round_of("test") == 4
    judged = np.concatenate([curve for curve, in metrics(session, final.best, "test", 50)])[:, -1]
    session.close()
    means = np.array([judged[task::4].mean() for task in range(4)])
    assert (result.split, result.tasks) == ("test", 4)
    assert result.score.mean == pytest.approx(means.mean(), rel=1e-6)
    assert result.score.ci95 == pytest.approx(1.96 * means.std(ddof=1) / 2, rel=1e-6)


def test_both_normalizations_are_scored_where_they_differ():
    settings = ["training.iterations=1", "training.meta_batch=2", "backbone.filters=4", "evaluation.tasks=4",
                "training.validation_tasks=2", "device=cpu", "evaluation.probe_tasks=1"]
    scores = []
    for own in ("transductive", "inductive"):
        experiment = resolve(with_settings({}, [*settings, f"backbone.normalization={own}", "training.outer_lr=1e-9"]))
        result = of(Evaluation, train(experiment))[-1]
        assert set(result.modes) == {"transductive", "inductive"}
        assert result.modes[own] == result.score
        scores.append(result.modes)
    # What hardly moved is the same learner, whichever of the two scores is the run's own.
    for mode in ("transductive", "inductive"):
        assert scores[0][mode].mean == pytest.approx(scores[1][mode].mean)
    assert scores[0]["transductive"].mean != scores[0]["inductive"].mean
    grouped = of(Evaluation, train(resolve(with_settings({}, [*settings, "backbone.normalization=group"]))))[-1]
    assert grouped.modes == {}


def test_schedules_begin_at_the_outer_rate_and_end_at_zero():
    for schedule, middle in (("cosine", 0.5), ("linear", 0.5), ("constant", 1.0)):
        training = tiny(f"training.schedule={schedule}", "training.outer_lr=2.0").training
        assert outer_lr(training, 0) == 2.0
        assert outer_lr(training, 6) == pytest.approx(2 * middle)
        assert outer_lr(training, 12) == pytest.approx(2.0 if schedule == "constant" else 0.0)


def test_clipping_bounds_the_update_and_tells_the_norm_before_it():
    plain, clipped = (list(train(tiny("training.optimizer=sgd", "training.outer_lr=0.1", "training.schedule=constant",
                                      "training.iterations=1", *more))) for more in ((), ("training.clip=0.01",)))
    norm = of(Steps, plain)[0].gradient_norm[0]
    assert of(Steps, clipped)[0].gradient_norm[0] == norm > 0.01

    def moved(events):
        first, last = of(Checkpoint, events)[0].state.meta.params, of(Checkpoint, events)[-1].state.meta.params
        return math.sqrt(sum(float(((last[name] - first[name]) ** 2).sum()) for name in first))

    assert moved(clipped) == pytest.approx(0.1 * 0.01, rel=1e-3)
    assert moved(plain) == pytest.approx(0.1 * norm, rel=1e-3)


def test_the_shown_tasks_come_with_predictions_after_every_inner_step():
    events = list(train(tiny("algorithm.test_steps=4")))
    task, probe = events[0].shown[0], of(Probe, events)[-1]
    assert task.query_inputs.shape == (101, 1)
    assert task.query_targets.shape == (101, 1)
    assert probe.shown.inner_steps == (0, 1, 2, 3, 4)
    assert probe.shown.outputs.shape == (3, 5, 101, 1)
    assert probe.adaptation.loss.shape == (3, 5)


def test_more_ways_in_training_than_the_data_have_are_refused_before_the_first_event():
    with pytest.raises(DataError, match="training"):
        next(train(resolve(with_settings({}, ["algorithm=protonet", "training.ways=999", "dataset.rotations=false",
                                              "task.shots=3", "training.queries=19"]))))


def test_training_leaves_the_threads_of_the_caller_alone():
    before = torch.get_num_threads()
    list(train(tiny("training.executor=threads")))
    assert torch.get_num_threads() == before


def test_training_leaves_the_random_state_of_the_caller_alone():
    before = torch.random.get_rng_state()
    list(train(tiny()))
    assert torch.equal(torch.random.get_rng_state(), before)
