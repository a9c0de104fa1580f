"""`workbench bench`: every executor, as a table and as JSON."""

from __future__ import annotations

import pytest

from tests.cli.terminal import say
from workbench.engine.executors import EXECUTORS
from workbench.engine.measuring import remembered
from workbench.engine.session import Session
from workbench.engine.ways.work import Way, cores
from workbench.experiment.resolve import resolve, with_settings

SMALL = ("--set", "dataset=sinusoids", "--set", "training.meta_batch=4", "--device", "cpu", "--rounds", "2")

pytestmark = pytest.mark.usefixtures("own_folders")


def test_every_executor_is_measured_and_the_fastest_comes_first():
    table = say("bench", *SMALL, "--json").table
    assert {one["executor"] for one in table["ways"]} == set(EXECUTORS) - {"columns"}  # which are of convolutions
    assert [one["ms"] for one in table["ways"]] == sorted(one["ms"] for one in table["ways"])
    for one in table["ways"]:
        assert one["tasks_per_second"] == pytest.approx(4 / one["ms"] * 1e3)
        assert len(one["rounds_ms"]) == 2
        assert one["peak_bytes"] >= 0
    assert table["tasks"] == 4
    assert table["chosen"]["executor"] in EXECUTORS


def test_the_table_names_units_and_the_choice():
    said = say("bench", *SMALL)
    assert said.status == 0
    assert "EXECUTOR" in said.out
    assert "TASKS/S" in said.out
    assert "a run takes" in said.out


def test_three_turns_replace_what_was_remembered_on_a_busy_machine():
    settings = ("--set", "dataset=glyphs", "--set", "backbone.filters=8", "--set", "training.meta_batch=2",
                "--device", "cpu")
    one = Session(resolve(with_settings({}, [text for text in settings if "=" in text] + ["device=cpu"])))
    slow = Way("columns", cores(), 1)
    remembered.keep_way(one, slow, 5)
    for rounds, is_replaced in (("2", False), ("3", True)):
        table = say("bench", *settings, "--rounds", rounds, "--json").table
        assert table["chosen"]["executor"] == "columns"
        assert (table["remembered"] is not None) is is_replaced
    kept = remembered.way_of(one)
    assert kept is not None
    assert str(kept.way) == table["remembered"] != str(slow)
    one.close()


def test_no_turn_at_all_is_a_mistake():
    said = say("bench", "--rounds", "0")
    assert said.status == 2
    assert "--rounds must be 1 to 1,000" in said.err


def test_a_preset_can_be_measured_with_one_field_changed():
    table = say("bench", "--preset", "first-look", "--set", "training.meta_batch=2", "--set", "backbone.filters=2",
                "--device", "cpu", "--rounds", "1", "--json").table
    assert table["tasks"] == 2
