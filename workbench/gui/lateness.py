"""How late the window's event loop was while a run was trained: counted, kept beside the run, and read back. No Qt."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "window.jsonl"
_A_MILLISECOND = 20
"""Lateness is counted in twentieths of a millisecond."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repaints:
    """Repaints of one plot within a second.

    Attributes:
        count: How many.
        mean, worst: Milliseconds that one took.
    """

    count: int
    mean: float
    worst: float


@dataclass(frozen=True)
class Second:
    """What the window did in about a second; times are in milliseconds.

    Attributes:
        time: When it ended, in seconds since 1970.
        late, late_worst: By how much events were late, at the 99th percentile and at worst.
        whole, whole_worst: The same over the run so far, or over all of the last one; 0 where there was none.
        samples: How often it was looked at.
        ticks: How often what the training had said was taken in.
        events, most_events: How much that was, in all and in one tick.
        tasks_per_second: Rate of the training.
        repaints: Of each plot, by its title.
    """

    time: float
    late: float
    late_worst: float
    whole: float
    whole_worst: float
    samples: int
    ticks: int = 0
    events: int = 0
    most_events: int = 0
    tasks_per_second: float = 0.0
    repaints: dict[str, Repaints] = field(default_factory=dict)


class Spread:
    """Many durations, of which percentiles are wanted."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.count = 0
        self.worst = 0.0

    def add(self, milliseconds: float) -> None:
        """Take one in."""
        self._counts[int(milliseconds * _A_MILLISECOND)] += 1
        self.count += 1
        self.worst = max(self.worst, milliseconds)

    def percentile(self, share: float) -> float:
        """What so many per cent of them do not exceed; 0 where there are none."""
        wanted, seen = share / 100 * self.count, 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min((bucket + 1) / _A_MILLISECOND, self.worst)
        return 0.0


class Ledger:
    """Adds up what the watchdog sees, second by second."""

    def __init__(self) -> None:
        self._whole = Spread()
        self._is_over = False
        self._begin_second()

    def _begin_second(self) -> None:
        self._now = Spread()
        self._ticks: list[int] = []
        self._repaints: dict[str, list[float]] = {}

    def looked(self, late: float, interval: float) -> None:
        """The loop was looked at `late` milliseconds after it was due.

        An event that came later, but while the loop was held up all the same, waited too: one for each interval.
        """
        while late >= 0:
            self._now.add(late)
            if not self._is_over:
                self._whole.add(late)
            late -= interval

    def end(self) -> None:
        """The run is over: what follows is no part of the whole."""
        self._is_over = True

    def drained(self, events: int) -> None:
        """What the training had said was taken in."""
        self._ticks.append(events)

    def repainted(self, name: str, seconds: float) -> None:
        """A plot was repainted."""
        self._repaints.setdefault(name, []).append(1000 * seconds)

    def close_second(self, tasks_per_second: float) -> Second:
        """What has happened since the last time."""
        now, whole, ticks = self._now, self._whole, self._ticks
        repaints = {name: Repaints(len(times), round(sum(times) / len(times), 2), round(max(times), 2))
                    for name, times in self._repaints.items()}
        second = Second(round(time.time(), 2), round(now.percentile(99), 2), round(now.worst, 2),
                        round(whole.percentile(99), 2), round(whole.worst, 2), now.count, len(ticks), sum(ticks),
                        max(ticks, default=0), round(tasks_per_second, 1), repaints)
        self._begin_second()
        return second


def append(folder: Path, second: Second) -> None:
    """Keep a second with the run of this folder; a folder that is gone or full is no reason to stop watching."""
    try:
        with (folder / FILE).open("a", encoding="utf8") as file:
            file.write(json.dumps(asdict(second), ensure_ascii=False) + "\n")
    except OSError as error:
        _log.debug("%s: the lateness of the window cannot be kept (%s)", folder, str(error))


def read(folder: Path) -> Iterator[Second]:
    """The seconds that were kept with a run, oldest first; a line that was cut off is passed over."""
    try:
        lines = (folder / FILE).read_text(encoding="utf8").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            table = json.loads(line)
            table["repaints"] = {name: Repaints(**one) for name, one in table["repaints"].items()}
            yield Second(**table)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
