"""Outer steps that are replayed or captured are those that are plainly taken."""

from itertools import pairwise

import pytest
import torch

from tests.engine.outer_steps import factor, found, is_replayed, numbers
from workbench.algorithms.base import Aux
from workbench.engine.acceleration import outer as outer_module
from workbench.engine.acceleration.outer import CapturedOptimizer, ReplayedOptimizer
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.outer import OuterOptimizer


def test_a_large_network_is_clipped_and_replayed_alike():
    ended = []
    for way in (OuterOptimizer, ReplayedOptimizer):
        params = {"large": torch.zeros(400, 300), "small": torch.ones(3)}
        outer = way(params, lambda *_: 1.0)
        for step in range(3):
            total = {name: torch.full_like(value, 1.0 + step) for name, value in params.items()}
            outer.update(MetaGradient(total, found(step, torch.float32, 2).aux), 2, 0.1, 0.5)
        ended.append(params)
        assert way is OuterOptimizer or is_replayed(outer)
    assert all(torch.equal(ended[0][name], ended[1][name]) for name in ended[0])


def test_gradients_are_told_apart_by_their_names():
    params = {"one": torch.zeros(2), "other": torch.zeros(2)}
    outer = ReplayedOptimizer(params, lambda *_: 1.0, "sgd")
    total = {"one": torch.ones(2), "other": 5 * torch.ones(2)}
    aux = found(0, torch.float32, 1).aux
    outer.update(MetaGradient(total, aux), 1, 1.0, None)
    outer.update(MetaGradient(dict(reversed(total.items())), aux), 1, 1.0, None)
    assert is_replayed(outer)
    assert params["one"].tolist() == [-2.0, -2.0]
    assert params["other"].tolist() == [-10.0, -10.0]


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_replayed_and_plain_steps_go_on_from_one_anothers_state(kind):
    ways, ended = (OuterOptimizer, ReplayedOptimizer, OuterOptimizer, ReplayedOptimizer), []
    for kinds in (ways, (OuterOptimizer,) * len(ways)):
        params, state = numbers(0, torch.float32), {}
        for turn, way in enumerate(kinds):
            outer = way(params, factor, kind, state)
            for step in range(3):
                outer.update(found(10 * turn + step, torch.float32, 4), 4, 0.1, 1.0,
                             "examples" if turn % 2 else "tasks")
            state = outer.tensors()
        ended.append({**params, **state})
    assert ended[0].keys() == ended[1].keys()
    for one, other in pairwise(ended):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_writing_a_step_down_changes_nothing_but_by_the_step_itself():
    params, gradient = numbers(0, torch.float32), found(1, torch.float32, 4)
    outer, before = ReplayedOptimizer(params, lambda *_: 1.0, "sgd"), numbers(0, torch.float32)
    outer.update(gradient, 4, 0.5, None)
    assert all(torch.equal(value, found(1, torch.float32, 4).total[name]) for name, value in gradient.total.items())
    for name, value in params.items():
        torch.testing.assert_close(value, before[name] - 0.5 * gradient.total[name] / 4)


def test_what_cannot_be_replayed_is_plainly_run(monkeypatch):
    monkeypatch.setattr(outer_module, "can_replay", lambda: False)  # a torch that lacks what replaying takes
    params, plain = numbers(0, torch.float32), numbers(0, torch.float32)
    ReplayedOptimizer(params, factor).update(found(1, torch.float32, 4), 4, 0.1, None)
    OuterOptimizer(plain, factor).update(found(1, torch.float32, 4), 4, 0.1, None)
    assert all(torch.equal(value, plain[name]) for name, value in params.items())


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_stage_in_which_nothing_moves_takes_a_step_all_the_same(clip):
    params = numbers(0, torch.float32)
    told = ReplayedOptimizer(params, lambda *_: 0.0).update(found(1, torch.float32, 4), 4, 0.1, clip)
    assert told.norm.item() == 0.0
    assert all(torch.equal(value, numbers(0, torch.float32)[name]) for name, value in params.items())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_captured_outer_steps_are_those_of_plain_ones_in_either_stage(kind):
    def factor(name, stage):
        return float(name == "late" or stage == "examples")

    ended = []
    for way in (OuterOptimizer, CapturedOptimizer):
        params = {name: torch.ones(3, device="cuda") for name in ("early", "late")}
        outer = way(params, factor, kind)
        for step in range(12):
            numbers = torch.arange(1.0, 4.0, device="cuda") * (1 + step)
            gradient = MetaGradient({"early": numbers, "late": -numbers}, Aux(numbers, numbers, {}, {}))
            told = outer.update(gradient, 2, 0.1 / (1 + step), 1.0, "examples" if step < 6 else "tasks")
            torch.testing.assert_close(told.loss, numbers.mean())
        ended.append(params)
    torch.testing.assert_close(ended[0], ended[1])
