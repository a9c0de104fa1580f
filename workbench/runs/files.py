"""Writing files so that a reader sees the old one or the new one, and never half of either."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

_TRIES, _TRY_SECONDS = 10, 0.05
_ORDER = "tensors"


class RunFileError(ValueError):
    """A file of a run that cannot be read; the message names it and the remedy."""


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, make sure that it is on the disk, and put it in the place of `path`."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        _put_in_place(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename; where a reader holds the old file open, which Windows minds, try again for half a second."""
    for _ in range(_TRIES - 1):
        try:
            temporary.replace(path)
            break
        except PermissionError:
            time.sleep(_TRY_SECONDS)
    else:
        temporary.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened, and its entries need no help to reach the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Replace a text file."""
    replace_file(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf8")


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Replace a safetensors file whose metadata holds `about` as JSON, and in it the order of the tensors.

    Sums over parameters round by their order, so that what goes on from a file needs the one that it was written in.
    There is one entry, because safetensors shuffles several.
    """
    separate = {name: value.contiguous() for name, value in tensors.items()}
    # Written as any other file is, so that the person's own mask says who may read it; safetensors' own writer lets
    # nobody else.
    data = save(separate, {"about": json.dumps({**about, _ORDER: list(tensors)})})
    replace_file(path, lambda temporary: _write_bytes(temporary, data))


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, in their order, and `about` of a file that `write_tensors` wrote.

    Raises:
        RunFileError: The file is missing, damaged or another program's.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if "about" not in metadata:
                raise RunFileError(f"{path}: is a safetensors file, but not one that the workbench wrote")
            about, names = json.loads(metadata["about"]), list(file.keys())
            order = about.pop(_ORDER, names) if isinstance(about, dict) else names
            # Copies: what is mapped from the file would keep it from being replaced on Windows.
            return {name: file.get_tensor(name).clone() for name in order}, about
    except FileNotFoundError as error:
        raise RunFileError(f"{path}: there is no such file") from error
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise RunFileError(f"{path}: cannot be read as safetensors ({error}); it may be damaged, use another "
                           "checkpoint or export again") from error
