"""Tables: every way in which people save them, every kind of dirt, and the same features each time."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.tasks.files.encoding import Coding, Encoder, fitted, schema_of
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table, guess_label, kind_of, read_table, stacked, table_of


def table(path: Path, text: str, encoding: str = "utf-8", header: str = "auto") -> Table:
    path.write_bytes(text.encode(encoding))
    return read_table(path, header)  # type: ignore[arg-type]


def rows_of(found: Table) -> list[list[str]]:
    return found.frame.to_numpy().tolist()


def column(*cells: str, name: str = "x") -> Table:
    return table_of(Path("made.csv"), [name, "other"], [[cell, "-"] for cell in cells], range(2, 2 + len(cells)))


@pytest.mark.parametrize(("suffix", "sign"), [("csv", ","), ("csv", ";"), ("tsv", "\t"), ("csv", "\t"), ("csv", "|"),
                                              ("tsv", ",")])
def test_what_parts_the_cells_is_seen_in_them(tmp_path: Path, suffix: str, sign: str) -> None:
    text = "\n".join(sign.join(row) for row in (["mass", "kind"], ["1.5", "a"], ["2.5", "b"])) + "\n"
    found = table(tmp_path / f"one.{suffix}", text)
    assert found.columns == ("mass", "kind")
    assert rows_of(found) == [["1.5", "a"], ["2.5", "b"]]
    assert found.lines.tolist() == [2, 3]
    assert not found.problems


def test_cells_in_quotation_marks_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    found = table(tmp_path / "one.csv", 'text,label\n"one, two",a\n"over\ntwo lines",b\n"she said ""no""",a\n')
    assert [row[0] for row in rows_of(found)] == ["one, two", "over\ntwo lines", 'she said "no"']
    assert found.lines.tolist() == [2, 3, 5]
    assert found.where(2) == "one.csv, line 5"


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


def test_a_new_table_has_the_decimal_sign_of_the_one_that_the_encoder_was_fitted_on(tmp_path: Path) -> None:
    known = table(tmp_path / "one.csv", "a;b\n1.234,5;1\n3,5;2\n2.500;3\n")
    encoder = Encoder.of(json.loads(json.dumps(fitted(known).encoder.reading)))
    new = table(tmp_path / "two.csv", "a;b\n2.000;4\n")
    assert encoder.encode(new).tolist() == [[2000, 4]]
    assert encoder.encode(table(tmp_path / "three.csv", "a,b\n2.000,4\n")).tolist() == [[2, 4]]


def test_tables_under_one_another_have_one_decimal_sign_in_each_column(tmp_path: Path) -> None:
    first = table(tmp_path / "one.csv", "a;b\n1.234;x\n2.500;y\n")
    second = table(tmp_path / "two.csv", "a;b\n1.234,5;x\n3,5;y\n")
    assert stacked([first, second]).numbers("a").tolist() == [1234, 2500, 1234.5, 3.5]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_read_in_every_dress(tmp_path: Path, encoding: str) -> None:
    found = table(tmp_path / "one.csv", "größe,class\n1,Käse\n2,Brot und Butter\n", encoding)
    assert found.columns == ("größe", "class")
    assert rows_of(found)[0] == ["1", "Käse"]
    assert not found.problems


def test_an_old_encoding_is_read_and_said_so(tmp_path: Path) -> None:
    found = table(tmp_path / "old.csv", "size,class\n1,Käse\n2,Brot\n", "cp1252")
    assert rows_of(found)[0] == ["1", "Käse"]
    assert found.problems == ("old.csv is not in UTF-8 and was read as Windows-1252; if letters look wrong, save it as "
                              "CSV in UTF-8",)


def test_a_path_with_spaces_and_other_letters_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "Мои данные (2024)"
    folder.mkdir()
    assert len(table(folder / "表 один.csv", "a,b\n1,x\n2,y\n")) == 2


@pytest.mark.parametrize(("text", "names"), [
    ("5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.0,other\n", ("column 1", "column 2", "column 3")),
    ("great film,good\nawful film,bad\nfine film,good\n", ("column 1", "column 2")),
    ("0,1,2\n5.1,3.5,setosa\n4.9,3.0,setosa\n", ("0", "1", "2")),
    (",mass,class\n0,5.1,a\n1,4.9,b\n", ("column 1", "mass", "class")),
    ("text,label\nhello,a\nbye,b\n", ("text", "label")),
    (",text,label\n0,hello,a\n1,bye,b\n", ("column 1", "text", "label")),
    ("mass;class;;\n1,5;a;;\n2,5;b;;\n", ("mass", "class")),
    ("mass,,class\n1.5,x,a\n2.5,y,b\n", ("mass", "column 2", "class")),
    ("red,,small\nblue,round,large\n", ("column 1", "column 2", "column 3")),
])
def test_a_header_is_told_from_a_row(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    assert table(tmp_path / "one.csv", text).columns == names


def test_a_person_can_say_whether_there_is_a_header(tmp_path: Path) -> None:
    text = "1950,1960\n5,6\n7,8\n"
    assert len(table(tmp_path / "one.csv", text, header="no")) == 3
    assert table(tmp_path / "two.csv", text, header="yes").columns == ("1950", "1960")


def test_a_header_that_names_no_column_of_row_numbers_is_completed(tmp_path: Path) -> None:
    found = table(tmp_path / "one.csv", "mass,kind\n1,5.1,a\n2,4.9,b\n3,4.7,a\n")
    assert found.columns == ("column 1", "mass", "kind")
    assert "the header names one column fewer" in found.problems[0]
    assert kind_of(found, "column 1") == "id"


@pytest.mark.parametrize("title", ["Export of 12.03.2024;;;;\n;;;;\nDevice;7;;;\n", "Export\n\nDevice;7\n"])
def test_a_title_above_the_header_is_passed_over_and_said(tmp_path: Path, title: str) -> None:
    found = table(tmp_path / "a.csv", title + "mass;tone;size;kind;note\n1,5;red;2;a;\n2,5;blue;3;b;x\n")
    assert found.columns == ("mass", "tone", "size", "kind", "note")
    assert found.numbers("mass").tolist() == [1.5, 2.5]
    assert found.lines.tolist() == [5, 6]
    assert found.notes == ("2 lines above the header passed over",)
    assert found.problems == ()


def test_a_row_with_gaps_is_no_title(tmp_path: Path) -> None:
    assert table(tmp_path / "a.csv", ",kind\n0,1\n1,2\n").columns == ("column 1", "kind")
    found = table(tmp_path / "b.csv", "1,,,\n2,3,4,5\n3,4,5,6\n")
    assert (len(found), found.notes) == (3, ())


def test_duplicate_columns_are_renamed_and_named(tmp_path: Path) -> None:
    found = table(tmp_path / "one.csv", "mass,mass,mass 2,class\n1,2,3,a\n4,5,6,b\n")
    assert found.columns == ("mass", "mass 3", "mass 2", "class")
    assert found.problems == ("one.csv: more than one column is called 'mass'; column 2 is taken as 'mass 3'. Give "
                              "each a name of its own",)


def test_a_few_torn_rows_are_left_out_and_named(tmp_path: Path) -> None:
    lines = ["a,b,c", *["1,2,3"] * 30, "1,2", "1,2,3,4", *["4,5,6"] * 5]
    found = table(tmp_path / "one.csv", "\n".join(lines))
    assert len(found) == 35
    assert found.problems == ("one.csv: 2 of 37 rows do not have 3 cells: line 32 with 2, line 33 with 4; left out. "
                              "Give every row a cell for each column",)


def test_many_torn_rows_are_an_error_that_names_the_first(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.csv: 3 of 6 rows do not have 3 cells: line 3 with 2, line 5 with 2"):
        table(tmp_path / "one.csv", "a,b,c\n1,2,3\n1,2\n1,2,3\n1,2\n1,2,3\n1,2\n")


def test_blank_lines_count_as_lines_and_not_as_rows(tmp_path: Path) -> None:
    found = table(tmp_path / "one.csv", "a,b\r\n1,x\r\n\r\n , \r\n2,y\r\n\r\n")
    assert found.lines.tolist() == [2, 5]


@pytest.mark.parametrize(("content", "sentence"), [
    (b"", "is empty; write a row with the names"),
    (b"  \n\n ", "is empty; write a row with the names"),
    (b",,\n,,\n", "is empty; write a row with the names"),
    (b"mass,class\n", "has a header and no rows; write a row for each example below it"),
    (b"PK\x03\x04rest", "is a spreadsheet or a zip, whatever its name says"),
    (b"\x89PNG\r\n\x1a\n", "is a picture, whatever its name says"),
    (b"a,b\n1,\x00\x01\x02\n", "holds bytes that are no text; save it as CSV in UTF-8"),
    (b"a,b\n\x81\x8d,1\n", "is no text in UTF-8, UTF-16 or Windows-1252"),
    (b'a,b\n1,"open\n' + b"2,x\n" * 3_000_000, "line 2: field larger than field limit .*close the quotation mark"),
])
def test_what_is_no_table_has_its_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "one.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_a_cell_may_hold_a_long_text(tmp_path: Path) -> None:
    found = table(tmp_path / "one.csv", f'a,b\n1,"{"word, " * 60_000}"\n2,short\n')
    assert [len(cell) for cell in found.frame["b"]] == [6 * 60_000 - 1, 5]


def test_what_cannot_be_opened_has_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*gone\.csv; check the spelling"):
        read_table(tmp_path / "gone.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv is a folder; name the file in it"):
        read_table(tmp_path / "folder.csv")
    (tmp_path / "file").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"cannot be read \(Not a directory\); give yourself the right to read it"):
        read_table(tmp_path / "file" / "below.csv")


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    assert len(table(tmp_path / "one.csv", "a,b\n1,x\n2,y\n")) == 2
    assert len(table(tmp_path / "one.csv", "a,b\n1,x\n2,y\n3,z\n")) == 3


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


def test_tables_of_one_kind_are_stacked(tmp_path: Path) -> None:
    one, two = (table(tmp_path / f"{i}.csv", text) for i, text in enumerate(("a,b\n1,x\n2,y\n", "b,a\nz,3\nw,4\n")))
    both = stacked([one, two])
    assert both.numbers("a").tolist() == [1, 2, 3, 4]
    assert [both.where(i) for i in (0, 3)] == ["0.csv, line 2", "1.csv, line 3"]
    assert both.rows(both.numbers("a") > 2).origins.tolist() == [1, 1]
    with pytest.raises(DataError, match=r"2\.csv has no column 'b', which 0\.csv has"):
        stacked([one, table(tmp_path / "2.csv", "a,c\n1,x\n2,y\n")])


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8).map(str.strip)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(words, st.floats(-1e6, 1e6), words), min_size=2, max_size=12), st.sampled_from(",;\t"))
def test_what_a_writer_of_csv_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory,
                                                  rows: list[tuple[str, float, str]], sign: str) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=sign)
    writer.writerow(["first column", "number", "last column"])
    writer.writerows([one, repr(number), two] for one, number, two in rows)
    path = tmp_path_factory.mktemp("csv") / "one.csv"
    found = table(path, written.getvalue(), header="yes")
    assert found.columns == ("first column", "number", "last column")
    assert [(row[0], row[2]) for row in rows_of(found)] == [(one, two) for one, _, two in rows]
    assert found.numbers("number").tolist() == [number for _, number, _ in rows]


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


def test_a_header_with_more_names_than_the_rows_have_cells_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the header names 3 columns and most rows have 2 cells"):
        table(tmp_path / "a.csv", "x,y,z\n1,2\n3,4\n5,6\n")


def test_a_row_tells_which_of_its_numbers_were_missing() -> None:
    encoder = Encoder((Coding("kind", "categorical", values=("a", "b")), Coding("mass", "numeric", marks_missing=True),
                       Coding("length", "numeric"), Coding("age", "numeric", marks_missing=True)))
    #                kind  mass      length age
    row = np.array([0, 1, 2.5, 0.0, 3.0, 7.0, 1.0])
    assert encoder.is_missing(row).tolist() == [False] * 5 + [True, False]
    assert encoder.is_missing(np.ones(7)).tolist() == [False, False, True, False, False, True, False]
