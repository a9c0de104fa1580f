"""What the command line prints: its result on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any


class UsageError(ValueError):
    """A mistake in what was typed; the message is the one sentence that the person reads."""


class Output:
    """Where a command speaks.

    Args:
        is_json: Whether standard output holds one JSON object and nothing else.
        is_silent: Whether it says nothing, because another process speaks for all.
        is_tried_again: Whether the command is started anew where it fails, so that an error is no result yet.
    """

    def __init__(self, *, is_json: bool, is_silent: bool = False, is_tried_again: bool = False) -> None:
        self.is_json = is_json
        self.is_silent = is_silent
        self.is_tried_again = is_tried_again

    def result(self, table: Mapping[str, Any], text: str) -> None:
        """Print the result: the table as one JSON object, or the text; a command does so once."""
        if self.is_silent:
            return
        # JSON is UTF-8; where standard output is written otherwise, ASCII is both.
        is_ascii = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8")
        sys.stdout.write((json.dumps(plain(table), ensure_ascii=is_ascii, indent=1) if self.is_json else text) + "\n")
        sys.stdout.flush()

    def note(self, line: str) -> None:
        """Tell the person something while the command goes on."""
        if self.is_silent:
            return
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def error(self, message: str) -> None:
        """Print why the command gives up, on one line."""
        sentence = " ".join(message.split())
        self.note(f"workbench: {sentence}")
        if self.is_json and not self.is_tried_again:
            self.result({"error": sentence}, "")


def plain(value: Any) -> Any:
    """The value as JSON knows it: paths become text, and numbers that are none (nan, infinity) become null."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return [plain(one) for one in value] if isinstance(value, Sequence) else str(value)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as columns, the first row being their titles."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                     for row in rows)


def duration(seconds: float) -> str:
    """Seconds in words, such as "4.2 s" or "1 h 03 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
