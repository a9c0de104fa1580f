"""What is shown of pictures whose sides are no multiple of the small ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.engine.session import Session
from workbench.engine.showcase import LARGEST_SIDE, Showcase
from workbench.experiment.resolve import resolve


def test_pictures_of_84_pixels_are_shown_at_48(tmp_path: Path, class_folders: Callable[..., Path]) -> None:
    class_folders(tmp_path, [f"class {i:02}" for i in range(15)], size=(84, 84))
    session = Session(resolve({"dataset": {"name": "image_folder", "path": str(tmp_path), "size": 84}, "device": "cpu",
                               "algorithm": {"name": "protonet"}, "training": {"ways": None, "queries": None}}))
    try:
        task = Showcase(session).tasks()[0]
        original = session.batch("probe", range(1))[0].support.inputs[0, 0]
    finally:
        session.close()
    shown = task.support_inputs
    assert shown.shape == (5, 3, LARGEST_SIDE, LARGEST_SIDE)
    assert shown.dtype == np.uint8
    mean, deviation = (np.array(values) for values in (session.spec.mean, session.spec.deviation))
    expected = 255 * (original.mean((1, 2)).numpy() * deviation + mean)
    np.testing.assert_allclose(shown[0].mean((1, 2)), expected, atol=3)
