"""The sine waves: their ranges, their distribution and the floor that no learner reaches without adapting."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.resolve import resolve
from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.sinusoids import Sinusoids

Opener = Callable[..., TaskSource]


def waves(**config: object) -> Sinusoids:
    return Sinusoids(resolve({"dataset": {"name": "sinusoids", **config}}), torch.device("cpu"))


def test_a_batch_has_the_shapes_of_the_experiment(opened: Opener) -> None:
    source = opened("sinusoids", task={"shots": 7, "queries": 3}, training={"shots": 4})
    train, test = source.sample("train", range(6)), source.sample("test", [0])
    assert train.support.inputs.shape == train.support.targets.shape == (6, 4, 1)
    assert train.query.inputs.shape == train.query.targets.shape == (6, 3, 1)
    assert test.support.inputs.shape == (1, 7, 1)
    assert train.support.inputs.dtype == torch.float32


def test_points_lie_on_a_wave_whose_amplitude_and_phase_are_those_described() -> None:
    source = waves()
    for index in range(20):
        batch = source.sample("probe", [index])
        truth = source.truth("probe", index, batch.query.inputs[0])
        assert torch.allclose(truth, batch.query.targets[0], atol=1e-5)
        words = source.describe("probe", index).title.replace(",", "").split()
        amplitude, phase = float(words[1]), float(words[3])
        wave = amplitude * torch.sin(batch.query.inputs[0] - phase)
        assert torch.allclose(wave, batch.query.targets[0], atol=0.04)


def test_amplitudes_phases_and_inputs_are_uniform_over_their_ranges() -> None:
    source = waves()
    amplitude, phase = source.functions("train", range(20_000))[1].T
    inputs = source.sample("train", range(4000)).query.inputs
    for values, low, high in ((amplitude, 0.1, 5), (phase, 0, math.pi), (inputs, -5, 5)):
        found = np.sort(values.double().numpy().ravel())
        assert low <= found[0] < found[-1] <= high
        # Kolmogorov and Smirnov: 1.63 is exceeded once in a hundred seeds, and this one is fixed.
        expected = (found - low) / (high - low)
        assert np.abs(expected - np.arange(len(found)) / len(found)).max() * math.sqrt(len(found)) < 1.63


def test_without_adapting_no_answer_is_better_than_three() -> None:
    source = waves()
    floor = source.floors()[0].mean
    assert floor == pytest.approx(3.006, abs=1e-3)
    batch = source.sample("test", range(40_000))
    best = -1.62 * torch.cos(batch.query.inputs)
    assert (best - batch.query.targets).square().mean().item() == pytest.approx(floor, rel=0.02)
    assert batch.query.targets.square().mean().item() == pytest.approx(4.25, rel=0.02)


def test_noise_is_added_to_the_support_alone_and_has_its_deviation() -> None:
    calm, noisy = waves().sample("train", range(2000)), waves(noise=0.5).sample("train", range(2000))
    assert torch.equal(calm.query.targets, noisy.query.targets)
    noise = noisy.support.targets - calm.support.targets
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    assert abs(noise.mean().item()) < 0.01


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31 - 1), indices=st.lists(st.integers(0, 10**9), min_size=1, max_size=6), data=st.data())
def test_a_task_is_the_same_however_it_is_batched(seed: int, indices: list[int], data: st.DataObject) -> None:
    source = Sinusoids(resolve({"dataset": {"name": "sinusoids"}, "seed": seed}), torch.device("cpu"))
    which = data.draw(st.integers(0, len(indices) - 1))
    together, alone = source.sample("train", indices).task(which), source.sample("train", [indices[which]]).task(0)
    for one, other in zip(together, alone, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)


def test_there_is_nothing_to_download(tmp_path: object) -> None:
    assert not Sinusoids.downloadable
    with pytest.raises(DataError, match="Sinusoids has no official files"):
        Sinusoids.download(tmp_path, lambda done, total: None, lambda: False)  # type: ignore[arg-type]
