"""`list`, `data`, `doctor`, help, and what stands in the window's way."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import RUN
from tests.cli.terminal import say, start
from workbench import __version__
from workbench.cli import display
from workbench.exports.help import help_page
from workbench.places import sample_tasks


@pytest.mark.parametrize("what", ["datasets", "backbones", "algorithms", "presets"])
def test_a_list_names_everything_with_a_title(what: str) -> None:
    table = say("list", what, "--json").table
    assert table.keys() == {what}
    assert all(one["name"] and one["title"] for one in table[what])
    assert table[what][0]["name"] in say("list", what).out


def test_the_list_of_runs_has_state_result_steps_and_time(runs: Path) -> None:
    row = say("list", "runs", "--runs", runs, "--json").table["runs"][0]
    assert (row["run_id"], row["status"], row["steps"], row["dataset"]) == (RUN, "finished", 20, "sinusoids")
    assert row["mean"] > 0
    assert "20/20" in say("list", "runs", "--runs", runs).out


def test_a_damaged_run_has_a_row_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "maml-glyphs-0001").mkdir()
    (tmp_path / "maml-glyphs-0001" / "experiment.toml").write_text("[dataset", encoding="utf8")
    row = say("list", "runs", "--runs", tmp_path, "--json").table["runs"][0]
    assert row["status"] == "damaged"
    assert "is no TOML" in row["message"]
    assert "damaged" in say("list", "runs", "--runs", tmp_path).out


def test_an_empty_folder_of_runs_says_how_to_make_one(tmp_path: Path) -> None:
    said = say("list", "runs", "--runs", tmp_path)
    assert said.status == 0
    assert "workbench run" in said.out
    assert say("list", "runs", "--runs", tmp_path, "--json").table["runs"] == []


def test_data_check_says_what_a_folder_is_and_fails_where_it_will_not_do(tmp_path: Path) -> None:
    good = say("data", "check", sample_tasks() / "shapes", "--json")
    assert (good.status, good.table["form"], good.table["classes"]) == (0, "pictures by class", 20)
    bad = say("data", "check", tmp_path, "--json")
    assert bad.status == 2
    assert not bad.table["usable"]
    assert bad.table["problems"]
    assert "no problems" in say("data", "check", sample_tasks() / "new_wave").out


def test_the_doctor_reports_on_everything_in_words_and_as_json(tmp_path: Path) -> None:
    said = say("doctor", "--runs", tmp_path, "--json")
    table = said.table
    assert said.status == 0
    assert table["can_train"]
    assert table["devices"][-1]["name"] == "cpu"
    assert table["folders"]["runs"] == {"path": str(tmp_path), "exists": True, "problem": "",
                                        "free": table["folders"]["runs"]["free"]}
    assert table["packages"]["torch"].split("+")[0] == table["torch"]["version"].split("+")[0]
    assert "training is possible" in say("doctor", "--runs", tmp_path).out


def test_the_doctor_fails_where_runs_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = say("doctor", "--runs", tmp_path / "file" / "runs", "--json")
    assert said.status == 1
    assert "cannot be written" in said.table["problems"][0]


def test_without_a_display_the_window_says_so_and_names_the_headless_command() -> None:
    process = start(without=("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    out, err = process.communicate()
    assert process.returncode == 2
    assert not out
    assert err.count("\n") == 1
    assert "no display" in err
    assert "workbench run" in err


@pytest.mark.skipif(sys.platform != "linux", reason="X servers are asked on Linux alone")
def test_a_display_that_does_not_answer_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setenv("DISPLAY", ":4321")
    said = say()
    assert said.status == 2
    assert ":4321 does not answer" in said.err


def test_a_wayland_socket_that_nobody_answers_is_told_of_or_passed_over(monkeypatch: pytest.MonkeyPatch,
                                                                       tmp_path: Path) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-nobody")
    assert "wayland-nobody does not answer" in display.missing_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert display.platform() == "xcb"


@pytest.mark.parametrize(("library", "package"), [("libEGL.so.1", "libegl1"), ("libxkbcommon.so.0", "libxkbcommon0"),
                                                  ("libxcb-cursor.so.0", "libxcb-cursor0")])
def test_a_missing_library_is_named_with_its_package(library: str, package: str) -> None:
    error = ImportError(f"{library}: cannot open shared object file: No such file or directory")
    sentence = display.why_not_imported(error)
    assert library in sentence
    assert f"apt install {package}" in sentence
    assert "workbench run" in sentence


def test_an_error_of_the_program_itself_is_not_taken_for_a_missing_library() -> None:
    with pytest.raises(ImportError):
        display.why_not_imported(ImportError("cannot import name", name="workbench.gui.nothing"))


def test_help_and_version_are_there_without_loading_torch_or_qt() -> None:
    code = ("import sys; from workbench.cli.main import main; status = main(['--help']);"
            "print([name for name in ('torch', 'numpy', 'PySide6', 'pydantic') if name in sys.modules], status)")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[] 0"
    assert "evaluate" in ended.stdout
    assert __version__ in say("--version").out


@pytest.mark.parametrize("command", [("list",), ("run",), ("resume",), ("evaluate",), ("export",), ("adapt",),
                                     ("data", "check"), ("data", "download"), ("doctor",), ("help",)])
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    said = say(*command, "--help")
    assert said.status == 0
    assert "--json" in said.out


def test_every_help_page_is_listed_and_printed_as_text() -> None:
    pages = say("help", "--json").table["pages"]
    names = [page["name"] for page in pages]
    assert {"index", "take-it-home", "algorithm/maml", "backbone/conv4", "dataset/omniglot"} <= set(names)
    listed = say("help")
    for name in names:
        assert name in listed.out
        said = say("help", name)
        assert (said.status, said.err) == (0, "")
        assert said.out.startswith("# ")
        assert "|---" not in said.out


@pytest.mark.parametrize(("said", "meant"), [("maml", "algorithm/maml"), ("conv4", "backbone/conv4"),
                                             ("first-look.md", "first-look"), ("algorithm/maml", "algorithm/maml")])
def test_a_page_is_found_by_its_short_name_too(said: str, meant: str) -> None:
    assert say("help", said).out == say("help", meant).out
    assert say("help", said, "--json").table["page"] == meant


def test_a_table_of_fields_is_printed_as_paragraphs() -> None:
    lines = say("help", "maml").out.splitlines()
    start = lines.index("Inner rate (`inner_lr`)")
    assert lines[start + 1] == "    default: 0.4"
    assert lines[start + 2].startswith("    what it does: Learning rate of the inner steps")


def test_every_cell_of_a_table_is_printed_even_below_a_column_without_a_title() -> None:
    for page in say("help", "--json").table["pages"]:
        text = "".join(say("help", page["name"]).out.split())
        for line in re.findall(r"^\|(?!---).*$(?!\n\|---)", help_page(page["name"]), re.MULTILINE):
            for cell in re.split(r"(?<!\\)\|", line)[2:-1]:
                assert "".join(cell.replace("\\|", "|").split()) in text, (page["name"], cell)


def test_a_written_page_is_printed_without_loading_torch() -> None:
    code = ("import sys; from workbench.cli.main import main; status = main(['help', 'command-line']);"
            "print([name for name in ('torch', 'PySide6') if name in sys.modules], status)")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[] 0"


def test_numbers_that_are_none_become_null_so_that_json_stays_json() -> None:
    from workbench.cli.output import plain

    value = plain({"loss": float("nan"), "path": Path("a"), "many": (1.5, float("inf"), None, True)})
    assert json.dumps(value, allow_nan=False) == '{"loss": null, "path": "a", "many": [1.5, null, null, true]}'


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_a_character_is_no_reason_to_give_up(encoding: str, tmp_path: Path) -> None:
    for words in (["data", "check", str(tmp_path / "Ω×")], ["list", "runs", "--runs", str(tmp_path / "Ω×")]):
        ended = subprocess.run([sys.executable, "-m", "workbench", *words, "--json"], capture_output=True, check=False,
                               env=os.environ | {"PYTHONIOENCODING": encoding})
        assert b"Traceback" not in ended.stderr
        assert "Ω×" in str(json.loads(ended.stdout.decode("utf8")))
