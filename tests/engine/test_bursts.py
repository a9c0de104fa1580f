"""Steps that are taken several at a time are those that are taken one by one, to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.acceleration.outer import ReplayedOptimizer
from workbench.engine.acceleration.prepared import AT_ONCE, Prepared, Replayed
from workbench.engine.bursts import Bursts
from workbench.engine.control import Control
from workbench.engine.distribution.world import ALONE, World
from workbench.engine.events import Checkpoint, Event, Finished, Probe, Steps
from workbench.engine.session import Session
from workbench.engine.state import TrainState
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, with_settings
from workbench.tasks.base import Examples, TaskBatch

USUAL = ("device=cpu", "training.executor=vectorized", "training.iterations=260", "training.meta_batch=3",
         "training.validate_every=130", "training.checkpoint_every=97", "training.validation_tasks=2",
         "evaluation.tasks=2", "evaluation.probe_tasks=1")
SINUSOIDS = ("dataset=sinusoids", "backbone.widths=[8,8]")
PENDULUM = ("dataset=pendulum", "backbone.widths=[8,8]", "algorithm=maml")
GLYPHS = ("dataset=glyphs", "backbone.filters=2", "task.ways=2", "task.queries=1", "training.meta_batch=2")
RUNS: dict[str, tuple[str, ...]] = {
    "maml": (*SINUSOIDS, "algorithm=maml", "training.clip=0.5", "training.schedule=cosine"),
    "reptile": (*SINUSOIDS, "algorithm=reptile", "algorithm.inner_optimizer=sgd",
                "training.optimizer=sgd", "algorithm.inner_steps=2"),
    "learned rates": (*SINUSOIDS, "algorithm=meta_sgd", "training.schedule=linear"),
    "prototypes": (*GLYPHS, "algorithm=protonet"),
}
TOGETHER = "in one call"


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
def test_a_run_in_bursts_is_the_one_that_is_taken_step_by_step(name: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "workbench.engine.bursts")
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
def test_a_run_in_bursts_is_gone_on_with_from_a_checkpoint(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "workbench.engine.bursts")
    whole = states(list(train(experiment(*RUNS["maml"]))))
    caplog.clear()
    rest = states(list(train(experiment(*RUNS["maml"]), state=whole[1])))
    assert TOGETHER in caplog.text
    assert same(tensors(rest[-1]), tensors(whole[-1]))


@pytest.mark.usefixtures("at_once")
def test_a_run_in_bursts_stops_where_it_is_told_to(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "workbench.engine.bursts")
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

    def __init__(self, *chosen: str, world: World = ALONE) -> None:
        self.session = Session(experiment(*chosen), world=world)
        self.session.accelerate()
        self.meta = self.session.init()
        self.training = self.session.experiment.training
        self.outer = ReplayedOptimizer(self.meta.params, self.session.algorithm.outer_rate, self.training.optimizer)
        self.bursts = Bursts(self.session, self.meta, self.outer)
        self.setting = self.session.setting(training=True)
        self.step(0, 0.01)
        self.look()

    def batch(self, number: int) -> Any:
        tasks = self.training.meta_batch
        return self.session.batch("train", range(number * tasks, (number + 1) * tasks))

    def step(self, number: int, rate: float) -> Any:
        gradient = self.session.executor.gradient(self.meta, *self.batch(number), self.setting)
        return self.outer.update(gradient, self.training.meta_batch, rate, self.training.clip)

    def look(self, seconds: float = 0.0) -> None:
        self.bursts.look(*self.batch(0), self.setting, seconds)

    def take(self, rates: Sequence[float]) -> Any:
        """Steps from the second on, as many as there are rates."""
        first = self.bursts.take(1, 2, 1.0, lambda step: rates[step - 1])  # which shows how long one takes
        rest = self.bursts.take(2, 1 + len(rates), 1000.0, lambda step: rates[step - 1]) if first else None
        return [torch.cat(values) for values in zip(first.told, rest.told, strict=True)] if rest else None

    def changed(self) -> list[Tensor]:
        return [*self.meta.params.values(), *self.outer.tensors().values()]


@pytest.fixture
def opened(at_once: None) -> Any:
    made: list[Opened] = []

    def opening(*chosen: str, **more: Any) -> Opened:
        made.append(Opened(*chosen, **more))
        return made[-1]

    yield opening
    for one in made:
        one.session.close()


def test_one_call_takes_a_step_for_every_rate(opened: Callable[..., Opened]):
    one, other = opened(*RUNS["maml"]), opened(*RUNS["maml"])
    rates = [0.01, 0.0, 0.02, 0.005]
    told = one.take(rates)
    singly = [other.step(1 + number, rate) for number, rate in enumerate(rates)]
    assert same(told, [torch.stack(values) for values in zip(*singly, strict=True)])
    assert same(one.changed(), other.changed())


def test_the_tasks_of_the_last_step_are_told_in_memory_of_their_own(opened: Callable[..., Opened]):
    one = opened(*RUNS["prototypes"])
    one.bursts.take(1, 2, 1.0, lambda _: 0.01)
    burst = one.bursts.take(2, 6, 1000.0, lambda _: 0.01)
    batch, keys = one.batch(5)
    assert torch.equal(burst.keys, keys)
    for part, other in zip(burst.batch, batch, strict=True):
        for found, wanted in zip(part, other, strict=True):
            assert torch.equal(found, wanted)
            assert found.untyped_storage().nbytes() == wanted.nbytes


def test_a_call_ends_where_another_stage_begins(opened: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch):
    one = opened(*RUNS["maml"])
    last = 6 / one.training.iterations
    monkeypatch.setattr(one.session.algorithm, "stage", lambda progress: "tasks" if progress < last else "examples")
    assert [len(one.bursts.take(1, end, 1000.0, lambda _: 0.0).told.loss) for end in (2, 20)] == [1, 5]
    assert one.bursts.take(6, 20, 1000.0, lambda _: 0.0) is None


@pytest.mark.usefixtures("at_once")
def test_divergence_in_one_call_tells_of_every_step_before_it(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "workbench.engine.bursts")
    chosen = ("dataset=sinusoids", "algorithm=maml", "algorithm.inner_steps=3", "training.outer_lr=0.15",
              "training.schedule=constant", "training.iterations=20000", "training.validate_every=20000")
    events = list(train(experiment(*chosen)))
    assert TOGETHER in caplog.text
    assert f"of step {events[-1].step + 1} is not a number" in events[-1].message
    assert events[-1].step == len(told(events)[0])
    assert all(np.isfinite(values).all() for values in told(events))


def test_a_call_ends_where_it_must_and_after_its_time(opened: Callable[..., Opened]):
    one = opened(*RUNS["maml"])
    assert [len(one.bursts.take(1, end, 1000.0, lambda _: 0.0).told.loss) for end in (2, 20, 8)] == [1, 19, 7]
    assert len(one.bursts.take(1, 20, -1.0, lambda _: 0.0).told.loss) == 1


def test_steps_that_fail_are_as_if_they_had_not_been_taken(opened: Callable[..., Opened],
                                                           monkeypatch: pytest.MonkeyPatch):
    one = opened(*RUNS["prototypes"])
    assert one.take([0.0, 0.0])
    sample, before = one.session.source.sample, [value.clone() for value in one.changed()]

    def with_an_unknown_class(*words: Any) -> TaskBatch:
        batch = sample(*words)
        targets = batch.query.targets.clone()
        targets[-1, -1] = 7  # so that the last of the steps cannot be taken
        return TaskBatch(batch.support, Examples(batch.query.inputs, targets))

    with monkeypatch.context() as patched:
        patched.setattr(one.session.source, "sample", with_an_unknown_class)
        assert one.bursts.take(3, 7, 1000.0, lambda _: 0.1) is None
    assert same(one.changed(), before)
    one.look()
    assert one.take([0.0, 0.0]) is None


def test_tasks_that_lie_otherwise_in_memory_give_the_same_numbers(opened: Callable[..., Opened],
                                                                  monkeypatch: pytest.MonkeyPatch):
    one, other = opened(*PENDULUM), opened(*PENDULUM)
    sample = one.session.source.sample

    def turned(*words: Any) -> TaskBatch:
        return TaskBatch(*(Examples(part.inputs.mT.contiguous().mT, part.targets) for part in sample(*words)))

    monkeypatch.setattr(one.session.source, "sample", turned)
    assert not one.batch(1)[0].support.inputs.is_contiguous()
    assert same(one.take([0.01] * 4), other.take([0.01] * 4))
    assert same(one.changed(), other.changed())


def test_what_a_long_step_takes_is_taken_alone(opened: Callable[..., Opened]):
    one = opened(*RUNS["maml"])
    one.bursts = Bursts(one.session, one.meta, one.outer)
    one.look(seconds=1.0)
    assert one.take([0.0, 0.0]) is None
    one.look(seconds=0.001)
    assert one.take([0.0, 0.0])
    one.session.chunk = one.training.meta_batch - 1  # memory ran out
    assert one.take([0.0, 0.0]) is None


@pytest.mark.parametrize("chosen", [
    (*RUNS["prototypes"], "training.executor=portions"),
    (*RUNS["reptile"], "algorithm.inner_optimizer=adam"),
    (*GLYPHS, "algorithm=meta_transfer", "algorithm.pretraining=0", "algorithm.hard_tasks=true"),
], ids=["on threads", "moments that are carried on", "hard tasks"])
def test_what_is_more_than_numbers_is_taken_step_by_step(chosen: tuple[str, ...], opened: Callable[..., Opened]):
    assert opened(*chosen).take([0.0, 0.0]) is None


def test_where_others_take_part_steps_are_taken_one_by_one(opened: Callable[..., Opened]):
    class Two(World):
        size = 2

    assert opened(*RUNS["maml"], world=Two()).take([0.0, 0.0]) is None


def test_a_torch_that_cannot_repeat_a_list_goes_on_step_by_step(opened: Callable[..., Opened],
                                                                monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(torch._C, "IntType")  # as in a torch that lacks it
    one = opened(*RUNS["maml"])
    assert one.take([0.0, 0.0]) is None
