"""The compiled meta-step gives the numbers of the one that is not, and training goes on where it cannot be had."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils import _pytree as pytree

from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.algorithms.base import Algorithm, Meta
from workbench.engine.acceleration import preparing
from workbench.engine.acceleration.base import AccelerationError, ChangingError, Step
from workbench.engine.acceleration.prepared import Compiled
from workbench.engine.acceleration.preparing import FAILURE, ORDER, Order, are_as_near, flat, main
from workbench.engine.acceleration.preparing import difference as relative
from workbench.engine.acceleration.switches import accelerated, refused_accelerations
from workbench.engine.control import Control
from workbench.engine.events import Checkpoint, Finished, Noticed, Started, Steps
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.state import TrainState
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, with_settings

# A compiler may be slow to come where many tests want the machine.
PATIENCE = 240


def problem(name: str, kind: Any = "regression", *, picture: bool = False, **config: Any
            ) -> tuple[Algorithm[Any], Step]:
    about = spec(kind, 3, picture)
    algorithm, meta = make(name, about, **config)
    batch, keys = noise_tasks(about, tasks=3, ways=3, shots=2, queries=2)
    return algorithm, Step.of(meta, batch, keys, setting(algorithm, about))


def difference(one: MetaGradient, other: MetaGradient) -> float:
    return relative(pytree.tree_leaves(one), pytree.tree_leaves(other))


def narrow(step: Step) -> Step:
    return step._replace(tensors=[one.float() if one.is_floating_point() else one for one in step.tensors])


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


@pytest.mark.parametrize(("kind", "within"), [
    (torch.float64, 1e-10), pytest.param(torch.float32, 1e-5, marks=pytest.mark.slow)])
def test_compiled_numbers_equal_those_that_are_not(kind: torch.dtype, within: float):
    algorithm, step = problem("maml")
    step = step if kind == torch.float64 else narrow(step)
    plain = executor("vectorized", algorithm)
    compiled = Compiled(plain)
    assert compiled.faster(step) is None
    compiled.finish()
    assert "takes over" in compiled.news()[0]
    others = [one + 0.1 if one.is_floating_point() else one for one in step.tensors]
    assert compiled.faster(step._replace(tensors=others)) is not None
    assert difference(step.gradient(compiled, others), step.gradient(plain, others)) < within
    compiled.close()


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


def test_without_a_compiler_the_reason_is_left_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    algorithm, step = problem("maml")
    meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
    (tmp_path / ORDER).write_bytes(pickle.dumps(Order("compile", algorithm, meta, batch, keys, step.setting, 1, "cpu")))
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
    (folder / ORDER).write_bytes(pickle.dumps(Order("compile", algorithm, meta, batch, keys, step.setting, 1, "cpu")))
    with subprocess.Popen([sys.executable, "-m", preparing.__name__, folder], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 1
    assert not folder.exists()


def test_an_order_that_cannot_be_read_is_told_and_not_raised(tmp_path: Path):
    (tmp_path / ORDER).write_bytes(b"nonsense")
    assert main(tmp_path) == 1
    assert (tmp_path / FAILURE).read_text(encoding="utf8")


def test_training_goes_on_where_the_meta_step_cannot_be_compiled():
    experiment = resolve(with_settings({}, [
        "dataset=glyphs", "algorithm=maml_pp", "backbone.filters=2", "training.meta_batch=1", "device=cpu",
        "training.acceleration=compile", "training.iterations=100000", "training.validation_tasks=2",
        "evaluation.tasks=2", "evaluation.probe_tasks=1", "training.validate_every=100000"]))
    control = Control()
    noticed: list[str] = []
    for event in train(experiment, control):
        if isinstance(event, Noticed):
            noticed.append(event.message)
            control.stop()
    assert isinstance(event, Finished)
    assert noticed[0].startswith("the meta-step is not compiled, and training goes on without: its meta-step changes")


def test_a_run_that_ends_gives_up_what_is_being_compiled():
    experiment = resolve(with_settings({}, [
        "dataset=sinusoids", "training.acceleration=compile", "training.iterations=4", "training.validation_tasks=2",
        "evaluation.tasks=2", "evaluation.probe_tasks=1", "device=cpu"]))
    begun = time.monotonic()
    events = list(train(experiment))
    assert isinstance(events[-1], Finished)
    assert isinstance(events[0], Started)
    assert "training.acceleration compile works on all tasks at once" in events[0].why
    assert time.monotonic() - begun < PATIENCE / 4


@pytest.mark.slow
def test_a_run_that_was_taken_over_ends_and_resumes_as_one_that_was_not_to_rounding():
    # Steps that take long, so that few of them, and little rounding, come before the compiler is done.
    usual = ["dataset=sinusoids", "task.shots=50", "task.queries=50", "training.meta_batch=400", "device=cpu",
             "training.schedule=constant", "training.executor=vectorized", "training.validation_tasks=2",
             "training.validate_every=1000000", "training.checkpoint_every=1000000", "evaluation.tasks=2",
             "evaluation.probe_tasks=1", "algorithm=maml"]

    def ended(*more: str, control: Control | None = None, state: TrainState | None = None) -> TrainState:
        kept, taken_over = state, 0
        for event in train(resolve(with_settings({}, [*usual, *more])), control, state):
            if isinstance(event, Noticed) and "takes over" in event.message:
                taken_over = event.step
            elif isinstance(event, Checkpoint):
                kept = event.state
            elif isinstance(event, Steps) and control and taken_over and event.first > taken_over + 10:
                control.stop()
        assert kept is not None
        assert taken_over or not control
        return kept

    compiled = ended("training.acceleration=compile", "training.iterations=1000000", control=Control())
    plain = ended(f"training.iterations={compiled.step}")
    further = f"training.iterations={compiled.step + 10}"
    resumed, whole = ended("training.acceleration=compile", further, state=compiled), ended(further)
    for found, wanted in ((compiled, plain), (resumed, whole)):
        assert found.step == wanted.step
        assert relative(pytree.tree_leaves(found.meta), pytree.tree_leaves(wanted.meta)) < 1e-3


def test_what_runs_many_tasks_at_once_is_accelerated_and_only_a_gpu_captures():
    algorithm, _ = problem("maml")
    threads = executor("threads", algorithm)
    assert accelerated("compile", threads, torch.device("cpu")) is threads
    portions = executor("portions", algorithm)
    for kind in ("compile", "graphs"):
        assert accelerated(kind, portions, torch.device("cuda")) is portions
    threads.close()
    portions.close()
    for name, device in product(("threads", "portions"), ("cpu", "cuda")):
        assert set(refused_accelerations(device, name)) == {"compile", "graphs"}
    assert refused_accelerations("cuda", "vectorized") == {}
    with pytest.raises(AccelerationError, match="need an NVIDIA GPU, and this run is on the CPU"):
        accelerated("graphs", executor("vectorized", algorithm), torch.device("cpu"))


def test_steps_of_other_shapes_are_kept_apart():
    _, step = problem("maml")
    meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
    shorter = Step.of(Meta(*meta), batch.part(0, 2), keys[:2], step.setting)
    assert shorter.key() != step.key() == narrow(step)._replace(tensors=step.tensors).key()
    assert narrow(step).key() != step.key()
