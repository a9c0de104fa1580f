"""Freed memory is kept for the next tensor while something trains, and given back afterwards; threads take theirs from
parts of their own, but one that is to hold large tensors."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
import torch

from workbench.engine.memory import allocator

# Of 20 MB, and of 48 MB, which glibc maps anew each time unless it is told not to.
LARGE, HUGE = 5 * 2**20, 12 * 2**20
PAGE = 1024
on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")


def faults() -> int:
    """Pages that the system had to hand out so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def used(times: int, floats: int) -> int:
    """Pages handed out while a tensor of so many numbers is made and forgotten so often."""
    before = faults()
    for _ in range(times):
        torch.empty(floats).fill_(1.0)
    return faults() - before


@on_glibc
def test_the_next_tensor_finds_the_memory_of_the_last_one():
    torch.set_num_threads(1)
    with allocator.keeping():
        used(20, LARGE)
        assert used(20, LARGE) < 2 * LARGE / PAGE


GIVEN_BACK = """
import torch
from tests.engine.memory.test_allocator import LARGE, used
from workbench.engine.memory import allocator

torch.set_num_threads(1)
with allocator.keeping():
    used(20, LARGE)
    print(used(1, LARGE))
print(used(1, LARGE))
"""


@on_glibc
def test_what_was_kept_is_given_back():
    # In a process of its own, whose memory nobody else has had. Pages are counted that are handed out anew, for what a
    # process holds is also the system's to say, which takes idle pages away.
    said = subprocess.run([sys.executable, "-c", GIVEN_BACK], check=True, capture_output=True, text=True)
    kept, given_back = map(int, said.stdout.split())
    assert kept < 0.1 * LARGE / PAGE
    assert given_back > 0.9 * LARGE / PAGE


TOLD = """
from tests.engine.memory.test_allocator import HUGE, used
from workbench.engine.memory import allocator

with allocator.keeping():
    used(1, HUGE)
    print(used(4, HUGE))
"""


@on_glibc
def test_who_has_told_the_library_how_to_work_is_obeyed():
    said = subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, check=True,
                          env=os.environ | {"MALLOC_TRIM_THRESHOLD_": "100000"})
    assert int(said.stdout) > 3 * HUGE / PAGE


PARTS = """
import sys
import threading

from workbench.engine.memory import allocator

allocator.part()
is_over = threading.Event()
seen = []


def begin(sleeps=False):
    has_taken = threading.Event()

    def take():
        seen.append(allocator.is_of_the_first_part())
        has_taken.set()
        if sleeps:
            is_over.wait()

    thread = threading.Thread(target=take)
    thread.start()
    has_taken.wait()
    return thread


sleepers = [begin(sleeps=True) for _ in range(int(sys.argv[1]))]
seen.clear()
for _ in range(3):
    with allocator.in_the_first_part():
        begin().join()
    begin().join()
print(allocator.is_of_the_first_part(), *seen, threading.active_count() - len(sleepers))
is_over.set()
"""


@on_glibc
@pytest.mark.parametrize("sleepers", [0, 1])
def test_a_thread_that_is_to_hold_large_tensors_is_given_the_first_part_and_others_one_of_their_own(sleepers: int):
    said = subprocess.run([sys.executable, "-c", PARTS, str(sleepers)], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", *["True", "False"] * 3, "1"]


@on_glibc
def test_a_thread_is_given_the_first_part_where_none_is_left_for_it():
    said = subprocess.run([sys.executable, "-c", PARTS, str(len(os.sched_getaffinity(0)) + 4)], capture_output=True,
                          text=True, check=True)
    assert said.stdout.split()[:2] == ["True", "True"]


@on_glibc
def test_where_somebody_has_told_the_library_how_to_work_no_thread_takes_a_turn():
    said = subprocess.run([sys.executable, "-c", TURNS], capture_output=True, text=True, check=True,
                          env=os.environ | {"MALLOC_ARENA_MAX": "1"})
    assert said.stdout.split() == ["1"]


TURNS = """
import threading

from workbench.engine.memory import allocator

with allocator.in_the_first_part():
    print(threading.active_count())
"""
