"""The built-in dataset: characters of many scripts, drawn by a program from free fonts as a hand would draw them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import field
from workbench.places import resources
from workbench.tasks.base import SPLIT_NAMES
from workbench.tasks.files.errors import DataError
from workbench.tasks.sampling.classes import ClassTasks, ClassTasksConfig, Labelled


class GlyphsConfig(ClassTasksConfig):
    """What counts as a class."""

    name: Literal["glyphs"] = "glyphs"
    rotations: bool = field(True, label="Rotations as classes", help="Count a character turned by 90°, 180° and 270° "
                            "as three more classes, on the same side of the split.", source="Santoro et al. 2016, 4.2",
                            advanced=True)


class Glyphs(ClassTasks):
    """Characters of 72 scripts, 20 drawings each at 28×28; whole scripts are held out for validation and testing.

    Works offline. The drawings are made by `resources/glyphs/render.py` from fonts under the SIL Open Font License.
    """

    Config = GlyphsConfig
    title = "Glyphs"
    background = "dark"

    def load(self, experiment: Experiment) -> Labelled:  # noqa: ARG002
        """Unpack the drawings: two pixels of eight levels in a byte, the upper row in the low bits."""
        path = resources() / "glyphs" / "glyphs.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                parts = {name: stored[name] for name in ("pixels", "scripts", "script_of", "names", "split")}
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{path}: cannot be read ({error}); install the program again") from error
        packed = parts["pixels"]
        characters, drawings, rows, width = packed.shape
        levels = np.stack([packed & 15, packed >> 4], axis=3).reshape(characters * drawings, 1, 2 * rows, width)
        # Three bits repeated fill a byte: level 7 is 255. A table of greys says the same and takes three times as long.
        pixels = (levels << 5) | (levels << 2) | (levels >> 1)
        scripts = [str(parts["scripts"][number]) for number in parts["script_of"]]
        names = tuple(_spoken(script, str(name)) for script, name in zip(scripts, parts["names"], strict=True))
        return Labelled(
            inputs=torch.from_numpy(pixels),
            counts=np.full(characters, drawings, dtype=np.int64),
            names=names,
            split=tuple(SPLIT_NAMES[parts["split"][number]] for number in parts["script_of"]),
            form="glyphs",
            facts=f"{characters:,} characters · {drawings} drawings each · {2 * rows}×{width} · "
                  f"{len(parts['scripts'])} scripts",
        )

    def turns(self, experiment: Experiment) -> bool:
        """Whether rotations count as new classes."""
        return bool(getattr(experiment.dataset, "rotations", False))


def _spoken(script: str, name: str) -> str:
    """"Georgian letter an" of "GEORGIAN LETTER AN"; the script goes before where the name does not begin with it."""
    spoken = name.capitalize()
    return spoken if spoken.lower().startswith(script.lower()) else f"{script}: {spoken}"
