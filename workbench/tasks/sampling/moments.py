"""Mean and deviation of inputs, and how they are normalized by these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def moments_of(inputs: Tensor, examples: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel or feature over some of the inputs [n, channels, ...].

    What never varies deviates by 1; pixels in uint8 count as numbers in [0, 1].
    """
    chosen = torch.from_numpy(examples)
    if inputs.dtype == torch.uint8:
        pixels = [moments_of_pixels(inputs[chosen, channel]) for channel in range(inputs.shape[1])]
        return tuple(mean for mean, _ in pixels), tuple(deviation for _, deviation in pixels)
    rows = inputs[chosen].double().movedim(1, 0).flatten(1)
    deviation = rows.std(1, correction=0)
    deviation = torch.where(deviation > 1e-6 * rows.abs().amax(1).clamp(min=1e-6), deviation, 1.0)
    return tuple(rows.mean(1).tolist()), tuple(deviation.tolist())


def moments_of_pixels(pixels: Tensor) -> tuple[float, float]:
    """Mean and deviation of uint8 pixels as numbers in [0, 1]; pictures of one flat tone deviate by 1."""
    counts = torch.bincount(pixels.reshape(-1), minlength=256).double()
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts * levels).sum() / counts.sum()
    deviation = ((counts * (levels - mean) ** 2).sum() / counts.sum()).sqrt().item()
    return mean.item(), deviation if deviation > 1e-3 else 1.0


class Normalizing:
    """(raw - mean) / deviation, as one product and at most one sum.

    Args:
        mean, deviation: Of each channel or feature, with raw pixels in [0, 1].
        like: Raw inputs [n, channels, ...]: pixels in uint8, or numbers in float32.
        device: Where inputs will lie.
    """

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], like: Tensor, device: torch.device) -> None:
        unit = 255 if like.dtype == torch.uint8 else 1
        along = (-1,) + (1,) * (like.ndim - 2)
        self._scale = (1 / (unit * torch.tensor(deviation))).view(along).to(device)
        self._shift = (torch.tensor(mean) / torch.tensor(deviation)).view(along).to(device)
        self._is_shifted = any(mean)

    def __call__(self, raw: Tensor) -> Tensor:
        """Normalized inputs in float32, always a tensor of its own."""
        inputs = raw.float().mul_(self._scale) if raw.dtype == torch.uint8 else raw * self._scale
        return inputs.sub_(self._shift) if self._is_shifted else inputs
