"""`help`: the help pages as text."""

from __future__ import annotations

import re
import textwrap
from argparse import Namespace
from collections.abc import Iterator
from itertools import groupby

from workbench.cli.main import SUCCESS
from workbench.cli.output import Output, aligned
from workbench.exports.help import find_page, help_page, help_pages

_WIDTH = 100


def read(arguments: Namespace, output: Output) -> int:
    """Print a page, or what pages there are."""
    if arguments.page is None:
        pages = help_pages()
        rows = [("PAGE", "TITLE", "SECTION"), *((one.name, one.title, one.section) for one in pages)]
        output.result({"pages": [{"name": one.name, "title": one.title, "section": one.section} for one in pages]},
                      f"{aligned(rows)}\n\n`workbench help PAGE` prints one of them")
        return SUCCESS
    name = find_page(arguments.page)
    text = help_page(name)
    output.result({"page": name, "text": text}, "\n".join(_without_tables(text)).rstrip())
    return SUCCESS


def _without_tables(markdown: str) -> Iterator[str]:
    """Lines of Markdown in which every row of a table is a paragraph, for a table wraps where a terminal is narrow."""
    is_code = False
    for is_table, lines in groupby(markdown.splitlines(), lambda line: line.startswith("|")):
        for line in lines if not is_table else _paragraphs(list(lines)) if not is_code else lines:
            is_code ^= line.startswith("```")
            yield line


def _paragraphs(table: list[str]) -> Iterator[str]:
    """The first cell of every row, and below it the others, each after its column's title where there are several."""
    # The title of the first column may be empty, as may be any cell.
    titles, _, *rows = (re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|")) for line in table)
    for row in rows:
        first, *others = (cell.strip().replace("\\|", "|") for cell in row)
        yield first
        for title, cell in zip(titles[1:], others, strict=False):
            told = f"{title.strip()}: {cell}" if len(titles) > 2 else cell
            if cell:
                yield from textwrap.wrap(told, _WIDTH, initial_indent="    ", subsequent_indent="    ")
