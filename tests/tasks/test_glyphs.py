"""The built-in characters."""

from __future__ import annotations

import numpy as np
import torch

from workbench.experiment.resolve import resolve, with_settings
from workbench.places import resources
from workbench.tasks.glyphs import Glyphs

CPU = torch.device("cpu")
GLYPHS = Glyphs(resolve({}), CPU)


def test_there_are_a_thousand_characters_of_thirty_scripts_with_twenty_drawings_each():
    pictures = GLYPHS.labelled
    scripts = {name.split(" ")[0] for name in pictures.names}
    assert len(pictures.counts) >= 1000
    assert (pictures.counts == 20).all()
    assert len(scripts) >= 30
    assert pictures.inputs.shape[1:] == (1, 28, 28)
    assert pictures.inputs.dtype == torch.uint8


def test_the_folder_is_at_most_three_megabytes_and_says_its_licence():
    folder = resources() / "glyphs"
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) <= 3_000_000
    assert "SIL Open Font License" in (folder / "LICENSE.md").read_text(encoding="utf8")


def test_whole_scripts_are_held_out():
    with np.load(resources() / "glyphs" / "glyphs.npz", allow_pickle=False) as stored:
        scripts, split = stored["scripts"], stored["split"]
    assert len(set(scripts.tolist())) == len(scripts) == len(split)
    assert (np.bincount(split) >= (30, 5, 7)).all()
    assert GLYPHS.overview().classes == {
        name: sum(one == name for one in GLYPHS.labelled.split) for name in ("train", "validation", "test")}


def test_ink_is_light_on_dark_and_no_drawing_is_empty():
    ink = GLYPHS.labelled.inputs.float().mean((1, 2, 3)) / 255
    assert ink.min() > 0.01
    assert ink.max() < 0.5
    assert GLYPHS.spec.background == "dark"


def test_the_drawings_of_a_character_differ():
    drawings = GLYPHS.labelled.inputs.reshape(len(GLYPHS.labelled.counts), 20, -1)
    assert all(len(torch.unique(of_one, dim=0)) == 20 for of_one in drawings[::50])


def test_a_turned_character_is_a_class_of_its_own():
    upright = Glyphs(resolve(with_settings({}, ["dataset.rotations=false"])), CPU)
    assert upright.rotations == 1
    titles = [GLYPHS.describe("test", index).title for index in range(20)]
    assert any("turned 90°" in title for title in titles)
    assert not any("turned" in upright.describe("test", index).title for index in range(20))


def test_nearest_mean_on_raw_pixels_is_far_from_solving_it():
    floor = GLYPHS.floors()[0].mean
    assert 0.3 < floor < 0.55
