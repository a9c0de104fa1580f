"""What the standard benchmarks share: where their files are looked for, how they are fetched and normalized."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from workbench import places
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.files.download import Cancelled, OfficialFile, Progress, fetch_all
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import unpacked
from workbench.tasks.sampling.classes import ClassTasks, ClassTasksConfig
from workbench.tasks.sampling.moments import moments_of_pixels

_NORMALIZED_BY = 10_000


class BenchmarkConfig(ClassTasksConfig):
    """Where the official files lie."""

    path: Path | None = field(None, label="Folder", help="Folder of the official files; empty for the place that "
                              "downloads go to.")


class Benchmark(ClassTasks):
    """Tasks from the official files of a standard benchmark.

    Attributes:
        addresses: Folders on servers that have the files; empty where nobody may give them away.
        official: The files.
        folders: Names of the folders of downloads that the files may lie in: its own and those of datasets made from
            the same files.
    """

    addresses: ClassVar[tuple[str, ...]] = ()
    official: ClassVar[tuple[OfficialFile, ...]] = ()
    folders: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The convolutional network that everyone uses on pictures."""
        return {"backbone.name": "conv4"}

    @classmethod
    def download(cls, to: Path, progress: Progress, cancelled: Cancelled, addresses: Iterable[str] = (),
                 files: Iterable[OfficialFile] = ()) -> Path:
        """Fetch the official files; one that is already there and whole is kept.

        Raises:
            DataError: There are none that may be given away, no network or a broken transfer; with the remedy.
        """
        if not cls.downloadable:
            raise DataError(f"{cls.title} cannot be downloaded by the program; {cls.remedy()}")
        fetch_all(tuple(addresses) or cls.addresses, tuple(files) or cls.official, to, progress, cancelled)
        return to

    @classmethod
    def remedy(cls) -> str:
        """What to put where, in words that end a sentence."""
        one, its = ("it", "its") if len(cls.official) == 1 else ("them", "their")
        return (f"download {one} with `workbench data download {cls.name()}` or Download… beside the dataset in the "
                f"window, or put {one} there from {cls.addresses[0]}, or name {its} folder in dataset.path")

    @classmethod
    def roots(cls, path: Path | None) -> list[Path]:
        """Folders or files to look for the official ones in: what the person named, else where downloads go."""
        if path is None:
            return [places.datasets() / name for name in cls.folders or (cls.name(),)]
        path = path.expanduser()
        return [unpacked(path) if path.suffix.lower() == ".zip" and path.is_file() else path]

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel over up to 10,000 training pictures, evenly spaced."""
        rows = np.sort(self.training_examples())
        pixels = self.labelled.inputs[torch.from_numpy(rows[:: max(1, len(rows) // _NORMALIZED_BY)])]
        means, deviations = zip(*(moments_of_pixels(pixels[:, channel]) for channel in range(pixels.shape[1])),
                                strict=True)
        return means, deviations
