"""Draws the sample folders anew: `python sample_tasks/make.py` gives the same files every time."""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
SIDE, FINER = 32, 4
Point = tuple[float, float]
Tone = tuple[int, int, int]


class Pen:
    """Draws in coordinates from -1 to 1 that are turned, scaled and shifted a little, as a hand does.

    Args:
        chance: Where the deviations come from.
        paper, ink: Colours.
        turn: Largest turn in degrees.
    """

    def __init__(self, chance: random.Random, paper: Tone, ink: Tone, turn: float) -> None:
        side = SIDE * FINER
        self.image = Image.new("RGB", (side, side), paper)
        self.paper, self.ink, self.chance = paper, ink, chance
        self._draw = ImageDraw.Draw(self.image)
        self._angle = math.radians(chance.uniform(-turn, turn))
        self._scale = side * chance.uniform(0.3, 0.42)
        self._middle = [side / 2 + chance.uniform(-0.08, 0.08) * side for _ in "xy"]

    def _place(self, points: Iterable[Point]) -> list[Point]:
        sine, cosine = math.sin(self._angle), math.cos(self._angle)
        return [(self._middle[0] + self._scale * (x * cosine - y * sine),
                 self._middle[1] + self._scale * (x * sine + y * cosine)) for x, y in points]

    def fill(self, points: Iterable[Point], *, blank: bool = False) -> None:
        """A filled outline, in the colour of the paper where it is blank."""
        self._draw.polygon(self._place(points), fill=self.paper if blank else self.ink)

    def stroke(self, points: Iterable[Point], width: float = 0.22) -> None:
        """A line through the points with round ends."""
        placed, thick = self._place(points), max(1, round(width * self._scale))
        self._draw.line(placed, fill=self.ink, width=thick, joint="curve")
        for x, y in placed:
            self._draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=self.ink)

    def disc(self, x: float = 0, y: float = 0, radius: float = 1, *, blank: bool = False) -> None:
        """A filled circle."""
        self.fill(around(48, radius, x, y), blank=blank)

    def picture(self) -> Image.Image:
        """What was drawn, small and in few colours."""
        small = self.image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        return small.quantize(16, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def around(corners: int, radius: float = 1, x: float = 0, y: float = 0, inner: float | None = None) -> list[Point]:
    """Corners of a regular polygon, or of a star where an inner radius is given."""
    radii = [radius] if inner is None else [radius, inner]
    count = corners * len(radii)
    return [(x + radii[i % len(radii)] * math.sin(math.tau * i / count),
             y - radii[i % len(radii)] * math.cos(math.tau * i / count)) for i in range(count)]


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """Corners of an upright rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def curve(form: Callable[[float], Point], points: int = 40) -> list[Point]:
    """Points of a form that is given over 0 to 1."""
    return [form(i / (points - 1)) for i in range(points)]


def ring(pen: Pen) -> None:
    """A disc with a hole."""
    pen.disc()
    pen.disc(radius=pen.chance.uniform(0.5, 0.65), blank=True)


def frame(pen: Pen) -> None:
    """A square with a hole."""
    inner = pen.chance.uniform(0.5, 0.65)
    pen.fill(box(-0.9, -0.9, 0.9, 0.9))
    pen.fill(box(-inner, -inner, inner, inner), blank=True)


def moon(pen: Pen) -> None:
    """A disc that another one covers."""
    pen.disc()
    pen.disc(pen.chance.uniform(0.35, 0.5), -0.15, 0.85, blank=True)


def heart(pen: Pen) -> None:
    """Two discs and a point."""
    pen.disc(-0.45, -0.35, 0.5)
    pen.disc(0.45, -0.35, 0.5)
    pen.fill([(-0.9, -0.13), (0.9, -0.13), (0, 0.95)])


def checks(pen: Pen) -> None:
    """Every other field of four by four."""
    for i in range(16):
        if (i // 4 + i) % 2:
            left, top = -1 + 0.5 * (i % 4), -1 + 0.5 * (i // 4)
            pen.fill(box(left, top, left + 0.5, top + 0.5))


def dots(pen: Pen) -> None:
    """Nine small discs."""
    for i in range(9):
        pen.disc(0.75 * (i % 3 - 1), 0.75 * (i // 3 - 1), pen.chance.uniform(0.2, 0.28))


def stripes(pen: Pen) -> None:
    """Four bars."""
    for i in range(4):
        pen.fill(box(-1, -1 + 0.55 * i, 1, -0.72 + 0.55 * i))


def cross(pen: Pen) -> None:
    """An upright and a crossbar."""
    pen.fill(box(-0.28, -1, 0.28, 1))
    pen.fill(box(-1, -0.28, 1, 0.28))


def flower(pen: Pen) -> None:
    """Six petals around an empty middle."""
    for x, y in around(6, 0.62):
        pen.disc(x, y, 0.36)
    pen.disc(radius=0.25, blank=True)


def house(pen: Pen) -> None:
    """Walls, a roof and a door."""
    pen.fill(box(-0.7, -0.1, 0.7, 0.95))
    pen.fill([(-0.95, -0.05), (0.95, -0.05), (0, -0.95)])
    pen.fill(box(-0.18, 0.35, 0.18, 0.95), blank=True)


def cloud(pen: Pen) -> None:
    """Three discs on a flat ground."""
    for x, y, radius in ((-0.5, 0.15, 0.42), (0, -0.15, 0.55), (0.52, 0.18, 0.4)):
        pen.disc(x, y, radius)
    pen.fill(box(-0.6, 0.2, 0.6, 0.57))


def tree(pen: Pen) -> None:
    """A trunk and three tiers."""
    pen.fill(box(-0.15, 0.5, 0.15, 1))
    for top in (-1, -0.55, -0.1):
        width = 0.45 + 0.3 * (top + 1)
        pen.fill([(0, top), (width, top + 0.65), (-width, top + 0.65)])


def eye(pen: Pen) -> None:
    """A lens, an iris and a pupil."""
    pen.fill(curve(lambda t: (2 * t - 1, -0.6 * math.sin(math.pi * t)))
             + curve(lambda t: (1 - 2 * t, 0.6 * math.sin(math.pi * t))))
    pen.disc(radius=0.42, blank=True)
    pen.disc(radius=0.2)


def ladder(pen: Pen) -> None:
    """Two rails and four rungs."""
    for x in (-0.5, 0.5):
        pen.stroke([(x, -1), (x, 1)], 0.16)
    for y in (-0.7, -0.23, 0.23, 0.7):
        pen.stroke([(-0.5, y), (0.5, y)], 0.14)


def key(pen: Pen) -> None:
    """A ring, a stem and two teeth."""
    pen.disc(0, -0.55, 0.45)
    pen.disc(0, -0.55, 0.2, blank=True)
    pen.stroke([(0, -0.1), (0, 1)], 0.18)
    for y in (0.65, 0.95):
        pen.stroke([(0, y), (0.4, y)], 0.16)


def sun(pen: Pen) -> None:
    """A disc and eight rays."""
    pen.disc(radius=0.45)
    for near, far in zip(around(8, 0.62), around(8, 1), strict=True):
        pen.stroke([near, far], 0.14)


def mushroom(pen: Pen) -> None:
    """A cap on a stem."""
    pen.fill(curve(lambda t: (-math.cos(math.pi * t), -1.05 * math.sin(math.pi * t) + 0.1)))
    pen.fill(box(-0.28, 0, 0.28, 0.95))


SHAPES: dict[str, Callable[[Pen], None]] = {
    "arrow": lambda pen: pen.fill([(0, -1), (0.8, -0.1), (0.3, -0.1), (0.3, 1), (-0.3, 1), (-0.3, -0.1), (-0.8, -0.1)]),
    "checks": checks,
    "circle": lambda pen: pen.disc(),
    "cloud": cloud,
    "cross": cross,
    "diamond": lambda pen: pen.fill([(0, -1), (0.65, 0), (0, 1), (-0.65, 0)]),
    "dots": dots,
    "eye": eye,
    "flower": flower,
    "frame": frame,
    "heart": heart,
    "house": house,
    "moon": moon,
    "ring": ring,
    "spiral": lambda pen: pen.stroke(curve(lambda t: (t * math.sin(13 * t), t * math.cos(13 * t)), 60), 0.17),
    "star": lambda pen: pen.fill(around(5, 1.05, inner=0.45)),
    "stripes": stripes,
    "tree": tree,
    "triangle": lambda pen: pen.fill(around(3, 1.05)),
    "zigzag": lambda pen: pen.stroke([(0.5 * i - 1, 0.6 * (-1) ** i) for i in range(5)]),
}
NEW_SHAPES: dict[str, Callable[[Pen], None]] = {
    "key": key, "ladder": ladder, "mushroom": mushroom, "sun": sun,
    "wave": lambda pen: pen.stroke(curve(lambda t: (2 * t - 1, 0.55 * math.sin(9.5 * t)))),
}
ALPHABETS = {"Corner": 5, "Hook": 5, "Knot": 5, "Twig": 5}


def shape(draw: Callable[[Pen], None], chance: random.Random) -> Image.Image:
    """A shape in a colour of its own on pale or dark paper."""
    def tone(value: float, strength: float) -> Tone:
        red, green, blue = colorsys.hsv_to_rgb(chance.random(), strength, value)
        return round(255 * red), round(255 * green), round(255 * blue)

    is_pale = chance.random() < 0.6
    paper = tone(chance.uniform(0.88, 1), 0.12) if is_pale else tone(chance.uniform(0.1, 0.3), 0.5)
    ink = tone(chance.uniform(0.3, 0.7), 0.8) if is_pale else tone(chance.uniform(0.8, 1), 0.6)
    pen = Pen(chance, paper, ink, turn=25)
    draw(pen)
    return pen.picture()


def strokes(alphabet: str, number: int, chance: random.Random) -> list[list[Point]]:
    """The lines of the character of this number, in the manner of its alphabet."""
    def near(x: float, y: float) -> Point:
        return x + chance.uniform(-0.3, 0.3), y + chance.uniform(-0.3, 0.3)

    corners = [near(x, y) for x, y in ((-0.7, -0.7), (0.7, -0.7), (0.7, 0.7), (-0.7, 0.7))]
    chance.shuffle(corners)
    if alphabet == "Corner":
        return [corners[:3], [corners[3], near(0, 0)]]
    if alphabet == "Hook":
        start, bend = chance.uniform(0, math.tau), chance.choice((-4.2, 4.2))
        arc = curve(lambda t: (0.65 * math.cos(start + bend * t), 0.65 * math.sin(start + bend * t)), 24)
        return [[*arc, near(0, 0)], corners[:2]]
    if alphabet == "Knot":
        wide, high, late = ((1, 2, 0), (2, 1, 0), (2, 3, 0), (3, 2, 0.4), (1, 3, 0.5))[number]
        return [curve(lambda t: (0.9 * math.sin(math.tau * wide * t + late), 0.9 * math.sin(math.tau * high * t)), 60)]
    stem = [near(0, -0.9), near(0, 0.9)]
    return [stem, *([near(0, y), near(chance.choice((-0.8, 0.8)), y - 0.4)] for y in (-0.5, 0, 0.5))]


def write(image: Image.Image, path: Path) -> None:
    """Save as a small PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def make_shapes() -> None:
    """Pictures by class, and a new task of classes that are not among them."""
    chance = random.Random(1)  # noqa: S311 - drawings, no secrets
    for name, draw in SHAPES.items():
        for i in range(15):
            write(shape(draw, chance), HERE / "shapes" / name / f"{name}_{i + 1:02}.png")
    for name, draw in NEW_SHAPES.items():
        for i in range(3):
            write(shape(draw, chance), HERE / "new_shapes" / name / f"{name}_{i + 1}.png")
    for i, draw in enumerate(chance.sample(list(NEW_SHAPES.values()) * 2, 10)):
        write(shape(draw, chance), HERE / "new_shapes" / "unlabelled" / f"picture_{i + 1:02}.png")


def make_alphabets() -> None:
    """Characters that several hands drew, dark on white."""
    chance = random.Random(2)  # noqa: S311 - drawings, no secrets
    for alphabet, characters in ALPHABETS.items():
        for character in range(characters):
            lines = strokes(alphabet, character, chance)
            for hand in range(15):
                pen = Pen(chance, (255, 255, 255), (0, 0, 0), turn=8)
                for line in lines:
                    pen.stroke([(x + chance.gauss(0, 0.03), y + chance.gauss(0, 0.03)) for x, y in line], 0.14)
                small = pen.image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS).quantize(6)
                write(small, HERE / "alphabets" / alphabet / f"character{character + 1:02}" / f"{hand + 1:02}.png")


def knot(across: int, down: int, phase: float, t: float) -> Point:
    """A place on a looped line, of two swings of these frequencies."""
    return math.sin(math.tau * across * t + phase), math.sin(math.tau * down * t)


def make_knots() -> None:
    """Pictures that lists name: looped lines whose two frequencies and phase are the class, in any small turn."""
    chance = random.Random(4)  # noqa: S311 - drawings, no secrets
    folder = HERE / "knots"
    kinds = [(across, down, phase) for across, down in ((1, 2), (1, 3), (2, 3), (1, 4), (3, 4), (2, 5), (3, 5))
             for phase in (0.0, 0.8, 1.6)][:20]
    chance.shuffle(kinds)
    for split, first, last in (("train", 0, 10), ("val", 10, 15), ("test", 15, 20)):
        rows = ["filename,label"]
        for number in range(first, last):
            loop = curve(partial(knot, *kinds[number]), 120)
            for i in range(6):
                pen = Pen(chance, (255, 255, 255), (0, 0, 0), turn=25)
                pen.stroke(loop, 0.16)
                small = pen.image.convert("L").resize((24, 24), Image.Resampling.LANCZOS).convert(
                    "1", dither=Image.Dither.NONE)
                name = f"knot_{number + 1:02}_{i + 1}.png"
                write(small, folder / "images" / name)
                rows.append(f"{name},knot {number + 1:02}")
        (folder / f"{split}.csv").write_text("\n".join([*rows, ""]), encoding="utf8")


def make_wave() -> None:
    """Ten points of a sine wave, and forty places to predict it at."""
    chance = random.Random(3)  # noqa: S311 - points, no secrets
    points = sorted(chance.uniform(-5, 5) for _ in range(10))
    rows = [f"{x:.4f},{3.2 * math.sin(x - 0.7):.4f}" for x in points]
    folder = HERE / "new_wave"
    folder.mkdir(exist_ok=True)
    (folder / "support.csv").write_text("\n".join(["x,y", *rows, ""]), encoding="utf8")
    places = [f"{-5 + 10 * i / 39:.4f}" for i in range(40)]
    (folder / "query.csv").write_text("\n".join(["x", *places, ""]), encoding="utf8")


if __name__ == "__main__":
    make_shapes()
    make_alphabets()
    make_knots()
    make_wave()
