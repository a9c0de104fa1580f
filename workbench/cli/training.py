"""`run` and `resume`: training without a window."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench import places
from workbench.cli.main import FAILURE, INTERRUPTED, SUCCESS
from workbench.cli.output import Output, UsageError, duration, result_in_words
from workbench.cli.progress import Progress
from workbench.cli.signals import give_up, interruptions
from workbench.engine.control import Control
from workbench.engine.events import Evaluation, Event, Failed, Started, Steps
from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import parameters
from workbench.experiment.idle import changed, said_in_vain
from workbench.experiment.metrics import as_error, is_share
from workbench.experiment.presets import find_preset
from workbench.experiment.registry import ROLES
from workbench.experiment.resolve import read_toml, resolve, with_settings
from workbench.runs.recording import recorded
from workbench.runs.store import Run, RunStore


def store(arguments: Namespace) -> RunStore:
    """The folder of runs that was named, or the program's own."""
    return RunStore((arguments.runs or places.default_runs()).expanduser().absolute())


def find_run(runs: RunStore, name: str) -> Run:
    """The run of this name or folder; raises UsageError or UnknownNameError where there is none."""
    if not runs.runs() and not (Path(name).expanduser() / "experiment.toml").is_file():
        raise UsageError(f"no run is called '{name}', for {runs.folder} holds no runs yet; name their folder with "
                         "--runs, or make one with `workbench run`")
    return runs.find(name)


def run(arguments: Namespace, output: Output) -> int:
    """Train a new run."""
    if arguments.config and arguments.preset:
        raise UsageError("name either a file or a preset, not both; the rest can be given with --set")
    said = find_preset(arguments.preset).tables if arguments.preset else {}
    if arguments.config:
        said = read_toml(arguments.config)
    device = [f"device={arguments.device}"] if arguments.device else []
    experiment = _with_absolute_paths(resolve(with_settings(said, [*arguments.settings, *device])))
    note_what_is_idle(experiment, [*names(arguments.settings), *sorted(changed(experiment))], output)
    return _train(store(arguments).create(experiment), output, resume=False)


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
    found = find_run(store(arguments), arguments.learner)
    found.experiment()  # one that is damaged must be told of before anything is forgotten
    if found.summary().status == "finished" and arguments.checkpoint is None:
        output.note(f"{found.id} is finished already; there is nothing left to do")
        _report(found, output)
        return SUCCESS
    return _train(found, output, resume=True, step=arguments.checkpoint)


def _train(found: Run, output: Output, *, resume: bool, step: int | None = None) -> int:
    """Train to the end, or to where the person interrupts, and print how it ended."""
    control = Control()

    def interrupt() -> None:
        if control.is_stopping:
            give_up()
        control.stop()

    with interruptions(interrupt), _Teller(found, output) as teller:
        try:
            for event in recorded(found, control, resume=resume, step=step):
                teller.tell(event)
            status = {"finished": SUCCESS, "failed": FAILURE}.get(found.summary().status, INTERRUPTED)
        except (KeyboardInterrupt, OSError) as error:
            # Before its first event a new run has left nothing behind; after it, the last checkpoint is kept.
            if not found.record.exists():
                raise
            status = INTERRUPTED
            if isinstance(error, OSError):
                output.note(f"workbench: the run cannot be written any more ({error}); free some space and resume it")
                status = FAILURE
    if status == INTERRUPTED:
        _mark_interrupted(found)
        output.note(f"interrupted; go on with `workbench resume {found.id}`")
    _report(found, output)
    return status


def _mark_interrupted(found: Run) -> None:
    summary = found.summary()
    summary.status = "interrupted"
    found.write_summary(summary)


class _Teller:
    """Shows the events of a training as progress."""

    def __init__(self, found: Run, output: Output) -> None:
        self._run = found
        self._output = output
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
            case Failed():
                self._output.note(f"workbench: {event.message}")

    def _start(self, event: Started) -> None:
        self._progress = Progress(event.iterations, start=event.step, title="training", unit="steps")
        verb = "resuming" if event.step else "training"
        self._progress.line(f"{verb} {self._run.id} on {event.device_title}, kept in {self._run.folder}")
        for notice in event.notices:
            self._progress.line(f"note: {notice}")
        self._progress.__enter__()

    def _beside(self, validation: str) -> str:
        return ", ".join(part for part in (self._loss, validation) if part)


def _short(event: Evaluation) -> str:
    return f"{100 * event.score.mean:.1f} %" if is_share(event.metric) else f"{event.score.mean:.3f}"


def evaluation_table(evaluation: Evaluation | None) -> dict[str, Any] | None:
    """A result as JSON has it; accuracies are fractions."""
    if evaluation is None:
        return None
    return {"metric": evaluation.metric, **asdict(evaluation.score), "tasks": evaluation.tasks,
            "split": evaluation.split, "step": evaluation.step,
            "modes": {mode: asdict(score) for mode, score in evaluation.modes.items()},
            "by_step": [asdict(score) for score in evaluation.by_step]}


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
             f"in {duration(summary.seconds)} on {summary.device}"]
    if test:
        lines.append(f"test {result_in_words(test.metric, test.score.mean, test.score.ci95)} "
                     f"(95 % interval over {test.tasks:,} tasks, best learner of step {test.step:,})")
        lines += [f"no better than {name}, which learns nothing: {result_in_words(test.metric, floor)}; train longer, "
                  "or look at the data again" for name, floor in (started.floors if started else {}).items()
                  if as_error(test.metric, test.score.mean) >= as_error(test.metric, floor)]
    lines.append(f"kept in {found.folder}")
    output.result(table, "\n".join(lines))
