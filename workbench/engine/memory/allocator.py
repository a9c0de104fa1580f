"""The C library's allocator, told to keep freed memory while something trains.

glibc gives large tensors back to the system as soon as they are freed, and the system empties every page of the next
one before it hands it out: in a meta-step, which makes and frees hundreds, a tenth of the time. Other C libraries are
left as they are.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

# From malloc.h. Once they were set glibc no longer adapts them, so afterwards they are where it would take them to.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
_ADAPTED_TRIM, _ADAPTED_MMAP, _USUAL_MMAPS = 64 * 2**20, 32 * 2**20, 65536
_NEVER = 2**31 - 1
# Each thread has a part of the memory of its own, which tensors of over 64 MB do not go into. One for all can hold
# every tensor, but threads wait for one another there.
_CORES_AN_ARENA = 4


@cache
def _glibc() -> Any:
    """The library; None where there is another."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def _tunable() -> Any:
    """The library, unless somebody has told it how to work before the program began."""
    is_told = any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    return None if is_told else _glibc()


def share() -> None:
    """Have few threads share one part of the memory, of those that are yet to begin."""
    if glibc := _tunable():
        glibc.mallopt(_ARENA_MAX, max(1, len(os.sched_getaffinity(0)) // _CORES_AN_ARENA))


def trim() -> None:
    """Return what is kept to the system."""
    if glibc := _glibc():
        glibc.malloc_trim(0)


@contextmanager
def keeping() -> Iterator[None]:
    """A block in which freed memory is kept for the next tensor, and given back at its end."""
    glibc = _tunable()
    if glibc is None:
        yield
        return
    glibc.mallopt(_TRIM_THRESHOLD, _NEVER)
    glibc.mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        glibc.mallopt(_MMAP_MAX, _USUAL_MMAPS)
        glibc.mallopt(_MMAP_THRESHOLD, _ADAPTED_MMAP)
        glibc.mallopt(_TRIM_THRESHOLD, _ADAPTED_TRIM)
        trim()
