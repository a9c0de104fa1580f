"""The outer step: torch's own optimizers say what it must come to, plainly run as replayed."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.outer_steps import SHAPES, factor, found, is_replayed, numbers
from workbench.engine.acceleration.outer import ReplayedOptimizer
from workbench.engine.outer import OuterOptimizer

THEIRS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


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
