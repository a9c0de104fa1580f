"""The commands and their options, and a mistake in either as one sentence that names the nearest right word."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from workbench import __version__
from workbench.cli.output import UsageError

KINDS = ("datasets", "backbones", "algorithms", "presets", "runs")


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError`."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(**kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise the message with the place of help."""
        raise UsageError(f"{message.removeprefix('argument ')}; `{self.prog} --help` shows what can be said")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            what = action.metavar if isinstance(action.metavar, str) else action.dest
            near = _nearest(str(value), action.choices)
            raise UsageError(f"there is no {what.lower()} '{value}' in `{self.prog}`; {near}")

    def options(self) -> list[str]:
        """Every option's long name."""
        return [name for action in self._actions for name in action.option_strings if name.startswith("--")]

    def commands(self) -> dict[str, Parser]:
        """Parsers of the commands below this one."""
        return next((dict(action.choices) for action in self._actions
                     if isinstance(action, argparse._SubParsersAction)), {})


def _nearest(word: str, known: Iterable[Any]) -> str:
    names = [str(name) for name in known]
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}"


def parse(words: Sequence[str]) -> argparse.Namespace:
    """What was typed.

    Returns:
        The arguments; `command` is the "module:function" that runs them.

    Raises:
        UsageError: It is no command.
    """
    parser = _parser()
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        # The innermost command is the one whose options were meant.
        for word in words:
            parser = parser.commands().get(word, parser)
        if unknown[0].startswith("-"):
            name = unknown[0].partition("=")[0]
            raise UsageError(f"`{parser.prog}` has no option {name}; {_nearest(name, parser.options())}")
        raise UsageError(f"`{parser.prog}` does not know what to do with '{unknown[0]}'; "
                         f"`{parser.prog} --help` shows what can be said")
    return arguments


def _parser() -> Parser:
    parser = Parser(prog="workbench", description="Meta-learning: pick, train, watch, and take home what was learned.\n"
                    "Without a command it opens the window.", epilog=_EXAMPLES)
    parser.set_defaults(command="workbench.cli.display:open_window", runs=None, json=False)
    parser.add_argument("--version", action="version", version=f"Meta-Learning Workbench {__version__}")
    _add_runs(parser)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
    for add in (_add_list, _add_run, _add_resume, _add_evaluate, _add_export, _add_adapt, _add_data, _add_bench,
                _add_doctor, _add_help):
        add(commands)
    return parser


_EXAMPLES = """\
examples:
  workbench run --preset first-look
  workbench run --set dataset=sinusoids --set training.iterations=500
  workbench evaluate maml-sinusoids-0001 --tasks 2000
  workbench COMMAND --help            everything that a command takes
  workbench help                      the help pages, and `workbench help maml` one of them
"""


def _add_runs(parser: Parser) -> None:
    parser.add_argument("--runs", metavar="DIR", type=Path, default=argparse.SUPPRESS,
                        help="folder of the runs; without it the program's own")


def _add(commands: Any, name: str, function: str, summary: str, details: str = "", *, runs: bool = True) -> Parser:
    title = f"{summary[:1].upper()}{summary[1:]}."
    parser: Parser = commands.add_parser(name, help=summary, description=f"{title} {details}".strip())
    parser.set_defaults(command=f"workbench.cli.{function}")
    if runs:
        _add_runs(parser)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                        help="print one JSON object on standard output and nothing else there")
    return parser


def _add_settings(parser: Parser) -> None:
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], dest="settings",
                        help="set one field, such as task.ways=20; dataset=, backbone= and algorithm= pick by name; "
                             "may be given many times")


def _add_list(commands: Any) -> None:
    parser = _add(commands, "list", "listing:show", "show what there is to pick from, or the runs")
    parser.add_argument("what", metavar="LIST", choices=KINDS, help=", ".join(KINDS))


def _add_run(commands: Any) -> None:
    parser = _add(commands, "run", "training:run", "train a new run, and test it at the end",
                  "Ctrl-C stops it and keeps it; a second Ctrl-C aborts at once. Several GPUs or machines train one "
                  "run together where torchrun starts it: see `workbench help more-machines`.")
    _add_experiment(parser)
    parser.add_argument("--dry-run", action="store_true", help="train nothing: open the data, say how the run would be "
                        "computed and how much memory it would take")


def _add_experiment(parser: Parser) -> None:
    parser.add_argument("config", metavar="CONFIG.toml", type=Path, nargs="?", help="an experiment file")
    parser.add_argument("--preset", metavar="NAME", help="a named experiment; see `workbench list presets`")
    _add_settings(parser)
    parser.add_argument("--device", metavar="D", help="auto, cpu, mps, cuda or cuda:1")


def _add_bench(commands: Any) -> None:
    parser = _add(commands, "bench", "bench:bench", "measure how fast each executor is on this machine",
                  "Without an experiment it measures the usual one. Nothing is kept but what training.executor=auto "
                  "remembers.", runs=False)
    _add_experiment(parser)
    parser.add_argument("--rounds", metavar="N", type=int, default=5, help="turns that each way takes; without it 5")
    parser.add_argument("--compile", action="store_true", help="also compile the meta-step, which takes a while, and "
                        "measure it")


def _add_resume(commands: Any) -> None:
    parser = _add(commands, "resume", "training:resume", "go on with a run from its latest checkpoint")
    _add_learner(parser, "RUN")
    parser.add_argument("--checkpoint", metavar="STEP", type=int, help="go on from this step's checkpoint instead of "
                        "the latest; what came after it is forgotten")


def _add_learner(parser: Parser, what: str) -> None:
    helps = {"RUN": "the name of a run or its folder, or latest",
             "RUN|EXPORT": "the name of a run or its folder, latest, or a .safetensors file that `workbench export` "
                           "made"}
    parser.add_argument("learner", metavar=what, help=helps[what])


def _add_evaluate(commands: Any) -> None:
    parser = _add(commands, "evaluate", "evaluation:evaluate", "judge a trained learner on fixed test tasks")
    _add_learner(parser, "RUN|EXPORT")
    parser.add_argument("--tasks", metavar="N", help="number of test tasks; without it as the run was tested")
    _add_settings(parser)


def _add_export(commands: Any) -> None:
    parser = _add(commands, "export", "keeping:export", "write a run's best learner as one file to take along")
    _add_learner(parser, "RUN")
    parser.add_argument("--to", metavar="FILE.safetensors", type=Path, required=True, help="the file to write")


def _add_adapt(commands: Any) -> None:
    parser = _add(commands, "adapt", "keeping:adapt", "adapt a learner to a folder of a new task, and predict",
                  "The folder holds a few labelled examples of each class and those that are to be predicted.")
    _add_learner(parser, "RUN|EXPORT")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the new task")
    parser.add_argument("--to", metavar="OUT.csv", type=Path, help="without it predictions.csv in the folder")


def _add_data(commands: Any) -> None:
    data: Parser = commands.add_parser("data", help="look at a folder of data, or download a dataset",
                                       description="Look at a folder of data, or download a dataset.")
    parts = data.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser, required=True)
    check = _add(parts, "check", "data:check", "say what a folder is recognized as and every problem in it", runs=False)
    check.add_argument("folder", metavar="FOLDER", type=Path)
    download = _add(parts, "download", "data:download", "fetch a dataset's official files", runs=False)
    download.add_argument("dataset", metavar="DATASET", help="such as omniglot")
    download.add_argument("--to", metavar="DIR", type=Path, help="without it the program's own folder of datasets")


def _add_doctor(commands: Any) -> None:
    _add(commands, "doctor", "doctor:examine", "check Python, torch, devices, the display and the folders")


def _add_help(commands: Any) -> None:
    parser = _add(commands, "help", "reading:read", "print a help page, or the list of them", runs=False)
    parser.add_argument("page", metavar="PAGE", nargs="?", help="such as command-line, maml or backbone/conv4")
