"""Nouns in the singular and the plural."""

from __future__ import annotations

import pytest

from workbench.tasks.files.words import counted


@pytest.mark.parametrize(("noun", "one", "several"), [
    ("threads", "1 thread", "2 threads"), ("class", "1 class", "2 classes"), ("queries", "1 query", "2 queries"),
    ("series", "1 series", "2 series"), ("readable series", "1 readable series", "2 readable series"),
    ("more entries", "1 more entry", "2 more entries"), ("GPUs", "1 GPU", "2 GPUs")])
def test_a_noun_is_counted_in_the_singular_or_the_plural(noun: str, one: str, several: str) -> None:
    assert [counted(1, noun), counted(2, noun)] == [one, several]
    assert [counted(1, one[2:]), counted(2, one[2:])] == [one, several]
    assert counted(1_234, noun, "is", "are") == several.replace("2", "1,234") + " are"
