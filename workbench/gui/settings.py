"""What the window remembers between two starts; a damaged file never blocks a start."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from workbench import places

VERSION = 1
_log = logging.getLogger(__name__)


@dataclass
class Settings:
    """The remembered state.

    Attributes:
        theme: system, light or dark.
        geometry, splitters: Qt's own words for sizes, as base64; `splitters` by object name.
        form: What was picked and typed, as the form gives it.
        folds: Whether each section of the form is open.
        ticked: Runs that were drawn, with their colours.
        colors: Colours that runs had the last time that they were drawn.
        focused: The run that was looked at.
        plots: State of the plots.
        columns: Qt's own words for the columns of the run table.
        tab: Number of the lower tab.
        developer: Whether the developer panel is open.
        runs_folder: Folder of runs; empty for the usual one.
        last_folder: Where the last folder was picked.
        saving_folder: Where something was saved the last time.
    """

    theme: str = "system"
    geometry: str = ""
    splitters: dict[str, str] = field(default_factory=dict)
    form: dict[str, Any] = field(default_factory=dict)
    folds: dict[str, bool] = field(default_factory=dict)
    ticked: dict[str, int] = field(default_factory=dict)
    colors: dict[str, int] = field(default_factory=dict)
    focused: str = ""
    plots: dict[str, Any] = field(default_factory=dict)
    columns: str = ""
    tab: int = 0
    developer: bool = False
    runs_folder: str = ""
    last_folder: str = ""
    saving_folder: str = ""


def path() -> Path:
    """The file that they are kept in."""
    return places.settings() / "window.json"


def load() -> Settings:
    """The settings of the last time; what is damaged or of another kind than expected is left at its default."""
    settings = Settings()
    try:
        known = json.loads(path().read_text(encoding="utf8"))
    except FileNotFoundError:
        return settings
    except (OSError, ValueError) as error:
        _log.warning("The window's settings cannot be read and start afresh (%s)", str(error))
        return settings
    if not isinstance(known, dict) or known.get("version") != VERSION:
        return settings
    for one in fields(Settings):
        value = known.get(one.name)
        if isinstance(value, type(getattr(settings, one.name))):
            setattr(settings, one.name, value)
    return settings


def save(settings: Settings) -> None:
    """Keep the settings; a disk that refuses is a line in the log."""
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        temporary = path().with_suffix(".new")
        temporary.write_text(json.dumps({"version": VERSION, **asdict(settings)}, indent=1), encoding="utf8")
        temporary.replace(path())
    except OSError as error:
        _log.warning("The window's settings cannot be kept (%s)", str(error))
