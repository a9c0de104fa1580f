"""What the log says of each event, without Qt."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.engine.events import Evaluation, Failed, Finished, Noticed, Paused, Started
from workbench.experiment.metrics import words_of
from workbench.gui import words
from workbench.gui.controller import Noted
from workbench.words import counted


def spoken(event: object) -> Iterator[tuple[str, str]]:
    """Lines for an event and their tones; none for what the plots show better."""
    match event:
        case Started():
            yield from _started(event)
        case Noticed():
            yield f"step {event.step:,}: {event.message}", "warn" if event.is_warning else ""
        case Evaluation(split="test"):
            result = words.result(event.score.mean, event.score.ci95, event.metric)
            name = words_of(event.metric).name
            yield f"test: {name} {result} over {event.tasks:,} tasks, learner of step {event.step:,}", ""
        case Evaluation():
            result = words.result(event.score.mean, event.score.ci95, event.metric)
            yield f"step {event.step:,}: validation {words_of(event.metric).name} {result}", ""
        case Paused():
            yield f"step {event.step:,}: {'paused' if event.is_paused else 'goes on'}", ""
        case Finished():
            word = "finished" if event.status == "finished" else "stopped and kept"
            yield f"{word} at step {event.step:,} after {words.duration(event.seconds)}", ""
        case Failed():
            yield f"failed at step {event.step:,}: {event.message}", "bad"
            yield event.traceback.rstrip(), "muted"
        case Noted():
            yield event.message, "muted"


def _started(event: Started) -> Iterator[tuple[str, str]]:
    verb = f"goes on at step {event.step:,}" if event.step else "training"
    yield (f"{verb} on {event.device_title}, {event.parameters:,} parameters, {event.executor}, "
           f"{counted(event.chunk, 'task')} at once, {counted(event.threads, 'thread')}"
           + f" ({event.why})" * bool(event.why)), ""
    several = len(event.notices) > 1
    for notice in event.notices:
        yield notice, "muted" if several else "warn"
    if several:  # across the window there is room for one sentence
        yield f"there are {len(event.notices)} notices about the data and this machine; the log lists them", "warn"
