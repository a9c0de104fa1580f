"""Reads picture files of any kind into arrays of one shape, and keeps what was decoded in a cache."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from workbench import places
from workbench.tasks.base import DataError
from workbench.tasks.watching import GivenUpError, each

Bytes = NDArray[np.uint8]
Color = Literal["auto", "grey", "rgb"]

MAX_PIXELS = 80_000_000
_SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".avif",
    ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".pcx", ".ico"})
_CLUTTER = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir"})
# What Pillow's decoders raise on broken bytes; each becomes a named problem.
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError, TypeError, AttributeError,
           struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning)
_SIZES_LOOKED_AT = 1000
_CACHES_KEPT = 16
_CACHE_FORMAT = 1
_log = logging.getLogger(__name__)


class PictureError(ValueError):
    """A picture that cannot be used; the message continues a sentence that begins with the picture's name."""


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name was left there by a system rather than by a person."""
    return name.startswith(".") or name.lower() in _CLUTTER


def is_picture(name: str) -> bool:
    """Whether a file of this name says that it is a picture."""
    return os.path.splitext(name)[1].lower() in _SUFFIXES  # noqa: PTH122 - a name, not yet a path


def shown(name: str) -> str:
    """A file's name as text that can be written anywhere, whatever bytes the file system holds."""
    return name.encode("utf8", "replace").decode("utf8")


def read_picture(path: Path, height: int, width: int, color: Color) -> Bytes:
    """Read a picture, upright, on white where it is transparent, and brought to one size.

    The shorter side is scaled to fit and the longer one cropped about the centre, as photographs usually are. Of a
    moving picture the first frame is taken; 16-bit values are scaled to 8 bits.

    Args:
        path: The file.
        height, width: Size in pixels.
        color: "grey" gives one channel, "rgb" three, "auto" one where the picture holds no colour.

    Returns:
        [channels, height, width] uint8.

    Raises:
        PictureError: It cannot be read, with the reason and the remedy.
    """
    with _opened(path) as image:
        try:
            # A JPEG is decoded at a fraction of its size where twice the wanted size is still left for the filter.
            image.draft(None, (2 * width, 2 * height))
            plain = _flattened(ImageOps.exif_transpose(image))
            fitted = ImageOps.fit(plain, (width, height), Image.Resampling.LANCZOS)
        except MemoryError as error:
            raise PictureError("does not fit into memory; make it smaller") from error
        except _BROKEN as error:
            raise PictureError(f"is damaged ({_reason(error)}); replace or delete it") from error
    if color == "grey":
        fitted = fitted.convert("L")
    pixels = np.atleast_3d(np.asarray(fitted)).transpose(2, 0, 1)
    if color == "rgb" or pixels.shape[0] == 1:
        return np.ascontiguousarray(np.broadcast_to(pixels, (3 if color == "rgb" else 1, height, width)))
    is_grey = color == "auto" and bool((pixels == pixels[:1]).all())
    return np.ascontiguousarray(pixels[:1] if is_grey else pixels)


def _opened(path: Path) -> Image.Image:
    try:
        content = path.read_bytes()
    except PermissionError as error:
        raise PictureError("may not be read; give yourself the right to read it") from error
    except OSError as error:
        raise PictureError(f"cannot be read ({error.strerror}); check the disk") from error
    if not content:
        raise PictureError("is empty (0 bytes); replace or delete it")
    try:
        image = Image.open(io.BytesIO(content))
    except UnidentifiedImageError as error:
        raise PictureError("is no picture, whatever its name says; replace or delete it") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(_too_large()) from error
    except _BROKEN as error:
        raise PictureError(f"is damaged ({_reason(error)}); replace or delete it") from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise PictureError(_too_large())
    return image


def _too_large() -> str:
    return f"has more than {MAX_PIXELS // 1_000_000} million pixels; scale it down"


def _reason(error: BaseException) -> str:
    return str(error).split("\n")[0][:100] or type(error).__name__


def _flattened(image: Image.Image) -> Image.Image:
    """The picture in 8-bit grey or RGB without transparency."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        values = np.asarray(image).astype(np.float64)
        largest = values.max()
        top = 65535 if largest > 255 else 255 if image.mode == "I" or largest > 1 else 1
        return Image.fromarray(np.clip(np.nan_to_num(values) * (255 / top), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        drawn = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def usual_side(paths: Sequence[Path]) -> int:
    """The median shorter side in pixels of up to a thousand of these pictures, at least 16 and at most 84."""
    sides = []
    for path in paths[:: max(1, len(paths) // _SIZES_LOOKED_AT)]:
        # Only the header is read here; what is wrong with a file is said when it is decoded.
        with suppress(*_BROKEN), Image.open(path) as image:
            sides.append(min(image.size))
    return int(np.clip(np.median(sides), 16, 84)) if sides else 28


@dataclass(frozen=True)
class Decoded:
    """Pictures that were read, in the order of their files.

    Attributes:
        pixels: [pictures, channels, height, width] uint8 of those that could be read.
        kept: [pictures] index of the file of each.
        broken: Index of each file that could not be read, and why.
    """

    pixels: Tensor
    kept: NDArray[np.int64]
    broken: dict[int, str]


def read_pictures(paths: Sequence[Path], height: int, width: int, color: Color) -> Decoded:
    """Read pictures on a few threads; with color "auto" they are grey where all are grey.

    Raises:
        DataError: They would not fit into the free memory.
        GivenUpError: Nobody wants them any more.
    """
    wanted = 2 * len(paths) * height * width * (1 if color == "grey" else 3)
    free = psutil.virtual_memory().available
    if wanted > free:
        raise DataError(f"{len(paths):,} pictures of {height}×{width} take {wanted / 1e9:.1f} GB to read and "
                        f"{free / 1e9:.1f} GB are free; lower dataset.size or take fewer pictures")

    def read(path: Path) -> Bytes | str:
        try:
            return read_picture(path, height, width, color)
        except PictureError as error:
            return str(error)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="pictures") as pool:
        try:
            results = list(each(pool.map(read, paths), len(paths)))
        except GivenUpError:
            pool.shutdown(cancel_futures=True)
            raise
    good = {i: result for i, result in enumerate(results) if not isinstance(result, str)}
    channels = max((len(pixels) for pixels in good.values()), default=1)
    pixels = np.empty((len(good), channels, height, width), dtype=np.uint8)
    for row, picture in enumerate(good.values()):
        pixels[row] = picture
    return Decoded(torch.from_numpy(pixels), np.array(list(good), dtype=np.int64),
                   {i: result for i, result in enumerate(results) if isinstance(result, str)})


def cached(kind: str, key: Any, make: Callable[[], tuple[Tensor, Any]]) -> tuple[Tensor, Any]:
    """What `make` gives, from the cache where the same key was asked for before.

    A cache that cannot be written or read is done without.

    Args:
        kind: Begins the name of the file.
        key: Plain values that decide the result, such as the sizes and times of the files it is made from.
        make: Gives pixels and plain values that go with them.
    """
    digest = hashlib.sha256(json.dumps([_CACHE_FORMAT, key]).encode()).hexdigest()[:32]
    path = places.cache() / "pictures" / f"{kind}-{digest}.safetensors"
    stored = _load(path)
    if stored is None:
        stored = make()
        _store(path, *stored)
    return stored


def _load(path: Path) -> tuple[Tensor, Any] | None:
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["about"])
            # A copy, so that the file is closed and another process may replace it.
            pixels = file.get_tensor("pixels").clone()
        os.utime(path)
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, ValueError, LookupError, TypeError) as error:
        _log.info("the cache %s cannot be read and is made anew: %s", path, error)
        return None
    return pixels, about


def _store(path: Path, pixels: Tensor, about: Any) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        part = Path(name)
        try:
            save_file({"pixels": pixels}, part, metadata={"about": json.dumps(about)})
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        kept = sorted(path.parent.glob("*.safetensors"), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in kept[_CACHES_KEPT:]:
            old.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        _log.info("the cache %s cannot be written and is done without: %s", path, error)
