"""Keeps what was decoded in files that are mapped into memory, so that it is decoded once and opened at once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from workbench import places

_KEPT, _STALE_SECONDS = 16, 24 * 3600
_FORMAT = 2
_log = logging.getLogger(__name__)


NOT_LASTING = "not kept in the cache (some files could not be read just now)"


class Kept(NamedTuple):
    """What was made, now or earlier.

    Attributes:
        tensor: The numbers.
        about: Plain values that go with them.
        notices: Why they could not be kept; empty where they are.
    """

    tensor: Tensor
    about: Any
    notices: tuple[str, ...]


def place(kind: str, key: Any) -> Path:
    """The file that belongs to a key; its folder may not exist.

    Args:
        kind: Begins the name of the file.
        key: Plain values that decide the result, such as the sizes and times of the files it is made from.
    """
    digest = hashlib.sha256(json.dumps([_FORMAT, key]).encode()).hexdigest()[:32]
    return places.cache() / "pictures" / f"{kind}-{digest}.safetensors"


def cached(kind: str, key: Any, make: Callable[[], tuple[Tensor, Any]],
           is_kept: Callable[[Any], bool] = lambda _: True) -> Kept:
    """What `make` gives, from the cache where the same key was asked for before.

    A cache that cannot be written or read is done without, and it is said.

    Args:
        kind, key: As for `place`.
        make: Gives a tensor and plain values that go with it.
        is_kept: Whether they may be kept, by these values.
    """
    path = place(kind, key)
    stored = load(path)
    if stored is None:
        pixels, about = make()
        notice = _store(path, pixels, about) if is_kept(about) else NOT_LASTING
        return Kept(pixels, about, (notice,) if notice else ())
    tensors, about = stored
    return Kept(tensors["pixels"], about, ())


def load(path: Path) -> tuple[dict[str, Tensor], Any] | None:
    """Tensors that are mapped from a file, and the plain values beside them; None where there is no whole file."""
    try:
        with safe_open(path, framework="pt") as file:
            about = (file.metadata() or {}).get("about")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        text = about if about is not None else bytes(tensors.pop("about").tolist()).decode()
        with suppress(OSError):  # it is only forgotten sooner
            os.utime(path)
        return tensors, json.loads(text)
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, ValueError, LookupError, TypeError) as error:
        _log.info("the cache %s cannot be read and is made anew: %s", path, error)
        return None


def _store(path: Path, pixels: Tensor, about: Any) -> str:
    """Write it, or say why it cannot be written."""
    try:
        part = new_part(path)
        try:
            save_file({"pixels": pixels.contiguous()}, part, metadata={"about": json.dumps(about)})
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        forget_old(path.parent)
    except (OSError, SafetensorError) as error:
        _log.info("the cache %s cannot be written and is done without: %s", path, error)
        return not_kept(error)
    return ""


def not_kept(error: Exception) -> str:
    """What is said where something cannot be kept."""
    return f"not kept in the cache ({getattr(error, 'strerror', None) or error})"


def new_part(path: Path) -> Path:
    """An empty file beside `path` that no other program writes to.

    Raises:
        OSError: It cannot be made there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    return Path(name)


def forget_old(folder: Path, pattern: str = "*.safetensors", most: int = _KEPT) -> None:
    """Keep the latest files or folders alone, and of what is half-made that of the last day.

    What cannot be removed, such as a file that is mapped into memory on Windows, stays.

    Args:
        folder: Where they lie.
        pattern: What their names look like; those that end with .part are half-made.
        most: How many are kept.
    """
    whole = [path for path in folder.glob(pattern) if path.suffix != ".part"]
    stale = [path for path in folder.glob("*.part") if _changed(path) < time.time() - _STALE_SECONDS]
    for old in [*sorted(whole, key=_changed, reverse=True)[most:], *stale]:
        with suppress(OSError):
            if old.is_dir():
                # Nobody may take what is left of a folder for the whole of it.
                part = old if old.suffix == ".part" else old.rename(old.with_name(f"{old.name}.part"))
                shutil.rmtree(part, ignore_errors=True)
            else:
                old.unlink()


def _changed(path: Path) -> float:
    """When it was changed last; now, where it has just gone or cannot be told."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def header(tensors: dict[str, tuple[str, tuple[int, ...], int]], length: int) -> bytes:
    """The first bytes of a safetensors file, padded to a length of their own.

    Args:
        tensors: (type, shape, bytes) of each tensor in the order in which they follow, such as ("U8", (3,), 3).
        length: Of the whole header in bytes.
    """
    described, start = {}, 0
    for name, (kind, shape, size) in tensors.items():
        described[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(described).encode()
    return (length - 8).to_bytes(8, "little") + text.ljust(length - 8)


def as_bytes(about: Any) -> bytes:
    """Plain values as bytes of a length that eight divides."""
    text = json.dumps(about).encode()
    return text.ljust((len(text) + 7) // 8 * 8)

