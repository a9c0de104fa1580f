"""Arrays of every shape, what is wrong with them, and that nothing in them is ever run."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.resolve import resolve
from workbench.tasks.base import STREAMS, TaskSource
from workbench.tasks.files.array_files import as_pictures, as_series, kind_of
from workbench.tasks.files.errors import DataError
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data

Opener = Callable[..., TaskSource]
place = np.random.default_rng(0)
LABELS = np.repeat(np.arange(15), 6)


def clusters(*shape: int) -> np.ndarray:
    return (place.normal(size=(15, *shape))[LABELS] + 0.1 * place.normal(size=(90, *shape))).astype(np.float32)


@pytest.mark.parametrize(("shape", "dataset", "input_shape"), [
    ((7,), "arrays", (7,)), ((2, 30), "array_series", (2, 30)), ((30, 2), "array_series", (2, 30)),
    ((8, 8), "array_pictures", (1, 8, 8)), ((9, 12, 3), "array_pictures", (3, 9, 12)),
    ((3, 9, 12), "array_pictures", (3, 9, 12))])
def test_the_shape_says_what_an_array_holds(tmp_path: Path, opened: Opener, shape: tuple[int, ...], dataset: str,
                                            input_shape: tuple[int, ...]) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=clusters(*shape), y=LABELS)
    recognized = recognize_data(path)
    assert (recognized.dataset, recognized.form) == (dataset, "arrays")
    source = opened(dataset, path=path)
    assert source.spec.input_shape == input_shape
    assert source.overview().classes == {"train": 5, "validation": 5, "test": 5}
    assert source.floors()[0].mean > 0.95
    report = check_data(path)
    assert (report["dataset"], report["classes"], report["examples"], report["problems"]) == (dataset, 15, 90, [])
    assert report["form"] == "arrays"
    assert report["usable"]


@pytest.mark.parametrize("classes", [6, 12, 20])
def test_inputs_that_are_all_the_same_are_said_before_anything_else(tmp_path: Path, classes: int) -> None:
    np.savez(tmp_path / "data.npz", x=np.ones((120, 4)), y=np.arange(120) % classes)
    (problem,) = check_data(tmp_path / "data.npz")["problems"]
    assert "all 120 vectors are the same in what a learner sees of them" in problem


def test_arrays_side_by_side_and_by_split_are_read(tmp_path: Path, opened: Opener) -> None:
    x = clusters(5)
    np.save(tmp_path / "X.npy", x)
    np.save(tmp_path / "y.npy", np.array([f"kind {label:02}" for label in LABELS]))
    assert recognize_data(tmp_path).dataset == "arrays"
    source = opened("arrays", path=tmp_path)
    assert source.names("train") <= {f"kind {label:02}" for label in range(15)}
    assert opened("arrays", path=tmp_path / "X.npy").names("train") == source.names("train")
    parts = tmp_path / "parts"
    parts.mkdir()
    for name, low in (("train", 0), ("val", 5), ("test", 10)):
        own = (low <= LABELS) & (low + 5 > LABELS)
        np.savez(parts / f"{name}.npz", data=x[own], labels=LABELS[own])
    source = opened("arrays", path=parts)
    assert source.names("test") == {str(label) for label in range(10, 15)}
    assert recognize_data(parts).dataset == "arrays"


@pytest.mark.parametrize("names", [("train", "val", "test"), (0, 1, 2)])
def test_splits_of_other_classes_each_are_kept_and_others_are_made_anew(tmp_path: Path, opened: Opener,
                                                                        names: tuple[Any, ...]) -> None:
    np.savez(tmp_path / "a.npz", x=clusters(4), y=LABELS, split=np.array(names)[LABELS // 5])
    assert opened("arrays", path=tmp_path / "a.npz").names("validation") == {str(label) for label in range(5, 10)}
    np.savez(tmp_path / "b.npz", x=clusters(4), y=LABELS, split=np.array(names)[np.arange(90) % 3])
    (problem,) = opened("arrays", path=tmp_path / "b.npz").overview().problems
    assert problem.startswith("15 of 15 classes are in more than one split: 0, 1, 2 and 12 more. The vectors of each")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("run_by_an_array"),)


def test_nothing_in_a_file_is_ever_run(tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "a.npz", x=np.array([Evil()], dtype=object), y=np.zeros(1), allow_pickle=True)
    (tmp_path / "x.npy").write_bytes(pickle.dumps(Evil()))
    np.save(tmp_path / "y.npy", np.zeros(1))
    for path in (tmp_path / "a.npz", tmp_path / "x.npy"):
        with pytest.raises(DataError, match="holds Python objects, which could run anything and are never opened"):
            opened("arrays", path=path)
        recognize_data(path)
    assert not (tmp_path / "run_by_an_array").exists()


@pytest.mark.parametrize(("arrays", "message"), [
    ({"y": LABELS}, "there is no array x; save the inputs under this name"),
    ({"x": clusters(3)}, "there is no array y with a label for each of x; save it under this name"),
    ({"x": clusters(3), "y": LABELS[:80]}, "x has 90 rows and y has 80; give each of x its own of y"),
    ({"x": clusters(3), "y": LABELS + 0.5}, r"y holds 0\.5, which is no label; for regression give x as \[tasks"),
    ({"x": clusters(3), "y": clusters(2)}, r"y has shape \[90, 2\], and labels are one for each of x"),
    ({"x": clusters(3), "y": LABELS, "split": np.zeros(3)}, "x has 90 rows and split has 3"),
    ({"x": clusters(3), "y": LABELS, "split": np.repeat("early", 90)}, "split holds 'early'; write train, validation"),
    ({"x": np.repeat("word", 90), "y": LABELS}, r"x is <U4 of shape \[90\], and what can be learned from is numbers"),
    ({"x": np.empty((0, 3)), "y": np.empty(0)}, r"x is float64 of shape \[0, 3\]"),
    ({"x": clusters(3) + np.nan, "y": LABELS}, "holds no example with numbers and a label"),
    ({"x": clusters(3), "y": np.zeros(90)}, "holds one class"),
    ({"x": clusters(3) + 1j, "y": LABELS}, "x is complex"),
    ({"x": clusters(3), "y": LABELS.astype(complex)}, "y is complex128; save labels as whole numbers or texts"),
])
def test_bad_arrays_say_what_is_wrong(tmp_path: Path, opened: Opener, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        opened("arrays", path=tmp_path / "a.npz")


def test_files_that_are_none_or_cut_or_of_several_names_say_so(tmp_path: Path, opened: Opener) -> None:
    np.savez(tmp_path / "whole.npz", x=clusters(3), y=LABELS)
    content = (tmp_path / "whole.npz").read_bytes()
    for name, data, message in (("cut.npz", content[:300], "cut.npz"), ("empty.npz", b"", "cannot be read"),
                                ("words.npz", b"words", "holds Python objects|cannot be read")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=message):
            opened("arrays", path=tmp_path / name)
        assert not check_data(tmp_path / name)["usable"]
    with pytest.raises(DataError, match=r"holds 4 files of arrays: .*name one of them"):
        opened("arrays", path=tmp_path)
    (tmp_path / "alone").mkdir()
    np.save(tmp_path / "alone" / "x.npy", clusters(3))
    with pytest.raises(DataError, match=r"there is no array y .*put y\.npy beside it"):
        opened("arrays", path=tmp_path / "alone")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no arrays that are called so"):
        opened("arrays", path=tmp_path / "none")


def test_rows_with_missing_numbers_or_labels_are_named_and_left_out(tmp_path: Path, opened: Opener) -> None:
    x = np.concatenate([clusters(3), clusters(3)[:3]])
    y = np.append(LABELS, [0, 1, 2]).astype(float)
    x[90, 1], x[91, 0], y[92] = np.nan, np.inf, np.nan
    np.savez(tmp_path / "a.npz", x=x, y=y)
    overview = opened("arrays", path=tmp_path / "a.npz").overview()
    assert sum(overview.examples.values()) == 90
    assert overview.problems == (
        "a.npz: 2 rows of x hold values that are missing, infinite or larger than 1e30 and were left out: 90, 91; "
        "correct them",
        "a.npz: row 92 of y holds no label and was left out; write one")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_of_every_length_are_looked_at(tmp_path: Path, opened: Opener, kind: type[np.floating]) -> None:
    x = clusters(3).astype(kind)
    x[0, 0], x[1, 2] = np.finfo(kind).max, -np.inf
    np.savez(tmp_path / "a.npz", x=x, y=LABELS)
    report = check_data(tmp_path / "a.npz")
    assert (report["usable"], report["classes"], report["examples"]) == (True, 15, 89 if kind is np.float16 else 88)
    x, y = (one.astype(kind) for one in waves())
    y[0, 0], x[1, 2, 0] = np.finfo(kind).max, np.nan
    np.savez(tmp_path / "b.npz", x=x, y=y)
    problems = opened("array_tasks", path=tmp_path / "b.npz", algorithm="maml").overview().problems
    assert [problem.split(" ")[2] for problem in problems] == (["1"] if kind is np.float16 else ["0", "1"])


def test_series_of_one_channel_are_told_from_vectors_by_dataset_toml(tmp_path: Path, opened: Opener) -> None:
    np.savez(tmp_path / "a.npz", x=clusters(32), y=LABELS)
    (tmp_path / "dataset.toml").write_text('form = "array_series"\n')
    assert recognize_data(tmp_path).dataset == "array_series"
    assert opened("array_series", path=tmp_path).spec.input_shape == (1, 32)


@pytest.mark.parametrize(("values", "low", "high"), [
    (np.array([0.0, 0.5, 1.0]), 0, 1), (np.array([0, 128, 255], np.uint8), 0, 255),
    (np.array([0.0, 90.0, 200.0]), 0, 255), (np.array([0, 40_000, 60_000]), 0, 65535),
    (np.array([-2.0, 0.0, 3.0]), -2, 3), (np.array([0, 1, 1], np.uint8), 0, 255),
    (np.array([False, True, True]), 0, 1)])
def test_pictures_of_any_numbers_become_bytes(values: np.ndarray, low: float, high: float) -> None:
    pictures, scale = as_pictures(values.reshape(3, 1, 1))
    assert pictures.dtype == np.uint8
    assert (scale["low"], scale["high"]) == (low, high)
    np.testing.assert_allclose(pictures.ravel(), 255 * (values.astype(float) - low) / (high - low), atol=0.51)
    assert (as_pictures(values.reshape(3, 1, 1), scale)[0] == pictures).all()


@given(st.tuples(st.integers(2, 9), st.integers(1, 40), st.integers(1, 40)))
@settings(max_examples=40, deadline=None)
def test_series_have_their_longer_axis_along_time(shape: tuple[int, int, int]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found, is_turned = as_series(x)
    assert found.shape[1] <= found.shape[2]
    assert (found == (x.transpose(0, 2, 1) if is_turned else x)).all()


def test_kinds_of_shapes() -> None:
    real, byte = np.dtype(np.float32), np.dtype(np.uint8)
    assert kind_of((40, 20, 3), real, (40, 20)) == "array_tasks"
    assert kind_of((40, 20, 3), real, (40, 20, 2)) == "array_tasks"
    assert kind_of((40, 20, 3), real, (40,)) == "array_series"
    assert kind_of((40, 9, 12), byte, (40,)) == "array_pictures"
    assert kind_of((40,), real, (40,)) is None
    assert kind_of((40, 3), real, None) is None


def waves(tasks: int = 30, count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    x = place.uniform(-3, 3, (tasks, count, 2)).astype(np.float32)
    slopes = place.normal(size=(tasks, 1, 2))
    return x, (x * slopes).sum(2)


def test_tasks_of_regression_are_drawn_from_their_own_examples_without_overlap(tmp_path: Path, opened: Opener) -> None:
    x, y = waves()
    np.savez(tmp_path / "a.npz", x=x, y=y)
    recognized = recognize_data(tmp_path / "a.npz")
    assert (recognized.dataset, recognized.form) == ("array_tasks", "arrays")
    source = opened("array_tasks", path=tmp_path / "a.npz", algorithm="maml", scale_targets=False,
                    task={"shots": 5, "queries": 7})
    assert source.overview().tasks == {"train": 18, "validation": 6, "test": 6}
    mean, deviation = torch.tensor(source.spec.mean), torch.tensor(source.spec.deviation)
    sides: dict[str, set[int]] = {}
    for stream in STREAMS:
        batch = source.sample(stream, range(40))
        assert batch.support.inputs.shape == (40, 5, 2)
        assert batch.query.targets.shape == (40, 7, 1)
        for task in range(40):
            raw = torch.cat([part.inputs[task] for part in batch]) * deviation + mean
            rows = [np.abs(x - point.numpy()).sum(2).argmin() for point in raw]
            assert len(set(rows)) == 12
            (own,) = {row // 20 for row in rows}
            sides.setdefault(stream, set()).add(own)
            found = torch.cat([part.targets[task] for part in batch])[:, 0].numpy()
            np.testing.assert_allclose(found, y.ravel()[rows], rtol=1e-4, atol=1e-4)
    assert sides["train"].isdisjoint(sides["test"] | sides["validation"])
    assert sides["test"].isdisjoint(sides["validation"])
    report = check_data(tmp_path / "a.npz")
    assert report["usable"]
    assert report["floor"]["metric"] == "mse"


def test_bad_tasks_say_what_is_wrong(tmp_path: Path, opened: Opener) -> None:
    x, y = waves()
    y[3, 4] = np.nan
    np.savez(tmp_path / "a.npz", x=x, y=y)
    source = opened("array_tasks", path=tmp_path / "a.npz", algorithm="maml")
    assert source.overview().problems[0].startswith("a.npz: task 3 has 1 example with numbers that are missing")
    np.savez(tmp_path / "b.npz", x=x, y=y[:, :10])
    with pytest.raises(DataError, match=r"x has shape \[30, 20, 2\] and y has \[30, 10\] \(float64\); tasks of regr"):
        opened("array_tasks", path=tmp_path / "b.npz", algorithm="maml")
    np.savez(tmp_path / "c.npz", x=x[:2], y=y[:2])
    with pytest.raises(DataError, match="holds 2 tasks, and training, validation and testing need one"):
        opened("array_tasks", path=tmp_path / "c.npz", algorithm="maml")


def test_each_suggests_a_network_that_fits() -> None:
    for dataset, backbone in (("arrays", "mlp"), ("array_series", "conv1d"), ("array_pictures", "conv4"),
                              ("array_tasks", "mlp")):
        assert resolve({"dataset": {"name": dataset}}).backbone.name == backbone
