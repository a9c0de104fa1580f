"""Recordings in folders of the person's own, as log-mel spectrograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import NewGuess, NewTask, Overview, Recognition, Spec
from workbench.tasks.files.cache import cached
from workbench.tasks.files.each import read_each
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import FileEntry, Files, Listing, list_files
from workbench.tasks.files.sound import NEEDS_PACKAGE, QUIETEST, SUFFIXES, WITHOUT_PACKAGE, Spectrograms, has_package
from workbench.tasks.own.class_files import GROUPED_BY, ClassFoldersConfig, Read, collected, files_of, layout_of
from workbench.tasks.own.classes import Collection, OwnClasses
from workbench.tasks.own.new_files import read_new_files
from workbench.words import counted

FORM, NOUN = "recordings", "recording"


class RecordingsConfig(ClassFoldersConfig):
    """Where the recordings lie and how they become pictures of sound."""

    name: Literal["recordings"] = "recordings"
    path: Path | None = field(None, label="Folder", help="Folder with a folder of recordings for each class, or a zip "
                              "of it; or train, val and test with such folders in each. wav is always read, and flac, "
                              "ogg and mp3 with the extra `audio`.")
    seconds: float = field(1.0, label="Length", unit="seconds", help="Of every recording the loudest part of this "
                           "length is taken; shorter ones stand in silence.", ge=0.1, le=30)
    rate: int = field(16_000, label="Rate", unit="Hz", help="Samples a second that every recording is brought to; half "
                      "of it is the highest frequency that is heard.", ge=2000, le=96_000)
    mels: int = field(40, label="Bands", help="Rows of the spectrogram, evenly spaced in pitch as it is heard.",
                      source="Davis and Mermelstein 1980", ge=8, le=128)


class Recordings(OwnClasses):
    """Recordings of your own: a folder for each class, with splits or groups such as speakers above them if you like.

    Any rate, any length, one channel or several. The loudest part of each becomes a log-mel spectrogram, which a
    network for pictures reads; how loud a recording is as a whole has no part in it.
    """

    Config = RecordingsConfig
    title = "Recordings"
    reading_form = FORM
    raw = f"mel energies in decibels below the largest, {QUIETEST:g} to 0, rows from high to low frequency"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """The usual convolutional network."""
        return {"backbone.name": "conv4"}

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """Recordings in folders, whatever lies beside them."""
        count = len(listing.having(SUFFIXES))
        if count and listing.is_file:
            raise DataError(f"{listing.path(listing.files[0])} is one recording; name the folder that holds a folder "
                            "of recordings for each class")
        if not count:
            return None
        many, share = len(layout_of(listing, SUFFIXES, NOUN).classes), count / len(listing.files)
        why = (f"{count:,} of {counted(len(listing.files), 'files', 'is a recording', 'are recordings')}, in "
               f"{counted(many, 'folders')}")
        return Recognition(FORM, why, 0.7 * share if many > 1 else 0.3 * share)

    @classmethod
    def what_it_reads(cls) -> str:
        """A folder of folders."""
        return "the folder that holds your recordings, a folder for each class"

    @classmethod
    def read(cls, config: RecordingsConfig) -> Collection:
        """Decode every recording of the folder."""
        assert config.path is not None  # noqa: S101 - the caller has checked
        listing = readable(list_files(config.path))
        layout = layout_of(listing, SUFFIXES, NOUN, config)
        files = files_of(layout, config.path, NOUN)
        look = Spectrograms(config.rate, config.seconds, config.mels)

        def decode() -> tuple[Tensor, Any]:
            read = read_recordings(listing, files, look)
            return read.inputs, {"kept": list(read.kept), "broken": list(read.broken), "is_lasting": read.is_lasting}

        # Some wav files, too, are read by the package alone: with it more is readable than the cache may hold.
        key = [Files(listing.root, files).stamp, config.rate, config.seconds, config.mels, has_package()]
        inputs, about, notices = cached("recordings", key, decode, is_kept=lambda about: about["is_lasting"])
        read = Read(inputs, about["kept"], about["broken"])
        if not read.kept:
            raise DataError(f"{config.path}: none of the {counted(len(files), 'recordings')} can be read: "
                            f"{files[0].name} {read.broken[0][1]}")
        return collected(layout, files, read, form=FORM, noun=NOUN, facts=(
            f"{config.seconds:g} s at {config.rate:,} samples a second", f"{config.mels} mel bands", *notices),
            reading={"form": FORM, "rate": config.rate, "seconds": config.seconds, "mels": config.mels},
            grouped_by=GROUPED_BY[config.group_folder])

    @classmethod
    def read_new(cls, folder: Path, spec: Spec) -> NewTask:
        """Class folders of labelled recordings, and others in a folder `unlabelled`."""
        return read_new_files(readable(list_files(folder)), spec, SUFFIXES, NOUN, Spectrograms.of(spec.reading).read)

    @classmethod
    def guess_new(cls, folder: Path) -> NewGuess | None:
        """Recordings, where most of the files are some."""
        listing = list_files(folder)
        if len(listing.having(SUFFIXES)) * 2 <= len(listing.files):
            return None
        usual = RecordingsConfig()
        look = Spectrograms(usual.rate, usual.seconds, usual.mels)
        return NewGuess(0.8, Spec("classification", "image", look.shape, 5, raw="log-mel", reading={
            "form": FORM, "rate": look.rate, "seconds": look.seconds, "mels": look.mels}))

    def overview(self) -> Overview:
        """As of every dataset of classes, with a dozen spectrograms to look at."""
        about, found = super().overview(), self.labelled
        first = torch.from_numpy(found.counts).cumsum(0) - torch.from_numpy(found.counts)
        chosen = first[torch.linspace(0, len(first) - 1, min(12, len(first))).long()]
        brightness = 255 * (1 - found.inputs[chosen] / QUIETEST)
        return replace(about, samples=brightness.round().clamp(0, 255).to(torch.uint8))


def read_recordings(listing: Listing, files: list[FileEntry], look: Spectrograms) -> Read:
    """Spectrograms [kept, 1, mels, frames] of the files that can be read, float32."""
    good, broken, is_lasting = read_each([listing.path(file) for file in files], look.read)
    inputs = torch.stack(list(good.values())) if good else torch.empty(0, *look.shape)
    return Read(inputs, list(good), list(broken.items()), is_lasting)


def readable(listing: Listing) -> Listing:
    """The listing without the recordings that only the package reads, where it is not installed."""
    beyond = [file for file in listing.having(SUFFIXES) if file.suffix not in WITHOUT_PACKAGE]
    if not beyond or has_package():
        return listing
    count = counted(len(beyond), "recordings", "was", "were")
    suffixes = " and ".join(sorted({file.suffix for file in beyond}))
    return replace(listing, files=tuple(file for file in listing.files if file not in set(beyond)), problems=(
        f"{count} left out, for {suffixes} {NEEDS_PACKAGE}", *listing.problems))
