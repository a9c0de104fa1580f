"""Puts the program where the desktop keeps its programs, on systems that follow the freedesktop.org rules."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from workbench import places


class LauncherError(RuntimeError):
    """The launcher cannot be made; the message says what to do instead."""


def add_to_menu() -> Path:
    """Write the launcher and its icons below the person's data folder; the launcher's path.

    Raises:
        LauncherError: The system keeps its programs elsewhere, or the folder cannot be written.
    """
    if not sys.platform.startswith("linux"):
        raise LauncherError("this system keeps its programs in a way of its own: make a shortcut to workbench-window, "
                            "which lies beside the Python that runs this program")
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    launcher = home / "applications" / f"{places.APP}.desktop"
    icons = home / "icons" / "hicolor"
    try:
        for folder, name in (("scalable", "workbench.svg"), ("256x256", "workbench.png")):
            target = icons / folder / "apps" / f"{places.APP}{Path(name).suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(places.resources() / "icons" / name, target)
        launcher.parent.mkdir(parents=True, exist_ok=True)
        text = (places.resources() / "workbench.desktop").read_text(encoding="utf8")
        launcher.write_text(text.replace("Exec=workbench-window", f"Exec={_command()}"), encoding="utf8")
    except OSError as error:
        raise LauncherError(f"the launcher cannot be written ({error})") from error
    return launcher


def _command() -> str:
    """What starts this very installation, whether or not its folder is searched for commands."""
    script = Path(sys.executable).with_name("workbench-window")
    words = [str(script)] if script.exists() else [sys.executable, "-m", "workbench"]
    return " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words)
