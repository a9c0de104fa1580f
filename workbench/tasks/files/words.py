"""How names in files are said in messages, and what the names that people give their splits mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPLITS = {
    **dict.fromkeys(("train", "training", "metatrain", "background", "imagesbackground"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "metaval", "metavalidation"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "metatest", "imagesevaluation"), "test"),
}
_NAMED = 20


def named(sentences: Sequence[str], rest: str) -> list[str]:
    """The first twenty sentences and one for the rest, whose {} takes their number; a single one more is said too."""
    more = len(sentences) - _NAMED
    return [*sentences[:_NAMED], rest.format(f"{more:,}")] if more > 1 else list(sentences)


def spelled(name: str, known: Sequence[str]) -> str:
    """The known name that a person means: where none is the same, the only one that differs in nothing but case and
    spaces about it; else what the person wrote."""
    alike = [one for one in known if one.strip().casefold() == name.strip().casefold()]
    return alike[0] if len(alike) == 1 and name not in alike else name


def split_called(name: str) -> str:
    """The split that a folder or a cell names: train, validation or test; empty where it names none."""
    return _SPLITS.get(re.sub(r"[^a-z]", "", name.lower()), "")


def shown(name: str) -> str:
    """A file's name as text that can be written anywhere, whatever bytes the file system holds."""
    return name if name.isascii() else name.encode("utf8", "replace").decode("utf8")
