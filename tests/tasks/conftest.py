"""Small folders, a miniature Omniglot and an opener, for the tests of the tasks."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.serving import FileServer
from workbench.experiment.registry import find
from workbench.experiment.resolve import resolve
from workbench.tasks.base import TaskSource

Opener = Callable[..., TaskSource]


@pytest.fixture(autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program's cache and data lie in a folder of this test's own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.delenv("WORKBENCH_OMNIGLOT", raising=False)
    return home


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, which those of the other tests are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Have the rights of a user who is not the administrator, who may read everything."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server that downloads come from."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = FileServer()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def opened() -> Opener:
    """Opens a dataset by its name with what the test says of the experiment."""
    def open_source(dataset: str, *, seed: int = 0, task: dict[str, int] | None = None,
                    training: dict[str, int] | None = None, algorithm: str = "protonet", **config: Any) -> TaskSource:
        said: dict[str, Any] = {"dataset": {"name": dataset, **config}, "seed": seed, "task": task or {},
                                "training": training or {}}
        if dataset != "sinusoids":
            said["algorithm"] = {"name": algorithm}
            # The algorithm's taste in training ways is not what these tests are about.
            said["training"] = {"ways": None, "shots": None, "queries": None, **said["training"]}
        kind = find("dataset", dataset)
        assert issubclass(kind, TaskSource)
        return kind(resolve(said), torch.device("cpu"))
    return open_source


@pytest.fixture
def write_picture() -> Callable[..., Path]:
    """Writes a small picture whose content follows from its number."""
    def write(path: Path, number: int = 0, size: tuple[int, int] = (20, 16), mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(noise).convert(mode).save(path)
        return path
    return write


@pytest.fixture
def class_folders(write_picture: Callable[..., Path]) -> Callable[..., Path]:
    """Writes folders of so many pictures each."""
    def write(root: Path, names: list[str], pictures: int = 6, **look: Any) -> Path:
        for i, name in enumerate(names):
            for j in range(pictures):
                write_picture(root / name / f"{j:02}.png", 1000 * i + j, **look)
        return root
    return write


def drawing(number: int) -> bytes:
    """A drawing as Omniglot keeps it: 105×105 in one bit, black ink on white."""
    place = np.random.default_rng(number)
    pixels = np.full((105, 105), True)
    left, top = place.integers(5, 60, 2)
    pixels[top : top + 40, left : left + 12] = False
    pixels[top : top + 12, left : left + 30] = False
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


MINIATURE = {
    "images_background": {"Greek": 6, "Latin": 6, "Tagalog": 5},
    "images_evaluation": {"Angelic": 4, "Old_Church_Slavonic_(Cyrillic)": 3},
}


@pytest.fixture
def miniature() -> Callable[[Path], Path]:
    """Writes both zips of an Omniglot of 24 characters with 8 drawings each."""
    def write(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        number = 0
        for half, alphabets in MINIATURE.items():
            with zipfile.ZipFile(folder / f"{half}.zip", "w") as archive:
                archive.writestr(f"__MACOSX/{half}/Greek/character01/._0001_01.png", b"clutter")
                for alphabet, characters in alphabets.items():
                    for character in range(1, characters + 1):
                        number += 1
                        for hand in range(1, 9):
                            archive.writestr(f"{half}/{alphabet}/character{character:02}/{number:04}_{hand:02}.png",
                                             drawing(100 * number + hand))
        return folder
    return write
