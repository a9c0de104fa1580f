"""Descriptions of plots: what is drawn, in which role and units, without Qt."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from tests.gui.plots.histories import history, run, started
from workbench.engine.events import Adaptation, Curve, Probe, Steps
from workbench.exports import figures
from workbench.exports.curves import Smoother, Smoothers, evenly, smoothed, thinned
from workbench.exports.pictures import picture_task, probabilities
from workbench.runs.history import History


def naive(values: Curve, weight: float) -> Curve:
    """Debiased exponential smoothing as its definition reads."""
    total, mass, found = 0.0, 0.0, []
    for value in values:
        if np.isfinite(value):
            total, mass = weight * total + (1 - weight) * value, weight * mass + (1 - weight)
        else:
            total, mass = weight * total, weight * mass
        found.append(total / mass if mass else np.nan)
    return np.array(found)


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.95, 0.999])
def test_smoothing_of_a_hundred_thousand_steps_equals_the_naive_recursion(weight: float) -> None:
    values = np.random.default_rng(0).normal(1, 2, 100_000)
    np.testing.assert_allclose(smoothed(values, weight), naive(values, weight), rtol=1e-9, atol=1e-9)


def test_smoothing_that_grows_equals_smoothing_at_once() -> None:
    values = np.random.default_rng(1).normal(size=3000)
    smoother = Smoother(0.97)
    for end in (1, 2, 257, 1000, 1000, 3000):
        np.testing.assert_allclose(smoother.extend(values[:end]), smoothed(values[:end], 0.97))


def test_smoothing_begins_again_where_a_run_was_taken_back_to_a_checkpoint() -> None:
    values = np.random.default_rng(2).normal(size=500)
    smoother = Smoother(0.9)
    smoother.extend(values)
    np.testing.assert_allclose(smoother.extend(values[100:300]), smoothed(values[100:300], 0.9))


def test_a_step_that_is_not_a_number_leaves_no_mark_on_later_ones() -> None:
    values = np.array([np.nan, 1.0, np.inf, 1.0, 1.0])
    np.testing.assert_allclose(smoothed(values, 0.9), [np.nan, 1, 1, 1, 1])


def test_smoothed_curves_are_kept_per_run_and_made_anew_at_another_weight() -> None:
    one, smoothers = history(), Smoothers()
    np.testing.assert_allclose(smoothers.curve(one.loss, 0.9), naive(one.loss.values, 0.9))
    np.testing.assert_allclose(smoothers.curve(one.loss, 0.5), naive(one.loss.values, 0.5))


def test_thinning_keeps_every_extreme_and_stays_in_view() -> None:
    x, y = np.arange(1.0, 100_001), np.random.default_rng(3).normal(size=100_000)
    y[54_321] = 99.0
    xs, ys = thinned(x, y, 40_000, 60_000, 500)
    assert len(xs) <= 4 * 500
    assert ys.max() == 99.0
    assert ys.min() == y[39_990:60_010].min()
    assert xs[0] <= 40_000
    assert xs[-1] >= 60_000
    assert np.all(np.diff(xs) >= 0)


def test_thinning_does_not_move_its_buckets_while_a_person_pans() -> None:
    x, y = np.arange(1.0, 100_001), np.random.default_rng(4).normal(size=100_000)
    first = dict(zip(*thinned(x, y, 20_000, 60_000, 500), strict=True))
    second = dict(zip(*thinned(x, y, 20_100, 60_100, 500), strict=True))
    shared = [place for place in first if place in second and 21_000 < place < 59_000]
    assert len(shared) > 500
    assert all(first[place] == second[place] for place in shared)


def test_a_smooth_curve_stays_smooth_when_it_is_thinned() -> None:
    x = np.arange(1.0, 100_001)
    for y in (1 / x, np.sqrt(x)):
        _, ys = thinned(x, y, 0, 100_000, 300)
        assert len(np.unique(np.sign(np.diff(ys)))) == 1


def test_a_short_curve_is_only_cut() -> None:
    x = np.arange(10.0)
    xs, _ = thinned(x, x, 3, 5, 100)
    assert xs.tolist() == [2, 3, 4, 5, 6]


def test_evenly_chosen_indices_hold_the_first_and_the_last() -> None:
    assert evenly(100, 5).tolist() == [0, 25, 50, 74, 99]
    assert evenly(3, 9).tolist() == [0, 1, 2]
    assert evenly(0, 9).tolist() == []


def test_meta_loss_draws_every_step_faint_and_the_smoothed_curve_over_it() -> None:
    figure = figures.meta_loss([run()], 0.9)
    raw, bold = figure.series
    assert (raw.role, bold.role) == ("raw", "smoothed")
    assert raw.x[[0, -1]].tolist() == [1, 200]
    np.testing.assert_allclose(bold.y, naive(raw.y, 0.9))
    assert figure.facts == "smoothing 0.9"
    assert figure.y_label == "cross-entropy"


def test_with_many_runs_only_the_last_shows_every_step() -> None:
    figure = figures.meta_loss([run(f"run {number}", number) for number in range(8)], 0.9)
    assert [series.name for series in figure.series if series.role == "raw"] == ["run 7, each meta-batch"]
    assert sum(series.role == "smoothed" for series in figure.series) == 8


def test_accuracy_is_in_per_cent_with_intervals_and_the_floor_beside_it() -> None:
    figure = figures.metric([run()], 0.9)
    result = next(series for series in figure.series if series.role == "result")
    assert result.x.tolist() == [50, 100, 150, 200]
    np.testing.assert_allclose(result.y, [12.5, 25, 37.5, 50])
    assert result.half_width is not None
    np.testing.assert_allclose(result.half_width, 1.0)
    assert [(one.label, one.value) for one in figure.references] == [("nearest mean 40", 40.0)]
    assert figure.facts == "95 % interval, 600 tasks"
    assert figure.bounds == (0, 100)


def test_a_floor_that_is_not_the_same_for_all_runs_says_whose_it_is() -> None:
    runs = [run("letters"), run("shapes", 1)]
    for figure in (figures.metric(runs, 0.9), figures.comparison(runs, "iterations")):
        assert [one.label for one in figure.references] == ["nearest mean 40"]
    assert runs[1].history.started is not None
    runs[1].history.started.floors["nearest mean"] = 0.55
    for figure in (figures.metric(runs, 0.9), figures.comparison(runs, "iterations")):
        assert [one.label for one in figure.references] == ["nearest mean 55, shapes"]


def test_runs_with_another_metric_are_left_out_and_the_plot_says_so() -> None:
    mixed = [run("sines", 0, history(metric="mse")), run("letters", 1)]
    for figure in (figures.meta_loss(mixed, 0.9), figures.metric(mixed, 0.9), figures.comparison(mixed, "iterations")):
        assert {series.color for series in figure.series} == {1}
        assert "1 with another metric left out" in figure.facts


def test_adaptation_parts_tasks_by_gaps_and_gives_their_mean_an_interval() -> None:
    one = run()
    each, mean = figures.adaptation(one, "loss").series
    assert one.history.adaptation is not None
    values = one.history.adaptation.loss
    assert np.isnan(each.y).sum() == len(values)
    np.testing.assert_allclose(mean.y, values.mean(0))
    assert mean.half_width is not None
    np.testing.assert_allclose(mean.half_width, 1.96 * values.std(0, ddof=1) / 2)
    assert figures.adaptation(one, "metric").y_label == "query accuracy, %"


def test_without_inner_steps_adaptation_is_a_dot_for_each_task() -> None:
    figure = figures.adaptation(run(one=history(inner=0)), "loss")
    assert {series.role for series in figure.series} == {"mean", "points"}
    assert figure.x_label == "task of the meta-batch"
    dots = next(series for series in figure.series if series.role == "points")
    assert dots.x.tolist() == [1, 2, 3, 4]


def test_probes_are_ordered_from_the_first_to_the_last_moment() -> None:
    figure = figures.probes(run(one=history(1000)))
    assert len(figure.series) == figures.ORDERED
    assert [series.place for series in figure.series] == sorted(series.place for series in figure.series)
    assert (figure.series[0].name, figure.series[-1].name) == ("iteration 20", "iteration 1,000")


def test_without_inner_steps_probes_are_drawn_over_iterations() -> None:
    figure = figures.probes(run(one=history(inner=0)))
    assert figure.x_label == "iteration"
    assert next(series for series in figure.series if series.role == "mean").x.tolist() == list(range(20, 201, 20))


@pytest.mark.parametrize(("against", "last"), [("iterations", 200), ("seconds", 2.0), ("tasks", 800)])
def test_results_are_compared_against_iterations_time_or_tasks(against: figures.Against, last: float) -> None:
    figure = figures.comparison([run()], against)
    assert figure.series[0].x[-1] == pytest.approx(last)


def test_adaptation_at_test_draws_finished_runs_with_their_intervals() -> None:
    figure = figures.adaptation_at_test([run("done", 0, history(is_finished=True)), run("running", 1)])
    assert [series.name for series in figure.series] == ["done"]
    np.testing.assert_allclose(figure.series[0].y, [30, 45, 60, 75])
    assert figure.facts == "95 % interval, 1,000 tasks"


def test_a_fitted_function_stands_between_its_support_and_the_truth() -> None:
    figure = figures.fitted(history(metric="mse"), 0, 3, 9)
    roles = [series.role for series in figure.series]
    assert roles == ["truth", "faint", "faint", "faint", "smoothed", "points"]
    truth, fit = figure.series[0], figure.series[-2]
    np.testing.assert_allclose(fit.y, truth.y)
    assert "inner step 3 of 3" in figure.facts


def test_vectors_are_no_axis_so_predictions_are_drawn_against_the_truth() -> None:
    figure = figures.fitted(history(metric="mse", vectors=True), 0, 0, 0)
    assert (figure.x_label, figure.y_label) == ("true value", "predicted value")
    assert figure.references[0].is_diagonal


def test_pictures_are_judged_one_by_one() -> None:
    first, last = (picture_task(history(), 0, step, 9) for step in (0, 3))
    assert [row.name for row in last.rows] == [f"character {index}" for index in range(5)]
    assert (first.right[0], last.right[-1], last.queries) == (2, 10, 10)
    assert all(one.is_right for row in last.rows for one in row.queries)
    assert "10 of 10 right" in last.facts
    assert [one.predicted for one in first.rows[3].queries] == ["character 0", "character 0"]


def test_classes_of_vectors_are_drawn_as_probabilities_of_the_truth() -> None:
    figure = probabilities(history(vectors=True), 0, 3, 9)
    np.testing.assert_allclose(figure.series[0].y, 100)
    assert figure.references[0].value == 20


def test_a_run_that_has_said_nothing_yet_says_what_will_appear() -> None:
    begun = History.of([started()])
    quiet = run(one=begun)
    for figure in (figures.meta_loss([quiet], 0.9), figures.metric([quiet], 0.9), figures.adaptation(quiet, "loss"),
                   figures.probes(quiet), figures.comparison([quiet], "seconds"), figures.adaptation_at_test([quiet]),
                   figures.meta_loss([], 0.9), figures.adaptation(None, "loss"), figures.probes(None)):
        assert not figure.series
        assert figure.note


def test_one_task_has_a_mean_without_width() -> None:
    one = History.of([started(), Steps(1, *(np.ones(1) for _ in range(4)), 0.1,
                                       Adaptation(np.ones((1, 4)), np.ones((1, 4)))),
                      Probe(1, Adaptation(np.ones((1, 1)), np.ones((1, 1))))])
    mean = figures.adaptation(run(one=one), "loss").series[-1]
    assert mean.half_width is not None
    assert not mean.half_width.any()


def test_a_table_of_numbers_names_its_series_and_units_and_leaves_gaps_out() -> None:
    figure = figures.adaptation(run(), "loss")
    head, *rows = csv.reader(io.StringIO(figures.to_csv(figure)))
    assert head == ["series", "inner step", "query cross-entropy", "half width of the 95 % interval"]
    assert [row[0] for row in rows] == ["tasks"] * 16 + ["mean"] * 4
    assert float(rows[-1][2]) == figure.series[-1].y[-1]
    table = figures.to_csv(figures.metric([run()], 0.9))
    assert table.splitlines()[-1] == "nearest mean 40,,40.0,"


def test_smoothing_begins_anew_where_the_numbers_begin_to_mean_something_else() -> None:
    values = np.random.default_rng(2).normal(size=300)
    expected = np.concatenate([naive(part, 0.9) for part in (values[:100], values[100:230], values[230:])])
    np.testing.assert_allclose(Smoother(0.9).extend(values, (100, 230)), expected, rtol=1e-9)
    growing = Smoother(0.9)
    for end in (1, 99, 100, 101, 230, 300):
        found = growing.extend(values[:end], [turn for turn in (100, 230) if turn < end])
        np.testing.assert_allclose(found, expected[:end], rtol=1e-9)


def test_a_run_that_pretrains_has_a_curve_for_each_stage_and_a_labelled_line_between_them() -> None:
    one = run(one=history(200, pretrained=120))
    assert one.history.stages == [(1, "examples"), (121, "tasks")]
    for figure, role in ((figures.meta_loss([one], 0.9), "smoothed"), (figures.metric([one], 0.9), "background")):
        first, second = (series for series in figure.series if series.role == role)
        assert (first.name.rpartition(", ")[2], second.name.rpartition(", ")[2]) == ("examples", "tasks")
        assert (first.x[0], first.x[-1], second.x[0], second.x[-1]) == (1, 120, 121, 200)
        assert first.legend == second.legend
        assert [(turn.label, turn.x) for turn in figure.turns] == [("examples | tasks", 120.5)]
    raw = one.history.loss.values
    np.testing.assert_allclose(figures.meta_loss([one], 0.9).series[-1].y, naive(raw[120:], 0.9))
    assert not figures.meta_loss([run()], 0.9).turns
