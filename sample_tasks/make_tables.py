"""Writes the sample tables anew: `python sample_tasks/make_tables.py` gives the same files every time."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent

# None of these minerals exists; what is measured of them follows the habits of minerals that do.
MINERALS = ("Aldrite", "Borelline", "Cavenite", "Dulmarite", "Eskerite", "Fjordite", "Galvanite", "Harrowite",
            "Ilvenite", "Jorvikite", "Kestrelite", "Lorimite", "Marrowite", "Nordalite", "Ombrite", "Pellerite",
            "Quenite", "Ravelite", "Sorrelite", "Tarnite", "Ulvosite", "Varnite", "Wendelite", "Yarrowite")
NEW_MINERALS = ("Zelmite", "Brackenite", "Corvinite", "Hollerite", "Tessarite")
LUSTRES = ("dull", "greasy", "metallic", "pearly", "silky", "vitreous")
COLUMNS = ("specimen_id", "mass_g", "volume_cm3", "length_mm", "hardness_mohs", "reflectance_red",
           "reflectance_green", "reflectance_blue", "temperature_c", "lustre", "mineral")


class Mineral:
    """Draws specimens of one mineral.

    A large specimen is heavy and long whatever it is made of, and a bright lamp makes all three reflectances large:
    only how these go together tells minerals apart.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._chance = random.Random(f"mineral {name}")  # noqa: S311 - no secrets are drawn
        pick = self._chance.uniform
        self._density, self._slimness, self._hardness = math.exp(pick(0.7, 2.1)), math.exp(pick(-0.5, 0.5)), pick(2, 8)
        self._color = [math.exp(pick(-0.45, 0.45)) for _ in range(3)]
        self._lustre = self._chance.choice(LUSTRES)

    def specimen(self) -> list[str]:
        """All cells but the id; some measurements are missing."""
        near = self._chance.gauss
        volume = 20 * math.exp(near(0, 0.6))
        lamp = 0.3 * math.exp(near(0, 0.5))
        mass = self._density * volume * math.exp(near(0, 0.05))
        length = 22 * volume ** (1 / 3) * self._slimness * math.exp(near(0, 0.07))
        colors = [f"{lamp * tone * math.exp(near(0, 0.06)):.3f}" for tone in self._color]
        hardness = round(2 * (self._hardness + near(0, 0.7))) / 2
        lustre = self._lustre if self._chance.random() < 0.6 else self._chance.choice(LUSTRES)
        cells = [f"{mass:.1f}", f"{volume:.1f}", f"{length:.0f}", f"{min(10.0, max(1.0, hardness)):.1f}", *colors,
                 f"{near(21, 4):.1f}", lustre]
        gap = self._chance.random()
        if gap < 0.06:
            cells[3 if gap < 0.03 else 8] = ""
        return [*cells, self.name]


def minerals(names: Sequence[str], each: int, seed: str) -> list[list[str]]:
    """Rows of so many specimens of each mineral, in no order."""
    chance = random.Random(seed)  # noqa: S311 - no secrets are drawn
    rows = [mineral.specimen() for mineral in map(Mineral, names) for _ in range(each)]
    chance.shuffle(rows)
    numbers = chance.sample(range(1000, 10_000), len(rows))
    return [[f"MS-{number}", *row] for number, row in zip(numbers, rows, strict=True)]


# What people write to a shop about. A topic is a thing and a concern, each told by one of several words, which return
# in other topics: what a learner can take from topics to new ones is which words mean the same and which mean nothing.
THINGS = {
    "bicycle": ("bicycle", "pedals", "saddle", "gears", "handlebar"),
    "camera": ("camera", "lens", "tripod", "flash", "viewfinder"),
    "coffee machine": ("espresso", "grinder", "milk frother", "drip tray", "coffee machine"),
    "heating": ("radiator", "boiler", "thermostat", "heating", "warm water"),
    "phone": ("phone", "touch screen", "charger", "sim card", "headphones"),
    "sofa": ("sofa", "cushions", "armrest", "footstool", "upholstery"),
}
CONCERNS = {
    "advice": ("which one you recommend for a beginner", "how to choose between the models", "what suits a small flat",
               "whether the newer model is better", "what experts would choose"),
    "delivery": ("where the courier is", "when it arrives", "why the tracking number is unknown",
                 "whether the van comes before noon", "why nobody rang the doorbell"),
    "price": ("whether there is a discount", "what it costs with tax", "why the invoice is higher",
              "whether I can pay in rates", "how much the voucher takes off"),
    "repair": ("who mends it", "why it makes a loud noise", "what to do now that it is broken",
               "whether spare parts are in stock", "why it stopped working"),
    "return": ("how to send it back", "when I get my money back", "whether I may exchange it",
               "where to find the return label", "how long I can change my mind"),
}
NEW_TOPICS = (("bicycle", "price"), ("camera", "repair"), ("coffee machine", "delivery"), ("heating", "advice"),
              ("phone", "return"))
TOPICS = tuple((thing, concern) for thing in THINGS for concern in CONCERNS if (thing, concern) not in NEW_TOPICS)
GREETINGS = ("Hello everybody,", "Good morning,", "Dear team,", "Hi there,", "Good evening,", "To the service desk:")
OPENINGS = ("I would like to know", "could somebody please tell me", "for the third time I ask", "may I ask",
            "my neighbour could not say", "since {day} I have been wondering")
CLOSINGS = ("Please answer before {day}.", "Many thanks in advance.", "Kind regards.", "I am at home on {day}.",
            "Best wishes and a nice {day}.", "You can call me on {day} after five.")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def messages(topics: Sequence[tuple[str, str]], each: int, seed: str) -> list[list[str]]:
    """Rows of so many messages on each topic, in no order."""
    chance = random.Random(seed)  # noqa: S311 - no secrets are drawn
    rows = []
    for thing, concern in topics:
        for _ in range(each):
            greeting, opening, closing = (chance.choice(part) for part in (GREETINGS, OPENINGS, CLOSINGS))
            about = f"{chance.choice(CONCERNS[concern])}, it is about the {chance.choice(THINGS[thing])}."
            text = f"{greeting} {opening} {about} {closing}".format(day=chance.choice(DAYS))
            rows.append([text, f"{thing}: {concern}"])
    chance.shuffle(rows)
    return rows


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a csv file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def parted(rows: Sequence[list[str]], shots: int) -> tuple[list[list[str]], list[list[str]]]:
    """So many rows of each class, and the others without their class; the class is the last cell."""
    support: list[list[str]] = []
    query: list[list[str]] = []
    seen: dict[str, int] = {}
    for row in rows:
        seen[row[-1]] = seen.get(row[-1], 0) + 1
        if seen[row[-1]] <= shots:
            support.append(row)
        else:
            query.append(row[:-1])
    return support, query


def main() -> None:
    """Write both tables and a new task for each."""
    write(HERE / "minerals" / "minerals.csv", COLUMNS, minerals(MINERALS, 16, "minerals"))
    write(HERE / "messages" / "messages.csv", ("text", "topic"), messages(TOPICS, 12, "messages"))
    for folder, header, rows in (("new_minerals", COLUMNS, minerals(NEW_MINERALS, 9, "new minerals")),
                                 ("new_messages", ("text", "topic"), messages(NEW_TOPICS, 9, "new messages"))):
        support, query = parted(rows, 5)
        write(HERE / folder / "support.csv", header, support)
        write(HERE / folder / "query.csv", header[:-1], query)


if __name__ == "__main__":
    main()
