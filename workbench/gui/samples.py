"""The small examples that travel with the program, as menus and the empty pane list them; without Qt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from workbench import places
from workbench.tasks.files.listing import is_clutter

_ROW = re.compile(r"^\|\s*`([^`]+)`\s*\|\s*([^|]+?)\s*\|")
_OWN = frozenset({".py", ".md"})


@dataclass(frozen=True)
class Sample:
    """A small example.

    Attributes:
        path: Its folder or file.
        title: What it is called.
        about: What it is, in a sentence without its full stop; empty where the README does not say.
    """

    path: Path
    title: str
    about: str

    @property
    def is_new_task(self) -> bool:
        """Whether it is a single task to adapt to, which nothing is trained on."""
        return self.about.startswith("a new task") or self.path.name.startswith("new_")

    @property
    def form(self) -> str:
        """The form that it is an example of."""
        return self.about.partition(":")[0]


def samples() -> tuple[Sample, ...]:
    """Every example that is there, in the order of the README's table, and then whatever it does not name."""
    folder = places.sample_tasks()
    try:
        there = {path.name: path for path in sorted(folder.iterdir())
                 if not is_clutter(path.name) and path.suffix not in _OWN and path.name != "__pycache__"}
        lines = (folder / "README.md").read_text(encoding="utf8").splitlines()
    except OSError:  # an installation without them is complete in everything else
        return ()
    said = {found[1].rstrip("/"): found[2].replace("`", "") for line in lines if (found := _ROW.match(line))}
    names = [name for name in said if name in there] + [name for name in there if name not in said]
    return tuple(Sample(there[name], _title(name), said.get(name, "")) for name in names)


def _title(name: str) -> str:
    """"New shapes" of "new_shapes"."""
    words = Path(name).stem.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]
