"""The command `workbench`: from the words that were typed to an exit status."""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType

from workbench.cli.output import Output, UsageError
from workbench.cli.parser import parse
from workbench.cli.signals import give_up, interruptions
from workbench.engine.distribution.launch import launch
from workbench.engine.memory import allocator

SUCCESS, FAILURE, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_SHARED = ("workbench.cli.training:run", "workbench.cli.training:resume")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words behind `workbench`; None for those that were typed.

    Returns:
        0 on success, 1 when a run failed, 2 for bad input, 130 when interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    place = launch()
    output = Output(is_json="--json" in words, is_silent=place is not None and not place.is_first,
                    is_tried_again=place is not None and not place.is_last_try)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a character is no reason to give up.
            stream.reconfigure(errors="backslashreplace")
    try:
        with interruptions(give_up):
            return _run(words, output)
    except KeyboardInterrupt:
        output.error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read along has seen enough; what is still buffered must not be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE


def _run(words: list[str], output: Output) -> int:
    try:
        arguments = parse(words)
        place = launch()
        if place is not None and place.size > 1 and arguments.command not in _SHARED:
            raise UsageError(f"only `workbench run` and `workbench resume` are shared by several processes, and "
                             f"{place.size} were started; say this without torchrun")
        allocator.separate()
        # A command's module brings torch along, which takes seconds: it is imported only when it is needed.
        module, _, name = arguments.command.partition(":")
        command: Callable[..., int] = getattr(_imported(module), name)
        return command(arguments, output)
    except SystemExit as end:
        return int(end.code or 0)
    except UsageError as error:
        output.error(str(error))
        return BAD_INPUT
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of the program must not spoil the one JSON object
        from workbench.cli.mistakes import sentence  # noqa: PLC0415 - imports torch

        said = sentence(error)
        if said:
            output.error(said)
            return BAD_INPUT
        traceback.print_exc()
        output.error(f"this is a fault of the program, please report it: {type(error).__name__}: {error}")
        return FAILURE


def _imported(name: str) -> ModuleType:
    """A module. Modules are no garbage, and looking for some among them again and again takes a fifth of the time."""
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()


def window() -> int:
    """Open the window, as the desktop's launcher does."""
    return main(sys.argv[1:])
