"""New tasks of recordings, series and arrays as a learner takes them, and what is said where they will not do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.places import sample_tasks
from workbench.tasks.base import Spec, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.own.new_task import read_new_task, usual_spec, why_new_task

Opener = Callable[..., TaskSource]

SAMPLES = [("recordings", "calls", "new_calls"), ("series", "gestures", "new_gestures"),
           ("array_pictures", "arrays/seals.npz", "new_arrays")]


@pytest.mark.parametrize(("dataset", "known", "new"), SAMPLES)
def test_the_samples_go_together(opened: Opener, dataset: str, known: str, new: str) -> None:
    source = opened(dataset, path=sample_tasks() / known)
    assert not source.overview().problems
    assert min(source.overview().classes.values()) >= 5
    assert source.overview().classes["train"] >= 10
    assert 0.25 < source.floors()[0].mean < 0.9
    task = read_new_task(sample_tasks() / new, source.spec)
    assert len(task.class_names) == 5
    names = [name for split in ("train", "validation", "test") for name in source.names(split)]
    assert set(task.class_names).isdisjoint(names)
    assert task.support.inputs.shape == task.query_inputs.shape == (10, *source.spec.input_shape)
    assert sorted(task.support.targets.tolist()) == sorted([*range(5)] * 2)
    assert not task.problems
    # They look as what the learner was trained on does.
    assert task.support.inputs.mean().abs() < 0.7
    assert 0.4 < task.query_inputs.std() < 2


@pytest.mark.parametrize(("dataset", "known", "new"), SAMPLES)
def test_their_reports_find_nothing_wrong(dataset: str, known: str, new: str) -> None:
    report = check_data(sample_tasks() / known)
    assert (report["dataset"], report["usable"], report["problems"]) == (dataset, True, [])
    report = check_data(sample_tasks() / new)
    assert (report["form"], report["usable"], report["problems"]) == ("new task", True, [])
    assert (report["classes"], report["examples"]) == (5, 20)
    assert report["splits"]["query"] == {"classes": 0, "examples": 10}


def test_a_spec_that_was_written_down_reads_the_same_task(opened: Opener) -> None:
    import json
    from dataclasses import asdict
    for dataset, known, new in SAMPLES:
        spec = opened(dataset, path=sample_tasks() / known).spec
        again = Spec.of(json.loads(json.dumps(asdict(spec))))
        first, second = (read_new_task(sample_tasks() / new, one) for one in (spec, again))
        assert torch.equal(first.query_inputs, second.query_inputs)


@pytest.mark.parametrize("sample", ["new_wave", "new_arrays", "new_gestures", "new_messages", "new_minerals"])
def test_files_of_a_task_may_be_called_in_capitals(tmp_path: Path, sample: str) -> None:
    for path in (sample_tasks() / sample).iterdir():
        shutil.copy(path, tmp_path / path.name.title())
    said, renamed = check_data(sample_tasks() / sample), check_data(tmp_path)
    assert (renamed["form"], renamed["usable"]) == ("new task", True)
    assert {**renamed, "path": ""} == {**said, "path": ""}


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    shutil.copytree(sample_tasks() / "new_calls", tmp_path / "calls")
    return tmp_path / "calls"


@pytest.fixture
def spec_of_calls() -> Spec:
    return Spec("classification", "image", (1, 32, 18), 5,
                reading={"form": "recordings", "rate": 4000, "seconds": 0.2, "mels": 32})


def test_bad_recordings_of_a_new_task_are_named_and_left_out(calls: Path, spec_of_calls: Spec) -> None:
    (calls / "drip" / "empty.wav").write_bytes(b"")
    (calls / "unlabelled" / "words.wav").write_text("words")
    (calls / "notes.txt").write_text("words")
    task = read_new_task(calls, spec_of_calls)
    assert len(task.support.inputs) == len(task.query_inputs) == 10
    assert [problem.split(" ")[0] for problem in task.problems] == ["1", "drip/empty.wav", "unlabelled/words.wav"]
    assert why_new_task(calls)


def test_what_a_folder_of_recordings_lacks_to_be_a_task_is_said(calls: Path, tmp_path: Path,
                                                               spec_of_calls: Spec) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no class folders; put a few labelled recordings of each class"):
        read_new_task(tmp_path / "empty", spec_of_calls)
    for path in (calls / "unlabelled").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 10 recordings to predict in .* can be read: .*is empty"):
        read_new_task(calls, spec_of_calls)
    shutil.rmtree(calls / "unlabelled")
    with pytest.raises(DataError, match="holds no recordings to predict; put some into it beside the class folders"):
        read_new_task(calls, spec_of_calls)
    shutil.move(calls / "drip" / "drip 1.wav", calls / "unknown.wav")
    for path in list(calls.iterdir()):
        if path.is_dir() and path.name != "drip":
            shutil.rmtree(path)
    with pytest.raises(DataError, match="holds readable recordings of 1 class and a task needs two or more"):
        read_new_task(calls, spec_of_calls)


SERIES = Spec("classification", "series", (2, 16), 5, (0.0, 1.0), (1.0, 2.0), reading={
    "form": "time series", "channels": 2, "length": 16, "names": ["x", "y"], "fit": "resample"})


def write_series(path: Path, header: str, first: float, second: float, steps: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + f"{first},{second}\n" * steps)


def test_files_with_a_series_each_are_brought_to_the_learner_s_length_and_channels(tmp_path: Path) -> None:
    for label in ("a", "b"):
        write_series(tmp_path / label / "1.csv", "x,y\n", 1, 2)
        write_series(tmp_path / label / "2.csv", "y,x\n", 2, 1, 33)
    write_series(tmp_path / "unlabelled" / "q.csv", "", 3, 4)
    write_series(tmp_path / "unlabelled" / "r.csv", "x,y,z\n", 3, 4)
    (tmp_path / "unlabelled" / "s.csv").write_text("x\n1\n2\n")
    task = read_new_task(tmp_path, SERIES)
    assert task.support.inputs.shape == (4, 2, 16)
    assert task.support.inputs.mean(2).tolist() == [[1, 0.5]] * 4
    assert task.query_names == ("unlabelled/q.csv",)
    assert task.query_inputs.mean(2).tolist() == [[3, 1.5]]
    assert task.problems == (
        "unlabelled/r.csv has 2 cells in line 2 and 3 in the first; give every line as many",
        "unlabelled/s.csv has 1 channel and this learner knows 2; give it as many")
    assert usual_spec(tmp_path).input_shape == (2, 20)


def test_tables_of_series_say_what_they_lack(tmp_path: Path) -> None:
    one = replace(SERIES, input_shape=(1, 16), mean=(0.0,), deviation=(1.0,))
    header = ",".join(f"t{step}" for step in range(12))
    cells = ",".join(str(step % 5) for step in range(12))
    (tmp_path / "support.csv").write_text(f"kind,{header}\na,{cells}\nb,{cells}\nb,words{cells[1:]}\n")
    with pytest.raises(DataError, match=r"holds no query\.csv; a new task for this learner is a support\.csv with"):
        read_new_task(tmp_path, one)
    (tmp_path / "query.csv").write_text(f"{header}\n{cells}\n{cells[:9]}\n")
    task = read_new_task(tmp_path, one)
    assert task.class_names == ("a", "b")
    assert task.query_names == ("query.csv, line 2", "query.csv, line 3")
    assert task.problems == ("support.csv, line 4: 'words' in column 2 is no number; correct it or delete the line",)
    with pytest.raises(DataError, match=r"support\.csv has 1 channel and this learner knows 2"):
        read_new_task(tmp_path, SERIES)
    (tmp_path / "support.csv").write_text(f"kind,{header}\na,{cells}\n")
    with pytest.raises(DataError, match=r"support\.csv holds series of 1 class and a task needs two or more"):
        read_new_task(tmp_path, one)
    (tmp_path / "support.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"support\.csv is empty"):
        read_new_task(tmp_path, one)


def test_arrays_of_values_are_scaled_as_the_learner_s_were(tmp_path: Path) -> None:
    spec = Spec("regression", "vector", (3,), 1, (1.0, 2.0, 3.0), (1.0, 1.0, 2.0), reading={
        "form": "arrays", "target_mean": [10.0], "target_deviation": [5.0]})
    np.savez(tmp_path / "support.npz", x=np.ones((4, 3)), y=np.arange(4) + 0.5)
    np.savez(tmp_path / "query.npz", x=np.full((6, 3), 3.0))
    task = read_new_task(tmp_path, spec)
    assert task.class_names == ()
    assert task.support.inputs[0].tolist() == [0, -1, -1]
    assert task.support.targets[:, 0].tolist() == pytest.approx([(value + 0.5 - 10) / 5 for value in range(4)])
    assert task.query_names[5] == "query.npz, row 5"
    assert usual_spec(tmp_path).kind == "regression"
    np.savez(tmp_path / "support.npz", x=np.ones((4, 3)), y=np.ones((4, 2)))
    with pytest.raises(DataError, match=r"y is float64 of shape \[4, 2\], and this learner needs 1 finite value for"):
        read_new_task(tmp_path, spec)


def test_arrays_of_another_shape_or_without_their_file_say_so(tmp_path: Path) -> None:
    spec = Spec("classification", "vector", (3,), 5, reading={"form": "arrays"})
    with pytest.raises(DataError, match=r"holds no support\.npz; a new task for this learner is a support\.npz with x"):
        read_new_task(tmp_path, spec)
    np.savez(tmp_path / "support.npz", x=np.ones((4, 3)), y=np.array(["a", "a", "b", "b"]))
    np.savez(tmp_path / "query.npz", x=np.ones((2, 4)))
    with pytest.raises(DataError, match=r"an example of x has shape \[4\], .*this learner takes \[3\]"):
        read_new_task(tmp_path, spec)
    np.savez(tmp_path / "query.npz", x=np.array([[1, 2, 3], [np.nan, 2, 3]]))
    task = read_new_task(tmp_path, spec)
    assert task.query_names == ("query.npz, row 0",)
    assert task.problems[0].startswith("query.npz: 1 row of x holds values that are missing")
    np.savez(tmp_path / "support.npz", x=np.ones((4, 3)), y=np.zeros(4))
    with pytest.raises(DataError, match="holds 1 class and a task needs two or more"):
        read_new_task(tmp_path, spec)
