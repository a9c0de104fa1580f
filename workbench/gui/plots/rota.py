"""Whose turn it is to be painted: one plot a tick, the one that has waited longest, none too often."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

GAP = 0.45
"""Seconds after a painting of a plot in which it is not painted again; the tick after them may be its turn. Training
has to hand over while a plot is painted, and somebody who watches sees no more."""


class Pane(Protocol):
    """Something that is painted."""

    @property
    def name(self) -> str:
        """What it is called."""

    def is_stale(self) -> bool:
        """Whether what it shows has changed since it was painted."""

    def paint(self) -> None:
        """Give it its new numbers."""

    @property
    def painting_seconds(self) -> float:
        """What Qt, whose turn comes when it is painted, took the last time."""


class Rota:
    """Turns among panes.

    Args:
        clock: Seconds.
        told: Is told which pane was painted and what that took, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic,
                 told: Callable[[str, float], object] = lambda _, __: None) -> None:
        self._clock, self._told = clock, told
        self._painted: dict[int, float] = {}

    def turn(self, panes: Sequence[Pane]) -> Pane | None:
        """Paint the stale pane that has waited longest, if one has waited long enough, and say which it was."""
        now = self._clock()
        for pane in sorted(panes, key=self._last):
            if now < self._last(pane) + GAP:
                return None  # nor has any that comes after it waited long enough
            if pane.is_stale():
                self.paint(pane)
                return pane
        return None

    def paint(self, pane: Pane) -> None:
        """Paint one at once, whoever's turn it is."""
        begun = self._clock()
        pane.paint()
        self._painted[id(pane)] = begun
        self._told(pane.name, self._clock() - begun + pane.painting_seconds)

    def _last(self, pane: Pane) -> float:
        return self._painted.get(id(pane), -GAP)
