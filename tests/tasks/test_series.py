"""Time series: a row or a file each, of any length and channels, with gaps and dirt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.registry import found
from workbench.experiment.resolve import resolve
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError, FileError
from workbench.tasks.files.resampling import filled, fitted, trimmed, usual_length
from workbench.tasks.files.series_files import read_series
from workbench.tasks.files.series_rows import read_rows
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.own.by_label import sorted_by_label
from workbench.tasks.sampling.classes import ClassTasks

Opener = Callable[..., TaskSource]
NAMES = [f"motion {i:02}" for i in range(15)]


def wave(number: int, take: int, steps: int) -> np.ndarray:
    place = np.random.default_rng(100 * number + take)
    return np.sin(np.linspace(0, 2 + number, steps) + place.uniform(0, 0.3)) + 0.05 * place.normal(size=steps)


def rows_text(sign: str = ",", header: bool = True, short: bool = False) -> str:
    lines = [sign.join(["label", *(f"t{step}" for step in range(24))])] if header else []
    for number, name in enumerate(NAMES):
        for take in range(6):
            steps = 24 - 4 * (take % 3) if short else 24
            cells = [f"{value:.4f}" for value in wave(number, take, steps)]
            label = name if header else str(number + 1)
            lines.append(sign.join([label, *cells, *[""] * (24 - steps)]))
    return "\n".join([*lines, ""])


def write_files(root: Path, channels: int = 2, header: str = "x,y\n") -> Path:
    for number, name in enumerate(NAMES):
        for take in range(6):
            table = np.stack([wave(number, take + 10 * channel, 18 + take) for channel in range(channels)], 1)
            path = root / name / f"{take}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(header + "\n".join(",".join(f"{value:.4f}" for value in row) for row in table))
    return root


def inputs(source: TaskSource) -> torch.Tensor:
    assert isinstance(source, ClassTasks)
    return source.labelled.inputs


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
                                                ) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "rows.csv").write_text(rows_text())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for place in (tmp_path / "rows.csv", write_files(tmp_path / "files")):
        assert "not kept in the cache (" in opened("series", path=place).overview().facts


def nameless_rows(fewest: int, most: int, *, padded: bool = True, last: bool = False, labelled: bool = True,
                  digits: bool = False) -> str:
    """Noisy series of unequal lengths without a header, as the UCR archive has them."""
    random = np.random.default_rng(0)
    lines = []
    for number in range(200):
        values = np.sin(np.arange(most) * (0.1 + 0.03 * (number % 20)) + random.normal(size=most))
        steps = int(random.integers(fewest, most + 1))
        cells = [*(f"{value:.3f}" for value in values[:steps]), *[""] * (padded * (most - steps))]
        label = [f"{'' if digits else 'g'}{number % 20}"] if labelled else []
        lines.append(",".join([*cells, *label] if last else [*label, *cells]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("text", [
    nameless_rows(40, 60), nameless_rows(20, 60), nameless_rows(55, 60), nameless_rows(60, 60),
    nameless_rows(40, 60, last=True), nameless_rows(40, 60, digits=True), nameless_rows(60, 60, digits=True),
    nameless_rows(40, 60, padded=False)])
def test_rows_of_numbers_without_a_header_are_series_whether_they_end_early_or_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "motions.csv").write_text(text)
    report = check_data(tmp_path / "motions.csv")
    assert (report["form"], report["classes"], report["examples"]) == ("time series", 20, 200)
    assert not report["problems"]


def test_ends_of_series_are_no_tasks_even_where_no_column_says_the_class(tmp_path: Path) -> None:
    (tmp_path / "motions.csv").write_text(nameless_rows(40, 60, labelled=False))
    recognized = recognize_data(tmp_path / "motions.csv")
    assert recognized.form == "unknown"
    assert "values repeat as those of a class do" in recognized.why


def test_features_in_any_order_are_no_series_though_some_rows_lack_the_last(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    centres = random.normal(0, 2, (20, 20))
    rows = [[f"g{number % 20}", *(f"{value:.3f}" for value in centres[number % 20] + random.normal(size=20))]
            for number in range(200)]
    for row in rows[::4]:
        row[-1] = ""
    (tmp_path / "flowers.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    assert recognize_data(tmp_path / "flowers.csv").form == "one table, classes in a column"


@pytest.mark.parametrize(("sign", "suffix"), [(",", "csv"), ("\t", "tsv"), (";", "csv")])
def test_a_series_in_every_row_is_read_with_any_sign_between_the_cells(tmp_path: Path, opened: Opener, sign: str,
                                                                       suffix: str) -> None:
    path = tmp_path / f"motions.{suffix}"
    text = rows_text(sign)
    path.write_text(text.replace(".", ",") if sign == ";" else text)
    source = opened("series", path=path)
    assert source.spec.input_kind == "series"
    assert source.spec.input_shape == (1, 24)
    assert source.overview().form == "time series"
    assert not source.overview().problems
    assert sum(source.overview().examples.values()) == 90
    assert source.names("test") <= set(NAMES)
    row = source.labelled.names.index("motion 03") * 6 + 2  # type: ignore[attr-defined]
    np.testing.assert_allclose(inputs(source)[row, 0], wave(3, 2, 24), atol=1e-4)
    assert source.describe("test", 0).support_files[0].startswith(f"motions.{suffix}, line ")
    report = check_data(path)
    assert (report["dataset"], report["classes"], report["examples"], report["usable"]) == ("series", 15, 90, True)


def test_the_layout_of_the_ucr_archive_is_recognized_and_its_two_halves_are_taken_together(
        tmp_path: Path, opened: Opener) -> None:
    lines = rows_text("\t", header=False).splitlines()
    (tmp_path / "Moves_TRAIN.tsv").write_text("\n".join(lines[::2]))
    (tmp_path / "Moves_TEST.tsv").write_text("\n".join(lines[1::2]))
    (tmp_path / "README.txt").write_text("words about it")
    recognized = recognize_data(tmp_path)
    assert (recognized.dataset, recognized.form) == ("series", "time series")
    source = opened("series", path=tmp_path)
    overview = source.overview()
    assert sum(overview.examples.values()) == 90
    assert "the classes were split anew" in overview.facts
    assert overview.problems[0].startswith("15 of 15 classes are in more than one split: 1, 2, 3 and 12 more. The ser")
    assert source.names("train") | source.names("validation") | source.names("test") == {
        str(number + 1) for number in range(15)}


@pytest.mark.parametrize("fit", ["resample", "crop"])
def test_rows_that_end_early_are_brought_to_one_length(tmp_path: Path, opened: Opener, fit: str) -> None:
    (tmp_path / "motions.csv").write_text(rows_text(short=True))
    source = opened("series", path=tmp_path, fit=fit)
    assert source.spec.input_shape == (1, 20)
    assert "20 steps, " in source.overview().facts
    assert "from 16-24" in source.overview().facts
    assert opened("series", path=tmp_path, length=33).spec.input_shape == (1, 33)
    assert not source.overview().problems


def test_numbered_columns_of_several_names_are_channels(tmp_path: Path, opened: Opener) -> None:
    names = [f"{axis}_{step}" for axis in ("ax", "ay", "az") for step in range(12)]
    lines = [",".join(["subject", *names, "activity"])]
    for number, name in enumerate(NAMES):
        for take in range(6):
            cells = [f"{v:.3f}" for axis in range(3) for v in wave(number, take + 7 * axis, 12)]
            lines.append(",".join([f"person {take}", *cells, name]))
    (tmp_path / "motions.csv").write_text("\n".join(lines))
    source = opened("series", path=tmp_path)
    assert source.spec.input_shape == (3, 16)
    assert source.spec.reading["names"] == ["ax", "ay", "az"]
    assert source.names("train") <= set(NAMES)


def test_a_file_each_in_class_folders(tmp_path: Path, opened: Opener) -> None:
    source = opened("series", path=write_files(tmp_path))
    assert source.spec.input_shape == (2, 20)
    assert source.spec.reading["names"] == ["x", "y"]
    assert not source.overview().problems
    recognized = recognize_data(tmp_path)
    assert recognized.dataset == "series"
    assert check_data(tmp_path)["examples"] == 90


def test_arrays_of_one_series_each(tmp_path: Path, opened: Opener) -> None:
    for number, name in enumerate(NAMES):
        (tmp_path / name).mkdir()
        for take in range(6):
            values = np.stack([wave(number, take, 30), wave(number, take + 9, 30)])
            np.save(tmp_path / name / f"{take}.npy", values if take % 2 else values.T)
    np.save(tmp_path / NAMES[0] / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / NAMES[0] / "cube.npy", np.zeros((3, 3, 3)))
    source = opened("series", path=tmp_path)
    assert source.spec.input_shape == (2, 30)
    problems = source.overview().problems
    assert problems[0].startswith("motion 00/cube.npy holds float64 of shape [3, 3, 3]")
    assert problems[1].startswith("motion 00/objects.npy is no array of plain numbers")
    assert recognize_data(tmp_path).dataset == "series"


def test_bad_rows_are_named_and_left_out_and_gaps_are_filled(tmp_path: Path, opened: Opener) -> None:
    lines = rows_text().splitlines()
    good = lines[1].split(",")
    lines += [
        ",".join(["motion 01", *good[1:5], "words", *good[6:]]),
        ",".join(["", *good[1:]]),
        ",".join([*good, "1", "2"]),
        ",".join(["motion 01", *[""] * 24]),
        ",".join(["motion 01", *good[1:5], "", "NaN", *good[7:]]),
        ",".join(["motion 01", *good[1:5], "inf", *good[6:]]),
    ]
    (tmp_path / "motions.csv").write_text("\n".join(lines))
    source = opened("series", path=tmp_path)
    assert [problem.split(": ", 1)[1] for problem in source.overview().problems] == [
        "'words' in column 6 is no number; correct it or delete the line",
        "27 cells stand where the header has 25; mend or delete the line",
        "holds 0 values, which is no series; fill it in or delete it",
        "'inf' in column 6 is infinite or larger than 1e30; correct it or delete the line",
        "the label is missing; write it or delete the line"]
    assert "motions.csv, line 92: " in source.overview().problems[0]
    assert "2 missing values filled" in source.overview().facts
    assert sum(source.overview().examples.values()) == 91
    assert inputs(source).isfinite().all()


def test_one_enormous_number_hides_no_series_and_missing_labels_are_said_at_once(
        tmp_path: Path, opened: Opener) -> None:
    lines = rows_text("\t", header=False).splitlines()
    cells = lines[4].split("\t")
    lines[4] = "\t".join([*cells[:5], "1e35", *cells[6:]])
    lines[10:16] = ["\t" + line.partition("\t")[2] for line in lines[10:16]]
    (tmp_path / "one.tsv").write_text("\n".join(lines))
    assert recognize_data(tmp_path / "one.tsv").dataset == "series"
    source = opened("series", path=tmp_path / "one.tsv", task={"ways": 2, "shots": 1, "queries": 1})
    assert source.overview().problems == (
        "one.tsv, line 5: '1e35' in column 6 is infinite or larger than 1e30; correct it or delete the line",
        "one.tsv, lines 11, 12, 13, 14, 15 and 1 more: the label is missing; write it or delete the lines")


def test_bad_files_are_named_and_left_out(tmp_path: Path, opened: Opener) -> None:
    write_files(tmp_path)
    bad = tmp_path / NAMES[2]
    (bad / "a.csv").write_bytes(b"")
    (bad / "b.csv").write_text("x,y\n1,2\n3,four\n")
    (bad / "c.csv").write_text("x,y\n1,2\n3\n")
    (bad / "d.csv").write_text("x\n1\n2\n3\n")
    (bad / "e.csv").write_bytes(b"\xff\x00\x81\x82")
    (bad / "f.csv").write_text("x,y\n")
    (bad / "g.csv").write_text("x,y\n1,\n2,\n3,\n")
    (bad / "h.npy").write_bytes(b"\x93NUMPY\x01\x00")
    problems = [one.split(" ", 2)[2] for one in opened("series", path=tmp_path).overview().problems]
    assert problems[:7] == [
        "is empty (0 bytes); replace or delete it",
        "has 'four' in line 3, column 2, which is no number; correct it or delete the line",
        "has 1 cell in line 3 and 2 in the first; give every line as many",
        "has 1 channel where most have 2; give it as many, or delete it",
        "is no text in UTF-8, UTF-16 or Windows-1252; save it as CSV in UTF-8",
        "holds a header and no rows; write a row for each step, or delete it",
        "a channel has no value at all; fill it in or delete it"]
    assert problems[7].startswith("is no array of plain numbers")


def test_columns_of_times_are_left_out_and_channels_are_put_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,x,y\n0.1,1,2\n0.2,3,4\n")
    assert read_series(tmp_path / "a.csv").values.tolist() == [[1, 3], [2, 4]]
    (tmp_path / "b.csv").write_text("\n".join(f"{0.01 * step:.2f} {step % 3}" for step in range(9)))
    assert len(read_series(tmp_path / "b.csv").values) == 1
    write_files(tmp_path / "all")
    (tmp_path / "all" / NAMES[0] / "9.csv").write_text("y,x\n" + "1,2\n" * 20)
    from workbench.tasks.series import SeriesConfig, TimeSeries
    read = TimeSeries.read(SeriesConfig(path=tmp_path / "all"))
    assert read.inputs[read.files.index(f"{NAMES[0]}/9.csv")].mean(1).tolist() == [2, 1]


def test_one_class_an_empty_folder_and_no_labels_say_what_is_missing(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "one.csv").write_text("label," + ",".join(f"t{s}" for s in range(10)) + "\n" + (
        "a," + ",".join("12345678901"[s] for s in range(10)) + "\n") * 8)
    with pytest.raises(DataError, match="holds one class"):
        opened("series", path=tmp_path / "one.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no folder with series; put a folder of series for each class"):
        opened("series", path=tmp_path / "empty")
    text = "\n".join(",".join(f"{value:.3f}" for value in wave(take, 0, 20)) for take in range(30))
    (tmp_path / "bare.csv").write_text(text)
    with pytest.raises(DataError, match=r"bare\.csv has no column of labels; name one in dataset\.label"):
        opened("series", path=tmp_path / "bare.csv")
    (tmp_path / "named.csv").write_text(rows_text())
    with pytest.raises(DataError, match="has no column 'species' for the labels; its columns are: label, t0"):
        opened("series", path=tmp_path / "named.csv", label="species")
    with pytest.raises(DataError, match=r"dataset\.path: name the table that has a series in every row"):
        opened("series")


def test_a_table_of_features_is_no_series(tmp_path: Path) -> None:
    place = np.random.default_rng(0)
    header = ",".join(["kind", *(f"feature{i}" for i in range(20))])
    lines = [",".join([f"k{row % 12}", *(f"{v:.3f}" for v in place.normal(size=20))]) for row in range(120)]
    (tmp_path / "rows.csv").write_text("\n".join([header, *lines]))
    assert recognize_data(tmp_path).dataset != "series"


def test_a_label_named_beside_the_data_is_taken(tmp_path: Path, opened: Opener) -> None:
    lines = rows_text().splitlines()
    rows = [f"day {number % 4},{line}" for number, line in enumerate(lines[1:])]
    (tmp_path / "motions.csv").write_text("\n".join(["day," + lines[0].replace("label", "kind"), *rows]))
    (tmp_path / "dataset.toml").write_text('label = "kind"\nlength = 16\n')
    source = opened("series", path=tmp_path)
    assert source.names("train") <= set(NAMES)
    assert source.spec.input_shape == (1, 16)


def test_series_suggest_the_network_along_time_and_grey_out_those_for_pictures() -> None:
    assert resolve({"dataset": {"name": "series"}}).backbone.name == "conv1d"
    assert "series" not in found("backbone")["supernet"].input_kinds


series = st.integers(1, 3).flatmap(lambda channels: st.integers(2, 60).map(
    lambda steps: np.random.default_rng(100 * channels + steps).normal(size=(channels, steps))))


@settings(max_examples=80, deadline=None)
@given(series, st.integers(8, 100), st.sampled_from(["resample", "crop"]))
def test_a_fitted_series_has_the_length_and_no_values_beyond_its_own(values: np.ndarray, length: int, fit: str) -> None:
    found_values = fitted(values, length, fit)  # type: ignore[arg-type]
    assert found_values.shape == (len(values), length)
    assert (found_values.min(1) >= values.min(1) - 1e-12).all()
    assert (found_values.max(1) <= values.max(1) + 1e-12).all()
    if fit == "resample":
        np.testing.assert_allclose(found_values[:, [0, -1]], values[:, [0, -1]], atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(series, st.integers(0, 2**16))
def test_gaps_are_filled_between_their_neighbours_and_nothing_else_changes(values: np.ndarray, seed: int) -> None:
    gaps = np.random.default_rng(seed).random(values.shape) < 0.4
    gaps[:, 0] = False
    torn = np.where(gaps, np.nan, values)
    whole, count = filled(torn)
    assert count == gaps.sum()
    assert np.isfinite(whole).all()
    assert (whole[~gaps] == values[~gaps]).all()
    ends = trimmed(torn)
    assert ends.shape[1] == values.shape[1] - np.argmin(gaps.all(0)[::-1])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "train", "test", "validation"])), min_size=1,
                max_size=30))
def test_examples_in_the_order_of_classes_are_each_there_once(pairs: list[tuple[str, str]]) -> None:
    labels, splits = zip(*pairs, strict=True)
    placed = sorted_by_label(labels, splits, "rows")
    assert len(set(placed.rows)) == len(placed.rows)
    assert (np.diff(placed.owners) >= 0).all()
    assert [placed.classes[owner].name for owner in placed.owners] == [labels[row] for row in placed.rows]
    names = [one.name for one in placed.classes]
    assert len(set(names)) == len(names)
    for one, row in zip(placed.owners, placed.rows, strict=True):
        # Where no split is given, or the same classes are in all of them, there are none; what came without follows.
        assert placed.classes[one].split in ("", splits[row]) or not splits[row]
    assert bool(placed.problems) or bool(placed.notes) or "" not in splits or not any(splits)


def test_one_example_without_a_split_leaves_the_others_theirs() -> None:
    labels = ["a", "a", "b", "b", "c", "c", "d", "a", "c", "d"]
    splits = ["train", "train", "validation", "validation", "test", "test", "", "train", "", ""]
    placed = sorted_by_label(labels, splits, "series")
    assert [(one.name, one.split) for one in placed.classes] == [
        ("a", "train"), ("b", "validation"), ("c", "test"), ("d", "train")]
    assert placed.rows.tolist() == [0, 1, 7, 2, 3, 4, 5, 8, 6, 9]
    assert placed.owners.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert placed.problems == (
        "no split is given for 3 of 10 series, of the classes d, c; they count for the split of their class, or for "
        "train where it has none",)
    assert sorted_by_label(labels, [""] * 10, "series").problems == ()


def test_usual_lengths_stay_in_bounds(tmp_path: Path) -> None:
    assert usual_length([3, 4]) == 16
    assert usual_length([50, 60, 90]) == 60
    assert usual_length([5000]) == 1024
    (tmp_path / "few.csv").write_text("label,t0,t1,t2\na,1,2,3\n")
    with pytest.raises(FileError, match="has 3 columns of steps and a series needs 8"):
        read_rows(tmp_path / "few.csv", None)
