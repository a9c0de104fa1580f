"""`evaluate`: judging a trained learner on fixed test tasks."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any

from workbench.cli.main import SUCCESS
from workbench.cli.output import Output, duration
from workbench.cli.progress import Progress
from workbench.cli.results import evaluation_table, test_in_words
from workbench.cli.runs import find_run, store
from workbench.cli.training import names, note_what_is_idle
from workbench.engine.evaluation import evaluate as judge
from workbench.engine.events import Evaluation
from workbench.engine.session import Session, to_device
from workbench.experiment.metrics import result_in_words
from workbench.experiment.resolve import resolve, to_tables, with_settings
from workbench.exports.export import load_export
from workbench.exports.learner import Learner, of_run, open_session, path_of


def open_learner(arguments: Namespace) -> Learner:
    """The learner of the run or the file that was named."""
    path = path_of(arguments.learner)
    if path is None:
        return of_run(find_run(store(arguments), arguments.learner)).on_this_machine()
    return load_export(path).on_this_machine()


def named(arguments: Namespace, learner: Learner) -> dict[str, Any]:
    """Which learner it was, as JSON has it: a run or an exported file."""
    return {"export": path_of(arguments.learner)} if path_of(arguments.learner) else {"run_id": learner.name}


def evaluate(arguments: Namespace, output: Output) -> int:
    """Judge a learner, as it was tested or with other settings."""
    learner = open_learner(arguments)
    tasks = [f"evaluation.tasks={arguments.tasks}"] if arguments.tasks else []
    tables = to_tables(learner.experiment)
    # What it is judged on changes nothing of what it was trained on.
    tables["training"].setdefault("shots", learner.experiment.training_task().shots)
    experiment = resolve(with_settings(tables, [*arguments.settings, *tasks]))
    begun = time.perf_counter()
    session = open_session(learner, experiment)
    note_what_is_idle(experiment, names(arguments.settings), output)
    result = _judged(session, learner, experiment.evaluation.tasks)
    seconds = time.perf_counter() - begun
    table = {**named(arguments, learner), "step": learner.step, "device": str(session.device),
             "seconds": round(seconds, 3), "settings": [*arguments.settings, *tasks],
             "evaluation": evaluation_table(result)}
    output.result(table, _in_words(learner, result, seconds))
    return SUCCESS


def _judged(session: Session, learner: Learner, tasks: int) -> Evaluation:
    with session.running(), Progress(tasks, title="testing", unit="tasks") as progress:
        meta = to_device(learner.meta, session.device)
        for said in judge(session, meta, learner.step, "test", tasks, both_modes=True):
            if isinstance(said, Evaluation):
                return said
            progress.move_to(round(said * tasks))
            while session.notices:
                progress.line(f"note: {session.notices.pop(0)}")
    raise AssertionError("an evaluation ends with a result")


def _in_words(learner: Learner, result: Evaluation, seconds: float) -> str:
    lines = [f"{learner.name}, best learner of step {learner.step:,}",
             f"{test_in_words(result)} (95 % interval over {result.tasks:,} tasks, {duration(seconds)})"]
    lines += [f"  {mode}: {result_in_words(result.metric, score.mean, score.ci95)}"
              for mode, score in result.modes.items()]
    if len(result.by_step) > 1:
        lines += ["by inner step:", *(f"  {step:3d}: {result_in_words(result.metric, score.mean, score.ci95)}"
                                      for step, score in enumerate(result.by_step) if _is_worth_a_line(step, result))]
    return "\n".join(lines)


def _is_worth_a_line(step: int, result: Evaluation) -> bool:
    """The first few inner steps, every tenth and the last; JSON has them all."""
    return step <= 5 or step % 10 == 0 or step == len(result.by_step) - 1
