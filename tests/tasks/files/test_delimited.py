"""Rows of csv and tsv files: delimiters, encodings, headers and titles, torn rows, and what is no table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.files.helpers import table
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table, kind_of, read_table


def rows_of(found: Table) -> list[list[str]]:
    return found.frame.to_numpy().tolist()


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


def test_a_header_with_more_names_than_the_rows_have_cells_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the header names 3 columns and most rows have 2 cells"):
        table(tmp_path / "a.csv", "x,y,z\n1,2\n3,4\n5,6\n")
