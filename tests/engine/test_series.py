"""Steps that are taken several at a time are those that are taken one by one, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workbench.engine.compiled import AT_ONCE, Prepared, Replayed
from workbench.engine.control import Control
from workbench.engine.events import Checkpoint, Event, Finished, Probe, Steps
from workbench.engine.outer import ReplayedOuter
from workbench.engine.replay import Chain
from workbench.engine.series import Series
from workbench.engine.session import Session
from workbench.engine.state import TrainState
from workbench.engine.trainer import train
from workbench.engine.writing import recorded
from workbench.experiment.resolve import resolve, with_settings
from workbench.tasks.base import Examples, TaskBatch

USUAL = ("device=cpu", "training.executor=vectorized", "training.iterations=260", "training.meta_batch=3",
         "training.validate_every=130", "training.checkpoint_every=97", "training.validation_tasks=2",
         "evaluation.tasks=2", "evaluation.probe_tasks=1")
SINUSOIDS = ("dataset=sinusoids", "backbone.widths=[8,8]")
GLYPHS = ("dataset=glyphs", "backbone.filters=2", "task.ways=2", "task.queries=1", "training.meta_batch=2")
RUNS: dict[str, tuple[str, ...]] = {
    "maml": (*SINUSOIDS, "algorithm=maml", "training.clip=0.5", "training.schedule=cosine"),
    "reptile": (*SINUSOIDS, "algorithm=reptile", "algorithm.inner_optimizer=sgd",
                "training.optimizer=sgd", "algorithm.inner_steps=2"),
    "learned rates": (*SINUSOIDS, "algorithm=meta_sgd", "training.schedule=linear"),
    "prototypes": (*GLYPHS, "algorithm=protonet"),
}
TOGETHER = "several at a time"


def experiment(*chosen: str) -> Any:
    return resolve(with_settings({}, [*USUAL, *chosen]))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is prepared is waited for, rather than that training goes on without it."""
    found = Prepared._found

    def waited_for(self: Prepared, step: Any) -> Any:
        found(self, step)
        self.finish()
        return found(self, step)

    monkeypatch.setattr(Replayed, "patience", AT_ONCE)
    monkeypatch.setattr(Prepared, "_found", waited_for)


def same(one: Any, other: Any) -> bool:
    pairs = zip(one, other, strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True) for a, b in pairs)


def told(events: list[Event]) -> list[np.ndarray]:
    steps = [event for event in events if isinstance(event, Steps)]
    return [np.concatenate([getattr(event, name) for event in steps]) for name in
            ("loss", "metric", "gradient_norm", "outer_lr")]


def states(events: list[Event]) -> list[TrainState]:
    return [event.state for event in events if isinstance(event, Checkpoint)]


def tensors(state: TrainState) -> list[Tensor]:
    return [*state.meta.params.values(), *state.optimizer.values(), *state.best.params.values()]


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.usefixtures("at_once")
def test_a_run_in_series_is_the_one_that_is_taken_step_by_step(name: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "workbench.engine.series")
    together = list(train(experiment(*RUNS[name])))
    assert TOGETHER in caplog.text
    caplog.clear()
    plain = list(train(experiment(*RUNS[name], "training.acceleration=none")))
    assert TOGETHER not in caplog.text
    assert isinstance(together[-1], Finished)
    assert same(told(together), told(plain))
    assert [event.step for event in together if isinstance(event, Probe)] == \
        [event.step for event in plain if isinstance(event, Probe)]
    assert [state.step for state in states(together)] == [state.step for state in states(plain)]
    for one, other in zip(states(together), states(plain), strict=True):
        assert same(tensors(one), tensors(other))


@pytest.mark.usefixtures("at_once")
def test_a_run_in_series_is_gone_on_with_from_any_checkpoint(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "workbench.engine.series")
    whole = states(list(train(experiment(*RUNS["maml"]))))
    for state in whole[:-1]:
        caplog.clear()
        rest = states(list(train(experiment(*RUNS["maml"]), state=state)))
        assert TOGETHER in caplog.text
        assert same(tensors(rest[-1]), tensors(whole[-1]))


@pytest.mark.usefixtures("at_once")
def test_a_run_in_series_stops_where_it_is_told_to(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "workbench.engine.series")
    control, events = Control(), []
    for event in train(experiment(*RUNS["maml"], "training.iterations=1000000", "training.checkpoint_every=1000000",
                                  "training.validate_every=1000000"), control):
        events.append(event)
        if TOGETHER in caplog.text and isinstance(event, Steps):
            control.stop()
    assert events[-1].status == "stopped"
    assert states(events)[-1].step == sum(len(event.loss) for event in events if isinstance(event, Steps))


class Opened:
    """A session that has taken a step, the tensors it changes, and what takes the next."""

    def __init__(self, *chosen: str) -> None:
        self.session = Session(experiment(*chosen))
        self.session.accelerate()
        self.meta = self.session.init()
        self.tasks = self.session.experiment.training.meta_batch
        self.outer = ReplayedOuter(self.meta.params, self.session.algorithm.outer_rate)
        self.series = Series(self.session, self.meta, self.outer)
        self.setting = self.session.setting(training=True)
        self.step(0, 0.01)

    def batch(self, first: int, count: int = 1) -> Any:
        return self.session.batch("train", range(first * self.tasks, (first + count) * self.tasks))

    def step(self, number: int, rate: float) -> Any:
        batch, keys = self.batch(number)
        gradient = self.session.executor.gradient(self.meta, batch, keys, self.setting)
        told = self.outer.update(gradient, self.tasks, rate, self.session.experiment.training.clip)
        self.series.look(batch, keys, self.setting, 0.0)
        return told

    def changed(self) -> list[Tensor]:
        return [*self.meta.params.values(), *self.outer.tensors().values()]


@pytest.fixture
def opened(at_once: None) -> Any:
    made: list[Opened] = []

    def opening(*chosen: str) -> Opened:
        made.append(Opened(*chosen))
        return made[-1]

    yield opening
    for one in made:
        one.session.close()


def test_one_call_takes_a_step_for_every_rate(opened: Callable[..., Opened]):
    one, other = opened(*RUNS["maml"]), opened(*RUNS["maml"])
    rates = [0.01, 0.0, 0.02, 0.005]
    told = one.series.take(*one.batch(1, len(rates)), rates)
    singly = [other.step(1 + number, rate) for number, rate in enumerate(rates)]
    assert same(told, [torch.stack(values) for values in zip(*singly, strict=True)])
    assert same(one.changed(), other.changed())
    assert len(told.loss) == len(rates)


def test_steps_that_fail_are_as_if_they_had_not_been_taken(opened: Callable[..., Opened]):
    one = opened(*RUNS["prototypes"])
    assert one.series.most
    batch, keys = one.batch(1, 3)
    targets = batch.query.targets.clone()
    targets[-1, -1] = 7  # no such class: the last step cannot be taken
    before = [value.clone() for value in one.changed()]
    wrong = TaskBatch(batch.support, Examples(batch.query.inputs, targets))
    assert one.series.take(wrong, keys, [0.1, 0.1, 0.1]) is None
    assert same(one.changed(), before)
    assert not one.series.most


def test_what_a_long_step_takes_is_taken_alone(opened: Callable[..., Opened]):
    one = opened(*RUNS["maml"])
    lasting = Series(one.session, one.meta, one.outer)
    lasting.look(*one.batch(1), one.setting, seconds=1.0)
    assert not lasting.most
    lasting.look(*one.batch(1), one.setting, seconds=0.001)
    assert lasting.most
    one.session.chunk = one.tasks - 1  # memory ran out
    assert not lasting.most


@pytest.mark.parametrize("chosen", [
    (*RUNS["prototypes"], "training.executor=portions"),
    (*RUNS["reptile"], "algorithm.inner_optimizer=adam"),
], ids=["on threads", "moments that are carried on"])
def test_what_is_more_than_numbers_is_taken_step_by_step(chosen: tuple[str, ...], opened: Callable[..., Opened]):
    assert not opened(*chosen).series.most


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_script_for_each_entry_is_the_script_again_and_again(entries: int, size: int, seed: int):
    draw = torch.Generator().manual_seed(seed)

    def body(tensors: list[Tensor]) -> list[Tensor]:
        kept, entry, factor = tensors
        kept.add_(entry * factor)
        return [kept.sum(), entry + kept]

    def numbers() -> list[Tensor]:
        return [torch.zeros(size), torch.randn(entries, size, generator=draw), torch.tensor(0.5)]

    each = recorded(body, [torch.zeros(size), torch.ones(size), torch.tensor(0.5)]).run_for_each([1])
    kept, given_entries, factor = numbers()
    again = kept.clone()
    found = each([kept, given_entries, factor])
    wanted = [torch.stack(values) for values in zip(*[body([again, entry, factor]) for entry in given_entries],
                                                     strict=True)]
    assert same(found, wanted)
    assert torch.equal(kept, again)


def test_a_chain_hands_results_on_and_keeps_those_of_each_script_apart():
    double = recorded(lambda given: [given[0] * 2], [torch.ones(2)])
    sums = recorded(lambda given: [given[0] + given[1], given[1]], [torch.ones(2), torch.ones(2)])
    chain = Chain(2)
    doubled = chain.take(double, [1])
    added, second = chain.take(sums, [*chain.take(double, doubled), 0])
    run = chain.script([added, second, *doubled]).run()
    found = run([torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])])
    assert [one.tolist() for one in found] == [[41.0, 82.0], [1.0, 2.0], [20.0, 40.0]]
