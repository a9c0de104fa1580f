"""Which runs a command is about."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path

from workbench import places
from workbench.cli.output import UsageError
from workbench.runs.store import Run, RunStore

LATEST = "latest"


def store(arguments: Namespace) -> RunStore:
    """The folder of runs that was named, or the program's own."""
    return RunStore((arguments.runs or places.default_runs()).expanduser().absolute())


def find_run(runs: RunStore, name: str) -> Run:
    """The run of this name or folder, or the latest; raises UsageError or UnknownNameError where there is none."""
    known = runs.runs()
    if name == LATEST and known:
        return known[-1]
    if not known and not (Path(name).expanduser() / "experiment.toml").is_file():
        raise UsageError(f"no run is called '{name}', for {runs.folder} holds no runs yet; name their folder with "
                         "--runs, or make one with `workbench run`")
    return runs.find(name)


def to_resume(run: Run) -> str:
    """The command that goes on with a run, which names its folder of runs where that is not the program's own."""
    runs = run.folder.parent
    is_own = runs == places.default_runs().expanduser().absolute()
    return f"workbench resume {run.id}" + ("" if is_own else f" --runs {shlex.quote(str(runs))}")
