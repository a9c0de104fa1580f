"""Errors as sentences for the person at the desk, and which of them say that memory ran out."""

from __future__ import annotations

import re

import torch

# Where in its source a library was, before it says what was wrong.
_PLACE = r"^\[[^]\s]+:\d+\] "
# What torch's allocators for the CPU and for Apple's GPUs, oneDNN and the libraries of NVIDIA say, for which torch has
# no class of errors.
_OUT_OF_MEMORY = ("DefaultCPUAllocator", "MPS backend out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
                  "CUDNN_STATUS_ALLOC_FAILED", "CUSOLVER_STATUS_ALLOC_FAILED", "CUDA error: out of memory",
                  "could not create a primitive")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is too little memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(one in str(error) for one in _OUT_OF_MEMORY))


def in_words(error: BaseException) -> str:
    """An error as one sentence."""
    if is_out_of_memory(error):
        return ("the device has too little memory; lower the inner steps, the shots and queries or the backbone's "
                "size, or switch training.recompute on")
    said = str(error).strip().split("\n")[0]
    return re.sub(_PLACE, "", said) or type(error).__name__
