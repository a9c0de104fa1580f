"""No method waits for the device in its meta-step, and what would is told apart."""

from __future__ import annotations

import pytest
import torch

from tests.problems import algorithms_for, executor, make, noise_tasks, setting, spec
from workbench.engine.acceleration.waiting import ForbidSync


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in ("classification", "regression")
                                            for name in algorithms_for(kind)])
@pytest.mark.parametrize("how", ["vectorized", "columns"])
def test_no_meta_step_waits_for_the_device(kind, name, how):
    about = spec(kind, 3, picture=True)
    algorithm, meta = make(name, about)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=2)
    runner = executor(how, algorithm)
    wanted = runner.gradient(meta, batch, keys, setting(algorithm, about))
    with ForbidSync():
        given = runner.gradient(meta, batch, keys, setting(algorithm, about))
    for one in wanted.total:
        torch.testing.assert_close(given.total[one], wanted.total[one], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("look", [
    lambda value: value.sum().item(), lambda value: bool(value[0, 0] > 0), lambda value: value.nonzero(),
    lambda value: value[value > 0], lambda value: torch.equal(value, value),
    lambda value: torch.linalg.solve(value, value),
])
def test_what_looks_at_a_number_is_refused(look):
    value = torch.eye(3) + 1
    with ForbidSync(), pytest.raises(RuntimeError, match="takes a number out of a tensor"):
        look(value)


def test_what_moves_a_tensor_is_refused():
    with ForbidSync(), pytest.raises(RuntimeError, match="moves a tensor from one device to another"):
        torch.ones(3).to("meta")


@pytest.mark.parametrize("work", [
    lambda value: value[torch.tensor([0, 2])], lambda value: torch.linalg.solve_ex(value, value).result,
    lambda value: torch.where(value > 1, value, 0), lambda value: value.cpu() @ value,
])
def test_what_does_not_is_computed(work):
    value = torch.eye(3) + 1
    with ForbidSync():
        found = work(value)
    assert torch.equal(found, work(value))
