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
    if noun.endswith("ss"):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("ry") else noun if noun.endswith("s") else f"{noun}s"


def single(nouns: str) -> str:
    """One of them."""
    if nouns.endswith("sses"):
        return nouns[:-2]
    if nouns.endswith("ss") or nouns.rpartition(" ")[2] == "series":
        return nouns
    return f"{nouns[:-3]}y" if nouns.endswith("ries") else nouns.removesuffix("s")


def counted(count: int, noun: str, one: str = "", many: str = "") -> str:
    """How many there are, and what they do: "1 row", "1,200 rows", "1 row has", "2 rows have".

    Args:
        count: How many.
        noun: What they are called, one or several.
        one, many: The verb and what follows, for one and for several.
    """
    known = single(noun)
    words = (known, one) if count == 1 else (plural(known), many)
    return " ".join((f"{count:,}", *filter(None, words)))


def the(noun: str, name: str) -> str:
    """A thing of some kind by its name: "the class oak", and "class 03" where the name says what it is."""
    return name if re.match(rf"{noun}(?![a-z])", name, re.IGNORECASE) else f"the {noun} {name}"


def listed(names: Sequence[str], most: int) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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
