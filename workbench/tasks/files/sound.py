"""Reads recordings of any kind and turns them into log-mel spectrograms of one size."""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.tasks.files.each import unreadable
from workbench.tasks.files.errors import FileError, PassingError
from workbench.words import counted

Wave = NDArray[np.float32]

SUFFIXES = frozenset({".wav", ".wave", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff"})
WITHOUT_PACKAGE = frozenset({".wav", ".wave"})
NEEDS_PACKAGE = 'needs the package soundfile to be read; install it with: pip install "meta-learning-workbench[audio]"'
QUIETEST = -80.0
"""Decibels below the loudest part of a spectrogram, under which everything counts as silence."""

_WINDOW, _HOP = 0.025, 0.010  # seconds, as speech recognition has them
_LONGEST = 600  # seconds of a recording that are looked at
_RATES = (1000, 768_000)
_SILENCE = 1e-4  # of full scale; the last bit of 16 is 3e-5
# A length that a program writes before it knows how long a recording will be.
_UNKNOWN_BYTES = 0x7FFF0000


@dataclass(frozen=True)
class Spectrograms:
    """How recordings become inputs.

    Attributes:
        rate: Samples a second that every recording is brought to.
        seconds: Length that it is cut or filled up to.
        mels: Bands from 0 to half the rate, evenly spaced in pitch as it is heard.
    """

    rate: int
    seconds: float
    mels: int

    @classmethod
    def of(cls, reading: Mapping[str, Any]) -> Spectrograms:
        """As a spec's reading tells it."""
        return cls(int(reading["rate"]), float(reading["seconds"]), int(reading["mels"]))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(1, mels, frames)."""
        return 1, self.mels, 1 + (round(self.rate * self.seconds) - round(self.rate * _WINDOW)) // round(
            self.rate * _HOP)

    def read(self, path: Path) -> Tensor:
        """The spectrogram [1, mels, frames] of a recording's loudest part, in decibels below the loudest, float32.

        Raises:
            FileError: It cannot be read, is empty, too short or silent.
        """
        samples, rate = read_sound(path)
        if len(samples) < _HOP * rate:
            raise FileError(f"is too short ({counted(len(samples), 'samples')}, {1000 * len(samples) / rate:.2g} "
                            f"milliseconds, and {1000 * _HOP:g} are needed); record it again or delete it")
        samples = samples - samples.mean()
        if np.abs(samples).max() < _SILENCE:
            raise FileError("is silent; replace or delete it")
        part = loudest(resampled(samples, rate, self.rate), round(self.rate * self.seconds))
        return log_mel(torch.from_numpy(part), self.rate, self.mels)


def read_sound(path: Path) -> tuple[Wave, int]:
    """The first ten minutes of a recording, all its channels as one [samples] in [-1, 1], and its samples a second.

    Raises:
        FileError: It cannot be read, with the reason and the remedy.
        DataError: It is not there any more.
    """
    try:
        if not path.stat().st_size:
            raise FileError("is empty (0 bytes); replace or delete it")
        samples, rate = _read_wav(path) if path.suffix.lower() in WITHOUT_PACKAGE else _read_with_package(path)
    except OSError as error:
        raise unreadable(path, error) from error
    except MemoryError as error:
        raise PassingError("does not fit into memory; cut it") from error
    if not len(samples):
        raise FileError("holds no sound (0 seconds); replace or delete it")
    if not _RATES[0] <= rate <= _RATES[1]:
        raise FileError(f"says that it has {rate:,} samples a second, which no recording has; replace or delete it")
    if not np.isfinite(samples).all():
        raise FileError("holds values that are no numbers; replace or delete it")
    return samples, rate


def _read_wav(path: Path) -> tuple[Wave, int]:
    """A wav file of whole numbers by the standard library, any other by the package."""
    try:
        with path.open("rb") as file, wave.open(file) as recording:
            channels, width, rate, count = recording.getparams()[:4]
            wanted = min(count, _LONGEST * rate)
            data = recording.readframes(wanted)
    except (wave.Error, EOFError, struct.error, ZeroDivisionError) as error:
        with path.open("rb") as file:
            is_riff = file.read(4) == b"RIFF"
        if is_riff and isinstance(error, EOFError | struct.error):
            raise FileError("is cut off within its header; copy or record it again, or delete it") from error
        with suppress(ImportError):
            return _read_with_package(path)
        raise FileError(NEEDS_PACKAGE if is_riff else "is no recording, whatever its name says; replace or delete it"
                        ) from error
    there = len(data) // (channels * width)
    if there < wanted and count * channels * width < _UNKNOWN_BYTES:
        raise _cut_off(there / rate, count / rate)
    return _mono(data[: there * channels * width], channels, width), rate


def _mono(data: bytes, channels: int, width: int) -> Wave:
    """Samples of 8 bits without or 16, 24 or 32 bits with a sign, the channels taken together."""
    if width == 1:
        samples = np.frombuffer(data, np.uint8).astype(np.float32) - 128
    elif width == 3:
        # Three bytes become the upper ones of four, so that the sign is where it belongs.
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        samples = (wide.view("<i4")[:, 0] >> 8).astype(np.float32)
    else:
        samples = np.frombuffer(data, f"<i{width}").astype(np.float32)
    return np.asarray((samples / 2 ** (8 * width - 1)).reshape(-1, channels).mean(1), np.float32)


def _read_with_package(path: Path) -> tuple[Wave, int]:
    try:
        import soundfile  # noqa: PLC0415 - an extra, and slow to import
    except (ImportError, OSError) as error:
        if path.suffix.lower() in WITHOUT_PACKAGE:
            raise ImportError(str(error)) from error
        raise FileError(NEEDS_PACKAGE) from error
    try:
        with soundfile.SoundFile(path) as recording:
            wanted = min(recording.frames, _LONGEST * recording.samplerate)
            samples = recording.read(wanted, dtype="float32", always_2d=True)
            rate = int(recording.samplerate)
    except (soundfile.SoundFileError, RuntimeError) as error:
        reason = str(error).rpartition(": ")[2].strip(" .")
        if reason == "System error":  # the package says no more where it is the disk that fails
            raise OSError(reason) from error
        raise FileError(f"is no recording or a damaged one ({reason}); replace or delete it") from error
    # How long an mp3 is can only be guessed before it has been read.
    if len(samples) < wanted and path.suffix.lower() == ".flac":
        raise _cut_off(len(samples) / rate, wanted / rate)
    return np.asarray(samples.mean(1), np.float32), rate


def _cut_off(there: float, said: float) -> FileError:
    return FileError(f"is cut off ({there:.3g} of {said:.3g} seconds are there); copy or record it again, or delete it")


def has_package() -> bool:
    """Whether recordings other than wav can be read."""
    try:
        import soundfile  # noqa: F401, PLC0415 - an extra, and slow to import
    except (ImportError, OSError):
        return False
    return True


def resampled(samples: Wave, rate: int, wanted: int) -> Wave:
    """The sound at another number of samples a second, without what that cannot hold, by a polyphase filter."""
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly  # noqa: PLC0415 - slow to import

    common = math.gcd(rate, wanted)
    return np.asarray(resample_poly(samples, wanted // common, rate // common), np.float32)


def loudest(samples: Wave, length: int) -> Wave:
    """The `length` samples in a row that have the most energy; shorter sounds stand in the middle of silence."""
    missing = length - len(samples)
    if missing >= 0:
        return np.pad(samples, (missing // 2, missing - missing // 2))
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    start = int((energy[length:] - energy[:-length]).argmax())
    return samples[start : start + length]


def log_mel(samples: Tensor, rate: int, mels: int) -> Tensor:
    """The mel spectrogram [1, mels, frames] of samples [n] in decibels below its largest value, at least -80.

    Frames of 25 ms every 10 ms under a Hann window; rows go from the highest band down, as spectrograms are drawn.
    """
    window, hop = round(rate * _WINDOW), round(rate * _HOP)
    size = _transform_size(rate, mels, window)
    frames = samples.unfold(0, window, hop) * torch.hann_window(window, dtype=samples.dtype)
    power = torch.fft.rfft(frames, size).abs() ** 2
    energy = mel_filters(rate, mels, size).to(samples.dtype) @ power.T
    decibels = 10 * torch.log10((energy / energy.amax().clamp(min=1e-30)).clamp(min=10 ** (QUIETEST / 10)))
    return decibels.flip(0).unsqueeze(0)


def _transform_size(rate: int, mels: int, window: int) -> int:
    """The power of two that holds a frame and has a frequency within even the narrowest band."""
    edges = _band_edges(rate, mels)
    return int(2 ** math.ceil(math.log2(max(window, rate / (edges[1] - edges[0])))))


def _band_edges(rate: int, mels: int) -> NDArray[np.float64]:
    """Frequencies [mels + 2] that lie evenly on the mel scale 2595 log10(1 + f / 700) (O'Shaughnessy 1987), in Hz."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    return np.asarray(700 * (10 ** (np.linspace(0, top, mels + 2) / 2595) - 1))


@lru_cache(maxsize=4)
def mel_filters(rate: int, mels: int, size: int) -> Tensor:
    """Triangles [mels, size // 2 + 1] of height one, each from the middle of the band below to that of the band above
    (Davis and Mermelstein 1980), float64."""
    edges, frequencies = _band_edges(rate, mels)[:, None], np.fft.rfftfreq(size, 1 / rate)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return torch.from_numpy(np.clip(np.minimum(rising, falling), 0, None))
