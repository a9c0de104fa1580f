"""Reads picture files of any kind into arrays of one shape."""

from __future__ import annotations

import errno
import io
import math
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
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
from torch import Tensor

from workbench.tasks.files import cache
from workbench.tasks.files.each import NO_RIGHT
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.watching import tell, watched_alike
from workbench.tasks.files.words import named, shown
from workbench.words import counted, listed

Bytes = NDArray[np.uint8]
Color = Literal["auto", "grey", "rgb"]

MAX_PIXELS = 80_000_000
_SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".avif",
    ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".pcx", ".ico"})
# What Pillow's decoders raise on broken bytes; each becomes a named problem.
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError, TypeError, AttributeError,
           struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning)
_SIZES_LOOKED_AT = 1000
_FLAT = 1e-12  # variance of pixels in [0, 1] that is rounding alone; one pixel of many that is a level off has more
# Cameras of twelve bits write files of sixteen, which would be next to black.
_TWELVE_BITS = 4095
# Bytes in front of the pixels in a cache file, a page; pictures that a thread reads at a time.
_HEADER, _BLOCK = 4096, 8


class PictureError(ValueError):
    """A picture that cannot be used; the message continues a sentence that begins with the picture's name."""


class PassingPictureError(PictureError):
    """A picture that cannot be used now and perhaps a moment later, so that nobody may remember it as broken."""


def is_picture(name: str) -> bool:
    """Whether a file of this name says that it is a picture."""
    return name[name.rfind(".") :].lower() in _SUFFIXES


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
        DataError: It is not there any more.
    """
    with _opened(path) as image:
        if image.size == (1, 1):
            raise PictureError("is a single pixel, in which there is nothing to see; replace or delete it")
        try:
            # A JPEG is decoded at a fraction of its size where twice the wanted size is still left for the filter.
            image.draft(None, (2 * width, 2 * height))
            plain = _flattened(ImageOps.exif_transpose(image))
            fitted = ImageOps.fit(plain, (width, height), Image.Resampling.LANCZOS)
        except MemoryError as error:
            raise PassingPictureError("does not fit into memory; make it smaller") from error
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
        raise PictureError(NO_RIGHT) from error
    except OSError as error:
        if not os.path.exists(path):  # noqa: PTH110 - which a drive that fails does not raise in
            # A drive that was pulled out must not look like a folder of broken pictures, which would be kept.
            raise DataError(f"{path} vanished while it was read; put the drive back, or look at the folder again"
                            ) from error
        raise PassingPictureError(f"cannot be read ({error.strerror}); check the disk") from error
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
        values = np.asarray(image)
        return Image.fromarray((values >> (8 if values.max(initial=0) > _TWELVE_BITS else 4)).astype(np.uint8))
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
    """The median shorter side in pixels of up to a thousand of these pictures, at least 16 and at most 84.

    Raises:
        GivenUpError: Nobody wants them any more.
    """
    sides = []
    for path in paths[:: max(1, len(paths) // _SIZES_LOOKED_AT)]:
        tell()
        # Only the header is read here; what is wrong with a file is said when it is decoded.
        with suppress(*_BROKEN), Image.open(path) as image:
            sides.append(min(image.size))
    return int(np.clip(np.median(sides), 16, 84)) if sides else 28


@dataclass(frozen=True)
class Decoded:
    """Pictures that were read, in the order of their files.

    Attributes:
        pixels: [pictures, channels, height, width] uint8 of those that could be read.
        moments: [pictures, channels, 2] mean of the pixels of each, and of their squares, with pixels in [0, 1].
        broken: Index of each file that could not be read, and why.
        notice: Why they are not kept in the cache; empty where they are.
    """

    pixels: Tensor
    moments: Tensor
    broken: dict[int, str]
    notice: str = ""

    @property
    def kept(self) -> NDArray[np.int64]:
        """[pictures] index of the file of each."""
        is_kept = np.ones(len(self.pixels) + len(self.broken), dtype=bool)
        is_kept[list(self.broken)] = False
        return np.flatnonzero(is_kept)

    @property
    def flat(self) -> NDArray[np.int64]:
        """Index of the file of each picture that has one colour throughout."""
        mean, square = self.moments.unbind(2)
        is_flat: NDArray[np.bool_] = ((square - mean**2) < _FLAT).all(1).numpy()
        return self.kept[is_flat]

    def check_some(self, root: Path, names: Sequence[str]) -> None:
        """Raise DataError, with the reason of the first, where none of the files `names` below `root` could be read."""
        if self.broken and not len(self.pixels):
            first = next(iter(self.broken))
            raise DataError(f"{root}: none of the {counted(len(names), 'pictures')} can be read: {shown(names[first])} "
                            f"{self.broken[first]}")

    def problems(self, names: Sequence[str]) -> list[str]:
        """Sentences on the pictures that could not be read, and on those in which there is nothing to see.

        Args:
            names: Of all files.
        """
        said = named([f"{shown(names[i])} {why}" for i, why in self.broken.items()],
                     "{} more pictures cannot be read and were left out")
        flat = [shown(names[i]) for i in self.flat]
        return [*said, f"{counted(len(flat), 'pictures', 'has', 'have')} one colour throughout: {listed(flat, 5)}; "
                "delete what is not meant to be so"] if flat else said


def read_pictures(paths: Sequence[Path], height: int, width: int, color: Color, key: Any = None) -> Decoded:
    """Read pictures on a few threads; with color "auto" they are grey where all are grey.

    They are decoded into a file that is mapped into memory, which is their cache, or into memory where no such file
    can be written.

    Args:
        paths: The files.
        height, width: Size in pixels.
        color: As for `read_picture`.
        key: Plain values that tell these files from any others, such as their names, sizes and times; None where
            nothing is to be kept.

    Raises:
        DataError: They fit neither on the disk nor into the free memory, or one vanished meanwhile.
        GivenUpError: Nobody wants them any more.
    """
    if key is None:
        return _in_memory(paths, height, width, color, "")
    place = cache.place("folder", [key, height, width, color])
    return _stored(place) or _made(paths, (height, width), color, place)


def read_squares(paths: Sequence[Path], side: int | None, color: Color, key: Any) -> Decoded:
    """The same with a side in pixels, or the usual one, which is not looked for again while the files are the same."""
    place = cache.place("folder", [key, side, side, color])
    if (stored := _stored(place)) is not None:
        return stored
    found = side or usual_side(paths)
    return _made(paths, (found, found), color, place)


def _stored(place: Path) -> Decoded | None:
    """What was decoded earlier."""
    stored = cache.load(place)
    if stored is None:
        return None
    tensors, about = stored
    return Decoded(tensors["pixels"], tensors["moments"], {int(i): why for i, why in about["broken"]})


def _made(paths: Sequence[Path], size: tuple[int, int], color: Color, place: Path) -> Decoded:
    """Decode into the cache, or into memory where it cannot be written."""
    try:
        part = cache.new_part(place)
    except OSError as error:
        return _in_memory(paths, *size, color, cache.not_kept(error))
    try:
        return _on_disk(paths, size, color, part, place)
    except OSError as error:
        return _in_memory(paths, *size, color, cache.not_kept(error))
    finally:
        with suppress(OSError):  # Windows keeps what is still mapped; `forget_old` takes it away another time
            part.unlink(missing_ok=True)


def _in_memory(paths: Sequence[Path], height: int, width: int, color: Color, notice: str) -> Decoded:
    wanted = len(paths) * height * width * (1 if color == "grey" else 3)
    free = psutil.virtual_memory().available
    if wanted > free:
        raise DataError(f"{len(paths):,} pictures of {height}×{width} take {wanted / 1e9:.1f} GB to read and "
                        f"{free / 1e9:.1f} GB are free; lower dataset.size or take fewer pictures")
    pixels = np.empty((len(paths), 1 if color == "grey" else 3, height, width), np.uint8)
    channels, broken, moments, _ = _decode_into(pixels, paths, color)
    count = _compacted(pixels, broken, channels)
    kept = pixels.reshape(-1)[: count * channels * height * width].reshape(count, channels, height, width)
    return Decoded(torch.from_numpy(kept), torch.from_numpy(moments[:, :channels]), broken, notice)


def _on_disk(paths: Sequence[Path], size: tuple[int, int], color: Color, part: Path, place: Path) -> Decoded:
    """Decode into a file, map it, and give it its name."""
    height, width = size
    shape = (len(paths), 1 if color == "grey" else 3, height, width)
    with part.open("r+b") as file:
        # Room is made at once: a mapped file that the disk has no room for ends the program.
        _reserve(file.fileno(), _HEADER + math.prod(shape))
    mapped = np.memmap(part, np.uint8, "r+", _HEADER, shape)
    channels, broken, moments, is_lasting = _decode_into(mapped, paths, color)
    if not is_lasting:  # what is read once more need not fail again, and this must not be found the next time
        raise OSError(errno.EIO, "some files could not be read just now")
    count = _compacted(mapped, broken, channels)
    mapped.flush()
    del mapped
    moments = np.ascontiguousarray(moments[:, :channels])
    pixels, about = count * channels * height * width, cache.as_bytes({"broken": list(broken.items())})
    padding = -pixels % 8  # so that the numbers behind the pixels are aligned
    with part.open("r+b") as file:
        file.truncate(_HEADER + pixels)
        file.seek(0, os.SEEK_END)
        file.write(b" " * padding + about + moments.tobytes())
        file.seek(0)
        file.write(cache.header({
            "pixels": ("U8", (count, channels, height, width), pixels),
            "about": ("U8", (padding + len(about),), padding + len(about)),
            "moments": ("F64", moments.shape, moments.nbytes)}, _HEADER))
    part.replace(place)
    cache.forget_old(place.parent)
    stored = cache.load(place)
    if stored is None:
        raise OSError(errno.EIO, "it vanished", str(place))
    return Decoded(stored[0]["pixels"], stored[0]["moments"], broken)


def _reserve(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    block = bytes(1 << 20)
    for _ in range(0, size, len(block)):
        os.write(handle, block)


def _decode_into(pixels: Bytes, paths: Sequence[Path], color: Color
                 ) -> tuple[int, dict[int, str], NDArray[np.float64], bool]:
    """Decode every file into its row.

    Returns:
        The channels that are needed, why files could not be read, the moments [readable files, channels, 2], and
        whether all of those files would fail again.
    """
    height, width = pixels.shape[2:]
    moments = np.zeros((len(paths), pixels.shape[1], 2))
    is_colored = np.zeros(len(paths), dtype=bool)
    broken: dict[int, str] = {}
    passing: set[int] = set()

    def read(block: range) -> None:
        for row in block:
            tell()  # here too: by the time that the thread which waits for blocks wakes, all may have been read
            try:
                picture = read_picture(paths[row], height, width, color)
            except PictureError as error:
                broken[row] = str(error)
                if isinstance(error, PassingPictureError):
                    passing.add(row)
                continue
            pixels[row] = picture
            is_colored[row] = len(picture) > 1
            moments[row, :, 0] = picture.mean((1, 2)) / 255
            moments[row, :, 1] = np.square(picture, dtype=np.float64).mean((1, 2)) / 255**2

    blocks = [range(start, min(start + _BLOCK, len(paths))) for start in range(0, len(paths), _BLOCK)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="pictures") as pool:
        try:
            for done, _ in enumerate(pool.map(watched_alike(read), blocks), 1):
                tell(min(done * _BLOCK, len(paths)), len(paths))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    good = [row for row in range(len(paths)) if row not in broken]
    channels = pixels.shape[1] if color == "rgb" or bool(is_colored.any()) else 1
    return channels, dict(sorted(broken.items())), moments[good], not passing


def _compacted(pixels: Bytes, broken: Mapping[int, str], channels: int) -> int:
    """Bring the readable pictures and the channels that are needed to the front; gives the number of pictures."""
    count, own = len(pixels), pixels.shape[1]
    if not broken and channels == own:
        return count
    flat, size, target = pixels.reshape(-1), channels * math.prod(pixels.shape[2:]), 0
    for row in range(count):
        if row not in broken:
            flat[target * size : (target + 1) * size] = pixels[row, :channels].reshape(-1)
            target += 1
    return target
