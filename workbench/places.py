"""Where the program's own files and the person's files lie."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path

APP = "meta-learning-workbench"
_PACKAGE = Path(__file__).resolve().parent


def _own(folder: str) -> Path:
    """Inside the package when installed from a wheel, beside it in a checkout."""
    installed = _PACKAGE / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder


def resources() -> Path:
    """Folder of icons, presets, help pages and the built-in glyphs."""
    return _own("resources")


def sample_tasks() -> Path:
    """Folder of the small examples that travel with the program."""
    return _own("sample_tasks")


def default_runs() -> Path:
    """Folder that runs are kept in when the person names no other."""
    return user_data_path(APP, appauthor=False) / "runs"


def datasets() -> Path:
    """Folder that official downloads go to when the person names no other."""
    return user_data_path(APP, appauthor=False) / "datasets"


def settings() -> Path:
    """Folder of the window's remembered state."""
    return user_config_path(APP, appauthor=False)


def cache() -> Path:
    """Folder whose contents may be deleted at any time."""
    return user_cache_path(APP, appauthor=False)
