"""How far a command is: a bar where there is a terminal, sparse lines where there is none."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Self

from tqdm import tqdm

from workbench.cli.output import duration

LINE_SECONDS = 10.0
# The bars are redrawn as they are fed: the thread that would look after slow ones outlives a command.
tqdm.monitor_interval = 0


def _room() -> dict[str, Any]:
    """How wide a bar is: as the terminal, or 80 columns where it does not say, as under `script` and in containers."""
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        size = os.terminal_size((0, 0))
    return {"dynamic_ncols": True} if all(size) else {"ncols": size.columns or 80, "nrows": size.lines or 24}


class Progress:
    """A context in which something counts up to a total on standard error.

    Args:
        total: Where it ends; 0 where nobody knows.
        start: Where it begins.
        title: What is being done.
        unit: What is counted.
        scaled: Whether numbers are shortened, as for bytes.
    """

    def __init__(self, total: int, *, start: int = 0, title: str = "", unit: str = "", scaled: bool = False) -> None:
        self.total, self.done, self.title, self.unit = total, start, title, unit
        self._scaled = scaled
        self._told, self._told_at = time.monotonic(), start
        self.is_bar = sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> Self:
        """Show the bar."""
        if self.is_bar:
            self._bar = tqdm(total=self.total or None, initial=self.done, desc=self.title or None, leave=False,
                             unit=f" {self.unit}", unit_scale=self._scaled, file=sys.stderr, **_room())
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away again."""
        if self._bar is not None:
            self._bar.close()

    def move_to(self, done: int, beside: str = "", total: int = 0) -> None:
        """Count up to `done`; `beside` stands behind the bar, and `total` is told where it was not known before."""
        self.total = total or self.total
        if self._bar is not None:
            self._bar.total = self.total or None
            self._bar.set_postfix_str(beside, refresh=False)
            self._bar.update(done - self.done)
        elif time.monotonic() - self._told > LINE_SECONDS:
            facts = [f"{self.title} {done:,} of {self.total:,} {self.unit}", beside, self._left(done)]
            self.line(", ".join(fact for fact in facts if fact))
        self.done = done

    def _left(self, done: int) -> str:
        """How long it will take from here, at the pace since the last line; empty where that is not known."""
        if not self.total or done <= self._told_at:
            return ""
        pace = (time.monotonic() - self._told) / (done - self._told_at)
        return f"about {duration((self.total - done) * pace)} left"

    def rename(self, title: str) -> None:
        """Say that something else is being done now."""
        self.title = title
        if self._bar is not None:
            self._bar.set_description_str(title)

    def line(self, text: str) -> None:
        """A line of its own, above the bar where there is one."""
        self._told, self._told_at = time.monotonic(), self.done
        tqdm.write(text.strip(), file=sys.stderr)
        sys.stderr.flush()
