"""Recordings: every kind of file, the spectrogram against its formula, and bad files, each with its sentence."""

from __future__ import annotations

import math
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.tasks.base import TaskSource
from workbench.tasks.files.errors import DataError, FileError
from workbench.tasks.files.sound import Spectrograms, log_mel, loudest, mel_filters, read_sound, resampled
from workbench.tasks.looking.check import check_data

Opener = Callable[..., TaskSource]
NAMES = [f"sound {i:02}" for i in range(15)]


def write_wav(path: Path, samples: np.ndarray, rate: int = 8000, width: int = 2) -> Path:
    """Samples [n] or [n, channels] in [-1, 1] as whole numbers of so many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.round(samples * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    data = {1: (whole + 128).astype(np.uint8), 2: whole.astype("<i2"),
            3: whole.astype("<i4").reshape(-1).view(np.uint8).reshape(-1, 4)[:, :3],
            4: whole.astype("<i4")}[width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def tone(pitch: float, seconds: float = 0.3, rate: int = 8000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        for take in range(6):
            write_wav(tmp_path / "calls" / name / f"{take}.wav", tone(200 * (number + 1) + 5 * take, 0.2 + 0.03 * take))
    return tmp_path / "calls"


def test_a_folder_of_recordings_works_with_the_defaults(calls: Path, opened: Opener) -> None:
    source = opened("recordings", path=calls)
    assert source.spec.input_kind == "image"
    assert source.spec.input_shape == (1, 40, 98)
    assert source.overview().classes == {"train": 5, "validation": 5, "test": 5}
    assert source.overview().form == "recordings"
    assert not source.overview().problems
    batch = source.sample("train", range(3))
    assert batch.support.inputs.shape == (3, 5, 1, 40, 98)
    assert batch.support.inputs.isfinite().all()
    everything = torch.cat([source.sample("train", range(50)).query.inputs])
    assert everything.mean().abs() < 0.1
    assert abs(everything.std() - 1) < 0.1
    assert source.floors()[0].mean > 0.9
    samples = source.overview().samples
    assert samples is not None
    assert samples.dtype == torch.uint8
    assert samples.max() == 255
    assert source.spec.reading == {"form": "recordings", "rate": 16000, "seconds": 1.0, "mels": 40}


def test_the_report_agrees_with_the_source(calls: Path, opened: Opener) -> None:
    report = check_data(calls)
    overview = opened("recordings", path=calls).overview()
    assert report["usable"]
    assert (report["dataset"], report["form"], report["classes"]) == ("recordings", "recordings", 15)
    assert report["examples"] == sum(overview.examples.values()) == 90
    assert report["problems"] == list(overview.problems) == []
    assert report["size"] is None


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_of_every_width_is_read_by_the_standard_library(tmp_path: Path, width: int, channels: int) -> None:
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (500, channels))
    found, rate = read_sound(write_wav(tmp_path / "a.wav", samples, 11025, width))
    assert rate == 11025
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, samples.mean(1), atol=1.6 / 2 ** (8 * width - 1) + 1e-6)


@pytest.mark.parametrize(("suffix", "subtype"), [("flac", "PCM_16"), ("ogg", "VORBIS"), ("wav", "FLOAT"),
                                                 ("mp3", "MPEG_LAYER_III"), ("aiff", "PCM_16")])
def test_other_files_are_read_by_soundfile(tmp_path: Path, suffix: str, subtype: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples = tone(440, 1.0, 16000)
    soundfile.write(tmp_path / f"a.{suffix}", samples, 16000, subtype=subtype)
    found, rate = read_sound(tmp_path / f"a.{suffix}")
    assert rate == 16000
    spectrum = np.abs(np.fft.rfft(found[:16000]))
    assert abs(spectrum.argmax() * 16000 / len(found[:16000]) - 440) < 2
    look = Spectrograms(16000, 0.5, 20)
    assert look.read(tmp_path / f"a.{suffix}").shape == look.shape


def test_without_soundfile_wav_is_read_and_the_rest_says_how_to_install_it(
        calls: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(calls / NAMES[0] / "9.flac", tone(300), 8000)
    soundfile.write(calls / NAMES[1] / "9.wav", tone(300), 8000, subtype="FLOAT")
    with_it = opened("recordings", path=calls).overview()
    assert sum(with_it.examples.values()) == 92
    monkeypatch.setitem(sys.modules, "soundfile", None)
    without = opened("recordings", path=calls).overview()
    assert sum(without.examples.values()) == 90
    assert without.problems == (
        "1 recording was left out, for .flac needs the package soundfile to be read; install it with: pip install "
        '"meta-learning-workbench[audio]"',
        f"{NAMES[1]}/9.wav needs the package soundfile to be read; install it with: pip install "
        '"meta-learning-workbench[audio]"')


def test_a_folder_of_flac_alone_says_how_to_install_soundfile(
        tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.flac").write_bytes(b"fLaC")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(DataError, match=r"15 recordings were left out.* pip install"):
        opened("recordings", path=tmp_path)


def cut(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


def test_bad_files_are_named_and_left_out(calls: Path, opened: Opener) -> None:
    bad = calls / NAMES[3]
    (bad / "a empty.wav").write_bytes(b"")
    cut(write_wav(bad / "b cut.wav", tone(500)), 1000)
    cut(write_wav(bad / "c header.wav", tone(500)), 30)
    (bad / "d text.wav").write_text("these are words and no sound at all")
    write_wav(bad / "e silent.wav", np.zeros(3000))
    write_wav(bad / "f nothing.wav", np.zeros(0))
    write_wav(bad / "g steady.wav", np.full(3000, 0.5))
    (bad / "h text.flac").write_text("words")
    (calls / "notes.txt").write_text("words")
    write_wav(calls / "loose.wav", tone(400))
    source = opened("recordings", path=calls)
    problems = source.overview().problems
    assert sum(source.overview().examples.values()) == 90
    said = [one.removeprefix(f"{NAMES[3]}/") for one in problems]
    assert said[0] == "1 file is no recording and was left out: notes.txt"
    assert said[1].startswith("1 recording lies in no class folder and was left out: loose.wav")
    assert said[2] == "a empty.wav is empty (0 bytes); replace or delete it"
    assert said[3].startswith("b cut.wav is cut off (0.0597 of 0.3 seconds are there)")
    assert said[4].startswith("c header.wav is cut off within its header")
    assert said[5] == "d text.wav is no recording or a damaged one (Format not recognised); replace or delete it"
    assert said[6] == "e silent.wav is silent; replace or delete it"
    assert said[7] == "f nothing.wav holds no sound (0 seconds); replace or delete it"
    assert said[8] == "g steady.wav is silent; replace or delete it"
    assert said[9].startswith("h text.flac is no recording or a damaged one (")
    assert check_data(calls)["problems"] == list(problems)


def test_a_wav_of_impossible_rate_or_missing_numbers_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="says that it has 5 samples a second"):
        read_sound(write_wav(tmp_path / "a.wav", tone(1), 5))
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "b.wav", np.array([0.1, np.nan, 0.2] * 100), 8000, subtype="FLOAT")
    with pytest.raises(FileError, match="holds values that are no numbers"):
        read_sound(tmp_path / "b.wav")


@pytest.mark.parametrize("samples", [[0.9], [0.9, -0.9, 0.3]])
def test_a_click_is_too_short_and_not_silent(tmp_path: Path, samples: list[float]) -> None:
    path = write_wav(tmp_path / "click.wav", np.array(samples))
    count = "1 sample, 0.12" if len(samples) == 1 else "3 samples, 0.38"
    with pytest.raises(FileError, match=rf"^is too short \({count} milliseconds, and 10 are needed\); record it again"):
        Spectrograms(8000, 1.0, 40).read(path)


def test_a_header_written_before_the_length_was_known_is_no_cut(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(500))
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(read_sound(path)[0]) == 2400


def test_one_class_and_no_class_say_what_is_missing(tmp_path: Path, opened: Opener) -> None:
    for take in range(6):
        write_wav(tmp_path / "one" / "only" / f"{take}.wav", tone(300))
    with pytest.raises(DataError, match=r"holds one class, which will not do .*add classes"):
        opened("recordings", path=tmp_path / "one")
    report = check_data(tmp_path / "one")
    assert (report["form"], report["classes"], report["usable"]) == ("recordings", 1, False)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no folder with recordings; put a folder of recordings for each class"):
        opened("recordings", path=tmp_path / "none")
    assert not check_data(tmp_path / "none")["usable"]


def test_nothing_readable_names_the_first_file(tmp_path: Path, opened: Opener) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 15 recordings can be read: sound 00/1\.wav is empty"):
        opened("recordings", path=tmp_path)


def test_given_splits_and_speakers_are_honoured(tmp_path: Path, opened: Opener) -> None:
    for split in ("train", "val", "test"):
        for number in range(5):
            for take in range(6):
                write_wav(tmp_path / split / f"{split} word {number}" / f"{take}.wav", tone(300 + 100 * number))
    source = opened("recordings", path=tmp_path)
    assert source.names("test") == {f"test word {number}" for number in range(5)}


def test_a_cache_that_cannot_be_written_is_said(calls: Path, tmp_path: Path, opened: Opener,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "not kept in the cache (" in opened("recordings", path=calls).overview().facts
    assert "not kept in the cache (" in check_data(calls)["facts"]


def test_the_spectrogram_is_its_formula_in_float64() -> None:
    rate, mels = 8000, 20
    samples = np.random.default_rng(1).normal(size=rate // 4)
    found = log_mel(torch.from_numpy(samples), rate, mels)[0].numpy()
    window, hop, size = 200, 80, 256

    def to_mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    edges = [700 * (10 ** (to_mel(rate / 2) * k / (mels + 1) / 2595) - 1) for k in range(mels + 2)]
    expected = np.empty((mels, 1 + (len(samples) - window) // hop))
    for frame in range(expected.shape[1]):
        part = np.zeros(size)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
        part[:window] = samples[frame * hop : frame * hop + window] * hann
        bins = np.arange(size // 2 + 1)
        angles = 2 * np.pi * np.outer(bins, np.arange(size)) / size
        power = (np.cos(angles) @ part) ** 2 + (np.sin(angles) @ part) ** 2
        for band in range(mels):
            low, middle, high = edges[band : band + 3]
            hertz = bins * rate / size
            weights = np.where(hertz <= middle, (hertz - low) / (middle - low), (high - hertz) / (high - middle))
            expected[mels - 1 - band, frame] = (np.clip(weights, 0, None) * power).sum()
    expected = np.maximum(10 * np.log10(expected / expected.max()), -80)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2000, 96_000), st.integers(8, 128))
def test_no_band_is_ever_empty(rate: int, mels: int) -> None:
    look = Spectrograms(rate, 0.1, mels)
    samples = torch.from_numpy(np.random.default_rng(0).normal(size=round(rate * 0.1)))
    spectrogram = log_mel(samples, rate, mels)
    assert spectrogram.shape == look.shape
    assert (spectrogram.amax(2) > -80).all()
    assert spectrogram.max() == 0


def test_filters_overlap_as_triangles() -> None:
    filters = mel_filters(16000, 40, 512)
    assert filters.shape == (40, 257)
    assert (filters.amax(1) > 0.4).all()
    assert ((filters > 0).sum(0) <= 2).all()


def test_other_rates_keep_the_pitch_and_drop_what_they_cannot_hold() -> None:
    for rate in (8000, 11025, 44100, 48000):
        sound = resampled(tone(440, 1.0, rate).astype(np.float32), rate, 16000)
        assert abs(len(sound) - 16000) <= 1
        spectrum = np.abs(np.fft.rfft(sound[:16000]))
        assert abs(spectrum.argmax() - 440) <= 1
    too_high = resampled(tone(15_000, 1.0, 48000).astype(np.float32), 48000, 16000)
    assert np.abs(too_high[100:-100]).max() < 0.01


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**16))
def test_the_loudest_part_has_most_energy_and_the_length_that_was_asked_for(count: int, length: int, seed: int) -> None:
    samples = np.random.default_rng(seed).normal(size=count).astype(np.float32)
    part = loudest(samples, length)
    assert len(part) == length
    if count <= length:
        assert math.isclose(float((part**2).sum()), float((samples**2).sum()), rel_tol=1e-5)
    else:
        energies = [float((samples[start : start + length].astype(np.float64) ** 2).sum())
                    for start in range(count - length + 1)]
        assert math.isclose(float((part.astype(np.float64) ** 2).sum()), max(energies), rel_tol=1e-6)


def test_loudness_as_a_whole_and_a_steady_part_have_no_say(tmp_path: Path) -> None:
    look = Spectrograms(8000, 0.2, 20)
    sound = tone(700) + 0.3 * tone(1900)
    loud = look.read(write_wav(tmp_path / "a.wav", sound, width=4))
    quiet = look.read(write_wav(tmp_path / "b.wav", 0.1 * sound + 0.05, width=4))
    is_heard = loud > -50
    torch.testing.assert_close(loud[is_heard], quiet[is_heard], atol=0.2, rtol=0)


def test_the_cache_answers_until_a_file_changes(calls: Path, opened: Opener) -> None:
    first = opened("recordings", path=calls)
    again = opened("recordings", path=calls)
    assert torch.equal(first.sample("test", range(5)).query.inputs, again.sample("test", range(5)).query.inputs)
    (calls / NAMES[0] / "0.wav").write_bytes(b"")
    with pytest.raises(DataError, match="15 classes, 14 of them with the 6 recordings"):
        opened("recordings", path=calls)
