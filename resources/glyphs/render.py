"""Draw the built-in data set "glyphs": characters of many writing systems as if written by hand.

Run ``python resources/glyphs/render.py [--out FILE] [--sheet PNG]``; it takes about four minutes. It needs numpy,
Pillow, scipy (which the program itself does not need) and the fonts of the Debian package fonts-noto-core, all of them
under the SIL Open Font License 1.1. What it does:

1. every letter and digit of the scripts listed in SCRIPTS that its font covers is rendered large;
2. the letter is thinned to its centre line, and the centre line is cut into pen strokes;
3. letters too filled, too simple or too intricate for 28x28 pixels are dropped, and so is every letter whose shape
   repeats one already taken, in any script: so classes can be told apart, and no held-out shape is trained on;
4. each letter is drawn DRAWINGS times by a "hand": corners, strokes and parts move a little, lines wobble and bow, and
   the whole is warped, sheared, turned, scaled, shifted and drawn with a pen of its own width on a 105x105 sheet
   (as the Omniglot drawings were), which is then reduced to 28x28 grey pixels;
5. the grey values are rounded to 8 steps and packed, two pixels a byte, into one compressed npz file.

The same seed, fonts and library versions give the same file. The npz holds no pickled objects:

* ``pixels``   uint8 [characters, drawings, 14, 28]: a byte holds the pixel of an even row in its low four bits and the
  one below it in its high four bits (which packs smaller than side by side), as indices into ``greys``
* ``greys``    uint8 [16]: the grey values, 0 is paper and 255 is ink
* ``names``, ``codepoints``, ``script_of``   of each character: Unicode name, code point, index into ``scripts``
* ``scripts``, ``split``   of each script: its name, and 0 for training, 1 for validation, 2 for test
"""

from __future__ import annotations

import argparse
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Pixel = tuple[int, int]
T = TypeVar("T")

FONT_PACKAGE = "fonts-noto-core"
FONT_FOLDERS = (Path("/usr/share/fonts/truetype/noto"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
TRAIN, VALIDATION, TEST = 0, 1, 2

SEED = 20
DRAWINGS = 20  # of each character, as Omniglot has
SIZE = 28  # side of a finished drawing
LEVELS = 8  # grey steps kept; 16 would make the file a third larger and look the same
PER_SCRIPT = 25  # characters of one script at most, so that no script dominates
LOOKED_AT = 120  # characters of one script that are tried
GLYPH = 160  # longer side of a glyph before thinning, in pixels
STEP = 4.0  # distance of the points of a stroke, in those pixels
ALIKE = 1.2  # shapes no farther apart than this (see Shapes) count as one
SHEET, OVERSAMPLE = 105, 2  # the sheet drawn on has Omniglot's size; drawn larger for smooth edges


@dataclass(frozen=True)
class Script:
    """A writing system: its name, the font that has it, and what the Unicode names of its characters look like."""

    name: str
    font: str
    pattern: str
    split: int


@dataclass(frozen=True)
class Strokes:
    """A character as pen strokes.

    points is [n, 2], (x, y) with the longer side of the character from -1 to 1; spans says which points make a stroke;
    pulls is [n, nodes] and says how much each point follows each end or crossing; part numbers the connected parts.
    """

    points: Floats
    spans: tuple[tuple[int, int], ...]
    pulls: Floats
    part: NDArray[np.int64]


@dataclass(frozen=True)
class Character:
    """A character chosen for the data set."""

    codepoint: int
    script: int
    strokes: Strokes


def _scripts(split: int, table: str) -> Iterator[Script]:
    """Read lines "name[: font [: pattern]]"; left out, the font is named and the characters begin like the script."""
    for line in table.strip().splitlines():
        fields = [field.strip() for field in line.split(":", 2)]
        name = fields[0]
        font = fields[1] if len(fields) > 1 and fields[1] else "Sans" + name.replace(" ", "")
        pattern = fields[2] if len(fields) > 2 else f"{name.upper()} (LETTER|SYLLABLE|DIGIT|CAPITAL|SMALL|SIGN) "
        yield Script(name, f"Noto{font}-Regular.ttf", pattern, split)


# The scripts of Omniglot's evaluation part that Noto has are held out here, all but Cyrillic, so that a learner trained
# on this set meets them for the first time there. Scripts that share many shapes stand on the same side (Greek with
# Latin, Cyrillic and Coptic; Kannada with Telugu); where scripts on two sides have a few in common, as Gurmukhi and
# Devanagari do, choose() gives those to the held-out script alone.
SCRIPTS: tuple[Script, ...] = (
    *_scripts(
        TEST,
        r"""
        Avestan
        Ethiopic: SansEthiopic: ETHIOPIC SYLLABLE \w*[^AWO]A$
        Glagolitic:: GLAGOLITIC CAPITAL LETTER
        Gurmukhi
        Kannada
        Malayalam
        Meetei Mayek
        Mongolian
        Oriya
        Syloti Nagri
        Syriac
        Telugu
        Tibetan: SerifTibetan
        """,
    ),
    *_scripts(
        VALIDATION,
        r"""
        Bamum
        Cham
        Linear B
        Mro
        NKo: SansNKo: NKO (LETTER|DIGIT)
        Osage:: OSAGE CAPITAL LETTER
        Pahawh Hmong:: PAHAWH HMONG (VOWEL|CONSONANT|DIGIT)
        Thaana
        Warang Citi:: WARANG CITI (CAPITAL LETTER|DIGIT)
        """,
    ),
    *_scripts(
        TRAIN,
        r"""
        Latin: Sans: LATIN (CAPITAL|SMALL) LETTER ([A-Z]|AE|THORN|ENG|ESH|EZH|WYNN|HWAIR|OI|GHA|OPEN O|SCHWA)$
        Greek: Sans: GREEK (CAPITAL|SMALL) LETTER \w+$
        Cyrillic: Sans: CYRILLIC (CAPITAL|SMALL) LETTER (SHORT )?\w+$
        Coptic:: COPTIC CAPITAL LETTER
        Armenian:: ARMENIAN (CAPITAL|SMALL) LETTER
        Georgian:: GEORGIAN LETTER
        Hebrew
        Arabic:: ARABIC (LETTER|INDIC DIGIT)
        Devanagari
        Bengali
        Gujarati
        Sinhala
        Thai:: THAI (CHARACTER|DIGIT)
        Khmer
        Myanmar
        Tai Tham
        Tai Viet
        Balinese
        Sundanese
        Batak
        Lepcha
        Limbu
        Saurashtra
        Chakma
        Kayah Li
        Cherokee:: CHEROKEE LETTER
        Canadian Aboriginal:: CANADIAN SYLLABICS \w+$
        Vai
        Mende Kikakui
        Bassa Vah
        Osmanya
        Tifinagh
        Medefaidrin:: MEDEFAIDRIN CAPITAL
        Miao
        Yi
        Nyiakeng Puachue Hmong: SerifNyiakengPuachueHmong
        Wancho
        Masaram Gondi
        Shavian
        Caucasian Albanian
        Old Permic
        Runic
        Old Turkic
        Brahmi
        Kharoshthi
        Cypriot
        Linear A
        Newa
        Tirhuta
        Siddham
        """,
    ),
)


def find_font(name: str) -> Path:
    """Return the font file, or end the program with a sentence that says what to install."""
    for folder in FONT_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    sys.exit(f"The font {name} was not found: install the Debian package {FONT_PACKAGE}.")


# --- from a font to a picture of a character ------------------------------------------------------------------------


def candidates(script: Script) -> list[int]:
    """Code points of the script's letters and digits, without those that are another letter plus a mark."""
    pattern = re.compile(script.pattern)
    found = []
    for code in range(0x41, 0x20000):
        char = chr(code)
        name = unicodedata.name(char, "")
        if not pattern.match(name) or " WITH " in name or unicodedata.decomposition(char):
            continue
        if unicodedata.category(char) in {"Lo", "Lu", "Ll", "Nd", "Nl"}:
            found.append(code)
    return found


def rasterise(font: ImageFont.FreeTypeFont, text: str) -> Mask:
    """Return the ink of the text, cropped; empty where it has none."""
    left, top, right, bottom = font.getbbox(text)
    width, height = int(right - left) + 8, int(bottom - top) + 8
    image = Image.new("L", (max(width, 1), max(height, 1)))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=font)
    box = image.getbbox()
    return np.zeros((0, 0), bool) if box is None else np.asarray(image.crop(box)) >= 128


def glyph_mask(path: Path, code: int, missing: Mask) -> Mask | None:
    """Return the character GLYPH pixels large with a margin, or None where the font lacks it."""
    probe = ImageFont.truetype(path, 100, layout_engine=ImageFont.Layout.BASIC)
    small = rasterise(probe, chr(code))
    if small.size == 0 or np.array_equal(small, missing):
        return None
    font = ImageFont.truetype(path, round(100 * GLYPH / max(small.shape)), layout_engine=ImageFont.Layout.BASIC)
    return np.pad(rasterise(font, chr(code)), 3)


# --- from a picture to pen strokes ----------------------------------------------------------------------------------


def _thinning_tables() -> tuple[Mask, Mask]:
    """For each pattern of 8 neighbours: may Zhang and Suen's first and second pass delete the pixel?"""
    first, second = np.zeros(256, bool), np.zeros(256, bool)
    for code in range(256):
        ring = [code >> bit & 1 for bit in range(8)]  # clockwise from north
        steps = sum(a == 0 and b == 1 for a, b in zip(ring, ring[1:] + ring[:1], strict=True))
        north, east, south, west = ring[::2]
        if 2 <= sum(ring) <= 6 and steps == 1:
            first[code] = not (north and east and south) and not (east and south and west)
            second[code] = not (north and east and west) and not (north and south and west)
    return first, second


THINNING = _thinning_tables()
RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def thin(mask: Mask) -> Mask:
    """Thin to lines one pixel wide (Zhang and Suen, 1984); the border of the mask must be empty."""
    mask = mask.copy()
    while True:
        before = int(mask.sum())
        for table in THINNING:
            code = np.zeros(mask.shape, np.uint8)
            for bit, shift in enumerate(RING):
                code |= np.roll(mask, (-shift[0], -shift[1]), (0, 1)).astype(np.uint8) << bit
            mask &= ~table[code]
        if int(mask.sum()) == before:
            return mask


def _neighbours(mask: Mask) -> dict[Pixel, list[Pixel]]:
    """Link the line's pixels; a diagonal counts only where no straight way round it exists, so corners do not fork."""
    links: dict[Pixel, list[Pixel]] = {}
    for y, x in np.argwhere(mask).tolist():
        near = []
        for dy, dx in RING:
            if mask[y + dy, x + dx] and not (dy and dx and (mask[y + dy, x] or mask[y, x + dx])):
                near.append((y + dy, x + dx))
        links[y, x] = near
    return links


def _paths(links: dict[Pixel, list[Pixel]]) -> list[list[Pixel]]:
    """Cut the line at its ends and crossings into paths, which include the pixels they were cut at."""
    nodes = {pixel for pixel, near in links.items() if len(near) != 2}
    paths, used = [], set[tuple[Pixel, Pixel]]()
    visited = set(nodes)

    def walk(start: Pixel, following: Pixel) -> list[Pixel]:
        path = [start, following]
        used.add((start, following))
        while path[-1] not in nodes and path[-1] != start:
            visited.add(path[-1])
            here = links[path[-1]]
            path.append(here[0] if here[1] == path[-2] else here[1])
        used.add((path[-1], path[-2]))
        return path

    for node in sorted(nodes):
        paths += [walk(node, near) for near in links[node] if (node, near) not in used]
        if not links[node]:
            paths.append([node, node])
    for pixel in sorted(links):  # what is left are rings without any crossing
        if pixel not in visited:
            visited.add(pixel)
            paths.append(walk(pixel, links[pixel][0]))
    return paths


def prune(line: Mask, radius: Floats) -> Mask:
    """Remove the short whiskers that thinning leaves at the corners of thick strokes, and serifs with them."""
    line = line.copy()
    for _ in range(3):
        links = _neighbours(line)
        whiskers = []
        for path in _paths(links):
            ends = len(links[path[0]]), len(links[path[-1]])
            if min(ends) == 1 and max(ends) > 2:
                crossing = path[-1] if ends[0] == 1 else path[0]
                if len(path) < 1.6 * radius[crossing] + 3:
                    whiskers.append([pixel for pixel in path if pixel != crossing])
        if not whiskers:
            break
        for pixel in (pixel for whisker in whiskers for pixel in whisker):
            line[pixel] = False
        line = thin(line)
    return line


def _clusters(paths: list[list[Pixel]], links: dict[Pixel, list[Pixel]], radius: Floats) -> dict[Pixel, Pixel]:
    """Merge crossings that a thick stroke tore apart: each end of a path is mapped to the one that stands for it."""
    leader = {path[i]: path[i] for path in paths for i in (0, -1)}

    def find(node: Pixel) -> Pixel:
        while leader[node] != node:
            node = leader[node]
        return node

    for path in paths:
        a, b = path[0], path[-1]
        if min(len(links[a]), len(links[b])) > 2 and len(path) < 1.5 * max(radius[a], radius[b]):
            leader[find(b)] = find(a)
    return {node: find(node) for node in leader}


def _join(paths: list[Floats], ends: list[tuple[Pixel, Pixel]]) -> list[list[tuple[int, bool]]]:
    """Chain paths that run straight on through a crossing, as a pen would: lists of (path, reversed)."""
    around: dict[Pixel, list[tuple[int, int]]] = defaultdict(list)
    for i, (a, b) in enumerate(ends):
        around[a].append((i, 0))
        around[b].append((i, 1))

    def heading(i: int, end: int) -> Floats:
        path = paths[i] if end == 0 else paths[i][::-1]
        way: Floats = path[min(15, len(path) - 1)] - path[0]
        return np.asarray(way / (np.hypot(*way) + 1e-9))

    partner: dict[tuple[int, int], tuple[int, int]] = {}
    for arms in around.values():
        turns = [
            (float(heading(*a) @ heading(*b)), a, b) for k, a in enumerate(arms) for b in arms[k + 1 :] if a[0] != b[0]
        ]
        for cosine, a, b in sorted(turns):
            if (cosine < -0.6 or len(arms) == 2) and a not in partner and b not in partner:
                partner[a], partner[b] = b, a
    return _chains(len(paths), partner)


def _chains(count: int, partner: dict[tuple[int, int], tuple[int, int]]) -> list[list[tuple[int, bool]]]:
    """Follow the partners from the free ends first, then through the rings that are left."""
    chains, used = [], set[int]()
    starts = [(i, end) for i in range(count) for end in (0, 1) if (i, end) not in partner]
    for start in starts + [(i, 0) for i in range(count)]:
        chain = []
        here: tuple[int, int] | None = start
        while here is not None and here[0] not in used:
            used.add(here[0])
            chain.append((here[0], here[1] == 1))
            here = partner.get((here[0], 1 - here[1]))
        if chain:
            chains.append(chain)
    return chains


def _resample(points: Floats, knots: list[int]) -> tuple[Floats, Floats]:
    """Space a stroke's points evenly; also return where its knots (indices) lie, in units of the new points."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    count = max(2, round(length[-1] / STEP) + 1)
    even = np.linspace(0, length[-1], count)
    smooth = ndimage.gaussian_filter1d(points, 4.0, axis=0, mode="nearest")  # undoes the pixel stairs
    smooth[[0, -1]] = points[[0, -1]]
    spaced = np.stack([np.interp(even, length, smooth[:, axis]) for axis in (0, 1)], axis=1)
    return spaced, length[knots] / max(length[-1], 1e-9) * (count - 1)


def trace(mask: Mask) -> Strokes:
    """Turn the picture of a character into pen strokes along its centre lines."""
    radius: Floats = ndimage.distance_transform_edt(mask)
    line = prune(thin(mask), radius)
    links = _neighbours(line)
    raw = _paths(links)
    cluster = _clusters(raw, links, radius)
    members: dict[Pixel, list[Pixel]] = defaultdict(list)
    for node, lead in sorted(cluster.items()):
        members[lead].append(node)
    raw = [p for p in raw if cluster[p[0]] != cluster[p[-1]] or len(p) >= 1.5 * radius[p[0]] or len(links[p[0]]) < 3]
    paths, ends = [], []
    for pixels in raw:
        a, b = cluster[pixels[0]], cluster[pixels[-1]]
        path = np.array(pixels, float)
        path[0], path[-1] = np.mean(members[a], axis=0), np.mean(members[b], axis=0)
        paths.append(path)
        ends.append((a, b))
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    return _assemble(paths, ends, labels)


def _assemble(paths: list[Floats], ends: list[tuple[Pixel, Pixel]], labels: NDArray[np.int32]) -> Strokes:
    """Join the paths to strokes and note which ends and crossings pull at which points."""
    column = {node: i for i, node in enumerate(sorted({node for pair in ends for node in pair}))}
    points: list[Floats] = []
    pulls: list[Floats] = []
    parts: list[NDArray[np.int64]] = []
    spans = []
    for chain in _join(paths, ends):
        pieces = [paths[i][::-1] if back else paths[i] for i, back in chain]
        stops = [ends[i][::-1] if back else ends[i] for i, back in chain]
        joined = np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])
        knots = [0, *np.cumsum([len(piece) - 1 for piece in pieces]).tolist()]
        spaced, where = _resample(joined, knots)
        pull = np.zeros((len(spaced), len(column)))
        for k, node in enumerate([stops[0][0], *(stop[1] for stop in stops)]):
            pull[:, column[node]] += np.interp(np.arange(len(spaced)), where, np.eye(len(where))[k])
        start = sum(len(p) for p in points)
        spans.append((start, start + len(spaced)))
        points.append(spaced)
        pulls.append(pull)
        node_y, node_x = ends[chain[0][0]][0]
        parts.append(np.full(len(spaced), int(labels[node_y, node_x])))
    everything = np.concatenate(points)[:, ::-1]  # (y, x) to (x, y)
    low, high = everything.min(axis=0), everything.max(axis=0)
    everything = (everything - (low + high) / 2) * 2 / max(float((high - low).max()), 1.0)
    return Strokes(everything, tuple(spans), np.concatenate(pulls), np.concatenate(parts))


# --- which characters to take ---------------------------------------------------------------------------------------


def usable(mask: Mask, strokes: Strokes) -> bool:
    """Tell whether the character is a line drawing that 28x28 pixels can show, and more than a bare line."""
    radius = float(ndimage.distance_transform_edt(mask).max())
    length = sum(np.hypot(*np.diff(strokes.points[a:b], axis=0).T).sum() for a, b in strokes.spans)
    side = np.ptp(strokes.points, axis=0)
    return bool(radius < 0.14 * GLYPH and 2.4 < length < 15 and len(strokes.spans) <= 12 and side.min() > 0.3)


class Shapes:
    """The shapes taken so far, to find out whether another one repeats one of them.

    The distance of two shapes is the root mean square distance of a point of the one to the nearest point of the other,
    from the side where it is larger: squares, so that one stray dot or stroke tells two letters apart.
    """

    BOX = 32

    def __init__(self) -> None:
        """Start without any shape."""
        self._ink = np.zeros((0, self.BOX**2))
        self._far = np.zeros((0, self.BOX**2))

    def add(self, strokes: Strokes) -> bool:
        """Add the shape and return True, unless a shape much like it is there."""
        side = np.ptp(strokes.points, axis=0)
        scale = np.sqrt(side.max() / np.maximum(side, 0.2))  # hands stretch letters, so stretch matters only half
        points = strokes.points * scale * (12 / scale.max()) + self.BOX / 2
        drawn = np.asarray(_ink(strokes, points, self.BOX, 1.0)) > 0
        ink = drawn.ravel() / drawn.sum()
        far = ndimage.distance_transform_edt(~drawn).ravel() ** 2
        if (np.maximum(self._far @ ink, self._ink @ far) < ALIKE**2).any():
            return False
        self._ink, self._far = np.vstack([self._ink, ink]), np.vstack([self._far, far])
        return True


def distinct(script: Script, number: int, shapes: Shapes) -> list[Character]:
    """Return the script's characters that can be drawn and whose shapes are new."""
    path = find_font(script.font)
    missing = rasterise(ImageFont.truetype(path, 100, layout_engine=ImageFont.Layout.BASIC), "\uffff")
    codes = candidates(script)
    found = []
    for code in evenly(codes, LOOKED_AT):
        mask = glyph_mask(path, code, missing)
        if mask is None:
            continue
        strokes = trace(mask)
        if usable(mask, strokes) and shapes.add(strokes):
            found.append(Character(code, number, strokes))
    return found


def evenly(items: list[T], count: int) -> list[T]:
    """Return at most count of the items, evenly spread over the list."""
    if len(items) <= count:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def choose() -> list[Character]:
    """Go through the scripts, held-out ones first, and take up to PER_SCRIPT characters of each unlike all before."""
    chosen: list[Character] = []
    shapes = Shapes()
    for number, script in enumerate(SCRIPTS):
        found = distinct(script, number, shapes)
        chosen += evenly(found, PER_SCRIPT)
        print(f"{script.name}: {min(len(found), PER_SCRIPT)} of {len(found)} distinct characters", file=sys.stderr)
    return chosen


# --- writing by hand ------------------------------------------------------------------------------------------------


def _wobble(rng: np.random.Generator, count: int, calm: float) -> Floats:
    """Smooth noise along a stroke, about one in size."""
    noise = ndimage.gaussian_filter1d(rng.normal(size=(count, 2)), calm, axis=0, mode="reflect")
    return np.asarray(noise * np.sqrt(2 * calm * np.sqrt(np.pi)), float)


def _move_strokes(strokes: Strokes, rng: np.random.Generator, care: float) -> Floats:
    """Displace ends and crossings, bow and wobble the lines between them, round corners, move parts."""
    points = strokes.points + strokes.pulls @ rng.normal(0, 0.055 * care, (strokes.pulls.shape[1], 2))
    rounding = rng.uniform(0.3, 2.5)
    for start, stop in strokes.spans:
        line = points[start:stop]
        count = stop - start
        chord = line[-1] - line[0]
        bow = np.sin(np.linspace(0, np.pi, count))[:, None] * np.array([-chord[1], chord[0]])
        line = line + bow * rng.normal(0, 0.05 * care) + _wobble(rng, count, 4.0) * 0.018 * care
        line = line + _wobble(rng, count, 12.0) * 0.03 * care + rng.normal(0, 0.022 * care, 2)
        if count > 4:
            line = ndimage.gaussian_filter1d(line, rounding, axis=0, mode="nearest")
        if rng.random() < 0.3:  # the pen sets down late, or runs on
            line = line + np.linspace(1, 0, count)[:, None] ** 4 * (line[0] - line[min(4, count - 1)]) * rng.normal()
        points[start:stop] = line
    for part in np.unique(strokes.part):
        here = strokes.part == part
        centre = points[here].mean(axis=0)
        points[here] = (points[here] - centre) * rng.normal(1, 0.07 * care) + centre + rng.normal(0, 0.045 * care, 2)
    return points


def _warp(points: Floats, rng: np.random.Generator, care: float) -> Floats:
    """Bend the sheet: a few slow waves in random directions."""
    waves = rng.normal(0, 2.2, (4, 2))
    bend = np.sin(points @ waves.T + rng.uniform(0, 2 * np.pi, 4))
    return points + bend @ rng.normal(0, 0.04 * care, (4, 2))


def _place(points: Floats, rng: np.random.Generator) -> Floats:
    """Stretch, shear, turn, scale and shift the character onto the sheet, in pixels of the sheet."""
    turn, shear, stretch = np.deg2rad(rng.normal(0, 5)), rng.normal(0, 0.1), np.exp(rng.normal(0, 0.1))
    turning = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    points = points @ np.array([[stretch, 0], [shear, 1 / stretch]]) @ turning
    low, high = points.min(axis=0), points.max(axis=0)
    half = min(float((high - low).max()) / 2 * rng.uniform(0.27, 0.40) * SHEET, 0.46 * SHEET)
    points = (points - (low + high) / 2) * half / (float((high - low).max()) / 2)
    room = np.maximum(SHEET / 2 - 4 - np.ptp(points, axis=0) / 2, 0)
    return points + SHEET / 2 + np.clip(rng.normal(0, 0.045 * SHEET, 2), -room, room)


def _ink(strokes: Strokes, points: Floats, side: int, pen: float) -> Image.Image:
    """Draw the strokes with a round pen on a sheet, all in pixels."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    for start, stop in strokes.spans:
        line = [(float(x), float(y)) for x, y in points[start:stop]]
        draw.line(line, fill=255, width=max(1, round(pen)), joint="curve")
        for x, y in (line[0], line[-1]):
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    return image


def write_by_hand(strokes: Strokes, rng: np.random.Generator) -> Bytes:
    """Return one drawing, uint8 [28, 28] with ink 255."""
    care = float(np.clip(rng.lognormal(-0.1, 0.35), 0.4, 1.8))  # some hands are neater than others
    points = _place(_warp(_move_strokes(strokes, rng, care), rng, care), rng)
    pen = rng.uniform(3.4, 4.9) * OVERSAMPLE
    image = _ink(strokes, points * OVERSAMPLE, SHEET * OVERSAMPLE, pen)
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.uint8)


# --- the file -------------------------------------------------------------------------------------------------------


def pack(drawings: Bytes) -> Bytes:
    """Round grey values to LEVELS steps and put each pixel and the one below it into a byte."""
    steps = np.rint(drawings * ((LEVELS - 1) / 255)).astype(np.uint8)
    return np.asarray(steps[..., 0::2, :] | steps[..., 1::2, :] << 4)


def contact_sheet(drawings: Bytes, path: Path, rows: int = 40) -> None:
    """Save a picture of some of the drawings, a row for a character, to look at."""
    picked = drawings[np.linspace(0, len(drawings) - 1, rows).astype(int), :12]
    sheet = 255 - picked.transpose(0, 2, 1, 3).reshape(rows * SIZE, 12 * SIZE)
    Image.fromarray(sheet).resize((12 * SIZE * 3, rows * SIZE * 3), Image.Resampling.NEAREST).save(path)


def contents(chosen: list[Character], drawings: Bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of the npz file."""
    return {
        "pixels": pack(drawings),
        "greys": np.minimum(np.rint(np.arange(16) * (255 / (LEVELS - 1))), 255).astype(np.uint8),
        "names": np.array([unicodedata.name(chr(c.codepoint)) for c in chosen]),
        "codepoints": np.array([c.codepoint for c in chosen], np.int32),
        "script_of": np.array([c.script for c in chosen], np.int16),
        "scripts": np.array([script.name for script in SCRIPTS]),
        "split": np.array([script.split for script in SCRIPTS], np.uint8),
    }


def main() -> None:
    """Render the data set and save it."""
    parser = argparse.ArgumentParser(description="Draw the built-in data set of characters.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("glyphs.npz"), help="file to write")
    parser.add_argument("--sheet", type=Path, help="also save a picture of some drawings")
    arguments = parser.parse_args()
    chosen = choose()
    drawings = np.stack(
        [
            np.stack([write_by_hand(c.strokes, np.random.default_rng([SEED, c.codepoint, i])) for i in range(DRAWINGS)])
            for c in chosen
        ]
    )
    np.savez_compressed(arguments.out, allow_pickle=False, **contents(chosen, drawings))
    print(f"{arguments.out.name}: {len(chosen)} characters, {arguments.out.stat().st_size:,} bytes")
    if arguments.sheet:
        contact_sheet(drawings, arguments.sheet)


if __name__ == "__main__":
    main()
