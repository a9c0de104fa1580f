"""Tables of what was learned: their form, their limits and their words, without Qt."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from tests.gui.plots.histories import history, started
from workbench.algorithms.base import Drawing
from workbench.engine.events import Adaptation, Probe, Shown
from workbench.exports.heat import Form, Heat, empty, heat, heat_to_csv, limits, varies
from workbench.runs.history import History

TABLE = np.arange(12.0).reshape(1, 1, 3, 4)


def drawn(per_task: bool = True, rows: tuple[str, ...] = ("a", "b", "c")) -> History:
    """Two tasks, three inner steps, two moments: the number tells all four."""
    about = Drawing("Rates", "Look at them.", "layer", "entry", "rate", rows, (), per_task)
    made = History.of([replace(started("mse"), drawings={"rates": about})])
    curves = Adaptation(np.ones((2, 3)), np.ones((2, 3)))
    for moment in (1, 2):
        places = np.arange(2).reshape(2, 1, 1, 1) * 100 + np.arange(3).reshape(1, 3, 1, 1) * 1000
        values = TABLE + (places if per_task else 0 * places) + 10_000 * moment
        made.add(Probe(20 * moment, curves, Shown((0, 2, 4), np.zeros((2, 3, 5, 1)), {"rates": values})))
    return made


def test_a_drawing_is_the_table_of_a_task_an_inner_step_and_a_moment() -> None:
    found = heat(drawn(), "rates", 1, 2, 0)
    np.testing.assert_array_equal(found.values, TABLE[0, 0] + 12_100)
    assert (found.title, found.about, found.rows, found.columns) == ("Rates", "Look at them.", "layer", "entry")
    assert found.facts == "task 2 · iteration 20 · inner step 4 of 4"
    assert (found.row_name(1), found.column_name(1)) == ("b", "2")


def test_what_is_the_same_for_all_tasks_does_not_speak_of_one() -> None:
    whole = drawn(per_task=False)
    found = heat(whole, "rates", 1, 2, 1)
    assert found.facts == "iteration 40"
    assert not varies(whole, "rates", 1)
    assert varies(drawn(), "rates", 1)


def test_colours_are_the_same_at_every_moment() -> None:
    assert heat(drawn(), "rates", 0, 0, 0).limits == heat(drawn(), "rates", 1, 2, 1).limits == (0.0, 22_111.0)


@pytest.mark.parametrize(("numbers", "expected"), [
    ([0.2, 0.9], (0.0, 0.9)), ([0.8, 0.9], (0.8, 0.9)), ([-1.0, 3.0], (-3.0, 3.0)), ([-4.0, -1.0], (-4.0, 4.0)),
    ([0.5, 0.5], (0.0, 0.5)), ([0.0, 0.0], (0.0, 1.0)), ([np.nan, 2.0], (0.0, 2.0)), ([np.nan, np.inf], (0.0, 1.0)),
])
def test_limits_are_symmetric_where_there_are_numbers_below_zero(numbers: list[float],
                                                                 expected: tuple[float, float]) -> None:
    assert limits([np.array(numbers)]) == expected


@pytest.mark.parametrize(("shape", "names", "form"), [
    ((3, 4), 0, "map"), ((1, 9), 0, "bars up"), ((9, 1), 0, "bars across"), ((1, 500), 0, "line"),
    ((500, 1), 0, "line"), ((1, 100), 100, "bars up"), ((1, 1), 0, "bars across"),
])
def test_one_row_or_one_column_needs_no_colours(shape: tuple[int, int], names: int, form: Form) -> None:
    assert Heat("x", values=np.ones(shape), column_names=tuple(map(str, range(names)))).form == form


def test_names_that_are_too_few_are_numbers() -> None:
    assert heat(drawn(rows=("a", "b")), "rates", 0, 0, 0).row_name(2) == "3"


def test_where_there_is_nothing_it_says_what_will_appear() -> None:
    assert "is drawn here" in empty(None).note
    assert "nothing special to draw" in empty({}).note
    quiet = drawn()
    quiet.probes.clear()
    waiting = heat(quiet, "rates", 0, 0, 0)
    assert waiting.is_empty
    assert waiting.note.startswith("Rates will be drawn here")
    older = history(metric="mse")
    assert older.started is not None
    older.started = replace(older.started, drawings=drawn().started.drawings)  # type: ignore[union-attr]
    assert heat(older, "rates", 0, 0, 0).is_empty


def test_what_has_not_moved_anywhere_says_so_rather_than_showing_one_colour() -> None:
    still = drawn()
    for probe in still.probes:
        assert probe.shown is not None
        probe.shown.drawn["rates"][:] = 0
    found = heat(still, "rates", 0, 0, 1)
    assert found.is_empty
    assert found.note == "Every number here is still zero. Look at them."


def test_the_numbers_are_a_table_with_names() -> None:
    head, *rows = csv.reader(io.StringIO(heat_to_csv(heat(drawn(), "rates", 0, 0, 0))))
    assert head == ["layer \\ entry: rate", "1", "2", "3", "4"]
    assert [row[0] for row in rows] == ["a", "b", "c"]
    assert [float(one) for one in rows[2][1:]] == [10_008, 10_009, 10_010, 10_011]
