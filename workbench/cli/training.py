"""`run` and `resume`: training without a window."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from workbench.cli.dry_run import try_dry
from workbench.cli.main import FAILURE, INTERRUPTED, SUCCESS
from workbench.cli.output import Output, UsageError, duration
from workbench.cli.progress import Progress
from workbench.cli.results import evaluation_table, test_in_words
from workbench.cli.runs import find_run, store, to_resume
from workbench.cli.signals import give_up, interruptions
from workbench.engine import devices
from workbench.engine.acceleration import switches
from workbench.engine.control import Control
from workbench.engine.distribution.group import joined_world
from workbench.engine.distribution.launch import Launch, launch
from workbench.engine.distribution.world import ALONE, LostError, World
from workbench.engine.events import Evaluation, Event, Failed, Noticed, Started, Steps
from workbench.engine.session import Session
from workbench.engine.ways.work import Way
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import parameters
from workbench.experiment.idle import said_in_vain
from workbench.experiment.metrics import is_share, result_in_words
from workbench.experiment.presets import decided, find_preset
from workbench.experiment.registry import ROLES, find
from workbench.experiment.resolve import Tables, dotted, read_toml, resolve, unusual, with_settings, with_values
from workbench.runs.recording import followed, recorded
from workbench.runs.store import Run, RunStore
from workbench.tasks.base import TaskSource
from workbench.tasks.looking.fitting import open_fitting
from workbench.tasks.own.data import OwnData

_STATUS = {"finished": SUCCESS, "failed": FAILURE, "stopped": INTERRUPTED, "interrupted": INTERRUPTED}


@dataclass
class _Begun:
    """A run that is about to be trained.

    Attributes:
        run: The run.
        resume: Whether it is gone on with.
        step: From which checkpoint; None for the latest.
        status: How the command ends where there is nothing left to do; else None.
        source: Its dataset, where that is open already.
    """

    run: Run
    resume: bool
    step: int | None = None
    status: int | None = None
    source: TaskSource | None = None


def run(arguments: Namespace, output: Output) -> int:
    """Train a new run, or where processes were started anew go on with the one that they were training."""
    if arguments.dry_run:
        return try_dry(session_of(arguments, output), output)
    return _by_all(lambda world: _begin(arguments, output, world), output)


class _Asked(NamedTuple):
    """What a person asked for.

    Attributes:
        tables: As it was said.
        decided: Dotted names of what the person decided.
        experiment: With what suits the picks wherever nothing was said.
    """

    tables: Tables
    decided: frozenset[str]
    experiment: Experiment


def session_of(arguments: Namespace, output: Output) -> Session:
    """The experiment that was said by a file or a preset, settings and a device, opened; what was not said of tasks
    from a person's own data is as these allow, which is noted. What a run of it would be refused for is refused."""
    experiment, source = _fitted(_asked(arguments, output), output)
    note_what_is_idle(experiment, [*names(arguments.settings), *sorted(unusual(experiment))], output)
    session = Session(experiment, source=source)
    try:
        switches.check(experiment.training.acceleration, session.device)
    except devices.DeviceError:
        session.close()
        raise
    return session


def _asked(arguments: Namespace, output: Output) -> _Asked:
    if arguments.config and arguments.preset:
        raise UsageError("name either a file or a preset, not both; the rest can be given with --set")
    said = find_preset(arguments.preset).tables if arguments.preset else {}
    if arguments.config:
        said = read_toml(arguments.config)
    device = [f"device={arguments.device}"] if arguments.device else []
    tables = with_settings(said, [*arguments.settings, *device])
    values = dotted(tables)
    kept = decided(values, arguments.preset, values.get("dataset.name", ""), names(arguments.settings))
    if kept != values:
        about = said["dataset"]["name"]
        output.note(f"note: the preset is about {about}: how it shapes, trains and tests tasks is not taken over for "
                    f"{values['dataset.name']}")
    tables = with_values({}, kept)
    return _Asked(tables, frozenset(kept), _with_absolute_paths(resolve(tables)))


def _fitted(asked: _Asked, output: Output, world: World = ALONE) -> tuple[Experiment, TaskSource | None]:
    """The experiment as a person's own data allow it, which is noted, and these opened; others are not opened yet."""
    if not issubclass(find("dataset", asked.experiment.dataset.name), OwnData):
        return asked.experiment, None
    device = devices.choose(world.device(asked.experiment.device))
    fitting = open_fitting(asked.tables, asked.decided, device)
    if fitting.note:
        output.note(f"note: {fitting.note}")
    return _with_absolute_paths(fitting.experiment), fitting.source


def _begin(arguments: Namespace, output: Output, world: World) -> _Begun:
    asked = _asked(arguments, output)
    runs, place = store(arguments), launch()
    # Before data are opened, which may have grown since the run was fitted to them.
    if place and (found := _of_launch(runs, place, asked.experiment)):
        return found
    experiment, source = _fitted(asked, output, world)
    note_what_is_idle(experiment, [*names(arguments.settings), *sorted(unusual(experiment))], output)
    begun = runs.create(experiment, place.name, asked.experiment) if place else runs.create(experiment)
    return _Begun(begun, resume=False, source=source)


def _of_launch(runs: RunStore, place: Launch, asked: Experiment) -> _Begun | None:
    """The run that this launch was training when a process was lost; None where it is to begin one."""
    found = runs.launched(place.name)
    if found is None or found.asked() != asked:
        return None
    status = found.summary().status
    if status == "interrupted" and not found.kept():  # it was lost before there was anything to go on from
        found.delete()
        return None
    if status == "interrupted":
        return _Begun(found, resume=True)
    # What ended while processes were started anew has ended; a later launch of the same name is another run.
    return _Begun(found, resume=True, status=_STATUS.get(status, INTERRUPTED)) if place.restarts else None


def note_what_is_idle(experiment: Experiment, said: Iterable[str], output: Output) -> None:
    """Tell the person of fields that they set and that have no effect, on one line."""
    if told := said_in_vain(experiment, said):
        output.note(f"note: {told}")


def names(settings: Iterable[str]) -> list[str]:
    """The dotted names in settings NAME=VALUE."""
    return [setting.partition("=")[0].strip() for setting in settings]


def _with_absolute_paths(experiment: Experiment) -> Experiment:
    """The experiment with paths that also hold when it is resumed from another folder."""
    changes: dict[str, Any] = {}
    for role in ROLES:
        pick = getattr(experiment, role)
        paths = {one.name: path.expanduser().absolute() for one in parameters(type(pick))
                 if one.shape == "path" and (path := getattr(pick, one.name)) is not None}
        if paths:
            changes[role] = pick.model_copy(update=paths)
    return experiment.model_copy(update=changes)


def resume(arguments: Namespace, output: Output) -> int:
    """Go on with a run."""
    return _by_all(lambda _: _go_on(arguments), output)


def _go_on(arguments: Namespace) -> _Begun:
    found, place = find_run(store(arguments), arguments.learner), launch()
    found.experiment()  # one that is damaged must be told of before anything is forgotten
    # Where processes were started anew, what they did since the checkpoint that the person named is not forgotten.
    step = None if place and place.restarts else arguments.checkpoint
    ended = found.summary().status == "finished" and step is None
    return _Begun(found, resume=True, step=step, status=SUCCESS if ended else None)


def _by_all(begin: Callable[[World], _Begun], output: Output) -> int:
    """Train a run, with the other processes where there are some: the first one opens it, writes it and speaks."""
    try:
        with joined_world() as world:
            with world.together():
                begun = begin(world) if world.is_first else None
            ended = world.broadcast((begun.status,) if begun else None)[0]
            if begun is None:
                return _follow(world) if ended is None else ended
            return _train(begun, output, world) if ended is None else _ended(begun, ended, output)
    except LostError as error:
        place = launch()
        if place is None or place.is_last_try:
            raise
        output.note(f"workbench: {error}; waiting to be started anew")
        return FAILURE


def _ended(begun: _Begun, status: int, output: Output) -> int:
    """Tell of a run that has nothing left to do."""
    ended = "is finished" if status == SUCCESS else "has ended"
    output.note(f"{begun.run.id} {ended} already; there is nothing left to do")
    if status == SUCCESS:
        _report(begun.run, output)
    return status


def _follow(world: World) -> int:
    """Train along with the process that writes and speaks."""
    control = Control()
    ended: Event | None = None
    with interruptions(_stopping(control)), closing(followed(control, world)) as events:
        for event in events:
            ended = event
    return _STATUS["failed" if isinstance(ended, Failed) else getattr(ended, "status", "stopped")]


def _stopping(control: Control) -> Callable[[], None]:
    """What an interruption does: the first asks to stop, the second gives up."""
    def interrupt() -> None:
        if control.is_stopping:
            give_up()
        control.stop()

    return interrupt


def _train(begun: _Begun, output: Output, world: World) -> int:
    """Train to the end, or to where the person interrupts, and print how it ended."""
    found, control = begun.run, Control()
    with interruptions(_stopping(control)), _Teller(found, output, world.size) as teller:
        try:
            with closing(recorded(found, control, resume=begun.resume, step=begun.step, world=world,
                                  source=begun.source)) as events:
                for event in events:
                    teller.tell(event)
            status = _STATUS[found.summary().status]
        except LostError as error:
            place = launch()
            if not found.record.exists() or (place and not place.is_last_try):
                raise
            output.note(f"workbench: {error}; go on from the last checkpoint with `{to_resume(found)}`, and "
                        "next time have torchrun do so by itself (--max-restarts)")
            status = FAILURE
        except (KeyboardInterrupt, OSError) as error:
            # Before its first event a new run has left nothing behind; after it, the last checkpoint is kept.
            if not found.record.exists():
                raise
            status = INTERRUPTED
            if isinstance(error, OSError):
                after = f"go on with `{to_resume(found)}`" if found.kept() else "start it again, for nothing was kept"
                output.note(f"workbench: the run cannot be written any more ({error}); mend that, and {after}")
                status = FAILURE
    if status == INTERRUPTED:
        _mark_interrupted(found)
        output.note(f"interrupted; go on with `{to_resume(found)}`")
    _report(found, output)
    return status


def _mark_interrupted(found: Run) -> None:
    summary = found.summary()
    summary.status = "interrupted"
    found.write_summary(summary)


class _Teller:
    """Shows the events of a training as progress."""

    def __init__(self, found: Run, output: Output, processes: int) -> None:
        self._run = found
        self._output = output
        self._processes = processes
        self._progress: Progress | None = None
        self._loss = ""
        self._validation = ""

    def __enter__(self) -> _Teller:
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress:
            self._progress.__exit__(*error)

    def tell(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Started():
                self._start(event)
            case Steps() if self._progress:
                self._loss = f"meta-loss {float(event.loss[-1]):.3f}"
                self._progress.move_to(event.last, self._beside(self._validation))
                if event.last >= self._progress.total:
                    self._progress.rename("testing")
            case Evaluation(split="validation") if self._progress:
                # A bar has little room beside it: there the validation stands without its interval.
                self._validation = f"val {_short(event)}"
                if not self._progress.is_bar:
                    words = f"validation {result_in_words(event.metric, event.score.mean, event.score.ci95)}"
                    self._progress.line(f"step {event.step:,} of {self._progress.total:,}, {self._beside(words)}")
            case Noticed() if self._progress:
                self._progress.line(f"note: step {event.step:,}: {event.message}")
            case Failed():
                self._output.note(f"workbench: {event.message}")

    def _start(self, event: Started) -> None:
        self._progress = Progress(event.iterations, start=event.step, title="training", unit="steps")
        verb = "resuming" if event.step else "training"
        self._progress.line(f"{verb} {self._run.id} on {event.device_title}, kept in {self._run.folder}")
        way = Way(event.executor, event.threads, event.chunk)
        by = f"{self._processes} processes, each by " if self._processes > 1 else ""
        self._progress.line(f"run by {by}{way}" + f": {event.why}" * bool(event.why))
        for notice in event.notices:
            self._progress.line(f"note: {notice}")
        self._progress.__enter__()

    def _beside(self, validation: str) -> str:
        return ", ".join(part for part in (self._loss, validation) if part)


def _short(event: Evaluation) -> str:
    return f"{100 * event.score.mean:.1f} %" if is_share(event.metric) else f"{event.score.mean:.3f}"


def _report(found: Run, output: Output) -> None:
    """Print how a run ended."""
    summary, history = found.summary(), found.history()
    started, test = history.started, history.test
    table = {
        "run_id": found.id, "run_dir": found.folder, "status": summary.status, "steps": summary.steps,
        "iterations": summary.iterations, "seconds": round(summary.seconds, 3),
        "device": started.device if started else None, "device_title": summary.device,
        "meta_loss": summary.meta_loss, "evaluation": evaluation_table(test), "message": summary.message,
    }
    lines = [f"{found.id}: {summary.status} after {summary.steps:,} of {summary.iterations:,} steps "
             f"in {duration(summary.seconds)}" + f" on {summary.device}" * bool(summary.device)]
    if test:
        lines.append(f"{test_in_words(test)} "
                     f"(95 % interval over {test.tasks:,} tasks, best learner of step {test.step:,})")
        lines += [verdict.words for verdict in history.verdicts()]
    lines.append(f"kept in {found.folder}")
    output.result(table, "\n".join(lines))
