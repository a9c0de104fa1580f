"""How names are said in messages, and what the names that people give their splits mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPLITS = {
    **dict.fromkeys(("train", "training", "metatrain", "background", "imagesbackground"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "metaval", "metavalidation"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "metatest", "imagesevaluation"), "test"),
}
_NAMED = 20


def plural(noun: str) -> str:
    """Several of them; one series and several are called alike."""
    return f"{noun}es" if noun.endswith("ss") else noun if noun.endswith("s") else f"{noun}s"


def counted(count: int, noun: str) -> str:
    """1 class, 2,000 rows: a number of things."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def listed(names: Sequence[str], most: int) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def named(sentences: Sequence[str], rest: str) -> list[str]:
    """The first twenty sentences and one for the rest, whose {} takes their number."""
    more = len(sentences) - _NAMED
    return [*sentences[:_NAMED], *([rest.format(f"{more:,}")] if more > 0 else [])]


def split_called(name: str) -> str:
    """The split that a folder or a cell names: train, validation or test; empty where it names none."""
    return _SPLITS.get(re.sub(r"[^a-z]", "", name.lower()), "")


def shown(name: str) -> str:
    """A file's name as text that can be written anywhere, whatever bytes the file system holds."""
    return name if name.isascii() else name.encode("utf8", "replace").decode("utf8")
