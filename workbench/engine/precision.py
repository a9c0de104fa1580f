"""The numbers that a network's layers compute in, where they cannot be had, and blocks that compute in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from operator import attrgetter
from typing import Any, Literal

import torch

from workbench.engine.devices import DeviceError

Precision = Literal["float32", "tf32", "bf16"]


def narrower(precision: Precision) -> torch.dtype | None:
    """The type that the layers' inputs and weights are brought to; None where they stay as they are."""
    return torch.bfloat16 if precision == "bf16" else None


def refusal(precision: Precision, device: torch.device) -> str:
    """Why a device does not have these numbers, with the remedy; empty where it does."""
    if precision == "tf32" and device.type != "cuda":
        return f"TF32 is what NVIDIA GPUs compute in, and this is {device}; take float32 or bf16"
    if precision == "bf16" and device.type == "mps":
        return "bfloat16 has not been measured to train on Apple GPUs; take float32"
    if precision != "float32" and device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
        return "this GPU has no units for it (compute capability 8.0); take float32"
    return ""


def check(precision: Precision, device: torch.device) -> None:
    """Raise DeviceError where a device does not have these numbers."""
    if reason := refusal(precision, device):
        raise DeviceError(f"training.precision: {reason}")


def float32_products() -> Literal["float32", "tf32"]:
    """How NVIDIA GPUs multiply float32 in this block of `arithmetic`."""
    return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "float32"


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """A block that computes on a device: NVIDIA GPUs multiply float32 as told and sum in one order; after it they do as
    before.

    Left alone, torch would let cuDNN's convolutions take TF32, and ways whose sums differ from one time to the next, so
    that a resumed run would not equal one that was never stopped. Its streams and events are of the first GPU where
    nobody says which is at hand.
    """
    places: tuple[Any, ...] = tuple(
        attrgetter(name)(torch.backends) for name in ("cuda.matmul", "cudnn.conv", "cudnn.rnn"))
    before = [place.fp32_precision for place in places]
    was_deterministic, torch.backends.cudnn.deterministic = torch.backends.cudnn.deterministic, True
    for place in places:
        place.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            yield
    finally:
        torch.backends.cudnn.deterministic = was_deterministic
        for place, was in zip(places, before, strict=True):
            place.fp32_precision = was
