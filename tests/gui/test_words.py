"""Numbers and times as a person writes and reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.gui import words


@pytest.mark.parametrize(("text", "value"), [
    ("5,000", 5000), ("5 000", 5000), ("1,234,567.5", 1234567.5), ("1e-3", 1e-3), ("0,4", 0.4), (" .5 ", 0.5),
    ("2.5E+4", 25000), ("\u22121", -1)])
def test_numbers_are_read_as_people_write_them(text: str, value: float) -> None:
    assert words.read_number(text) == value


@pytest.mark.parametrize("text", ["", "many", "1e", "inf", "nan", "1,2,3", "1.2.3"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the entry says it in words of its own
        words.read_number(text)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-10**12, 10**12))
def test_every_number_reads_back_as_itself(value: float) -> None:
    assert words.read_number(words.number_text(value)) == value


@pytest.mark.parametrize(("value", "text"), [(5000, "5,000"), (0.4, "0.4"), (1e-5, "1e-5"), (2000.0, "2,000"),
                                             (0.001, "0.001"), (2.5e-7, "2.5e-7"), (0.0, "0"), (2e7, "2e7"),
                                             (100000000.37890625, "1.0000000037890625e8")])
def test_numbers_are_shown_short(value: float, text: str) -> None:
    assert words.number_text(value) == text


def test_steps_by_factors_go_along_one_two_five() -> None:
    value, seen = 1e-3, []
    for _ in range(4):
        value = words.next_step(value, 1, by_factors=True, whole=False)
        seen.append(value)
    assert seen == [0.002, 0.005, 0.01, 0.02]
    assert words.next_step(1, -1, by_factors=True, whole=True) == 1
    assert words.next_step(300, -1, by_factors=True, whole=True) == 200


def test_steps_without_factors_are_one_or_a_tenth() -> None:
    assert words.next_step(5, 1, by_factors=False, whole=True) == 6
    assert words.next_step(0.2, 1, by_factors=False, whole=False) == 0.3


def test_results_carry_as_many_digits_as_their_interval_is_worth() -> None:
    assert words.result(0.9512, 0.0049, "accuracy") == "95.1 ± 0.5 %"
    assert words.result(0.4123, 0.0312, "mse") == "0.412 ± 0.031"
    assert words.result(2.4123, 0.15, "mse") == "2.41 ± 0.15"
    assert words.result(0.93, None, "accuracy") == "93.0 %"


def test_times_are_clocks() -> None:
    assert words.duration(62) == "1:02"
    assert words.duration(8100) == "2:15:00"


def test_the_help_says_what_an_empty_field_means() -> None:
    assert words.empty_means("Largest norm; empty for no limit.") == "no limit"
    assert words.empty_means("Inner steps.") == ""
