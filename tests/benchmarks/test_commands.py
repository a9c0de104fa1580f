"""What the commands of the benchmarks take, and how they end."""

from __future__ import annotations

import argparse
import sys

import pytest

from tests.benchmarks.commands import count, duration, ended, output_of
from workbench.tasks.files.errors import DataError


def test_numbers_on_a_line_are_taken():
    assert (count("12"), duration("0.5")) == (12, 0.5)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "²", "many"])
def test_what_is_no_count_is_refused(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="whole number of at least 1"):
        count(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "", "long"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="seconds above 0"):
        duration(text)


@pytest.mark.parametrize("status", [None, 0, 1])
def test_a_command_ends_with_its_status(status: int | None):
    with pytest.raises(SystemExit) as ending:
        ended(lambda: status)
    assert ending.value.code == status


def test_what_the_person_can_mend_is_a_sentence_and_a_fault_of_ours_is_not():
    def without_data() -> None:
        raise DataError("/nowhere: holds no pictures")

    def faulty() -> None:
        raise KeyError("ours")

    with pytest.raises(SystemExit) as ending:
        ended(without_data)
    assert ending.value.code == "/nowhere: holds no pictures"
    with pytest.raises(KeyError):
        ended(faulty)


def test_a_command_within_a_command_is_read_or_ends_it_with_its_last_words():
    assert output_of([sys.executable, "-c", "print(1)"]) == "1\n"
    with pytest.raises(SystemExit, match="no such data"):
        output_of([sys.executable, "-c", "import sys; sys.exit('first\\nno such data')"])
