"""The shape of the folder of tasks: a newcomer sees at once which files are datasets, and none leans on another."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import tasks
from workbench.experiment.registry import found

PLACE = Path(tasks.__path__[0])
MODULES = {module.name for module in pkgutil.iter_modules(tasks.__path__) if not module.ispkg}
DATASETS = {f"workbench.tasks.{name}" for name in MODULES - {"base"}}


def imported(path: Path) -> Iterator[str]:
    """Every module that a file names in an import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_of_the_folder_itself_holds_a_dataset_that_is_found() -> None:
    assert {kind.__module__ for kind in found("dataset").values()} >= DATASETS


@pytest.mark.parametrize("path", sorted(PLACE.rglob("*.py")), ids=lambda path: path.relative_to(PLACE).as_posix())
def test_no_module_of_tasks_leans_on_a_dataset(path: Path) -> None:
    assert DATASETS.isdisjoint(imported(path))
