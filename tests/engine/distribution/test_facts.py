"""By what several processes find out that they do not have the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from workbench.engine.distribution.group import _is_same
from workbench.engine.session import Session
from workbench.experiment.resolve import resolve, with_settings
from workbench.places import sample_tasks


def facts(*settings: str) -> dict[str, Any]:
    return Session(resolve(with_settings({}, ["device=cpu", *settings]))).facts()


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {name for name, value in one.items() if not _is_same(value, other[name])}


def test_pictures_that_are_mirrored_are_other_data_and_a_copy_is_not(tmp_path: Path):
    shapes = sample_tasks() / "shapes"
    for file in shapes.rglob("*.png"):
        for name, changed in (("copy", lambda picture: picture), ("mirrored", ImageOps.mirror)):
            place = tmp_path / name / file.relative_to(shapes)
            place.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(file) as picture:
                changed(picture).save(place)
    settings = ("dataset=image_folder", "backbone.filters=2")
    wanted = facts(*settings, f"dataset.path={shapes}")
    assert not differing(wanted, facts(*settings, f"dataset.path={tmp_path / 'copy'}"))
    assert differing(wanted, facts(*settings, f"dataset.path={tmp_path / 'mirrored'}")) == {
        f"weighted mean square of the first {stream} inputs" for stream in ("train", "validation", "test")}


def test_other_values_to_predict_are_other_data():
    one, other = (facts("dataset=sinusoids", f"seed={seed}") for seed in (0, 1))
    assert differing(one, other) == {f"weighted mean square of the first {stream} {what}" for what in (
        "inputs", "targets") for stream in ("train", "validation", "test")}
