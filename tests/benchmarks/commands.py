"""What the commands of the benchmarks share: numbers on their lines, and sentences rather than tracebacks."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn


def count(text: str) -> int:
    """A whole number of at least 1, as the type of an argument."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return int(text)


def duration(text: str) -> float:
    """Seconds above 0, as the type of an argument."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds above 0")
    return seconds


def file_to_write(text: str) -> Path:
    """A file in a folder that is there, as the type of an argument: what was measured for minutes must not be lost."""
    path = Path(text)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' is not a file in a folder that is there")
    return path


def ended(main: Callable[[], int | None]) -> NoReturn:
    """End as a command does; what the person can mend, such as data that are not there, is said in a sentence."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from workbench.cli.mistakes import sentence  # what measures a start must not begin with all that this brings

        told = sentence(error)
        if not told:
            raise
        sys.exit(told)


def output_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; where it fails this process ends with the last sentence that it said."""
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        sys.exit(f"{' '.join(command[:5])}: {said[-1]}")
    return done.stdout
