"""Training a run: every event is written to its folder before anybody else sees it."""

from __future__ import annotations

import shutil
import time
import tomllib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from itertools import chain

from workbench.engine.control import Control
from workbench.engine.distribution.world import ALONE, World
from workbench.engine.events import Checkpoint, Event, Noticed, Steps
from workbench.engine.state import TrainState
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, to_toml
from workbench.runs import record
from workbench.runs.files import RunFileError
from workbench.runs.store import Run
from workbench.runs.summary import Summary
from workbench.tasks.base import TaskSource


def recorded(run: Run, control: Control | None = None, *, resume: bool = False, step: int | None = None,
             world: World = ALONE, source: TaskSource | None = None) -> Generator[Event]:
    """Train a run, each event written before it is passed on.

    Args:
        run: The run, new or to be gone on with.
        control: Through which it may be stopped and paused.
        resume: Go on from a checkpoint; what was recorded after it is forgotten.
        step: Which checkpoint; by default the latest.
        world: The processes that train together; this is the first of them, and on the others `followed` trains along.
        source: Its dataset, where that is open on the device already.

    Raises:
        DataError, DeviceError: The experiment cannot be run here; a new run leaves no folder behind.
        RunBusyError: Somebody else is training it.
        RunFileError: It cannot be gone on with.
    """
    is_ours = False
    try:
        with ExitStack() as held:
            with world.together():
                held.enter_context(run.busy())
                is_ours = True
                state, notices = _gone_back(run, step) if resume else (None, [])
                experiment = run.experiment()
            world.broadcast((to_toml(experiment), state))
            world.barrier()  # by now the others have understood it
            events = held.enter_context(closing(train(experiment, control, state, world, source)))
            del state  # the trainer has its own copy
            first = next(events)
            yield from _written(run, first, chain(notices, events))
    finally:
        # Nothing was said: the data or the device would not do, and an empty run is of no use to anybody.
        if is_ours and not resume and not run.record.exists():
            shutil.rmtree(run.folder, ignore_errors=True)


def followed(control: Control, world: World) -> Generator[Event]:
    """Train along with the process that records, which says what and from where; this one keeps nothing.

    Raises:
        PeerError, WorldError, LostError: As `train` does.
    """
    world.barrier()  # by now the first one has opened the run
    said: tuple[str, TrainState | None] = world.broadcast(None)
    text, state = said
    with world.together():
        experiment = resolve(tomllib.loads(text))
    yield from train(experiment, control, state, world)


def _gone_back(run: Run, step: int | None) -> tuple[TrainState, list[Noticed]]:
    """The state of a checkpoint, with everything that came after it gone from the folder, and what is to be said of it.

    Where the latest is damaged and none was named, it is that of the latest that is whole.
    """
    known = run.kept()
    if step is not None:
        known = [kept for kept in known if kept.step == step]
    if not known:
        which = f"of step {step}" if step is not None else "to go on from"
        steps = ", ".join(str(kept.step) for kept in run.kept()) or "none"
        raise RunFileError(f"{run.folder}: the run has no checkpoint {which} (there are: {steps}); name another, or "
                           "start it again")
    chosen, state, notices = _latest_whole(run, known)
    record.truncate(run.record, chosen)
    remaining = {kept.file for kept in run.kept()}
    for path in run.checkpoints():
        # A file that the record does not know was written just before a crash, or belongs to a forgotten future.
        if run.below(path) not in remaining:
            path.unlink()
    if state.best_score is not None:
        run.write_best(state.best, state.best_step)
    summary = Summary(created=run.summary().created)
    for event in run.events():
        summary.add(event)
    run.write_summary(summary)
    return state, notices


def _latest_whole(run: Run, known: list[record.Kept]) -> tuple[record.Kept, TrainState, list[Noticed]]:
    """The latest of these checkpoints that can be read, and which could not."""
    errors: dict[str, RunFileError] = {}
    for kept in reversed(known):
        try:
            state = run.state(run.folder / kept.file)
        except RunFileError as error:
            errors[kept.file] = error
        else:
            said = "is damaged; going on from the checkpoint before it"
            return kept, state, [Noticed(kept.step, f"{run.folder / file} {said}") for file in errors]
    raise next(iter(errors.values()))


def _written(run: Run, first: Event, events: Iterator[Event]) -> Iterator[Event]:
    log = record.Record(run.record)
    summary = run.summary()
    keep = run.experiment().training.keep_checkpoints
    written = 0.0
    try:
        event: Event | None = first
        while event is not None:
            if isinstance(event, Checkpoint):
                _keep(run, event, log, keep)
            else:
                log.append(event)
            summary.add(event)
            if not isinstance(event, Steps) or time.monotonic() - written > record.SYNC_SECONDS:
                log.sync()
                run.write_summary(summary)
                written = time.monotonic()
            yield event
            event = next(events, None)
    finally:
        log.close()
        run.write_summary(summary)


def _keep(run: Run, checkpoint: Checkpoint, log: record.Record, keep: int) -> None:
    """Write a checkpoint, then its line, and only then forget those that are too many.

    Whenever the program dies, the newest checkpoint that the record knows is whole.
    """
    path = run.write_checkpoint(checkpoint)
    if checkpoint.is_best:
        run.write_best(checkpoint.state.meta, checkpoint.step)
    log.append(record.Kept(checkpoint.step, run.below(path), checkpoint.is_best))
    log.sync()
    for old in run.checkpoints()[:-keep]:
        old.unlink()
