"""`workbench bench`: every executor, as a table and as JSON."""

from __future__ import annotations

import pytest

from tests.cli.terminal import say
from workbench.engine.executors import EXECUTORS

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


def test_no_turn_at_all_is_a_mistake():
    said = say("bench", "--rounds", "0")
    assert said.status == 2
    assert "--rounds must be 1 or more" in said.err


def test_a_preset_can_be_measured_with_one_field_changed():
    table = say("bench", "--preset", "first-look", "--set", "training.meta_batch=2", "--set", "backbone.filters=2",
                "--device", "cpu", "--rounds", "1", "--json").table
    assert table["tasks"] == 2
