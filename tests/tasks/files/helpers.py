"""A table that a test writes, as it is read."""

from __future__ import annotations

from pathlib import Path

from workbench.tasks.files.tables import Table, read_table


def table(path: Path, text: str, encoding: str = "utf-8", header: str = "auto") -> Table:
    """Write a table and read it."""
    path.write_bytes(text.encode(encoding))
    return read_table(path, header)  # type: ignore[arg-type]
