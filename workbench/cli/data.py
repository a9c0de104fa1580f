"""`data`: looking at a folder before training, and downloading a dataset."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, cast

from workbench import places
from workbench.cli.main import BAD_INPUT, SUCCESS
from workbench.cli.output import Output
from workbench.cli.progress import Progress
from workbench.experiment.registry import find
from workbench.tasks.base import TaskSource
from workbench.tasks.image_folder import check_folder


def check(arguments: Namespace, output: Output) -> int:
    """Say what a folder is recognized as; it fails where the folder will not do as it is."""
    report = check_folder(arguments.folder)
    output.result(report, _in_words(report))
    if report["usable"]:
        return SUCCESS
    if not output.is_json:
        output.note(f"workbench: {arguments.folder} will not do as it is; mend the problems above")
    return BAD_INPUT


def _in_words(report: dict[str, Any]) -> str:
    facts = [f"{report['classes']:,} classes", f"{report['examples']:,} examples"]
    if report["size"]:
        facts.append(f"{report['size']}×{report['size']} {'grey' if report['color'] == 'grey' else 'colour'}")
    lines = [f"{report['path']}: {report['form']}", ", ".join(facts)]
    lines += [f"  {name}: {split['classes']:,} classes, {split['examples']:,} examples"
              for name, split in report["splits"].items()]
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
