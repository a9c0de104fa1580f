"""`export` and `adapt`: a learner taken home, and put to use."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from workbench.cli.evaluation import named, open_learner
from workbench.cli.main import SUCCESS
from workbench.cli.output import Output, aligned
from workbench.cli.runs import find_run, store
from workbench.experiment.metrics import result_in_words
from workbench.exports.export import export_run
from workbench.exports.predictions import USUAL_NAME, Predictions, check_target, predict_folder, write_predictions

_SHOWN = 20


def export(arguments: Namespace, output: Output) -> int:
    """Write a run's best learner as one file."""
    path = arguments.to.expanduser().absolute()
    run = find_run(store(arguments), arguments.learner)
    about = export_run(run, path)
    lines = [f"{path}: the best learner of {run.id}, after {about['step']:,} steps"]
    if about["result"]:
        words = result_in_words(*(about["result"][name] for name in ("metric", "mean", "ci95")))
        lines.append(f"test {words} over {about['result']['tasks']:,} tasks")
    lines.append("plain PyTorch can read it: see the help page take-it-home")
    beside = path.with_name(about["found"]["file"]) if about["found"] else None
    if beside:
        lines.insert(1, f"{beside}: the network that it found, alone")
    table = {"to": path, "found": beside, "run_id": run.id, "bytes": path.stat().st_size, "manifest": about}
    output.result(table, "\n".join(lines))
    return SUCCESS


def adapt(arguments: Namespace, output: Output) -> int:
    """Adapt a learner to a folder and write what it predicts."""
    folder = arguments.folder.expanduser().absolute()
    to = arguments.to.expanduser().absolute() if arguments.to else folder / USUAL_NAME
    learner = open_learner(arguments)
    if arguments.to:
        check_target(to)  # before the work, not after it
    predictions = predict_folder(learner, folder)
    write_predictions(predictions, to)
    table = {**named(arguments, learner), "folder": folder, "to": to, "classes": predictions.class_names,
             "support": predictions.support, "inner_steps": predictions.inner_steps,
             "problems": predictions.notices, "predictions": _as_json(predictions)}
    output.result(table, _in_words(predictions))
    if not output.is_json:
        for notice in predictions.notices:
            output.note(f"note: {notice}")
        output.note(f"all {len(predictions.names):,} predictions are in {to}")
    return SUCCESS


def _as_json(predictions: Predictions) -> list[dict[str, Any]]:
    if not predictions.class_names:
        said: list[dict[str, Any]] = [{"values": row.tolist()} for row in predictions.outputs]
    else:
        said = [{"predicted": label, "probability": float(row.max()),
                 "probabilities": dict(zip(predictions.class_names, row.tolist(), strict=True))}
                for label, row in zip(predictions.labels, predictions.outputs, strict=True)]
    return [{"file": name, **one} | ({"ids": {column: cells[row] for column, cells in predictions.ids.items()}}
                                     if predictions.ids else {})
            for row, (name, one) in enumerate(zip(predictions.names, said, strict=True))]


def _in_words(predictions: Predictions) -> str:
    width = predictions.texts + (1 if predictions.class_names else predictions.outputs.shape[1])
    rows = [row[:width] for row in predictions.rows()]
    text = aligned([[title.upper() for title in predictions.columns[:width]], *rows[:_SHOWN]])
    more = len(rows) - _SHOWN
    return text + (f"\nand {more:,} more" if more > 0 else "")
