"""Typing a command as a person would, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.cli.main import main

TINY = ("--set", "dataset=sinusoids", "--set", "training.iterations=20", "--set", "evaluation.tasks=20",
        "--set", "training.validation_tasks=20", "--set", "training.validate_every=5")
PICTURES = ("--set", "dataset=image_folder", "--set", "dataset.path=shapes", "--set", "backbone.filters=4",
            "--set", "training.iterations=2", "--set", "training.meta_batch=2", "--set", "evaluation.tasks=4",
            "--set", "training.validation_tasks=4")


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def table(self) -> dict[str, Any]:
        """Standard output as the one JSON object that it must be."""
        table = json.loads(self.out)
        assert isinstance(table, dict)
        return table


def say(*words: object) -> Said:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in words])
    return Said(status, out.getvalue(), err.getvalue())


def start(*words: object, stderr: int = subprocess.PIPE, without: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a command in a process of its own, without some environment variables."""
    environment = {name: value for name, value in os.environ.items() if name not in without}
    return subprocess.Popen([sys.executable, "-m", "workbench", *map(str, words)], stdout=subprocess.PIPE,
                            stderr=stderr, text=True, env=environment, cwd=Path(__file__).parents[2])
