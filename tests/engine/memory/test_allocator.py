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

is_over = threading.Event()


def given(sleeps=False):
    # Whether a thread that begins now is given the first part.
    seen = []
    has_taken = threading.Event()

    def take():
        seen.append(allocator.is_of_the_first_part())
        has_taken.set()
        if sleeps:
            is_over.wait()

    thread = threading.Thread(target=take)
    thread.start()
    has_taken.wait()
    if not sleeps:
        thread.join()
    return seen[0]


def steered():
    with allocator.in_the_first_part():
        return given()


def let(most):
    # The system lets so many more threads begin; afterwards none.
    begin = threading.Thread.start

    def start(thread):
        if threading.active_count() > most:
            raise RuntimeError("can't start new thread")
        begin(thread)

    threading.Thread.start = start
"""


def parts(script: str, *words: str, **told: str) -> list[str]:
    """What a process with such words says that nobody has told how to take memory, but as it is said here."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    return subprocess.run([sys.executable, "-c", PARTS + script + "\nis_over.set()", *words], capture_output=True,
                          text=True, check=True, env=own | told).stdout.split()


CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@on_glibc
def test_each_thread_is_given_a_part_until_there_are_two_more_than_cores_and_then_the_next_in_turn():
    said = parts(f"allocator.separate()\nprint(*[given(sleeps=True) for _ in range({CORES + 2})])")
    assert said == ["False"] * (CORES + 1) + ["True"]


@on_glibc
@pytest.mark.parametrize("sleepers", [0, 1, CORES + 2])
def test_a_thread_that_is_to_hold_large_tensors_is_given_the_first_part(sleepers: int):
    # After so many sleepers that the turn has come round the next would be given another part, unless it is steered.
    said = parts(f"allocator.separate()\nfor _ in range({sleepers}):\n    given(sleeps=True)\n"
                 f"print(given(), *[steered() for _ in range(3)], threading.active_count() - {sleepers})")
    assert said == ["False", *["True"] * 3, "1"]


@on_glibc
def test_a_thread_begins_although_the_system_lets_too_few_begin_for_it_to_be_steered():
    assert parts("allocator.separate()\nlet(2)\nprint(steered() in (True, False), threading.active_count())") == [
        "True", "1"]


@on_glibc
def test_where_somebody_has_told_the_library_how_to_work_no_thread_takes_a_turn():
    said = parts("with allocator.in_the_first_part():\n    print(threading.active_count())", MALLOC_ARENA_MAX="1")
    assert said == ["1"]


POOL = """
from tests.problems import make, noise_tasks, setting, spec
from workbench.engine.executors import EXECUTORS
from workbench.engine.inner_loop import trace_task

allocator.separate()
about = spec("classification", 3)
algorithm, meta = make("maml", about, inner_steps=1)
batch, keys = noise_tasks(about, tasks=6, ways=3, shots=1, queries=2)
for name in ("threads", "portions"):
    for has_large_tensors in (True, False):
        runner = EXECUTORS[name](algorithm, 2)
        runner.has_large_tensors = has_large_tensors
        seen = set()

        def look(algorithm, meta, task, context):
            if threading.current_thread().name.startswith("tasks"):
                seen.add(allocator.is_of_the_first_part())
            return trace_task(algorithm, meta, task, context)

        runner.map(look, meta, batch, keys, setting(algorithm, about))
        runner.close()
        print(has_large_tensors, *seen)
"""


@on_glibc
def test_threads_of_a_pool_take_large_tensors_from_the_first_part_and_others_from_their_own():
    assert parts(POOL) == ["True", "True", "False", "False"] * 2


WINDOW = """
import os
import sys
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"
from PySide6.QtCore import Qt, QThread, QTimer

from workbench.experiment.resolve import resolve, with_settings
from workbench.gui.app import application
from workbench.gui.controller import TrainingController
from workbench.runs.store import RunStore

def look():
    print(allocator.is_of_the_first_part(), threading.current_thread() is threading.main_thread())


allocator.separate()
qt = application()
found = TrainingController()
# Directly, on the thread that trains, at its end.
found.run_started.connect(lambda _: found.findChild(QThread).finished.connect(look, Qt.ConnectionType.DirectConnection))
found.run_ended.connect(lambda _: qt.quit())
experiment = resolve(with_settings({}, ["dataset=sinusoids", "device=cpu", "training.iterations=1",
                                        "evaluation.tasks=2", "training.validation_tasks=2"]))
QTimer.singleShot(0, lambda: found.start(RunStore(Path(sys.argv[1])), experiment))
qt.exec()
"""


@on_glibc
def test_the_thread_that_trains_in_the_window_is_given_the_first_part(tmp_path):
    assert parts(WINDOW, str(tmp_path)) == ["True", "False"]
