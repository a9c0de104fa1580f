"""A run as the plots see it."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.runs.history import History


@dataclass(frozen=True)
class ShownRun:
    """A run that is ticked, or focused, in the table.

    Attributes:
        id: Which.
        title: What it is called.
        history: What it said; it grows while the run goes on.
        color_index: Its colour, counted through the theme's series.
    """

    id: str
    title: str
    history: History
    color_index: int
