"""What each of several processes runs for `test_distributed`: one experiment after another, all of them together.

Started by torchrun with a folder that holds experiments; the first process writes how each ended beside it.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import torch

from tests.engine.ended import write_end
from workbench.engine.distributed import PeerError, WorldError, joined
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined() as world:
        for path in sorted(folder.glob("*.toml")):
            events = list(train(resolve(tomllib.loads(path.read_text(encoding="utf8"))), world=world))
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
