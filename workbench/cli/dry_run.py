"""`run --dry-run`: what a run would be and take, without training."""

from __future__ import annotations

from dataclasses import asdict

from workbench.cli.main import SUCCESS
from workbench.cli.output import Output
from workbench.engine import devices
from workbench.engine.forecast import forecast
from workbench.engine.measuring.chooser import foresee
from workbench.engine.session import Session
from workbench.experiment.resolve import to_tables
from workbench.words import counted, size_in_words


def try_dry(session: Session, output: Output) -> int:
    """Print how an opened experiment would be computed and how much memory it would take, and close it."""
    experiment = session.experiment
    choice = foresee(session)
    try:
        session.use(choice.way)
        found = forecast(session)
        parameters = sum(value.numel() for value in session.init().params.values())
    finally:
        session.close()
    title = devices.title(session.device)
    table = {"experiment": to_tables(experiment), "device": str(session.device), "device_title": title,
             "executor": session.executor.name, "threads": session.executor.threads, "chunk": session.chunk,
             "why": choice.why, "test_chunk": session.test_chunk, "parameters": parameters,
             "problems": session.source.overview().problems,
             "memory": {**asdict(found), "total": found.total, "fits": found.fits}}
    at_once = min(session.chunk, experiment.training.meta_batch)
    held = {"data": found.data, "learner and optimizer": found.learner,
            f"up to {counted(at_once, 'tasks')} at once in training": found.training,
            f"up to {counted(session.test_chunk, 'tasks')} at once in testing": found.testing}
    lines = [f"{experiment.algorithm.name} on {experiment.dataset.name}, {parameters:,} parameters",
             f"on {title}, run by {choice.way}: {choice.why}",
             found.sentence(), *(f"  {size_in_words(size):>10}  {name}" for name, size in held.items()),
             "nothing was trained"]
    output.result(table, "\n".join(lines))
    return SUCCESS
