"""The process that prepares a meta-step: the list that it writes, how near compiled numbers are, and how it ends."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils import _pytree as pytree

from tests.engine.acceleration.steps import difference, problem
from tests.problems import executor
from workbench.engine.acceleration import preparing
from workbench.engine.acceleration.base import AccelerationError, ChangingError, unmoved
from workbench.engine.acceleration.preparing import FAILURE, ORDER, Order, are_as_near, flat, main, prepare_into


@pytest.mark.parametrize("name", ["maml", "reptile", "imaml", "anil", "meta_sgd"])
def test_the_list_of_operations_gives_the_same_numbers_on_other_tasks(name: str):
    algorithm, step = problem(name)
    graph, tree = flat(algorithm, step)
    others = [one + 0.1 if one.is_floating_point() else one for one in step.tensors]
    found = pytree.tree_unflatten(graph(*others), tree)
    assert difference(found, step.gradient(executor("vectorized", algorithm), others)) < 1e-12


def test_convolutions_are_recorded_with_the_task_axis_too():
    algorithm, step = problem("maml", "classification", picture=True)
    graph, tree = flat(algorithm, step)
    found = pytree.tree_unflatten(graph(*step.tensors), tree)
    assert difference(found, step.gradient(executor("vectorized", algorithm), step.tensors)) < 1e-12


def test_a_meta_step_that_changes_as_training_goes_on_is_refused():
    algorithm, step = problem("maml_pp", "classification", picture=True)
    with pytest.raises(ChangingError, match="changes as the training goes on"):
        flat(algorithm, step)


@pytest.mark.parametrize("look", [lambda it: it > 0.5, lambda it: it == 0.5, lambda it: it**2, lambda it: 2**it,
                                  lambda it: 1 - it, lambda it: it % 1, abs, float, bool, int, round])
def test_whoever_looks_at_how_much_of_the_training_is_done_is_refused(look: Callable[[Any], object]):
    _, step = problem("maml")
    with pytest.raises(ChangingError):
        look(unmoved(step.setting).progress)


def test_compiled_numbers_may_be_as_far_from_the_exact_ones_as_plain_ones_but_not_farther_and_none_may_be_missing():
    exact = [torch.tensor([1.0, -2.0], dtype=torch.float64), torch.tensor([4.0, 1.0], dtype=torch.float64)]

    def near(first: list[float], second: list[float]) -> bool:
        plain = [torch.tensor([1.002, -2.0]), torch.tensor([4.0, 1.0])]
        return are_as_near([torch.tensor(first), torch.tensor(second)], plain, lambda: exact)

    assert near([1.002, -2.0], [4.0, 1.0])
    assert near([1.0, -2.004], [4.0, 1.0])
    assert not near([1.0, -2.02], [4.0, 1.0])
    assert not near([1.002, -2.0], [4.1, 1.0])
    assert not near([1.002, float("nan")], [4.0, 1.0])
    assert not near([1.002, -2.0], [4.0, float("inf")])


def test_a_torch_that_lacks_what_replaying_takes_trains_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    algorithm, step = problem("maml", "regression")
    meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
    monkeypatch.delattr(torch._C, "_create_function_from_graph")
    with pytest.raises(AccelerationError, match="lacks what replaying takes"):
        prepare_into(tmp_path, Order("replay", algorithm, meta, batch, keys, step.setting, 1, "cpu", "float32"))


def test_without_a_compiler_the_reason_is_left_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    algorithm, step = problem("maml")
    meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
    order = Order("compile", algorithm, meta, batch, keys, step.setting, 1, "cpu", "float32")
    (tmp_path / ORDER).write_bytes(pickle.dumps(order))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    assert started_in(tmp_path) == 1
    assert "there is no C++ compiler; install one" in (tmp_path / FAILURE).read_text(encoding="utf8")


def started_in(folder: Path) -> int:
    with subprocess.Popen([sys.executable, "-m", preparing.__name__, folder], stdin=subprocess.PIPE) as process:
        return process.wait()


def test_what_compiles_ends_with_who_started_it_and_leaves_nothing_behind(tmp_path: Path):
    algorithm, step = problem("maml")
    meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
    folder = tmp_path / "work"
    folder.mkdir()
    order = Order("compile", algorithm, meta, batch, keys, step.setting, 1, "cpu", "float32")
    (folder / ORDER).write_bytes(pickle.dumps(order))
    with subprocess.Popen([sys.executable, "-m", preparing.__name__, folder], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 1
    assert not folder.exists()


def test_an_order_that_cannot_be_read_is_told_and_not_raised(tmp_path: Path):
    (tmp_path / ORDER).write_bytes(b"nonsense")
    assert main(tmp_path) == 1
    assert (tmp_path / FAILURE).read_text(encoding="utf8")
