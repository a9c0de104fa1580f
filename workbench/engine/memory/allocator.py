"""The C library's allocator, told to keep freed memory while something trains, and which part a thread takes from.

glibc gives large tensors back to the system as soon as they are freed, and the system empties every page of the next
one before it hands it out: in a meta-step, which makes and frees hundreds, a tenth of the time. Other C libraries are
left as they are.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

# From malloc.h. Once they were set glibc no longer adapts them, so afterwards they are where it would take them to.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
_ADAPTED_TRIM, _ADAPTED_MMAP, _USUAL_MMAPS = 64 * 2**20, 32 * 2**20, 65536
_NEVER = 2**31 - 1
# Beside one part of the memory for every core, for threads that hardly take anything.
_SPARE_PARTS = 2
# The bit in front of what was taken that says that it is not of the first part; so much is taken of the part itself.
_NOT_OF_THE_FIRST, _A_LITTLE = 4, 2**14
_MOST_TURNS = 300
START_SECONDS = 1.0
"""So long a thread that is to be given the first part is waited for; one that begins later takes what it is given."""


@cache
def _glibc() -> Any:
    """The library; None where there is another."""
    if platform.libc_ver()[0] != "glibc":
        return None
    # By its name: where another allocator was loaded before it, that one's memory lies otherwise.
    library = ctypes.CDLL("libc.so.6")
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    return library


def _tunable() -> Any:
    """The library, unless somebody has told it how to work before the program began."""
    is_told = any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    return None if is_told else _glibc()


def separate() -> None:
    """Have a few more parts of the memory than threads that compute, before there are any threads.

    A thread that begins is given one for itself, and where there is none left the next in turn. Threads that compute
    would wait for one another in the same part: on two cores they took a fifth longer.
    """
    if glibc := _tunable():
        glibc.mallopt(_ARENA_MAX, len(os.sched_getaffinity(0)) + _SPARE_PARTS)


def is_of_the_first_part() -> bool:
    """Whether what this thread takes is of the part that the main thread has, which alone keeps tensors of over 64 MB.

    Of the others such tensors are taken from the system anew each time. True where there is one part for all.
    """
    glibc = _glibc()
    if glibc is None:
        return True
    taken = glibc.malloc(_A_LITTLE)
    before = ctypes.c_size_t.from_address(taken - ctypes.sizeof(ctypes.c_size_t)).value
    glibc.free(taken)
    return not before & _NOT_OF_THE_FIRST


@contextmanager
def in_the_first_part() -> Iterator[None]:
    """A block in which the first thread that begins is given the first part, if it takes something within the block.

    glibc gives threads its parts in turn once none is left: others take their turns before it, and sleep meanwhile.
    Where that does not lead to it, or the system lets no more threads begin, they are gone before the block, and the
    thread takes what it is given, which costs only speed; so does a thread of somebody else that comes between.
    """
    if _tunable() is None:
        yield
        return
    turns: list[bool] = []
    is_over = threading.Event()
    others: list[threading.Thread] = []
    try:
        with suppress(RuntimeError):
            while not _is_next(turns) and len(turns) < _MOST_TURNS:
                others.append(_taking_a_turn(turns, is_over))
        if not _is_next(turns):
            _end(others, is_over)
        yield
    finally:
        _end(others, is_over)


def _taking_a_turn(turns: list[bool], is_over: threading.Event) -> threading.Thread:
    """A thread that has noted whether it was given the first part, and sleeps."""
    has_taken = threading.Event()

    def take() -> None:
        try:
            turns.append(is_of_the_first_part())
        finally:
            has_taken.set()
        is_over.wait()

    thread = threading.Thread(target=take, name="turn")
    thread.start()
    has_taken.wait()
    return thread


def _end(others: list[threading.Thread], is_over: threading.Event) -> None:
    is_over.set()
    for other in others:
        other.join()


def _is_next(turns: list[bool]) -> bool:
    """Whether the first part comes next, which has come twice, after as many turns as the last time."""
    came = [number for number, is_first in enumerate(turns) if is_first]
    return len(came) > 1 and len(turns) - came[-1] == came[-1] - came[-2]


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
