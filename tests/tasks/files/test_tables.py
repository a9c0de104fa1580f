"""Columns of tables: their numbers and decimal signs, of what kind each is and which the label; and stacked tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tasks.files.helpers import table
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table, guess_label, kind_of, stacked, table_of


def column(*cells: str, name: str = "x") -> Table:
    return table_of(Path("made.csv"), [name, "other"], [[cell, "-"] for cell in cells], range(2, 2 + len(cells)))


def test_decimal_commas_are_read_where_commas_do_not_part_cells(tmp_path: Path) -> None:
    found = table(tmp_path / "one.csv", "a;b\n1,5;1.234,5\n-2;2.5\n")
    assert found.numbers("a").tolist() == [1.5, -2]
    assert found.numbers("b").tolist() == [1234.5, 2.5]
    plain = table(tmp_path / "two.csv", 'a,b\n1.5,"1,234.5"\n2,"1,2"\n')
    assert plain.numbers("b")[0] == 1234.5
    assert plain.strays("b").tolist() == [False, True]  # half a decimal comma, half a list: not to be guessed


def test_a_column_with_a_decimal_comma_has_points_between_thousands(tmp_path: Path) -> None:
    found = table(tmp_path / "one.csv", "price;stock;share\n1.234,50;1.234;0.125\n1.234;999;0.5\n0,5;12.500;1\n")
    assert found.numbers("price").tolist() == [1234.5, 1234, 0.5]
    assert found.numbers("stock").tolist() == [1234, 999, 12500]  # as the column beside it shows
    assert found.numbers("share").tolist() == [0.125, 0.5, 1]
    assert found.rows(np.array([1])).numbers("price").tolist() == [1234]  # whatever rows are left
    plain = table(tmp_path / "two.csv", "a;b\n1.234;x\n2.500;y\n")
    assert plain.numbers("a").tolist() == [1.234, 2.5]
    english = table(tmp_path / "three.csv", "a;b\n1,234.5;x\n2,500;y\n")
    assert english.numbers("a").tolist() == [1234.5, 2500]


@pytest.mark.parametrize("sign", ["\t", "|"])
def test_decimal_commas_are_read_wherever_commas_do_not_part_cells(tmp_path: Path, sign: str) -> None:
    lines = [["mass", "many", "kind"], ["1,5", "1,234", "a, b"], ["0,25", "2,500", "c"], ["1.000,125", "12", "d"]]
    found = table(tmp_path / "one.tsv", "\n".join(map(sign.join, lines)))
    assert found.numbers("mass").tolist() == [1.5, 0.25, 1000.125]
    assert kind_of(found, "mass") == "numeric"
    assert found.numbers("many").tolist() == [1234, 2500, 12]  # these may as well part thousands


def test_tables_under_one_another_have_one_decimal_sign_in_each_column(tmp_path: Path) -> None:
    first = table(tmp_path / "one.csv", "a;b\n1.234;x\n2.500;y\n")
    second = table(tmp_path / "two.csv", "a;b\n1.234,5;x\n3,5;y\n")
    assert stacked([first, second]).numbers("a").tolist() == [1234, 2500, 1234.5, 3.5]


@pytest.mark.parametrize(("name", "cells", "kind"), [
    ("x", ["1", "2.5", "n/a", "?", "", "missing", "−3"], "numeric"),
    ("x", ["1e3", ".5", "-0", "1"], "numeric"),
    ("x", [*map(str, range(100)), "abc"], "numeric"),
    ("x", [*map(str, range(20)), *["abc", "def", "ghi"]], "id"),
    ("size", ["1", "2", "large", "large", "1", "2"], "categorical"),
    ("colour", ["red", "blue", "", "red", "blue", "red"], "categorical"),
    ("flag", ["true", "false", "true", "true"], "categorical"),
    ("name", ["ab12", "cd34", "ef56", "gh78"], "id"),
    ("sample_id", ["4", "2", "9", "7"], "id"),
    ("ID", ["1", "2", "3"], "id"),
    ("id", ["1", "1", "2", "2"], "numeric"),
    ("idx", ["0.5", "1.5", "2.5"], "numeric"),
    ("height", ["1", "2", "3"], "numeric"),
    ("note", ["a long story", "another one", "and a third", "fourth of all"], "text"),
    ("x", ["", "n/a", "-"], "empty"),
])
def test_columns_are_told_apart(name: str, cells: list[str], kind: str) -> None:
    assert kind_of(column(*cells, name=name), name) == kind


@pytest.mark.parametrize(("cells", "kind"), [
    ([str(7 + row) for row in range(30)], "id"),
    ([str(7 + row) for row in range(10)], "numeric"),  # too few for more than chance
    ([str(7 + row) for row in reversed(range(30))], "numeric"),
    ([*(f"{row / 7:.3f}" for row in range(40)), *["oops"] * 10], "numeric"),
    ([*(f"{row / 7:.3f}" for row in range(40)), *["<0.5"] * 30], "numeric"),
    (["<5", ">5"] * 20, "categorical"),
    ([*map(str, range(1000, 1040)), *(f"{row}A" for row in range(10))], "id"),
    (["1", "2", "3", "4", "other"] * 10, "categorical"),
])
def test_rows_are_counted_and_most_cells_decide_what_a_column_is(cells: list[str], kind: str) -> None:
    assert kind_of(column(*cells, name="x"), "x") == kind


def test_infinite_and_enormous_numbers_are_none() -> None:
    found = column("1", "inf", "1e300", "nan", "2", "#DIV/0!", "word")
    assert np.isnan(found.numbers("x")).tolist() == [False, True, True, True, False, True, True]
    assert found.missing("x").tolist() == [False, True, True, True, False, True, False]
    assert found.unusable("x").tolist() == [False, True, True, False, False, True, False]
    assert found.strays("x").tolist() == [False] * 6 + [True]


def test_what_people_write_for_no_number_is_missing_among_numbers_alone() -> None:
    words = ["k.A.", "k. A.", "n.a.", "N.N.", "o.A.", "-", "--", "?", "s/d", "keine Angabe", "unknown"]
    assert column(*map(str, range(20)), *words).missing("x").tolist() == [False] * 20 + [True] * 11
    assert kind_of(column(*map(str, range(20)), *words), "x") == "numeric"
    assert not column("red", "blue", "unknown", "red").missing("x").any()


def test_the_label_is_guessed_by_its_name_and_else_by_its_values() -> None:
    cells = [[str(i), "ab"[i % 2], f"s{i % 3}", str(i % 4)] for i in range(24)]
    path = Path("x.csv")
    assert guess_label(table_of(path, ["id", "sex", "Species", "n"], cells, range(24))) == "Species"
    assert guess_label(table_of(path, ["id", "one", "two", "n"], cells, range(24))) == "two"
    assert guess_label(table_of(path, ["id", "one", "two", "y"], cells, range(24))) == "y"
    assert guess_label(table_of(path, ["id", "one", "two", "n"], cells, range(24)), ["two"]) == "one"
    assert guess_label(table_of(path, ["y", "sex", "two", "n"], cells, range(24)), ["sex", "two"]) == "n"
    assert guess_label(table_of(path, ["id", "n", "size"], [[cell[0], cell[3], cell[0]] for cell in cells], range(24))
                       ) is None
    bare = ["column 1", "column 2", "column 3"]
    for first in (0, 2):  # in tables without a header the class comes first or last
        rows = [[cell[3], f"{row}.5", str(row)][:: -1 if first else 1] for row, cell in enumerate(cells)]
        assert guess_label(table_of(path, bare, rows, range(24), has_header=False)) == bare[first]


def test_tables_of_one_kind_are_stacked(tmp_path: Path) -> None:
    one, two = (table(tmp_path / f"{i}.csv", text) for i, text in enumerate(("a,b\n1,x\n2,y\n", "b,a\nz,3\nw,4\n")))
    both = stacked([one, two])
    assert both.numbers("a").tolist() == [1, 2, 3, 4]
    assert [both.where(i) for i in (0, 3)] == ["0.csv, line 2", "1.csv, line 3"]
    assert both.rows(both.numbers("a") > 2).origins.tolist() == [1, 1]
    with pytest.raises(DataError, match=r"2\.csv has no column 'b', which 0\.csv has"):
        stacked([one, table(tmp_path / "2.csv", "a,c\n1,x\n2,y\n")])
