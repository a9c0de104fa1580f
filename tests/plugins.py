"""Other packages that name algorithms of their own, as pip would have installed them."""

from __future__ import annotations

from pathlib import Path


def install(site: Path, name: str, entry: str) -> None:
    """Write the metadata of a package into a site folder.

    Args:
        site: A folder that is on the path of the process that is to find it.
        name: Of the package.
        entry: The line below `[workbench.algorithms]`, such as "mine = package.module:Class".
    """
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf8")
    (info / "entry_points.txt").write_text(f"[workbench.algorithms]\n{entry}\n", encoding="utf8")
