"""How a training ended, as tensors in a file: what two ways of computing the same are compared by."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from workbench.engine.events import Checkpoint, Evaluation, Event, Finished, Steps
from workbench.runs.files import read_tensors, write_tensors


def ended(events: Iterable[Event]) -> dict[str, Tensor]:
    """The last state, the meta-loss of every step, and every result by inner step."""
    events = list(events)
    assert isinstance(events[-1], Finished), events[-1]
    *_, last = (event for event in events if isinstance(event, Checkpoint))
    losses = [torch.from_numpy(event.loss) for event in events if isinstance(event, Steps)]
    results = [[(one.mean, one.ci95) for one in event.by_step] for event in events if isinstance(event, Evaluation)]
    metrics = [torch.from_numpy(event.metric) for event in events if isinstance(event, Steps)]
    return {"loss": torch.cat(losses), "metric": torch.cat(metrics), "results": torch.tensor(results),
            "hardest": torch.tensor(last.state.hardest, dtype=torch.int64), **last.state.tensors()}


def write_end(path: Path, events: Iterable[Event]) -> None:
    """Keep how a training ended."""
    write_tensors(path, ended(events), {})


def read_end(path: Path) -> dict[str, Tensor]:
    """How a training ended."""
    return read_tensors(path)[0]
