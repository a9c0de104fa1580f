"""Counts and sizes as people say them."""

from __future__ import annotations

import pytest

from workbench.words import counted, size_in_words


@pytest.mark.parametrize(("noun", "one", "several"), [
    ("threads", "1 thread", "2 threads"), ("class", "1 class", "2 classes"), ("queries", "1 query", "2 queries"),
    ("series", "1 series", "2 series"), ("readable series", "1 readable series", "2 readable series"),
    ("more entries", "1 more entry", "2 more entries"), ("GPUs", "1 GPU", "2 GPUs")])
def test_a_noun_is_counted_in_the_singular_or_the_plural(noun: str, one: str, several: str) -> None:
    assert [counted(1, noun), counted(2, noun)] == [one, several]
    assert [counted(1, one[2:]), counted(2, one[2:])] == [one, several]
    assert counted(1_234, noun, "is", "are") == several.replace("2", "1,234") + " are"


@pytest.mark.parametrize(("count", "words"), [(2_500, "2 kB"), (3_400_000, "3.4 MB"), (12_000_000_000, "12.0 GB")])
def test_sizes_are_said_as_people_say_them(count: int, words: str) -> None:
    assert size_in_words(count) == words
