"""What is said of the floor that a learner must beat, without Qt."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.gui import words
from workbench.tasks.base import Floor


def floor_sentence(floors: Sequence[Floor]) -> str:
    """What a learner must beat, in a sentence; empty where nobody knows."""
    said = []
    for floor in floors:
        reached = words.result(floor.mean, floor.ci95, floor.metric)
        metric = {"accuracy": "", "mse": "a mean squared error of "}.get(floor.metric, f"{floor.metric} ")
        said.append(f"{floor.name} reaches {metric}{reached}")
    if not said:
        return ""
    whole = ", ".join(said)
    return f"{whole[:1].upper()}{whole[1:]}: a learner must beat this."


def floor_line(floors: Sequence[Floor]) -> str:
    """What a learner must beat, in a few words; empty where nobody knows."""
    if not floors:
        return ""
    return f"To beat: {words.result(floors[0].mean, floors[0].ci95, floors[0].metric)}, {floors[0].name}"
