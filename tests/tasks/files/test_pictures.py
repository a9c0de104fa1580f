"""Reading pictures of every kind, and the cache that is done without where it fails."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tasks.conftest import ordinary_user
from workbench import places
from workbench.tasks.files.cache import cached
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.pictures import PictureError, read_picture, read_pictures, usual_side

Writer = Callable[..., Path]


def save(image: Image.Image, path: Path, **how: object) -> Path:
    image.save(path, **how)
    return path


def test_one_bit_grey_palette_colour_and_cmyk_are_read(tmp_path: Path, write_picture: Writer) -> None:
    for mode, suffix, channels in (("1", "png", 1), ("L", "png", 1), ("P", "gif", 3), ("RGB", "jpg", 3),
                                   ("CMYK", "jpg", 3), ("RGB", "webp", 3), ("L", "tif", 1), ("RGB", "bmp", 3)):
        pixels = read_picture(write_picture(tmp_path / f"{mode}.{suffix}", 1, mode=mode), 8, 8, "auto")
        assert pixels.shape == (channels, 8, 8), mode
        assert pixels.dtype == np.uint8


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    clear = save(Image.new("RGBA", (10, 10), (255, 0, 0, 0)), tmp_path / "rgba.png")
    half = save(Image.new("LA", (10, 10), (0, 128)), tmp_path / "la.png")
    keyed = save(Image.new("L", (10, 10), 7), tmp_path / "keyed.png", transparency=7)
    assert read_picture(clear, 4, 4, "rgb").min() == 255
    assert read_picture(half, 4, 4, "grey")[0, 0, 0] == 127
    assert read_picture(keyed, 4, 4, "grey").min() == 255


def test_sixteen_bits_and_floating_points_are_scaled_to_eight(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for pixels, suffix in ((ramp, "png"), (ramp, "tif"), (ramp.astype(np.int32), "tif"),
                           ((ramp / 65535).astype(np.float32), "tif")):
        read = read_picture(save(Image.fromarray(pixels), tmp_path / f"{pixels.dtype}.{suffix}"), 8, 8, "auto")
        assert np.abs(read[0].astype(int) - ramp / 257).max() <= 1, (pixels.dtype, suffix)


def test_the_camera_s_rotation_is_applied(tmp_path: Path) -> None:
    lying = Image.new("L", (20, 20), 0)
    lying.paste(255, (0, 0, 20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned by 90° clockwise
    upright = read_picture(save(lying, tmp_path / "turned.jpg", exif=exif), 20, 20, "grey")[0]
    assert upright[:, 15:].mean() > 250
    assert upright[:, :5].mean() < 5


def test_the_first_frame_of_a_moving_picture_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("L", (10, 10), tone) for tone in (200, 20, 90)]
    moving = save(frames[0], tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert abs(int(read_picture(moving, 4, 4, "grey").mean()) - 200) <= 2


def test_the_longer_side_is_cropped_about_its_centre(tmp_path: Path) -> None:
    wide = Image.new("L", (60, 20), 0)
    wide.paste(255, (20, 0, 40, 20))
    assert read_picture(save(wide, tmp_path / "wide.png"), 10, 10, "grey").mean() > 240


def test_colour_is_kept_only_where_there_is_some(tmp_path: Path, write_picture: Writer) -> None:
    grey = save(Image.new("L", (9, 9), 90).convert("RGB"), tmp_path / "grey.png")
    colour = write_picture(tmp_path / "colour.png")
    assert len(read_picture(grey, 8, 8, "auto")) == 1
    assert len(read_picture(grey, 8, 8, "rgb")) == 3
    assert len(read_picture(colour, 8, 8, "grey")) == 1
    both = read_pictures([grey, colour], 8, 8, "auto")
    assert both.pixels.shape == (2, 3, 8, 8)
    assert (both.pixels[0] == 90).all()


def bomb(path: Path) -> Path:
    """A PNG that says of itself that it is 30,000 by 30,000."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    parts = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
             for kind, data in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def test_every_kind_of_broken_file_is_named_with_a_remedy(tmp_path: Path, write_picture: Writer) -> None:
    whole = write_picture(tmp_path / "whole.png", size=(200, 200)).read_bytes()
    contents = {
        "empty.png": (b"", "is empty"),
        "text.png": (b"this is a letter to my aunt", "is no picture"),
        "half.png": (whole[: len(whole) // 2], "is damaged"),
        "scratched.png": (whole[:60] + bytes(30) + whole[90:], "is damaged"),
        "header.png": (whole[:20], "is damaged|is no picture"),
    }
    for name, (content, reason) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PictureError, match=f"({reason}).*; replace or delete it"):
            read_picture(tmp_path / name, 8, 8, "auto")
    with pytest.raises(PictureError, match="more than 80 million pixels; scale it down"):
        read_picture(bomb(tmp_path / "bomb.png"), 8, 8, "auto")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(PictureError, match="cannot be read"):
        read_picture(tmp_path / "folder.png", 8, 8, "auto")
    with pytest.raises(DataError, match="vanished while it was read"):
        read_picture(tmp_path / "gone.png", 8, 8, "auto")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are set in another way on Windows")
def test_a_picture_that_may_not_be_read_is_named(open_folder: Path, write_picture: Writer) -> None:
    path = write_picture(open_folder / "secret.png")
    path.chmod(0)
    with ordinary_user(), pytest.raises(PictureError, match="may not be read; give yourself the right"):
        read_picture(path, 8, 8, "auto")


def test_broken_files_are_left_out_of_the_block(tmp_path: Path, write_picture: Writer) -> None:
    paths = [write_picture(tmp_path / f"{i}.png", i) for i in range(4)]
    paths[2].write_bytes(b"")
    read = read_pictures(paths, 8, 8, "rgb")
    assert read.kept.tolist() == [0, 1, 3]
    assert list(read.broken) == [2]
    assert read.pixels.shape == (3, 3, 8, 8)


def test_the_usual_side_is_the_median_shorter_side_within_bounds(tmp_path: Path, write_picture: Writer) -> None:
    def side(*sizes: tuple[int, int]) -> int:
        return usual_side([write_picture(tmp_path / f"{size}.png", size=size) for size in sizes])

    assert side((40, 30), (99, 50), (60, 80)) == 50
    assert side((5, 9)) == 16
    assert side((500, 400)) == 84
    (tmp_path / "broken.png").write_bytes(b"broken")
    assert usual_side([tmp_path / "broken.png"]) == 28


def test_what_was_made_once_comes_from_the_cache() -> None:
    made: list[int] = []

    def make() -> tuple[torch.Tensor, dict[str, list[str]]]:
        made.append(1)
        return torch.arange(12, dtype=torch.uint8).reshape(3, 4), {"names": ["ä", "b"]}

    first, again, other = cached("kind", [1, "a"], make), cached("kind", [1, "a"], make), cached("kind", [2, "a"], make)
    assert len(made) == 2
    assert torch.equal(first[0], again[0])
    assert first[1] == again[1] == other[1]


def test_a_cache_that_cannot_be_read_or_written_is_done_without(own_places: Path) -> None:
    def make() -> tuple[torch.Tensor, int]:
        return torch.zeros(2, dtype=torch.uint8), 5

    cached("kind", 1, make)
    (file,) = (places.cache() / "pictures").iterdir()
    file.write_bytes(b"not what it was")
    assert cached("kind", 1, make)[1] == 5
    assert cached("kind", 1, lambda: pytest.fail("it was mended"))[1] == 5
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("a file where the folder should be")
    found = cached("kind", 1, make)
    assert found.about == 5
    assert found.notices == ("not kept in the cache (File exists)",)
    assert cached("kind", 1, make, is_kept=lambda _: False).notices == (
        "not kept in the cache (some files could not be read just now)",)


def test_the_cache_does_not_grow_without_end() -> None:
    for key in range(20):
        cached("kind", key, lambda: (torch.zeros(1, dtype=torch.uint8), None))
    assert len(list((places.cache() / "pictures").iterdir())) == 16
