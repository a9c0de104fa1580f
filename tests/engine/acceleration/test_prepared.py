"""A meta-step that is compiled or replayed gives the numbers of the one that is not, and training goes on without."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
import torch
from torch.utils import _pytree as pytree

from tests.engine.acceleration.steps import CPU, difference, moved, problem
from tests.problems import alike, executor
from workbench.algorithms.base import Algorithm, Meta
from workbench.engine import acceleration
from workbench.engine.acceleration.base import Step
from workbench.engine.acceleration.prepared import AT_ONCE, Compiled, Replayed
from workbench.engine.acceleration.preparing import difference as relative
from workbench.engine.acceleration.switches import accelerated
from workbench.engine.control import Control
from workbench.engine.events import Checkpoint, Finished, Noticed, Started, Steps
from workbench.engine.executors.base import Executor, on_threads
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.executors.portions import Portions
from workbench.engine.executors.vectorized import Vectorized
from workbench.engine.session import Session
from workbench.engine.state import TrainState
from workbench.engine.trainer import train
from workbench.experiment.idle import idle
from workbench.experiment.resolve import resolve, with_settings

# A compiler may be slow to come where many tests want the machine.
PATIENCE = 240


def narrow(step: Step) -> Step:
    return step._replace(tensors=[one.float() if one.is_floating_point() else one for one in step.tensors])


@pytest.mark.parametrize(("kind", "within"), [
    (torch.float64, 1e-10), pytest.param(torch.float32, 1e-5, marks=pytest.mark.slow)])
def test_compiled_numbers_equal_those_that_are_not(kind: torch.dtype, within: float):
    algorithm, step = problem("maml")
    step = step if kind == torch.float64 else narrow(step)
    plain = executor("vectorized", algorithm)
    compiled = Compiled(plain, plain.threads)
    assert compiled.from_graph(step) is None
    compiled.finish()
    begins, takes_over = compiled.news()
    assert "is being compiled" in begins.sentence
    assert "takes over" in takes_over.sentence
    assert (begins.is_warning, takes_over.is_warning) == (False, False)
    others = [one + 0.1 if one.is_floating_point() else one for one in step.tensors]
    assert compiled.from_graph(step._replace(tensors=others)) is not None
    assert difference(step.gradient(compiled, others), step.gradient(plain, others)) < within
    compiled.close()


def preparing() -> list[psutil.Process]:
    """The processes that prepare something for this one."""
    return [one for one in psutil.Process().children() if f"{acceleration.__name__}.preparing" in one.cmdline()]


def test_what_fails_once_it_is_compiled_is_run_plainly_from_then_on():
    class Failing(Compiled, Replayed):
        kind, patience = "replay", AT_ONCE  # which is prepared sooner

        def load(self, folder: Path, places: MetaGradient) -> Any:
            def fail(_: list[torch.Tensor]) -> NoReturn:
                raise RuntimeError("run_func_(...) API call failed at model_container_runner.cpp, line 145")

            return replace(Replayed.load(self, folder, places), run=fail)

    algorithm, step = problem("maml")
    plain = executor("vectorized", algorithm)
    failing = Failing(plain, plain.threads)
    assert failing.from_graph(step) is None
    failing.finish()
    failing.news()
    for _ in range(2):  # the first asks for it, and it is begun with at the next
        assert failing.from_graph(narrow(step)) is None
    assert preparing()
    for _ in range(2):
        assert difference(step.gradient(failing, step.tensors), step.gradient(plain, step.tensors)) == 0
    assert not preparing()  # what memory there is is not shared any longer
    (told,) = failing.news()
    assert told.is_warning
    assert "training goes on without: what was compiled fails, perhaps for want of memory (run_func_" in told.sentence
    failing.close()


SHORT = ["training.acceleration=compile", "training.iterations=100000", "training.validation_tasks=2", "device=cpu",
         "training.validate_every=100000", "evaluation.tasks=2", "evaluation.probe_tasks=1"]


def test_training_goes_on_where_the_meta_step_cannot_be_compiled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    control = Control()
    noticed: list[Noticed] = []
    for event in train(resolve(with_settings({}, ["dataset=sinusoids", *SHORT])), control):
        if isinstance(event, Noticed):
            noticed.append(event)
            if len(noticed) == 2:
                control.stop()
    assert isinstance(event, Finished)
    begins, refused = noticed
    assert begins.message.startswith("the meta-step is being compiled")
    assert (begins.is_warning, refused.is_warning) == (False, True)
    assert refused.message.startswith("the meta-step is not compiled, and training goes on without: there is no C++ ")


def test_what_changes_as_the_training_goes_on_is_not_even_tried_to_compile():
    one = Session(resolve(with_settings({}, ["dataset=glyphs", "algorithm=maml_pp", "backbone.filters=2", *SHORT])))
    one.accelerate()
    (notice,) = one.notices
    assert notice.startswith("training.acceleration compile has no effect: the meta-step of MAML++ changes")
    assert not isinstance(one.executor, Compiled)
    one.close()


def test_a_switch_that_the_chosen_executor_leaves_without_effect_is_not_told_twice():
    said = ["dataset=glyphs", "backbone.filters=2", "training.executor=threads", *SHORT]
    one = Session(resolve(with_settings({}, said)))
    assert "training.acceleration" in idle(one.experiment)
    one.accelerate()
    assert one.notices == []
    assert not isinstance(one.executor, Compiled)
    one.close()


def test_what_is_not_compiled_has_threads_of_its_own():
    plainly: list[int] = []
    prepared: list[int] = []

    class Counting(Vectorized):
        def gradient(self, *arguments: Any) -> MetaGradient:
            plainly.append(torch.get_num_threads())
            return super().gradient(*arguments)

    class Noting(Compiled, Replayed):
        kind, patience = "replay", AT_ONCE  # which is prepared sooner

        def load(self, folder: Path, places: MetaGradient) -> Any:
            ready = Replayed.load(self, folder, places)

            def run(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
                prepared.append(torch.get_num_threads())
                return ready.run(tensors)

            return replace(ready, run=run)

    algorithm, step = problem("maml")
    compiled = Noting(Counting(algorithm, 3), 2)
    with on_threads(compiled.threads_of_caller):
        step.gradient(compiled, step.tensors)
        compiled.finish()
        step.gradient(compiled, step.tensors)
        assert torch.get_num_threads() == 2
    assert (plainly, prepared) == ([2], [3])
    compiled.close()


def test_a_run_that_ends_gives_up_what_is_being_compiled():
    experiment = resolve(with_settings({}, [
        "dataset=sinusoids", "training.acceleration=compile", "training.iterations=4", "training.validation_tasks=2",
        "evaluation.tasks=2", "evaluation.probe_tasks=1", "device=cpu"]))
    begun = time.monotonic()
    events = list(train(experiment))
    assert isinstance(events[-1], Finished)
    assert isinstance(events[0], Started)
    assert "training.acceleration is compile, which is for all tasks at once" in events[0].why
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


def test_steps_of_other_shapes_are_kept_apart():
    _, step = problem("maml")
    meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
    shorter = Step.of(Meta(*meta), batch.part(0, 2), keys[:2], step.setting)
    assert shorter.key() != step.key() == narrow(step)._replace(tensors=step.tensors).key()
    assert narrow(step).key() != step.key()


def switched(name: str, algorithm: Algorithm[Any]) -> Replayed:
    """An executor that finds everything it meets worth being written down."""
    found = accelerated("replay", executor(name, algorithm), CPU)
    assert isinstance(found, Replayed)
    found.patience = AT_ONCE
    return found


@pytest.fixture(params=["vectorized", "portions"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Replayed, Executor, Step]]:
    algorithm, step = problem("reptile", "classification", picture=True, tasks=5)
    one, other = switched(request.param, algorithm), executor(request.param, algorithm)
    if isinstance(other, Portions):
        other.goes_in_halves = True
    yield one, other, step
    one.close()
    other.close()


def test_an_executor_replays_once_there_is_a_script(pair: tuple[Replayed, Executor, Step]):
    one, other, step = pair
    assert alike(step.gradient(one, step.tensors), step.gradient(other, step.tensors))
    one.finish()
    assert not one.problem
    (said,) = one.news()
    assert said.sentence.endswith("are replayed from now on: faster, with the same numbers")
    assert not said.is_warning
    assert one.is_pooled == other.is_pooled
    meta, batch, keys = pytree.tree_unflatten(moved(step), step.tree)
    for size, threads in ((2, 1), (1, 1)) if isinstance(one.inner, Portions) else ((5, torch.get_num_threads()),):
        with on_threads(threads):
            assert one.graph_gradient(meta, batch.part(0, size), keys[:size], step.setting) is not None
    assert alike(step.gradient(one, moved(step)), step.gradient(other, moved(step)))


@pytest.mark.parametrize(("tasks", "threads"), [(3, 2), (5, 2), (6, 4)])
def test_two_threads_share_a_task_that_is_left_over_to_the_last_bit(tasks: int, threads: int):
    algorithm, step = problem("reptile", "classification", picture=True, tasks=tasks)
    plain, runner = Portions(algorithm, threads), Replayed(Portions(algorithm, threads))
    plain.goes_in_halves = True
    runner.patience = AT_ONCE
    with on_threads(1):
        wanted = step.gradient(plain, step.tensors)
        for _ in range(2):
            assert alike(step.gradient(runner, step.tensors), wanted)
            runner.finish()
        assert not runner.problem
        assert alike(step.gradient(runner, step.tensors), wanted)
        meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
        assert runner.halves(meta, batch.part(tasks - 1, tasks), keys[-1:], step.setting)
    plain.close()
    runner.close()


def test_what_changes_as_the_training_goes_on_is_not_replayed_and_the_numbers_are_there():
    algorithm, step = problem("maml_pp", "classification", picture=True)
    one = switched("vectorized", algorithm)
    wanted = step.gradient(executor("vectorized", algorithm), step.tensors)
    for _ in range(2):
        assert alike(step.gradient(one, step.tensors), wanted)
        one.finish()
    assert "changes as the training goes on" in one.problem
    one.close()


def test_every_shape_is_written_down_once_and_another_one_later_too():
    algorithm, step = problem("protonet", "classification", picture=True)
    meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
    one = switched("vectorized", algorithm)
    for tasks in (3, 2):
        arguments = meta, batch.part(0, tasks), keys[:tasks], step.setting
        assert one.graph_gradient(*arguments) is None
        one.finish()
        assert one.graph_gradient(*arguments) is not None
    one.close()


def test_a_step_is_written_down_only_after_a_while():
    algorithm, step = problem("maml", "regression")
    one = accelerated("replay", executor("vectorized", algorithm), CPU)
    assert isinstance(one, Replayed)
    one.patience = 0.3, 4, math.inf
    begun = time.perf_counter()
    for _ in range(8):  # often enough, and too soon
        assert one.from_graph(step) is None
    one.finish()
    if time.perf_counter() - begun < one.patience[0]:  # unless the machine was held up meanwhile
        assert not preparing()
    while (found := one.from_graph(step)) is None and time.perf_counter() - begun < PATIENCE:
        one.finish()
    assert found is not None
    assert time.perf_counter() - begun > one.patience[0]
    one.close()


def test_a_step_is_not_written_down_before_it_was_met_often_unless_late():
    algorithm, step = problem("maml", "regression")
    for patience, is_worth in (((0.0, 3, math.inf), False), ((math.inf, 0, 0.0), True)):
        one = Replayed(executor("vectorized", algorithm))
        one.patience = patience
        for _ in range(2):
            one.from_graph(step)
        one.finish()
        assert (one.from_graph(step) is not None) is is_worth
        one.close()


@pytest.mark.parametrize(("more", "until_then"), [([], Replayed), (["training.recompute=true"], Vectorized)])
def test_until_it_is_compiled_training_goes_on_as_it_does_without(more: list[str], until_then: type[Executor]):
    one = Session(resolve(with_settings({}, ["dataset=sinusoids", *SHORT, *more])))
    one.accelerate()
    assert isinstance(one.executor, Compiled)
    assert isinstance(one.executor.inner, until_then)
    one.close()


USUAL = ["dataset=sinusoids", "device=cpu", "algorithm=maml", "training.meta_batch=4",
         "training.validation_tasks=2", "training.validate_every=1000000", "training.checkpoint_every=1000000",
         "training.schedule=constant", "evaluation.tasks=2", "evaluation.probe_tasks=1"]


def ended(*more: str, control: Control | None = None, state: TrainState | None = None) -> TrainState:
    kept = state
    for event in train(resolve(with_settings({}, [*USUAL, *more])), control, state):
        if isinstance(event, Checkpoint):
            kept = event.state
        elif isinstance(event, Steps) and control and event.seconds > 15:
            control.stop()
    assert isinstance(event, Finished)
    assert kept is not None
    return kept


@pytest.mark.slow
@pytest.mark.parametrize("way", ["vectorized", "portions"])
def test_a_run_that_was_replayed_is_the_one_that_was_not_to_the_last_bit(way: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "workbench.engine.acceleration.prepared")
    executor = f"training.executor={way}"
    stopped = ended(executor, "training.iterations=1000000", control=Control())
    assert "is replayed" in caplog.text
    plain = ended(executor, "training.acceleration=none", f"training.iterations={stopped.step}")
    assert alike(stopped.meta, plain.meta)
    assert alike(stopped.optimizer, plain.optimizer)
