"""Features of a table's columns: the same each time, for later tables as well, and what is left out or missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.files.helpers import table
from workbench.tasks.files.encoding import Coding, Encoder, fitted, schema_of
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table, read_table, table_of


def test_a_new_table_has_the_decimal_sign_of_the_one_that_the_encoder_was_fitted_on(tmp_path: Path) -> None:
    known = table(tmp_path / "one.csv", "a;b\n1.234,5;1\n3,5;2\n2.500;3\n")
    encoder = Encoder.of(json.loads(json.dumps(fitted(known).encoder.reading)))
    new = table(tmp_path / "two.csv", "a;b\n2.000;4\n")
    assert encoder.encode(new).tolist() == [[2000, 4]]
    assert encoder.encode(table(tmp_path / "three.csv", "a,b\n2.000,4\n")).tolist() == [[2, 4]]


def test_a_column_that_counts_the_rows_is_no_input_unless_there_is_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(f"{row + 1},{row % 7 / 3:.2f},kind {row // 8}" for row in range(64)))
    schema = schema_of(read_table(tmp_path / "a.csv"), ["column 3"])
    assert [one.name for one in schema.codings] == ["column 2"]
    assert schema.notes == ("column 1 left out, as it only names the rows",)
    (one,) = schema_of(read_table(tmp_path / "a.csv"), ["column 2", "column 3"]).codings
    assert (one.name, one.kind) == ("column 1", "numeric")


def test_words_in_a_column_of_numbers_count_as_missing_and_bounds_as_the_number_in_them(tmp_path: Path) -> None:
    cells = ["oops"] * 6 + ["<0.5", ">20", "\N{LESS-THAN OR EQUAL TO} 3"]
    rows = [f"{cells[n] if n < 9 else n / 7},kind {n % 4}" for n in range(80)]
    (tmp_path / "a.csv").write_text("\n".join(["h,kind", *rows]))
    schema = schema_of(read_table(tmp_path / "a.csv"), ["kind"])
    assert len(schema.table) == 80
    assert schema.problems == (
        "74 of 80 cells of the column h are numbers; these are not, and count as missing: 'oops' (a.csv, line 2), "
        "'oops' (a.csv, line 3), 'oops' (a.csv, line 4), 'oops' (a.csv, line 5), 'oops' (a.csv, line 6) and 1 more; "
        "correct them",)
    assert schema.notes == ("3 cells of h such as <0.5 taken as the number in them",)
    assert schema.table.numbers("h")[6:9].tolist() == [0.5, 20, 3]
    assert schema.fit(schema.table, np.arange(80)).features == ("h", "h is missing")


def test_numbers_that_cannot_be_reckoned_with_count_as_missing_and_are_said(tmp_path: Path) -> None:
    cells = ["inf", "-inf", "1e35", "#DIV/0!", "not a number", "1.#QNAN"] * 2
    rows = [f"{cells[n] if n < 12 else n / 7},{n % 5},kind {n % 4}" for n in range(80)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b,kind", *rows]))
    schema = schema_of(read_table(tmp_path / "a.csv"), ["kind"])
    assert len(schema.table) == 80
    assert schema.fit(schema.table, np.arange(80)).features == ("a", "a is missing", "b")
    (problem,) = schema.problems
    assert problem.startswith("in the column a 12 cells count as missing, being infinite or larger than 1e30 or no "
                              "number at all: 'inf' (a.csv, line 2), '-inf' (a.csv, line 3), '1e35' (a.csv, line 4)")
    assert problem.endswith("and 7 more; correct them")


def mixed(tmp_path: Path) -> Table:
    lines = ["id,mass,colour,note,blank,class", *[f"{i},{i / 2 if i % 10 else 'n/a'},{'red' if i % 3 else 'blue'},"
                                                   f"note about row {i},,{i % 4}" for i in range(1, 61)]]
    lines[7] = lines[7].replace(",3.5,", ",abc,")
    return table(tmp_path / "mixed.csv", "\n".join(lines))


def test_an_encoder_takes_every_column_that_says_something_and_names_the_others(tmp_path: Path) -> None:
    found = fitted(mixed(tmp_path), ["class"])
    assert found.encoder.features == ("mass", "mass is missing", "colour = blue", "colour = red")
    assert found.notes == ("id left out, as it only names the rows",)
    assert found.problems == (
        "in the column mass these cells are no numbers, and their rows were left out: 'abc' (mixed.csv, line 8); "
        "correct them",
        "mixed.csv: the column note holds text of many values and was left out; name it in dataset.ignore, or open the "
        "table as texts",
        "mixed.csv: the column blank is empty and was left out; delete it or fill it in")
    assert len(found.table) == 59
    values = found.encoder.encode(found.table)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    median = np.nanmedian(found.table.numbers("mass"))
    assert values[found.table.lines.tolist().index(11)].tolist() == [pytest.approx(median), 1, 0, 1]


def test_a_later_table_is_encoded_alike_whatever_the_order_of_its_columns(tmp_path: Path) -> None:
    encoder = fitted(mixed(tmp_path), ["class"]).encoder
    again = Encoder.of(json.loads(json.dumps(encoder.reading)))
    assert again == encoder
    later = table(tmp_path / "later.csv", "extra,colour,mass\nz,red,4\nz,green,\nz,?,1\n")
    median = encoder.codings[0].median
    assert again.encode(later).tolist() == [[4, 0, 0, 1], [pytest.approx(median), 1, 0, 0], [1, 0, 0, 0]]


def test_a_later_table_may_have_a_word_for_a_number_and_must_have_every_column(tmp_path: Path) -> None:
    encoder = fitted(mixed(tmp_path), ["class"]).encoder
    with pytest.raises(DataError, match=r"less\.csv has no column 'mass', which the learner was trained on; its "
                                        r"columns are colour, weight"):
        encoder.encode(table(tmp_path / "less.csv", "colour,weight\nred,1\nblue,2\n"))
    words = table(tmp_path / "words.csv", "colour,mass\nred,1\nblue,heavy\n")
    median = pytest.approx(encoder.codings[0].median)
    assert encoder.encode(words).tolist() == [[1, 0, 0, 1], [median, 1, 1, 0]]
    assert encoder.unread(words) == (
        "in the column mass 1 cell counts as missing, being no number: 'heavy' (words.csv, line 3); correct it",)


def test_a_column_of_dates_only_dates_the_rows(tmp_path: Path) -> None:
    lines = [f"{day % 28 + 1:02}.{day % 9 + 1:02}.2023,2024-{day % 9 + 1:02}-{day % 28 + 1:02} {day % 24}:05,{day / 7}"
             for day in range(250)]
    found = fitted(table(tmp_path / "a.csv", "\n".join(["day,when,mass", *lines])))
    assert found.encoder.features == ("mass",)
    assert found.notes == ("day, when left out, as they only date the rows",)
    assert found.problems == ()


def test_categories_that_differ_in_case_alone_are_one(tmp_path: Path) -> None:
    soils = ["Chalk", "CHALK ", "Chalk", "clay", "Clay", "clay", "a", "A", "a", "A"] * 4
    lines = ["soil,mass", *[f"{soil},{n % 7}" for n, soil in enumerate(soils)]]
    found = fitted(table(tmp_path / "a.csv", "\n".join(lines)))
    assert found.encoder.features == ("soil = A", "soil = Chalk", "soil = a", "soil = clay", "mass")
    later = table(tmp_path / "b.csv", "soil,mass\nchalk,1\nCLAY,2\nA,3\n")
    assert found.encoder.encode(later)[:, :4].tolist() == [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]


def test_a_table_of_names_alone_has_nothing_to_go_by(tmp_path: Path) -> None:
    found = table(tmp_path / "one.csv", "id,class\n1,a\n2,b\n3,a\n4,b\n")
    with pytest.raises(DataError, match="has no column of numbers or of few values that a learner could go by"):
        fitted(found, ["class"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6) | st.none(), st.sampled_from(["a", "b", "c"])), min_size=8, max_size=40))
def test_an_encoder_survives_being_written_and_gives_finite_features(rows: list[tuple[float | None, str]]) -> None:
    cells = [["" if number is None else repr(number), kind, "1"] for number, kind in rows]
    made = table_of(Path("made.csv"), ["x", "kind_of", "one"], cells, range(len(rows)))
    found = fitted(made)
    again = Encoder.of(json.loads(json.dumps(found.encoder.reading)))
    values = again.encode(found.table)
    assert values.shape == (len(rows), len(again.features))
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values, found.encoder.encode(made))


def test_a_row_tells_which_of_its_numbers_were_missing() -> None:
    encoder = Encoder((Coding("kind", "categorical", values=("a", "b")), Coding("mass", "numeric", marks_missing=True),
                       Coding("length", "numeric"), Coding("age", "numeric", marks_missing=True)))
    #                kind  mass      length age
    row = np.array([0, 1, 2.5, 0.0, 3.0, 7.0, 1.0])
    assert encoder.is_missing(row).tolist() == [False] * 5 + [True, False]
    assert encoder.is_missing(np.ones(7)).tolist() == [False, False, True, False, False, True, False]
