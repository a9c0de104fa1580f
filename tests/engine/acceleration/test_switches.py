"""Which executors may have which switch, and on which device."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from tests.engine.acceleration.steps import CPU, problem
from tests.problems import executor
from workbench.engine.acceleration.base import AccelerationError
from workbench.engine.acceleration.switches import accelerated, refused_accelerations


def test_what_runs_many_tasks_at_once_is_accelerated_and_only_a_gpu_captures():
    algorithm, _ = problem("maml")
    threads = executor("threads", algorithm)
    assert accelerated("compile", threads, torch.device("cpu")) is threads
    portions = executor("portions", algorithm)
    for kind in ("compile", "graphs"):
        assert accelerated(kind, portions, torch.device("cuda")) is portions
    threads.close()
    portions.close()
    for name, device in product(("threads", "portions"), ("cpu", "cuda")):
        assert set(refused_accelerations(device, name)) == {"compile", "graphs"}
    assert refused_accelerations("cuda", "vectorized") == {}
    with pytest.raises(AccelerationError, match="need an NVIDIA GPU, and this run is on the CPU"):
        accelerated("graphs", executor("vectorized", algorithm), torch.device("cpu"))


def test_task_by_task_nothing_is_replayed():
    algorithm, _ = problem("maml", "regression")
    threads = executor("threads", algorithm)
    assert accelerated("replay", threads, CPU) is threads
    threads.close()
