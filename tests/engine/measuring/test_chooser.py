"""The chooser: what is measured, what is remembered, and when neither is done."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from workbench import places
from workbench.engine.distribution.world import World
from workbench.engine.events import Checkpoint, Started
from workbench.engine.executors import EXECUTORS
from workbench.engine.measuring import chooser, remembered
from workbench.engine.measuring.chooser import Trial, candidates, choose, correct, foresee, measure
from workbench.engine.session import Session
from workbench.engine.state import TrainState
from workbench.engine.trainer import train
from workbench.engine.ways.weight_gradients import convolutions
from workbench.engine.ways.work import Way, cores
from workbench.experiment.experiment import Experiment
from workbench.experiment.resolve import resolve, with_settings

T = TypeVar("T")
LONG = "training.iterations=1000000"


def experiment(*settings: str) -> Experiment:
    return resolve(with_settings({}, ["dataset=sinusoids", "training.meta_batch=3", "device=cpu", *settings]))


def session(*settings: str) -> Session:
    return Session(experiment(*settings))


@pytest.fixture(autouse=True)
def quick(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chooser, "BUDGET_SECONDS", 0.05)


def test_a_short_run_is_run_by_rule_and_measures_nothing():
    choice = choose(session("training.iterations=100"))
    assert (choice.way, "by a rule" in choice.why) == (Way("vectorized", 1, 3), True)
    assert not places.cache().exists()


def test_a_long_run_is_measured_once_and_then_remembered():
    first = choose(session(LONG))
    assert "that were measured (" in first.why
    again = choose(session(LONG))
    assert again.way == first.way
    assert re.fullmatch(r"remembered as the best of \d+ that were measured here on \d{4}-\d\d-\d\d", again.why)


def test_what_is_remembered_is_taken_by_short_runs_and_foreseen_without_measuring():
    foreseen = foresee(session(LONG)).why
    assert foreseen == "by a rule of thumb, until the start of a run measures which way is the fastest"
    assert not places.cache().exists()
    way = choose(session(LONG)).way
    for later in (choose(session("training.iterations=100")), foresee(session(LONG))):
        assert later.way == way
        assert later.why.startswith("remembered")


def test_what_is_remembered_gives_way_to_what_is_found_to_be_clearly_faster():
    one = session(LONG)
    slow, fast = Way("vectorized", 1, 3), Way("portions", 2, 2)
    assert correct(one, {slow: 2.0, fast: 1.0}) is None  # nothing is remembered that could be wrong
    before = choose(one).way
    other = next(way for way in candidates(one) if way != before)
    assert correct(one, {before: 1.05, other: 1.0}) is None
    assert correct(one, {other: 1.0}) is None
    assert choose(one).way == before
    found = correct(one, {before: 2.0, other: 1.0})
    assert found is not None
    assert found.way == other
    assert choose(session(LONG)).way == other


@pytest.mark.parametrize(("before", "said"), [
    ("training.acceleration=auto", "training.executor=vectorized"),
    ("training.acceleration=none", "training.acceleration=compile")])
def test_what_the_person_said_is_not_taken_for_what_is_remembered(before: str, said: str):
    way = choose(session(LONG, before)).way
    one = session(LONG, before, said)
    assert remembered.way_of(one) is not None
    slow, fast = foresee(one).way, Way("portions", 2, 2)
    assert correct(one, {slow: 2.0, fast: 1.0}) is None
    assert choose(session(LONG, before)).way == way


@pytest.mark.parametrize("other", ["algorithm.inner_steps=2", "task.shots=3", "training.meta_batch=5",
                                   "backbone.widths=8,8", "algorithm=reptile", "dataset=harmonics"])
def test_what_changes_the_work_is_measured_anew(other: str):
    choose(session(LONG))
    assert "measured (" in choose(session(LONG, other)).why


@pytest.mark.parametrize("other", ["training.outer_lr=0.5", "training.iterations=999999", "seed=5"])
def test_what_leaves_the_work_alone_is_remembered(other: str):
    choose(session(LONG))
    assert choose(session(LONG, other)).why.startswith("remembered")


def kept(way: str, day: str = "2026-01-31") -> str:
    """A file with one answer."""
    return f'{{"KEY": {{"way": {way}, "of": 3, "on": "{day}"}}}}'


@pytest.mark.parametrize("damage", [
    "", "{", "[1]", "[" * 100_000, '{"KEY": {"weights_by_columns": []}}', kept('["vectorized"]'),
    kept('{"executor": "vectorized"}'), kept('["no", 1, 1]'), kept('["threads", 1, -1]'),
    kept('["threads", 100000, 1]'), kept('["threads", 1, 1000000000000]'), kept('["threads", true, 1]'),
    kept('["threads", 1, 1]', "today")], ids=range(13))
def test_a_damaged_file_is_done_without(damage: str):
    choose(session(LONG))
    path = places.cache() / "ways.json"
    key = next(iter(json.loads(path.read_text(encoding="utf8"))))
    path.write_text(damage.replace("KEY", key), encoding="utf8")
    assert "measured (" in choose(session(LONG)).why
    assert choose(session(LONG)).why.startswith("remembered")


def test_a_folder_that_cannot_be_written_is_done_without(own_folders: Path):
    places.cache().parent.mkdir(parents=True, exist_ok=True)
    places.cache().write_text("no folder", encoding="utf8")
    assert all("measured (" in choose(session(LONG)).why for _ in range(2))


def test_the_person_has_the_last_word():
    choice = choose(session(LONG, "training.executor=threads"))
    assert (choice.way.executor, choice.why) == ("threads", "as training.executor says")


@pytest.mark.parametrize("acceleration", ["auto", "compile"])
def test_who_chooses_for_all_processes_waits_for_none_of_them(acceleration: str):
    class Listening(World):
        told_of = 0

        def broadcast(self, value: T | None) -> T:
            self.told_of += 1
            return super().broadcast(value)

    world = Listening()
    one = Session(experiment(LONG, f"training.acceleration={acceleration}"), world=world)
    before = world.told_of
    assert before
    assert choose(one).way.executor in EXECUTORS
    assert world.told_of == before
    one.close()


def test_every_executor_is_a_candidate_on_a_cpu_and_no_portion_is_empty():
    found = candidates(session("training.meta_batch=16"))
    assert {way.executor for way in found} == set(EXECUTORS) - {"columns"}  # there are no convolutions
    assert all(1 <= way.chunk <= 16 and (not EXECUTORS[way.executor].is_pooled or way.chunk >= way.threads)
               for way in found)


def test_convolutions_are_tried_grouped_and_by_columns():
    found = candidates(session("dataset=glyphs", "backbone=conv4", "backbone.filters=4", "training.meta_batch=2"))
    assert {way.executor for way in found} == set(EXECUTORS)


def test_portions_are_tried_larger_and_smaller_than_the_rules_say():
    one = session("dataset=glyphs", "backbone=conv4", "backbone.filters=64", "training.meta_batch=256")
    said = one.training_work.chunk("portions", cores(), 256)
    sizes = {way.chunk for way in candidates(one) if way.executor == "portions"}
    assert {said, min(2 * said, one.training_work.in_time(cores()))} <= sizes
    assert max(sizes) > said


def test_no_portion_takes_longer_than_a_person_who_stops_should_wait():
    one = session("dataset=glyphs", "backbone=conv4", "backbone.filters=64", "task.ways=20", "task.shots=5",
                  "training.meta_batch=64")
    most = max(one.training_work.in_time(cores()), cores())
    assert all(way.chunk <= most for way in candidates(one) if way.executor == "portions")


def test_what_is_told_anew_is_forgotten_last(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remembered, "_MOST", 2)
    one, other, third = (session(LONG, f"training.meta_batch={tasks}") for tasks in (3, 4, 5))
    before = choose(one).way
    choose(other)
    slow = next(way for way in candidates(one) if way != before)
    assert correct(one, {before: 2.0, slow: 1.0}) is not None
    choose(third)
    assert choose(one).why.startswith("remembered")
    assert "measured (" in choose(other).why


def test_which_gradients_of_weights_are_matrix_products_is_measured_for_each_convolution_and_remembered():
    settings = (LONG, "dataset=glyphs", "backbone=conv4", "backbone.filters=16")
    choose(session(*settings))
    path = places.cache() / "ways.json"
    # Whatever was the fastest here, let it be one that has a choice.
    path.write_text(json.dumps({key: one | {"way": ["vectorized", 1, 4]} for key, one in json.loads(
        path.read_text(encoding="utf8")).items() if "way" in one}), encoding="utf8")
    first = choose(session(*settings))
    names = list(convolutions(session(*settings).algorithm))
    assert set(first.way.weights_by_columns) <= set(names)
    assert ("matrix product" in first.why) == bool(first.way.weights_by_columns)
    answers = json.loads(path.read_text(encoding="utf8"))
    key, = (key for key, one in answers.items() if "weights_by_columns" in one)
    path.write_text(json.dumps({**answers, key: {"weights_by_columns": [3]}}), encoding="utf8")
    choose(session(*settings))
    assert json.loads(path.read_text(encoding="utf8"))[key] != {"weights_by_columns": [3]}
    path.write_text(json.dumps({**answers, key: {"weights_by_columns": names[2:]}}), encoding="utf8")
    again = choose(session(*settings))
    assert again.way.weights_by_columns == tuple(names[2:])
    assert again.why.endswith("; weight gradients of 2 convolutions are matrix products")
    assert choose(session(*settings, "training.iterations=10")).way == again.way
    for other in ("training.executor=portions", "training.executor=threads"):
        assert choose(session(*settings, other)).way.weights_by_columns == ()


def test_a_run_keeps_its_matrix_products_when_it_is_resumed_and_ends_the_same_to_the_last_bit():
    short = experiment("dataset=glyphs", "backbone=conv4", "backbone.filters=4", "training.iterations=3",
                       "training.checkpoint_every=1", "training.validation_tasks=2", "evaluation.tasks=2",
                       "evaluation.probe_tasks=1")
    names = tuple(convolutions(Session(short).algorithm))[1:]
    one = Session(short, Way("vectorized", weights_by_columns=names))
    assert [name for name, layer in convolutions(one.algorithm).items() if layer.weights_by_columns] == [*names]
    first, *_, plain = states(short)
    assert first.weights_by_columns == ()
    told = TrainState.of(first.tensors(), json.loads(json.dumps({**first.numbers(), "weights_by_columns": names})))
    later = states(short, told)
    assert [state.weights_by_columns for state in later] == [names] * len(later)
    again = states(short, next(state for state in later if state.step == 2))[-1]
    assert (again.step, again.weights_by_columns) == (3, names)
    for name, value in later[-1].meta.params.items():
        assert torch.equal(again.meta.params[name], value)
        torch.testing.assert_close(value, plain.meta.params[name], rtol=1e-4, atol=1e-5)


def states(run: Experiment, state: TrainState | None = None) -> list[TrainState]:
    return [event.state for event in train(run, state=state) if isinstance(event, Checkpoint)]


def test_all_candidates_are_measured():
    one = session("training.meta_batch=2")
    assert set(measure(one)) == set(candidates(one))
    one.close()


def test_who_falls_far_behind_is_measured_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chooser, "BUDGET_SECONDS", 2.0)
    timed: Counter[str] = Counter()
    time_once = chooser._time

    def counting(trial: Trial, rounds: dict[Way, list[float]]) -> None:
        timed[trial.way.executor] += 1
        time_once(trial, rounds)

    monkeypatch.setattr(chooser, "_time", counting)
    one = session("dataset=glyphs", "backbone.filters=16", "training.meta_batch=2", "training.executor=auto")
    found = measure(one)
    one.close()
    least = {name: min(seconds for way, seconds in found.items() if way.executor == name) for name in timed}
    assert least["columns"] > chooser._FIRST_HOPE * least["vectorized"]  # or this network does not serve
    assert timed["columns"] == 1
    assert timed["vectorized"] > 1


def test_several_portions_are_timed_for_threads_go_on_with_the_next():
    one = session("training.meta_batch=64")
    assert chooser._tasks_to_time(one, Way("portions", 2, 4)) > 4
    assert chooser._tasks_to_time(one, Way("vectorized", 2, 4)) == 4
    one.close()


@pytest.mark.parametrize("algorithm", ["reptile", "maml_pp"])
def test_a_way_is_measured_as_a_run_goes_it(algorithm: str):
    one = session("dataset=glyphs", "backbone.filters=2", f"algorithm={algorithm}", "training.meta_batch=5",
                  "training.executor=portions")
    batch, keys = one.batch("train", range(5), one.algorithm.stage(0.0))
    trial = Trial(one, Way("portions", 2, 4), batch, keys, one.init())
    one.use(Way("portions", 2, 4))
    assert trial.executor.under_way(4, 5) == one.executor.under_way(4, 5)
    trial.close()
    one.close()


def test_portions_count_as_fast_as_replaying_makes_them():
    portions, other = Way("portions", 2, 4), Way("vectorized", 2, 8)
    for seconds, is_replayed, rule, wanted in (
            (0.9, True, portions, portions), (0.9, False, portions, other), (0.7, True, portions, other),
            (0.97, False, portions, portions), (0.88, True, other, other), (0.95, True, other, portions),
            (0.95, False, other, other), (1.1, False, other, portions)):
        assert chooser._best({portions: 1.0, other: seconds}, rule, is_replayed=is_replayed) == wanted
    said = chooser._in_words(portions, {portions: 1.0, other: 0.95}, is_replayed=True)
    assert said == ("what should be, once training replays its steps, the fastest of 2 that were measured "
                    "(1e+03 ms a task before they are replayed, vectorized 0.95 times as long)")
    told = chooser._in_words(portions, {portions: 1.0, other: 0.98}, is_replayed=False)
    assert told.startswith("by a rule of thumb, and hardly slower than the fastest of 2 that were measured (")


def test_threads_count_as_slow_as_they_are_beside_what_is_replayed():
    threads, other = Way("threads", 2, 8), Way("vectorized", 2, 8)
    for seconds, is_replayed, wanted in ((0.9, True, other), (0.9, False, threads), (0.7, True, threads)):
        assert chooser._best({threads: seconds, other: 1.0}, other, is_replayed=is_replayed) == wanted
    said = chooser._in_words(other, {threads: 0.9, other: 1.0}, is_replayed=True)
    assert said.startswith("what should be, once training replays its steps, the fastest of 2 that were measured (")


def test_measuring_leaves_the_first_parameters_and_the_threads_alone():
    before, one = torch.get_num_threads(), session(LONG)
    first = {name: value.clone() for name, value in one.init().params.items()}
    choose(one)
    assert torch.get_num_threads() == before
    assert all(torch.equal(first[name], value) for name, value in one.init().params.items())
    one.close()


def test_a_run_says_what_was_chosen_and_keeps_it_when_it_is_resumed(monkeypatch: pytest.MonkeyPatch):
    # The run is as short as tests are, and counts as long.
    monkeypatch.setattr(chooser, "_WORTH_SECONDS", 0.0)
    short = experiment("training.iterations=2", "training.checkpoint_every=1", "training.validation_tasks=2",
                       "evaluation.tasks=2", "evaluation.probe_tasks=1")
    said = list(train(short))
    begun, kept = said[0], next(event for event in said if isinstance(event, Checkpoint) and event.step == 1)
    assert isinstance(begun, Started)
    assert "measured" in begun.why
    other = next(way for way in candidates(Session(short)) if way.executor != begun.executor)
    (places.cache() / "ways.json").unlink()
    monkeypatch.setattr(chooser, "_best", lambda *_, **__: other)
    resumed = next(iter(train(short, state=kept.state)))
    assert isinstance(resumed, Started)
    assert (resumed.executor, resumed.chunk, resumed.threads) == (begun.executor, begun.chunk, begun.threads)
    assert resumed.why == f"as before, {begun.why}"
    again = next(event for event in train(short, state=kept.state) if isinstance(event, Checkpoint))
    assert again.state.why == begun.why  # however often
