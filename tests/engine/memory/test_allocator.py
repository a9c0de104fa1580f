"""Freed memory is kept for the next tensor while something trains, and given back afterwards."""

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
