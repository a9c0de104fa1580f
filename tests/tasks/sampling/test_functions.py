"""Families of functions: their laws, what is held out of their parameters, and the floors below which one learns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.base import STREAMS, Examples, Stream, TaskBatch
from workbench.tasks.own.new_task import read_new_task
from workbench.tasks.pendulum import cart_pole_slope, pendulum_slope
from workbench.tasks.sampling.functions import FunctionTasks, held_out, ridge

FAMILIES: list[dict[str, Any]] = [
    {"name": "harmonics"}, {"name": "polynomials"}, {"name": "pendulum"}, {"name": "pendulum", "system": "cart_pole"}]
HELD_OUT = {"harmonics": (2, 3), "polynomials": (2, 3), "pendulum": (0, 1)}
"""Which of a family's parameters are held out."""


def opened(dataset: dict[str, Any], *, seed: int = 0, **task: int) -> FunctionTasks:
    kind = find("dataset", dataset["name"])
    assert issubclass(kind, FunctionTasks)
    return kind(resolve({"dataset": dataset, "seed": seed, "task": task}), torch.device("cpu"))


families = pytest.mark.parametrize("dataset", FAMILIES, ids=lambda one: one.get("system", one["name"]))


@families
def test_a_batch_has_the_shapes_of_the_experiment_and_usual_sizes(dataset: dict[str, Any]) -> None:
    source = opened(dataset, shots=7, queries=3)
    batch = source.sample("train", range(400))
    assert batch.support.inputs.shape == (400, 7, *source.spec.input_shape)
    assert batch.query.targets.shape == (400, 3, source.spec.outputs)
    assert len(source.spec.mean) == len(source.spec.deviation) == source.spec.input_shape[0]
    assert batch.support.inputs.dtype == batch.query.targets.dtype == torch.float32
    assert 0.1 < batch.support.targets.std() < 5
    if source.name() == "pendulum":
        torch.testing.assert_close(batch.support.inputs.std((0, 1)), torch.ones(source.spec.input_shape),
                                   rtol=0.1, atol=0.0)


@families
def test_picked_with_its_defaults_it_fits_the_picks(dataset: dict[str, Any]) -> None:
    experiment = resolve({"dataset": dataset})
    assert experiment.backbone.name == "mlp"
    assert experiment.algorithm.name == "maml"


@families
def test_what_is_true_of_a_task_is_what_it_was_drawn_from(dataset: dict[str, Any]) -> None:
    source = opened(dataset)
    for stream in STREAMS:
        query = source.sample(stream, [5]).query
        torch.testing.assert_close(source.truth(stream, 5, query.inputs[0]), query.targets[0], rtol=1e-4, atol=1e-4)


@families
def test_no_stream_has_a_held_out_parameter_of_another(dataset: dict[str, Any]) -> None:
    source = opened(dataset)
    columns = HELD_OUT[dataset["name"]]
    drawn = {stream: source.functions(stream, range(3000))[1] for stream in STREAMS}
    for column in columns:
        every = torch.cat([drawn[stream][:, column] for stream in STREAMS])
        low, high = every.min(), every.max()
        parts = {stream: set(((drawn[stream][:, column] - low) / (high - low) * 20 - 1e-3).long().clamp(0, 19).tolist())
                 for stream in STREAMS}
        # The range is known from the draws to within a thousandth of itself, so that the edge of a part may be missed.
        whole = {stream: {part for part in found if _share(drawn[stream][:, column], low, high, part) > 0.02}
                 for stream, found in parts.items()}
        assert whole["test"] == {2, 7, 12, 17}
        assert whole["validation"] == whole["probe"] == {3, 5, 14, 16}
        assert whole["train"] == set(range(20)) - whole["test"] - whole["validation"]


def _share(values: torch.Tensor, low: torch.Tensor, high: torch.Tensor, part: int) -> float:
    places = (values - low) / (high - low) * 20
    return ((places > part + 0.1) & (places < part + 0.9)).double().mean().item()


@settings(deadline=None, max_examples=50)
@given(numbers=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8), stream=st.sampled_from(STREAMS))
def test_a_held_out_number_lies_in_a_part_of_its_stream(numbers: list[float], stream: Stream) -> None:
    others: set[int] = {2, 7, 12, 17} if stream != "test" else {3, 5, 14, 16}
    found = held_out(torch.tensor(numbers, dtype=torch.float64), stream)
    assert ((found >= 0) & (found <= 1)).all()
    for place in (found * 20).tolist():
        # An edge belongs to both of its parts, as far as a rounded number can tell.
        assert {math.floor(place - 1e-9), math.floor(place + 1e-9)} - others


def test_the_streams_have_nearly_the_same_mean_and_deviation() -> None:
    uniform = torch.linspace(0, 1, 100_001, dtype=torch.float64)[:-1]
    for stream in STREAMS:
        found = held_out(uniform, stream)
        assert found.mean().item() == pytest.approx(0.5, abs=1e-4)
        assert found.std().item() == pytest.approx(1 / math.sqrt(12), rel=0.05)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31 - 1), indices=st.lists(st.integers(0, 10**9), min_size=1, max_size=6),
       dataset=st.sampled_from(FAMILIES), noise=st.sampled_from([0.0, 0.3]), data=st.data())
def test_a_task_is_the_same_however_it_is_batched(seed: int, indices: list[int], dataset: dict[str, Any], noise: float,
                                                  data: st.DataObject) -> None:
    source = opened({**dataset, "noise": noise}, seed=seed)
    which = data.draw(st.integers(0, len(indices) - 1))
    together, alone = source.sample("train", indices).task(which), source.sample("train", [indices[which]]).task(0)
    for one, other in zip(together, alone, strict=True):
        # Sines of whole blocks and of their ends may differ in the last bit.
        torch.testing.assert_close(one.inputs, other.inputs, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(one.targets, other.targets, rtol=1e-5, atol=1e-5)


@families
def test_noise_is_added_to_the_support_alone_and_has_its_deviation(dataset: dict[str, Any]) -> None:
    calm, noisy = (opened({**dataset, "noise": noise}).sample("train", range(1000)) for noise in (0.0, 0.5))
    assert torch.equal(calm.query.targets, noisy.query.targets)
    noise = noisy.support.targets - calm.support.targets
    assert noise.std().item() == pytest.approx(0.5, rel=0.03)


@families
def test_the_floors_are_measured_and_what_they_say(dataset: dict[str, Any]) -> None:
    source = opened(dataset)
    floors = source.floors()
    assert [floor.mean for floor in floors] == sorted(floor.mean for floor in floors)
    assert {floor.name for floor in floors} == {"ridge regression on the support", "always the mean"}
    for floor in floors:
        assert (floor.metric, floor.tasks) == ("mse", 200)
        assert floor.ci95 is not None
        assert 0 < floor.ci95 < floor.mean
    mean = next(floor for floor in floors if floor.name == "always the mean")
    spread = source.sample("train", range(4000)).query.targets.var((0, 1)).mean().item()
    assert mean.mean == pytest.approx(spread, rel=0.3)


@settings(deadline=None, max_examples=30)
@given(slope=st.floats(-3, 3), height=st.floats(-3, 3), seed=st.integers(0, 999))
def test_ridge_finds_a_line_that_many_points_lie_on(slope: float, height: float, seed: int) -> None:
    inputs = torch.from_numpy(np.random.default_rng(seed).uniform(-3, 3, (2, 400, 1)))
    targets = slope * inputs + height
    batch = TaskBatch(Examples(inputs[:, :300], targets[:, :300]), Examples(inputs[:, 300:], targets[:, 300:]))
    torch.testing.assert_close(ridge(batch), batch.query.targets, rtol=0.01, atol=0.02)


def test_words_say_the_function() -> None:
    harmonics, polynomials = opened({"name": "harmonics"}), opened({"name": "polynomials"})
    assert harmonics.in_words([1, 2, 0.5, 1.25, 3, 0.1]) == "1.00 sin(0.50x + 3.00) + 2.00 sin(1.25x + 0.10)"
    assert polynomials.in_words([0.5, -1, 0.25, -0.125]) == "0.500 - 1.000x + 0.250x² - 0.125x³"
    assert polynomials.in_words([-0.5, 1, 0, 0]) == "- 0.500 + 1.000x + 0.000x² + 0.000x³"
    assert opened({"name": "pendulum", "system": "cart_pole"}).in_words([0.5, 1]) == "cart-pole, 0.50 kg, 1.00 m"
    for source in (harmonics, polynomials):
        assert "training never has" in source.overview().facts


def test_polynomials_and_harmonics_are_those_that_are_written() -> None:
    x = torch.tensor([[[2.0], [-1.0]]], dtype=torch.float64)
    cubic = opened({"name": "polynomials"}).values(torch.tensor([[1.0, 2.0, 3.0, 4.0]]).double(), x)
    assert cubic.flatten().tolist() == [1 + 4 + 12 + 32, 1 - 2 + 3 - 4]
    sines = opened({"name": "harmonics"}).values(torch.tensor([[1.0, 2.0, 0.5, 1.25, 3.0, 0.1]]).double(), x)
    assert sines[0, 0, 0].item() == pytest.approx(math.sin(0.5 * 2 + 3) + 2 * math.sin(1.25 * 2 + 0.1))


def test_a_pendulum_left_alone_keeps_its_energy_and_a_small_swing_its_period() -> None:
    source = opened({"name": "pendulum"})
    mass, length = 1.3, 0.8
    parameters = torch.tensor([[mass, length]], dtype=torch.float64)
    state = torch.tensor([[[1.5, 0.0]], [[0.02, 0.0]]], dtype=torch.float64)

    def energy(now: torch.Tensor) -> torch.Tensor:
        return mass * length**2 * now[..., 1] ** 2 / 2 - mass * 9.81 * length * torch.cos(now[..., 0])

    before, angles = energy(state), []
    for _ in range(100):
        state = state + source.values(parameters, torch.cat([state, torch.zeros_like(state[..., :1])], -1))
        angles.append(state[1, 0, 0].item())
    torch.testing.assert_close(energy(state), before, rtol=1e-4, atol=1e-6)
    expected = [0.02 * math.cos(math.sqrt(9.81 / length) * 0.1 * step) for step in range(1, 101)]
    np.testing.assert_allclose(angles, expected, atol=2e-4)


def test_a_cart_pole_left_alone_keeps_its_energy_and_its_momentum() -> None:
    source = opened({"name": "pendulum", "system": "cart_pole"})
    mass, length, cart = 0.6, 1.1, 1.0
    parameters = torch.tensor([[mass, length]], dtype=torch.float64)
    state = torch.tensor([[[0.3, 0.4, 1.0, -0.5]]], dtype=torch.float64)

    def energy(now: torch.Tensor) -> float:
        _, speed, angle, turning = now[0, 0].tolist()
        middle = length / 2
        across, up = speed + middle * turning * math.cos(angle), -middle * turning * math.sin(angle)
        own = mass * length**2 / 12 * turning**2 / 2  # of the pole about its middle
        return cart * speed**2 / 2 + mass * (across**2 + up**2) / 2 + own + mass * 9.81 * middle * math.cos(angle)

    def momentum(now: torch.Tensor) -> float:
        _, speed, angle, turning = now[0, 0].tolist()
        return float((cart + mass) * speed + mass * length / 2 * turning * math.cos(angle))

    before = energy(state), momentum(state)
    for _ in range(40):
        state = state + source.values(parameters, torch.cat([state, torch.zeros_like(state[..., :1])], -1))
    assert (energy(state), momentum(state)) == pytest.approx(before, rel=1e-3)


def test_a_push_moves_what_it_should() -> None:
    one = torch.tensor(1.0).double()
    hanging = torch.zeros(2, dtype=torch.float64)
    assert pendulum_slope(hanging, 3 * one, 2 * one, one / 2).tolist() == [0, 3 / (2 * 0.25)]
    upright = torch.zeros(4, dtype=torch.float64)
    speed, faster, turning, turning_faster = cart_pole_slope(upright, 2 * one, one, one).tolist()
    assert (speed, turning) == (0, 0)
    assert faster > 0 > turning_faster  # the cart runs away under the pole, which falls the other way


def test_a_longer_time_step_changes_more() -> None:
    short, long = (opened({"name": "pendulum", "step": step}).sample("train", range(200)).query.targets.std()
                   for step in (0.02, 0.2))
    assert long > 3 * short


def test_measured_transitions_become_the_inputs_of_a_task(tmp_path: Path) -> None:
    source = opened({"name": "pendulum"})
    task = source.sample("test", [3]).task(0)
    raw = torch.tensor(source.spec.deviation)

    def write(name: str, *columns: torch.Tensor) -> None:
        rows = torch.cat(columns, 1).tolist()
        (tmp_path / name).write_text("\n".join(",".join(map(str, row)) for row in rows))

    write("support.csv", task.support.inputs * raw, task.support.targets)
    write("query.csv", task.query.inputs * raw)
    read = read_new_task(tmp_path, source.spec)
    torch.testing.assert_close(read.support.inputs, task.support.inputs)
    torch.testing.assert_close(read.support.targets, task.support.targets)
    torch.testing.assert_close(read.query_inputs, task.query.inputs)
