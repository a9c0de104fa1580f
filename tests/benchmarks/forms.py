"""Trains on one sample of every form and adapts to a new task of it: `python -m tests.benchmarks.forms`.

Everything goes through the command line as a person types it: `data check`, `run` with what it proposes, and `adapt` to
the sample of a new task beside it, or to one that is cut out of the sample itself where there is none. With `--window`
it goes through the window instead: the folder is dropped on it, the method is picked in the form, Start is pressed, the
new task is dropped, and its predictions are saved. After `--pictures` stands a folder for what was to be seen.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.commands import ended, file_to_write
from tests.benchmarks.offscreen import keep, live_while, offscreen
from tests.cli.terminal import Said, say
from tests.gui.helpers import drop
from workbench.places import sample_tasks
from workbench.tasks.looking.check import check_data

if TYPE_CHECKING:
    from workbench.gui.window import MainWindow

RESULTS = Path(__file__).parent / "results"
_BY_COMMANDS = """Made by `python -m tests.benchmarks.forms`: on every sample folder `workbench data check`, a short
`workbench run` with what that proposes, and `workbench adapt` from this run to a new task, whose predictions are
counted in the csv."""
_BY_WINDOW = """Made by `python -m tests.benchmarks.forms --window`: every sample folder was dropped on the window, the
method picked in the form and Start pressed; then a new task was dropped, and the predictions, which are counted here,
saved as a csv."""
_ABOUT = """# A sample of every form, trained and adapted

{} The floor is what the report names as the result to beat; ± is the 95 % interval over the test tasks.

| sample | form | algorithm | floor | result | new task | predictions | seconds |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Sample:
    """What is tried.

    Attributes:
        folder: Below `sample_tasks`.
        algorithm: What learns.
        new: The folder of a new task, or what makes one of the sample in an empty folder.
        more: Further settings.
    """

    folder: str
    algorithm: str
    new: str | Callable[[Path, Path], None]
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tried:
    """What was seen: the report, the result, and the rows of the csv of predictions."""

    sample: Sample
    report: dict[str, Any]
    result: dict[str, Any]
    predictions: list[dict[str, str]]
    seconds: float

    @property
    def is_better(self) -> bool:
        """Whether the result is better than the floor."""
        result, floor = float(self.result["mean"]), float(self.report["floor"]["mean"])
        return result < floor if self.report["floor"]["metric"] == "mse" else result > floor

    @property
    def row(self) -> str:
        """The line of the table."""
        metric = self.report["floor"]["metric"]
        results = [_in_words(metric, one["mean"], one["ci95"]) for one in (self.report["floor"], self.result)]
        new = self.sample.new if isinstance(self.sample.new, str) else f"of {self.sample.folder}"
        cells = [self.sample.folder, self.report["form"], self.sample.algorithm, results[0], f"{metric} {results[1]}",
                 new, str(len(self.predictions)), f"{self.seconds:.0f}"]
        return f"| {' | '.join(cells)} |"


def _in_words(metric: str, mean: float, ci95: float | None) -> str:
    scale, unit, places = (1, "", 3) if metric == "mse" else (100, " %", 1)
    return f"{scale * mean:.{places}f}" + (f" ± {scale * ci95:.{places}f}" if ci95 is not None else "") + unit


def _without(source: Path, to: Path, kept: list[int], columns: Callable[[list[str]], list[int]]) -> None:
    """Some rows and columns of a csv."""
    with source.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    places = columns(header)
    with to.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([row[place] for place in places] for row in (header, *(rows[i] for i in kept)))


def a_station(folder: Path, to: Path) -> None:
    """Ten hours of a station, and others to predict."""
    file = min(folder.glob("*.csv"))
    _without(file, to / "support.csv", list(range(10)), lambda header: list(range(len(header))))
    _without(file, to / "query.csv", list(range(10, 20)), lambda header: list(range(len(header) - 1)))


def an_assay(folder: Path, to: Path) -> None:
    """The compounds that the first assay tested, without all others."""
    file = folder / "assays.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        header, *rows = csv.reader(opened)
    first = header.index("assay_01")
    tested = [i for i, row in enumerate(rows) if row[first]]
    _without(file, to / "support.csv", tested, lambda _: list(range(first + 1)))
    _without(file, to / "query.csv", [i for i in range(40) if i not in tested], lambda _: list(range(first)))


def a_shop(folder: Path, to: Path) -> None:
    """The support of a ready-made task, and its queries without their classes."""
    task = min(path for path in folder.iterdir() if path.is_dir())
    shutil.copytree(task / "support", to / "support")
    (to / "query").mkdir()
    for number, file in enumerate(sorted((task / "query").rglob("*.png"))):
        shutil.copy(file, to / "query" / f"{number:02}.png")


def some_characters(folder: Path, to: Path) -> None:
    """Five characters of an alphabet by three hands, and one more of each by another."""
    alphabet = min(path for path in folder.iterdir() if path.is_dir())
    (to / "unlabelled").mkdir()
    for number, character in enumerate(sorted(alphabet.iterdir())[:5]):
        files = sorted(character.iterdir())
        (to / character.name).mkdir()
        for file in files[:3]:
            shutil.copy(file, to / character.name)
        shutil.copy(files[3], to / "unlabelled" / f"{number}.png")


_SHORT = ("backbone.filters=32", "training.iterations=120", "training.validate_every=20")
SAMPLES = (
    Sample("shapes", "ridge", "new_shapes", _SHORT),
    Sample("knots", "ridge", "new_shapes", _SHORT),
    Sample("alphabets", "ridge", some_characters, _SHORT),
    Sample("ready_made", "ridge", a_shop, _SHORT),
    Sample("minerals", "protonet", "new_minerals", ("training.iterations=500",)),
    Sample("machines", "ridge", "new_machine", ("training.iterations=300",)),
    Sample("stations", "maml", a_station, ("training.iterations=600",)),
    Sample("assays", "ridge", an_assay, ("training.iterations=400",)),
    Sample("arrays", "ridge", "new_arrays", _SHORT),
    Sample("calls", "ridge", "new_calls", _SHORT),
    Sample("messages", "protonet", "new_messages", ("training.iterations=500",)),
    Sample("gestures", "protonet", "new_gestures", ("training.iterations=300",)),
)


def tried(sample: Sample, place: Path) -> Tried:
    """Check, train and adapt by commands; `place` is an empty folder for the run, the new task and the predictions."""
    folder, runs, started = sample_tasks() / sample.folder, place / "runs", time.perf_counter()
    report = _done(say("data", "check", folder, "--json")).table
    guessed = {f"dataset.{name}": value for name, value in report["settings"].items()} | report["experiment"]
    settings = [f"dataset={report['dataset']}", *(f"{name}={value}" for name, value in guessed.items()),
                f"algorithm={sample.algorithm}", "evaluation.tasks=200", "training.validation_tasks=50", *sample.more]
    said = _done(say("run", *(word for one in settings for word in ("--set", one)), "--runs", runs, "--json")).table
    new = _new_task(sample, place)
    (run,) = [path.name for path in runs.iterdir() if path.is_dir()]
    to = place / "predictions.csv"
    _done(say("adapt", run, new, "--to", to, "--runs", runs, "--json"))
    return Tried(sample, report, said["evaluation"], _read(to), time.perf_counter() - started)


def tried_in_window(window: MainWindow, sample: Sample, place: Path, pictures: Path | None = None) -> Tried:
    """The same in the window; with a folder for pictures, one of the run and one of the predictions in each theme."""
    folder, started = sample_tasks() / sample.folder, time.perf_counter()
    drop(window, folder)
    live_while(lambda: any(window._jobs.is_busy(key) for key in ("recognize", "look")))
    form = window.panel.form
    form.pick("algorithm", sample.algorithm)
    for said in ("evaluation.tasks=200", "training.validation_tasks=50", *sample.more):
        name, _, value = said.partition("=")
        form.draft.set(name, int(value))
    form.check_now()
    window.training.start()
    live_while(lambda: window.desk.controller.is_training)
    row = window.desk.model.rows()[0]
    result = {"mean": row.summary.mean, "ci95": row.summary.ci95}
    if pictures:
        keep(window, pictures / sample.folder)
    new = _new_task(sample, place)
    drop(window, new)
    live_while(lambda: window.predicting.dialog is None or window._jobs.is_busy("predict"))
    dialog = window.predicting.dialog
    if dialog is None or dialog.predictions is None:
        raise RuntimeError(f"{new} was not predicted: {window.log.text()}")
    window.predicting.save_to(place / "predictions.csv")
    live_while(lambda: not (place / "predictions.csv").exists())
    if pictures:
        keep(window, pictures / f"{sample.folder}-predicted", dialog)
    dialog.close()
    report = check_data(folder)
    return Tried(sample, report, result, _read(place / "predictions.csv"), time.perf_counter() - started)


def _new_task(sample: Sample, place: Path) -> Path:
    """The folder of a new task for a sample."""
    if isinstance(sample.new, str):
        return sample_tasks() / sample.new
    new = place / "new"
    new.mkdir()
    sample.new(sample_tasks() / sample.folder, new)
    return new


def _read(predictions: Path) -> list[dict[str, str]]:
    with predictions.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _done(said: Said) -> Said:
    if said.status != 0:
        raise RuntimeError(said.err or said.out)
    return said


def main() -> None:
    """Try every sample and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("samples", nargs="*", metavar="SAMPLE", help="those to try anew; all where none is named: "
                        + ", ".join(sample.folder for sample in SAMPLES))
    parser.add_argument("--window", action="store_true", help="through the window rather than by commands")
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of the window")
    parser.add_argument("--to", type=file_to_write, help="the file to write")
    arguments = parser.parse_args()
    if unknown := set(arguments.samples) - {sample.folder for sample in SAMPLES}:
        parser.error(f"there is no sample {min(unknown)}; see --help")
    arguments.to = arguments.to or RESULTS / ("forms_in_window.md" if arguments.window else "forms.md")
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    about = _ABOUT.format(_BY_WINDOW if arguments.window else _BY_COMMANDS)
    said = arguments.to.read_text(encoding="utf-8").splitlines() if arguments.to.exists() else []
    names = [sample.folder for sample in SAMPLES]
    rows = {name: line for line in said if (name := line.strip("| ").partition(" ")[0]) in names}
    for sample in SAMPLES:
        if arguments.samples and sample.folder not in arguments.samples:
            continue
        with tempfile.TemporaryDirectory() as place:
            if arguments.window:
                with offscreen() as window:
                    found = tried_in_window(window, sample, Path(place), arguments.pictures)
            else:
                found = tried(sample, Path(place))
        rows[sample.folder] = found.row
        print(found.row, "" if found.is_better else "NO BETTER THAN THE FLOOR", flush=True)
        table = [rows[name] for name in names if name in rows]
        arguments.to.write_text(about + "\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    ended(main)
