"""`list`: what there is to pick from, and the runs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from workbench.cli.main import SUCCESS
from workbench.cli.output import Output, aligned, duration
from workbench.cli.runs import store
from workbench.experiment.fields import parameters
from workbench.experiment.metrics import result_in_words
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.presets import presets
from workbench.experiment.registry import ROLES, Pluggable, found
from workbench.experiment.resolve import read_toml, unnamed
from workbench.runs.files import RunFileError
from workbench.runs.store import Run


def show(arguments: Namespace, output: Output) -> int:
    """List one kind of thing."""
    what = arguments.what
    if what == "runs":
        folder = store(arguments)
        rows = [_run(one) for one in folder.runs()]
        empty = f"no runs in {folder.folder} yet; `workbench run` makes one"
        output.result({"runs": rows, "folder": folder.folder}, _runs_in_words(rows) if rows else empty)
    elif what == "presets":
        about = [{"name": one.name, "title": one.title, "help": one.help, "tables": one.tables}
                 for one in presets().values()]
        output.result({"presets": about}, _lines((one["name"], one["title"], one["help"]) for one in about))
    else:
        role = next(one for one in ROLES if what == f"{one}s")
        kinds = [_pluggable(kind) for kind in found(role).values()]
        output.result({what: kinds}, _lines((one["name"], one["title"], one["summary"]) for one in kinds))
    return SUCCESS


def _lines(rows: Any) -> str:
    listed = list(rows)
    return aligned([("NAME", "TITLE", "WHAT IT IS"), *listed]) if listed else "there are none"


def _pluggable(kind: type[Pluggable]) -> dict[str, Any]:
    return {"name": kind.name(), "title": kind.title, "summary": kind.summary(), "source": kind.source,
            "task_kinds": sorted(kind.task_kinds), "input_kinds": sorted(kind.input_kinds),
            "parameters": [asdict(one) for one in parameters(kind.Config)]}


def _run(run: Run) -> dict[str, Any]:
    """A row of the run table; a damaged run has a row too, which says so."""
    row: dict[str, Any] = {"run_id": run.id, "run_dir": run.folder}
    try:
        tables = read_toml(run.folder / "experiment.toml")
        if missing := unnamed(tables):
            raise RunFileError(f"{run.folder / 'experiment.toml'}: is damaged, for it names no "
                               f"{' and no '.join(missing)}")
        summary = asdict(run.summary())
    except (ExperimentError, RunFileError) as error:
        return row | {"status": "damaged", "message": str(error)}
    return row | summary | {role: _name(tables, role) for role in ROLES}


def _name(tables: Mapping[str, Any], role: str) -> Any:
    table = tables.get(role)
    return table.get("name") if isinstance(table, Mapping) else None


def _runs_in_words(rows: list[dict[str, Any]]) -> str:
    cells = [("RUN", "STATE", "DATASET", "BACKBONE", "ALGORITHM", "RESULT", "STEPS", "TIME", "BEGUN")]
    for row in rows:
        if row["status"] == "damaged":
            cells.append((row["run_id"], "damaged", *[""] * 7))
            continue
        result = result_in_words(row["metric"], row["mean"], row["ci95"])
        cells.append((row["run_id"], row["status"], str(row["dataset"]), str(row["backbone"]), str(row["algorithm"]),
                      result or "-", f"{row['steps']:,}/{row['iterations']:,}", duration(row["seconds"]),
                      _moment(row["created"])))
    return aligned(cells)


def _moment(created: float) -> str:
    """When a run was begun; empty where the number is none that a clock shows."""
    try:
        return f"{datetime.fromtimestamp(created).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, OSError, ValueError):
        return ""
