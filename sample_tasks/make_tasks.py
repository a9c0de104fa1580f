"""Draws the sample tasks anew: `python sample_tasks/make_tasks.py` gives the same files every time."""

from __future__ import annotations

import csv
import math
import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
MODES = {"eco": 0.7, "normal": 1.0, "boost": 1.4}
SIDE = 16
Pattern = Callable[[float, float], float]
CLOTHS: dict[str, Pattern] = {
    "pinstripe": lambda x, _: math.sin(x), "hoop": lambda _, y: math.sin(y),
    "check": lambda x, y: math.sin(x) * math.sin(y), "plaid": lambda x, y: (math.sin(x) + math.sin(y)) / 2,
    "twill": lambda x, y: math.sin(x + y), "herringbone": lambda x, y: math.sin(x + 2 * math.sin(y)),
}


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def reading(chance: random.Random, gain: float, base: float) -> list[object]:
    """Load, speed, mode and temperature of a machine: all warm up alike, each by its own gain, from its own base."""
    load, speed, mode = chance.uniform(0, 1), chance.uniform(600, 3000), chance.choice(list(MODES))
    turns = (speed - 600) / 2400
    heat = MODES[mode] * load**2 * (1 + math.sin(2 * math.pi * turns)) + (turns - 0.5) ** 2
    return [f"{load:.2f}", f"{speed:.0f}", mode, f"{base + 30 * gain * heat + chance.gauss(0, 0.5):.1f}"]


def draw_machines(machines: int = 40, readings: int = 30) -> None:
    """One long table, and a machine that is not in it."""
    chance = random.Random(4)  # noqa: S311 - drawings, no secrets
    rows = []
    for machine in range(machines):
        gain, base = chance.uniform(0.4, 1.6), chance.uniform(20, 40)
        rows += [[f"press {machine + 1:02}", *reading(chance, gain, base)] for _ in range(readings)]
    write(HERE / "machines" / "readings.csv", ["machine", "load", "speed", "mode", "temperature"], rows)
    new = [reading(chance, 1.3, 26) for _ in range(40)]
    write(HERE / "new_machine" / "support.csv", ["load", "speed", "mode", "temperature"], new[:12])
    write(HERE / "new_machine" / "query.csv", ["load", "speed", "mode"], [row[:3] for row in new[12:]])


def draw_assays(compounds: int = 320, assays: int = 24) -> None:
    """One table with a task in each column: few compounds are active, and most were not tested in most assays."""
    chance = random.Random(9)  # noqa: S311 - drawings, no secrets
    descriptors, latent = [], []
    for _ in range(compounds):
        fat, size, charge, rings, bonds = (chance.uniform(-1, 1) for _ in range(5))
        descriptors.append([f"{2.5 + 2 * fat:.2f}", f"{320 + 120 * size:.0f}", f"{charge:.2f}",
                            round(2.5 + 2.5 * rings), round(5 + 4 * bonds)])
        latent.append((2.4 * fat * charge, 2.4 * size * size - 0.8, 1.2 * math.cos(3 * fat)))
    columns: list[list[str]] = []
    for _ in range(assays):
        turn, lift = chance.uniform(0, 2 * math.pi), chance.uniform(-0.6, 0.6)
        weights = (math.cos(turn), math.sin(turn), lift)
        scores = [sum(w * z for w, z in zip(weights, one, strict=True)) + chance.gauss(0, 0.15) for one in latent]
        tested = [chance.random() < chance.uniform(0.3, 0.6) for _ in scores]
        edge = sorted(score for score, was in zip(scores, tested, strict=True) if was)[round(-0.2 * sum(tested))]
        columns.append([str(int(score >= edge)) if was else "" for score, was in zip(scores, tested, strict=True)])
    names = ["compound", "logp", "weight", "charge", "rings", "bonds", *(f"assay_{n + 1:02}" for n in range(assays))]
    write(HERE / "assays" / "assays.csv", names, [[f"C{n + 1:04}", *descriptors[n], *(column[n] for column in columns)]
                                                  for n in range(compounds)])


def draw_stations(stations: int = 30, hours: int = 28) -> None:
    """One table a task: the ozone over a day at one station after another."""
    chance = random.Random(2)  # noqa: S311 - drawings, no secrets
    for station in range(stations):
        height, peak = chance.uniform(20, 80), chance.uniform(12, 16)
        rows = []
        for _ in range(hours):
            hour, cloud, wind = chance.uniform(0, 24), chance.uniform(0, 1), chance.uniform(0, 12)
            sun = math.exp(-((hour - peak) / 3.5) ** 2) * (1 - 0.8 * cloud**2)
            value = 25 + height * sun / (1 + wind / 10) + chance.gauss(0, 1)
            rows.append([f"{hour:.1f}", f"{cloud:.2f}", f"{wind:.1f}", f"{value:.1f}"])
        write(HERE / "stations" / f"station_{station + 1:02}.csv", ["hour", "cloud", "wind", "ozone"], rows)


def cloth(chance: random.Random, pattern: Pattern, period: float, contrast: float) -> Image.Image:
    """A piece of cloth, cut out anywhere."""
    across, down = chance.uniform(0, 2 * math.pi), chance.uniform(0, 2 * math.pi)
    step = 2 * math.pi / period
    values = [128 + contrast * pattern(step * x + across, step * y + down) + chance.gauss(0, 6)
              for y in range(SIDE) for x in range(SIDE)]
    image = Image.new("L", (SIDE, SIDE))
    image.putdata([max(0, min(255, round(value))) for value in values])
    return image.quantize(8)


def draw_ready_made(tasks: int = 40, shots: int = 2, queries: int = 3) -> None:
    """Ready-made picture tasks: three cloths of one shop after another, each woven at its own pitch."""
    chance = random.Random(7)  # noqa: S311 - drawings, no secrets
    for task in range(tasks):
        for name in chance.sample(list(CLOTHS), 3):
            period, contrast = chance.uniform(4, 6), chance.uniform(50, 90)
            for part, many in (("support", shots), ("query", queries)):
                folder = HERE / "ready_made" / f"shop_{task + 1:02}" / part / name
                folder.mkdir(parents=True, exist_ok=True)
                for number in range(many):
                    cloth(chance, CLOTHS[name], period, contrast).save(folder / f"{number + 1}.png", optimize=True)


def main() -> None:
    """Draw all of them in the place of those that are there."""
    for name in ("machines", "new_machine", "assays", "stations", "ready_made"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    draw_machines()
    draw_assays()
    draw_stations()
    draw_ready_made()


if __name__ == "__main__":
    main()
