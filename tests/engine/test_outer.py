"""The outer step: torch's own optimizers say what it must come to, plainly run as replayed."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.algorithms.base import Aux
from workbench.engine import outer as outer_module
from workbench.engine.acceleration.outer import ReplayedOptimizer
from workbench.engine.acceleration.writing import recorded
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.outer import OuterOptimizer

SHAPES = {"first": (4, 3), "bias": (4,), "slow": (2, 2, 2), "frozen": (3,), "rate": ()}
FACTORS = {"slow": 0.1, "frozen": 0.0}
THEIRS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def factor(name, stage):
    return FACTORS.get(name, 1.0) if stage == "tasks" else 1.0


def numbers(seed, dtype):
    draw = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=draw, dtype=dtype) for name, shape in SHAPES.items()}


def is_replayed(outer):
    return bool(outer._written) and all(outer._written.values())


def found(seed, dtype, tasks):
    draw = torch.Generator().manual_seed(seed)
    return MetaGradient(numbers(seed, dtype), Aux(torch.randn(tasks, generator=draw), torch.rand(tasks, generator=draw),
                                              {}, {}))


@given(st.sampled_from(["adam", "sgd"]), st.sampled_from([OuterOptimizer, ReplayedOptimizer]),
       st.none() | st.floats(0.01, 2.0), st.sampled_from([torch.float32, torch.float64]), st.integers(1, 9),
       st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_step_is_that_of_torchs_optimizers_to_the_last_bit(kind, ours, clip, dtype, tasks, seed):
    params, theirs = numbers(seed, dtype), numbers(seed, dtype)
    outer = ours(params, factor, kind)
    moving = [name for name in SHAPES if factor(name, "tasks")]
    optimizer = THEIRS[kind]([{"params": [theirs[name]], "factor": factor(name, "tasks")} for name in moving],
                             lr=0.0, fused=True)
    for step, rate in enumerate((0.1, 0.05, 0.02)):
        gradient = found(seed + 1 + step, dtype, tasks)
        told = outer.update(gradient, tasks, rate, clip, "tasks")
        for name in moving:
            theirs[name].grad = gradient.total[name] / tasks
        # One large vector and a norm of norms round differently; the numbers that follow must come from the same.
        norm = torch.nn.utils.get_total_norm([theirs[name].grad for name in moving])
        torch.testing.assert_close(told.norm, norm)
        if clip is not None:
            torch.nn.utils.clip_grads_with_norm_([theirs[name] for name in moving], clip, told.norm)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        optimizer.step()
        assert torch.equal(told.loss, gradient.aux.loss.mean())
        assert torch.equal(told.metric, gradient.aux.metric.mean())
        for name, value in params.items():
            assert torch.equal(value, theirs[name]), name
    assert ours is OuterOptimizer or is_replayed(outer)


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


def test_who_looks_at_a_number_is_not_written_down():
    with pytest.raises(ValueError, match="the same in every replay"):
        recorded(lambda given: [given[0] * given[0].sum().item()], [torch.ones(2)])
    other = torch.ones(2)
    with pytest.raises(ValueError, match="was not given"):
        recorded(lambda given: [given[0] * other], [torch.ones(2)])


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
