"""Devices that training can run on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch


class DeviceError(ValueError):
    """A device that is not there; the message says what there is."""


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        name: What `device` in an experiment takes: cpu, mps, cuda:0.
        title: What it is called on the box.
        memory: Bytes it has.
    """

    name: str
    title: str
    memory: int


def devices() -> list[Device]:
    """Every device of this machine, the fastest first."""
    found = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        found.append(Device(f"cuda:{index}", properties.name, properties.total_memory))
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU", psutil.virtual_memory().total))
    cores = psutil.cpu_count(logical=False) or torch.get_num_threads()
    found.append(Device("cpu", f"CPU, {cores} cores", psutil.virtual_memory().total))
    return found


def title(device: torch.device) -> str:
    """What a device is called on the box."""
    return next((one.title for one in devices() if one.name == str(device)), str(device))


def choose(name: str) -> torch.device:
    """The device of this name; `auto` is the fastest there is.

    Raises:
        DeviceError: There is no such device.
    """
    known = devices()
    if name == "auto":
        return torch.device(known[0].name)
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    wanted = "cuda:0" if name == "cuda" else name
    if device is None or wanted not in [one.name for one in known]:
        names = ", ".join(["auto", *(one.name for one in known)])
        remedy = f"; {hint}" if "cuda" in name and (hint := missing_cuda()) else ""
        raise DeviceError(f"device: this machine has no '{name}'; choose one of {names}{remedy}")
    return torch.device(wanted)


def missing_cuda() -> str:
    """What to do where there is an NVIDIA card that this torch cannot use; empty where there is nothing to do."""
    if torch.cuda.is_available():
        return ""
    has_card = Path("/proc/driver/nvidia/gpus").is_dir() or shutil.which("nvidia-smi") is not None
    if not has_card:
        return ""
    if torch.version.cuda is None:
        return (f"there is an NVIDIA card, but torch {torch.__version__} was built without CUDA: install the CUDA "
                "build of torch, as the start page of its own site says")
    return (f"there is an NVIDIA card, but its driver does not work with CUDA {torch.version.cuda}, which this torch "
            "was built for: update the driver")


def event(device: torch.device) -> torch.cuda.Event:
    """The end of what is queued on a CUDA device; who waits for it sleeps, and leaves its core to others."""
    end = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    end.record(torch.cuda.current_stream(device))
    return end


def finish(device: torch.device) -> None:
    """Wait for everything that is queued on a device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def empty_cache() -> None:
    """Return to the system what torch keeps of the devices' freed memory."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def memory_in_use(device: torch.device) -> int:
    """Bytes that the program holds on the device."""
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return int(psutil.Process().memory_info().rss)
