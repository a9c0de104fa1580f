"""The switches that an executor may have: replayed, compiled or captured meta-gradients, and what they are for."""

from __future__ import annotations

import torch

from workbench.engine import devices
from workbench.engine.acceleration.base import AccelerationError
from workbench.engine.executors import EXECUTORS
from workbench.engine.executors.base import Executor

_ALL_AT_ONCE = "it is for all tasks at once, and these run on threads"


def refused_accelerations(device: str, executor: str = "auto") -> dict[str, str]:
    """Accelerations that a run cannot have, with the reason; device and executor are named as in an experiment."""
    refused = {kind: _ALL_AT_ONCE for kind in ("compile", "graphs")
               if executor in EXECUTORS and fitting(kind, EXECUTORS[executor]) == "none"}
    if (devices.devices()[0].name if device == "auto" else device).startswith("cuda"):
        return refused
    return refused | {"graphs": "CUDA graphs need an NVIDIA GPU, and this run would be on another device"}


def fitting(kind: str, executor: Executor | type[Executor]) -> str:
    """The kind of switch, or none where it is not for such an executor.

    Only a replayed list lets threads run at the same time: what is compiled holds on to Python while it runs.
    """
    is_for = executor.has_task_axis and (kind == "replay" or not executor.is_pooled)
    return kind if is_for else "none"


def accelerated(kind: str, executor: Executor, device: torch.device, plain_threads: int = 0) -> Executor:
    """The executor with a switch on it; as it is where the switch is not for such an executor.

    Args:
        kind: none, replay, compile or graphs.
        executor: What it is put on.
        device: Where it runs.
        plain_threads: Compute threads of what is not compiled yet; 0 for those of the executor.

    Raises:
        AccelerationError: The device does not have it.
    """
    kind = fitting(kind, executor)
    if kind == "none":
        return executor
    # A form needs to know of them, and not to load them.
    from workbench.engine.acceleration.captured import Captured  # noqa: PLC0415
    from workbench.engine.acceleration.prepared import Compiled, Replayed  # noqa: PLC0415

    if kind == "replay":
        return Replayed(executor)
    if kind == "compile":
        return Compiled(executor, plain_threads or executor.threads)
    check(kind, device)
    return Captured(executor)


def check(kind: str, device: torch.device) -> None:
    """Raise AccelerationError where a device does not have a switch."""
    if kind == "graphs" and device.type != "cuda":
        raise AccelerationError("training.acceleration: CUDA graphs need an NVIDIA GPU, and this run is on the "
                                f"{device.type.upper()}; choose auto, none or compile")
