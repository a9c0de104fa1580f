"""Opening the window, and why that is not possible here."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import os
import re
import socket
import sys
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

from workbench.cli.output import Output, UsageError

HEADLESS = "`workbench run` trains without a window"

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""Libraries that Qt takes from the system, and the Debian and Ubuntu package of each."""

_ONLY_FOR = {"xcb": ("libX11-xcb", "libxcb-", "libxkbcommon-x11"), "wayland": ("libwayland",)}


def open_window(arguments: Namespace, output: Output) -> int:  # noqa: ARG001 - every command is called alike
    """Open the window and stay until it is closed; raises UsageError where there can be none."""
    for reason in (missing_display(), missing_libraries()):
        if reason:
            raise UsageError(reason)
    try:
        # The command line and the window never know each other: only the name of the one function stands here.
        app = importlib.import_module("workbench.gui.app")
    except ImportError as error:
        raise UsageError(why_not_imported(error)) from error
    status: int = app.run_window(arguments.runs)
    return status


def platform() -> str:
    """What Qt will draw on: xcb, wayland, another that the person chose, or empty where there is no display."""
    chosen = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    if chosen or not sys.platform.startswith("linux"):
        return chosen or sys.platform
    if os.environ.get("WAYLAND_DISPLAY") and (_answers_wayland() or not os.environ.get("DISPLAY")):
        return "wayland"
    return "xcb" if os.environ.get("DISPLAY") else ""


def missing_display() -> str:
    """Why there is no display to draw on; empty where there is one."""
    kind = platform()
    if not kind:
        return f"there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set); {HEADLESS}"
    if kind == "xcb" and not _answers_xcb():
        return f"the display {os.environ.get('DISPLAY', '')} does not answer; {HEADLESS}"
    if kind == "wayland" and not _answers_wayland():
        return f"the display {os.environ.get('WAYLAND_DISPLAY', '')} does not answer; {HEADLESS}"
    return ""


def _answers_wayland() -> bool:
    """Whether a compositor listens at the socket that the environment names."""
    path = Path(os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("WAYLAND_DISPLAY") or "wayland-0")
    try:
        with socket.socket(socket.AF_UNIX) as one:
            return one.connect_ex(str(path)) == 0
    except OSError:  # a path that is too long for a socket
        return False


def _answers_xcb() -> bool:
    """Whether the X server answers; True where the library to ask with is missing, which is told of on its own."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    is_broken = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not is_broken


def missing_libraries() -> str:
    """Which libraries Qt misses and the packages that bring them; empty where none is missing.

    Qt ends the program where its platform plugin cannot be loaded, so they are looked for before it can.
    """
    if find_spec("PySide6") is None:
        return f"the window needs PySide6, which is not installed here (`pip install PySide6-Essentials`); {HEADLESS}"
    if not sys.platform.startswith("linux"):
        return ""
    others = [prefix for kind, prefixes in _ONLY_FOR.items() if kind != platform() for prefix in prefixes]
    wanted = [name for name in PACKAGES if not name.startswith(tuple(others))]
    missing = [name for name in wanted if not _loads(name)]
    if not missing and platform() == "xcb" and (plugin := _xcb_plugin()):
        missing = _missing_of(plugin)
    return needs(missing) if missing else ""


def needs(missing: list[str]) -> str:
    """The sentence that names libraries and the packages that bring them."""
    packages = " ".join(dict.fromkeys(PACKAGES[name] for name in missing if name in PACKAGES))
    remedy = f"on Debian or Ubuntu `apt install {packages}` brings {'it' if len(missing) == 1 else 'them'}" \
        if packages else "install the package that brings it"
    return f"the window needs {', '.join(missing)}, missing on this system; {remedy}; {HEADLESS}"


def _loads(name: str) -> bool:
    return not _missing_of(name)


def _missing_of(name: str) -> list[str]:
    """The library that this one cannot be loaded without, or itself."""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        return [_library(str(error)) or name]
    return []


def _library(message: str) -> str:
    """The library that a loader's message says is missing; empty where it says nothing of the kind."""
    found = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object", message)
    return found[1] if found else ""


def _xcb_plugin() -> str:
    spec = find_spec("PySide6")
    folders = (spec.submodule_search_locations or []) if spec else []
    plugins = [Path(folder) / "Qt/plugins/platforms/libqxcb.so" for folder in folders]
    return next((str(path) for path in plugins if path.is_file()), "")


def why_not_imported(error: ImportError) -> str:
    """Why the window cannot be imported, in a sentence; raises the error where it is a fault of the program."""
    name = _library(str(error))
    if name:
        return needs([name])
    if error.name and error.name.split(".")[0] in ("PySide6", "shiboken6", "pyqtgraph"):
        return f"the window cannot be loaded: {error}; install {error.name.split('.')[0]} again; {HEADLESS}"
    raise error
