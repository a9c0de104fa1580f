"""Errors as sentences for the person at the desk."""

from __future__ import annotations

import torch

# What torch's allocator for the CPU says of itself, for which it has no class of errors.
_CPU_ALLOCATOR = "DefaultCPUAllocator"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is too little memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and _CPU_ALLOCATOR in str(error))


def in_words(error: BaseException) -> str:
    """An error as one sentence."""
    if is_out_of_memory(error):
        return ("the device has too little memory; lower training.meta_batch, the inner steps or the backbone's size, "
                "or switch training.recompute on")
    return str(error).strip().split("\n")[0] or type(error).__name__
