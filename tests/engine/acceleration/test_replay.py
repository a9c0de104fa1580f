"""A replayed list of operations gives the numbers of what it was written from, to the last bit."""

from __future__ import annotations

import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from tests.engine.acceleration.steps import moved, problem
from tests.peaks import peak_bytes
from tests.problems import KINDS, algorithms_for, alike, executor
from workbench.engine.acceleration.base import ChangingError, Step
from workbench.engine.acceleration.preparing import difference, flat
from workbench.engine.acceleration.replay import Chain, Line, Script, Use
from workbench.engine.acceleration.writing import recorded, script
from workbench.engine.executors.vectorized import Vectorized
from workbench.engine.session import Session
from workbench.engine.ways.weight_gradients import convolutions, set_weights_by_columns
from workbench.engine.words import is_out_of_memory
from workbench.experiment.resolve import resolve, with_settings

# Their meta-step depends on how much of the training is done.
CHANGING = {"maml_pp", "meta_nas"}
# They take so many inner steps that reading them takes long.
LONG = {"baseline", "baseline_pp", "imaml", "meta_transfer"}


@pytest.mark.parametrize(("kind", "name"), [
    pytest.param(kind, name, marks=[pytest.mark.slow] if name in LONG else [])
    for kind in KINDS for name in algorithms_for(kind)])
def test_every_method_is_replayed_and_gives_the_numbers_of_its_graph_on_other_tasks(kind: Any, name: str):
    algorithm, step = problem(name, kind, picture=kind == "classification")
    assert algorithm.changes == (name in CHANGING)
    if algorithm.changes:
        with pytest.raises(ChangingError):
            flat(algorithm, step)
        return
    graph, tree = flat(algorithm, step)
    written = pickle.loads(pickle.dumps(script(graph, step.tensors)))  # noqa: S301 - our own
    run, (first, second) = written.run(), (half.run() for half in written.halves())
    for tensors in (moved(step), step.tensors):
        with torch.no_grad():
            wanted = graph(*tensors)
        assert alike(run(tensors), wanted)
        assert alike(second(first(tensors)), wanted)
        plain = step.gradient(executor("vectorized", algorithm), tensors)
        assert pytree.tree_structure(plain) == tree
        assert difference(wanted, pytree.tree_leaves(plain)) < 1e-9


@pytest.mark.parametrize("settings", [
    ("algorithm=maml", "algorithm.inner_steps=2", "backbone.downsampling=max_pool"),
    ("algorithm=maml", "backbone.downsampling=stride", "backbone.normalization=inductive"), ("algorithm=protonet",),
    ("algorithm=reptile", "algorithm.inner_steps=2"), ("algorithm=meta_sgd",), ("algorithm=ridge",)])
@pytest.mark.parametrize("by_columns", [False, True])
def test_pictures_give_the_numbers_of_the_step_that_is_not_replayed(settings: tuple[str, ...], by_columns: bool):
    session = Session(resolve(with_settings({}, ["dataset=glyphs", "backbone=conv4", "backbone.filters=8",
                                                 "device=cpu", "training.meta_batch=2", *settings])))
    set_weights_by_columns(session.algorithm, tuple(convolutions(session.algorithm)) if by_columns else ())
    batch, keys = session.batch("train", range(2))
    step = Step.of(session.init(), batch, keys, session.setting(training=True))
    graph, tree = flat(session.algorithm, step)
    run = script(graph, step.tensors).run()
    wanted = step.gradient(Vectorized(session.algorithm, 1), moved(step))
    assert alike(pytree.tree_unflatten(run(moved(step)), tree), wanted)
    session.close()


def test_what_the_interpreter_does_not_know_is_refused_before_anything_is_replayed():
    given = torch.tensor([1.0, 2.0])
    with pytest.raises(RuntimeError, match="Schema not found"):
        script(make_fx(lambda one: [(one * 2).view(torch.int32) + 1])(given), [given]).run()([given])


def test_halves_have_as_many_products_and_hand_on_no_more_than_is_used():
    def function(value: Tensor, other: Tensor) -> list[Tensor]:
        early = value @ other
        return [((early * 2).exp() @ early).cos().sin() * other, value.sum()]

    given = [torch.arange(4.0).reshape(2, 2), torch.ones(2, 2)]
    written = script(make_fx(function)(*given), given)
    first, second = written.halves()
    products = [[line.operation[0] for line in half.lines].count("aten::mm") for half in (first, second)]
    assert products == [1, 1]
    assert second.given == len(first.outputs) == 3  # what was given, and the first product
    assert alike(second.run()(first.run()(given)), function(*given))


def test_halves_are_cut_where_least_is_handed_on_of_what_is_near_the_middle():
    def function(value: Tensor) -> list[Tensor]:
        for _ in range(8):  # as inner steps do, each keeps what it makes until its end
            kept = [value @ value for _ in range(10)]
            value = torch.stack(kept).sum(0)
        return [value]

    given = torch.eye(2) / 10
    first, second = script(make_fx(function)(given), [given]).halves()
    assert [[line.operation[0] for line in half.lines].count("aten::mm") for half in (first, second)] == [40, 40]
    assert second.given == 1
    assert alike(second.run()(first.run()([given])), function(given))


def test_results_are_forgotten_after_their_last_use():
    def function(given: Tensor) -> list[Tensor]:
        for _ in range(40):
            given = given.flip(0)
        return [given]

    given = torch.ones(1000)
    run = script(make_fx(function)(given), [given]).run()
    assert peak_bytes(lambda: run([given])) == 2 * given.nbytes  # what an operation reads, and what it makes


def test_threads_may_replay_the_same_at_once_and_leave_the_interpreter_as_it_was():
    given = torch.rand(64, 64)
    run = script(make_fx(lambda one: [one.matmul(one).sin()])(given), [given]).run()
    wanted = [given.matmul(given).sin()]

    def once(_: int) -> bool:
        return alike(run([given]), wanted) and torch._C._get_graph_executor_optimize()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(once, range(200)))


def test_python_goes_on_while_a_list_is_replayed():
    given = torch.rand(400, 400)

    def function(one: Tensor) -> list[Tensor]:
        for _ in range(300):
            one = one.matmul(one).sin()
        return [one]

    run, looks = script(make_fx(function)(given), [given]).run(), 0
    begun, done = threading.Event(), threading.Event()

    def replay() -> None:
        begun.set()
        run([given])
        done.set()

    other = threading.Thread(target=replay)
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)  # nobody is made to give way
    try:
        other.start()
        assert begun.wait(60)
        while not done.is_set():
            looks += 1
            done.wait()  # gives way
        other.join()
    finally:
        sys.setswitchinterval(before)
    assert looks > 0


def test_an_error_says_what_was_wrong_rather_than_where_the_interpreter_was():
    run = Script(1, (Line(("aten::new_zeros", "default"), (Use(0), [10**14], None, None, None, None), 1),), (1,)).run()
    with pytest.raises(RuntimeError, match=r"^\[enforce fail.*DefaultCPUAllocator") as caught:
        run([torch.zeros(1)])
    assert is_out_of_memory(caught.value)
    assert torch._C._get_graph_executor_optimize()


def test_what_refuses_to_go_on_refuses_when_it_is_replayed():
    singular, regular = torch.zeros(1, 2, 2), torch.eye(2)[None]
    graph = make_fx(lambda one: [torch.linalg.inv(one)])(regular)
    run = script(graph, [regular]).run()
    assert alike(run([regular * 2]), [regular / 2])
    with pytest.raises(RuntimeError, match="singular"):
        run([singular])


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_script_for_each_entry_is_the_script_again_and_again(entries: int, size: int, seed: int):
    draw = torch.Generator().manual_seed(seed)

    def body(tensors: list[Tensor]) -> list[Tensor]:
        kept, entry, factor = tensors
        kept.add_(entry * factor)
        return [kept.sum(), entry + kept, kept]

    def numbers() -> list[Tensor]:
        return [torch.zeros(size), torch.randn(entries, size, generator=draw), torch.tensor(0.5)]

    each = recorded(body, [torch.zeros(size), torch.ones(size), torch.tensor(0.5)]).run_for_each([1])
    kept, given_entries, factor = numbers()
    again = kept.clone()
    found = each([kept, given_entries, factor])
    singly = [[one.clone() for one in body([again, entry, factor])] for entry in given_entries]
    wanted = [torch.stack(values) for values in zip(*singly, strict=True)]
    assert alike(found, wanted)
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
