"""The launcher that needs no terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workbench.gui.launcher import add_to_menu


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems keep their programs otherwise")
def test_the_launcher_starts_this_installation_with_its_icon(own_folders: Path) -> None:
    launcher = add_to_menu()
    text = launcher.read_text(encoding="utf8")
    assert launcher.is_relative_to(own_folders)
    assert str(Path(sys.executable).parent) in text
    assert "Terminal=false" in text
    icon = text.split("Icon=")[1].splitlines()[0]
    assert sorted(path.name for path in own_folders.rglob(f"{icon}.*g")) == [f"{icon}.png", f"{icon}.svg"]
