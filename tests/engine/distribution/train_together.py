"""What each of several processes runs for `test_group`: one experiment after another, all of them together.

Started by torchrun with a folder that holds experiments; the first process writes how each ended beside it.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import torch

from tests.engine.ended import write_end
from workbench.engine.control import Control
from workbench.engine.distribution.group import joined_world
from workbench.engine.distribution.world import PeerError, World, WorldError
from workbench.engine.events import Event, Paused
from workbench.engine.trainer import train
from workbench.experiment.experiment import Experiment
from workbench.experiment.resolve import resolve


def paused_once(experiment: Experiment, world: World) -> list[Event]:
    """Train; the second process is asked to pause, and to go on once everybody waits."""
    control, events = Control(), []
    if world.rank == 1:
        control.pause()
    for event in train(experiment, control, world=world):
        events.append(event)
        if isinstance(event, Paused):
            control.resume()
    return events


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined_world() as world:
        for path in sorted(folder.glob("*.toml")):
            events = paused_once(resolve(tomllib.loads(path.read_text(encoding="utf8"))), world)
            assert [event.is_paused for event in events if isinstance(event, Paused)] == [True, False]
            if world.is_first:
                write_end(path.with_suffix(".safetensors"), events)
        own = folder / "others" / f"{world.rank}.toml"
        if not own.exists():
            return
        try:
            next(iter(train(resolve(tomllib.loads(own.read_text(encoding="utf8"))), world=world)))
        except (PeerError, WorldError) as error:
            (folder / f"{world.rank}.txt").write_text(str(error), encoding="utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
