"""Makes the samples of recordings, time series and arrays anew: `python sample_tasks/make_signals.py`."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
RATE = 4000
Numbers = NDArray[np.float64]
Chance = np.random.Generator
Voice = Callable[[Numbers, float, Chance], Numbers]


def tone(pitch: Numbers | float, t: Numbers) -> Numbers:
    """A sine whose pitch in Hz may change over the times t in seconds."""
    steps = np.broadcast_to(np.asarray(pitch, dtype=np.float64), t.shape) / RATE
    return np.sin(2 * np.pi * np.cumsum(steps))


def beats(t: Numbers, rate: float, open_for: float = 0.5) -> Numbers:
    """1 while a sound that comes `rate` times a second is on, else 0."""
    return ((t * rate) % 1 < open_for).astype(np.float64)


def fading(t: Numbers, seconds: float) -> Numbers:
    """What dies away in so many seconds."""
    return np.exp(-t / seconds)


def _saw(t: Numbers, pitch: float) -> Numbers:
    return 2 * ((t * pitch) % 1) - 1


# What each class sounds like, from times in seconds, a factor of pitch about one, and chance.
VOICES: dict[str, Voice] = {
    "bell": lambda t, f, _: fading(t, 0.08) * sum(tone(f * p, t) for p in (520, 1130, 1690)),
    "buzzer": lambda t, f, _: np.sign(tone(160 * f, t)),
    "chirp down": lambda t, f, _: tone(f * np.linspace(1700, 500, len(t)), t),
    "chirp up": lambda t, f, _: tone(f * np.linspace(500, 1700, len(t)), t),
    "clicks": lambda t, f, c: beats(t, 24 * f, 0.06) * c.normal(size=len(t)),
    "cuckoo": lambda t, f, _: tone(np.where(t < t[-1] / 2, 900 * f, 700 * f), t),
    "growl": lambda t, f, _: _saw(t, 130 * f) * beats(t, 28),
    "hiss": lambda t, _, c: np.diff(c.normal(size=len(t) + 1)),
    "hoot": lambda t, f, _: tone(300 * f, t) * np.sin(np.pi * t / t[-1]),
    "hum": lambda t, f, _: tone(110 * f, t) + 0.5 * tone(220 * f, t) + 0.3 * tone(330 * f, t),
    "knock": lambda t, f, _: fading(t % 0.11, 0.015) * tone(240 * f, t),
    "pluck": lambda t, f, _: fading(t, 0.05) * sum(tone(f * 330 * p, t) / p for p in (1, 2, 3)),
    "rasp": lambda t, f, c: beats(t, 45 * f) * c.normal(size=len(t)),
    "rooster": lambda t, f, _: _saw(t, 420 * f) * beats(t, 9, 0.7),
    "throb": lambda t, f, _: tone(600 * f, t) * np.sin(2 * np.pi * 9 * t) ** 2,
    "trill": lambda t, f, _: tone(1300 * f, t) * beats(t, 30),
    "two tones": lambda t, f, _: tone(f * np.where(beats(t, 20) > 0, 1300, 650), t),
    "warble": lambda t, f, _: tone(f * (1100 + 350 * np.sin(2 * np.pi * 18 * t)), t),
    "whistle": lambda t, f, _: tone(1500 * f, t),
    "zip": lambda t, f, _: tone(f * (400 + 1100 * ((t * 13) % 1)), t),
}
NEW_VOICES: dict[str, Voice] = {
    "cricket": lambda t, f, _: tone(1750 * f, t) * beats(t, 60) * beats(t, 9, 0.6),
    "drill": lambda t, f, c: _saw(t, 90 * f) + 0.5 * c.normal(size=len(t)),
    "drip": lambda t, f, _: fading(t % 0.08, 0.02) * tone(f * (700 + 9000 * (t % 0.08)), t),
    "kettle": lambda t, f, c: tone(f * np.linspace(900, 1400, len(t)), t) + 0.6 * np.diff(c.normal(size=len(t) + 1)),
    "siren": lambda t, f, _: tone(f * (800 + 500 * np.sin(2 * np.pi * 4 * t)), t),
}


def write_sound(path: Path, voice: Voice, chance: Chance) -> None:
    """A fifth of a second of a voice at some pitch and loudness, in noise, as an 8-bit wav file."""
    t = np.arange(round(RATE * chance.uniform(0.15, 0.23))) / RATE
    sound = voice(t, chance.uniform(0.72, 1.25), chance)
    sound = sound / np.abs(sound).max() + 0.12 * chance.normal(size=len(t))
    sound *= np.minimum(1, 40 * np.minimum(t, t[-1] - t)) * chance.uniform(0.3, 0.9) / np.abs(sound).max()
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes(np.round(127 * sound + 128).astype(np.uint8).tobytes())


def make_calls() -> None:
    """Recordings by class, and a new task of classes that are not among them."""
    chance = np.random.default_rng(21)
    for name, voice in VOICES.items():
        for number in range(6):
            write_sound(HERE / "calls" / name / f"{name} {number + 1}.wav", voice, chance)
    (HERE / "calls" / "dataset.toml").write_text(
        f"# The recordings are short, and hold nothing above {RATE // 2} Hz.\nseconds = 0.2\nrate = {RATE}\n"
        "mels = 32\n", encoding="utf8")
    for name, voice in NEW_VOICES.items():
        for number in range(2):
            write_sound(HERE / "new_calls" / name / f"{name} {number + 1}.wav", voice, chance)
    for number, name in enumerate(chance.permutation([*NEW_VOICES, *NEW_VOICES])):
        write_sound(HERE / "new_calls" / "unlabelled" / f"recording {number + 1:02}.wav", NEW_VOICES[str(name)], chance)


Motion = Callable[[Numbers], Numbers]
# How far a hand is along its way, over the time of a gesture from 0 to 1.
MOTIONS: dict[str, Motion] = {
    "beckon": lambda t: np.abs(np.sin(3 * np.pi * t)),
    "catch": lambda t: 1 - np.exp(-12 * np.abs(t - 0.3)),
    "circle": lambda t: np.sin(2 * np.pi * t),
    "clap": lambda t: _bump(t, 0.42, 0.03) - _bump(t, 0.58, 0.03),
    "double tap": lambda t: _bump(t, 0.3, 0.05) + _bump(t, 0.6, 0.05),
    "draw": lambda t: t**2,
    "drop": lambda t: np.where(t < 0.6, 1.0, 1 - 4 * (t - 0.6)),
    "hold": lambda t: np.where((t > 0.25) & (t < 0.75), 1.0, 0.0),
    "knock": lambda t: _bump(t, 0.2, 0.04) + _bump(t, 0.45, 0.04) + _bump(t, 0.7, 0.04),
    "lift": lambda t: 1 / (1 + np.exp(-18 * (t - 0.5))),
    "push": lambda t: _bump(t, 0.35, 0.12),
    "rock": lambda t: np.sin(4 * np.pi * t) * np.sin(np.pi * t),
    "shake": lambda t: np.sin(12 * np.pi * t),
    "slide": lambda t: np.clip(2.5 * t - 0.5, 0, 1),
    "stumble": lambda t: t - 0.8 * _bump(t, 0.5, 0.07),
    "swing": lambda t: np.exp(-3 * t) * np.cos(5 * np.pi * t),
    "tap": lambda t: _bump(t, 0.5, 0.04),
    "wave": lambda t: np.sin(8 * np.pi * t) * np.sin(np.pi * t),
    "tremble": lambda t: 0.4 * np.sin(20 * np.pi * t) + t,
    "throw": lambda t: t * (t < 0.7) - 1.5 * _bump(t, 0.78, 0.06),
}
NEW_MOTIONS: dict[str, Motion] = {
    "flick": lambda t: _bump(t, 0.4, 0.05) - _bump(t, 0.52, 0.05),
    "press": lambda t: np.minimum(1, 3 * t) * (t < 0.85),
    "saw": lambda t: (4 * t) % 1,
    "stir": lambda t: np.sin(6 * np.pi * t),
    "yawn": lambda t: np.sin(np.pi * t) ** 2,
}


def _bump(t: Numbers, middle: float, width: float) -> Numbers:
    return np.asarray(np.exp(-(((t - middle) / width) ** 2)))


def motion(form: Motion, chance: Chance) -> list[str]:
    """A gesture as somebody makes it: faster or slower, sooner or later, larger or smaller, and never steady."""
    steps = int(chance.integers(34, 46))
    time = np.linspace(0, 1, steps) ** chance.uniform(0.8, 1.25) + chance.uniform(-0.12, 0.12)
    values = chance.uniform(0.7, 1.4) * form(np.clip(time, 0, 1)) + 0.1 * chance.normal(size=steps)
    return [f"{value:.2f}" for value in values]


def write_rows(path: Path, rows: list[list[str]], first: list[str]) -> None:
    """A table whose rows are as long as they are; the header has a column for each step of the longest."""
    steps = max(len(row) for row in rows) - len(first)
    header = [*first, *(f"t{step}" for step in range(steps))]
    lines = [",".join(row + [""] * (len(header) - len(row))) for row in [header, *rows]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf8")


def make_gestures() -> None:
    """A gesture in every row, and a new task of gestures that are not among them."""
    chance = np.random.default_rng(22)
    rows = [[name, *motion(form, chance)] for name, form in MOTIONS.items() for _ in range(10)]
    write_rows(HERE / "gestures" / "gestures.csv", rows, ["gesture"])
    support = [[name, *motion(form, chance)] for name, form in NEW_MOTIONS.items() for _ in range(2)]
    write_rows(HERE / "new_gestures" / "support.csv", support, ["gesture"])
    names = chance.permutation([*NEW_MOTIONS, *NEW_MOTIONS])
    write_rows(HERE / "new_gestures" / "query.csv", [motion(NEW_MOTIONS[str(name)], chance) for name in names], [])


def seal(chance: Chance) -> Numbers:
    """An invented seal on 16×16, the same from left and right."""
    half = (chance.random((6, 3)) < 0.5).astype(np.float64)
    return np.pad(np.kron(np.concatenate([half, half[:, ::-1]], 1), np.ones((2, 2))), 2)


def stamped(form: Numbers, chance: Chance) -> NDArray[np.uint8]:
    """A seal as it is stamped: a little beside its place, with more ink or less, on paper that is dark or pale."""
    moved = np.roll(form, chance.integers(-1, 2, 2), (0, 1)) * (chance.random(form.shape) > 0.08)
    levels = chance.uniform(0, 140) + chance.uniform(50, 115) * moved + 12 * chance.normal(size=form.shape)
    return (np.clip(levels, 0, 255) // 16 * 16).astype(np.uint8)


def make_seals() -> None:
    """Small pictures in an array, and a new task of seals that are not among them."""
    chance = np.random.default_rng(23)
    forms = [seal(chance) for _ in range(45)]
    names = np.array([f"seal {number + 1:02}" for number in range(45)])
    known = np.repeat(np.arange(40), 8)
    save("arrays/seals.npz", x=np.stack([stamped(forms[one], chance) for one in known]), y=names[known])
    new = np.repeat(np.arange(40, 45), 2)
    save("new_arrays/support.npz", x=np.stack([stamped(forms[one], chance) for one in new]), y=names[new])
    save("new_arrays/query.npz", x=np.stack([stamped(forms[one], chance) for one in chance.permutation(new)]))


def save(name: str, **arrays: NDArray[np.generic]) -> None:
    """Arrays in one compressed file."""
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type] - its annotation takes its own option for an array


if __name__ == "__main__":
    make_calls()
    make_gestures()
    make_seals()
