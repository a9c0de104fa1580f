"""Runs on disk: written before they are shown, and never lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.engine.control import Control
from workbench.engine.events import Checkpoint, Evaluation, Failed, Finished, Noticed, Probe, Score, Started, Steps
from workbench.experiment.registry import UnknownNameError
from workbench.experiment.resolve import resolve, with_settings
from workbench.runs import record
from workbench.runs.files import RunFileError, read_tensors, write_tensors, write_text
from workbench.runs.history import History
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunBusyError, RunStore
from workbench.tasks.files.errors import DataError

TINY = ["dataset=sinusoids", "training.iterations=12", "training.meta_batch=3", "training.validation_tasks=4",
        "evaluation.tasks=6", "evaluation.probe_tasks=2", "device=cpu", "training.validate_every=4",
        "training.checkpoint_every=3"]


def tiny(*more: str):
    return resolve(with_settings({}, [*TINY, *more]))


def trained(store: RunStore, *more: str) -> Run:
    run = store.create(tiny(*more))
    for _ in recorded(run):
        pass
    return run


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "my runs")


def same(one: Run, other: Run) -> bool:
    first, second = one.state().tensors(), other.state().tensors()
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def test_every_event_is_on_disk_before_it_is_passed_on(store):
    run = store.create(tiny())
    for seen, event in enumerate(recorded(run), 1):
        on_disk = list(record.read(run.record))
        assert len(on_disk) == seen
        if isinstance(event, Checkpoint):
            assert run.state().step == event.step


def test_a_record_gives_back_the_events_that_were_written(store):
    run = store.create(tiny("algorithm.test_steps=3"))
    live = list(recorded(run))
    back = list(record.read(run.record))
    for one, other in zip(live, back, strict=True):
        if isinstance(one, Checkpoint):
            assert (one.step, one.is_best) == (other.step, other.is_best)
        elif isinstance(one, Steps):
            assert one.first == other.first
            assert np.array_equal(one.loss, other.loss)
            assert np.array_equal(one.gradient_norm, other.gradient_norm)
        elif isinstance(one, Probe):
            assert np.array_equal(one.adaptation.loss, other.adaptation.loss)
            assert np.array_equal(one.shown.outputs, other.shown.outputs)
        elif isinstance(one, Started):
            assert one.floors == other.floors
            assert np.array_equal(one.shown[0].support_inputs, other.shown[0].support_inputs)
        else:
            assert one == other


def test_pictures_survive_the_record(store):
    run = store.create(resolve(with_settings({}, ["training.iterations=1", "training.meta_batch=1", "device=cpu",
                                                  "backbone.filters=4", "training.validation_tasks=2",
                                                  "evaluation.tasks=2", "evaluation.probe_tasks=1"])))
    started = next(event for event in recorded(run) if isinstance(event, Started))
    again = next(record.read(run.record))
    assert again.shown[0].query_inputs.dtype == np.uint8
    assert np.array_equal(again.shown[0].query_inputs, started.shown[0].query_inputs)
    assert again.shown[0].class_names == started.shown[0].class_names


def test_a_history_is_the_same_live_and_from_disk(store):
    run = store.create(tiny())
    live = History.of(recorded(run))
    back = run.history()
    assert live.step == back.step == 12
    assert np.array_equal(live.loss.values, back.loss.values)
    assert live.validations == back.validations
    assert live.test == back.test
    assert live.checkpoints == back.checkpoints
    assert isinstance(back.ended, Finished)


@pytest.mark.parametrize(("metric", "reached", "floors", "said"), [
    ("accuracy", 0.9, {"nearest mean": 0.61}, "the floor is accuracy 61.00 %: nearest mean, which learns nothing"),
    ("accuracy", 0.61, {"nearest mean": 0.61}, "no better than nearest mean, which learns nothing: accuracy 61.00 %"),
    ("mse", 0.4, {"ridge": 0.5, "mean": 0.7}, "the floor is mse 0.5: ridge, which learns nothing"),
    ("mse", 0.6, {"ridge": 0.5, "mean": 0.7}, "no better than ridge, which learns nothing: mse 0.5"),
    ("mse", 0.6, {}, ""),
])
def test_a_test_result_is_told_beside_what_learns_nothing(store, metric, reached, floors, said):
    history = trained(store).history()
    history.started = replace(history.started, floors=floors)
    history.test = replace(history.test, metric=metric, score=Score(reached, 0.01))
    verdicts = history.verdicts()
    assert [one.words.partition(";")[0] for one in verdicts] == ([said] if said else [])
    assert all(one.is_better == said.startswith("the floor") for one in verdicts)
    history.test = None
    assert not history.verdicts()


def test_a_stopped_run_resumes_to_the_end_of_an_uninterrupted_one(store):
    whole, stopped = trained(store), store.create(tiny())
    control = Control()
    for event in recorded(stopped, control):
        if isinstance(event, Probe) and event.step == 5:
            control.stop()
    assert stopped.summary().status == "stopped"
    for _ in recorded(stopped, resume=True):
        pass
    assert same(whole, stopped)
    assert np.array_equal(whole.history().loss.values, stopped.history().loss.values)
    assert stopped.summary().mean == whole.summary().mean


def test_resuming_from_an_older_checkpoint_forgets_what_came_after(store):
    whole = trained(store, "training.keep_checkpoints=100")
    run = trained(store, "training.keep_checkpoints=100")
    control = Control()
    events = recorded(run, control, resume=True, step=3)
    next(events)
    assert run.history().step == 3
    assert [kept.step for kept in run.kept()][-1] == 3
    assert run.summary().mean is None
    control.stop()
    for _ in events:
        pass
    meta, step = run.best_meta()
    assert step == run.state().best_step <= 3
    assert all(torch.equal(value, run.state().best.params[name]) for name, value in meta.params.items())
    for _ in recorded(run, resume=True):
        pass
    assert same(whole, run)
    assert run.history().step == 12


def test_a_checkpoint_that_is_not_there_is_refused_with_those_that_are(store):
    run = trained(store)
    with pytest.raises(RunFileError, match=r"no checkpoint of step 5 \(there are: 9, 12\)"):
        next(recorded(run, resume=True, step=5))


@pytest.mark.parametrize("kept_at_once", [1, 2])
def test_a_crash_between_a_checkpoint_and_its_line_loses_nothing(store, kept_at_once):
    whole = trained(store)
    run = trained(store, f"training.keep_checkpoints={kept_at_once}")
    # As if the program had died right after it wrote the file of step 12: neither its line nor what follows is there.
    lines = run.record.read_text().splitlines(keepends=True)
    last = max(index for index, line in enumerate(lines) if line.startswith('{"event": "kept"'))
    if kept_at_once == 1:
        previous = run.folder / "checkpoints" / "step-00000009.safetensors"
        previous.write_bytes((trained(store, "training.keep_checkpoints=9").folder / "checkpoints" / previous.name
                              ).read_bytes())
    run.record.write_text("".join(lines[:last]))
    for _ in recorded(run, resume=True):
        pass
    assert same(whole, run)
    assert [one.step for one in run.history().validations] == [one.step for one in whole.history().validations]


def test_a_stop_inside_a_validation_repeats_nothing_after_resuming(store):
    whole, run = trained(store), store.create(tiny())
    control = Control()
    for event in recorded(run, control):
        if isinstance(event, Probe) and event.step == 8:
            control.stop()
    for _ in recorded(run, resume=True):
        pass
    told, expected = run.history(), whole.history()
    assert [probe.step for probe in told.probes] == [probe.step for probe in expected.probes]
    assert told.validations == expected.validations
    assert same(whole, run)


def test_only_the_wanted_checkpoints_are_kept_and_the_best_beside_them(store):
    run = trained(store, "training.keep_checkpoints=2")
    assert [path.name for path in run.checkpoints()] == ["step-00000009.safetensors", "step-00000012.safetensors"]
    meta, step = run.best_meta()
    assert step == run.state().best_step
    assert all(torch.equal(value, run.state().best.params[name]) for name, value in meta.params.items())


def test_a_killed_program_leaves_an_interrupted_run_that_resumes_bit_equal(store):
    long = ("training.iterations=1500", "training.validate_every=500", "training.checkpoint_every=50")
    whole, run = trained(store, *long), store.create(tiny(*long))
    code = ("import sys; from pathlib import Path; from workbench.runs.store import Run\n"
            "from workbench.runs.recording import recorded\n"
            "from workbench.engine.events import Checkpoint\n"
            "for event in recorded(Run(Path(sys.argv[1]))):\n"
            "    if isinstance(event, Checkpoint) and event.step >= 100: print('kept', flush=True)")
    with subprocess.Popen([sys.executable, "-c", code, str(run.folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "kept\n"
        assert run.is_busy()
        os.kill(process.pid, signal.SIGKILL)
    assert not run.is_busy()
    assert run.summary().status == "interrupted"
    for _ in recorded(run, resume=True):
        pass
    assert same(whole, run)


def test_a_line_cut_off_while_it_was_written_is_passed_over(store):
    run = trained(store)
    before = len(list(record.read(run.record)))
    with run.record.open("a") as file:
        file.write('{"event": "steps", "first": 13, "lo')
    assert len(list(record.read(run.record))) == before


def test_a_damaged_line_is_named_with_its_number(store):
    run = trained(store)
    lines = run.record.read_text().splitlines(keepends=True)
    lines[2] = "{]\n"
    run.record.write_text("".join(lines))
    with pytest.raises(RunFileError, match=r"events\.jsonl, line 3: is damaged"):
        list(record.read(run.record))


def test_a_lost_summary_is_rebuilt_from_the_record(store):
    run = trained(store)
    before = run.summary()
    (run.folder / "summary.json").write_text("{}broken")
    after = run.summary()
    told = ("status", "steps", "mean", "ci95", "validation")
    assert [getattr(after, name) for name in told] == [getattr(before, name) for name in told]


def test_two_programs_cannot_train_one_run(store):
    run = store.create(tiny())
    first = recorded(run)
    next(first)
    with pytest.raises(RunBusyError, match="is being trained"):
        next(recorded(Run(run.folder), resume=True))
    first.close()
    assert not run.is_busy()


def test_closing_the_events_early_leaves_a_whole_record_and_no_thread(store):
    run = store.create(tiny("training.executor=threads"))
    events = recorded(run)
    for event in events:
        if isinstance(event, Steps):
            break
    events.close()
    assert run.summary().status == "interrupted"
    assert run.history().step >= 1


def test_an_experiment_whose_data_will_not_do_leaves_no_folder_behind(store, tmp_path):
    run = store.create(resolve(with_settings({}, ["dataset=image_folder", f"dataset.path={tmp_path / 'absent'}"])))
    with pytest.raises(DataError, match="absent"):
        next(recorded(run))
    assert not run.folder.exists()


def test_a_diverged_run_is_failed_with_its_message(store):
    run = store.create(tiny("algorithm.inner_lr=1000", "training.outer_lr=100", "training.optimizer=sgd"))
    assert isinstance(list(recorded(run))[-1], Failed)
    summary = run.summary()
    assert summary.status == "failed"
    assert "diverged" in summary.message


def test_runs_are_numbered_and_found_by_name_or_folder(store):
    first, second = trained(store, "training.iterations=1"), store.create(tiny())
    assert [run.id for run in store.runs()] == ["maml-sinusoids-0001", "maml-sinusoids-0002"]
    assert store.find(second.id).folder == second.folder
    assert store.find(str(first.folder)).id == first.id
    with pytest.raises(UnknownNameError, match="did you mean 'maml-sinusoids-0002'"):
        store.find("maml-sinusoid-0002")


def test_a_run_gives_back_its_experiment_and_is_deleted_whole(store):
    experiment = tiny("seed=42")
    run = store.create(experiment)
    assert run.experiment() == experiment
    run.delete()
    assert store.runs() == []


def test_a_missing_or_damaged_checkpoint_is_named(store):
    run = store.create(tiny())
    with pytest.raises(RunFileError, match="no checkpoint"):
        run.state()
    path = run.folder / "checkpoints" / "step-00000001.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(RunFileError, match=r"step-00000001\.safetensors: cannot be read"):
        run.state()


def test_where_the_latest_checkpoint_is_damaged_the_one_before_it_is_gone_on_with(store):
    whole, run = (trained(store, "training.keep_checkpoints=4") for _ in range(2))
    for path in run.checkpoints()[-2:]:
        os.truncate(path, 100)
    damaged = run.checkpoints()[-2:]
    before = run.checkpoints()[-3]
    first, second, *_, last = recorded(run, resume=True)
    assert isinstance(first, Started)
    assert isinstance(second, Noticed)
    assert second.step == int(before.name.removeprefix("step-").split(".")[0])
    assert second.message == f"{damaged[1]} is damaged; going on from the checkpoint before it"
    assert second.is_warning
    assert isinstance(last, Finished)
    assert same(run, whole)


def test_where_every_checkpoint_is_damaged_nothing_is_forgotten(store):
    run = trained(store)
    for path in run.checkpoints():
        os.truncate(path, 100)
    files = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    with pytest.raises(RunFileError, match=re.escape(f"{run.checkpoints()[-1]}: cannot be read")):
        list(recorded(run, resume=True))
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(("numbers", "told"), [({"why": 3}, "why: Input should be a valid string"),
                                               ({"threads": None}, "threads: Input should be a valid integer")])
def test_a_number_of_a_checkpoint_that_is_none_is_named(store, numbers: dict[str, object], told: str):
    run = trained(store)
    path = run.checkpoints()[-1]
    state = run.state()
    write_tensors(path, state.tensors(), state.numbers() | numbers)
    with pytest.raises(RunFileError, match=re.escape(f"{path}: is damaged ({told}")):
        run.state()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept.safetensors"
    write_tensors(path, {"a": torch.ones(2)}, {"step": 1})
    with pytest.raises(TypeError):
        write_tensors(path, {"a": torch.zeros(2)}, {"step": object()})
    tensors, about = read_tensors(path)
    assert torch.equal(tensors["a"], torch.ones(2))
    assert about == {"step": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["kept.safetensors"]
    write_text(tmp_path / "text", "one")
    write_text(tmp_path / "text", "two")
    assert (tmp_path / "text").read_text() == "two"


def test_the_rate_and_the_remaining_time_come_from_the_record(store):
    history = trained(store, "training.iterations=600").history()
    assert history.tasks_per_second() > 0
    assert history.remaining_seconds() == 0
    assert json.loads((store.runs()[0].folder / "summary.json").read_text())["steps"] == 600


def test_the_best_validation_is_the_one_that_the_best_checkpoint_was_chosen_by(store):
    run = trained(store)
    best = run.history().best_validation
    assert isinstance(best, Evaluation)
    assert best.step == run.state().best_step


@pytest.mark.parametrize("odd", ['{"status": "weird"}', '{"mean": "x", "steps": "a"}', "[]", ""])
def test_an_odd_summary_is_rebuilt_from_the_record(store, odd):
    run = trained(store)
    before = run.summary()
    (run.folder / "summary.json").write_text(odd)
    assert (run.summary().status, run.summary().mean) == (before.status, before.mean)


def test_a_run_whose_experiment_was_emptied_is_not_taken_for_another(store):
    run = trained(store)
    (run.folder / "experiment.toml").write_text("")
    with pytest.raises(RunFileError, match="does not name dataset, backbone and algorithm"):
        run.experiment()
