"""What measurements were made on, and what to run the program in so that it finds nothing of the person's own."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

_WIDEST = {"avx512f": "AVX-512", "avx2": "AVX2"}
PACKAGES = ("torch", "PySide6-Essentials", "pyqtgraph", "numpy")


def processor() -> str:
    """The processor's name, its family, for one name may stand for several generations, and the widest numbers that it
    computes side by side; or where nothing tells them its kind.
    """
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf8").splitlines() if info.exists() else []
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "model name" not in told:
        return platform.processor() or platform.machine()
    flags = told.get("flags", "").split()
    widest = next((f" with {title}" for flag, title in _WIDEST.items() if flag in flags), "")
    family = f", family {told['cpu family']}," if "cpu family" in told else ""
    return told["model name"] + (family + widest if widest else family.rstrip(","))


def about() -> dict[str, object]:
    """Processor, cores, memory, system and versions."""
    return {"processor": processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1), "system": platform.platform(),
            "load_average": [round(one, 2) for one in psutil.getloadavg()], "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES}}


def environment(folder: Path) -> dict[str, str]:
    """Settings, data and cache below a folder; offscreen where there is no screen."""
    own = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "CACHE")}
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    screen = {} if has_screen or os.name == "nt" else {"QT_QPA_PLATFORM": "offscreen"}
    return screen | dict(os.environ) | own
