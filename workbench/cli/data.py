"""`data`: looking at a folder before training, and downloading a dataset."""

from __future__ import annotations

import shlex
from argparse import Namespace
from typing import Any, cast

from workbench import places
from workbench.cli.main import BAD_INPUT, SUCCESS
from workbench.cli.output import Output
from workbench.cli.progress import Progress
from workbench.experiment.metrics import result_in_words
from workbench.experiment.registry import find
from workbench.tasks.base import TaskSource
from workbench.tasks.looking.check import check_data
from workbench.words import counted


def check(arguments: Namespace, output: Output) -> int:
    """Say what data are recognized as; it fails where they will not do as they are."""
    report = check_data(arguments.folder)
    output.result(report, _in_words(report))
    if report["usable"]:
        return SUCCESS
    if not output.is_json:
        output.note(f"workbench: {arguments.folder} will not do as it is; mend the problems above")
    return BAD_INPUT


def _in_words(report: dict[str, Any]) -> str:
    tasks = report["tasks"]
    facts = [*([counted(sum(tasks.values()), "tasks")] if tasks else []), counted(report["classes"], "classes"),
             counted(report["examples"], "examples")]
    if report["size"]:
        facts.append(f"{report['size']}×{report['size']} {'grey' if report['color'] == 'grey' else 'colour'}")
    why = f" ({report['why']})" if report["why"] else ""
    lines = [f"{report['path']}: {report['form']}{why}", ", ".join(facts)]
    lines += [report["facts"]] if report["facts"] else []
    lines += [f"  {name}: " + (f"{counted(tasks[name], 'tasks')}, " if name in tasks else "") +
              f"{counted(split['classes'], 'classes')}, {counted(split['examples'], 'examples')}"
              for name, split in report["splits"].items()]
    if report["dataset"]:
        settings = {f"dataset.{name}": value for name, value in report["settings"].items()} | report["experiment"]
        lines += [f"note: {report['note']}"] if report["note"] else []
        lines.append(" ".join(["read as: --set", f"dataset={report['dataset']}",
                               *(f"--set {shlex.quote(f'{name}={value}')}" for name, value in settings.items())]))
    lines += [f"otherwise: {report['otherwise']}"] if report["otherwise"] else []
    if floor := report["floor"]:
        lines.append(f"to beat: {result_in_words(floor['metric'], floor['mean'], floor['ci95'])}, {floor['name']}")
    lines += [f"problem: {problem}" for problem in report["problems"]] or ["no problems"]
    return "\n".join(lines)


def download(arguments: Namespace, output: Output) -> int:
    """Fetch a dataset's official files."""
    kind = cast("type[TaskSource]", find("dataset", arguments.dataset))
    to = (arguments.to or places.datasets() / arguments.dataset).expanduser().absolute()
    with Progress(0, title=f"downloading {kind.title}", unit="B", scaled=True) as progress:
        folder = kind.download(to, lambda done, total: progress.move_to(done, total=total), lambda: False)
    output.result({"dataset": arguments.dataset, "to": folder}, f"{kind.title} lies in {folder}")
    return SUCCESS
