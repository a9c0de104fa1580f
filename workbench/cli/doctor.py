"""`doctor`: what of this machine the program can use, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import torch

from workbench import __version__, places
from workbench.cli import display
from workbench.cli.main import FAILURE, SUCCESS
from workbench.cli.output import Output, aligned
from workbench.cli.runs import store
from workbench.engine import devices
from workbench.engine.ways.work import cores
from workbench.words import size_in_words

_IMPORT_QT = "import PySide6.QtWidgets, PySide6.QtGui; print(PySide6.QtCore.qVersion())"


def examine(arguments: Namespace, output: Output) -> int:
    """Report on this machine; it fails where training is not possible."""
    table = {
        "workbench": __version__, "python": platform.python_version(), "system": platform.platform(),
        "cores": cores(), "torch": _torch(), "devices": [asdict(one) for one in devices.devices()],
        "cuda_remedy": devices.missing_cuda(), "window": _window(),
        "folders": {name: _folder(path) for name, path in (
            ("runs", store(arguments).folder), ("datasets", places.datasets()), ("settings", places.settings()),
            ("cache", places.cache()))},
        "packages": _packages(),
    }
    problems = _problems(table)
    table |= {"can_train": not problems, "problems": problems}
    output.result(table, _in_words(table))
    return FAILURE if problems else SUCCESS


def _torch() -> dict[str, Any]:
    return {"version": torch.__version__, "cuda": torch.version.cuda, "threads": torch.get_num_threads()}


def _window() -> dict[str, Any]:
    """Whether the window can be opened; Qt is only ever imported in a process of its own."""
    problem = display.missing_libraries() or display.missing_display()
    qt = ""
    if "PySide6" not in problem:
        # A library that fails to load can end its process, which must not be this one.
        tried = subprocess.run([sys.executable, "-c", _IMPORT_QT], capture_output=True, text=True, check=False,  # noqa: S603
                               env=os.environ | {"QT_QPA_PLATFORM": "offscreen"})
        qt = tried.stdout.strip()
        problem = problem or (tried.stderr.strip().splitlines() or [f"Qt ended with {tried.returncode}"])[-1] * (not qt)
    return {"platform": display.platform(), "qt": qt, "is_possible": not problem, "problem": problem}


def _folder(path: Path) -> dict[str, Any]:
    """Whether something can be written there and how much; the folder itself need not exist yet."""
    base = next((one for one in (path, *path.parents) if one.exists()), path)
    try:
        # Asking for the right to write is not enough: a full or a read-only disk would say yes.
        with tempfile.TemporaryFile(dir=base):
            pass
        problem = ""
    except OSError as error:
        problem = f"{path} cannot be written to ({error.strerror})"
    free = shutil.disk_usage(base).free if base.exists() else 0
    return {"path": path, "exists": path.is_dir(), "free": free, "problem": problem}


def _packages() -> dict[str, str]:
    """Installed version of everything that the program depends on; empty where it is missing."""
    try:
        lines = requires("meta-learning-workbench") or []
    except PackageNotFoundError:
        lines = []
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _problems(table: dict[str, Any]) -> list[str]:
    """What stands in the way of training; a missing display or GPU does not."""
    found = [folder["problem"] for name, folder in table["folders"].items() if name == "runs" and folder["problem"]]
    window_only = {"PySide6-Essentials", "pyqtgraph", "wakepy"}
    missing = [name for name, number in table["packages"].items() if not number and name not in window_only]
    return found + [f"{name} is not installed; `pip install {name}`" for name in missing]


def _in_words(table: dict[str, Any]) -> str:
    cuda = f"CUDA {table['torch']['cuda']}" if table["torch"]["cuda"] else "without CUDA"
    rows = [("workbench", table["workbench"]), ("python", table["python"]), ("system", table["system"]),
            ("torch", f"{table['torch']['version']}, {cuda}, {table['torch']['threads']} threads")]
    rows += [("device", f"{one['name']}: {one['title']}, {size_in_words(one['memory'])}") for one in table["devices"]]
    window = table["window"]
    rows.append(("window", window["problem"] or f"Qt {window['qt']} on {window['platform']}"))
    rows += [(name, folder["problem"] or f"{folder['path']}, {size_in_words(folder['free'])} free")
             for name, folder in table["folders"].items()]
    rows.append(("packages", ", ".join(f"{name} {number or 'MISSING'}" for name, number in table["packages"].items())))
    remedies = [table["cuda_remedy"], *table["problems"]]
    lines = [aligned(rows), *(f"problem: {one}" for one in remedies if one)]
    return "\n".join([*lines, "training is possible" if table["can_train"] else "training is not possible"])
