"""Numbers and names as people say them, in messages and on screen."""

from __future__ import annotations

import re
from collections.abc import Sequence


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


def size_in_words(count: float) -> str:
    """Bytes as people say them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
