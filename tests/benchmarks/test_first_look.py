"""The first look must show learning while a newcomer watches; run by hand with `-m slow` on an idle machine."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.engine.control import Control
from workbench.engine.events import Evaluation, Started, Steps
from workbench.engine.trainer import train
from workbench.experiment.presets import find_preset
from workbench.experiment.resolve import resolve

SMOOTHING = 0.95


@pytest.mark.slow
def test_the_first_look_shows_learning_within_ten_and_sixty_seconds():
    control = Control()
    smoothed: list[float] = []
    weight = average = 0.0
    in_ten, best, floor, seconds = None, 0.0, 1.0, 0.0
    for event in train(resolve(find_preset("first-look").tables), control):
        match event:
            case Started():
                floor = event.floors["nearest mean on raw pixels"]
            case Steps():
                for loss in event.loss:
                    average = SMOOTHING * average + (1 - SMOOTHING) * loss
                    weight = SMOOTHING * weight + (1 - SMOOTHING)
                    smoothed.append(average / weight)
                seconds = event.seconds
                if seconds <= 10:
                    in_ten = smoothed[-1] / smoothed[0]
                if seconds > 60:
                    control.stop()
            case Evaluation(split="validation") if seconds <= 60:
                best = max(best, event.score.mean)
    print(f"loss after 10 s: {in_ten:.2f} of its start; held-out scripts in 60 s: {best:.3f}, floor {floor:.3f}")
    assert in_ten is not None
    assert np.isfinite(smoothed).all()
    assert in_ten <= 0.80
    assert best >= floor + 0.25
