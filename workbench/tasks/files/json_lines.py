"""Reads files that hold an object of JSON on each line, as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.tasks.files.delimited import read_text
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table, table_of
from workbench.words import counted, listed

JSON_LINES_SUFFIXES = frozenset({".jsonl", ".ndjson"})
_MOST_BROKEN = 0.1


def read_json_lines(path: Path) -> Table:
    """Read a file of JSON lines; every name that an object has is a column, and lists stay JSON within their cell.

    Lines that are no objects are left out and named.

    Raises:
        DataError: It cannot be read, is empty, or more than a tenth of its lines are no objects.
    """
    text, problems = read_text(path, "JSON lines")
    rows: list[tuple[int, dict[str, Any]]] = []
    broken: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            broken.append(f"line {number} ({_fault(error)})")
            continue
        if isinstance(value, dict):
            rows.append((number, value))
        else:
            broken.append(f"line {number} (no object)")
    if broken:
        are = "is no object" if len(broken) == 1 else "are no objects"
        what = (f"{len(broken):,} of {counted(len(broken) + len(rows), 'lines')} {are} of JSON: {listed(broken, 3)}")
        if not rows or len(broken) > max(1, _MOST_BROKEN * len(rows)):
            raise DataError(f'{path}: {what}; write an object such as {{"text": "…", "label": "…"}} on each line')
        problems.append(f"{path.name}: {what}; left out. Correct {'it' if len(broken) == 1 else 'them'}")
    names = tuple(dict.fromkeys(name for _, row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in names] for _, row in rows]
    return table_of(path, names, cells, [line for line, _ in rows], problems=problems)


def _fault(error: ValueError | RecursionError) -> str:
    """What is wrong with a line that is no JSON, or that is more than can be taken in."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.colno}"
    if isinstance(error, RecursionError):
        return "brackets lie too deep within one another"
    return "a number has thousands of digits"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
